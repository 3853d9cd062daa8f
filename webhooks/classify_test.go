package webhooks_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"syscall"
	"testing"

	"github.com/waybill-dev/waybill/webhooks"
	"github.com/waybill-dev/waybill/webhooks/address"
	"github.com/waybill-dev/waybill/webhooks/delivery"
)

func TestFailuresHaveAClassThatTellsNothingAboutUs(t *testing.T) {
	t.Parallel()
	within := func(err error) error { return &url.Error{Op: "Post", URL: "https://partner.example/", Err: err} }
	dial := func(err error) error { return within(&net.OpError{Op: "dial", Net: "tcp", Err: err}) }
	for _, row := range []struct {
		err  error
		want delivery.Class
	}{
		{dial(fmt.Errorf("10.0.0.1: %w", address.ErrBlocked)), delivery.ClassBlocked},
		{dial(&net.DNSError{Err: "no such host", Name: "partner.example", IsNotFound: true}), delivery.ClassDNS},
		{dial(&net.DNSError{Err: "timeout", Name: "partner.example", IsTimeout: true}), delivery.ClassDNS},
		{dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), delivery.ClassConnect},
		{dial(os.NewSyscallError("connect", syscall.ECONNRESET)), delivery.ClassReset},
		{dial(os.ErrDeadlineExceeded), delivery.ClassConnect},
		{within(&tls.CertificateVerificationError{Err: x509.UnknownAuthorityError{}}), delivery.ClassTLS},
		{within(tls.RecordHeaderError{Msg: "first record does not look like a TLS handshake"}), delivery.ClassTLS},
		{within(&net.OpError{Op: "remote error", Err: tls.AlertError(40)}), delivery.ClassTLS},
		{within(context.DeadlineExceeded), delivery.ClassTimeout},
		{within(&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}), delivery.ClassTimeout},
		{within(&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}), delivery.ClassReset},
		{within(io.EOF), delivery.ClassReset},
		{errors.New("malformed HTTP response"), delivery.ClassReset},
	} {
		if got := webhooks.Classify(row.err); got != row.want {
			t.Errorf("%v: %s, want %s", row.err, got, row.want)
		}
	}
}
