package node

import "context"

// Begin does what [Node.Append] does without waiting for the disk: it returns
// when the append is in the queue, behind all that were begun before. That
// order is the order they are written in.
func (n *Node) Begin(ctx context.Context, a Append) (Begun, error) {
	if err := n.validate(&a); err != nil {
		return Begun{}, err
	}
	req := &request{Append: a}
	return Begun{node: n, request: req}, n.start(ctx, req)
}

// A Begun append is on its way to the disk.
type Begun struct {
	node    *Node
	request *request
}

// Wait returns when the append is on the disk, or the error [Node.Append] would
// return.
func (b Begun) Wait(ctx context.Context) (Appended, error) { return b.node.await(ctx, b.request) }

// Done reports whether Wait returns at once.
func (b Begun) Done() bool {
	select {
	case <-b.request.done:
		return true
	default:
		return false
	}
}
