package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql"
	"github.com/prometheus/prometheus/promql/promqltest"
	"go.yaml.in/yaml/v3"
)

// courses is a file in the form that promtool test rules reads, too: courses of
// metrics, and which alerts they raise when.
type courses struct {
	Every model.Duration `yaml:"evaluation_interval"`
	Tests []course       `yaml:"tests"`
}

type course struct {
	Name     string         `yaml:"name"`
	Interval model.Duration `yaml:"interval"` // of the values
	Series   []struct {
		Series string `yaml:"series"`
		Values string `yaml:"values"`
	} `yaml:"input_series"`
	Looks []look `yaml:"alert_rule_test"`
}

type look struct {
	At    model.Duration `yaml:"eval_time"`
	Alert string         `yaml:"alertname"`
	Want  []struct {
		Labels      map[string]string `yaml:"exp_labels"`
		Annotations map[string]string `yaml:"exp_annotations"`
	} `yaml:"exp_alerts"`
}

// firing lets Prometheus's own engine evaluate the alerts over the courses of a
// file.
func (r *Report) firing(file string, text []byte) {
	var c courses
	if err := yaml.Unmarshal(text, &c); err != nil {
		r.mistake(file, "%v", err)
		return
	}
	for _, test := range c.Tests {
		if err := r.run(file, test, time.Duration(c.Every)); err != nil {
			r.mistake(file, "%s: %v", test.Name, err)
		}
	}
}

func (r *Report) run(file string, test course, every time.Duration) error {
	var load strings.Builder
	load.WriteString("load " + test.Interval.String() + "\n")
	for _, s := range test.Series {
		load.WriteString("  " + s.Series + " " + s.Values + "\n")
	}
	loader, err := promqltest.NewLazyLoader(load.String(), promqltest.LazyLoaderOpts{EnableAtModifier: true, EnableNegativeOffset: true})
	if err != nil {
		return err
	}
	defer func() { _ = loader.Close() }()
	for _, look := range test.Looks {
		rule, ok := r.rules[look.Alert]
		if !ok {
			r.mistake(file, "%s: there is no alert %s", test.Name, look.Alert)
			continue
		}
		at := time.Unix(0, 0).Add(time.Duration(look.At))
		loader.WithSamplesTill(at, func(e error) { err = e })
		if err != nil {
			return err
		}
		got, err := raised(loader, rule, at, every)
		if err != nil {
			return err
		}
		r.compare(file+": "+test.Name, rule, look, got)
	}
	return nil
}

// raised returns the labels of what a rule's expression has had without a gap
// for as long as the rule asks.
func raised(loader *promqltest.LazyLoader, rule rulefmt.Rule, at time.Time, every time.Duration) ([]map[string]string, error) {
	ctx := context.Background()
	query, err := loader.QueryEngine().NewRangeQuery(ctx, loader.Queryable(), nil, rule.Expr, time.Unix(0, 0), at, every)
	if err != nil {
		return nil, err
	}
	defer query.Close()
	matrix, err := query.Exec(ctx).Matrix()
	if err != nil {
		return nil, err
	}
	var list []map[string]string
	for _, series := range matrix {
		if at.Sub(since(series.Floats, at, every)) < time.Duration(rule.For) {
			continue
		}
		names := series.Metric.Map()
		delete(names, model.MetricNameLabel)
		list = append(list, names)
	}
	return list, nil
}

// since is the time of the first of the points that lead to the last moment
// without a gap, or after it if there is none at that moment.
func since(points []promql.FPoint, last time.Time, every time.Duration) time.Time {
	from := last.Add(time.Nanosecond)
	for _, p := range slices.Backward(points) {
		if at := time.UnixMilli(p.T); at.Equal(last) || at.Equal(from.Add(-every)) {
			from = at
			continue
		}
		break
	}
	return from
}

func (r *Report) compare(where string, rule rulefmt.Rule, look look, got []map[string]string) {
	for _, want := range look.Want {
		i := slices.IndexFunc(got, func(labels map[string]string) bool { return maps.Equal(labels, want.Labels) })
		if i < 0 {
			r.mistake(where, "%s is not raised after %s with %v, but with %v", look.Alert, look.At, want.Labels, got)
			continue
		}
		got = slices.Delete(got, i, i+1)
		if !maps.Equal(rule.Annotations, want.Annotations) {
			r.mistake(where, "%s says %v", look.Alert, rule.Annotations)
		}
	}
	for _, labels := range got {
		r.mistake(where, "%s is raised after %s with %v", look.Alert, look.At, labels)
	}
	seen := r.Shown[look.Alert]
	r.Shown[look.Alert] = Shown{Raised: seen.Raised || len(look.Want) > 0, Silent: seen.Silent || len(look.Want) == 0}
}

// Shown is what the courses show of an alert: that it is raised, and that it is
// not always.
type Shown struct {
	Raised bool `json:"raised"`
	Silent bool `json:"silent"`
}
