// Command configcheck judges what stands in configs for other programs, with
// those programs' own parsers: alert rules and the queries of dashboards by
// Prometheus, whose engine also says which alerts a course of metrics raises,
// the Compose file by Docker Compose's loader, the Dockerfile by BuildKit. It
// prints what it found as JSON: mistakes, and which metrics each
// file asks for, so that a test may compare them with those that there are.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"log"
	"os"
	"path/filepath"

	"github.com/prometheus/prometheus/model/rulefmt"
)

// Report is what was found.
type Report struct {
	Mistakes []string          `json:"mistakes"`
	Queries  []Query           `json:"queries"`
	Alerts   map[string]string `json:"alerts"`   // summaries by names
	Shown    map[string]Shown  `json:"shown"`    // alerts by names
	Services []string          `json:"services"` // of the Compose file
	Mounts   []string          `json:"mounts"`   // files of ours that services read

	rules map[string]rulefmt.Rule // alerts by names
}

// Query is one expression of a file.
type Query struct {
	File    string              `json:"file"`
	Of      string              `json:"of"` // alert or panel
	Expr    string              `json:"expr"`
	Metrics []string            `json:"metrics"`
	Labels  map[string][]string `json:"labels"` // that are asked for, by metric
}

func (r *Report) mistake(file, format string, args ...any) {
	r.Mistakes = append(r.Mistakes, file+": "+fmt.Sprintf(format, args...))
}

func main() {
	root := flag.String("root", ".", "folder of the project")
	flag.Parse()
	report := &Report{Mistakes: []string{}, Queries: []Query{}, Alerts: map[string]string{}, Shown: map[string]Shown{}, rules: map[string]rulefmt.Rule{}}
	configs := filepath.Join(*root, "configs")
	report.each(filepath.Join(configs, "alerts", "*.yaml"), report.alerts)
	report.each(filepath.Join(configs, "alerts", "tests", "*.yaml"), report.firing)
	report.each(filepath.Join(configs, "dashboards", "*.json"), report.dashboard)
	report.compose(context.Background(), filepath.Join(configs, "compose", "compose.yaml"))
	report.prometheus(filepath.Join(configs, "compose", "prometheus.yaml"))
	report.dockerfile(filepath.Join(configs, "compose", "Dockerfile"))
	if err := json.NewEncoder(os.Stdout).Encode(report); err != nil {
		log.Fatal(err)
	}
}

// each reads the files of a pattern, of which there is at least one.
func (r *Report) each(pattern string, read func(file string, text []byte)) {
	files, err := filepath.Glob(pattern)
	if err != nil || len(files) == 0 {
		r.mistake(pattern, "no file: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			r.mistake(file, "%v", err)
			continue
		}
		read(filepath.Base(file), text)
	}
}
