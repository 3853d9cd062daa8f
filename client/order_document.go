package client

import (
	"context"
	"net/http"
	"net/url"
)

// Receipt returns the receipt of an order, a PDF.
func (c *Client) Receipt(ctx context.Context, id string) (pdf []byte, err error) {
	return c.bytes(ctx, orderPath(id, "receipt.pdf"))
}

// PackingSlip returns the packing slip of a parcel, or without shipmentID of
// everything that is ordered, a PDF.
func (c *Client) PackingSlip(ctx context.Context, id, shipmentID string) (pdf []byte, err error) {
	path := orderPath(id, "packing-slip.pdf")
	if shipmentID != "" {
		path += "?shipment_id=" + url.QueryEscape(shipmentID)
	}
	return c.bytes(ctx, path)
}

func (c *Client) bytes(ctx context.Context, path string) ([]byte, error) {
	response, err := c.do(ctx, http.MethodGet, path, "", nil, nil)
	if err != nil {
		return nil, err
	}
	return response.Body(), nil
}
