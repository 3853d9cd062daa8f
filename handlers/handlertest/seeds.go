package handlertest

import (
	"os"
	"strconv"
	"testing"
)

// Seeds is how many random cases a test tries: what it does by default, or the
// number in WAYBILL_TEST_SEEDS.
func Seeds(tb testing.TB, byDefault int) uint64 {
	tb.Helper()
	wanted := os.Getenv("WAYBILL_TEST_SEEDS")
	if wanted == "" {
		wanted = strconv.Itoa(byDefault)
	}
	n, err := strconv.ParseUint(wanted, 10, 32)
	if err != nil {
		tb.Fatalf("WAYBILL_TEST_SEEDS: %v", err)
	}
	return n
}
