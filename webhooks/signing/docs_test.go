package signing_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks/signing"
)

// snippet returns the program of the partners' document in a language.
func snippet(t *testing.T, language string) []byte {
	t.Helper()
	text, err := os.ReadFile("../../docs/webhooks.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, found := bytes.Cut(text, []byte("```"+language+"\n"))
	program, _, closed := bytes.Cut(rest, []byte("```"))
	if !found || !closed {
		t.Fatalf("the document has no program in %s", language)
	}
	return program
}

func TestDocumentedGoCompiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	path := filepath.Join(dir, "main.go")
	if err := os.WriteFile(path, snippet(t, "go"), 0o600); err != nil {
		t.Fatal(err)
	}
	compile(t, "go", "build", "-o", filepath.Join(dir, "receiver"), path)
}

func TestDocumentedJavaScriptVerifies(t *testing.T) {
	t.Parallel()
	dir := nodeWith(t, "standardwebhooks@1.1.1")
	runDocumented(t, dir, "receiver.mjs", snippet(t, "js"), "node")
}

func TestDocumentedPythonVerifies(t *testing.T) {
	t.Parallel()
	installed(t, "python3")
	runDocumented(t, t.TempDir(), "receiver.py", snippet(t, "python"), "env", "PYTHONPATH="+library(t, "python"), "python3")
}

func TestDocumentedPHPVerifies(t *testing.T) {
	t.Parallel()
	installed(t, "php")
	dir := t.TempDir()
	loading := fmt.Sprintf("<?php require '%s';", library(t, "php", "init.php"))
	err := os.Mkdir(filepath.Join(dir, "vendor"), 0o700)
	if err = errors.Join(err, os.WriteFile(filepath.Join(dir, "vendor", "autoload.php"), []byte(loading), 0o600)); err != nil {
		t.Fatal(err)
	}
	runDocumented(t, dir, "receiver.php", snippet(t, "php"), "php", "-S", "127.0.0.1:"+portMark)
}

func TestDocumentedRubyVerifies(t *testing.T) {
	t.Parallel()
	installed(t, "ruby", "-e", `require "rack"; require "webrick"`)
	runDocumented(t, t.TempDir(), "config.ru", snippet(t, "ruby"),
		"env", "RUBYLIB="+library(t, "ruby", "lib"), "rackup", "-q", "-s", "webrick", "-o", "127.0.0.1", "-p", portMark)
}

// The library is compiled as its pom.xml has it compiled for Java 11 and later.
func TestDocumentedJavaVerifies(t *testing.T) {
	t.Parallel()
	installed(t, "javac", "-version")
	classes := t.TempDir()
	sources := library(t, "java", "src", "main")
	args := []string{"-d", classes, filepath.Join(sources, "java11", "com", "standardwebhooks", "Webhook.java")}
	for _, name := range []string{"WebhookBase.java", "exceptions/WebhookSigningException.java", "exceptions/WebhookVerificationException.java"} {
		args = append(args, filepath.Join(sources, "java", "com", "standardwebhooks", filepath.FromSlash(name)))
	}
	compile(t, "javac", args...)
	runDocumented(t, t.TempDir(), "Receiver.java", snippet(t, "java"), "java", "-cp", classes)
}

// Mono's compiler takes what .NET's does, and HttpListener is in both.
func TestDocumentedCSharpVerifies(t *testing.T) {
	t.Parallel()
	installed(t, "mcs")
	installed(t, "mono")
	dir := t.TempDir()
	args := []string{"-out:" + filepath.Join(dir, "StandardWebhooks.dll"), "-target:library"}
	for _, name := range []string{"Webhook.cs", "Utils.cs", "Exceptions/WebhookVerificationException.cs"} {
		args = append(args, library(t, "csharp", "StandardWebhooks", filepath.FromSlash(name)))
	}
	compile(t, "mcs", args...)
	source := filepath.Join(dir, "Receiver.cs")
	if err := os.WriteFile(source, snippet(t, "csharp"), 0o600); err != nil {
		t.Fatal(err)
	}
	compile(t, "mcs", "-out:"+filepath.Join(dir, "Receiver.exe"), "-lib:"+dir, "-r:StandardWebhooks.dll", source)
	runDocumented(t, dir, "Receiver.exe", nil, "mono")
}

