package projections

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/eventstore"
)

// Lag is what of the log a read model does not show.
type Lag struct {
	Events int       // of its streams; at most [mostLag] are counted
	More   bool      // there are more than that
	Since  time.Time // when the first of them was recorded; zero if there is none
}

const (
	mostLag = 10_000
	lagPage = 1_000
)

// Lag counts the events that the live version has not applied. Positions are no
// number of events: the log is read, from where the read model is.
func (m *Model) Lag(ctx context.Context) (lag Lag, err error) {
	end, err := m.set.log.End(ctx)
	if err != nil {
		return lag, fmt.Errorf("find the end of the log: %w", err)
	}
	return m.missing(ctx, end, mostLag)
}

// missing counts the events up to a position that the live version has not
// applied, up to so many.
func (m *Model) missing(ctx context.Context, end eventstore.Position, most int) (lag Lag, err error) {
	position, of := m.Position(), m.Live().positions()
	if position >= end {
		return lag, nil
	}
	feed := m.set.log.Feed(eventstore.FeedConfig{Prefixes: m.projection.Prefixes(), From: position, PageSize: lagPage})
	defer feed.Close()
	for {
		page, err := feed.Next(ctx)
		if err != nil {
			return lag, fmt.Errorf("count what %s has not applied: %w", m.Name(), err)
		}
		for _, e := range page.Events {
			if e.Position > end {
				return lag, nil
			}
			if e.Position <= of(e.Stream) {
				continue // its part is farther than others
			}
			if lag.Events == 0 {
				lag.Since = e.Created
			}
			lag.Events++
		}
		if lag.More = lag.Events >= most; lag.More || page.Live || page.Through >= end {
			return lag, nil
		}
	}
}

// Lags are those of all read models, by name. Those that cannot be told are
// left out, and are in the error.
func (s *Set) Lags(ctx context.Context) (map[string]Lag, error) {
	lags, errs := map[string]Lag{}, []error(nil)
	for _, m := range s.Models() {
		lag, err := m.Lag(ctx)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		lags[m.Name()] = lag
	}
	return lags, errors.Join(errs...)
}

// Head is the end of the log.
func (s *Set) Head(ctx context.Context) (eventstore.Position, error) { return s.log.End(ctx) }
