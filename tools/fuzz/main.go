// Command fuzz runs every fuzz target of a module for a while, one after
// another, because go test fuzzes only one at a time.
package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"time"
)

func main() {
	root := flag.String("root", ".", "folder of the module")
	packages := flag.String("packages", "./...", "packages to look for targets in")
	each := flag.Duration("time", 10*time.Second, "how long each target runs")
	flag.Parse()
	if err := run(*root, *packages, *each); err != nil {
		fmt.Fprintln(os.Stderr, "fuzz:", err)
		os.Exit(1)
	}
}

func run(root, packages string, each time.Duration) error {
	targets, err := list(root, packages)
	if err != nil {
		return err
	}
	var failed []string
	for i, t := range targets {
		fmt.Printf("%d of %d: %s %s, %s\n", i+1, len(targets), t.pkg, t.name, each)
		cmd := exec.Command("go", "test", "-run", "^$", "-fuzz", "^"+t.name+"$", "-fuzztime", each.String(), t.pkg)
		cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stdout, os.Stderr
		if cmd.Run() != nil {
			failed = append(failed, t.pkg+" "+t.name)
		}
	}
	fmt.Printf("%d targets fuzzed, %d failed\n", len(targets), len(failed))
	if len(failed) > 0 {
		return fmt.Errorf("failed: %s", strings.Join(failed, ", "))
	}
	return nil
}

type target struct{ pkg, name string }

// list asks go test for the targets. It prints the names of a package before
// the line that ends the package: "ok  \tpackage\t0.01s".
func list(root, packages string) ([]target, error) {
	cmd := exec.Command("go", "test", "-list", "^Fuzz", packages)
	cmd.Dir, cmd.Stderr = root, os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("list the targets: %w\n%s", err, out)
	}
	var targets []target
	var names []string
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "Fuzz") {
			names = append(names, line)
			continue
		}
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == "ok" {
			for _, name := range names {
				targets = append(targets, target{fields[1], name})
			}
			names = nil
		}
	}
	return targets, nil
}
