package console

import (
	"cmp"
	"net/url"
	"slices"
	"strings"

	"github.com/waybill-dev/waybill/client"
)

// recent is how many attempts a summary is made of.
const recent = 200

// mostSummed is how many endpoints of a list are shown with what they do.
const mostSummed = 50

type endpointRow struct {
	client.Endpoint
	Now     client.EndpointStatus
	Known   bool // Now and Summary are
	Summary summary
}

// summary is what the last attempts came to.
type summary struct {
	Attempts, Succeeded int
	P50, P95, P99       float64 // milliseconds, of those that succeeded
}

// Rate is the share of attempts that succeeded, from 0 to 1.
func (s summary) Rate() float64 { return float64(s.Succeeded) / float64(max(s.Attempts, 1)) }

func summed(attempts []client.Attempt) summary {
	s := summary{Attempts: len(attempts)}
	var took []float64
	for _, a := range attempts {
		if a.Result == succeeded {
			took = append(took, a.DurationMS)
		}
	}
	s.Succeeded = len(took)
	slices.Sort(took)
	at := func(share float64) float64 {
		if len(took) == 0 {
			return 0
		}
		return took[min(int(share*float64(len(took))), len(took)-1)]
	}
	s.P50, s.P95, s.P99 = at(0.5), at(0.95), at(0.99)
	return s
}

// succeeded is the result of an attempt that the receiver took.
const succeeded = "ok"

func (h *console) listEndpoints(c call) (view, error) {
	list, err := c.client.Endpoints(c.Context())
	if err != nil {
		return view{}, err
	}
	rows := make([]endpointRow, len(list))
	for i, e := range list {
		rows[i].Endpoint = e
		if i >= mostSummed {
			continue
		}
		if rows[i].Now, rows[i].Summary, err = h.standing(c, e.ID); err != nil {
			return view{}, err
		}
		rows[i].Known = true
	}
	types, err := c.client.EventTypes(c.Context())
	return view{Page: "endpoints", Title: "Endpoints", Data: struct {
		Rows  []endpointRow
		Types []client.EventType
	}{rows, types.Types}}, err
}

// standing is where deliveries stand and what the last attempts came to.
func (h *console) standing(c call, id string) (client.EndpointStatus, summary, error) {
	status, err := c.client.EndpointStatus(c.Context(), id)
	if err != nil {
		return status, summary{}, err
	}
	attempts, _, err := c.client.Attempts(c.Context(), id, client.AttemptQuery{Limit: recent})
	return status, summed(attempts), err
}

// createEndpoint shows the secret on the page that answers the form: nowhere
// else.
func (h *console) createEndpoint(c call) (view, error) {
	e, err := c.client.CreateEndpoint(c.Context(), client.CreateEndpoint{
		URL: strings.TrimSpace(c.value("url")), EventTypes: typesOf(c), Description: c.value("description"), Filter: strings.TrimSpace(c.value("filter")),
		IdempotencyKey: c.value("key"),
	})
	return view{Page: "secret", Title: "Endpoint created", Of: e.ID, Data: secretView{Endpoint: e, Secret: e.Secret}}, err
}

// typesOf are the types that a form chose; none is every type.
func typesOf(c call) []string {
	_ = c.ParseForm() // FormValue has read it
	types := slices.DeleteFunc(slices.Clone(c.Form["types"]), func(t string) bool { return t == "" })
	if len(types) == 0 {
		return []string{"*"}
	}
	return types
}

func (h *console) showEndpoint(c call) (view, error) {
	e, err := c.client.Endpoint(c.Context(), c.PathValue("id"))
	if err != nil {
		return view{}, err
	}
	status, sum, err := h.standing(c, e.ID)
	if err != nil {
		return view{}, err
	}
	undelivered, more, err := c.client.Undelivered(c.Context(), e.ID, client.UndeliveredQuery{})
	return view{Page: "endpoint", Title: hostOf(e.URL), Of: e.ID, Tab: "overview", Data: struct {
		Endpoint    client.Endpoint
		Now         client.EndpointStatus
		Summary     summary
		Undelivered []client.Undelivered
		More        bool
	}{e, status, sum, undelivered[:min(len(undelivered), 10)], more != "" || len(undelivered) > 10}}, err
}

// hostOf names an endpoint on its pages.
func hostOf(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	return cmp.Or(u.Host, address)
}

// changeEndpoint does what a button of an endpoint's page says.
func (h *console) changeEndpoint(c call) (view, error) {
	id, change := c.PathValue("id"), client.EndpointChange{IdempotencyKey: c.value("key")}
	var err error
	done := ""
	switch c.PathValue("action") {
	case "pause":
		_, err = c.client.PauseEndpoint(c.Context(), id, change)
		done = "paused"
	case "resume":
		_, err = c.client.ResumeEndpoint(c.Context(), id, strings.TrimSpace(cmp.Or(c.value("at"), c.value("from"))), change)
		done = "resumed"
	case "enable":
		_, err = c.client.EnableEndpoint(c.Context(), id, change)
		done = "enabled"
	case "disable":
		_, err = c.client.DisableEndpoint(c.Context(), id, change)
		done = "disabled"
	case "verify":
		_, err = c.client.VerifyEndpoint(c.Context(), id, change)
		done = "verifying"
	case "test":
		_, err = c.client.TestEndpoint(c.Context(), id, c.value("key"))
		done = "tested"
	default:
		err = noSuchAction()
	}
	return view{Go: endpointPage(id, "") + "?done=" + done}, err
}

func endpointPage(id, rest string) string { return Path + "endpoints/" + url.PathEscape(id) + rest }

func noSuchAction() error {
	return &client.Problem{Status: 404, Title: "There is no such action"}
}
