// Command debian sees to it that a program is there that tests start: where it
// is missing it asks apt for Debian's package, if it may.
//
//	debian PACKAGE[,PACKAGE...] PROGRAM [PATTERN]
//
// The program is looked for on the PATH, and then by the pattern of a path,
// because Debian keeps some out of it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
)

func main() {
	if len(os.Args) < 3 || len(os.Args) > 4 {
		fmt.Fprintln(os.Stderr, "usage: debian PACKAGE[,PACKAGE...] PROGRAM [PATTERN]")
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := install(ctx, strings.Split(os.Args[1], ","), os.Args[2], os.Args[3:])
	stop()
	if err != nil {
		fmt.Fprintf(os.Stderr, "no %s for the tests: %v\n", os.Args[2], err)
		os.Exit(1)
	}
}

func install(ctx context.Context, packages []string, program string, patterns []string) error {
	if _, err := exec.LookPath(program); err == nil {
		return nil
	}
	for _, pattern := range patterns {
		if found, err := filepath.Glob(pattern); err != nil || len(found) > 0 {
			return err
		}
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return errors.New("install it by hand: there is no apt-get here")
	}
	if os.Getuid() != 0 {
		return errors.New("install it by hand, as root: apt-get install " + strings.Join(packages, " "))
	}
	fmt.Println("Installed once, for the tests: apt-get install", strings.Join(packages, " "))
	if apt(ctx, "install", packages...) == nil {
		return nil
	}
	if err := apt(ctx, "update"); err != nil { // the lists may be missing, or old
		return err
	}
	return apt(ctx, "install", packages...)
}

func apt(ctx context.Context, what string, names ...string) error {
	args := []string{"-qq", what}
	if what == "install" {
		args = append(append(args, "-y", "--no-install-recommends"), names...)
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
