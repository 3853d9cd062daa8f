package persistent

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// Create makes a group. It exists when Create returns, and whatever is stored
// afterwards will be delivered.
func (e *Engine) Create(d Definition) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if err := e.usable(d.Stream, d.Group); err != nil {
		return err
	}
	if err := d.check(e.cfg.Node.End()); err != nil {
		return err
	}
	if e.groups[d.key()] != nil {
		return &Error{Kind: Exists, Stream: d.Stream, Group: d.Group}
	}
	if err := d.checkBuffers(); err != nil {
		return err
	}
	if len(e.groups) >= e.cfg.MaxGroups {
		return d.failed(fmt.Sprintf("This node runs at most %d groups.", e.cfg.MaxGroups))
	}
	// What a group of that name has left behind is not for this one.
	if err := e.removeState(d.Stream, d.Group); err != nil {
		return err
	}
	liveFrom, err := e.liveFrom(&d)
	if err != nil {
		return err
	}
	if err := e.saveConfig(d.By, put(e.stored.Entries, storeEntry(&d, liveFrom))); err != nil {
		return err
	}
	return e.start(&d, liveFrom)
}

// liveFrom is where the end is, for a group that starts there.
func (e *Engine) liveFrom(d *Definition) (*uint64, error) {
	if !d.Start.End {
		return nil, nil
	}
	s := source{node: e.cfg.Node, stream: d.Stream}
	end, err := s.end()
	return &end, err
}

// Update replaces all of a group but its filter. Its clients are dropped, and
// it goes on from its checkpoint; without one it starts where d says.
func (e *Engine) Update(d Definition) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	old, err := e.find(d.Stream, d.Group)
	if err != nil {
		return err
	}
	d.Filter = old.definition.Filter
	if err := d.check(e.cfg.Node.End()); err != nil {
		return err
	}
	if err := d.checkBuffers(); err != nil {
		return err
	}
	liveFrom := old.liveFrom
	if !d.Start.End || !old.definition.Start.End {
		if liveFrom, err = e.liveFrom(&d); err != nil {
			return err
		}
	}
	if err := e.saveConfig(d.By, put(e.stored.Entries, storeEntry(&d, liveFrom))); err != nil {
		return err
	}
	old.stop(false)
	delete(e.groups, d.key())
	return e.start(&d, liveFrom)
}

// Delete removes a group with its checkpoint and its parked messages. Its
// clients are dropped.
func (e *Engine) Delete(stream, name, by string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	g, err := e.find(stream, name)
	if err != nil {
		return err
	}
	entries := slices.DeleteFunc(slices.Clone(e.stored.Entries), func(other storedEntry) bool {
		return other.Stream == stream && other.Group == name
	})
	if err := e.saveConfig(by, entries); err != nil {
		return err
	}
	g.stop(false)
	delete(e.groups, g.definition.key())
	return e.removeState(stream, name)
}

// put replaces the entry of the same group.
func put(entries []storedEntry, entry storedEntry) []storedEntry {
	entries = slices.Clone(entries)
	for i := range entries {
		if entries[i].Stream == entry.Stream && entries[i].Group == entry.Group {
			entries[i] = entry
			return entries
		}
	}
	return append(entries, entry)
}

// removeState deletes the streams of a group that are there.
func (e *Engine) removeState(stream, name string) error {
	for _, s := range [...]string{checkpointStream(stream, name), parkedStream(stream, name)} {
		info, err := e.cfg.Node.Info(s)
		if deleted := (*node.StreamDeletedError)(nil); errors.As(err, &deleted) {
			continue
		}
		if err == nil && info.Last >= 0 && !info.Deleted {
			_, err = e.cfg.Node.Delete(e.ctx, s, node.ExpectAny)
		}
		if err != nil {
			return fmt.Errorf("delete %s: %w", s, err)
		}
	}
	return nil
}

// saveConfig stores the entries and remembers them.
func (e *Engine) saveConfig(by string, entries []storedEntry) error {
	c := storedConfig{Version: configVersion, Updated: e.cfg.Now(), UpdatedBy: by, Entries: entries}
	data, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if err := describe(e.ctx, e.cfg.Node, configStream, configMetadata); err != nil {
		return fmt.Errorf("limit %s: %w", configStream, err)
	}
	_, err = e.cfg.Node.Append(e.ctx, node.Append{Stream: configStream, Expected: node.ExpectAny, Events: []node.Event{
		{ID: uuid.New(), Type: configType, JSON: true, Data: data},
	}})
	if err != nil {
		return fmt.Errorf("store the persistent subscriptions: %w", err)
	}
	e.stored = c
	return nil
}

// loadConfig reads the newest configuration; events of other types do not count.
func (e *Engine) loadConfig() error {
	e.stored = storedConfig{Version: configVersion}
	info, err := e.cfg.Node.Info(configStream)
	if deleted := (*node.StreamDeletedError)(nil); errors.As(err, &deleted) {
		return fmt.Errorf("%w: %w", errConfig, err)
	}
	if err == nil && (info.Last < 0 || info.Deleted) {
		return nil
	}
	var page node.Page
	if err == nil {
		page, err = e.cfg.Node.ReadStream(node.StreamRead{Stream: configStream, From: node.FromEnd, Backwards: true, Limit: 2})
	}
	if err != nil {
		return fmt.Errorf("read %s: %w", configStream, err)
	}
	for _, record := range page.Records {
		if record.Type == configType {
			e.stored, err = decodeConfig(record.Data)
			return err
		}
	}
	return nil
}
