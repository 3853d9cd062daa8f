package api

import (
	"context"
	"strconv"

	"github.com/waybill-dev/waybill/projections"
)

// searchPlace is where a page of a search ended.
type searchPlace struct {
	Doc int64 `json:"d"`
}

// searchOrders finds orders by their words, and reads them where all lists do:
// whatever the two read models know of the last moment, nothing is shown that
// the filters leave out.
func (s *server) searchOrders(ctx context.Context, in *listOrdersRequest) (*listOrdersAnswer, error) {
	what, err := projections.ParseSearch(in.Q)
	if err != nil {
		return nil, s.wrongParameter("query.q", err.Error())
	}
	pages := s.paged("/v1/orders", in.Paging, in.values())
	var place searchPlace
	if _, err := pages.begin(&place); err != nil {
		return nil, err
	}
	reached, err := s.searchReached(ctx, in.Fresh)
	if err != nil {
		return nil, err
	}
	found, err := s.api.Search.Orders(ctx, what, in.filter(), place.Doc, in.Limit+1)
	if err != nil {
		return nil, err
	}
	found, last := cut(found, in.Limit)
	rows, err := s.api.Orders.Among(ctx, each(found, func(f projections.Found) string { return f.OrderID }), in.filter())
	if err != nil {
		return nil, err
	}
	answer := &listOrdersAnswer{Reached: reached, Body: orderListBody{Items: each(inOrder(found, rows), orderSummaryOf)}}
	if last != nil {
		if answer.Body.Next, answer.Link, err = pages.next(searchPlace{last.Place}); err != nil {
			return nil, err
		}
	}
	answer.Body.Count, err = in.countBodyOf(func() (projections.Count, error) {
		return s.api.Search.Count(ctx, what, in.filter(), countedOneByOne)
	})
	return answer, err
}

// searchReached is how far both are that a search reads.
func (s *server) searchReached(ctx context.Context, in Fresh) (Reached, error) {
	words, err := s.await(ctx, s.api.Search.DB, in)
	if err != nil {
		return words, err
	}
	rows, err := s.await(ctx, s.api.Orders.DB, in)
	if err != nil {
		return rows, err
	}
	a, _ := strconv.ParseUint(words.Position, 10, 64)
	b, _ := strconv.ParseUint(rows.Position, 10, 64)
	if a < b {
		return words, nil
	}
	return rows, nil
}

// inOrder are rows in the order they were found in.
func inOrder(found []projections.Found, rows []projections.OrderRow) (sorted []projections.OrderRow) {
	byID := make(map[string]projections.OrderRow, len(rows))
	for _, row := range rows {
		byID[row.OrderID] = row
	}
	for _, f := range found {
		if row, there := byID[f.OrderID]; there {
			sorted = append(sorted, row)
		}
	}
	return sorted
}
