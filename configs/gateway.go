package configs

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// Names of payment gateways.
const (
	Sandbox    = "sandbox"
	StripeName = "stripe"
)

// What the sandbox may tell.
const (
	SandboxTellsNone = "none"
	SandboxTellsAll  = "all"
)

// Gateway is how every payment gateway is protected.
type Gateway struct {
	Failures uint          `name:"failures" env:"FAILURES" default:"10" help:"After so many failures in a row a payment gateway is not asked for a while."`
	Pause    time.Duration `name:"pause" env:"PAUSE" default:"5s" help:"For how long it is not asked then."`
	AtOnce   uint          `name:"at-once" env:"AT_ONCE" default:"256" help:"How many authorisations may be under way at one gateway, and apart from them how many other calls; 0 is any number."`
}

// Stripe is the account at Stripe.
type Stripe struct {
	Key           string `name:"key" env:"KEY" help:"Secret or restricted key of the account at Stripe (sk_…, rk_…)."`
	WebhookSecret string `name:"webhook-secret" env:"WEBHOOK_SECRET" help:"Secret of the webhook endpoint at Stripe (whsec_…) whose URL is /v1/gateway-callbacks/stripe here; without it outcomes are found by asking only."`
	URL           string `name:"url" env:"URL" help:"Address of another Stripe, such as stripe-mock; empty is the real one."`
}

func (c Config) validateGateways(bad complaint) {
	if len(c.Gateways) == 0 {
		bad("gateways", "none is on; write sandbox to try things, or stripe")
	}
	for _, name := range c.Gateways {
		if name != Sandbox && name != StripeName {
			bad("gateways", "%q is unknown; sandbox and stripe are known", name)
		}
	}
	if c.Gateway.Failures == 0 {
		bad("gateway-failures", "0 would never ask a gateway; write at least 1")
	}
	if slices.Contains(c.Gateways, StripeName) {
		c.Stripe.validate(bad)
	}
}

func (s Stripe) validate(bad complaint) {
	switch {
	case s.Key == "":
		bad("stripe-key", "the gateway stripe needs the account's secret key; find it under Developers, API keys in Stripe's dashboard, or take stripe out of gateways")
	case strings.HasPrefix(s.Key, "pk_"):
		bad("stripe-key", "this is the publishable key; the secret key begins with sk_")
	case !strings.HasPrefix(s.Key, "sk_") && !strings.HasPrefix(s.Key, "rk_"):
		bad("stripe-key", "a secret key begins with sk_, a restricted one with rk_")
	}
	if s.WebhookSecret != "" && !strings.HasPrefix(s.WebhookSecret, "whsec_") {
		bad("stripe-webhook-secret", "the secret of a webhook endpoint begins with whsec_; find it at the endpoint in Stripe's dashboard")
	}
	if s.URL == "" {
		return
	}
	u, err := url.Parse(s.URL)
	switch {
	case err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https":
		bad("stripe-url", "%q is not a URL; write http://127.0.0.1:12111 for stripe-mock, or leave it empty", s.URL)
	case u.Scheme == "http" && !loopback(u.Hostname()):
		bad("stripe-url", "%q would send the key in the clear; write https, or a loopback address", s.URL)
	}
}
