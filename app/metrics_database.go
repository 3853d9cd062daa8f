package app

import "github.com/prometheus/client_golang/prometheus"

// databaseGauges tells of the connections to Postgres; with SQLite there are
// none.
type databaseGauges struct {
	app         *App
	connections *prometheus.Desc
}

func newDatabaseGauges(a *App) *databaseGauges {
	return &databaseGauges{a, prometheus.NewDesc("waybill_database_connections", "Connections to Postgres: open, busy, and the most there may be.", []string{"state"}, nil)}
}

// Describe implements [prometheus.Collector].
func (g *databaseGauges) Describe(descs chan<- *prometheus.Desc) { descs <- g.connections }

// Collect implements [prometheus.Collector].
func (g *databaseGauges) Collect(metrics chan<- prometheus.Metric) {
	if !g.app.shared() {
		return
	}
	open, busy, most := g.app.server().Connections()
	for state, n := range map[string]int{"open": open, "busy": busy, "most": most} {
		metrics <- prometheus.MustNewConstMetric(g.connections, prometheus.GaugeValue, float64(n), state)
	}
}
