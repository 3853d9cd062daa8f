package fulfilment

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/waybill-dev/waybill/domain/payment"
	gateway "github.com/waybill-dev/waybill/gateways/payment"
)

// movement finishes a capture or a refund that was announced, whoever did.
func (r *run) movement(ctx context.Context) error {
	paymentID, id, _ := strings.Cut(r.task.Ref, "/")
	p, err := r.payment(ctx, paymentID)
	if err != nil {
		return err
	}
	if m, known := find(p.state.Captures, id); known && m.Status == payment.MovementRequested {
		err = r.finishCapture(ctx, p, m, false)
	}
	if m, known := find(p.state.Refunds, id); known && m.Status == payment.MovementRequested && err == nil {
		err = r.finishRefund(ctx, p, m, false)
	}
	if err != nil {
		return err
	}
	return r.copy(ctx, p)
}

// finishCapture asks for a capture that was announced, unless the gateway knows
// it already, and records what it says. One that was announced just now need
// not be looked for. One of more than the order costs is withdrawn.
func (r *run) finishCapture(ctx context.Context, p *paid, m payment.Movement, fresh bool) error {
	g, err := r.provider(p)
	if err != nil {
		return err
	}
	c := gateway.Capture{Key: p.state.Key, Ref: p.state.GatewayRef, ID: m.ID, Amount: m.Amount, Final: m.Final}
	var answer gateway.Movement
	if !fresh {
		answer, err = call(ctx, r, "capture looked up", g.FindCapture, c)
	}
	if fresh || errors.Is(err, gateway.ErrNotFound) {
		switch exceeds, err := r.exceeds(ctx, p, m.ID); {
		case err != nil:
			return err
		case exceeds:
			return r.pay(ctx, p, "capture withdrawn "+m.ID, payment.FailCapture{CaptureID: m.ID, Code: payment.CodeExceedsOrder})
		}
		answer, err = call(ctx, r, "capture asked", g.Capture, c)
	}
	return r.record(ctx, p, "capture", answer, err,
		payment.Capture{CaptureID: m.ID, GatewayRef: answer.Ref}, func(code string) payment.Command { return payment.FailCapture{CaptureID: m.ID, Code: code} })
}

// finishRefund is the same for a refund.
func (r *run) finishRefund(ctx context.Context, p *paid, m payment.Movement, fresh bool) error {
	g, err := r.provider(p)
	if err != nil {
		return err
	}
	c := gateway.Refund{Key: p.state.Key, Ref: p.state.GatewayRef, ID: m.ID, Amount: m.Amount}
	var answer gateway.Movement
	if !fresh {
		answer, err = call(ctx, r, "refund looked up", g.FindRefund, c)
	}
	if fresh || errors.Is(err, gateway.ErrNotFound) {
		answer, err = call(ctx, r, "refund asked", g.Refund, c)
	}
	return r.record(ctx, p, "refund", answer, err,
		payment.Refund{RefundID: m.ID, GatewayRef: answer.Ref}, func(code string) payment.Command { return payment.FailRefund{RefundID: m.ID, Code: code} })
}

// CodeNotFound is why a movement failed of whose payment the gateway knows
// nothing.
const CodeNotFound = "not-found"

func (r *run) record(
	ctx context.Context, p *paid, what string, answer gateway.Movement, err error, done payment.Command, failed func(code string) payment.Command,
) error {
	var refused *gateway.RefusedError
	command, step := done, what+" done"
	switch {
	case errors.Is(err, gateway.ErrNotFound):
		command, step = failed(CodeNotFound), what+" failed"
	case errors.As(err, &refused):
		command, step = failed(refused.Code), what+" failed"
	case err != nil:
		return fmt.Errorf("payment %s: %s: %w", p.id, what, err)
	case answer.Status == gateway.Pending:
		return r.wait(r.config.Again, "the gateway to finish a "+what)
	case answer.Status == gateway.Failed:
		command, step = failed(answer.Code), what+" failed"
	}
	err = r.pay(ctx, p, step+" "+answer.ID, command)
	if errors.Is(err, payment.ErrTransition) {
		return errors.Join(err, r.read(ctx, p)) // it was recorded otherwise, which somebody has to look at
	}
	return err
}
