package api

import (
	"net/http"
	"time"
)

// Config is how patient and how strict the API is. The zero value is right for
// a start.
type Config struct {
	// BaseURL is the API as callers write it, for example
	// https://shop.example; empty takes it from each request.
	BaseURL string
	// MaxBodyBytes is the largest body of a request; 0 is 2 MiB.
	MaxBodyBytes int64
	// MaxBulkBytes is the largest body of many lines, each of which may be of
	// MaxBodyBytes; 0 is 256 MiB.
	MaxBulkBytes int64
	// BodyTimeout is how long a body may take to arrive; 0 is 10 s.
	BodyTimeout time.Duration
	// PreviewTime is how long a preview of a filter reads history; 0 is 5 s.
	PreviewTime time.Duration
	// Version is shown in the description of the API.
	Version string
}

func (c Config) maxBody() int64 {
	if c.MaxBodyBytes > 0 {
		return c.MaxBodyBytes
	}
	return 2 << 20
}

func (c Config) maxBulk() int64 {
	if c.MaxBulkBytes > 0 {
		return c.MaxBulkBytes
	}
	return 256 << 20
}

func (c Config) bodyTimeout() time.Duration {
	if c.BodyTimeout > 0 {
		return c.BodyTimeout
	}
	return 10 * time.Second
}

func (c Config) previewTime() time.Duration {
	if c.PreviewTime > 0 {
		return c.PreviewTime
	}
	return 5 * time.Second
}

func (c Config) version() string {
	if c.Version == "" {
		return "0"
	}
	return c.Version
}

// NewServer returns a server that does not wait for ever for slow callers.
// ReadTimeout ends with the body: [API.Handler] lifts it before anything is
// worked on, because a deadline that passes later would cancel the request.
func NewServer(c Config, handler http.Handler) *http.Server {
	const header = 5 * time.Second
	return &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: header,
		ReadTimeout:       header + c.bodyTimeout(),
		WriteTimeout:      2 * time.Minute,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    32 << 10,
	}
}
