package stripe

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	sdk "github.com/stripe/stripe-go/v85"

	"github.com/waybill-dev/waybill/gateways/payment"
)

const (
	// searchLag is how far Stripe's search may be behind: it says less than a
	// minute, and more while something is wrong with it. What is younger than
	// this is looked for in the list of all intents, which never lags.
	searchLag = time.Hour
	// listed is how many young intents are looked through before we rather say
	// that we do not know.
	listed = 2_000
	page   = 100
)

// Find implements [payment.Gateway].
func (g *Gateway) Find(ctx context.Context, key string) (payment.Authorisation, error) {
	intent, err := g.intent(ctx, key)
	if err != nil {
		return payment.Authorisation{}, err
	}
	return state(intent)
}

// intent finds the intent of a key, or [payment.ErrNotFound]: by the id that we
// remember, then by Stripe's search, which lags, then among all young ones.
func (g *Gateway) intent(ctx context.Context, key string) (*sdk.PaymentIntent, error) {
	if ref, known := g.refs.Get(key); known {
		return g.retrieve(ctx, ref)
	}
	intent, err := g.search(ctx, key)
	if err != nil {
		return nil, err
	}
	if intent == nil {
		intent, err = g.browse(ctx, key)
	}
	if err != nil {
		return nil, err
	}
	g.refs.Add(key, intent.ID)
	return intent, nil
}

func (g *Gateway) retrieve(ctx context.Context, ref string) (*sdk.PaymentIntent, error) {
	intent, err := ask(ctx, func(ctx context.Context) (*sdk.PaymentIntent, error) {
		return g.client.V1PaymentIntents.Retrieve(ctx, ref, &sdk.PaymentIntentRetrieveParams{Expand: []*string{new("latest_charge")}})
	})
	if err != nil {
		return nil, found(err)
	}
	return intent, nil
}

// search returns nothing where the search knows nothing.
func (g *Gateway) search(ctx context.Context, key string) (*sdk.PaymentIntent, error) {
	params := &sdk.PaymentIntentSearchParams{Expand: []*string{new("data.latest_charge")}}
	params.Query = fmt.Sprintf(`metadata["%s"]:"%s"`, metaPayment, strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(key))
	params.Limit = sdk.Int64(1)
	intent, err := ask(ctx, func(ctx context.Context) (*sdk.PaymentIntent, error) {
		for intent, err := range g.client.V1PaymentIntents.Search(ctx, params).All(ctx) {
			if err != nil {
				return nil, err
			}
			if intent.Metadata[metaPayment] == key {
				return intent, nil
			}
			break
		}
		return nil, nil //nolint:nilnil // nothing is an answer here
	})
	if err != nil {
		return nil, found(err)
	}
	return intent, nil
}

// browse looks through the young intents. Where there are too many it does not
// know.
func (g *Gateway) browse(ctx context.Context, key string) (*sdk.PaymentIntent, error) {
	params := &sdk.PaymentIntentListParams{
		CreatedRange: &sdk.RangeQueryParams{GreaterThanOrEqual: g.cfg.Now().Add(-searchLag).Unix()},
		Expand:       []*string{new("data.latest_charge")},
	}
	params.Limit = sdk.Int64(page)
	intent, err := ask(ctx, func(ctx context.Context) (*sdk.PaymentIntent, error) {
		seen := 0
		for intent, err := range g.client.V1PaymentIntents.List(ctx, params).All(ctx) {
			switch {
			case err != nil:
				return nil, err
			case intent.Metadata[metaPayment] == key:
				return intent, nil
			case seen == listed:
				return nil, fmt.Errorf("not among the last %d intents, and the search may lag", listed)
			}
			seen++
		}
		return nil, nil //nolint:nilnil // nothing is an answer here
	})
	switch {
	case err != nil:
		return nil, found(err)
	case intent == nil:
		return nil, payment.ErrNotFound
	}
	return intent, nil
}

// Void implements [payment.Gateway]. What Stripe does not know it may yet come
// to know, because a request of ours is still under way: its key is used up, so
// that it cannot hold money any more.
func (g *Gateway) Void(ctx context.Context, key string) (payment.Authorisation, error) {
	intent, err := g.intent(ctx, key)
	if errors.Is(err, payment.ErrNotFound) {
		intent, err = g.useUp(ctx, key)
	}
	if err != nil {
		return payment.Authorisation{}, err
	}
	switch intent.Status {
	case sdk.PaymentIntentStatusCanceled:
		return state(intent)
	case sdk.PaymentIntentStatusSucceeded:
		return payment.Authorisation{}, &payment.RefusedError{Code: "already-captured", Message: "nothing is held any more"}
	default:
	}
	cancelled, err := ask(ctx, func(ctx context.Context) (*sdk.PaymentIntent, error) {
		return g.client.V1PaymentIntents.Cancel(ctx, intent.ID, &sdk.PaymentIntentCancelParams{Expand: []*string{new("latest_charge")}})
	})
	if e, refused := said(err); refused {
		return g.notVoided(ctx, intent.ID, e)
	}
	if err != nil {
		return payment.Authorisation{}, err
	}
	return state(cancelled)
}

// useUp makes an intent that nobody pays under a key. Stripe refuses a key that
// comes again with other words: ours, if the request that was under way was
// faster, which is an unknown outcome, or else that one.
func (g *Gateway) useUp(ctx context.Context, key string) (*sdk.PaymentIntent, error) {
	params := &sdk.PaymentIntentCreateParams{
		Amount: new(int64(100)), Currency: new(string(sdk.CurrencyUSD)), PaymentMethodTypes: []*string{new("card")},
		Description: new("never paid: the payment was voided before it was made"), Metadata: map[string]string{metaPayment: key},
	}
	params.IdempotencyKey = new(key)
	intent, err := ask(ctx, func(ctx context.Context) (*sdk.PaymentIntent, error) {
		return g.client.V1PaymentIntents.Create(ctx, params)
	})
	if e, refused := said(err); refused {
		return nil, fmt.Errorf("%w: %s", payment.ErrNotFound, words(e))
	}
	if err != nil {
		return nil, err
	}
	g.refs.Add(key, intent.ID)
	return intent, nil
}

// notVoided looks whether somebody was faster.
func (g *Gateway) notVoided(ctx context.Context, ref string, e *sdk.Error) (payment.Authorisation, error) {
	intent, err := g.retrieve(ctx, ref)
	if err != nil {
		return payment.Authorisation{}, err
	}
	if intent.Status == sdk.PaymentIntentStatusCanceled {
		return state(intent)
	}
	return payment.Authorisation{}, &payment.RefusedError{Code: code(e), Message: e.Msg}
}
