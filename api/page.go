package api

import (
	"embed"
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/swaggest/swgui/v5emb"
)

//go:embed problem.html
var templates embed.FS

// docsPolicy lets the pages of Swagger UI run what comes from here; its index
// page has one script and some styles within.
const docsPolicy = "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; " +
	"img-src 'self' data:; font-src 'self' data:; connect-src 'self'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"

// pages adds what people look at, and the description for programs.
func (s *server) pages() {
	doc := s.huma.OpenAPI()
	asJSON, err := json.Marshal(doc)
	if err != nil {
		panic("api: describe the API: " + err.Error())
	}
	asYAML, err := doc.YAML()
	if err != nil {
		panic("api: describe the API: " + err.Error())
	}
	s.mux.Handle("GET /openapi.json", static("application/openapi+json", asJSON))
	s.mux.Handle("GET /openapi.yaml", static("application/openapi+yaml", asYAML))
	docs := v5emb.New("Waybill", "/openapi.json", "/docs/")
	s.mux.Handle("GET /docs/", withPolicy(docsPolicy, docs))
	s.mux.Handle("GET /docs", withPolicy(docsPolicy, docs))
	s.mux.HandleFunc("GET /problems/{slug}", s.problemPage)
	s.mux.HandleFunc("GET /problems/{$}", s.problemPage)
	if s.api.Metrics != nil {
		s.mux.Handle("GET /metrics", s.api.Metrics)
	}
}

func static(contentType string, content []byte) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		_, _ = w.Write(content) // the caller has gone, or has it
	})
}

func withPolicy(policy string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", policy)
		next.ServeHTTP(w, r)
	})
}

// problemView is what the page of a type of problem shows.
type problemView struct {
	Slug, Title, About string
	Status             int
	StatusText         string
	Retry              bool
	All                []problemView
}

func (k kind) view() problemView {
	return problemView{Slug: k.slug, Title: k.title, About: k.about, Status: k.status, StatusText: http.StatusText(k.status), Retry: k.retry > 0}
}

// problemPage explains a type of problem, where its type leads to.
func (s *server) problemPage(w http.ResponseWriter, r *http.Request) {
	view := problemView{Title: "Problems"}
	if slug := r.PathValue("slug"); slug != "" {
		k, known := s.kinds[slug]
		if !known {
			s.write(w, s.problem(r.Context(), kindNotFound, "there is no such type of problem"))
			return
		}
		view = k.view()
	}
	for _, k := range s.kinds {
		view.All = append(view.All, k.view())
	}
	slices.SortFunc(view.All, func(a, b problemView) int { return strings.Compare(a.Slug, b.Slug) })
	page, err := template.ParseFS(templates, "problem.html")
	if err != nil {
		panic("api: the page of problems: " + err.Error())
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'")
	if err := page.Execute(w, view); err != nil {
		s.logger.DebugContext(r.Context(), "page was not sent", "error", err)
	}
}
