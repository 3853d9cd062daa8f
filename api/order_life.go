package api

import (
	"context"
	"net/http"
	"time"

	"github.com/waybill-dev/waybill/domain/customer"
	"github.com/waybill-dev/waybill/domain/order"
	"github.com/waybill-dev/waybill/handlers/orders"
	"github.com/waybill-dev/waybill/vault"
)

type holdBody struct {
	ID     string    `json:"id,omitempty" doc:"Of your making; without it one is made." pattern:"^[!-?A-~]{1,200}$"`
	Reason string    `json:"reason" doc:"fraud, manual, address or stock_shortfall." maxLength:"64" example:"manual"`
	Until  time.Time `json:"until,omitzero" doc:"When the hold ends by itself; without it somebody has to release it."`
	Note   string    `json:"note,omitempty" doc:"Why, for people. Kept encrypted, apart from the order." maxLength:"10000"`
}

type releaseBody struct {
	Note string `json:"note,omitempty" doc:"Why, for people. Kept encrypted, apart from the order." maxLength:"10000"`
}

type noteBody struct {
	ID         string `json:"id,omitempty" doc:"Of your making; without it one is made." pattern:"^[!-?A-~]{1,200}$"`
	Text       string `json:"text" doc:"Kept encrypted, apart from the order." minLength:"1" maxLength:"10000" example:"Rang the customer: leave it with the neighbour."`
	Visibility string `json:"visibility,omitempty" doc:"internal or customer; internal if missing." default:"internal" maxLength:"64" example:"internal"`
}

type tagsBody struct {
	Add    []string `json:"add,omitempty" nullable:"false" doc:"1 to 64 letters, digits and signs of -_.+: each." maxItems:"200"`
	Remove []string `json:"remove,omitempty" nullable:"false" maxItems:"200"`
}

type cancelBody struct {
	ID     string `json:"id,omitempty" doc:"Of the request, of your making; without it one is made." pattern:"^[!-?A-~]{1,200}$"`
	Reason string `json:"reason,omitempty" doc:"A word of small letters, digits, - and _, with at most 4 digits; requested if missing. What people write belongs into a note." default:"requested" maxLength:"64" example:"customer_changed_mind"`
}

// transitions are what a command may be refused by that changes the state.
func transitions(more ...string) []string { return append([]string{order.ErrTransition.Code}, more...) }

func (s *server) orderLifeRoutes() {
	registerChange(s, route{
		id: "holdOrder", path: "hold", status: http.StatusOK, summary: "Hold an order",
		about:   "Until it is released it is neither shipped nor captured. An order may be held for several reasons; one release ends them all.",
		refuses: transitions(order.ErrIDReused.Code, kindErased, customer.ErrErasing.Code), example: map[string]any{"reason": "manual", "note": "The address looks odd."},
	}, s.holdOrder)
	registerChange(s, route{
		id: "releaseOrder", path: "release", status: http.StatusOK, summary: "Let a held order go on",
		refuses: transitions(kindErased, customer.ErrErasing.Code), example: map[string]any{"note": "The address is right."},
	}, s.releaseOrder)
	registerChange(s, route{
		id: "addNote", path: "notes", status: http.StatusCreated, summary: "Write something down about an order",
		refuses: []string{order.ErrIDReused.Code, kindErased, customer.ErrErasing.Code}, example: map[string]any{"text": "Rang the customer: leave it with the neighbour."},
	}, s.addNote)
	registerChange(s, route{
		id: "tagOrder", path: "tags", status: http.StatusOK, summary: "Add and remove tags", example: map[string]any{"add": []any{"gift"}, "remove": []any{}},
	}, s.tagOrder)
	registerChange(s, route{
		id: "changeAddress", path: "address", status: http.StatusOK, summary: "Send what is not yet shipped elsewhere",
		about: "The address is kept encrypted, apart from the order. It does not change while a warehouse is at a parcel of the order.", refuses: transitions(order.ErrHandedOver.Code, kindErased, customer.ErrErasing.Code),
		example: map[string]any{"name": "A", "line1": "1 High Street", "city": "Leeds", "postal_code": "LS1 1UR", "country": "GB"},
	}, s.changeAddress)
	registerChange(s, route{
		id: "cancelOrder", path: "cancel", status: http.StatusAccepted, summary: "Cancel what is not shipped",
		about: "202 says that it is under way: the warehouse may find that it is too late, and then the order goes on. The order at Location tells. " +
			"Money and stock are given back by then.",
		bodies: map[int]any{http.StatusAccepted: orderBody{}, http.StatusOK: orderBody{}},
		more:   map[int]string{http.StatusOK: "The order is cancelled already."}, refuses: transitions(order.ErrIDReused.Code, kindKeyMissing),
		example: map[string]any{"reason": "customer_changed_mind"},
	}, s.cancelOrder)
}

