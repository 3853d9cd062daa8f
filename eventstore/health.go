package eventstore

import (
	"log/slog"
	"sync"
)

// health tells once that the store went away and once that it is back, however
// many connections notice.
type health struct {
	logger *slog.Logger

	mu   sync.Mutex
	away int // connections without a session
}

func (h *health) lost(cause error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away++
	if h.away == 1 {
		h.logger.Warn("event store is away", "error", cause)
	}
}

func (h *health) found() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.away--
	if h.away == 0 {
		h.logger.Info("event store is back")
	}
}
