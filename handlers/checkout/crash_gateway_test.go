package checkout_test

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/sandbox"
)

// fate is what becomes of a request to the gateway.
type fate string

const (
	answered    fate = "answered"
	toldFirst   fate = "told before it is answered"
	answerLost  fate = "the answer is lost"
	requestLost fate = "the request arrives late, or never"
	notSent     fate = "not sent"
)

// fickle is a real gateway behind a network that loses requests and answers,
// until it is reliable. It waits for nothing.
type fickle struct {
	payment.Provider

	mu       sync.Mutex
	random   *rand.Rand
	first    fate // of the first authorisation
	reliable bool
	underWay []payment.Authorise // lost, and may arrive
	// told is called with a callback that comes before the answer.
	told func(callback)
}

func (g *fickle) fate(of ...fate) fate {
	g.mu.Lock()
	defer g.mu.Unlock()
	if first := g.first; first != "" && len(of) > 3 && !g.reliable {
		g.first = ""
		return first
	}
	if g.reliable || g.random.IntN(4) > 0 {
		return answered
	}
	return of[g.random.IntN(len(of))]
}

// Authorise implements [payment.Gateway].
func (g *fickle) Authorise(ctx context.Context, request payment.Authorise) (payment.Authorisation, error) {
	fate := g.fate(toldFirst, answerLost, requestLost, notSent)
	switch fate {
	case notSent:
		return payment.Authorisation{}, payment.ErrNotSent
	case requestLost:
		g.mu.Lock()
		defer g.mu.Unlock()
		g.underWay = append(g.underWay, request)
		return payment.Authorisation{}, payment.ErrUnknownOutcome
	case answered, toldFirst, answerLost:
	}
	answer, err := g.Provider.Authorise(ctx, request)
	if fate == toldFirst && err == nil {
		g.told(aboutAuthorisation(request.Key, answer))
	}
	if fate == answerLost {
		return payment.Authorisation{}, payment.ErrUnknownOutcome
	}
	return answer, err
}

// Find implements [payment.Gateway].
func (g *fickle) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	switch g.fate(answerLost, notSent) {
	case notSent:
		return payment.Authorisation{}, payment.ErrNotSent
	case answerLost:
		return payment.Authorisation{}, payment.ErrUnknownOutcome
	case answered, toldFirst, requestLost:
	}
	return g.Provider.Find(ctx, key)
}

// Void implements [payment.Gateway].
func (g *fickle) Void(ctx context.Context, key string) (payment.Authorisation, error) {
	switch g.fate(answerLost, requestLost, notSent) {
	case notSent:
		return payment.Authorisation{}, payment.ErrNotSent
	case requestLost:
		return payment.Authorisation{}, payment.ErrUnknownOutcome
	case answerLost:
		_, _ = g.Provider.Void(ctx, key)
		return payment.Authorisation{}, payment.ErrUnknownOutcome
	case answered, toldFirst:
	}
	return g.Provider.Void(ctx, key)
}

// arrive is a lost request arriving at last, if there is one.
func (g *fickle) arrive(ctx context.Context) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if len(g.underWay) == 0 {
		return nil
	}
	request := g.underWay[0]
	g.underWay = g.underWay[1:]
	_, err := g.Provider.Authorise(ctx, request)
	return err
}

func (g *fickle) settle() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.reliable = true
}

// callback is one on its way, signed by the gateway.
type callback struct {
	header http.Header
	body   []byte
}

// aboutAuthorisation tells what the gateway holds at this moment.
func aboutAuthorisation(key string, a payment.Authorisation) callback {
	body, err := json.Marshal(map[string]any{
		"id": "cb_" + uuid.NewString(), "kind": payment.TellsAuthorisation, "at": noon,
		"authorisation": sandbox.Entry{
			Key: key, Ref: a.Ref, Status: string(a.Status), Amount: a.Amount.Amount, Currency: a.Amount.Currency,
			Code: a.Code, Message: a.Message, ExpiresAt: a.ExpiresAt, ActionURL: a.ActionURL,
		},
	})
	if err != nil {
		panic(err) // strings and numbers
	}
	return callback{http.Header{sandbox.SignatureHeader: {sandbox.Sign(secret, noon.Add(time.Second), body)}}, body}
}
