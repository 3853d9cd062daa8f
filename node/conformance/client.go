package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const clientPath = "github.com/EventStore/EventStore-Client-Go/v4"

// harness takes the place of the client's own, which starts containers.
//
//go:embed testdata/containers_test.go
var harness []byte

// prepare copies the client into dir, with our harness and with certificates,
// and returns where the copy is.
func prepare(ctx context.Context, dir string) (module string, err error) {
	source, err := downloaded(ctx)
	if err != nil {
		return "", err
	}
	module = filepath.Join(dir, "client")
	if err := os.CopyFS(module, os.DirFS(source)); err != nil {
		return "", fmt.Errorf("copy the client: %w", err)
	}
	if err := os.WriteFile(filepath.Join(module, "esdb", "containers_test.go"), harness, 0o600); err != nil {
		return "", fmt.Errorf("replace the client's harness: %w", err)
	}
	if err := writeCertificates(filepath.Join(module, "certs")); err != nil {
		return "", fmt.Errorf("make certificates: %w", err)
	}
	return module, nil
}

// downloaded is where the module cache has the version of the client that this
// module requires.
func downloaded(ctx context.Context) (string, error) {
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", clientPath)
	cmd.Stderr = os.Stderr
	out, failed := cmd.Output()
	var module struct{ Dir, Error string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", fmt.Errorf("find the client's module: %w", errors.Join(failed, err))
	}
	if failed != nil || module.Dir == "" {
		return "", fmt.Errorf("find the client's module: %s: %w", module.Error, failed)
	}
	return module.Dir, nil
}
