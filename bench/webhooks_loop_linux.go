package bench

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// loop receives on all connections with one thread, which waits in epoll(7) and
// answers in order: of each message a processor sees one read and one write.
type loop struct {
	receiver *receiver
	poll     int
	listener int
	wake     int // readable when the loop is to end
	conns    map[int]*inbound
	due      []answer // in the order of their times
	buffer   [64 << 10]byte
}

// inbound is what came of a request and is not whole yet.
type inbound struct{ pending []byte }

// An answer is to be written when its time has come.
type answer struct {
	fd   int
	conn *inbound
	at   time.Time
	text string
}

// acceptInLoop has the receiver's connections served by a loop. What is returned
// ends it.
func (r *receiver) acceptInLoop() (end func() error, err error) {
	file, err := r.listener.(*net.TCPListener).File()
	if err != nil {
		return nil, fmt.Errorf("receive: %w", err)
	}
	l := &loop{receiver: r, conns: map[int]*inbound{}, listener: int(file.Fd())}
	if l.poll, err = unix.EpollCreate1(unix.EPOLL_CLOEXEC); err != nil {
		return nil, errors.Join(fmt.Errorf("receive: %w", err), file.Close())
	}
	if l.wake, err = unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK); err == nil {
		err = errors.Join(unix.SetNonblock(l.listener, true), l.watch(l.listener), l.watch(l.wake))
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("receive: %w", err), file.Close(), unix.Close(l.poll))
	}
	r.serving.Go(l.run)
	return func() error {
		_, err := unix.Write(l.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
		return errors.Join(err, r.close(), file.Close(), unix.Close(l.poll), unix.Close(l.wake))
	}, nil
}

func (l *loop) watch(fd int) error {
	return unix.EpollCtl(l.poll, unix.EPOLL_CTL_ADD, fd, &unix.EpollEvent{Events: unix.EPOLLIN | unix.EPOLLRDHUP, Fd: int32(fd)}) //nolint:gosec // descriptors are small
}

func (l *loop) run() {
	var events [256]unix.EpollEvent
	for {
		n, err := unix.EpollWait(l.poll, events[:], l.wait())
		if err != nil && !errors.Is(err, unix.EINTR) {
			return
		}
		for _, event := range events[:max(n, 0)] {
			switch fd := int(event.Fd); fd {
			case l.wake:
				l.end()
				return
			case l.listener:
				l.accept()
			default:
				l.read(fd)
			}
		}
		l.answer()
	}
}

func (l *loop) end() {
	for fd := range l.conns {
		_ = unix.Close(fd)
	}
}

// wait is how many milliseconds there are until the next answer, -1 without one.
func (l *loop) wait() int {
	if len(l.due) == 0 {
		return -1
	}
	return int(max(time.Until(l.due[0].at)+time.Millisecond-1, 0) / time.Millisecond)
}

func (l *loop) accept() {
	for {
		fd, _, err := unix.Accept4(l.listener, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
		if err != nil {
			return // there is none, or it has gone again
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		if l.watch(fd) != nil {
			_ = unix.Close(fd)
			continue
		}
		l.conns[fd] = &inbound{}
	}
}

// read takes what came on a connection, and of that the requests that are whole.
func (l *loop) read(fd int) {
	conn := l.conns[fd]
	n, err := unix.Read(fd, l.buffer[:])
	if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
		return
	}
	if n <= 0 {
		l.drop(fd)
		return
	}
	arrived := time.Now()
	conn.pending = append(conn.pending, l.buffer[:n]...)
	for {
		body, size, err := request(conn.pending)
		if err != nil {
			l.drop(fd)
			return
		}
		if size == 0 {
			return
		}
		l.take(fd, conn, body, arrived)
		conn.pending = append(conn.pending[:0], conn.pending[size:]...)
	}
}

func (l *loop) drop(fd int) {
	delete(l.conns, fd)
	_ = unix.Close(fd)
}

func (l *loop) take(fd int, conn *inbound, body []byte, arrived time.Time) {
	if l.receiver.down.Load() {
		l.due = append(l.due, answer{fd: fd, conn: conn, at: arrived, text: answerDown}) // after those that wait
		return
	}
	l.receiver.note(body, arrived)
	l.due = append(l.due, answer{fd: fd, conn: conn, at: arrived.Add(time.Duration(l.receiver.answer.Load())), text: answerOK})
}

// answer writes what is due. A partner who was asked and has gone gets nothing.
func (l *loop) answer() {
	now, done := time.Now(), 0
	for ; done < len(l.due) && !l.due[done].at.After(now); done++ {
		if a := l.due[done]; l.conns[a.fd] == a.conn {
			_, _ = unix.Write(a.fd, []byte(a.text)) // a connection that is broken is read to its end
		}
	}
	l.due = append(l.due[:0], l.due[done:]...)
}

const mostBody = 1 << 20

// request finds the body of a POST, and how long the request is with it: 0 where
// something is still missing.
func request(text []byte) (body []byte, size int, err error) {
	const line = "\r\n"
	end := bytes.Index(text, []byte(line+line))
	if end < 0 {
		return nil, 0, nil
	}
	head := text[:end+len(line)]
	length, err := strconv.Atoi(string(bytes.TrimSpace(between(head, line+"Content-Length:", line))))
	if err != nil || length < 0 || length > mostBody {
		return nil, 0, fmt.Errorf("a request without the length of its body, or with a large one: %q", head)
	}
	from := end + len(line+line)
	if len(text) < from+length {
		return nil, 0, nil
	}
	return text[from : from+length], from + length, nil
}
