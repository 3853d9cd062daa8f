package app

import (
	"net/http"
	"strings"

	"github.com/waybill-dev/waybill/console"
)

// withConsole puts the console beside the API, which it calls like everybody.
func (a *App) withConsole(api http.Handler) (http.Handler, error) {
	pages, err := console.New(console.Config{
		API: api, SessionKey: a.keys.Derive("console sessions"), TraceURL: a.cfg.TraceURL, Random: randomReader{}, Now: a.now, Logger: a.logger,
	})
	if err != nil {
		return nil, err
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, console.Path) {
			pages.ServeHTTP(w, r)
			return
		}
		api.ServeHTTP(w, r)
	}), nil
}
