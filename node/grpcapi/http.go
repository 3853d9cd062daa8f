package grpcapi

import (
	"context"
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// newHTTP answers what is no gRPC: whether the node is alive, and its metrics.
func (s *Server) newHTTP(registry *prometheus.Registry) *http.Server {
	const patience = 10 * time.Second
	mux := http.NewServeMux()
	mux.HandleFunc("GET /health/live", s.live)
	mux.Handle("GET /metrics", s.gate.protect(promhttp.HandlerFor(registry, promhttp.HandlerOpts{})))
	return &http.Server{Handler: mux, ReadHeaderTimeout: patience, ReadTimeout: patience, WriteTimeout: patience, MaxHeaderBytes: 16 << 10}
}

// live answers 204 while the store works, also while the disk is nearly full and
// appends are refused: to be started again would help nobody. The caller may
// want another status instead, as with the original.
func (s *Server) live(w http.ResponseWriter, r *http.Request) {
	code := http.StatusNoContent
	if want, err := strconv.Atoi(r.URL.Query().Get("liveCode")); err == nil && want >= 200 && want < 600 {
		code = want
	}
	select {
	case <-s.stopping:
		code = http.StatusServiceUnavailable
	default:
		if s.node.Err() != nil {
			code = http.StatusServiceUnavailable
		}
	}
	w.WriteHeader(code)
}

func (s *Server) serveHTTP() {
	// It ends with the listener, which has the error if there was one.
	_ = s.http.Serve(s.split.http)
}

// stopHTTP waits for the requests that run, until ctx ends.
func (s *Server) stopHTTP(ctx context.Context) {
	if s.http.Shutdown(ctx) != nil {
		_ = s.http.Close()
	}
}
