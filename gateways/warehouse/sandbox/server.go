// Package sandbox is a warehouse to try things with: a real HTTP service with a
// ledger of its own that survives the process. It ships nothing: people, or a
// test, say what is picked and packed; they or it tell the shop of the parcel.
package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/waybill-dev/waybill/gateways/warehouse"
)

// Config is how the service behaves.
type Config struct {
	Ledger string // path of its SQLite file
}

// Behaviour is what becomes of calls.
type Behaviour struct {
	Delay time.Duration // each answer comes so late; what was asked is done before
	Fail  bool          // each answer is 500, and nothing is done
	Away  bool          // nobody answers at all, and nothing is done
	Mute  bool          // what it tells the shop is lost on the way
}

// Server is the running service.
type Server struct {
	ledger   *ledger
	listener net.Listener
	http     *http.Server
	stopping chan struct{}

	caller *http.Client

	mu   sync.Mutex
	how  Behaviour
	shop Shop
}

// Listen starts the service on an address; port 0 picks one.
func Listen(ctx context.Context, addr string, cfg Config) (*Server, error) {
	book, err := openLedger(ctx, cfg.Ledger)
	if err != nil {
		return nil, fmt.Errorf("open the sandbox warehouse's ledger: %w", err)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start the sandbox warehouse: %w", err), book.db.Close())
	}
	s := &Server{ledger: book, listener: listener, stopping: make(chan struct{}), caller: &http.Client{Transport: &http.Transport{}}}
	s.http = &http.Server{Handler: s.routes(), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = s.http.Serve(listener) }() // ends with Stop
	return s, nil
}

// URL is where the service is.
func (s *Server) URL() string { return "http://" + s.listener.Addr().String() }

// Behave changes what becomes of calls from now on.
func (s *Server) Behave(how Behaviour) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.how = how
}

// Pick takes the units of a job from the shelf, unless it is stopped: then
// the job that is returned says so.
func (s *Server) Pick(ctx context.Context, requestID string) (Job, error) {
	return s.ledger.turn(ctx, requestID, Submitted, Picked)
}

// Jobs returns all jobs of the ledger.
func (s *Server) Jobs(ctx context.Context) ([]Job, error) { return s.ledger.all(ctx) }

// Stop ends the service; late answers are given up.
func (s *Server) Stop(ctx context.Context) error {
	close(s.stopping)
	s.caller.CloseIdleConnections()
	return errors.Join(s.http.Shutdown(ctx), s.ledger.db.Close())
}

func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /v1/jobs", s.serve(s.submit))
	mux.HandleFunc("GET /v1/jobs/{id}", s.serve(func(r *http.Request) (Job, error) { return s.ledger.find(r.Context(), r.PathValue("id")) }))
	mux.HandleFunc("POST /v1/jobs/{id}/stop", s.serve(s.stop))
	mux.HandleFunc("POST /v1/jobs/{id}/resume", s.serve(s.resume))
	mux.HandleFunc("POST /v1/jobs/{id}/pick", s.serve(func(r *http.Request) (Job, error) { return s.Pick(r.Context(), r.PathValue("id")) }))
	mux.HandleFunc("POST /v1/jobs/{id}/pack", s.serve(s.pack))
	mux.HandleFunc("POST /v1/jobs/{id}/refuse", s.serve(s.refuse))
	return mux
}

var errBody = errors.New("a job needs a JSON body with lines, and its request_id as Idempotency-Key")

func (s *Server) submit(r *http.Request) (Job, error) {
	var job warehouse.Job
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&job); err != nil ||
		job.RequestID == "" || job.RequestID != r.Header.Get("Idempotency-Key") || len(job.Lines) == 0 {
		return Job{}, errBody
	}
	return s.ledger.submit(r.Context(), job)
}

func (s *Server) stop(r *http.Request) (Job, error) {
	decision, err := decided(r)
	if err != nil {
		return Job{}, err
	}
	return s.ledger.stop(r.Context(), r.PathValue("id"), decision.Revision)
}

// decided reads the body of a decision; none is one without a revision.
func decided(r *http.Request) (d warehouse.Decision, err error) {
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<10)).Decode(&d); err != nil && !errors.Is(err, io.EOF) {
		return d, errBody
	}
	return d, nil
}

// resume knows nothing of jobs that never came: there is nothing to go on with.
func (s *Server) resume(r *http.Request) (Job, error) {
	decision, err := decided(r)
	if err != nil {
		return Job{}, err
	}
	job, err := s.ledger.resume(r.Context(), r.PathValue("id"), decision.Revision)
	if errors.Is(err, errNoJob) {
		return Job{Job: warehouse.Job{RequestID: r.PathValue("id")}, Status: Stopped}, nil
	}
	return job, err
}

// serve answers with where a job is, in the way it is told to behave.
func (s *Server) serve(do func(*http.Request) (Job, error)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		how := s.how
		s.mu.Unlock()
		switch {
		case how.Away:
			panic(http.ErrAbortHandler) // which hangs up
		case how.Fail:
			http.Error(w, "the warehouse was told to fail", http.StatusInternalServerError)
			return
		}
		job, err := do(r)
		s.dawdle(r.Context(), how.Delay)
		switch {
		case errors.Is(err, errNoJob):
			http.Error(w, err.Error(), http.StatusNotFound)
		case errors.Is(err, errBody), errors.Is(err, errParcel):
			http.Error(w, err.Error(), http.StatusBadRequest)
		case err != nil:
			http.Error(w, err.Error(), http.StatusInternalServerError)
		default:
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(warehouse.State{RequestID: job.RequestID, Status: job.Status, Parcels: job.Parcels, Refused: job.Refused}) // the caller may have left
		}
	}
}

func (s *Server) dawdle(ctx context.Context, delay time.Duration) {
	if delay == 0 {
		return
	}
	timer := time.NewTimer(delay)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	case <-s.stopping:
	}
}
