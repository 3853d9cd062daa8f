package nodebench

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/EventStore/EventStore-Client-Go/v4/esdb"
)

func connect(address string, connections int) ([]*esdb.Client, error) {
	clients := make([]*esdb.Client, connections)
	for i := range clients {
		cfg, err := esdb.ParseConnectionString(address)
		if err != nil {
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
		cfg.Logger = esdb.NoopLogging()
		if clients[i], err = esdb.NewClient(cfg); err != nil {
			return nil, fmt.Errorf("connect to %s: %w", address, err)
		}
	}
	return clients, nil
}

func closeAll(clients []*esdb.Client) {
	for _, c := range clients {
		_ = c.Close()
	}
}

// scrape reads the node's metrics that have no labels.
func scrape(ctx context.Context, n Node) (map[string]float64, error) {
	u, err := url.Parse(n.ConnectionString())
	if err != nil {
		return nil, fmt.Errorf("find the metrics: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+u.Host+"/metrics", nil)
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	resp, err := http.DefaultClient.Do(req) //nolint:gosec // the node that we started
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read the metrics: %w", err)
	}
	values := make(map[string]float64)
	for line := range strings.Lines(string(text)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if v, err := strconv.ParseFloat(value, 64); ok && err == nil {
			values[name] = v
		}
	}
	return values, nil
}
