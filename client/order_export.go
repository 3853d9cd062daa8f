package client

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// NewExport says which orders are to be written into a file, and how.
type NewExport struct {
	Format       string       `json:"format,omitempty"` // csv, ndjson or parquet
	Filter       ExportFilter `json:"filter,omitzero"`
	PersonalData bool         `json:"personal_data,omitempty"`
	Callback     *JobCallback `json:"callback,omitempty"`
}

// ExportFilter narrows an export; zero fields do not.
type ExportFilter struct {
	Status         string    `json:"status,omitempty"`
	PaymentStatus  string    `json:"payment_status,omitempty"`
	CustomerID     string    `json:"customer_id,omitempty"`
	SKU            string    `json:"sku,omitempty"`
	Tag            string    `json:"tag,omitempty"`
	ExternalSource string    `json:"external_source,omitempty"`
	PlacedFrom     time.Time `json:"placed_from,omitzero"`
	PlacedTo       time.Time `json:"placed_to,omitzero"`
}

// ExportOrders begins an export, a long job.
func (c *Client) ExportOrders(ctx context.Context, key string, in NewExport) (StartedJob, error) {
	var job StartedJob
	_, err := c.do(ctx, http.MethodPost, "/v1/exports", key, in, &job)
	return job, err
}

// ExportFile writes the file of an export that succeeded, and returns how many
// bytes there were.
func (c *Client) ExportFile(ctx context.Context, jobID string, to io.Writer) (int64, error) {
	path := "/v1/exports/" + url.PathEscape(jobID) + "/file"
	response, err := c.http.R().SetContext(ctx).SetDoNotParseResponse(true).Get(path)
	if err != nil {
		return 0, fmt.Errorf("GET %s: %w", path, err)
	}
	body := response.RawBody()
	defer func() { _ = body.Close() }()
	if response.StatusCode() >= http.StatusMultipleChoices {
		const most = 1 << 20
		problem := &Problem{Title: response.Status()}
		_ = json.NewDecoder(io.LimitReader(body, most)).Decode(problem) // without it the status has to do
		problem.Status = response.StatusCode()
		return 0, problem
	}
	n, err := io.Copy(to, body)
	if err != nil {
		return n, fmt.Errorf("read the file of export %s: %w", jobID, err)
	}
	return n, nil
}
