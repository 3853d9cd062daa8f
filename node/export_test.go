package node

import "context"

// BeginDelete does what [Node.Delete] does and leaves the waiting to the caller,
// so that tests know the order in which requests reach the writer.
func (n *Node) BeginDelete(ctx context.Context, stream string, expected Expected) (Begun, error) {
	return n.beginRemoval(ctx, kindDelete, stream, expected)
}

// BeginTombstone is BeginDelete for [Node.Tombstone].
func (n *Node) BeginTombstone(ctx context.Context, stream string, expected Expected) (Begun, error) {
	return n.beginRemoval(ctx, kindTombstone, stream, expected)
}

func (n *Node) beginRemoval(ctx context.Context, k kind, stream string, expected Expected) (Begun, error) {
	req, err := n.removal(k, stream, expected)
	if err != nil {
		return Begun{}, err
	}
	return Begun{node: n, request: req}, n.start(ctx, req)
}

// Answered reports whether Wait would return at once.
func (b Begun) Answered() bool {
	select {
	case <-b.request.done:
		return true
	default:
		return false
	}
}
