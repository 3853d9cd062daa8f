package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net/rpc"
	"os/exec"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// elsewhere is a receiver in a process of its own, which gets the processors
// that nobody else wants: a partner who catches up has a machine of its own, and
// what it does with thousands of messages in a second is not in the way of those
// who are measured beside it.
type elsewhere struct {
	url     string
	control *rpc.Client
	process *exec.Cmd
	failed  sync.Once
	err     error // the first one; what it has received is not known since
}

// Account is what a receiver elsewhere has received. See receiver.
type Account struct {
	Count, Others, Swapped, Repeats int
	First, Latest                   time.Time
}

// Remote is how a receiver elsewhere is told what to do, with net/rpc.
type Remote struct{ receiver *receiver }

// Account tells what came.
func (r *Remote) Account(_ bool, account *Account) error {
	account.Count, account.Others = r.receiver.counts()
	account.First, account.Latest = r.receiver.span()
	account.Swapped, account.Repeats = r.receiver.outOfOrder(), r.receiver.repeated()
	return nil
}

// Down has everything answered with 503, or no more.
func (r *Remote) Down(down bool, _ *bool) error {
	r.receiver.down.Store(down)
	return nil
}

const remote = "Remote"

// ServeReceiver receives until in ends. It says first, in a line, at which URL,
// and then what it is asked.
func ServeReceiver(in io.ReadCloser, out io.Writer, answer time.Duration) error {
	debug.SetGCPercent(rarely)
	r, err := newReceiver(neighbours, answer)
	if err != nil {
		return err
	}
	r.live, r.appends = liveType, newAppends() // what it gets is no live traffic
	server := rpc.NewServer()
	if err := server.RegisterName(remote, &Remote{r}); err != nil {
		return errors.Join(err, r.close())
	}
	end, err := r.acceptInLoop()
	if err != nil {
		return errors.Join(err, r.close())
	}
	if _, err := fmt.Fprintln(out, r.url); err != nil {
		return errors.Join(err, end())
	}
	server.ServeConn(duplex{in, out, in})
	return end()
}

// duplex is two pipes to and from another process.
type duplex struct {
	io.Reader
	io.Writer
	io.Closer
}

// startElsewhere starts a receiver by the command that makes one.
func startElsewhere(binary string, answer time.Duration) (*elsewhere, error) {
	process := exec.Command(binary, "bench-receiver", "--answer", answer.String()) //nolint:gosec,noctx // our own program, which ends with its standard input
	in, err := process.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := process.StdoutPipe()
	if err == nil {
		err = process.Start()
	}
	if err != nil {
		return nil, fmt.Errorf("start a receiver: %w", err)
	}
	lines := bufio.NewReader(out)
	url, err := lines.ReadString('\n')
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start a receiver: %w", err), in.Close(), process.Wait())
	}
	return &elsewhere{url: strings.TrimSpace(url), control: rpc.NewClient(duplex{lines, in, in}), process: process}, nil
}

func (e *elsewhere) ask(method string, in bool, out any) {
	if err := e.control.Call(remote+"."+method, in, out); err != nil {
		e.failed.Do(func() { e.err = fmt.Errorf("ask a receiver: %w", err) })
	}
}

func (e *elsewhere) account() (account Account) {
	e.ask("Account", false, &account)
	return account
}

func (e *elsewhere) goDown(down bool) { e.ask("Down", down, new(bool)) }

// received is how much of the past came.
func (e *elsewhere) received() int { return e.account().Others }

func (e *elsewhere) span() (first, last time.Time) {
	account := e.account()
	return account.First, account.Latest
}

// close ends the process.
func (e *elsewhere) close() error {
	return errors.Join(e.err, e.control.Close(), e.process.Wait())
}
