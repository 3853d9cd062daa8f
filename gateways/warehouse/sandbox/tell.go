package sandbox

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// Shop is whom the warehouse tells what it did.
type Shop struct {
	URL string // of the API
	Key string // with the scope orders:write
}

// Tell has the shop told of parcels and refusals from now on. Before, nobody is.
func (s *Server) Tell(shop Shop) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.shop = shop
}

// tell tells the shop, once, with the key that docs/warehouse.md asks for.
func (s *Server) tell(ctx context.Context, job Job, path, what string, body any) error {
	s.mu.Lock()
	shop, mute := s.shop, s.how.Mute
	s.mu.Unlock()
	if shop.URL == "" || mute {
		return nil
	}
	text, err := json.Marshal(body)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, shop.URL+"/v1/orders/"+url.PathEscape(job.OrderID)+"/"+path, bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("tell the shop: %w", err)
	}
	request.Header = http.Header{
		"Authorization": {"Bearer " + shop.Key}, "Content-Type": {"application/json"}, "If-Match": {"*"},
		"Idempotency-Key": {job.RequestID + "/" + what},
	}
	answer, err := s.caller.Do(request)
	if err != nil {
		return fmt.Errorf("tell the shop: %w", err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode >= http.StatusMultipleChoices {
		return fmt.Errorf("tell the shop of %s of job %s: it answered %s", what, job.RequestID, answer.Status)
	}
	return nil
}
