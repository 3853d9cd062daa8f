package node_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/google/uuid"

	"github.com/waybill-dev/waybill/node"
)

// TestRecordThatNobodyCouldReceiveIsRefused: it would end every read of the log.
func TestRecordThatNobodyCouldReceiveIsRefused(t *testing.T) {
	t.Parallel()
	cfg := config(vfs.NewMem())
	cfg.MaxAppendBytes = 16 << 20
	n := opened(t, cfg)
	const most = 16<<20 - 10_000
	for what, a := range map[string]node.Append{
		"name":  {Stream: strings.Repeat("s", most), Expected: node.ExpectAny, Events: []node.Event{event("a", 1)}},
		"empty": {Stream: strings.Repeat("s", most), Expected: node.ExpectAny},
		"event": {Stream: "s", Expected: node.ExpectAny, Events: []node.Event{event("a", most)}},
	} {
		_, err := n.Append(deadline(t), a)
		if large := (*node.RecordTooLargeError)(nil); !errors.As(err, &large) || large.Limit != most {
			t.Errorf("%s: the append answered %v", what, err)
		}
	}
	_, err := n.Tombstone(deadline(t), strings.Repeat("s", most), node.ExpectAny)
	if large := (*node.RecordTooLargeError)(nil); !errors.As(err, &large) {
		t.Errorf("the tombstone answered %v", err)
	}
	two := node.Append{Stream: "s", Expected: node.ExpectAny, Events: []node.Event{event("a", most/2), event("b", most/2)}}
	if _, err := n.Append(deadline(t), two); err != nil {
		t.Errorf("two events of half the size answered %v", err)
	}
}

// TestMetadataOfMetadataIsBounded: whether each of the streams that the name
// names is deleted has to be looked up, and all appends would wait for that.
func TestMetadataOfMetadataIsBounded(t *testing.T) {
	t.Parallel()
	n := opened(t, config(vfs.NewMem()))
	for dollars, ok := range map[int]bool{0: true, 1: true, 4: true, 32: true, 33: false, 1 << 20: false} {
		name := strings.Repeat("$", dollars) + "s"
		_, err := n.Append(deadline(t), node.Append{Stream: name, Expected: node.ExpectAny, Events: []node.Event{{ID: uuid.New(), Type: "T"}}})
		if bad := (*node.InvalidError)(nil); ok && err != nil || !ok && !errors.As(err, &bad) {
			t.Errorf("with %d $ the append answered %v", dollars, err)
		}
		if _, err := n.Info(name); ok && err != nil {
			t.Errorf("with %d $: %v", dollars, err)
		}
	}
}

func TestNoStreamHasNoMetadata(t *testing.T) {
	t.Parallel()
	n := opened(t, config(vfs.NewMem()))
	for _, name := range []string{"", "$$"} {
		_, err := n.Append(deadline(t), appendTo(name, node.ExpectAny, "a"))
		if bad := (*node.InvalidError)(nil); !errors.As(err, &bad) {
			t.Errorf("%q: the append answered %v", name, err)
		}
	}
	if report, err := n.Verify(deadline(t), node.Verification{}); err != nil || !report.OK() {
		t.Errorf("the store is not whole: %v, %v", report, err)
	}
}
