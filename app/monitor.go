package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"
)

// startMonitor serves what tells of a process that has no API.
func (a *App) startMonitor(ctx context.Context) error {
	if a.has(RoleAPI) || a.cfg.MetricsAddr == "" {
		return nil
	}
	metrics, err := a.metrics()
	if err != nil {
		return err
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", a.cfg.MetricsAddr)
	if err != nil {
		return fmt.Errorf("listen at %s for metrics: %w; name another address with --metrics-addr", a.cfg.MetricsAddr, err)
	}
	const patience = 10 * time.Second
	server := &http.Server{Handler: a.monitor(metrics), ReadHeaderTimeout: patience}
	go func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			a.life.fail(fmt.Errorf("serve metrics: %w", err))
		}
	}()
	a.life.onStop("metrics", server.Shutdown)
	return nil
}

func (a *App) monitor(metrics http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", metrics)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprintln(w, "ok") })
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) {
		const patience = 2 * time.Second
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		for _, check := range a.checks() {
			if check.Name == readModelsCheck && !a.watches() {
				continue // nothing here reads them
			}
			if err := check.Run(ctx); err != nil {
				a.logger.WarnContext(ctx, "not ready", "check", check.Name, "error", err)
				w.Header().Set("Retry-After", "1")
				http.Error(w, check.Name+" is unavailable", http.StatusServiceUnavailable)
				return
			}
		}
		_, _ = fmt.Fprintln(w, "ok")
	})
	return mux
}
