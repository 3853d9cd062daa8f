package app

import (
	"context"
	"encoding/base64"
	"fmt"
	"path/filepath"

	"github.com/waybill-dev/waybill/configs"
	"github.com/waybill-dev/waybill/gateways/payment"
	"github.com/waybill-dev/waybill/gateways/registry"
	"github.com/waybill-dev/waybill/gateways/sandbox"
	"github.com/waybill-dev/waybill/gateways/stripe"
	"github.com/waybill-dev/waybill/tracing"
)

// startGateways connects to the payment gateways that are on.
func (a *App) startGateways(ctx context.Context) (*registry.Registry, error) {
	on := map[string]payment.Provider{}
	for _, name := range a.cfg.Gateways {
		var (
			gateway payment.Provider
			err     error
		)
		switch name {
		case configs.Sandbox:
			gateway, err = a.startSandbox(ctx)
		case configs.StripeName:
			gateway, err = a.startStripe()
		default:
			err = fmt.Errorf("no payment gateway is called %q", name)
		}
		if err != nil {
			return nil, err
		}
		on[name] = tracing.Gateway(gateway)
	}
	return registry.New(on), nil
}

func (a *App) protection() payment.Protection {
	return payment.Protection{
		Timeout: a.cfg.Checkout.GatewayTimeout, Failures: a.cfg.Gateway.Failures, Pause: a.cfg.Gateway.Pause, AtOnce: a.cfg.Gateway.AtOnce,
	}
}

// startSandbox runs the sandbox gateway beside the platform.
func (a *App) startSandbox(ctx context.Context) (payment.Provider, error) {
	secret := base64.RawURLEncoding.EncodeToString(a.keys.Derive("sandbox gateway's callbacks"))
	server, err := sandbox.Listen(ctx, a.cfg.SandboxAddr, sandbox.Config{
		Ledger: filepath.Join(a.cfg.DataDir, "sandbox.db"), Server: a.server(), Delay: 2 * a.cfg.Checkout.GatewayTimeout, Now: a.now, CallbackSecret: secret,
		TellAll: a.cfg.SandboxCallbacks == configs.SandboxTellsAll,
	})
	if err != nil {
		return nil, fmt.Errorf("%w; name another address with --sandbox-addr", err)
	}
	a.sandbox = server
	a.life.onStop("sandbox gateway", server.Stop)
	client := sandbox.Connect(sandbox.ClientConfig{
		URL: server.URL(), Protection: a.protection(), Secret: secret, Now: a.now, Transport: server.Direct(),
	})
	a.life.onStop("sandbox gateway's client", func(context.Context) error { client.Close(); return nil })
	return client, nil
}

func (a *App) startStripe() (payment.Provider, error) {
	cfg := a.cfg.Stripe
	gateway, err := stripe.New(stripe.Config{
		Key: cfg.Key, WebhookSecret: cfg.WebhookSecret, Timeout: a.cfg.Checkout.GatewayTimeout, URL: cfg.URL, Now: a.now,
	})
	if err != nil {
		return nil, err
	}
	a.life.onStop("Stripe's client", func(context.Context) error { gateway.Close(); return nil })
	return payment.Protect(gateway, a.protection()), nil
}
