package grpcapi

import (
	"context"
	"errors"
	"net/http"

	"google.golang.org/grpc/codes"

	"github.com/waybill-dev/waybill/node/auth"
)

type operation = auth.Operation

const (
	opRead                = auth.Read
	opWrite               = auth.Write
	opDelete              = auth.Delete
	opManageSubscriptions = auth.ManageSubscriptions
	opListSubscriptions   = auth.ListSubscriptions
	opObserve             = auth.Observe
)

// gate asks whether a caller may do what he asks for. A nil gate lets everybody
// do everything.
type gate struct{ auth *auth.Auth }

func newGate(secure *Secure) *gate {
	if secure == nil {
		return nil
	}
	return &gate{secure.Auth}
}

// authorise reports why the caller may not do op with stream. $all is the whole
// log.
func (g *gate) authorise(ctx context.Context, op operation, stream string) error {
	if g == nil {
		return nil
	}
	err := g.auth.Authorise(principalOf(ctx), op, stream)
	if errors.Is(err, auth.ErrDenied) {
		return accessDenied()
	}
	return err
}

func accessDenied() error {
	return refuse(codes.PermissionDenied, "Access Denied", "exception", "access-denied")
}

// allows is for what is left out, rather than refused, where the caller may not
// have it.
func (g *gate) allows(ctx context.Context, op operation, stream string) (bool, error) {
	err := g.authorise(ctx, op, stream)
	if refused := (*refusalError)(nil); errors.As(err, &refused) {
		return false, nil
	}
	return err == nil, err
}

// A guard asks again, when anything about accounts or rights has changed, for a
// call that goes on for long. A nil guard finds nothing wrong.
type guard struct {
	gate    *gate
	ctx     context.Context //nolint:containedctx // of the call, which the guard belongs to
	op      operation
	stream  string
	version uint64
}

// guard authorises the call, and what it does from then on. It is nil for a nil
// gate.
func (g *gate) guard(ctx context.Context, op operation, stream string) (*guard, error) {
	if g == nil {
		return nil, nil
	}
	version, err := g.auth.Version()
	if err != nil {
		return nil, err
	}
	return &guard{gate: g, ctx: ctx, op: op, stream: stream, version: version}, g.authorise(ctx, op, stream)
}

// check is for each page, between reading and sending it: what was recorded
// after a right was taken away is then not sent.
func (w *guard) check() error {
	if w == nil {
		return nil
	}
	version, err := w.gate.auth.Version()
	if err != nil || version == w.version {
		return err
	}
	if err := w.gate.authorise(w.ctx, w.op, w.stream); err != nil {
		return err
	}
	w.version = version
	return nil
}

// watch returns a context that ends, with the refusal as its cause, when the
// call loses its right while it waits for something else than the log.
func (w *guard) watch(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if w == nil {
		return ctx, func() { cancel(nil) }
	}
	own := *w
	go func() {
		for {
			changed := own.gate.auth.Changed()
			if err := own.check(); err != nil {
				cancel(err)
				return
			}
			select {
			case <-changed:
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(nil) }
}

// protect lets those through who may see how the node is.
func (g *gate) protect(next http.Handler) http.Handler {
	if g == nil {
		return next
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p, err := g.auth.Authenticate(r.Context(), hostOf(r.RemoteAddr), r.Header.Get("Authorization"))
		if err == nil {
			err = g.auth.Authorise(p, opObserve, "")
		}
		switch {
		case err == nil:
			next.ServeHTTP(w, r)
		case errors.Is(err, auth.ErrUnauthenticated), errors.Is(err, auth.ErrDenied):
			w.Header().Set("WWW-Authenticate", `Basic realm="event store"`)
			http.Error(w, "credentials are needed", http.StatusUnauthorized)
		default:
			http.Error(w, "the event store is not ready", http.StatusServiceUnavailable)
		}
	})
}
