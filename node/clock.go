package node

import "time"

// Now is the node's clock.
func (n *Node) Now() time.Time { return n.cfg.Now() }
