package client

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"time"
)

// NewCustomer is the body of POST /v1/customers.
type NewCustomer struct {
	Customer

	Address *Address `json:"address,omitempty"`
}

// CustomerRecord is what is known of a customer. Contact is there for keys with
// the scopes customers:read and customers:write.
type CustomerRecord struct {
	ID       string           `json:"id"`
	Status   string           `json:"status"`
	Contact  *NewCustomer     `json:"contact"`
	OrderIDs []string         `json:"order_ids"`
	Exports  []CustomerExport `json:"exports"`
	// RegisteredAt and ErasedAt are zero where that did not happen.
	RegisteredAt time.Time `json:"registered_at"`
	ErasedAt     time.Time `json:"erased_at"`
}

// CustomerExport is a document of everything that is kept of a person.
type CustomerExport struct {
	ID string    `json:"id"`
	At time.Time `json:"at"`
}

// RegisterCustomer registers a customer, once for each address of e-mail.
func (c *Client) RegisterCustomer(ctx context.Context, key string, in NewCustomer) (CustomerRecord, error) {
	var record CustomerRecord
	_, err := c.do(ctx, http.MethodPost, "/v1/customers", key, in, &record)
	return record, err
}

// Customer returns what is known of a customer.
func (c *Client) Customer(ctx context.Context, id string) (CustomerRecord, error) {
	var record CustomerRecord
	_, err := c.do(ctx, http.MethodGet, "/v1/customers/"+url.PathEscape(id), "", nil, &record)
	return record, err
}

// ExportCustomer starts a job that writes everything down that is kept of a
// person. The job's result names the export.
func (c *Client) ExportCustomer(ctx context.Context, id, key string, in StartJob) (StartedJob, error) {
	return c.startJob(ctx, "/v1/customers/"+url.PathEscape(id)+"/export", key, in)
}

// CustomerExport returns an export, as JSON.
func (c *Client) CustomerExport(ctx context.Context, id, export string) (json.RawMessage, error) {
	var document json.RawMessage
	_, err := c.do(ctx, http.MethodGet, "/v1/customers/"+url.PathEscape(id)+"/exports/"+url.PathEscape(export), "", nil, &document)
	return document, err
}

// EraseCustomer starts a job that forgets a person for ever.
func (c *Client) EraseCustomer(ctx context.Context, id, key string, in StartJob) (StartedJob, error) {
	return c.startJob(ctx, "/v1/customers/"+url.PathEscape(id)+"/erase", key, in)
}

// EraseOrderContact does so with the person behind an order without a customer.
func (c *Client) EraseOrderContact(ctx context.Context, orderID, key string, in StartJob) (StartedJob, error) {
	return c.startJob(ctx, orderPath(orderID, "erase-contact"), key, in)
}
