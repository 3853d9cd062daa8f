package configs

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/goccy/go-yaml"
)

// YAML is a [kong.ConfigurationLoader] of waybill.yaml: one flat mapping whose
// keys are the flags' names with underscores. A key that is no setting is an
// error, so that a misspelt one is not silently ignored.
func YAML(r io.Reader) (kong.Resolver, error) {
	values := map[string]any{}
	if err := yaml.NewDecoder(r).Decode(&values); err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("read waybill.yaml: %w", err)
	}
	return &file{values: values}, nil
}

type file struct{ values map[string]any }

// Validate implements [kong.Resolver].
func (f *file) Validate(app *kong.Application) error {
	known := map[string]bool{}
	_ = kong.Visit(app, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			known[key(flag)] = true
		}
		return next(nil)
	})
	for _, name := range slices.Sorted(maps.Keys(f.values)) {
		if !known[name] {
			return fmt.Errorf("waybill.yaml: %q is not a setting; `waybill config` lists them", name)
		}
	}
	return nil
}

// Resolve implements [kong.Resolver].
func (f *file) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	value, ok := f.values[key(flag)]
	if !ok || value == nil || inEnvironment(flag) {
		return nil, nil
	}
	if list, ok := value.([]any); ok {
		parts := make([]string, len(list))
		for i, part := range list {
			parts[i] = fmt.Sprint(part)
		}
		return strings.Join(parts, ","), nil
	}
	return fmt.Sprint(value), nil
}

// inEnvironment reports whether the environment decides a flag: kong would let
// a resolver win over it.
func inEnvironment(flag *kong.Flag) bool {
	return slices.ContainsFunc(flag.Envs, func(name string) bool {
		_, set := os.LookupEnv(name)
		return set
	})
}

func key(flag *kong.Flag) string { return strings.ReplaceAll(flag.Name, "-", "_") }
