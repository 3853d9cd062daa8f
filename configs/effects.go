package configs

import (
	"net/mail"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Effects is what follows from events outside of the platform.
type Effects struct {
	Receipts bool `name:"receipts" env:"RECEIPTS" help:"Make receipts and packing slips when orders change, and not only when somebody asks for them."`

	Attempts   int           `name:"attempts" env:"ATTEMPTS" default:"12" help:"After so many failed attempts an event is put aside for a person, while others succeed."`
	FirstRetry time.Duration `name:"first-retry" env:"FIRST_RETRY" default:"1s" help:"Wait after the first failed attempt; it doubles."`
	LastRetry  time.Duration `name:"last-retry" env:"LAST_RETRY" default:"5m" help:"Longest wait between attempts."`
	OpenFor    time.Duration `name:"open-for" env:"OPEN_FOR" default:"30s" help:"How long a handler whose outside system is down takes nothing before it tries one event."`

	SMTP     string        `name:"smtp" env:"SMTP" help:"host:port of the mail server that customers are written to through; empty writes to nobody."`
	SMTPTLS  string        `name:"smtp-tls" env:"SMTP_TLS" default:"starttls" enum:"starttls,tls,none" help:"How the connection is protected: starttls (required), tls (from the first byte), none (a server on the same machine)."`
	SMTPUser string        `name:"smtp-user" env:"SMTP_USER" help:"Account at the mail server; empty needs none."`
	SMTPPass string        `name:"smtp-password" env:"SMTP_PASSWORD" help:"Its password."`
	SMTPWait time.Duration `name:"smtp-timeout" env:"SMTP_TIMEOUT" default:"20s" help:"Longest time one mail may take."`
	MailFrom string        `name:"mail-from" env:"MAIL_FROM" help:"Address that mails come from; the name is the shop's."`

	FraudAmounts  []string      `name:"fraud-amounts" env:"FRAUD_AMOUNTS" help:"Totals from which on an order is held, in minor units: EUR=100000,GBP=90000."`
	FraudMismatch bool          `name:"fraud-mismatch" env:"FRAUD_MISMATCH" help:"Hold orders whose goods and bill go to different countries."`
	FraudOrders   int           `name:"fraud-orders" env:"FRAUD_ORDERS" help:"Orders of one customer within the window that are usual, the next one is held; 0 is any number."`
	FraudWindow   time.Duration `name:"fraud-window" env:"FRAUD_WINDOW" default:"1h" help:"That window."`
	FraudURL      string        `name:"fraud-url" env:"FRAUD_URL" help:"System that is asked about every order, see docs/side-effects.md; empty asks nobody."`
	FraudFallback string        `name:"fraud-fallback" env:"FRAUD_FALLBACK" default:"review" enum:"review,accept" help:"What becomes of an order about which it has not answered after 5 minutes: review (held), accept."`

	CollectorURL string `name:"collector-url" env:"COLLECTOR_URL" help:"System that is told every business event; empty tells nobody."`
	SearchURL    string `name:"search-url" env:"SEARCH_URL" help:"Elasticsearch or OpenSearch that orders and products are indexed in; empty indexes nowhere."`
	CacheURL     string `name:"cache-url" env:"CACHE_URL" help:"Cache that is purged by surrogate keys (POST /purge); empty purges nothing."`
}

func (e Effects) validate(bad complaint) {
	for name, address := range map[string]string{
		"effects-fraud-url": e.FraudURL, "effects-collector-url": e.CollectorURL, "effects-search-url": e.SearchURL, "effects-cache-url": e.CacheURL,
	} {
		if u, err := url.Parse(address); address != "" && (err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme)) {
			bad(name, "%q is not a URL; write https://host, or leave it empty", Redacted(address))
		}
	}
	if _, port, ok := strings.Cut(e.SMTP, ":"); e.SMTP != "" {
		if n, err := strconv.Atoi(port); !ok || err != nil || n < 1 {
			bad("effects-smtp", "%q is not host:port", e.SMTP)
		}
		if a, err := mail.ParseAddress(e.MailFrom); err != nil || a.Address != e.MailFrom {
			bad("effects-mail-from", "%q is not an e-mail address; mails come from somewhere", e.MailFrom)
		}
	}
	for _, amount := range e.FraudAmounts {
		if currency, n, ok := strings.Cut(amount, "="); !ok || len(currency) != 3 {
			bad("effects-fraud-amounts", "%q is not currency=amount; write EUR=100000", amount)
		} else if _, err := strconv.ParseInt(n, 10, 64); err != nil {
			bad("effects-fraud-amounts", "%q is no amount in minor units", amount)
		}
	}
	if e.Attempts < 1 {
		bad("effects-attempts", "%d is not one at least", e.Attempts)
	}
	if e.LastRetry < e.FirstRetry {
		bad("effects-last-retry", "%s is shorter than effects-first-retry, %s", e.LastRetry, e.FirstRetry)
	}
	if e.FraudOrders < 0 {
		bad("effects-fraud-orders", "%d is less than nothing; write 0 for any number", e.FraudOrders)
	}
}
