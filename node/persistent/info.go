package persistent

import (
	"cmp"
	"slices"
	"strings"
)

// An Info says how a group is doing. Positions are texts as EventStoreDB writes
// them; empty is none.
type Info struct {
	Stream, Group string
	Settings      Settings
	StartFrom     string
	Status        string

	LastCheckpointed string
	LastKnown        string
	// Lag is how far the oldest event that is not done is from the end of the
	// source: in events of a stream, in bytes of the log for All.
	Lag int64

	PerSecond int
	Total     int64 // deliveries, repeated ones included
	Since     int64 // the same, since the last time somebody asked

	ReadBuffer  int // messages nobody has yet
	LiveBuffer  int // those of them that came while the group was live
	RetryBuffer int // messages that come again
	InFlight    int // messages that clients have
	Outstanding int // the same, and those on their way to the parked stream
	Parked      int64

	Clients []ClientInfo
}

// A ClientInfo says how a client of a group is doing.
type ClientInfo struct {
	Consumer
	InFlight     int
	PerSecond    int
	Total        int64
	Since        int64
	Measurements []Measurement // of groups with ExtraStatistics
}

func (g *group) info(bystander bool) Info {
	d, now := g.definition, g.now()
	i := Info{
		Stream: d.Stream, Group: d.Group, Settings: d.Settings, StartFrom: d.startText(), Status: g.status(),
		LastCheckpointed: g.source.text(g.checkpoint.at), LastKnown: g.source.text(g.newest), Lag: g.lag(),
		Total: g.measured.total, ReadBuffer: g.buffer.len(), RetryBuffer: g.retries.len(), Parked: g.parkedCount(),
	}
	if g.live() {
		i.LiveBuffer = min(g.buffer.len(), d.Settings.LiveBuffer)
	}
	i.Since, i.PerSecond = g.measured.rate(now, bystander)
	for c := range g.clients {
		ci := ClientInfo{Consumer: c.Consumer, InFlight: c.inFlight, Total: c.measured.total}
		ci.Since, ci.PerSecond = c.measured.rate(now, bystander)
		if d.Settings.ExtraStatistics {
			ci.Measurements = c.measured.measurements()
		}
		i.InFlight += c.inFlight
		i.Clients = append(i.Clients, ci)
	}
	i.Outstanding = i.InFlight + g.parking.len()
	slices.SortFunc(i.Clients, func(a, b ClientInfo) int { return cmp.Compare(a.From, b.From) })
	return i
}

func (g *group) live() bool { return !g.behind && !g.dead }

// status has the words of EventStoreDB, in its order.
func (g *group) status() string {
	var words []string
	if !g.live() {
		words = append(words, "Behind")
	}
	if g.dead {
		words = append(words, "OutstandingPageRequest")
	}
	if g.replay.reading() {
		words = append(words, "ReplayingParkedMessages")
	}
	if g.live() {
		words = append(words, "Live")
	}
	return strings.Join(words, ", ")
}

func (g *group) lag() int64 {
	last, err := g.source.last()
	if err != nil {
		return 0
	}
	at := int64(g.next)
	if m := g.undone.first; m != nil {
		at = m.at
	}
	return max(0, last+1-at)
}
