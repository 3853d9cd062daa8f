package node

// A StreamInfo says what can be read of a stream.
type StreamInfo struct {
	First int64 // lowest revision that can be read, unless its events are too old; -1 for an empty stream
	Last  int64 // -1 before the first event
	// Deleted says that the stream was deleted and may be written again.
	Deleted bool
}

// Info is a [StreamDeletedError] for a stream that has a tombstone.
func (n *Node) Info(stream string) (info StreamInfo, err error) {
	err = n.reading(func() error {
		v, err := n.view(stream)
		if err != nil {
			return err
		}
		info = StreamInfo{First: int64(v.low), Last: v.last, Deleted: v.softDeleted}
		if v.last < 0 {
			info.First = -1
		}
		return nil
	})
	return info, err
}
