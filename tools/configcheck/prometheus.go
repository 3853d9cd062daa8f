package main

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

func (r *Report) alerts(file string, text []byte) {
	groups, errs := rulefmt.Parse(text, false, model.UTF8Validation)
	for _, err := range errs {
		r.mistake(file, "%v", err)
	}
	if len(errs) > 0 {
		return
	}
	for _, group := range groups.Groups {
		for _, rule := range group.Rules {
			if rule.Alert == "" {
				r.mistake(file, "a rule that is no alert")
				continue
			}
			if _, twice := r.Alerts[rule.Alert]; twice {
				r.mistake(file, "%s stands in two places", rule.Alert)
			}
			r.Alerts[rule.Alert], r.rules[rule.Alert] = rule.Annotations["summary"], rule
			r.query(file, rule.Alert, rule.Expr)
		}
	}
}

// dashboard is what matters of one of Grafana's.
type dashboard struct {
	UID    string  `json:"uid"`
	Title  string  `json:"title"`
	Panels []panel `json:"panels"`
}

type panel struct {
	ID      int    `json:"id"`
	Title   string `json:"title"`
	Type    string `json:"type"`
	GridPos struct {
		W, H, X, Y int
	} `json:"gridPos"`
	Description string   `json:"description"`
	Targets     []target `json:"targets"`
	Panels      []panel  `json:"panels"`
}

type target struct {
	Expr string `json:"expr"`
}

func (r *Report) dashboard(file string, text []byte) {
	var d dashboard
	if err := json.Unmarshal(text, &d); err != nil {
		r.mistake(file, "%v", err)
		return
	}
	if d.UID == "" || d.Title == "" || len(d.Panels) == 0 {
		r.mistake(file, "a dashboard needs uid, title and panels")
	}
	ids := map[int]bool{}
	for _, p := range d.Panels {
		if p.Type == "row" {
			continue
		}
		if ids[p.ID] || p.ID == 0 {
			r.mistake(file, "panel %q has no id of its own", p.Title)
		}
		ids[p.ID] = true
		if p.Title == "" || p.Description == "" || len(p.Targets) == 0 {
			r.mistake(file, "panel %q needs a title, a description and something to show", p.Title)
		}
		if p.GridPos.W == 0 || p.GridPos.H == 0 || p.GridPos.X+p.GridPos.W > 24 {
			r.mistake(file, "panel %q is outside of the grid", p.Title)
		}
		for _, t := range p.Targets {
			r.query(file, p.Title, t.Expr)
		}
	}
}

// query parses an expression; Grafana's own variables are spans of time.
func (r *Report) query(file, of, expr string) {
	plain := strings.NewReplacer("$__rate_interval", "5m", "$__interval", "1m", "$__range", "1h").Replace(expr)
	parsed, err := parser.ParseExpr(plain)
	if err != nil {
		r.mistake(file, "%s: %v", of, err)
		return
	}
	wanted := map[string][]string{}
	parser.Inspect(parsed, func(node parser.Node, _ []parser.Node) error {
		if selector, ok := node.(*parser.VectorSelector); ok {
			wanted[selector.Name] = append(wanted[selector.Name], names(selector.LabelMatchers)...)
		}
		return nil
	})
	r.Queries = append(r.Queries, Query{File: file, Of: of, Expr: expr, Metrics: slices.Sorted(maps.Keys(wanted)), Labels: wanted})
}

func names(matchers []*labels.Matcher) []string {
	list := []string{}
	for _, m := range matchers {
		if m.Name != labels.MetricName {
			list = append(list, m.Name)
		}
	}
	return list
}
