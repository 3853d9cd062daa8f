package projections_test

import (
	"database/sql"
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database/databasetest"
	"github.com/waybill-dev/waybill/eventstore"
	"github.com/waybill-dev/waybill/projections"
)

// BenchmarkParts brings the list of orders forward in one process in so many
// parts, and tells what the process and Postgres have worked for each event.
func BenchmarkParts(b *testing.B) {
	for _, size := range []int{32, 2048} {
		for _, parts := range []int{1, 2, 4} {
			b.Run(fmt.Sprintf("pages of %d/%d parts", size, parts), func(b *testing.B) { benchmarkParts(b, size, parts) })
		}
	}
}

func benchmarkParts(b *testing.B, size, parts int) {
	b.Helper()
	h, e := newHistory(b), databasetest.Postgres(b)
	for i := range 10 * size * min(2048/size, 16) {
		id := fmt.Sprintf("0189%04x-0000-7000-8000-%012x", i, i*i)
		h.record("order-"+id, "c", placed(id, fmt.Sprint(i), "A", 2))
	}
	var here, there time.Duration
	for b.Loop() {
		b.StopTimer()
		for i, e := range h.events { // forget what was decoded
			h.events[i] = h.codec.Bind(e)
		}
		var pages []eventstore.Page
		for i := 0; i < len(h.events); i += size {
			pages = append(pages, h.page(projections.Orders{}, i, i+size))
		}
		d := divide(b, h, projections.Orders{}, e.Another(b))
		d.into(parts)
		us, pg := ourProcessor(b), postgresProcessor(b, d.whole.Read())
		b.StartTimer()
		var applying sync.WaitGroup
		for _, lane := range d.lanes {
			applying.Go(func() {
				for _, page := range pages {
					if err := lane.Apply(b.Context(), page); err != nil {
						b.Error(err)
						return
					}
				}
			})
		}
		applying.Wait()
		b.StopTimer()
		here, there = here+ourProcessor(b)-us, there+postgresProcessor(b, d.whole.Read())-pg
		d.stop()
		b.StartTimer()
	}
	events := float64(len(h.events)) * float64(b.N)
	b.ReportMetric(events/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(here.Microseconds())/events, "process-µs/event")
	b.ReportMetric(float64(there.Microseconds())/events, "postgres-µs/event")
}

// ourProcessor is what this process has used so far.
func ourProcessor(b *testing.B) time.Duration {
	b.Helper()
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// postgresProcessor is what the connections to our database have used so far.
func postgresProcessor(b *testing.B, db *sql.DB) (all time.Duration) {
	b.Helper()
	for _, row := range query(b, db, `SELECT pid FROM pg_stat_activity WHERE datname = current_database()`) {
		text, err := os.ReadFile("/proc/" + row[0] + "/stat")
		if err != nil {
			continue // it has ended, or there is no /proc
		}
		const user, system, tick = 11, 12, 10 * time.Millisecond
		fields := strings.Fields(string(text[strings.LastIndex(string(text), ")")+1:]))
		for _, field := range fields[user : system+1] {
			n, _ := strconv.Atoi(field)
			all += time.Duration(n) * tick
		}
	}
	return all
}
