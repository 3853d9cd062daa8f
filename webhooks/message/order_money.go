package message

import "github.com/waybill-dev/waybill/domain/order"

type orderPaymentUpdatedData struct {
	OrderID   string        `json:"order_id"`
	PaymentID string        `json:"payment_id" doc:"An order may have several payments."`
	Kind      string        `json:"kind" doc:"authorised, captured, refunded, voided, failed, charged_back or expired; more may come."`
	Ref       string        `json:"ref,omitempty" doc:"The id of the capture or refund."`
	Amount    money         `json:"amount"`
	Totals    paymentTotals `json:"totals" doc:"Of this payment so far."`
	Final     bool          `json:"final,omitempty" doc:"It was captured for the last time: nothing is held any more."`
}

type paymentTotals struct {
	Authorised money `json:"authorised"`
	Captured   money `json:"captured"`
	Refunded   money `json:"refunded"`
}

func orderPaymentUpdated(e order.OrderPaymentUpdated) orderPaymentUpdatedData {
	return orderPaymentUpdatedData{
		OrderID: e.OrderID, PaymentID: e.PaymentID, Kind: string(e.Kind), Ref: e.Ref, Amount: money(e.Amount), Final: e.Final,
		Totals: paymentTotals{Authorised: money(e.Totals.Authorised), Captured: money(e.Totals.Captured), Refunded: money(e.Totals.Refunded)},
	}
}

type orderRefundRequestedData struct {
	OrderID  string  `json:"order_id"`
	RefundID string  `json:"refund_id"`
	Amount   money   `json:"amount"`
	Reason   string  `json:"reason" doc:"A word." example:"damaged"`
	Lines    []units `json:"lines,omitempty" nullable:"false" doc:"What it is for, where that is known."`
}

func orderRefundRequested(e order.OrderRefundRequested) orderRefundRequestedData {
	return orderRefundRequestedData{OrderID: e.OrderID, RefundID: e.RefundID, Amount: money(e.Amount), Reason: e.Reason, Lines: unitsOf(e.Lines)}
}

type orderRefundedData struct {
	OrderID  string `json:"order_id"`
	RefundID string `json:"refund_id"`
	Amount   money  `json:"amount"`
}

func orderRefunded(e order.OrderRefunded) orderRefundedData {
	return orderRefundedData{OrderID: e.OrderID, RefundID: e.RefundID, Amount: money(e.Amount)}
}

type orderRefundFailedData struct {
	OrderID  string `json:"order_id"`
	RefundID string `json:"refund_id"`
	Code     string `json:"code" doc:"A word, of the payment's gateway or ours." example:"refund-declined"`
}

func orderRefundFailed(e order.OrderRefundFailed) orderRefundFailedData {
	return orderRefundFailedData(e)
}
