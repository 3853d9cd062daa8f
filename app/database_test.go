package app

import (
	"context"
	"log/slog"
	"net"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/database"
)

// Whoever starts the program and looks at it sees what it waits for.
func TestAStartSaysThatItWaitsForPostgres(t *testing.T) {
	t.Parallel()
	var config net.ListenConfig
	nobody, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := nobody.Addr().String()
	if err := nobody.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Second) // several attempts
	defer cancel()
	var said lines
	_, err = connect(ctx, database.ServerConfig{URL: "postgres://nobody@" + addr + "/nothing"}, slog.New(&said))
	if err == nil {
		t.Fatal("somebody answered")
	}
	if len(said) != 1 || said[0] != "the database is awaited" {
		t.Errorf("the log has %q, want one line", said)
	}
}

// lines are the messages of a log.
type lines []string

// Enabled implements [slog.Handler].
func (*lines) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements [slog.Handler].
func (l *lines) Handle(_ context.Context, record slog.Record) error {
	*l = append(*l, record.Message)
	return nil
}

// WithAttrs implements [slog.Handler].
func (l *lines) WithAttrs([]slog.Attr) slog.Handler { return l }

// WithGroup implements [slog.Handler].
func (l *lines) WithGroup(string) slog.Handler { return l }
