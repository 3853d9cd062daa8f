// Package demo is what `waybill up` shows: a sample partner that receives
// callbacks, a few products, and a few orders. It does everything through the
// HTTP API, as a shop and a partner would.
package demo

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/google/renameio/v2"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/examples/receiver/receiver"
)

// PartnerConfig says where the sample partner is.
type PartnerConfig struct {
	API  *client.Client
	Addr string    // it listens on
	Dir  string    // of what it keeps: its endpoint's secret and its account
	Out  io.Writer // is told each callback
}

// Partner is a receiver with an endpoint at the platform.
type Partner struct {
	server  *http.Server
	journal *os.File
	url     string
}

// subscription is what the partner keeps of its endpoint: the secret is shown
// only once.
type subscription struct {
	EndpointID string `json:"endpoint_id"`
	URL        string `json:"url"`
	Secret     string `json:"secret"`
}

// StartPartner listens, and subscribes to all orders unless an earlier run did.
func StartPartner(ctx context.Context, cfg PartnerConfig) (*Partner, error) {
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", cfg.Addr)
	if err != nil {
		return nil, fmt.Errorf("listen at %s for the sample partner: %w; name another address with --receiver-addr", cfg.Addr, err)
	}
	p := &Partner{url: "http://" + listener.Addr().String() + "/"}
	handler, err := p.prepare(ctx, cfg)
	if err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	p.server = &http.Server{Handler: handler, ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = p.server.Serve(listener) }() // ends with Close
	return p, nil
}

func (p *Partner) prepare(ctx context.Context, cfg PartnerConfig) (*receiver.Receiver, error) {
	kept, err := p.subscribe(ctx, cfg)
	if err != nil {
		return nil, fmt.Errorf("subscribe the sample partner: %w", err)
	}
	path := filepath.Join(cfg.Dir, "partner-"+kept.EndpointID+".jsonl")
	if p.journal, err = os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_APPEND, 0o600); err != nil {
		return nil, fmt.Errorf("keep the sample partner's account: %w", err)
	}
	r, err := receiver.New(p.journal, kept.Secret)
	if err != nil {
		return nil, fmt.Errorf("start the sample partner: %w", err)
	}
	r.Tell = func(c receiver.Callback) {
		fmt.Fprintf(cfg.Out, "%s  callback %s %s, sequence %d, webhook-id %s: %s\n",
			c.Received.Local().Format("15:04:05.000"), c.Type, c.Lane, c.Sequence, c.ID, told(c.Verdict))
	}
	return r, nil
}

func told(v receiver.Verdict) string {
	if v == receiver.Accepted {
		return "signature valid, in order"
	}
	return string(v)
}

func (p *Partner) subscribe(ctx context.Context, cfg PartnerConfig) (subscription, error) {
	path := filepath.Join(cfg.Dir, "partner.json")
	var kept subscription
	if raw, err := os.ReadFile(path); err == nil && json.Unmarshal(raw, &kept) == nil && kept.URL == p.url {
		return kept, nil
	}
	if kept.EndpointID != "" { // the partner moved
		if err := cfg.API.DeleteEndpoint(ctx, kept.EndpointID); err != nil {
			return kept, err
		}
	}
	endpoint, err := cfg.API.CreateEndpoint(ctx, client.CreateEndpoint{URL: p.url, EventTypes: []string{"*"}})
	if err != nil {
		return kept, err
	}
	kept = subscription{EndpointID: endpoint.ID, URL: p.url, Secret: endpoint.Secret}
	raw, err := json.Marshal(kept)
	if err != nil {
		return kept, err
	}
	return kept, renameio.WriteFile(path, raw, 0o600)
}

// URL is where the partner receives, and shows its report.
func (p *Partner) URL() string { return p.url }

// Close stops receiving.
func (p *Partner) Close() {
	_ = p.server.Close()  // whatever is not answered comes again
	_ = p.journal.Close() // written line by line
}
