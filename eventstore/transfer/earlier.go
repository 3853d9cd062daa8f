package transfer

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
)

// plan reads the file, after those of which it is the continuation.
func (i *Import) plan(ctx context.Context) (*plan, error) {
	p := newPlan(i.Prefix)
	var before *End
	for _, file := range i.After {
		end, err := walkFile(file, i.checking(ctx, walk{
			header: func(h *Header) error { return follows(h, before) },
			event: func(e *Event) error {
				if k, _ := p.kindOf(e); k == carried {
					p.follow(e)
				}
				return nil
			},
		}))
		if err != nil {
			return nil, err
		}
		before = end
	}
	_, err := walkFile(i.File, i.checking(ctx, walk{
		header: func(h *Header) error {
			p.header, p.cut = h, h.After != nil && before == nil
			if p.cut {
				return nil
			}
			return follows(h, before)
		},
		event: func(e *Event) error {
			p.see(e)
			return nil
		},
	}))
	return p, err
}

func (i *Import) checking(ctx context.Context, w walk) walk {
	w.frame = func(done, total int64) error {
		i.Progress.advance(StageCheck, uint64(done), uint64(total))
		return ctx.Err()
	}
	return w
}

// follows says whether a file is the continuation of the one that ends so; nil
// is none.
func follows(h *Header, before *End) error {
	switch {
	case before == nil && h.After == nil, before != nil && sameEnd(h.After, before):
		return nil
	case before == nil:
		return errors.New("it is a continuation itself: name the file before it, too")
	}
	return errors.New("it is not the continuation of the file that is named before it")
}

// needsEarlier refuses a file that says something of events that are in earlier
// files, by revisions that the target may not have given them.
func (i *Import) needsEarlier(p *plan) error {
	if !p.cut {
		return nil
	}
	if i.Renumber {
		return &EarlierError{File: i.File, Reason: "its events are renumbered after those of the files before"}
	}
	for _, stream := range slices.Sorted(maps.Keys(p.metadata)) {
		begins, _ := truncatedBefore(p.metadata[stream].Data)
		if begins != 0 && begins != deleted && !p.has(stream) {
			return &EarlierError{File: i.File, Reason: fmt.Sprintf("lets %s begin at revision %d ($tb), which is in the files before", stream, begins)}
		}
	}
	return nil
}

// earlier counts the events of renumbered streams that the target has of the
// files before.
func (x *importing) earlier(ctx context.Context) error {
	if len(x.plan.irregular) == 0 {
		return nil
	}
	for _, file := range x.After {
		_, err := walkFile(file, walk{
			frame: func(int64, int64) error { return ctx.Err() },
			event: func(e *Event) error {
				if k, _ := x.plan.kindOf(e); k == carried {
					x.target(e)
				}
				return nil
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
