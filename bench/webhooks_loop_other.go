//go:build !linux

package bench

// acceptInLoop has the receiver's connections served. What is returned ends it.
func (r *receiver) acceptInLoop() (end func() error, err error) {
	r.serving.Go(r.accept)
	return r.close, nil
}
