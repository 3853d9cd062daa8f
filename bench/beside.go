package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/client"
)

// BesideOptions say how read models are built anew beside live orders.
type BesideOptions struct {
	Place    Place
	History  int           // orders that are there before
	Rate     int           // orders per second, all the time
	Duration time.Duration // of the traffic without a rebuild, and at least of that beside rebuilds
	Models   []string      // built anew one after the other, again and again
	Advance  func(stage string, done, of int)
}

// Beside is what live traffic notices of read models that are built anew.
type Beside struct {
	Rate, History int
	Alone         Traffic // before
	Beside        Traffic // while read models are built anew, one at any time
	Rebuilds      []Rebuilt
	Verified      []Rebuilt // compared once more when all was over
	Missing       int       // orders that were acknowledged and are not in the list at the end
	Wrong         int       // are there otherwise than they were placed, or twice
	Memory        Memory
}

// Rebuilt is one rebuild.
type Rebuilt struct {
	Projection     string
	Events         int64
	PerSecond      float64       // while it filled
	Took           time.Duration // as whoever asked for it saw it
	Equal, Swapped bool
	Error          string
}

// RebuildBeside measures a platform of its own.
func RebuildBeside(ctx context.Context, o BesideOptions) (b Beside, err error) {
	b = Beside{Rate: o.Rate, History: o.History}
	p, err := StartPlatform(ctx, o.Place)
	if err != nil {
		return b, err
	}
	defer func() { err = errors.Join(err, p.Stop()) }()
	if err := Stock(ctx, p.API); err != nil {
		return b, err
	}
	shop := newShop(p)
	if err := shop.fill(ctx, o.History, o.Advance); err != nil {
		return b, fmt.Errorf("place the orders that are there before: %w", err)
	}
	if _, err = shop.traffic(ctx, o.Rate, elapsed(min(o.Duration, warmUp))); err != nil {
		return b, err
	}
	if b.Alone, err = shop.traffic(ctx, o.Rate, elapsed(o.Duration)); err != nil {
		return b, err
	}
	if err := b.rebuild(ctx, shop, o); err != nil {
		return b, err
	}
	if b.Missing, b.Wrong, err = shop.check(ctx); err != nil {
		return b, err
	}
	for _, model := range o.Models {
		verified, err := rebuildOne(ctx, p.API, model, "verify-"+model, client.StartRebuild{Verify: true})
		if err != nil {
			return b, err
		}
		b.Verified = append(b.Verified, verified)
	}
	b.Memory, err = p.Memory()
	return b, err
}

// warmUp is traffic that is not measured: what the orders before left to do is
// done meanwhile.
const warmUp = 5 * time.Second

func elapsed(d time.Duration) <-chan struct{} {
	over := make(chan struct{})
	time.AfterFunc(d, func() { close(over) })
	return over
}

// rebuild builds read models anew as long as there is traffic, and lets that go
// on until the last of them has ended.
func (b *Beside) rebuild(ctx context.Context, shop *shop, o BesideOptions) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	stop := make(chan struct{})
	var rebuilding sync.WaitGroup
	var failure error
	rebuilding.Go(func() {
		defer close(stop)
		began := time.Now()
		for n := 0; n < len(o.Models) || time.Since(began) < o.Duration; n++ {
			r, err := rebuildOne(ctx, shop.api, o.Models[n%len(o.Models)], "beside-"+strconv.Itoa(n), client.StartRebuild{})
			if err != nil {
				failure = err
				return
			}
			b.Rebuilds = append(b.Rebuilds, r)
			o.Advance("rebuilds", n+1, max(n+1, len(o.Models)))
		}
	})
	b.Beside, err = shop.traffic(ctx, o.Rate, stop)
	cancel() // of rebuilds when the traffic has failed; otherwise they have ended
	rebuilding.Wait()
	return errors.Join(err, failure)
}

func rebuildOne(ctx context.Context, api *client.Client, model, key string, how client.StartRebuild) (Rebuilt, error) {
	began := time.Now()
	r, err := api.StartRebuild(ctx, model, key, how)
	for err == nil && !r.Ended {
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return Rebuilt{}, ctx.Err()
		}
		r, err = api.Rebuild(ctx, model)
	}
	if err != nil {
		return Rebuilt{}, fmt.Errorf("build %s anew: %w", model, err)
	}
	return Rebuilt{
		Projection: model, Events: r.Events, PerSecond: r.EventsPerSecond, Took: time.Since(began), Equal: r.Equal, Swapped: r.Swapped, Error: r.Error,
	}, nil
}

// shop places orders and knows what it placed.
type shop struct {
	api      *client.Client
	platform *Platform

	mu     sync.Mutex
	next   int // number of the next order
	placed []known
}

type known struct {
	ref, id, number string
	total           int64
}

const (
	shopSource = "bench"
	cheapest   = 500
)

func newShop(p *Platform) *shop { return &shop{api: p.API, platform: p} }

