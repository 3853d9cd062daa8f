package receipt

import "github.com/waybill-dev/waybill/handlers/effects/shop"

// texts are the words of a document.
type texts struct {
	receipt, slip, order, date, placed, shipment, shipped, carrier, tracking, taxID string
	billTo, shipTo, erased                                                          string
	item, sku, quantity, ordered, packed, price, tax, total                         string
	subtotal, discount, shipping, net, grand, cancelled, refunded, paid             string
	page, questions                                                                 string
}

func textsIn(l shop.Language) texts {
	if l == shop.German {
		return texts{
			receipt: "Beleg", slip: "Lieferschein", order: "Bestellung", date: "Datum", placed: "Bestellt am", shipment: "Sendung",
			shipped: "Versandt am", carrier: "Versand", tracking: "Sendungsnummer", taxID: "USt-IdNr.",
			billTo: "Rechnung an", shipTo: "Lieferung an", erased: "[gelöscht]",
			item: "Artikel", sku: "Artikelnr.", quantity: "Menge", ordered: "Bestellt", packed: "Enthalten", price: "Einzelpreis", tax: "Steuer", total: "Betrag",
			subtotal: "Zwischensumme", discount: "Rabatt", shipping: "Versandkosten", net: "netto", grand: "Gesamtbetrag",
			cancelled: "Storniert", refunded: "Erstattet", paid: "Verbleibend", page: "Seite", questions: "Fragen?",
		}
	}
	return texts{
		receipt: "Receipt", slip: "Packing slip", order: "Order", date: "Date", placed: "Ordered on", shipment: "Shipment",
		shipped: "Shipped on", carrier: "Carrier", tracking: "Tracking number", taxID: "VAT ID",
		billTo: "Bill to", shipTo: "Ship to", erased: "[erased]",
		item: "Item", sku: "SKU", quantity: "Qty", ordered: "Ordered", packed: "Packed", price: "Unit price", tax: "Tax", total: "Amount",
		subtotal: "Subtotal", discount: "Discount", shipping: "Shipping", net: "net", grand: "Total",
		cancelled: "Cancelled", refunded: "Refunded", paid: "Remaining", page: "Page", questions: "Questions?",
	}
}
