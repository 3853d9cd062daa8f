package database

import (
	"context"
	"fmt"
	"hash/fnv"
	"net"
	"path/filepath"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// ServerConfig names a Postgres database.
type ServerConfig struct {
	// URL is postgres://user:password@host:port/database, with the settings
	// that libpq and pgx know.
	URL string
	// Connections is the most there are at once, for everything in this
	// process; zero is [DefaultConnections].
	Connections int
}

// DefaultConnections is how many connections a process has at most. More of
// them than the server has cores make nothing faster.
const DefaultConnections = 24

// Server is a Postgres database in which each of our databases is a schema.
// They share its connections.
type Server struct {
	pool   *pgxpool.Pool
	name   string // for people, without the password
	prefix string // of the schemas' names
}

const (
	connectTimeout = 5 * time.Second
	keepAlive      = 7 * time.Second
	// idleInTransaction frees what a process has locked that is stopped, or
	// that the network has lost, in milliseconds.
	idleInTransaction = "10000"
	// idleFor is how long a connection nobody needs is kept.
	idleFor = 5 * time.Minute
	// keptTexts is how many statements a connection keeps prepared.
	keptTexts = 1000
)

// Connect prepares the connections to a server and tries one.
func Connect(ctx context.Context, cfg ServerConfig) (*Server, error) {
	pool, err := pgxpool.ParseConfig(cfg.URL)
	if err != nil {
		return nil, fmt.Errorf("read the connection string of Postgres: %w", err) // pgx leaves the password out
	}
	c := pool.ConnConfig
	if c.ConnectTimeout == 0 {
		c.ConnectTimeout = connectTimeout
	}
	// A server that is gone without a word shows within half a minute.
	c.DialFunc = (&net.Dialer{KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: keepAlive, Interval: keepAlive, Count: 3}}).DialContext
	if c.RuntimeParams["application_name"] == "" {
		c.RuntimeParams["application_name"] = "waybill"
	}
	if c.RuntimeParams["idle_in_transaction_session_timeout"] == "" {
		c.RuntimeParams["idle_in_transaction_session_timeout"] = idleInTransaction
	}
	c.StatementCacheCapacity = max(c.StatementCacheCapacity, keptTexts)
	pool.MaxConns, pool.MaxConnIdleTime = DefaultConnections, idleFor
	if cfg.Connections > 0 {
		pool.MaxConns = int32(min(cfg.Connections, 10_000)) //nolint:gosec // see the bound
	}
	s := &Server{name: fmt.Sprintf("Postgres at %s, database %s, as %s", address(c), c.Database, c.User)}
	if s.pool, err = pgxpool.NewWithConfig(context.WithoutCancel(ctx), pool); err != nil {
		return nil, fmt.Errorf("prepare connections to %s: %w", s.name, err)
	}
	if err := s.Ping(ctx); err != nil {
		s.pool.Close()
		return nil, err
	}
	return s, nil
}

func address(c *pgx.ConnConfig) string {
	if strings.HasPrefix(c.Host, "/") {
		return filepath.Join(c.Host, fmt.Sprintf(".s.PGSQL.%d", c.Port))
	}
	return fmt.Sprintf("%s:%d", c.Host, c.Port)
}

// Within is the same server, with other schemas: their names have a prefix.
func (s *Server) Within(prefix string) *Server {
	return &Server{pool: s.pool, name: s.name, prefix: s.prefix + prefix}
}

// Ping asks the server whether it is there.
func (s *Server) Ping(ctx context.Context) error {
	if err := s.pool.Ping(ctx); err != nil {
		return fmt.Errorf("reach %s: %w", s.name, explained(ctx, err))
	}
	return nil
}

// String names the server, without the password.
func (s *Server) String() string { return s.name }

// Connections returns how many connections there are, how many of them are at
// work, and how many there may be.
func (s *Server) Connections() (open, busy, most int) {
	stat := s.pool.Stat()
	return int(stat.TotalConns()), int(stat.AcquiredConns()), int(stat.MaxConns())
}

// Close closes every connection. Those of its databases are closed before.
func (s *Server) Close() { s.pool.Close() }

// locked does something while no other process does the same.
func (s *Server) locked(ctx context.Context, name string, do func(context.Context) error) error {
	conn, err := s.pool.Acquire(ctx)
	if err != nil {
		return explained(ctx, err)
	}
	defer conn.Release()
	if _, err := conn.Exec(ctx, `SELECT pg_advisory_lock($1)`, lockKey(name)); err != nil {
		return fmt.Errorf("wait for other processes: %w", explained(ctx, err))
	}
	// Where this fails the connection is lost, and the lock with it.
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), connectTimeout)
		defer cancel()
		_, _ = conn.Exec(ctx, `SELECT pg_advisory_unlock($1)`, lockKey(name))
	}()
	return do(ctx)
}

// lockKey is the number of a lock: Postgres has no others.
func lockKey(name string) int64 {
	hash := fnv.New64a()
	_, _ = hash.Write([]byte("waybill " + name)) // never fails
	return int64(hash.Sum64())                   //nolint:gosec // any 64 bits
}

// schemaOf turns the name of a file into that of a schema: orders-v2.db is
// orders_v2.
func (s *Server) schemaOf(path string) string {
	base := filepath.Base(path)
	return s.prefix + strings.ReplaceAll(strings.TrimSuffix(base, filepath.Ext(base)), "-", "_")
}

func quoted(identifier string) string {
	return `"` + strings.ReplaceAll(identifier, `"`, `""`) + `"`
}