// place places order n, whose total nobody else's is. Where the payment is not
// decided at once there is no order yet, and nothing is known of it.
func (s *shop) place(ctx context.Context, n int) (k known, position uint64, err error) {
	k = known{ref: fmt.Sprintf("b-%d", n), total: int64(cheapest + n)}
	in := order(n)
	in.Lines[0].UnitPrice = &client.Money{Amount: k.total, Currency: "EUR"}
	in.External = &client.External{Source: shopSource, Ref: k.ref, Time: time.Now()}
	placed, err := s.api.PlaceOrder(ctx, k.ref, in)
	k.id, k.number = placed.ID, placed.Number
	return k, placed.Position, err
}

// remember adds an order that the list has shown, or will.
func (s *shop) remember(k known) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.placed = append(s.placed, k)
}

// earlier returns an order that was placed before.
func (s *shop) earlier(n int) known {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.placed[n*7919%len(s.placed)]
}

func (s *shop) fill(ctx context.Context, count int, advance func(string, int, int)) error {
	group, ctx := errgroup.WithContext(ctx)
	const callers = 16
	for caller := range callers {
		group.Go(func() error {
			for n := caller; n < count; n += callers {
				k, _, err := s.place(ctx, n)
				if err != nil {
					return err
				}
				if k.id != "" {
					s.remember(k)
				}
				if n%500 == 0 {
					advance("orders", n, count)
				}
			}
			return nil
		})
	}
	s.next = count
	return group.Wait()
}

// errWrong says that an answer is not what was placed.
var errWrong = errors.New("not what was placed")

// patience is how long a list may be behind.
const patience = time.Minute

// look asks the list for one order, and waits until the list has come to a
// position.
func (s *shop) look(ctx context.Context, k known, position uint64) error {
	query := url.Values{"external_source": {shopSource}, "external_ref": {k.ref}}
	if position > 0 {
		query.Set("min_position", strconv.FormatUint(position, 10))
	}
	page, err := s.api.Orders(ctx, query)
	for began := time.Now(); behind(err) && time.Since(began) < patience; {
		page, err = s.api.Orders(ctx, query)
	}
	if err != nil {
		return err
	}
	if len(page.Orders) != 1 || !k.is(page.Orders[0]) {
		return fmt.Errorf("%s: %w", k.ref, errWrong)
	}
	return nil
}

// behind tells whether a list said that it has not come so far yet.
func behind(err error) bool {
	problem, ok := errors.AsType[*client.Problem](err)
	return ok && strings.HasSuffix(problem.Type, "/not-yet-visible")
}

func (k known) is(listed client.Order) bool {
	return listed.ID == k.id && listed.Number == k.number && listed.Total == client.Money{Amount: k.total, Currency: "EUR"}
}

// check reads the whole list and compares it with what was placed.
func (s *shop) check(ctx context.Context) (missing, wrong int, err error) {
	left := map[string]known{}
	for _, k := range s.placed {
		left[k.id] = k
	}
	query := url.Values{"external_source": {shopSource}, "limit": {"200"}}
	for {
		page, err := s.api.Orders(ctx, query)
		if err != nil {
			return 0, 0, err
		}
		for _, listed := range page.Orders {
			if k, there := left[listed.ID]; !there || !k.is(listed) {
				wrong++
			}
			delete(left, listed.ID)
		}
		if page.Next == "" {
			return len(left), wrong, nil
		}
		query.Set("cursor", page.Next)
	}
}

// Print writes the report for a person.
func (b Beside) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	fmt.Fprintf(t, "%d orders a second, %d orders before\talone: p50, p99, longest\tbeside rebuilds: p50, p99, longest\tp99 beside : alone\n", b.Rate, b.History)
	for _, row := range []struct {
		what string
		of   func(Traffic) Times
	}{
		{"placing", func(t Traffic) Times { return t.Placing }},
		{"reading", func(t Traffic) Times { return t.Reading }},
		{"until an order is in the list", func(t Traffic) Times { return t.Listed }},
	} {
		alone, beside := row.of(b.Alone), row.of(b.Beside)
		fmt.Fprintf(t, "%s\t%s\t%s\t%.2f\n", row.what, alone, beside, float64(beside.P99)/float64(max(alone.P99, 1)))
	}
	fmt.Fprintf(t, "orders, failed requests, wrong reads\t%d, %d, %d\t%d, %d, %d\t\n",
		b.Alone.Orders, b.Alone.Failed, b.Alone.Wrong, b.Beside.Orders, b.Beside.Failed, b.Beside.Wrong)
	fmt.Fprintf(t, "processor of the platform\t%.2f\t%.2f\t\n", b.Alone.Processor, b.Beside.Processor)
	for _, list := range []struct {
		what string
		all  []Rebuilt
	}{{"rebuild", b.Rebuilds}, {"comparison afterwards", b.Verified}} {
		for _, r := range list.all {
			fmt.Fprintf(t, "%s of %s\t%d events, %.0f/s\tequal %t, swapped %t, in %s %s\t\n",
				list.what, r.Projection, r.Events, r.PerSecond, r.Equal, r.Swapped, r.Took.Round(time.Millisecond), r.Error)
		}
	}
	fmt.Fprintf(t, "the whole list at the end\t%d missing, %d wrong\t\t\n", b.Missing, b.Wrong)
	fmt.Fprintf(t, "memory\t%s, at most %s\t\t\n", mib(b.Memory.Now), mib(b.Memory.Peak))
	return t.Flush()
}
