// Command postgres sees to it that the tests have a Postgres to start: where
// none is installed it asks apt for Debian's, if it may.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := install(ctx)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "no Postgres for the tests:", err)
		os.Exit(1)
	}
}

func install(ctx context.Context) error {
	// Debian keeps it out of the PATH.
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil || len(found) > 0 {
		return err
	}
	if _, err := exec.LookPath("initdb"); err == nil {
		return nil
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("install it by hand: there is no apt-get here")
	}
	if os.Getuid() != 0 {
		return errors.New("install it by hand, as root: apt-get install postgresql")
	}
	fmt.Println("Postgres is installed once, for the tests: apt-get install postgresql")
	if apt(ctx, "install") == nil {
		return nil
	}
	if err := apt(ctx, "update"); err != nil { // the lists may be missing, or old
		return err
	}
	return apt(ctx, "install")
}

func apt(ctx context.Context, what string) error {
	args := []string{"-qq", what}
	if what == "install" {
		args = append(args, "-y", "--no-install-recommends", "postgresql")
	}
	cmd := exec.CommandContext(ctx, "apt-get", args...)
	// A server of its own is nothing the tests need.
	cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "RUNLEVEL=1")
	cmd.Stderr = os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("apt-get %s: %w", what, err)
	}
	return nil
}
