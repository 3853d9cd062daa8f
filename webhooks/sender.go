package webhooks

import (
	"bytes"
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"time"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/credentials"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// Delivery is one attempt, as whoever wraps it may know it.
type Delivery struct {
	EndpointID string
	URL        string
	MessageID  string
	EventType  string // public
	Run        string
	Lane       string
	Attempt    int
	Sequence   int // of the message, within its aggregate
	Position   eventstore.Position
	Recorded   time.Time // when the event was
	Previous   Previous
	// Metadata is that of the event: the trace it belongs to.
	Metadata eventstore.Metadata
}

// Result is how an attempt ended.
type Result struct {
	Status     int // HTTP, or 0 when there was no answer
	Class      delivery.Class
	RetryAfter time.Duration
	Directive  string
	Took       time.Duration
	// Response is what is kept of the answer.
	Response ledger.Response
	Span     trace.SpanContext // of the attempt
	// Err is what went wrong, for our own logs and traces only.
	Err error
}

// prepared is a message ready to be posted.
type prepared struct {
	Delivery
	body   []byte
	signer signing.Signer
	sign   func(time.Time) string // instead of the signer; nil of every real message
}

// prepare makes the message of a job. While the event store or
// the vault is away it waits:
// that is not the receiver's failure, so it must not use up an attempt.
func (d *Dispatcher) prepare(ctx context.Context, to *target, job delivery.Job) (prepared, error) {
	for {
		p, err := d.prepareOnce(ctx, to, job)
		if err == nil || ctx.Err() != nil || (!errors.Is(err, eventstore.ErrUnavailable) && !errors.Is(err, errPeople)) {
			return p, err
		}
		d.Logger.WarnContext(ctx, "webhooks wait for what a message is made of", "error", err)
		pause(ctx, time.Second)
	}
}

func (d *Dispatcher) prepareOnce(ctx context.Context, to *target, job delivery.Job) (prepared, error) {
	p := prepared{Delivery: Delivery{
		EndpointID: to.ID, URL: to.URL, MessageID: job.ID, Run: to.run.RunID, Lane: job.Lane, Attempt: job.Attempt, Position: job.Position,
	}}
	it, err := d.itemOf(ctx, job)
	if err != nil {
		return p, err
	}
	p.EventType, p.Recorded = it.kind.Public, it.Created
	p.Metadata, _ = it.Metadata() // without it there is no trace, that is all
	msg, err := it.message(d.Catalogue)
	if err != nil {
		return p, err
	}
	if job.Payload == nil { // it was chosen some time ago
		if allowed, err := d.history.allowed(ctx, it.Recorded, to.audience); err != nil || !allowed {
			return p, cmp.Or(err, errWithdrawn)
		}
	}
	place, err := d.place(ctx, to, it)
	if err != nil {
		return p, err
	}
	p.Sequence = place.Sequence
	msg.ID = to.replay.messageID(msg.ID)
	p.MessageID = msg.ID
	if p.signer, err = d.signer(ctx, to); err != nil {
		return p, err
	}
	if msg.Personal, err = d.personalOf(ctx, to, it); err != nil {
		return p, err
	}
	if p.body, err = msg.Body(place); len(p.body) > message.LargeBody {
		d.Logger.WarnContext(ctx, "webhook message is large", "message", msg.ID, "type", msg.Public, "bytes", len(p.body))
	}
	return p, err
}

func (d *Dispatcher) place(ctx context.Context, to *target, it *item) (message.Place, error) {
	sequence, previous, err := d.history.place(ctx, it.Recorded, to.audience)
	return message.Place{Sequence: sequence, Previous: previous, EndpointID: to.ID, Cursor: d.cursors.Encode(ScopeOf(to.TenantID), it.Position)}, err
}

// itemOf returns the event of a job, reading it again if it was parked.
func (d *Dispatcher) itemOf(ctx context.Context, job delivery.Job) (*item, error) {
	if it, ok := job.Payload.(*item); ok {
		return it, nil
	}
	for r, err := range d.Store.ReadStream(ctx, job.Lane, job.Revision) {
		if err != nil {
			return nil, fmt.Errorf("read %s at %d: %w", job.Lane, job.Revision, err)
		}
		kind, public := d.Catalogue.Kind(r.Type)
		if r.ID.String() != job.ID || !public {
			break
		}
		r.Position = job.Position // a stream does not tell it everywhere
		return &item{Recorded: r, kind: kind}, nil
	}
	return nil, fmt.Errorf("event %s is not in %s at %d", job.ID, job.Lane, job.Revision)
}

// deliver makes one attempt, wrapped by whatever Around is set.
func (d *Dispatcher) deliver(ctx context.Context, to *target, p prepared) Result {
	ctx, cancel := context.WithTimeout(ctx, d.cfg.Timeout)
	defer cancel()
	post := func(ctx context.Context) Result {
		started := d.Now()
		result := d.postAs(ctx, to, p)
		result.Took, result.Span = d.Now().Sub(started), trace.SpanContextFromContext(ctx)
		return result
	}
	if d.Around != nil {
		return d.Around(ctx, p.Delivery, post)
	}
	return post(ctx)
}

func (d *Dispatcher) post(ctx context.Context, to *target, p prepared) Result {
	if wrong := d.Policy.CheckURL(to.URL); len(wrong) > 0 {
		return Result{Class: delivery.ClassBlocked, Err: fmt.Errorf("%s: %w", wrong[0].Code, address.ErrBlocked)}
	}
	result, header := d.postOnce(ctx, to, p)
	if result.Status == http.StatusUnauthorized && to.session.Refused(header) {
		result, _ = d.postOnce(ctx, to, p) // with a fresh token
	}
	return result
}

// postOnce makes one request. The headers are those it was made with.
func (d *Dispatcher) postOnce(ctx context.Context, to *target, p prepared) (Result, http.Header) {
	at := d.Now()
	// resty copies bytes twice, and a reader, which is enough to send them again, not at all.
	request := to.session.Client().R().SetContext(ctx).SetDoNotParseResponse(true).SetBody(bytes.NewReader(p.body))
	header := request.Header
	if err := to.session.Authorize(ctx, header); err != nil {
		return Result{Class: Classify(err), Err: err}, header
	}
	to.session.Sign(header, p.body, p.sign != nil)
	// Ours are set last: whatever an endpoint's owner chose, these are true. Their
	// names are written as net/http has them, so that it need not.
	for _, own := range [...]struct{ name, value string }{
		{"Content-Type", "application/json"},
		{"User-Agent", d.cfg.UserAgent},
		{"Webhook-Id", p.MessageID},
		{"Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10)},
		{"Webhook-Signature", p.signature(at)},
		{"Webhook-Attempt", strconv.Itoa(p.Attempt)},
		{"Webhook-Run", p.Run},
	} {
		header[own.name] = []string{own.value}
	}
	if parent := traceParent(ctx, p.Metadata); parent != "" && !to.NoTrace {
		header["Traceparent"] = []string{parent}
	}
	response, err := request.Post(to.URL)
	if err != nil {
		return Result{Class: Classify(err), Err: err}, header
	}
	return readAnswer(response.RawResponse, at), header
}

func (r Result) answer() delivery.Answer {
	return delivery.Answer{Status: r.Status, Class: r.Class, RetryAfter: r.RetryAfter, Directive: r.Directive}
}

// traceParent carries on the span of the context, or else the trace the event
// was recorded in. Nothing else of a trace leaves the house: baggage and state
// may hold what partners must not see.
func traceParent(ctx context.Context, meta eventstore.Metadata) string {
	carrier := propagation.MapCarrier{}
	if !trace.SpanContextFromContext(ctx).IsValid() {
		carrier["traceparent"] = meta.TraceParent
		ctx = propagation.TraceContext{}.Extract(ctx, carrier)
		carrier = propagation.MapCarrier{}
	}
	propagation.TraceContext{}.Inject(ctx, carrier)
	return carrier["traceparent"]
}

// handshake says that the two sides of TLS do not agree, on a version for
// example: for most of it the library has words and no types of its own.
func handshake(err error) bool {
	if op, ok := errors.AsType[*net.OpError](err); ok && (op.Op == "remote error" || op.Op == "local error") {
		return true
	}
	return strings.HasPrefix(withoutURL(err).Error(), "tls: ")
}

// Classify says in one word why there was no answer.
func Classify(err error) delivery.Class {
	var (
		lookup  *net.DNSError
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		op      *net.OpError
		timeout net.Error
	)
	switch {
	case errors.Is(err, address.ErrBlocked):
		return delivery.ClassBlocked
	case errors.Is(err, credentials.ErrToken):
		return delivery.ClassToken
	case errors.As(err, &lookup):
		return delivery.ClassDNS
	case errors.As(err, &verify), errors.As(err, &record), errors.As(err, &alert), errors.Is(err, http.ErrSchemeMismatch), handshake(err):
		return delivery.ClassTLS
	case errors.Is(err, syscall.ECONNRESET): // even while dialling: whoever resets was reached
		return delivery.ClassReset
	case errors.As(err, &op) && op.Op == "dial":
		return delivery.ClassConnect
	case errors.Is(err, context.DeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return delivery.ClassTimeout
	}
	return delivery.ClassReset
}
