package console

import (
	"net/url"

	"github.com/waybill-dev/waybill/client"
)

func (h *console) listAttempts(c call) (view, error) {
	id := c.PathValue("id")
	q := client.AttemptQuery{
		MessageID: c.value("message_id"), Order: c.value("order"), Result: c.value("result"), Run: c.value("run"), Cursor: c.value("cursor"), Limit: 50,
	}
	attempts, next, err := c.client.Attempts(c.Context(), id, q)
	if next != "" {
		next = query("message_id", q.MessageID, "order", q.Order, "result", q.Result, "run", q.Run, "cursor", next)
	}
	return view{Page: "attempts", Title: "Deliveries", Of: id, Tab: "attempts", Data: struct {
		ID       string
		Query    client.AttemptQuery
		Attempts []client.Attempt
		Next     string
	}{id, q, attempts, next}}, err
}

func (h *console) listUndelivered(c call) (view, error) {
	id, q := c.PathValue("id"), client.UndeliveredQuery{Run: c.value("run"), Cursor: c.value("cursor")}
	list, next, err := c.client.Undelivered(c.Context(), id, q)
	if next != "" {
		next = query("run", q.Run, "cursor", next)
	}
	return view{Page: "undelivered", Title: "Undelivered", Of: id, Tab: "undelivered", Data: struct {
		ID, Run, Next string
		Messages      []client.Undelivered
	}{id, q.Run, next, list}}, err
}

func (h *console) showDelivery(c call) (view, error) {
	id := c.PathValue("id")
	delivery, err := c.client.Delivery(c.Context(), id, c.PathValue("message"))
	if err != nil {
		return view{}, err
	}
	e, err := c.client.Endpoint(c.Context(), id)
	return view{Page: "delivery", Title: delivery.EventType, Of: id, Tab: "attempts", Data: struct {
		Endpoint client.Endpoint
		Delivery client.Delivery
		Body     string // as it is sent, byte for byte
	}{e, delivery, string(delivery.Request.Body)}}, err
}

func (h *console) changeDelivery(c call) (view, error) {
	id, message, done := c.PathValue("id"), c.PathValue("message"), ""
	var err error
	switch c.PathValue("action") {
	case "resend":
		_, err = c.client.Resend(c.Context(), id, message, c.value("key"))
		done = "resent"
	case "skip":
		err = c.client.Skip(c.Context(), id, message, c.value("key"))
		done = "skipped"
	default:
		err = noSuchAction()
	}
	return view{Go: endpointPage(id, "/deliveries/"+url.PathEscape(message)) + "?done=" + done}, err
}
