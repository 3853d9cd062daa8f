package api

import (
	"net/http"
	"strings"
)

// byNumber is where an order is found by its number. A mux of its own serves
// it: a mux refuses /v1/orders/by-number/{number} beside
// /v1/orders/{id}/timeline, because a path could be both. No order has the id
// by-number.
const byNumber = "/v1/orders/by-number/"

// router is two muxes that do not overlap.
type router struct{ numbers, others http.ServeMux }

func (m *router) mux(path string) *http.ServeMux {
	if strings.HasPrefix(path, byNumber) {
		return &m.numbers
	}
	return &m.others
}

// Handle adds a handler, see [http.ServeMux.Handle].
func (m *router) Handle(pattern string, handler http.Handler) {
	_, path, _ := strings.Cut(pattern, " ")
	m.mux(path).Handle(pattern, handler)
}

// HandleFunc adds a handler, see [http.ServeMux.HandleFunc].
func (m *router) HandleFunc(pattern string, handler func(http.ResponseWriter, *http.Request)) {
	m.Handle(pattern, http.HandlerFunc(handler))
}

// Handler finds the handler of a request, see [http.ServeMux.Handler].
func (m *router) Handler(r *http.Request) (http.Handler, string) { return m.mux(r.URL.Path).Handler(r) }

// ServeHTTP implements [http.Handler].
func (m *router) ServeHTTP(w http.ResponseWriter, r *http.Request) { m.mux(r.URL.Path).ServeHTTP(w, r) }
