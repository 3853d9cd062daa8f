package vault

import (
	"context"
	"crypto/cipher"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/waybill-dev/waybill/database"
)

// maxGroup is how many callers' data is written in one transaction, that is,
// with one wait for the disk.
const maxGroup = 256

// betweenGroups is from the beginning of one group to that of the next. A sync
// takes the processor 0.1 ms, and what a caller waits for it is little of what an
// order takes; one that comes alone waits for nothing.
const betweenGroups = 4 * time.Millisecond

type put struct {
	subject, ref string
	plain        []byte
	err          error
	done         chan struct{}
}

// Put keeps data under a reference, for a person. Putting again under the same
// reference changes nothing. The error is [ErrErased] for a person whose data
// was erased, and [ErrRetired] while that is being done.
func (v *Vault) Put(ctx context.Context, subject, ref string, data any) error {
	plain, err := json.Marshal(data)
	if err != nil {
		return fmt.Errorf("put %s into the vault: %w", ref, err)
	}
	p := &put{subject: subject, ref: ref, plain: plain, done: make(chan struct{})}
	if err := v.send(ctx, p); err != nil {
		return err
	}
	select {
	case <-p.done:
		return p.err
	case <-ctx.Done():
		return ctx.Err() // it may be kept all the same, and may be put again
	}
}

func (v *Vault) send(ctx context.Context, p *put) error {
	v.closing.RLock()
	defer v.closing.RUnlock()
	if v.closed {
		return ErrClosed
	}
	select {
	case v.puts <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// write keeps, in groups, what callers put.
func (v *Vault) write(ctx context.Context) {
	defer close(v.done)
	next := time.After(0)
	for first := range v.puts {
		group := v.gather(first, next)
		next = time.After(betweenGroups)
		v.keep(ctx, group)
		for _, p := range group {
			close(p.done)
		}
	}
}

// gather takes what comes until a group may begin, and what is there by then.
func (v *Vault) gather(first *put, begin <-chan time.Time) []*put {
	group := []*put{first}
	for begin != nil && len(group) < maxGroup {
		select {
		case p, more := <-v.puts:
			if !more {
				return group
			}
			group = append(group, p)
		case <-begin:
			begin = nil
		}
	}
	for len(group) < maxGroup {
		p, more := v.waiting()
		if !more {
			break
		}
		group = append(group, p)
	}
	return group
}

func (v *Vault) waiting() (p *put, ok bool) {
	select {
	case p, ok = <-v.puts:
		return p, ok
	default:
		return nil, false
	}
}

// keep writes a group in one transaction. That one person was erased is no
// reason to refuse the others.
func (v *Vault) keep(ctx context.Context, group []*put) {
	err := v.db.Tx(ctx, func(tx *sql.Tx) error {
		batch := v.db.Batch(tx)
		people, err := v.peopleOf(ctx, batch, group)
		if err != nil {
			return err
		}
		for _, p := range group {
			if err := v.keepOne(ctx, batch, people[p.subject], p); err != nil {
				return err
			}
		}
		return batch.Flush(ctx)
	})
	if err == nil {
		return
	}
	for _, p := range group {
		p.err = fmt.Errorf("write the vault: %w", err)
	}
}

// keepOne leaves what is wrong with one put to whoever asked for it, and returns
// what is wrong with the transaction.
func (v *Vault) keepOne(ctx context.Context, batch *database.Batch, whose *person, p *put) error {
	var key []byte
	if key, p.err = v.keyOf(whose); p.err != nil {
		return nil
	}
	var aead cipher.AEAD
	if aead, p.err = newAEAD(key); p.err != nil {
		return nil
	}
	if err := v.introduce(ctx, batch, whose); err != nil {
		return err
	}
	return batch.Exec(ctx, `INSERT INTO contents (ref, subject, sealed) VALUES (?, ?, ?) ON CONFLICT (ref) DO NOTHING`,
		p.ref, p.subject, seal(aead, p.plain, []byte(p.ref)))
}
