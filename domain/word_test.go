package domain_test

import (
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/domain"
)

func TestWordsAndLabels(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]struct{ word, label bool }{
		"damaged":                 {true, true},
		"customer_changed_mind":   {true, true},
		"shipped-after-release":   {true, true},
		"b2b":                     {true, true},
		"rule-2026":               {true, true},
		"season:2026-w12":         {false, true},
		"VIP":                     {false, true},
		"v1.2":                    {false, true},
		"2026":                    {false, true},
		"":                        {false, false},
		".":                       {false, false},
		"..":                      {false, false},
		"_":                       {false, true},
		"left it with the zebra":  {false, false},
		"a@example.com":           {false, false},
		"+49-555-0199-777":        {false, false},
		"49-555-0199-777":         {false, false},
		"tel-495550199":           {false, false},
		"Zebediah":                {false, true},
		"straße":                  {false, false},
		strings.Repeat("a", 64):   {true, true},
		strings.Repeat("a", 65):   {false, false},
		"a" + "\n":                {false, false},
		"ring.twice:at/the.door":  {false, false},
		"order-12345":             {false, true},
		"batch-123456789":         {false, false},
		"delivery.failed:address": {false, true},
	} {
		if got := domain.ValidWord(text); got != want.word {
			t.Errorf("%q is a word: %t", text, got)
		}
		if got := domain.ValidLabel(text); got != want.label {
			t.Errorf("%q is a label: %t", text, got)
		}
	}
}
