package databasetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// Process is a Postgres of its own, for tests that kill it.
type Process struct {
	dir  string // data below it, and the socket in it
	port int
	as   *syscall.Credential // Postgres refuses to run as root
	sync bool

	alive *os.File // the process ends when this is closed, at the latest with us
	shell *exec.Cmd
}

// Start starts a Postgres that waits for the disk as it should, and ends it
// after the test.
func Start(t testing.TB) *Process {
	t.Helper()
	if programs() == "" {
		t.Skip("no Postgres is installed: apt-get install postgresql")
	}
	p, err := prepare(true)
	if err == nil {
		err = p.Run()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.end)
	return p
}

// Database makes an empty database and returns how it is reached.
func (p *Process) Database(t testing.TB) string {
	t.Helper()
	return makeDatabase(t, p.url())
}

// start starts a server that is thrown away: it need not wait for the disk.
func start() (*Process, error) {
	p, err := prepare(false)
	if err != nil {
		return nil, err
	}
	return p, p.Run()
}

// programs is the folder of Postgres's programs; empty where there is none.
func programs() string {
	if path, err := exec.LookPath("initdb"); err == nil {
		if path, err = filepath.EvalSymlinks(path); err == nil {
			return filepath.Dir(path)
		}
	}
	// Debian keeps them out of the PATH, a folder per version.
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(found[len(found)-1])
}

func prepare(sync bool) (*Process, error) {
	p := &Process{sync: sync}
	var err error
	if p.as, err = unprivileged(); err != nil {
		return nil, err
	}
	if p.dir, err = os.MkdirTemp("", "waybill-postgres-"); err != nil {
		return nil, err
	}
	if p.as != nil {
		if err := os.Chown(p.dir, int(p.as.Uid), int(p.as.Gid)); err != nil {
			return nil, err
		}
	}
	// The order of a language shows who relies on the order of a database; not
	// every build knows languages.
	err = p.initialise("--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en")
	if err != nil {
		err = p.initialise("--no-locale")
	}
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(p.dir))
	}
	return p, nil
}

// unprivileged is somebody else where we are root.
func unprivileged() (*syscall.Credential, error) {
	if os.Getuid() != 0 {
		return nil, nil
	}
	var errs []error
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
	}
	return nil, errors.Join(errs...)
}

func (p *Process) data() string { return filepath.Join(p.dir, "data") }

func (p *Process) command(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Dir = p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.as, Setpgid: true}
	return cmd
}

func (p *Process) initialise(locale ...string) error {
	args := append([]string{"-D", p.data(), "-U", "waybill", "-E", "UTF8", "-A", "trust", "--no-sync", "--no-instructions"}, locale...)
	if out, err := p.command(filepath.Join(programs(), "initdb"), args...).CombinedOutput(); err != nil {
		_ = os.RemoveAll(p.data())
		return fmt.Errorf("initdb: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

// watch runs a server until nobody holds the other end of its input any more,
// however that came, and then tidies up if it is told to.
const watch = `"$0" "$@" & server=$!
read -r last
kill -QUIT $server 2>/dev/null
wait $server
[ "$last" = stay ] || rm -rf "$PWD"`

// Run starts the server, again after [Process.Kill], and waits until it
// answers. It has the same address each time.
func (p *Process) Run() error {
	if p.port == 0 {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		p.port = listener.Addr().(*net.TCPAddr).Port
		_ = listener.Close()
	}
	args := []string{
		"-c", watch, filepath.Join(programs(), "postgres"), "-D", p.data(), "-k", p.dir, "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-c", "shared_buffers=64MB", "-c", "max_wal_size=256MB",
	}
	if !p.sync {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	defer read.Close()
	p.shell, p.alive = p.command("sh", args...), write
	p.shell.Stdin, p.shell.Stdout, p.shell.Stderr = read, log, log
	if err := p.shell.Start(); err != nil {
		return err
	}
	return p.answers()
}

func (p *Process) answers() error {
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		conn, err := pgx.Connect(ctx, p.url())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			log, _ := os.ReadFile(filepath.Join(p.dir, "log"))
			return fmt.Errorf("Postgres does not answer: %w\n%s", err, log)
		}
	}
}

// url reaches the server through its socket.
func (p *Process) url() string {
	query := url.Values{"host": {p.dir}, "port": {strconv.Itoa(p.port)}}
	return "postgres://waybill@/postgres?" + query.Encode()
}

// Kill ends the server and everything it started at once, as a power cut does.
func (p *Process) Kill() error {
	first, err := os.ReadFile(filepath.Join(p.data(), "postmaster.pid"))
	if err != nil {
		return err
	}
	line, _, _ := strings.Cut(string(first), "\n")
	pid, err := strconv.Atoi(line)
	if err != nil {
		return err
	}
	// All are in one group with the shell that watches.
	if err := syscall.Kill(-p.shell.Process.Pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill Postgres %d: %w", pid, err)
	}
	_ = p.shell.Wait()
	return p.alive.Close()
}

func (p *Process) end() {
	if p.alive.Close() == nil {
		_ = p.shell.Wait()
	}
	_ = os.RemoveAll(p.dir)
}
