package configs

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

// Setting is one setting as documentation shows it.
type Setting struct {
	Key     string `json:"key"` // in waybill.yaml
	Flag    string `json:"flag"`
	Env     string `json:"env"`
	Default string `json:"default"`
	Help    string `json:"help"`
	Value   string `json:"value"` // in force; secrets are hidden
}

// Settings lists every setting in the order of [Config], with the values of c.
func Settings(c Config) ([]Setting, error) {
	shown := c
	parser, err := kong.New(&shown, kong.Name("waybill"))
	if err != nil {
		return nil, fmt.Errorf("describe the settings: %w", err)
	}
	var settings []Setting
	for _, flag := range parser.Model.Flags {
		if flag.Name == "help" {
			continue
		}
		settings = append(settings, Setting{
			Key: key(flag), Flag: "--" + flag.Name, Env: strings.Join(flag.Envs, ","),
			Default: flag.Default, Help: flag.Help, Value: valueOf(flag),
		})
	}
	return settings, nil
}

func valueOf(flag *kong.Flag) string {
	value := flag.Target.Interface()
	text := strings.Join(strings.Fields(strings.Trim(fmt.Sprint(value), "[]")), ",")
	if text == "" {
		return ""
	}
	switch flag.Name {
	case "admin-key", "master-key", "stripe-key", "stripe-webhook-secret", "node-admin-password", "node-ops-password", "effects-smtp-password":
		return "***"
	}
	return Redacted(text) // any URL may have a password in it
}

// Document renders settings as a waybill.yaml with every setting, its meaning
// and its default; what differs from the default is set, the rest is commented
// out.
func Document(settings []Setting) string {
	var b strings.Builder
	b.WriteString("# Settings of Waybill. A flag beats the environment, which beats this file.\n")
	for _, s := range settings {
		fmt.Fprintf(&b, "\n# %s\n# %s, %s\n", s.Help, s.Flag, s.Env)
		fmt.Fprintf(&b, "# %s: %s\n", s.Key, quoted(s.Default))
	}
	return b.String()
}

func quoted(value string) string {
	if strings.Contains(value, ",") {
		return "[" + strings.ReplaceAll(value, ",", ", ") + "]"
	}
	if value == "" {
		return `""`
	}
	return value
}
