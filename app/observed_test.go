package app

import (
	"bufio"
	"context"
	"encoding/json"
	"log/slog"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/alecthomas/kong"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/waybill-dev/waybill/configs"
)

// observed is what tools/configcheck prints of configs.
type observed struct {
	Mistakes []string
	Queries  []struct {
		File, Of, Expr string
		Metrics        []string
		Labels         map[string][]string
	}
	Alerts   map[string]string
	Shown    map[string]struct{ Raised, Silent bool }
	Services []string
	Mounts   []string
}

// TestConfigsForOtherPrograms lets the parsers of Prometheus, Docker Compose
// and BuildKit judge what stands in configs for them. Each metric that an alert
// or a dashboard asks for is one that the program has, with the labels that are
// asked for, and each alert has its heading in docs/operations.md and courses of
// metrics that raise it and that do not.
func TestConfigsForOtherPrograms(t *testing.T) {
	t.Parallel()
	seen := check(t, "..")
	for _, mistake := range seen.Mistakes {
		t.Error(mistake)
	}
	known := metricsOf(t)
	for _, q := range seen.Queries {
		for metric, labels := range q.Labels {
			has, ok := known[metric]
			if !ok {
				t.Errorf("%s: %q asks for %s, which there is not", q.File, q.Of, metric)
			}
			for _, label := range labels {
				if !slices.Contains(append(has, "instance", "job"), label) {
					t.Errorf("%s: %q asks for the label %s, which %s has not", q.File, q.Of, label, metric)
				}
			}
		}
	}
	for _, metric := range unseen(&seen, known) {
		t.Errorf("no dashboard shows %s", metric)
	}
	if len(seen.Alerts) < 15 || len(seen.Queries) < 60 {
		t.Errorf("%d alerts and %d queries are few", len(seen.Alerts), len(seen.Queries))
	}
	operations, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	for alert, summary := range seen.Alerts {
		if !strings.Contains(string(operations), "\n## "+summary+"\n") {
			t.Errorf("%s: docs/operations.md has no heading %q that says what to do", alert, summary)
		}
		if shown := seen.Shown[alert]; !shown.Raised || !shown.Silent {
			t.Errorf("%s: configs/alerts/tests does not show when it is raised, and when not: %+v", alert, shown)
		}
	}
}

// looked are all metrics of ours.
var looked = regexp.MustCompile("^(webhook|waybill)_")

// unseen are those of them that no dashboard asks for.
func unseen(seen *observed, known map[string][]string) (list []string) {
	base := func(metric string) string {
		return strings.TrimSuffix(strings.TrimSuffix(strings.TrimSuffix(metric, "_bucket"), "_sum"), "_count")
	}
	shown := map[string]bool{}
	for _, q := range seen.Queries {
		for metric := range q.Labels {
			shown[base(metric)] = shown[base(metric)] || strings.HasSuffix(q.File, ".json")
		}
	}
	for metric := range known {
		if looked.MatchString(metric) && base(metric) == metric && !shown[metric] {
			list = append(list, metric)
		}
	}
	return list
}

// TestMistakesInConfigsAreFound breaks a copy of configs in all the ways that
// the check is for.
func TestMistakesInConfigsAreFound(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.CopyFS(filepath.Join(dir, "configs"), os.DirFS("../configs")); err != nil {
		t.Fatal(err)
	}
	if good := check(t, dir); len(good.Mistakes) > 0 {
		t.Fatalf("a copy: %v", good.Mistakes)
	}
	for file, change := range map[string][2]string{ //nolint:paralleltest // the copy is changed and mended
		"alerts/webhooks.yaml":        {"sum(rate(", "sum(rate(("},
		"dashboards/webhooks.json":    {"histogram_quantile(0.5, ", "histogram_quantile("},
		"compose/compose.yaml":        {"127.0.0.1:9090:9090", "9090:9090"},
		"compose/Dockerfile":          {"USER 10001:10001", "USER root"},
		"alerts/platform.yaml":        {"for: 5m", "for: soon"},
		"alerts/readmodels.yaml":      {"> 60", "> 600"},
		"alerts/tests/courses.yaml":   {"alertname: JobsFail", "alertname: JobsFall"},
		"dashboards/platform.json":    {`"description": "Of each process."`, `"description": ""`},
		"dashboards/node.json":        {`"id": 2,`, `"id": 1,`},
		"compose/prometheus.yaml":     {"waybill:8080", "nowhere:8080"},
		"dashboards/read-models.json": {`"w": 8`, `"w": 80`},
	} {
		t.Run(file, func(t *testing.T) {
			path := filepath.Join(dir, "configs", file)
			right, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			wrong := strings.Replace(string(right), change[0], change[1], 1)
			if err := os.WriteFile(path, []byte(wrong), 0o600); err != nil {
				t.Fatal(err)
			}
			if seen := check(t, dir); len(seen.Mistakes) == 0 {
				t.Error("nothing was found")
			}
			if err := os.WriteFile(path, right, 0o600); err != nil {
				t.Fatal(err)
			}
		})
	}
}

