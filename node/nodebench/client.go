package nodebench

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
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

// scrape reads the node's metrics by their names and labels.
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

// medianOf finds the median of a histogram, as if what is in a bucket were spread
// evenly in it.
func medianOf(m map[string]float64, histogram string) float64 {
	type bucket struct{ bound, count float64 }
	var buckets []bucket
	for name, count := range m {
		text, ok := strings.CutPrefix(name, histogram+`_bucket{le="`)
		if bound, err := strconv.ParseFloat(strings.TrimSuffix(text, `"}`), 64); ok && err == nil {
			buckets = append(buckets, bucket{bound, count})
		}
	}
	slices.SortFunc(buckets, func(a, b bucket) int { return cmp.Compare(a.bound, b.bound) })
	half, below := m[histogram+"_count"]/2, bucket{}
	for _, b := range buckets {
		if b.count >= half && b.count > below.count {
			return below.bound + (b.bound-below.bound)*(half-below.count)/(b.count-below.count)
		}
		below = b
	}
	return below.bound
}
