package console

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"path"
	"strings"
	"time"
)

// view is a page that is to be shown, or where to go instead.
type view struct {
	Page    string // its template
	Title   string
	Outside bool   // for somebody without a session
	Of      string // id of the endpoint it is about, if it is about one
	Tab     string // of the endpoint's pages
	Notice  string
	Data    any
	Go      string // address of another page
}

// shown is what a template sees.
type shown struct {
	view

	Root string
	// Key makes a form that is sent twice count once.
	Key string
}

// parse reads the templates: each page stands in the layout.
func (h *console) parse() (map[string]*template.Template, error) {
	files, err := templates.ReadDir("templates")
	if err != nil {
		return nil, fmt.Errorf("read the pages: %w", err)
	}
	all := map[string]*template.Template{}
	for _, f := range files {
		name := strings.TrimSuffix(f.Name(), path.Ext(f.Name()))
		t, err := template.New("layout.html").Funcs(h.functions()).ParseFS(templates, "templates/layout.html", "templates/parts.html", "templates/"+f.Name())
		if err != nil {
			return nil, fmt.Errorf("read the page %s: %w", name, err)
		}
		all[name] = t
	}
	return all, nil
}

func (h *console) functions() template.FuncMap {
	return template.FuncMap{
		"when":    func(t time.Time) string { return moment(t) },
		"seconds": func(s float64) string { return apart(time.Duration(s * float64(time.Second))) },
		"percent": func(x float64) string { return fmt.Sprintf("%.1f %%", 100*x) },
		"pretty":  pretty,
		"trace":   h.trace,
		"query":   query,
		"join":    strings.Join,
		"list":    func(items ...string) []string { return items },
	}
}

// moment is a time as people read it; the second is exact enough.
func moment(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return t.UTC().Format("2006-01-02 15:04:05 UTC")
}

// apart is how long something is, in one unit.
func apart(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Second:
		return fmt.Sprintf("%d ms", d.Milliseconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// pretty indents JSON; what is none stays as it is.
func pretty(document any) string {
	text, ok := document.(json.RawMessage)
	if !ok {
		text, _ = json.Marshal(document)
	}
	var out bytes.Buffer
	if json.Indent(&out, text, "", "  ") != nil {
		return string(text)
	}
	return out.String()
}

// trace is where a trace is looked at.
func (h *console) trace(id string) string {
	if h.TraceURL == "" || id == "" {
		return ""
	}
	return strings.ReplaceAll(h.TraceURL, "{trace_id}", url.PathEscape(id))
}

// query is a query of names and values by turns; empty values are left out.
func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			values.Set(pairs[i], pairs[i+1])
		}
	}
	return values.Encode()
}

// show writes a page, all of it or none.
func (h *console) show(w http.ResponseWriter, r *http.Request, status int, v view) {
	var out bytes.Buffer
	v.Notice = notices[r.URL.Query().Get("done")]
	if err := h.pages[v.Page].Execute(&out, shown{view: v, Root: Path, Key: rand.Text()}); err != nil {
		h.Logger.ErrorContext(r.Context(), "a page of the console could not be made", "page", v.Page, "error", err)
		http.Error(w, "The page could not be made.", http.StatusInternalServerError)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.WriteHeader(status)
	_, _ = out.WriteTo(w) // the reader has gone, or has it
}

// notices are what is said after something was done. Addresses choose one of
// them and say nothing of their own.
var notices = map[string]string{
	"paused": "Deliveries are paused. Nothing is lost: they go on from here when you resume.", "resumed": "Deliveries go on.",
	"enabled": "Deliveries go on.", "verifying": "The receiver is asked to show that it verifies signatures.",
	"tested": "A test message is on its way.", "resent": "The message is on its way again.", "skipped": "The message was given up; those behind it go on.",
	"replaying": "The replay has begun.", "cancelled": "The replay was ended. What was sent stays sent.", "filtered": "The filter is saved and counts from now on.",
	"disabled": "The endpoint is disabled.",
}
