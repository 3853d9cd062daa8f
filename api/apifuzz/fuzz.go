package apifuzz

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"
)

// Options say what is sent, and where.
type Options struct {
	BaseURL string
	Client  *http.Client     // must not follow redirects
	Keys    []Key            // the first one may do everything
	Words   map[string][]any // good values by the name of a member or parameter
	// Protected are ids that no request may name, such as those of Keys.
	Protected []string
	Rarely    []string // ids of operations that are called less often
	Often     []string // and of those called more often
	Huge      int      // bytes that are more than a body may have
	Now       func() time.Time

	Seed     uint64
	Requests int
	Length   int // of a session, in requests; its last may be shorter
	Workers  int // sessions at once
}

// Failure is an answer that is not as the document promises.
type Failure struct {
	Operation string
	Code      string
	At        time.Time
	Text      string
	Session   uint64   // the seed that begins with it alone
	Curl      string   // the smallest request that was found
	First     string   // the request that was sent first
	Story     []string // what was sent before, in the session, about the same thing
	Times     int
}

// String tells the failure with how to repeat it.
func (f *Failure) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s, %d times, first at %s: %s\n  %s", f.Operation, f.Times, f.At.UTC().Format(time.RFC3339Nano), f.Text, f.Curl)
	if f.First != f.Curl {
		fmt.Fprintf(&b, "\n  made from: %s", f.First)
	}
	for _, line := range f.Story[max(0, len(f.Story)-10):] {
		fmt.Fprintf(&b, "\n  after: %s", line)
	}
	fmt.Fprintf(&b, "\n  session %d", f.Session)
	return b.String()
}

// Result is what came of a run.
type Result struct {
	Requests int
	Answers  map[string]map[int]int // by operation and status
	Problems map[string]int         // by type
	Failures []*Failure             // one of each kind
}

// Run sends requests until there are enough of them and returns everything
// that was answered wrong.
func Run(ctx context.Context, d *Document, o Options) *Result {
	result := &Result{Answers: map[string]map[int]int{}, Problems: map[string]int{}}
	failures := map[string]*Failure{}
	var mu sync.Mutex
	done := func(r *request, a *answer, f *Failure) {
		mu.Lock()
		defer mu.Unlock()
		result.count(r, a)
		if f == nil {
			return
		}
		kind := f.Operation + " " + f.Code
		if failures[kind] == nil {
			failures[kind] = f
			result.Failures = append(result.Failures, f)
		}
		failures[kind].Times++
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(max(1, o.Workers))
	for n := 0; n*o.Length < o.Requests; n++ {
		group.Go(func() error {
			newSession(d, &o, o.Seed+uint64(n)).run(ctx, min(o.Length, o.Requests-n*o.Length), done)
			return nil
		})
	}
	_ = group.Wait() // no session fails
	return result
}

func (r *Result) count(q *request, a *answer) {
	r.Requests++
	if q.elsewhere {
		return
	}
	if r.Answers[q.operation.ID] == nil {
		r.Answers[q.operation.ID] = map[int]int{}
	}
	r.Answers[q.operation.ID][a.status]++
	if a.status >= http.StatusBadRequest {
		if slug, wrong := problemOf(a); wrong == nil {
			r.Problems[slug]++
		}
	}
}

// Unanswered are the operations that never succeeded. Not modified is what a
// caller is told who has it already.
func (r *Result) Unanswered(d *Document) []string {
	var missing []string
	for _, o := range d.Operations {
		succeeded := false
		for status := range r.Answers[o.ID] {
			succeeded = succeeded || (status >= 200 && status < 300) || status == http.StatusNotModified
		}
		if !succeeded {
			missing = append(missing, o.ID)
		}
	}
	return missing
}

// Print writes how often each operation was answered how.
func (r *Result) Print(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, operation := range slices.Sorted(maps.Keys(r.Answers)) {
		counts := r.Answers[operation]
		fmt.Fprintf(t, "%s\t", operation)
		for _, status := range sortedStatuses(counts) {
			fmt.Fprintf(t, "%d: %d  ", status, counts[status])
		}
		fmt.Fprintln(t)
	}
	_ = t.Flush() // to a test's log
	for _, slug := range slices.Sorted(maps.Keys(r.Problems)) {
		fmt.Fprintf(w, "%s %d  ", slug, r.Problems[slug])
	}
	fmt.Fprintln(w)
}
