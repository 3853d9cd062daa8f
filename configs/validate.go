package configs

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
)

// A complaint is about a setting that cannot work.
type complaint func(name, format string, args ...any)

// Validate reports every setting that cannot work, all at once.
func (c Config) Validate() error {
	var errs []error
	bad := func(name, format string, args ...any) {
		errs = append(errs, fmt.Errorf("%s: %s", name, fmt.Sprintf(format, args...)))
	}
	c.validateAddresses(bad)
	c.Node.validate(bad)
	c.validateDatabase(bad)
	if n := len(c.AdminKey); n > 0 && n < 16 {
		bad("admin-key", "has %d characters; it needs at least 16", n)
	}
	if c.MaxBodyBytes < 1024 {
		bad("max-body-bytes", "%d is too small for an order; write at least 1024", c.MaxBodyBytes)
	}
	if c.MaxBulkBytes < 1024 {
		bad("max-bulk-bytes", "%d is too small for a line; write at least 1024", c.MaxBulkBytes)
	}
	c.Webhooks.validate(bad)
	if c.Tasks.Workers < 1 || c.Tasks.Workers > 256 {
		bad("tasks-workers", "%d is not between 1 and 256", c.Tasks.Workers)
	}
	if budget := max(10*time.Second, c.Checkout.GatewayTimeout+4*time.Second); c.Checkout.RecoverAfter <= budget {
		bad("checkout-recover-after", "%s is not longer than a request may work, %s; a checkout would be recovered under its feet", c.Checkout.RecoverAfter, budget)
	}
	c.validateGateways(bad)
	c.Shop.validate(bad)
	c.Effects.validate(bad)
	c.Webhooks.validateNetwork(bad)
	for _, d := range c.durations() {
		if d.value <= 0 {
			bad(d.name, "%s is not a positive time", d.value)
		}
	}
	return errors.Join(errs...)
}

func (c Config) validateAddresses(bad complaint) {
	for _, a := range []struct{ name, addr string }{{"http-addr", c.HTTPAddr}, {"node-addr", c.NodeAddr}, {"sandbox-addr", c.SandboxAddr}} {
		if _, _, err := net.SplitHostPort(a.addr); err != nil {
			bad(a.name, "%q is not host:port", a.addr)
		}
	}
	if u, err := url.Parse(c.Warehouse); c.Warehouse != "" && (err != nil || u.Host == "" || !slices.Contains([]string{"http", "https"}, u.Scheme)) {
		bad("warehouse", "%q is not a URL; write http://host:port, or leave it empty", Redacted(c.Warehouse))
	}
	if u, err := url.Parse(c.EventStore); c.EventStore != "" && (err != nil || !slices.Contains([]string{"esdb", "esdb+discover"}, u.Scheme)) {
		bad("eventstore", "%q is not a connection string; write esdb://host:2113?tls=false", Redacted(c.EventStore))
	}
	if _, _, err := net.SplitHostPort(c.MetricsAddr); c.MetricsAddr != "" && err != nil {
		bad("metrics-addr", "%q is not host:port", c.MetricsAddr)
	}
	if u, err := url.Parse(c.TraceURL); c.TraceURL != "" && (err != nil || !slices.Contains([]string{"http", "https"}, u.Scheme) || !strings.Contains(c.TraceURL, "{trace_id}")) {
		bad("trace-url", "%q is not a URL with {trace_id} in it; write http://localhost:16686/trace/{trace_id}", c.TraceURL)
	}
	if host, _, err := net.SplitHostPort(c.PprofAddr); c.PprofAddr != "" && (err != nil || !loopback(host)) {
		bad("pprof-addr", "%q is not a loopback host:port; a profile tells too much to be public", c.PprofAddr)
	}
}

func (c Config) validateDatabase(bad complaint) {
	if u, err := url.Parse(c.Database); c.Database != "" && (err != nil || !slices.Contains([]string{"postgres", "postgresql"}, u.Scheme)) {
		bad("database", "%q is not a connection string; write postgres://user:password@host:5432/database, or leave it empty for SQLite", Redacted(c.Database))
	}
	switch {
	case c.ProjectionsPartitions < 1 || c.ProjectionsPartitions > 64:
		bad("projections-partitions", "%d is not between 1 and 64", c.ProjectionsPartitions)
	case c.ProjectionsPartitions > 1 && c.Database == "":
		bad("projections-partitions", "%d parts need Postgres, because a SQLite file has one writer; set database, or leave it at 1", c.ProjectionsPartitions)
	}
	if c.DatabaseConnections < 4 || c.DatabaseConnections > 1000 {
		bad("database-connections", "%d is not between 4 and 1000", c.DatabaseConnections)
	}
}

