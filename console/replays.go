package console

import (
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/waybill-dev/waybill/client"
)

// replayForm is what somebody wants to be sent once more, as it was typed.
type replayForm struct {
	From, To, Types, Aggregate, Only, Rate string
}

func replayFormOf(c call) replayForm {
	return replayForm{
		From: strings.TrimSpace(c.value("from")), To: strings.TrimSpace(c.value("to")), Types: strings.TrimSpace(c.value("types")),
		Aggregate: strings.TrimSpace(c.value("aggregate")), Only: c.value("only"), Rate: strings.TrimSpace(c.value("rate")),
	}
}

func (f replayForm) types() []string {
	return strings.FieldsFunc(f.Types, func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
}

type replaysView struct {
	ID      string
	Form    replayForm
	Preview *client.FilterPreview // of what the form asks for
	Replays []client.Replay
}

func (h *console) listReplays(c call) (view, error) {
	form := replayFormOf(c)
	if form.From == "" {
		form.From = "beginning"
	}
	return h.replays(c, form, nil)
}

func (h *console) replays(c call, form replayForm, preview *client.FilterPreview) (view, error) {
	id := c.PathValue("id")
	list, err := c.client.Replays(c.Context(), id)
	return view{Page: "replays", Title: "Replays", Of: id, Tab: "replays", Data: replaysView{ID: id, Form: form, Preview: preview, Replays: list}}, err
}

// createReplay begins a replay, or counts first what it would send.
func (h *console) createReplay(c call) (view, error) {
	id, form := c.PathValue("id"), replayFormOf(c)
	if c.value("do") == "count" {
		preview, err := h.count(c, form)
		if err != nil {
			return view{}, err
		}
		return h.replays(c, form, &preview)
	}
	rate, err := strconv.Atoi("0" + form.Rate)
	if err != nil {
		return view{}, &client.Problem{Status: 422, Title: "The rate is not a number", Detail: "Give attempts in a second, or nothing."}
	}
	replay, err := c.client.CreateReplay(c.Context(), id, c.value("key"), client.NewReplay{
		From: form.From, To: form.To, Types: form.types(), Aggregate: form.Aggregate, Only: form.Only, Rate: rate,
	})
	return view{Go: endpointPage(id, "/replays/"+url.PathEscape(replay.ID)) + "?done=replaying"}, err
}

// count says how many messages there are since the time that a replay begins
// at. What begins at a cursor is counted from the beginning.
func (h *console) count(c call, form replayForm) (client.FilterPreview, error) {
	e, err := c.client.Endpoint(c.Context(), c.PathValue("id"))
	if err != nil {
		return client.FilterPreview{}, err
	}
	since, _ := time.Parse(time.RFC3339, form.From)
	return c.client.PreviewFilter(c.Context(), e.ID, client.PreviewFilter{Filter: e.Filter, EventTypes: form.types(), Since: since, Examples: 1})
}

func (h *console) showReplay(c call) (view, error) {
	id := c.PathValue("id")
	replay, err := c.client.Replay(c.Context(), id, c.PathValue("run"))
	return view{Page: "replay", Title: "Replay", Of: id, Tab: "replays", Data: struct {
		ID     string
		Replay client.Replay
	}{id, replay}}, err
}

func (h *console) cancelReplay(c call) (view, error) {
	id, run := c.PathValue("id"), c.PathValue("run")
	err := c.client.CancelReplay(c.Context(), id, run)
	return view{Go: endpointPage(id, "/replays/"+url.PathEscape(run)) + "?done=cancelled"}, err
}
