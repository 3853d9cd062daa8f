package exports

import (
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/domain"
)

// ErrInvalid says that an export cannot be made like this.
var ErrInvalid = domain.Rule("export-invalid", "the export has mistakes")

// Filter narrows an export; zero fields do not.
type Filter struct {
	Status, PaymentStatus, CustomerID string
	SKU, Tag                          string
	ExternalSource                    string
	PlacedFrom, PlacedTo              time.Time // from inclusive, to exclusive
}

// Params are what a job is told.
func Params(filter Filter, format Format, personal bool) map[string]string {
	params := map[string]string{"format": string(format)}
	if personal {
		params["personal_data"] = "true"
	}
	for name, at := range map[string]time.Time{"placed_from": filter.PlacedFrom, "placed_to": filter.PlacedTo} {
		if !at.IsZero() {
			params[name] = at.UTC().Format(time.RFC3339Nano)
		}
	}
	for name, value := range filter.words() {
		if *value != "" {
			params[name] = *value
		}
	}
	return params
}

func (f *Filter) words() map[string]*string {
	return map[string]*string{
		"status": &f.Status, "payment_status": &f.PaymentStatus, "customer_id": &f.CustomerID, "sku": &f.SKU, "tag": &f.Tag, "external_source": &f.ExternalSource,
	}
}

func parse(params map[string]string) (filter Filter, format Format, personal bool, err error) {
	for name, into := range filter.words() {
		*into = params[name]
	}
	for name, into := range map[string]*time.Time{"placed_from": &filter.PlacedFrom, "placed_to": &filter.PlacedTo} {
		if params[name] == "" {
			continue
		}
		if *into, err = time.Parse(time.RFC3339Nano, params[name]); err != nil {
			return filter, "", false, ErrInvalid.With("parameter", name)
		}
	}
	format = Format(params["format"])
	if format.MediaType() == "" {
		return filter, "", false, ErrInvalid.With("parameter", fmt.Sprintf("format %q", format))
	}
	return filter, format, params["personal_data"] == "true", nil
}
