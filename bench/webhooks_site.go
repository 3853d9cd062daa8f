package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sync/errgroup"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain"
	orders "github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
)

// webhookSite is an event store, a platform that only delivers, and receivers.
type webhookSite struct {
	o         WebhookOptions
	node      *Process
	platform  *Platform
	store     *eventstore.Client
	receivers []*receiver
	elsewhere *elsewhere // one more, in some parts
	missing   int
	orders    atomic.Int64
	appends   *appends // of live traffic
}

// The event types of what is there already, and of live traffic.
const (
	pastType = "order.placed"
	liveType = "order.completed"
)

func openSite(ctx context.Context, o WebhookOptions, dir string) (*webhookSite, error) {
	s := &webhookSite{o: o, appends: newAppends()}
	for _, sub := range []string{"node", "platform"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o750); err != nil {
			return nil, fmt.Errorf("make a data folder: %w", err)
		}
	}
	nodeAddr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	addr, err := FreeAddr()
	if err != nil {
		return nil, err
	}
	if s.node, err = StartProcess(o.Binary, nil, "node", "--data-dir", filepath.Join(dir, "node"), "--node-addr", nodeAddr, "--log-level", "warn"); err != nil {
		return nil, err
	}
	codec, err := eventstore.NewCodec(orders.EventTypes()...)
	if err == nil {
		s.store, err = eventstore.NewClient(eventstore.Config{
			ConnectionString: "esdb://" + nodeAddr + "?tls=false", Codec: codec, Logger: slog.New(slog.DiscardHandler), Timeout: time.Minute,
		})
	}
	if err == nil {
		s.platform, err = StartPlatform(ctx, Place{
			Binary: o.Binary, Dir: filepath.Join(dir, "platform"), Addr: addr,
			Args: []string{"--roles", "api,webhooks", "--eventstore", "esdb://" + nodeAddr + "?tls=false", "--webhooks-breaker-waits", "1s"},
		})
	}
	if err != nil {
		return nil, errors.Join(err, s.node.Kill())
	}
	return s, nil
}

func (s *webhookSite) close() error {
	err := errors.Join(s.platform.Stop(), s.store.Close(), s.node.Stop())
	for _, r := range s.receivers {
		err = errors.Join(err, r.close())
	}
	if s.elsewhere != nil {
		err = errors.Join(err, s.elsewhere.close())
	}
	return err
}

// account is what came otherwise than it should to any receiver.
func (s *webhookSite) account() (outOfOrder, repeated int) {
	if s.elsewhere != nil {
		account := s.elsewhere.account()
		outOfOrder, repeated = account.Swapped, account.Repeats
	}
	for _, r := range s.receivers {
		outOfOrder += r.outOfOrder()
		repeated += r.repeated()
	}
	return outOfOrder, repeated
}

func (s *webhookSite) lost() int { return s.missing }

// subscribe adds an endpoint with a receiver of its own.
func (s *webhookSite) subscribe(ctx context.Context, types ...string) (*receiver, error) {
	r, err := newReceiver(len(s.receivers), s.o.Answer)
	if err != nil {
		return nil, err
	}
	r.appends = s.appends
	r.serving.Go(r.accept)
	s.receivers = append(s.receivers, r)
	_, err = s.endpoint(ctx, r.url, types...)
	return r, err
}

// subscribeElsewhere adds the endpoint of a receiver that is in nobody's way.
func (s *webhookSite) subscribeElsewhere(ctx context.Context, types ...string) (*elsewhere, client.Endpoint, error) {
	var err error
	if s.elsewhere, err = startElsewhere(s.o.Binary, s.o.Answer); err != nil {
		return nil, client.Endpoint{}, err
	}
	e, err := s.endpoint(ctx, s.elsewhere.url, types...)
	return s.elsewhere, e, err
}

func (s *webhookSite) endpoint(ctx context.Context, url string, types ...string) (client.Endpoint, error) {
	return s.platform.API.CreateEndpoint(ctx, client.CreateEndpoint{URL: url, EventTypes: types})
}

// perOrder is how many events each order of the past has.
const perOrder = 4

