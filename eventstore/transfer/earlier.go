package transfer

import (
	"context"
	"errors"
	"fmt"
)

// read reads the file, after those of which it is the continuation.
func (i *Import) read(ctx context.Context, p *plan) error {
	var before *End
	for _, file := range i.After {
		end, err := walkFile(file, i.checking(ctx, walk{
			header: func(h *Header) error { return follows(h, before) },
			event: func(e *Event) error {
				if k, _ := p.kindOf(e); k != carried {
					return nil
				}
				return p.follow(ctx, e)
			},
		}))
		if err != nil {
			return err
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
		event: func(e *Event) error { return p.see(ctx, e) },
	}))
	return err
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
func (i *Import) needsEarlier(ctx context.Context, p *plan) error {
	if !p.cut {
		return nil
	}
	if i.Renumber {
		return &EarlierError{File: i.File, Reason: "its events are renumbered after those of the files before"}
	}
	return p.each(ctx, withMetadata, func(stream string) error {
		m, err := p.metadata(ctx, stream)
		if err != nil {
			return err
		}
		begins, _ := truncatedBefore(m.Data)
		if begins == 0 || begins == deleted {
			return nil
		}
		if c, err := p.of(ctx, stream); err != nil || c.Met {
			return err
		}
		return &EarlierError{File: i.File, Reason: fmt.Sprintf("lets %s begin at revision %d ($tb), which is in the files before", stream, begins)}
	})
}

// earlier counts the events of renumbered streams that the target has of the
// files before.
func (x *importing) earlier(ctx context.Context) error {
	if x.plan.irregular == 0 {
		return nil
	}
	for _, file := range x.After {
		_, err := walkFile(file, walk{
			frame: func(int64, int64) error { return ctx.Err() },
			event: func(e *Event) error {
				if k, _ := x.plan.kindOf(e); k != carried {
					return nil
				}
				_, err := x.target(ctx, e)
				return err
			},
		})
		if err != nil {
			return err
		}
	}
	return nil
}
