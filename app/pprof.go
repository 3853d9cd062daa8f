package app

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/pprof"
	"time"
)

// startPprof serves Go's profiler where the settings ask for it.
func (a *App) startPprof(ctx context.Context) error {
	if a.cfg.PprofAddr == "" {
		return nil
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", a.cfg.PprofAddr)
	if err != nil {
		return fmt.Errorf("listen at %s for the profiler: %w; name another address with --pprof-addr", a.cfg.PprofAddr, err)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	a.life.onStop("profiler", func(context.Context) error { return server.Close() })
	return nil
}