func compile(t *testing.T, compiler string, args ...string) {
	t.Helper()
	if out, err := exec.CommandContext(t.Context(), compiler, args...).CombinedOutput(); err != nil { //nolint:gosec // one of the above
		t.Fatalf("%v\n%s", err, out)
	}
}

// installed skips a test where a program is missing, or what it needs is.
func installed(t *testing.T, program string, args ...string) {
	t.Helper()
	if len(args) == 0 {
		args = []string{"--version"}
	}
	if err := exec.CommandContext(t.Context(), program, args...).Run(); err != nil { //nolint:gosec // one of the above
		t.Skipf("skipping a verifier: %s %s: %v", program, strings.Join(args, " "), err)
	}
}

// library is a path in the sources of the Standard Webhooks libraries: those of
// all languages lie in the module that ours come from.
func library(t *testing.T, path ...string) string {
	t.Helper()
	dir, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/standard-webhooks/standard-webhooks/libraries").Output()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Join(append([]string{strings.TrimSpace(string(dir))}, path...)...)
}

// portMark stands for the port among the arguments of a receiver.
const portMark = "PORT"

// runDocumented starts a documented receiver and sends it a signed message, and
// one that was changed on the way.
func runDocumented(t *testing.T, dir, file string, program []byte, with string, args ...string) {
	t.Helper()
	if program != nil { // it is not compiled
		if err := os.WriteFile(filepath.Join(dir, file), program, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var config net.ListenConfig
	free, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	_ = free.Close()
	_, port, _ := net.SplitHostPort(addr)
	s := secret(t)
	ctx, cancel := context.WithCancel(t.Context())
	for i := range args {
		args[i] = strings.ReplaceAll(args[i], portMark, port)
	}
	receiver := exec.CommandContext(ctx, with, append(args, file)...) //nolint:gosec // a program of our own document
	receiver.Dir, receiver.Env = dir, append(os.Environ(), "WEBHOOK_SECRET="+s.Text(), "PORT="+port)
	var out bytes.Buffer
	receiver.Stdout, receiver.Stderr = &out, &out
	if err := receiver.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cancel(); _ = receiver.Wait() })
	body := `{"id":"m1","type":"order.placed","aggregate":{"type":"order","id":"o1"},"sequence":1,"previous":null,"data":{"title":"Tasse „blau“ ☕"}}`
	for sent, want := range map[string]int{body: http.StatusNoContent, body + " ": http.StatusUnauthorized} {
		if got := postSigned(t, "http://"+addr+"/waybill", s, body, sent); got != want {
			t.Errorf("%s answers %d, want %d", file, got, want)
		}
	}
}

// postSigned signs one body and sends another.
func postSigned(t *testing.T, url string, s signing.Secret, signed, sent string) int {
	t.Helper()
	var last error
	for range 300 {
		at := time.Now() //nolint:forbidigo // the library compares with the real time
		request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(sent))
		if err != nil {
			t.Fatal(err)
		}
		request.Header.Set(signing.HeaderID, "m1")
		request.Header.Set(signing.HeaderTimestamp, strconv.FormatInt(at.Unix(), 10))
		request.Header.Set(signing.HeaderSignature, s.Sign("m1", at, []byte(signed)))
		response, err := http.DefaultClient.Do(request)
		if err == nil {
			_ = response.Body.Close()
			return response.StatusCode
		}
		last = err
		time.Sleep(100 * time.Millisecond) // it is starting
	}
	t.Fatal(fmt.Errorf("the receiver did not start: %w", last))
	return 0
}
