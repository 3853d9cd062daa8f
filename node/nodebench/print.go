package nodebench

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// Print writes the report for a person.
func (r Report) Print(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 4, 2, ' ', 0)
	for _, a := range r.Appends {
		fmt.Fprintf(t, "appends of %d B, %d callers on %d connections, %s\t%.0f/s, p50 %s, p99 %s; %.1f in a group, %s to sync it\n",
			eventBytes, a.Callers, a.Connections, a.Client, a.PerSecond, ms(a.P50), ms(a.P99), a.Group, ms(a.Sync))
		fmt.Fprintf(t, "  processor time of an append\t%s\n", a.Processor)
		fmt.Fprintf(t, "  storage engine alone, in turns, the same groups\t%.0f/s, %s to sync one; through the node %.0f %% of it\n",
			a.Raw, ms(a.RawSync), 100*a.PerSecond/a.Raw)
	}
	for _, s := range r.Subscribers {
		s.print(t)
	}
	for _, s := range r.Stores {
		s.print(t)
	}
	return t.Flush()
}

func (p Processor) String() string {
	us := func(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }
	return fmt.Sprintf("node %.1f µs, load with its clients %.1f µs", us(p.Node), us(p.Load))
}

func (s Subscribers) print(w io.Writer) {
	who := "that decode nothing but the time"
	if s.Decoded {
		who = "through the official client"
	}
	fmt.Fprintf(w, "%d subscribers %s, %d appends/s\tappend to receipt p50 %s, p95 %s, p99 %s (%d received)\n",
		s.Subscribers, who, s.Rate, ms(s.P50), ms(s.P95), ms(s.P99), s.Received)
	fmt.Fprintf(w, "  processor time of a receipt\t%s\n", s.Processor)
}

func (s Store) print(w io.Writer) {
	fmt.Fprintf(w, "%d events\tstart to first answer %s, memory at most %.0f MiB\n", s.Events, ms(s.Opened), mib(s.Memory))
	fmt.Fprintf(w, "  read the log\t%.0f events/s\n", s.All)
	fmt.Fprintf(w, "  read a stream of %d\t%.0f events/s\n", s.Events/2, s.Stream)
	fmt.Fprintf(w, "  read a stream of %d\t%s\n", shortStream, ms(s.Short))
	fmt.Fprintf(w, "  filled\t%.0f events/s\n", float64(s.Events)/s.Fill.Seconds())
	fmt.Fprintf(w, "  verified\t%.0f events/s, %.0f MiB/s\n", float64(s.Events)/s.Verify.Seconds(), mib(s.Checked)/s.Verify.Seconds())
}

func ms(d time.Duration) string { return fmt.Sprintf("%.2f ms", float64(d)/float64(time.Millisecond)) }

func mib(n int64) float64 { return float64(n) / (1 << 20) }
