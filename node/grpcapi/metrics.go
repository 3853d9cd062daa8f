package grpcapi

import (
	"context"
	"crypto/tls"
	"sync"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/status"

	"github.com/waybill-dev/waybill/node"
)

const namespace = "waybill_node"

// A census knows the subscriptions that run.
type census struct {
	node *node.Node
	mu   sync.Mutex
	all  map[*subscription]string
}

// enter is to be undone with what it returns.
func (c *census) enter(s *subscription, of string) (leave func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.all[s] = of
	return func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.all, s)
	}
}

// Describe implements [prometheus.Collector].
func (*census) Describe(chan<- *prometheus.Desc) {}

// Collect implements [prometheus.Collector].
func (c *census) Collect(out chan<- prometheus.Metric) {
	count, lag := map[string]float64{"stream": 0, "all": 0}, map[string]float64{"stream": 0, "all": 0}
	end := c.node.End()
	c.mu.Lock()
	for s, of := range c.all {
		count[of]++
		if at := s.position.Load(); at < end {
			lag[of] = max(lag[of], float64(end-at))
		}
	}
	c.mu.Unlock()
	counts := prometheus.NewDesc(namespace+"_subscriptions", "Catch-up subscriptions that run.", []string{"of"}, nil)
	lags := prometheus.NewDesc(namespace+"_subscription_lag_bytes", "How much of the log the slowest subscription has not looked at.", []string{"of"}, nil)
	for of := range count {
		out <- prometheus.MustNewConstMetric(counts, prometheus.GaugeValue, count[of], of)
		out <- prometheus.MustNewConstMetric(lags, prometheus.GaugeValue, lag[of], of)
	}
}

// certificateMetric is when the certificate in use expires.
func certificateMetric(secure *Secure) prometheus.Collector {
	return prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: namespace, Name: "certificate_expires_timestamp_seconds", Help: "When the node's certificate expires; 0 is without TLS.",
	}, func() float64 {
		if secure == nil || secure.TLS.GetCertificate == nil {
			return 0
		}
		c, err := secure.TLS.GetCertificate(&tls.ClientHelloInfo{})
		if err != nil || c == nil || c.Leaf == nil {
			return 0
		}
		return float64(c.Leaf.NotAfter.Unix())
	})
}

// calls counts the calls that ended.
type calls struct{ total *prometheus.CounterVec }

func newCalls() calls {
	return calls{prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Name: "calls_total", Help: "Calls that ended, by method and status.",
	}, []string{"method", "status"})}
}

func (c calls) count(method string, err error) {
	c.total.WithLabelValues(method, status.Code(err).String()).Inc()
}

func (c calls) unary(ctx context.Context, req any, info *grpc.UnaryServerInfo, handle grpc.UnaryHandler) (any, error) {
	resp, err := handle(ctx, req)
	c.count(info.FullMethod, err)
	return resp, err
}

func (c calls) stream(srv any, stream grpc.ServerStream, info *grpc.StreamServerInfo, handle grpc.StreamHandler) error {
	err := handle(srv, stream)
	c.count(info.FullMethod, err)
	return err
}
