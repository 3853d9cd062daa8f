package nodebench

import "time"

// Processor is the processor time of one operation: what the node used, and what
// the load did, the official client in it.
type Processor struct{ Node, Load time.Duration }

// processor measures f, which returns how many operations it did.
func processor(n Node, f func() (operations int64, err error)) (p Processor, err error) {
	node, load, err := n.Processor()
	if err != nil {
		return p, err
	}
	operations, err := f()
	if err != nil || operations == 0 {
		return p, err
	}
	nodeAfter, loadAfter, err := n.Processor()
	return Processor{
		Node: (nodeAfter - node) / time.Duration(operations),
		Load: (loadAfter - load) / time.Duration(operations),
	}, err
}
