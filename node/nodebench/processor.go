package nodebench

import "time"

// Processor is the processor time of one operation: what the node used, and what
// the load did, the official client in it.
type Processor struct{ Node, Load time.Duration }

func (p *Processor) add(other Processor) {
	p.Node += other.Node
	p.Load += other.Load
}

// share makes the time of all operations that of one.
func (p *Processor) share(operations int64) {
	if operations > 0 {
		p.Node /= time.Duration(operations)
		p.Load /= time.Duration(operations)
	}
}

// processor measures f.
func processor(n Node, f func() error) (p Processor, err error) {
	node, load, err := n.Processor()
	if err != nil {
		return p, err
	}
	if err := f(); err != nil {
		return p, err
	}
	p.Node, p.Load, err = n.Processor()
	return Processor{Node: p.Node - node, Load: p.Load - load}, err
}