// record appends events of the past, as fast as the store takes them.
func (s *webhookSite) record(ctx context.Context, count int) error {
	group, ctx := errgroup.WithContext(ctx)
	orders := (count + perOrder - 1) / perOrder
	const writers = 32
	for w := range writers {
		group.Go(func() error {
			for n := w; n < orders; n += writers {
				if _, err := s.append(ctx, min(perOrder, count-n*perOrder), placedOrder); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (s *webhookSite) append(ctx context.Context, events int, about func(id string) domain.Event) (id string, err error) {
	n := s.orders.Add(1)
	id = fmt.Sprintf("bench-%d", n)
	stream := "order-" + id
	list := make([]eventstore.NewEvent, events)
	for i := range list {
		list[i] = eventstore.NewEvent{ID: eventstore.EventID(stream, "bench", i), Event: about(id)}
	}
	_, err = s.store.Append(ctx, stream, eventstore.NoStream, list...)
	return id, err
}

// traffic records live events at a steady rate, each when its time has come,
// and notes how long that takes.
func (s *webhookSite) traffic(ctx context.Context, rate int, duration time.Duration) (int, error) {
	count := int(duration.Seconds() * float64(rate))
	ticker := time.NewTicker(time.Second / time.Duration(rate))
	defer ticker.Stop()
	group, ctx := errgroup.WithContext(ctx)
	for range count {
		<-ticker.C
		group.Go(func() error {
			began := time.Now()
			id, err := s.append(ctx, 1, completedOrder)
			s.appends.note(id, began, time.Now())
			return err
		})
	}
	return count, group.Wait()
}

func completedOrder(id string) domain.Event { return orders.OrderCompleted{OrderID: id} }

// placedOrder makes a message of about one KiB.
func placedOrder(id string) domain.Event {
	eur := func(amount int64) domain.Money { return domain.Money{Amount: amount, Currency: "EUR"} }
	line := orders.Line{
		LineID: "l1", SKU: "BENCH-1", Title: "A mug with a picture of a waybill", Quantity: 2, UnitPrice: eur(1250), Total: eur(2500),
		Discount: eur(0), Tax: eur(0), Location: "main", ReservationID: "0191c1f0-0000-7000-8000-000000000001",
	}
	return orders.OrderPlaced{
		OrderID: id, Number: "W-100001", CheckoutID: "0191c1f0-0000-7000-8000-000000000002", CustomerID: "0191c1f0-0000-7000-8000-000000000003",
		ShipToCountry: "DE", Currency: "EUR", Lines: []orders.Line{line, line}, PaymentID: "0191c1f0-0000-7000-8000-000000000004",
		Authorised: eur(5000), Channel: "web", PlacedAt: time.Now(),
	}
}

// await waits until something is so, for as long as there is progress.
func await(ctx context.Context, progress func() (done, of int)) (missing int) {
	last, since := -1, time.Now()
	for ctx.Err() == nil {
		done, of := progress()
		if done >= of {
			return 0
		}
		if done > last {
			last, since = done, time.Now()
		}
		if time.Since(since) > 30*time.Second {
			return of - done
		}
		time.Sleep(5 * time.Millisecond)
	}
	return 0
}

// statements reads how many SQL statements the platform's dispatcher made.
func (s *webhookSite) statements(ctx context.Context) (float64, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, s.platform.BaseURL()+"/metrics", nil)
	if err != nil {
		return 0, fmt.Errorf("read the metrics: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+AdminKey)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, fmt.Errorf("read the metrics: %w", err)
	}
	defer response.Body.Close()
	return sumOf(response.Body, "waybill_webhook_sql_statements_total")
}

// sumOf adds up all series of a metric: the platform's, and those of a process
// that it has started.
func sumOf(metrics io.Reader, name string) (sum float64, err error) {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(metrics)
	if err != nil {
		return 0, fmt.Errorf("read the metrics: %w", err)
	}
	family := families[name]
	if family == nil {
		return 0, fmt.Errorf("the metrics do not count %s", name)
	}
	for _, metric := range family.GetMetric() {
		sum += metric.GetCounter().GetValue()
	}
	return sum, nil
}

// replay has an endpoint sent everything from the first event on.
func (s *webhookSite) replay(ctx context.Context, endpoint string) (client.Replay, error) {
	return s.api().CreateReplay(ctx, endpoint, "bench-"+endpoint, client.NewReplay{From: "beginning"})
}
