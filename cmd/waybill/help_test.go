package main

import (
	"os"
	"os/exec"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/waybill-dev/waybill/configs"
)

func helpOf(t *testing.T, command ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), os.Args[0], append(command, "--help")...)
	c.Env = append(os.Environ(), "COLUMNS=80")
	text, err := c.CombinedOutput()
	if err != nil {
		t.Fatalf("%v --help: %v\n%s", command, err, text)
	}
	return string(text)
}

func TestHelpShowsACommandAndNotEverySetting(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"", "up", "serve", "node", "node run", "node user add", "orders show", "webhooks replay", "rebuild", "bench rebuild", "config"} {
		t.Run(command, func(t *testing.T) {
			t.Parallel()
			text := helpOf(t, strings.Fields(command)...)
			if lines := strings.Count(text, "\n"); lines > 100 {
				t.Errorf("help has %d lines", lines)
			}
			for line := range strings.Lines(text) {
				if utf8.RuneCountInString(strings.TrimSuffix(line, "\n")) > 80 {
					t.Errorf("wider than a terminal: %q", line)
				}
			}
			for _, want := range []string{"--data-dir", "--config", "waybill config"} {
				if !strings.Contains(text, want) {
					t.Errorf("help does not mention %s:\n%s", want, text)
				}
			}
			if strings.Contains(text, "--shop-german") {
				t.Error("help has settings that are of other commands")
			}
		})
	}
}

func TestHelpListsWhatThereIs(t *testing.T) {
	t.Parallel()
	for command, wants := range map[string][]string{
		"":     {"  up ", "  node ", "  webhooks ", "  deadletters "},
		"node": {"  node run ", "  node backup ", "  node user add "},
	} {
		text := helpOf(t, strings.Fields(command)...)
		for _, want := range wants {
			if !strings.Contains(text, want) {
				t.Errorf("%q: no %q in:\n%s", command, want, text)
			}
		}
	}
}

// Help promises it.
func TestTheFlagOfASettingIsMadeOfItsName(t *testing.T) {
	t.Parallel()
	settings, err := configs.Settings(configs.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		name, ours := strings.CutPrefix(s.Env, "WAYBILL_")
		if want := "--" + strings.ToLower(strings.ReplaceAll(name, "_", "-")); !ours || s.Flag != want {
			t.Errorf("%s is %s, want %s", s.Env, s.Flag, want)
		}
	}
}