func (s *server) holdOrder(ctx context.Context, a asked, in holdBody) (*changeAnswer, error) {
	return changed(s.api.Changes.DoWithText(ctx, a.Request, textOf(in.Note), func(_ order.State, ref string) (order.Command, error) {
		return order.Hold{HoldID: a.id("hold", in.ID), Reason: order.HoldReason(in.Reason), NoteRef: ref, Until: in.Until}, nil
	}))
}

// textOf is what goes into the vault; no text is nothing.
func textOf(text string) any {
	if text == "" {
		return nil
	}
	return orders.Text{Text: text}
}

func (s *server) releaseOrder(ctx context.Context, a asked, in *releaseBody) (*changeAnswer, error) {
	if in == nil {
		in = &releaseBody{}
	}
	return changed(s.api.Changes.DoWithText(ctx, a.Request, textOf(in.Note), func(_ order.State, ref string) (order.Command, error) {
		return order.ReleaseHold{By: a.who(), NoteRef: ref}, nil
	}))
}

func (s *server) addNote(ctx context.Context, a asked, in noteBody) (*changeAnswer, error) {
	id := a.id("note", in.ID)
	result, err := s.api.Changes.DoWithText(ctx, a.Request, textOf(in.Text), func(_ order.State, ref string) (order.Command, error) {
		return order.AddNote{NoteID: id, TextRef: ref, Visibility: order.Visibility(in.Visibility)}, nil
	})
	return made(result, err, a.at("notes", id))
}

func (s *server) tagOrder(ctx context.Context, a asked, in tagsBody) (*changeAnswer, error) {
	return changed(s.api.Changes.Do(ctx, a.Request, func(order.State) (order.Command, error) {
		return order.Tag{Add: in.Add, Remove: in.Remove}, nil
	}))
}

func (s *server) changeAddress(ctx context.Context, a asked, in address) (*changeAnswer, error) {
	if wrong := in.mistakes(""); len(wrong) > 0 {
		return nil, s.refuse(kindInvalid, "nothing would arrive at this address").because(wrong...)
	}
	return changed(s.api.Changes.DoWithText(ctx, a.Request, vault.Address(in), func(_ order.State, ref string) (order.Command, error) {
		return order.ChangeAddress{ShipToRef: ref, ShipToCountry: in.Country}, nil
	}))
}

func (s *server) cancelOrder(ctx context.Context, a asked, in *cancelBody) (*changeAnswer, error) {
	if in == nil {
		in = &cancelBody{Reason: "requested"}
	}
	answer, err := changed(s.api.Changes.Do(ctx, a.Request, func(order.State) (order.Command, error) {
		return order.RequestCancel{RequestID: a.id("cancel", in.ID), Reason: in.Reason, By: a.who()}, nil
	}))
	if err != nil {
		return nil, err
	}
	answer.Location = a.path
	if body, _ := answer.Body.(orderBody); body.Status != string(order.StatusCancelled) {
		answer.Status = http.StatusAccepted
	}
	return answer, nil
}
