package node

// A page of a read is closed at any of these bounds, so that neither memory nor
// an iterator is held for long.
const (
	pageRecords    = 512
	pageBytes      = mebi
	pageConsidered = 16_384
)

// A Page is a piece of a read, in the order it was asked for.
type Page struct {
	Records []*Record
	// Marks are where a filtered read of the log counted another interval.
	Marks []Mark
	// Next is where the next page begins: a position, or a revision of a stream.
	Next uint64
	// End says that nothing more was stored when the page was read.
	End bool
	// Missed says that the page is not in memory and nothing was read.
	Missed bool
	// Shared says that other readers are given the same records.
	Shared bool

	Considered int    // records looked at
	Last       uint64 // position of the last one of them, in a read of the log
	StreamLast uint64 // last revision, in a read of a stream

	bytes int64
}

// A Mark is the position of a record that was looked at, before which the
// page's first After records come.
type Mark struct {
	After    int
	Position uint64
}

func (p *Page) add(r *Record) {
	p.Records = append(p.Records, r)
	p.bytes += r.memory()
}

func (p *Page) near() *Record {
	if len(p.Records) == 0 {
		return nil
	}
	return p.Records[len(p.Records)-1]
}

func (p *Page) full(limit int) bool {
	return len(p.Records) >= min(limit, pageRecords) || p.bytes >= pageBytes || p.Considered >= pageConsidered
}
