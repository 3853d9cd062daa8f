package console

import (
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/client"
)

type filterView struct {
	Endpoint  client.Endpoint
	Filter    string
	Types     []string
	Others    []string // of Types that are no type of the catalogue: *
	All       []client.EventType
	Variables []client.FilterVariable
	Preview   *client.FilterPreview
	Refused   *client.Problem
}

func (h *console) editFilter(c call) (view, error) {
	e, err := c.client.Endpoint(c.Context(), c.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	return h.filter(c, filterView{Endpoint: e, Filter: e.Filter, Types: e.EventTypes})
}

func (h *console) filter(c call, v filterView) (view, error) {
	types, err := c.client.EventTypes(c.Context())
	v.All, v.Variables = types.Types, types.Variables
	for _, t := range v.Types {
		if !slices.ContainsFunc(v.All, func(known client.EventType) bool { return known.Type == t }) {
			v.Others = append(v.Others, t)
		}
	}
	return view{Page: "filter", Title: "Filter", Of: v.Endpoint.ID, Tab: "filter", Data: v}, err
}

// saveFilter saves a filter, or tries it on history first. What is wrong with
// it is shown beside it.
func (h *console) saveFilter(c call) (view, error) {
	e, err := c.client.Endpoint(c.Context(), c.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	v := filterView{Endpoint: e, Filter: strings.TrimSpace(c.value("filter")), Types: typesOf(c)}
	if c.value("do") == "try" {
		var preview client.FilterPreview
		preview, err = c.client.PreviewFilter(c.Context(), e.ID, client.PreviewFilter{Filter: v.Filter, EventTypes: v.Types, Examples: 5})
		v.Preview = &preview
	} else {
		patch := map[string]any{"filter": nil, "event_types": v.Types}
		if v.Filter != "" {
			patch["filter"] = v.Filter
		}
		_, err = c.client.ChangeEndpoint(c.Context(), e.ID, client.EndpointChange{IfMatch: e.ETag}, patch)
		if err == nil {
			return view{Go: endpointPage(e.ID, "/filter") + "?done=filtered"}, nil
		}
	}
	if problem, ok := asProblem(err); ok && problem.Status == 422 {
		v.Refused, v.Preview, err = problem, nil, nil
	}
	if err != nil {
		return view{}, err
	}
	return h.filter(c, v)
}

// secretView shows a secret, this once.
type secretView struct {
	Endpoint client.Endpoint
	Secret   string
	OldUntil time.Time // zero where there is no old one
}

func (h *console) showSecrets(c call) (view, error) {
	e, err := c.client.Endpoint(c.Context(), c.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	keys, err := c.client.SigningKeys(c.Context())
	if err != nil {
		return view{}, err
	}
	egress, err := c.client.EgressAddresses(c.Context())
	return view{Page: "secrets", Title: "Secrets", Of: e.ID, Tab: "secrets", Data: struct {
		Endpoint client.Endpoint
		Keys     []client.SigningKey
		Egress   []string
	}{e, keys, egress}}, err
}

func (h *console) rotateSecret(c call) (view, error) {
	hours, err := strconv.Atoi(c.value("hours"))
	if err != nil {
		return view{}, &client.Problem{Status: 422, Title: "The overlap is not a number", Detail: "Give whole hours."}
	}
	rotated, err := c.client.RotateSecret(c.Context(), c.PathValue("id"), time.Duration(hours)*time.Hour, c.value("key"))
	if err != nil {
		return view{}, err
	}
	e, err := c.client.Endpoint(c.Context(), c.PathValue("id"))
	return view{Page: "secret", Title: "New secret", Of: e.ID, Tab: "secrets", Data: secretView{Endpoint: e, Secret: rotated.Secret, OldUntil: rotated.OldUntil}}, err
}

func (h *console) showHistory(c call) (view, error) {
	id := c.PathValue("id")
	entries, err := c.client.EndpointHistory(c.Context(), id, -1)
	slices.Reverse(entries)
	return view{Page: "history", Title: "History", Of: id, Tab: "history", Data: struct {
		ID      string
		Entries []client.EndpointEntry
	}{id, entries}}, err
}
