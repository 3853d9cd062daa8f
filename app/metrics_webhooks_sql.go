package app

import "github.com/prometheus/client_golang/prometheus"

// newWebhookStatements counts what the deliveries ask of their database.
func newWebhookStatements(a *App) prometheus.Collector {
	return prometheus.NewCounterFunc(prometheus.CounterOpts{
		Name: "waybill_webhook_sql_statements_total", Help: "SQL statements that wrote endpoints, cursors and attempts, BEGIN and COMMIT included.",
	}, func() float64 { return float64(a.hooks.endpoints.Ledger.Statements()) })
}
