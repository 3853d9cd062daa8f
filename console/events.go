package console

import (
	"cmp"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/client"
)

func (h *console) listEventTypes(c call) (view, error) {
	types, err := c.client.EventTypes(c.Context())
	return view{Page: "event_types", Title: "Event types", Data: types}, err
}

func (h *console) showEventType(c call) (view, error) {
	kind, err := c.client.EventType(c.Context(), c.PathValue("type"))
	if err != nil {
		return view{}, err
	}
	endpoints, err := c.client.Endpoints(c.Context())
	return view{Page: "event_type", Title: kind.Type, Data: struct {
		client.EventType
		Endpoints []client.Endpoint
	}{kind, endpoints}}, err
}

func (h *console) showFeed(c call) (view, error) {
	q := client.FeedQuery{After: strings.TrimSpace(c.value("after")), Filter: strings.TrimSpace(c.value("filter")), Limit: 50}
	if types := c.value("types"); types != "" {
		q.Types = strings.FieldsFunc(types, func(r rune) bool { return r == ',' || r == ' ' })
	}
	data := struct {
		After, Types, Filter, Next string
		Messages, Skipped          []client.Message
		More                       bool
		Refused                    *client.Problem
	}{After: q.After, Types: strings.Join(q.Types, ", "), Filter: q.Filter}
	page, err := c.client.Feed(c.Context(), q)
	if problem, ok := asProblem(err); ok && (problem.Status == 400 || problem.Status == 422) {
		data.Refused, err = problem, nil
	}
	data.Messages, data.Skipped, data.More = page.Messages, page.Skipped, page.More
	if page.Next != "" {
		data.Next = query("after", page.Next, "types", data.Types, "filter", q.Filter)
	}
	return view{Page: "feed", Title: "Feed", Data: data}, err
}

// timelineRow is one message about an order or something else, or what is known
// of one that cannot be made, and what each endpoint got of it.
type timelineRow struct {
	client.Message
	Deliveries []delivered
}

// delivered is the newest attempt of an endpoint at a message.
type delivered struct {
	Endpoint client.Endpoint
	Attempt  client.Attempt
}

// showTimeline shows everything that was told of an aggregate, and who got it
// when.
func (h *console) showTimeline(c call) (view, error) {
	about := client.Aggregate{ID: strings.TrimSpace(c.value("id")), Type: c.value("type")}
	data := struct {
		About client.Aggregate
		Types []string
		Rows  []timelineRow
	}{About: about, Types: []string{"order", "checkout", "product", "customer", "creditnote", "endpoint"}}
	v := view{Page: "timeline", Title: "Timeline", Data: &data}
	if about.ID == "" {
		return v, nil
	}
	messages, err := c.client.AggregateEvents(c.Context(), about, 0, "")
	if err != nil {
		return view{}, err
	}
	got, err := h.got(c, about)
	for _, m := range append(messages.Messages, messages.Skipped...) {
		data.Rows = append(data.Rows, timelineRow{Message: m, Deliveries: got[m.ID]})
	}
	slices.SortFunc(data.Rows, func(a, b timelineRow) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return v, err
}

// got finds the attempts at everything about an order, by message.
func (h *console) got(c call, about client.Aggregate) (map[string][]delivered, error) {
	endpoints, err := c.client.Endpoints(c.Context())
	if err != nil {
		return nil, err
	}
	got := map[string][]delivered{}
	for _, e := range endpoints[:min(len(endpoints), mostSummed)] {
		attempts, _, err := c.client.Attempts(c.Context(), e.ID, client.AttemptQuery{Order: about.ID, Limit: recent})
		if err != nil {
			return nil, err
		}
		for _, a := range attempts { // the newest first
			if !slices.ContainsFunc(got[a.MessageID], func(d delivered) bool { return d.Endpoint.ID == e.ID }) {
				got[a.MessageID] = append(got[a.MessageID], delivered{Endpoint: e, Attempt: a})
			}
		}
	}
	return got, nil
}
