package webhooks

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/webhooks/delivery"
	"github.com/waybill-dev/waybill/webhooks/ledger"
	"github.com/waybill-dev/waybill/webhooks/message"
	"github.com/waybill-dev/waybill/webhooks/signing"
)

// Statement says, signed, what an endpoint got: everything it asked for that
// was recorded after From and up to Through, but for what is listed.
type Statement struct {
	ID        string
	At        time.Time
	Signature string // value of the header webhook-signature, scheme v1a
	Body      []byte
}

type statementBody struct {
	Type       string    `json:"type"`
	ID         string    `json:"id"`
	EndpointID string    `json:"endpoint_id"`
	TenantID   string    `json:"tenant_id,omitempty"`
	IssuedAt   time.Time `json:"issued_at"`
	// From is missing where the endpoint got everything from the beginning of
	// the log.
	From        string            `json:"from,omitempty"`
	Through     string            `json:"through"`
	Undelivered []statementExcept `json:"undelivered"`
	// PassedOver is where it cannot be told what was for the endpoint: of that
	// nothing is stated.
	PassedOver []statementSpan `json:"passed_over,omitempty"`
}

// statementSpan is what comes after a cursor, up to and with another.
type statementSpan struct {
	After   string `json:"after"`
	Through string `json:"through"`
}

type statementExcept struct {
	MessageID string `json:"message_id"`
	Aggregate string `json:"aggregate"`
	ID        string `json:"aggregate_id"`
	GivenUp   bool   `json:"given_up"`
	Attempts  int    `json:"attempts"`
}

const statementType = "delivery.statement"

// Statement makes a statement of what an endpoint got until now. The cursor is
// read before the exceptions: what is parked later lies behind it, and what
// was delivered meanwhile is no exception any more. Of an endpoint that there
// is and that is not served yet it makes none: [ErrNotKnown].
func (d *Dispatcher) Statement(ctx context.Context, e Endpoint, id string) (Statement, error) {
	key := ledger.Key{EndpointID: e.ID, RunID: ledger.Live}
	status, err := served(ctx, func() (ledger.Status, bool, error) { return d.Ledger.Status(ctx, key) })
	if err != nil {
		return Statement{}, err
	}
	rows, err := d.Ledger.Undelivered(ctx, ledger.Key{EndpointID: e.ID, RunID: ledger.Live}, ledger.Span{Until: status.Through}, math.MaxInt32)
	if err != nil {
		return Statement{}, err
	}
	s := Statement{ID: id, At: d.Now().UTC().Truncate(time.Second)}
	passed, err := d.Ledger.Skipped(ctx, e.ID, ledger.Span{From: status.From, Until: status.Through})
	if err != nil {
		return Statement{}, err
	}
	if s.Body, err = d.statementBody(e, s, status, rows, passed); err != nil {
		return s, err
	}
	keys, err := d.Keys.Live(ctx, e.TenantID)
	if err != nil {
		return s, fmt.Errorf("sign a statement: %w", err)
	}
	s.Signature = signing.Signer{Keys: keys}.Sign(s.ID, s.At, s.Body)
	return s, nil
}

func (d *Dispatcher) statementBody(e Endpoint, s Statement, status ledger.Status, rows []delivery.Parked, passed []ledger.Span) ([]byte, error) {
	body := statementBody{
		Type: statementType, ID: s.ID, EndpointID: e.ID, TenantID: e.TenantID, IssuedAt: s.At, Undelivered: []statementExcept{},
	}
	var err error
	if body.Through, err = d.Cursor(e.TenantID, status.Through); err != nil {
		return nil, err
	}
	if status.From > eventstore.Position(0) {
		if body.From, err = d.Cursor(e.TenantID, status.From); err != nil {
			return nil, err
		}
	}
	if body.PassedOver, err = d.spans(e.TenantID, passed); err != nil {
		return nil, err
	}
	for _, row := range rows {
		if row.Resent && row.Position <= status.From {
			continue // it was before what this is about
		}
		kind, _ := Place(row.Lane)
		body.Undelivered = append(body.Undelivered, statementExcept{
			MessageID: row.ID, Aggregate: kind, ID: message.AggregateID(row.Lane), GivenUp: row.Dead, Attempts: row.Attempts,
		})
	}
	return json.Marshal(body)
}

// spans are pieces of the log between cursors of a tenant.
func (d *Dispatcher) spans(tenantID string, list []ledger.Span) (spans []statementSpan, err error) {
	for _, of := range list {
		var span statementSpan
		if span.After, err = d.Cursor(tenantID, of.From); err == nil {
			span.Through, err = d.Cursor(tenantID, of.Until)
		}
		if err != nil {
			return nil, err
		}
		spans = append(spans, span)
	}
	return spans, nil
}