func (w Webhooks) validate(bad complaint) {
	if w.InFlight < 1 || w.InFlight > 64 {
		bad("webhooks-in-flight", "%d is not between 1 and 64", w.InFlight)
	}
	for _, bound := range []struct {
		name string
		most int
	}{
		{"webhooks-max-endpoints", w.MaxEndpoints},
		{"webhooks-max-endpoints-per-host", w.MaxEndpointsPerHost},
		{"webhooks-creates-per-minute", w.CreatesPerMinute},
		{"webhooks-tests-per-minute", w.TestsPerMinute},
		{"webhooks-resends-per-minute", w.ResendsPerMinute},
		{"webhooks-replays-per-minute", w.ReplaysPerMinute},
		{"webhooks-max-previews", w.MaxPreviews},
		{"webhooks-max-readers", w.MaxReaders},
		{"webhooks-max-past-readers", w.MaxPastReaders},
	} {
		if bound.most < 0 {
			bad(bound.name, "%d is less than nothing; write 0 for any number", bound.most)
		}
	}
	if w.PreviewTime <= 0 || w.PreviewTime > time.Minute {
		bad("webhooks-preview-time", "%s is not more than 0s and at most 1m", w.PreviewTime)
	}
	if w.PerHost < 1 || w.PerProcess < 1 {
		bad("webhooks-per-host", "%d and webhooks-per-process %d must be at least 1, or nothing is ever sent", w.PerHost, w.PerProcess)
	}
}

func (n Node) validate(bad complaint) {
	if n.ScavengeEvery != 0 && n.ScavengeEvery < time.Minute {
		bad("node-scavenge-every", "%s is neither 0s nor at least 1m", n.ScavengeEvery)
	}
	if n.MaxAppendBytes < 1<<10 || n.MaxAppendBytes > 16<<20 {
		bad("node-max-append-bytes", "%d is not between 1024 and 16777216", n.MaxAppendBytes)
	}
	if n.MinFreeBytes < 1<<20 {
		bad("node-min-free-bytes", "%d is too little to go on with; write at least 1048576", n.MinFreeBytes)
	}
	if n.MaxGroups < 1 || n.MaxGroupClients < 1 {
		bad("node-max-groups", "%d and node-max-group-clients %d must be at least 1, or no handler gets its events", n.MaxGroups, n.MaxGroupClients)
	}
	if (n.TLSCert == "") != (n.TLSKey == "") {
		bad("node-tls-cert", "a certificate needs its key, and a key its certificate: give both or neither")
	}
	if _, port, err := net.SplitHostPort(n.Advertise); n.Advertise != "" && (err != nil || port == "" || port == "0") {
		bad("node-advertise", "%q is not host:port", n.Advertise)
	}
	for name, password := range map[string]string{"node-admin-password": n.AdminPassword, "node-ops-password": n.OpsPassword} {
		if len(password) > 0 && len(password) < 8 {
			bad(name, "has %d characters; it needs at least 8", len(password))
		}
	}
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || (ip != nil && ip.IsLoopback())
}

type namedDuration struct {
	name  string
	value time.Duration
}

func (c Config) durations() []namedDuration {
	list := []namedDuration{
		{"shutdown-timeout", c.ShutdownTimeout},
		{"analytics-every", c.Analytics.Every},
		{"effects-smtp-timeout", c.Effects.SMTPWait},
		{"effects-fraud-window", c.Effects.FraudWindow},
		{"checkout-gateway-timeout", c.Checkout.GatewayTimeout},
		{"checkout-reservation-ttl", c.Checkout.ReservationTTL},
		{"checkout-declined-ttl", c.Checkout.DeclinedTTL},
		{"checkout-unknown-ttl", c.Checkout.UnknownTTL},
		{"checkout-unknown-every", c.Checkout.UnknownEvery},
		{"checkout-unknown-give-up", c.Checkout.UnknownGiveUp},
		{"checkout-recover-after", c.Checkout.RecoverAfter},
		{"checkout-recover-every", c.Checkout.RecoverEvery},
		{"gateway-pause", c.Gateway.Pause},
		{"effects-first-retry", c.Effects.FirstRetry},
		{"effects-open-for", c.Effects.OpenFor},
		{"tasks-every", c.Tasks.Every},
		{"tasks-timeout", c.Tasks.Timeout},
		{"tasks-complete-after", c.Tasks.CompleteAfter},
		{"tasks-ask-warehouse-after", c.Tasks.AskWarehouse},
		{"tasks-sweep-every", c.Tasks.SweepEvery},
		{"webhooks-timeout", c.Webhooks.Timeout},
		{"webhooks-lease", c.Webhooks.Lease},
		{"webhooks-disable-after", c.Webhooks.DisableAfter},
	}
	for name, several := range map[string][]time.Duration{
		"checkout-unknown-schedule": c.Checkout.UnknownSchedule,
		"webhooks-schedule":         c.Webhooks.Schedule,
		"webhooks-breaker-waits":    c.Webhooks.BreakerWaits,
		"webhooks-warn-after":       c.Webhooks.WarnAfter,
	} {
		for _, value := range several {
			list = append(list, namedDuration{name, value})
		}
	}
	return list
}
