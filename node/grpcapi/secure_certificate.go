package grpcapi

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSFromFiles reads a certificate, with the chain up to its authority, and its
// key, both in PEM. When the files change, new connections get the new one,
// without a restart; while what is in them cannot be used, the old one.
func TLSFromFiles(cert, key string, now func() time.Time, logger *slog.Logger) (*tls.Config, error) {
	c := &certificate{cert: cert, key: key, now: now, logger: logger}
	if c.logger == nil {
		c.logger = slog.New(slog.DiscardHandler)
	}
	if err := c.load(); err != nil {
		return nil, err
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get}, nil
}

type certificate struct {
	cert, key string // files
	now       func() time.Time
	logger    *slog.Logger

	mu      sync.Mutex
	loaded  *tls.Certificate
	version [2]fileVersion
	looked  time.Time
	warned  time.Time
}

type fileVersion struct {
	changed time.Time
	size    int64
}

// lookEvery is how long a changed file may go unseen.
const lookEvery = time.Second

func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.now()
	if now.Sub(c.looked) >= lookEvery {
		c.looked = now
		c.look()
	}
	if now.Sub(c.warned) >= warnEvery {
		c.warn(now)
	}
	return c.loaded, nil
}

// A certificate that ends is told of from warnBefore on, and every warnEvery.
const (
	warnBefore = 30 * 24 * time.Hour
	warnEvery  = 24 * time.Hour
)

// warn tells of a certificate that clients refuse, or soon will. It is used all
// the same: there is no other, and clients see what is wrong with it.
func (c *certificate) warn(now time.Time) {
	c.warned = now
	from, until := c.loaded.Leaf.NotBefore, c.loaded.Leaf.NotAfter
	switch {
	case now.After(until):
		c.logger.Error("the node's certificate has expired: clients refuse it", "file", c.cert, "until", until)
	case now.Before(from):
		c.logger.Error("the node's certificate is not valid yet: clients refuse it", "file", c.cert, "from", from)
	case until.Sub(now) < warnBefore:
		c.logger.Warn("the node's certificate expires soon: put a new one into its file", "file", c.cert, "until", until)
	}
}

// look keeps the old certificate where the new one cannot be used: the two
// files do not change at the same moment.
func (c *certificate) look() {
	version, err := c.versions()
	if err == nil && version == c.version {
		return
	}
	if err == nil {
		err = c.load()
	}
	if err != nil {
		c.logger.Warn("the node's certificate cannot be read again; the old one stays in use", "cause", err)
		return
	}
	c.logger.Info("the node's certificate was read again", "file", c.cert)
}

func (c *certificate) load() error {
	version, err := c.versions() // before the files are read: they may change meanwhile
	if err != nil {
		return err
	}
	pair, err := tls.LoadX509KeyPair(c.cert, c.key)
	if err != nil {
		return fmt.Errorf("read the node's certificate %s and its key %s: %w", c.cert, c.key, err)
	}
	now := c.now()
	if c.loaded != nil && now.After(pair.Leaf.NotAfter) && !now.After(c.loaded.Leaf.NotAfter) {
		return fmt.Errorf("the new certificate %s has expired on %s", c.cert, pair.Leaf.NotAfter.Format(time.RFC3339))
	}
	c.loaded, c.version = &pair, version
	c.warn(now)
	return nil
}

func (c *certificate) versions() (v [2]fileVersion, err error) {
	for i, name := range [...]string{c.cert, c.key} {
		info, err := os.Stat(name)
		if err != nil {
			return v, fmt.Errorf("read the node's certificate: %w", err)
		}
		v[i] = fileVersion{info.ModTime(), info.Size()}
	}
	return v, nil
}
