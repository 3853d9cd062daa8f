package main

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// certificate writes one that is its own authority, for 127.0.0.1.
func certificate(t *testing.T) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	encoded, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(t.TempDir(), "node.crt"), filepath.Join(t.TempDir(), "node.key")
	for file, block := range map[string]*pem.Block{cert: {Type: "CERTIFICATE", Bytes: der}, key: {Type: "EC PRIVATE KEY", Bytes: encoded}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

// runNode runs the node until stop, and returns what it printed when it
// listened.
func runNode(t *testing.T, args ...string) (printed string, stop func()) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
	r, w := io.Pipe()
	done := make(chan int, 1)
	var errOut bytes.Buffer
	go func() {
		done <- run(ctx, args, w, &errOut)
		_ = w.Close()
	}()
	buf := make([]byte, 16<<10)
	n, err := r.Read(buf)
	if err != nil {
		cancel()
		t.Fatalf("it ended with %d: %s", <-done, errOut.String())
	}
	return string(buf[:n]), func() {
		cancel()
		if code := <-done; code != exitDone {
			t.Errorf("it ended with %d: %s", code, errOut.String())
		}
	}
}

func TestTheFirstSecureStartShowsItsPasswordsOnce(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	start := []string{"node", "--data", t.TempDir(), "--addr", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key}
	printed, stop := runNode(t, start...)
	address := regexp.MustCompile(`esdb://(\S+)\?tls=true`).FindStringSubmatch(printed)
	passwords := regexp.MustCompile(`account +(admin|ops) +password (\S{20,})`).FindAllStringSubmatch(printed, -1)
	if len(address) != 2 || len(passwords) != 2 {
		stop()
		t.Fatalf("printed %q", printed)
	}
	as := func(login, password string) []string {
		return []string{"--eventstore", "esdb://" + login + ":" + password + "@" + address[1] + "?tlsCaFile=" + cert}
	}
	admin := as("admin", passwords[0][2])
	ends(t, exitDone, append([]string{"node", "user", "add", "shop", "--group", "$admins", "--password", "shop-password"}, admin...)...)
	for name, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"list":                  {append([]string{"node", "user", "list"}, as("shop", "shop-password")...), exitDone, "shop   enabled  $admins"},
		"list with a wrong one": {append([]string{"node", "user", "list"}, as("shop", "wrong-password")...), exitFailed, "password in the connection string is wrong"},
		"the same files":        {[]string{"node", "user", "list", "--data-dir", start[2]}, exitFailed, "name it with --eventstore"},
	} {
		if text := ends(t, row.code, row.args...); !strings.Contains(text, row.want) {
			t.Errorf("%s: %s", name, text)
		}
	}
	ends(t, exitDone, append([]string{"node", "user", "disable", "shop"}, admin...)...)
	ends(t, exitFailed, append([]string{"node", "user", "list"}, as("shop", "shop-password")...)...)
	ends(t, exitDone, append([]string{"node", "user", "enable", "shop"}, admin...)...)
	ends(t, exitDone, append([]string{"node", "user", "list"}, as("shop", "shop-password")...)...)
	stop()
	printed, stop = runNode(t, start...)
	stop()
	if strings.Contains(printed, "password ") {
		t.Errorf("the second start printed %q", printed)
	}
	// Who has the files needs no password.
	if text := ends(t, exitDone, "node", "user", "passwd", "admin", "--data-dir", start[2]); !strings.Contains(text, "password ") {
		t.Errorf("passwd printed %q", text)
	}
}

// TestEventsOfANodeWithTLSMove: the data folder alone does not say how to reach
// it, and nobody waits for what cannot come.
func TestEventsOfANodeWithTLSMove(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	dir, file := t.TempDir(), filepath.Join(t.TempDir(), "file")
	someEvents(t, dir)
	printed, stop := runNode(t, "node", "--data", dir, "--addr", "127.0.0.1:0", "--tls-cert", cert, "--tls-key", key, "--node-admin-password", "admin-password")
	defer stop()
	address := regexp.MustCompile(`esdb://(\S+)\?tls=true`).FindStringSubmatch(printed)
	if len(address) != 2 {
		t.Fatalf("printed %q", printed)
	}
	for _, args := range [][]string{{"export", file}, {"import", cert}} {
		text := ends(t, exitFailed, "node", args[0], "--data", dir, args[1])
		if !strings.Contains(text, "another process serves the data directory") || !strings.Contains(text, "which was not reached") || !strings.Contains(text, "--eventstore 'esdb://LOGIN:PASSWORD@"+address[1]+"?tlsCaFile=FILE'") {
			t.Errorf("%s: %s", args[0], text)
		}
	}
	for login, row := range map[string]struct {
		code int
		want string
	}{
		"":                      {exitFailed, "ccess"},
		"admin:wrong-password@": {exitFailed, "nauthenticated"},
		"admin:admin-password@": {exitDone, "exported"},
	} {
		text := ends(t, row.code, "node", "export", "--eventstore", "esdb://"+login+address[1]+"?tlsCaFile="+cert, file+login)
		if !strings.Contains(text, row.want) {
			t.Errorf("as %q: %s", login, text)
		}
	}
	text := ends(t, exitDone, "node", "import", "--eventstore", "esdb://admin:admin-password@"+address[1]+"?tlsCaFile="+cert, file+"admin:admin-password@")
	if !strings.Contains(text, "imported  20 events") {
		t.Errorf("import: %s", text)
	}
}

func TestWithoutTLSOthersAreNotServed(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t)
	for name, row := range map[string]struct {
		args []string
		code int
		want string
	}{
		"node":                       {[]string{"node", "--addr", "0.0.0.0:0"}, exitFailed, "--tls-cert"},
		"node at every address":      {[]string{"node", "--addr", ":0"}, exitFailed, "--tls-cert"},
		"serve":                      {[]string{"serve", "--node-addr", "0.0.0.0:0"}, exitFailed, "--tls-cert"},
		"serve with a certificate":   {[]string{"serve", "--node-tls-cert", cert, "--node-tls-key", key}, exitFailed, "waybill node"},
		"a certificate without key":  {[]string{"node", "--tls-cert", cert}, exitUsage, "node-tls-cert"},
		"no certificate in the file": {[]string{"node", "--addr", "127.0.0.1:0", "--tls-cert", key, "--tls-key", key}, exitFailed, "read the node's certificate"},
		"no such file":               {[]string{"node", "--addr", "127.0.0.1:0", "--tls-cert", "nowhere", "--tls-key", key}, exitFailed, "nowhere"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			args := append(row.args, "--data-dir", t.TempDir(), "--http-addr", "127.0.0.1:0")
			if text := ends(t, row.code, args...); !strings.Contains(text, row.want) {
				t.Errorf("printed %s", text)
			}
		})
	}
}
