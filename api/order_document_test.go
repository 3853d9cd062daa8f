package api_test

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/waybill-dev/waybill/client"
	"github.com/waybill-dev/waybill/domain/apikey"
)

func TestAnOrderHasItsPapers(t *testing.T) {
	t.Parallel()
	p := shop(t, 10)
	id := p.place("k", addressed).expect(http.StatusCreated).text("id")
	path := "/v1/orders/" + id
	for _, name := range []string{"/receipt.pdf", "/packing-slip.pdf"} {
		first := p.get(path + name).expect(http.StatusOK)
		if first.header.Get("Content-Type") != "application/pdf" || first.header.Get("Cache-Control") != "no-store" || !bytes.HasPrefix(first.body, []byte("%PDF-")) {
			t.Errorf("%s: %v", name, first.header)
		}
		if again := p.get(path + name + "?revision=0").expect(http.StatusOK); !bytes.Equal(again.body, first.body) || again.header.Get("Order-Revision") != "0" {
			t.Errorf("%s is another one the second time", name)
		}
		plain := p.do(request{method: http.MethodGet, path: path + name, key: p.key(apikey.OrdersRead)}).expect(http.StatusOK)
		known := p.do(request{method: http.MethodGet, path: path + name, key: p.key(apikey.OrdersRead, apikey.CustomersRead)}).expect(http.StatusOK)
		if bytes.Equal(plain.body, first.body) || !bytes.Equal(known.body, first.body) {
			t.Errorf("%s: who may know whom it is for is not told apart", name)
		}
		p.do(request{method: http.MethodGet, path: path + name, key: p.key(apikey.CustomersRead)}).problem(http.StatusForbidden, "forbidden")
		p.get("/v1/orders/nothing"+name).problem(http.StatusNotFound, "not-found")
		p.get(path+name+"?revision=99").problem(http.StatusNotFound, "revision-unknown")
	}
	p.get(path+"/packing-slip.pdf?shipment_id=s9").problem(http.StatusNotFound, "shipment-unknown")
	c := client.New(p.url, adminKey)
	defer c.Close()
	if pdf, err := c.Receipt(t.Context(), id); err != nil || !bytes.Equal(pdf, p.get(path+"/receipt.pdf").body) {
		t.Errorf("the client has %d bytes: %v", len(pdf), err)
	}
	if _, err := c.PackingSlip(t.Context(), id, "s9"); err == nil {
		t.Error("the client has a slip of no parcel")
	}
}
