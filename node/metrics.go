package node

import (
	"github.com/cockroachdb/pebble/v2"
	"github.com/prometheus/client_golang/prometheus"
)

// metrics are counted where things happen; what the library counts is asked of
// it when somebody looks.
type metrics struct {
	requests *prometheus.CounterVec // by outcome
	events   prometheus.Counter
	bytes    prometheus.Counter
	groups   prometheus.Histogram
	syncs    prometheus.Histogram
	pages    *prometheus.CounterVec // by what was read
	read     prometheus.Counter
}

const namespace = "waybill_node"

func (m *metrics) init() {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help})
	}
	m.requests = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "appends_total",
		Help: "Appends, deletes and tombstones that the writer decided about, by outcome.",
	}, []string{"outcome"})
	m.events = counter("events_written_total", "Events that are on the disk since the start.")
	m.bytes = counter("log_bytes_written_total", "Growth of the log since the start, as positions count it.")
	m.groups = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: "group_requests", Help: "Appends that reached the disk with one sync.",
		Buckets: prometheus.ExponentialBuckets(1, 2, 13),
	})
	m.syncs = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: namespace, Name: "sync_seconds", Help: "Time to write and sync one group.",
		Buckets: prometheus.ExponentialBuckets(0.00005, 1.4, 34),
	})
	m.pages = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "pages_read_total", Help: "Pages read, from a stream, from the log in memory, or from the log on the disk.",
	}, []string{"of"})
	m.read = counter("events_read_total", "Events in the pages that were read.")
}

// count counts a page that was read of something.
func (m *metrics) count(of string, p *Page) {
	m.pages.WithLabelValues(of).Inc()
	m.read.Add(float64(len(p.Records)))
}

// Collector gives the node's metrics to a registry.
func (n *Node) Collector() prometheus.Collector { return collector{n} }

type collector struct{ node *Node }

// Describe implements [prometheus.Collector]. Nothing is described, so that the
// registry does not ask the library before it is open.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c collector) Collect(out chan<- prometheus.Metric) {
	m := &c.node.metrics
	for _, one := range [...]prometheus.Collector{m.requests, m.events, m.bytes, m.groups, m.syncs, m.pages, m.read} {
		one.Collect(out)
	}
	gauge := func(name, help string, v float64) {
		out <- prometheus.MustNewConstMetric(prometheus.NewDesc(namespace+"_"+name, help, nil, nil), prometheus.GaugeValue, v)
	}
	gauge("log_end_position", "Where the next record will be.", float64(c.node.End()))
	gauge("queued_bytes", "Bytes of appends that wait for the disk.", float64(c.node.cfg.MaxQueuedBytes-c.node.budget.left.Load()))
	failed := 0.0
	if c.node.Err() != nil {
		failed = 1
	}
	if x := c.node.index; x != nil {
		gauge("index_end_position", "How far the index of categories and types has come; it stands still when it has stopped.", float64(x.end.Load()))
	}
	gauge("failed", "1 when the store can no longer write.", failed)
	if usage, err := c.node.fs.GetDiskUsage(c.node.cfg.Dir); err == nil {
		gauge("disk_free_bytes", "Room on the disk; appends are refused below disk_needed_bytes.", float64(usage.AvailBytes))
		gauge("disk_needed_bytes", "Room on the disk below which appends are refused.", float64(c.node.cfg.MinFreeBytes))
	}
	_ = c.node.reading(func() error { // a closed store has no numbers
		collectPebble(c.node.db.Metrics(), gauge)
		return nil
	})
}

func collectPebble(m *pebble.Metrics, gauge func(name, help string, v float64)) {
	gauge("pebble_disk_bytes", "What the store takes on the disk.", float64(m.DiskSpaceUsage()))
	gauge("pebble_wal_bytes", "Write-ahead log that is not yet in tables.", float64(m.WAL.Size))
	gauge("pebble_memtable_bytes", "Writes kept in memory.", float64(m.MemTable.Size))
	gauge("pebble_block_cache_bytes", "Blocks kept in memory.", float64(m.BlockCache.Size))
	gauge("pebble_block_cache_hits", "Blocks found in memory since the start.", float64(m.BlockCache.Hits))
	gauge("pebble_block_cache_misses", "Blocks read from the disk since the start.", float64(m.BlockCache.Misses))
	gauge("pebble_compactions", "Compactions since the start.", float64(m.Compact.Count))
	gauge("pebble_compaction_debt_bytes", "Bytes that wait to be compacted.", float64(m.Compact.EstimatedDebt))
	gauge("pebble_flushes", "Memory tables written to files since the start.", float64(m.Flush.Count))
	gauge("pebble_read_amplification", "Files a read may have to look into.", float64(m.ReadAmp()))
	gauge("pebble_level0_files", "Files that are not yet sorted among the others.", float64(m.Levels[0].TablesCount))
}