// check runs tools/configcheck.
func check(t *testing.T, root string) observed {
	t.Helper()
	program, err := filepath.Abs("../.tools/configcheck")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(program); err != nil {
		t.Skip("configcheck is not built: ./task configcheck")
	}
	cmd := exec.CommandContext(t.Context(), program, "-root", root)
	for _, secret := range []string{"POSTGRES_PASSWORD", "WAYBILL_ADMIN_KEY", "WAYBILL_MASTER_KEY", "GRAFANA_PASSWORD"} {
		cmd.Env = append(cmd.Env, secret+"=secret")
	}
	cmd.Env = append(cmd.Env, "HOME="+t.TempDir(), "PATH="+os.Getenv("PATH"))
	text, err := cmd.Output()
	if err != nil {
		t.Fatalf("configcheck: %v", err)
	}
	var seen observed
	if err := json.Unmarshal(text, &seen); err != nil {
		t.Fatal(err)
	}
	return seen
}

// metricsOf returns the names of all metrics that the platform and its node
// have, with the names of their labels.
func metricsOf(t *testing.T) map[string][]string {
	t.Helper()
	a := started(t)
	known := map[string][]string{}
	descs := make(chan *prometheus.Desc)
	go func() {
		defer close(descs)
		for _, collector := range a.collectors() {
			collector.Describe(descs)
		}
	}()
	form := regexp.MustCompile(`fqName: "([^"]+)".*variableLabels: \{([^}]*)\}`)
	for desc := range descs {
		parts := form.FindStringSubmatch(desc.String())
		if parts == nil {
			t.Fatalf("not understood: %s", desc)
		}
		known[parts[1]] = strings.Split(parts[2], ",")
	}
	maps.Copy(known, nodesMetrics(t, a))
	for name, labels := range maps.Clone(known) { // each may be a histogram
		known[name+"_bucket"], known[name+"_sum"], known[name+"_count"] = append(slices.Clone(labels), "le"), labels, labels
	}
	return known
}

// nodesMetrics reads what a node tells, whose counters have counted: the start
// of the platform has written to it and read from it.
func nodesMetrics(t *testing.T, a *App) map[string][]string {
	t.Helper()
	addr, _, _ := strings.Cut(strings.TrimPrefix(a.EventStore(), "esdb://"), "?")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+addr+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	known := map[string][]string{}
	label := regexp.MustCompile(`([a-z_]+)="`)
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		if strings.HasPrefix(lines.Text(), "#") {
			continue
		}
		name, rest, _ := strings.Cut(strings.ReplaceAll(lines.Text(), " ", "{"), "{")
		known[name] = nil
		for _, found := range label.FindAllStringSubmatch(rest, -1) {
			known[name] = append(known[name], found[1])
		}
	}
	return known
}

// started runs a platform until the test ends.
func started(t *testing.T) *App {
	t.Helper()
	var cfg configs.Config
	parser, err := kong.New(&cfg)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := parser.Parse([]string{"--data-dir", t.TempDir(), "--http-addr", "127.0.0.1:0", "--node-addr", "127.0.0.1:0"}); err != nil {
		t.Fatal(err)
	}
	a, err := New(cfg, Options{Roles: []string{RoleAPI, RoleProjections, RoleHandlers, RoleWebhooks}, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Stop(context.WithoutCancel(t.Context())); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return a
}
