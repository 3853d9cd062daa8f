package sandbox

import (
	"strings"
	"testing"
)

func TestTheAuditFindsWhatMustNotBe(t *testing.T) {
	t.Parallel()
	entry := Entry{Key: "k", Status: authorised, Amount: 100, Captured: 100}
	taken := Movement{Kind: "capture", ID: "c", Key: "k", Status: "done", Amount: 100}
	back := Movement{Kind: "refund", ID: "r", Key: "k", Status: "done", Amount: 101}
	refused := Movement{Kind: "capture", ID: "d", Key: "k", Status: "failed", Amount: 1}
	for _, row := range []struct {
		name      string
		entries   []Entry
		movements []Movement
		want      string
	}{
		{"all is well", []Entry{entry}, []Movement{taken, refused}, ""},
		{"two for a key", []Entry{entry, entry}, []Movement{taken}, "authorised twice"},
		{"more captured than authorised", []Entry{{Key: "k", Status: authorised, Amount: 99, Captured: 100}}, []Movement{taken}, "100 captured of 99"},
		{"captured though declined", []Entry{{Key: "k", Status: declined, Amount: 100, Captured: 100}}, []Movement{taken}, "100 declined"},
		{"more refunded than captured", []Entry{entry}, []Movement{taken, back}, "101 refunded of 100"},
		{"sums that are wrong", []Entry{entry}, nil, "the authorisation says 100"},
		{"nobody's money", nil, []Movement{taken}, "without an authorisation"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := audit(row.entries, row.movements)
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("the audit says %v, want %q", err, row.want)
			}
		})
	}
}
