package searchindex_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/gateways/remote"
	"github.com/waybill-dev/waybill/handlers"
	"github.com/waybill-dev/waybill/handlers/effects"
	"github.com/waybill-dev/waybill/handlers/effects/effectstest"
	"github.com/waybill-dev/waybill/handlers/effects/searchindex"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

type document struct {
	Version int64
	Body    string
}

// index has external versions, as Elasticsearch does.
type index struct {
	mu     sync.Mutex
	docs   map[string]document
	stale  int
	status int
	fails  int // every so many answers are lost
	calls  int
}

func (x *index) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.calls++
	version, wrong := strconv.ParseInt(r.URL.Query().Get("version"), 10, 64)
	switch {
	case x.status != 0:
		w.WriteHeader(x.status)
		return
	case err != nil || wrong != nil || r.Method != http.MethodPut || r.URL.Query().Get("version_type") != "external" || !json.Valid(body):
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	if version <= x.docs[r.URL.Path].Version {
		x.stale++
		w.WriteHeader(http.StatusConflict)
		return
	}
	x.docs[r.URL.Path] = document{version, string(body)}
	if x.fails > 0 && x.calls%x.fails == 0 {
		w.WriteHeader(http.StatusGatewayTimeout)
	}
}

func newIndex(t *testing.T, w *effectstest.Town) (*index, *searchindex.Service) {
	t.Helper()
	x := &index{docs: map[string]document{}}
	server := httptest.NewServer(x)
	client := remote.Connect(remote.Config{URL: server.URL, Timeout: time.Minute})
	t.Cleanup(func() { client.Close(); server.Close() })
	return x, &searchindex.Service{Store: w.Store, Index: searchindex.HTTP{Remote: client}}
}

func TestTheIndexHasWhatTheLogHas(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	x, s := newIndex(t, w)
	for _, e := range events {
		if err := s.Handle(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	want := map[string]document{
		"/products/_doc/MUG-1": {2, `{"sku":"MUG-1","title":"Mug, blue","prices":[{"amount":1100,"currency":"EUR"}],"withdrawn":false}`},
		"/orders/_doc/o3": {6, `{"order_id":"o3","number":"100003","customer_id":"ada","status":"shipped","ship_to_country":"GB","total":{"amount":5235,"currency":"EUR"},` +
			`"skus":["MUG-1","BOWL-1"],"titles":["Mug, blue","Bowl"],"tags":["gift"],"tracking":["D 5"],"placed_at":"2026-03-14T12:00:00Z"}`},
	}
	for path, doc := range want {
		if diff := cmp.Diff(doc, x.docs[path]); diff != "" {
			t.Errorf("%s (-want +got):\n%s", path, diff)
		}
	}
	if len(x.docs) != 6 {
		t.Errorf("%d documents", len(x.docs))
	}
	for path, doc := range x.docs {
		for _, personal := range []string{"Ada", "ada@", "High Street", "Jürgen"} {
			if strings.Contains(doc.Body, personal) {
				t.Errorf("%s has personal data: %s", path, doc.Body)
			}
		}
	}
}

func TestHoweverEventsComeTheIndexIsThat(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	effectstest.OneEffect(t, events, func(t *testing.T) effectstest.Outside {
		t.Helper()
		x, s := newIndex(t, w)
		x.fails = 4
		return effectstest.Outside{Handle: s.Handle, Effect: func() any { return x.docs }}
	})
}

// What happens later replaces what is in the index, and what happened before and
// comes again does not.
func TestWhatIsNewerIsIndexed(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	x, s := newIndex(t, w)
	placed := effectstest.Of(events, "OrderPlaced")[0]
	if err := s.Handle(t.Context(), placed); err != nil {
		t.Fatal(err)
	}
	id := strings.TrimPrefix(placed.Stream, order.Decider.Category+"-")
	h := handlers.CommandHandler[order.State, order.Command, order.Event]{Store: w.Store, Decider: order.Decider}
	if _, err := h.Handle(t.Context(), id, eventstore.Metadata{CommandID: "later"}, order.Tag{Add: []string{"later"}}); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Handle(t.Context(), placed); err != nil {
			t.Fatal(err)
		}
		if got := x.docs["/orders/_doc/"+id]; !strings.Contains(got.Body, `"later"`) {
			t.Errorf("version %d is still indexed: %s", got.Version, got.Body)
		}
	}
}

func TestWhatIsOlderIsIgnored(t *testing.T) {
	t.Parallel()
	w, _ := effectstest.NewHistory(t)
	x, s := newIndex(t, w)
	for _, version := range []int64{5, 3, 5, 6} {
		if err := s.Index.Put(t.Context(), "orders", "o", version, map[string]int64{"v": version}); err != nil {
			t.Fatal(err)
		}
	}
	if got := x.docs["/orders/_doc/o"]; got.Version != 6 || x.stale != 2 {
		t.Errorf("%+v, %d were stale", got, x.stale)
	}
}

func TestAnIndexThatIsAwayOrRefuses(t *testing.T) {
	t.Parallel()
	w, events := effectstest.NewHistory(t)
	x, s := newIndex(t, w)
	for status, permanent := range map[int]bool{503: false, 429: false, 404: false, 400: true} {
		x.status = status
		err := s.Handle(t.Context(), effectstest.Of(events, "OrderPlaced")[0])
		if err == nil || effects.IsPermanent(err) != permanent || !permanent && !errors.Is(err, remote.ErrAway) {
			t.Errorf("%d: %v", status, err)
		}
	}
}
