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

	server *exec.Cmd
	ended  chan struct{} // closed when the server has
	watch  *exec.Cmd
	alive  *os.File // the input of watch
}

// Start starts a Postgres that waits for the disk as it should, and ends it
// after the test.
func Start(tb testing.TB) *Process {
	tb.Helper()
	if programs() == "" {
		tb.Skip("no Postgres is installed: apt-get install postgresql")
	}
	p, err := prepare(true)
	if err == nil {
		err = p.Run()
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(p.end)
	return p
}

// Database makes an empty database and returns how it is reached.
func (p *Process) Database(tb testing.TB) string {
	tb.Helper()
	return makeDatabase(tb, p.url())
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

// watch ends a server and tidies up when nobody holds the other end of its
// input any more, however that came, unless it is told to let it be.
const watch = `read -r last
[ "$last" = done ] && exit
kill -QUIT "$0"
for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do kill -0 "$0" || break; sleep 0.1; done
rm -rf "$1"`

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
	const patience = time.Minute
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	for {
		if err := p.launch(); err != nil {
			return err
		}
		err := p.answers(ctx)
		if !errors.Is(err, errEnded) {
			return err
		}
		// What is left of one that was killed takes a moment to be gone.
		p.letBe()
	}
}

func (p *Process) launch() error {
	args := []string{
		"-D", p.data(), "-k", p.dir, "-p", strconv.Itoa(p.port),
		"-c", "listen_addresses=127.0.0.1", "-c", "max_connections=300", "-c", "shared_buffers=64MB", "-c", "max_wal_size=256MB",
	}
	if !p.sync {
		args = append(args, "-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off")
	}
	log, err := os.OpenFile(p.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	p.server = p.command(filepath.Join(programs(), "postgres"), args...)
	p.server.Stdout, p.server.Stderr = log, log
	if err := p.server.Start(); err != nil {
		return err
	}
	server, ended := p.server, make(chan struct{})
	p.ended = ended
	go func() { defer close(ended); _ = server.Wait() }()
	read, write, err := os.Pipe()
	if err != nil {
		return err
	}
	defer read.Close()
	p.watch, p.alive = p.command("sh", "-c", watch, strconv.Itoa(server.Process.Pid), p.dir), write
	p.watch.Stdin = read
	return p.watch.Start()
}

var errEnded = errors.New("the server has ended")

func (p *Process) log() string { return filepath.Join(p.dir, "log") }

func (p *Process) answers(ctx context.Context) error {
	for {
		conn, err := pgx.Connect(ctx, p.url())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-p.ended:
			if ctx.Err() == nil {
				return errEnded
			}
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			log, _ := os.ReadFile(p.log())
			return fmt.Errorf("Postgres does not answer: %w\n%s", err, log)
		}
	}
}

// url reaches the server through its socket.
func (p *Process) url() string {
	query := url.Values{"host": {p.dir}, "port": {strconv.Itoa(p.port)}}
	return "postgres://waybill@/postgres?" + query.Encode()
}

// Kill ends the server and everything it started at once, as a power cut does:
// nothing is answered or written any more.
func (p *Process) Kill() error {
	pid := p.server.Process.Pid
	// A server that stands still starts nothing more.
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		return fmt.Errorf("stop Postgres: %w", err)
	}
	for _, child := range childrenOf(pid) {
		_ = syscall.Kill(child, syscall.SIGKILL) // it may have ended by itself
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		return fmt.Errorf("kill Postgres: %w", err)
	}
	p.letBe()
	return nil
}

// childrenOf finds the processes that a process started. Where there is no
// /proc there are none, and they end by themselves a moment later.
func childrenOf(pid int) (children []int) {
	files, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, file := range files {
		stat, err := os.ReadFile(file)
		if err != nil {
			continue // it has ended meanwhile
		}
		// pid (name) state parent; a name may have any characters.
		fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
		if len(fields) < 2 || fields[1] != strconv.Itoa(pid) {
			continue
		}
		if child, err := strconv.Atoi(filepath.Base(filepath.Dir(file))); err == nil {
			children = append(children, child)
		}
	}
	return children
}

// letBe waits for a server that ends, and ends who watches it.
func (p *Process) letBe() {
	<-p.ended
	_, _ = p.alive.WriteString("done\n")
	_ = p.alive.Close()
	_ = p.watch.Wait()
}

func (p *Process) end() {
	if p.alive.Close() == nil {
		_ = p.watch.Wait()
	}
	_ = os.RemoveAll(p.dir)
}
