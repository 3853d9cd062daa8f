package api

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/projections"
)

// Check is something that must work before requests are welcome.
type Check struct {
	Name string
	Run  func(context.Context) error
}

const checkTimeout = 2 * time.Second

type healthAnswer struct {
	Body healthBody
}

type healthBody struct {
	Status string `json:"status" enum:"ok,unavailable" example:"ok"`
}

type readinessAnswer struct {
	Status       int
	RetryAfter   string `header:"Retry-After"`
	CacheControl string `header:"Cache-Control"`
	Body         readinessBody
}

type readinessBody struct {
	Status string            `json:"status" enum:"ok,unavailable" example:"ok"`
	Checks map[string]string `json:"checks" doc:"What was looked at: ok, unavailable, or what has to be done first, as: the read model orders is being filled."`
}

func (s *server) healthRoutes() {
	register(s, route{
		id: "healthz", method: http.MethodGet, path: "/healthz", tag: "health", summary: "The process answers", status: http.StatusOK,
		about: "Says nothing of what it depends on: a process that cannot reach the event store need not be restarted.",
	}, func(context.Context, *struct{}) (*healthAnswer, error) {
		return &healthAnswer{Body: healthBody{Status: "ok"}}, nil
	})
	register(s, route{
		id: "readyz", method: http.MethodGet, path: "/readyz", tag: "health", summary: "Requests are welcome", status: http.StatusOK,
		more: map[int]string{http.StatusServiceUnavailable: "Something it depends on is away: the body says what."},
	}, s.ready)
}

func (s *server) ready(ctx context.Context, _ *struct{}) (*readinessAnswer, error) {
	ctx, cancel := context.WithTimeout(ctx, checkTimeout)
	defer cancel()
	answer := &readinessAnswer{Status: http.StatusOK, CacheControl: "no-store", Body: readinessBody{Status: "ok", Checks: map[string]string{}}}
	var mu sync.Mutex
	var wait sync.WaitGroup
	for _, check := range s.api.Checks {
		wait.Go(func() {
			err := check.Run(ctx)
			mu.Lock()
			defer mu.Unlock()
			answer.Body.Checks[check.Name] = "ok"
			if err != nil {
				s.logger.WarnContext(ctx, "not ready", "check", check.Name, "error", err)
				answer.Body.Checks[check.Name] = notReady(err)
				answer.Status, answer.Body.Status, answer.RetryAfter = http.StatusServiceUnavailable, "unavailable", "1"
			}
		})
	}
	wait.Wait()
	return answer, nil
}

// notReady says why something is not ready. What is wrong with it is for the log
// alone; that it will be there soon is for everybody.
func notReady(err error) string {
	if filling := (*projections.FillingError)(nil); errors.As(err, &filling) {
		return filling.Error()
	}
	return "unavailable"
}
