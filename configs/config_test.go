package configs_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alecthomas/kong"
	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/configs"
)

var update = flag.Bool("update", false, "write waybill.yaml")

func parse(t *testing.T, yaml string, args ...string) (configs.Config, error) {
	t.Helper()
	var cfg configs.Config
	path := filepath.Join(t.TempDir(), "waybill.yaml")
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	parser, err := kong.New(&cfg, kong.Configuration(configs.YAML, path))
	if err != nil {
		return cfg, err
	}
	_, err = parser.Parse(args)
	return cfg, err
}

func TestAFlagBeatsTheEnvironmentWhichBeatsTheFile(t *testing.T) {
	file := "http_addr: 127.0.0.1:1\nnode_addr: 127.0.0.1:1\nsandbox_addr: 127.0.0.1:1\nwebhooks_schedule: [1s, 2s]\n"
	t.Setenv("WAYBILL_HTTP_ADDR", "127.0.0.1:2")
	t.Setenv("WAYBILL_NODE_ADDR", "127.0.0.1:2")
	cfg, err := parse(t, file, "--http-addr", "127.0.0.1:3")
	if err != nil {
		t.Fatal(err)
	}
	got := []string{cfg.HTTPAddr, cfg.NodeAddr, cfg.SandboxAddr}
	if diff := cmp.Diff([]string{"127.0.0.1:3", "127.0.0.1:2", "127.0.0.1:1"}, got); diff != "" {
		t.Errorf("addresses (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]time.Duration{time.Second, 2 * time.Second}, cfg.Webhooks.Schedule); diff != "" {
		t.Errorf("schedule (-want +got):\n%s", diff)
	}
}

func TestABadFileIsAClearError(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct{ yaml, want string }{
		"an unknown key":        {"htp_addr: x\n", `"htp_addr" is not a setting`},
		"not a mapping":         {"- a\n", "read waybill.yaml"},
		"a value of wrong type": {"webhooks_in_flight: many\n", "webhooks-in-flight"},
		"a value out of range":  {"log_level: loud\n", "log-level"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if _, err := parse(t, c.yaml); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error = %v, want one that contains %q", err, c.want)
			}
		})
	}
}

func TestValidateNamesEveryMistakeAtOnce(t *testing.T) {
	t.Parallel()
	cfg, err := parse(t, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := cfg.Validate(); err != nil {
		t.Fatalf("the defaults are refused: %v", err)
	}
	cfg.HTTPAddr, cfg.EventStore, cfg.AdminKey = "nowhere", "http://user:secret@x", "short"
	cfg.Database, cfg.Webhooks.InFlight, cfg.MaxBodyBytes, cfg.MaxBulkBytes = "mysql://x", 65, 1, 1
	cfg.Tasks.Workers, cfg.Tasks.Every, cfg.ProjectionsPartitions = 257, 0, 65
	cfg.Warehouse = "ftp://user:secret@x"
	cfg.Webhooks.Schedule, cfg.PprofAddr = []time.Duration{0}, "0.0.0.0:6060"
	cfg.Gateways, cfg.Gateway = []string{"paypal", "stripe"}, configs.Gateway{}
	cfg.Stripe = configs.Stripe{Key: "pk_secret", WebhookSecret: "secret", URL: "http://stripe.example"}
	cfg.Node = configs.Node{TLSCert: "node.crt", Advertise: "nowhere", AdminPassword: "secret1", OpsPassword: "secret2", ScavengeEvery: time.Second}
	err = cfg.Validate()
	for _, want := range []string{"http-addr", "eventstore", "admin-key", "database", "webhooks-in-flight", "max-body-bytes", "max-bulk-bytes", "projections-partitions", "tasks-workers", "tasks-every", "warehouse", "webhooks-schedule", "pprof-addr", "node-tls-cert", "node-advertise", "node-admin-password", "node-ops-password", "node-scavenge-every", "node-max-append-bytes", "node-min-free-bytes", "node-max-groups", "gateways", "gateway-failures", "gateway-pause", "stripe-key", "stripe-webhook-secret", "stripe-url"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not name %s: %v", want, err)
		}
	}
	if cfg.Database, cfg.ProjectionsPartitions = "", 2; !strings.Contains(fmt.Sprint(cfg.Validate()), "a SQLite file has one writer") {
		t.Errorf("read models in parts on SQLite: %v", cfg.Validate())
	}
	if err != nil && regexp.MustCompile(`pk_secret|"secret|secret1|secret2`).MatchString(err.Error()) {
		t.Errorf("error shows a password: %v", err)
	}
}

func TestSettingsInJSONAreNamedAsEverythingElse(t *testing.T) {
	t.Parallel()
	got, err := json.Marshal(configs.Setting{Key: "http_addr", Flag: "--http-addr", Env: "WAYBILL_HTTP_ADDR", Default: "a", Help: "b", Value: "c"})
	if err != nil {
		t.Fatal(err)
	}
	want := `{"key":"http_addr","flag":"--http-addr","env":"WAYBILL_HTTP_ADDR","default":"a","help":"b","value":"c"}`
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("a setting (-want +got):\n%s", diff)
	}
}

func TestWaybillYAMLListsEverySetting(t *testing.T) {
	t.Parallel()
	cfg, err := parse(t, "")
	if err != nil {
		t.Fatal(err)
	}
	settings, err := configs.Settings(cfg)
	if err != nil {
		t.Fatal(err)
	}
	want := configs.Document(settings)
	if *update {
		if err := os.WriteFile("waybill.yaml", []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile("waybill.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, string(got)); diff != "" {
		t.Errorf("waybill.yaml is not what the program reads; run `./task generate` (-want +got):\n%s", diff)
	}
}

func TestAGatewayThatCannotWorkIsRefusedWithAdvice(t *testing.T) {
	t.Parallel()
	cfg, err := parse(t, "")
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		on     []string
		stripe configs.Stripe
		want   string
	}{
		"none is on":                  {on: []string{}, want: "write sandbox"},
		"an unknown one":              {on: []string{"paypal"}, want: "sandbox and stripe are known"},
		"stripe without a key":        {on: []string{"stripe"}, want: "Developers, API keys"},
		"stripe with the public key":  {on: []string{"stripe"}, stripe: configs.Stripe{Key: "pk_live_1"}, want: "secret key begins with sk_"},
		"stripe with a strange key":   {on: []string{"stripe"}, stripe: configs.Stripe{Key: "1234"}, want: "begins with sk_"},
		"stripe with a wrong secret":  {on: []string{"stripe"}, stripe: configs.Stripe{Key: "sk_1", WebhookSecret: "x"}, want: "begins with whsec_"},
		"stripe in the clear":         {on: []string{"stripe"}, stripe: configs.Stripe{Key: "sk_1", URL: "http://stripe.example"}, want: "in the clear"},
		"stripe nowhere":              {on: []string{"stripe"}, stripe: configs.Stripe{Key: "sk_1", URL: "127.0.0.1:12111"}, want: "is not a URL"},
		"a stand-in on this machine":  {on: []string{"sandbox", "stripe"}, stripe: configs.Stripe{Key: "sk_1", URL: "http://127.0.0.1:12111", WebhookSecret: "whsec_1"}},
		"a restricted key, no secret": {on: []string{"stripe"}, stripe: configs.Stripe{Key: "rk_1"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			cfg := cfg
			cfg.Gateways, cfg.Stripe = c.on, c.stripe
			err := cfg.Validate()
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error = %v, want %q", err, c.want)
			}
		})
	}
}
