//go:build unix

package node

import (
	"io"
	"syscall"
)

// lockShared fails while another process holds the lock of the library.
func lockShared(fd uintptr) error {
	whole := syscall.Flock_t{Type: syscall.F_RDLCK, Whence: io.SeekStart}
	return syscall.FcntlFlock(fd, syscall.F_SETLK, &whole)
}
