package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"

	"github.com/waybill-dev/waybill/configs"
)

// The test program is waybill itself when this is set: tests that kill the
// platform start it as a process of its own without building it again.
const runAsWaybill = "WAYBILL_TEST_RUN_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(runAsWaybill) != "" {
		main()
		return
	}
	if err := os.Setenv(runAsWaybill, "1"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func TestWrongUsageIsExplainedAndEndsWithTwo(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"an unknown command":        {[]string{"sereve"}, "unexpected argument sereve"},
		"an unknown flag":           {[]string{"serve", "--prot", "1"}, "unknown flag --prot"},
		"a setting that can't work": {[]string{"serve", "--http-addr", "nowhere"}, `http-addr: "nowhere" is not host:port`},
		"an unknown role":           {[]string{"serve", "--roles", "api,cook"}, "roles"},
		"an unknown handler":        {[]string{"serve", "--only", "fax"}, `no handler is called "fax"; there are analytics, cache, email, endpoint-mail, fraud, receipt, search-index, tasks`},
		"a handler that is off":     {[]string{"serve", "--only", "email"}, "email is off; turn it on with WAYBILL_EFFECTS_SMTP"},
		"handlers without the role": {[]string{"serve", "--roles", "api", "--only", "tasks"}, "add them with --roles api,handlers"},
		"no argument":               {[]string{"orders", "show"}, "`waybill orders show --help`"},
		"no subcommand":             {[]string{"node", "user"}, "`waybill node user --help`"},
		"a missing file":            {[]string{"import", "retail", "/does/not/exist.csv", "--workers", "0"}, "--workers needs at least 1"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var out, errOut bytes.Buffer
			if code := run(context.Background(), c.args, &out, &errOut); code != exitUsage {
				t.Errorf("exit code %d, want %d", code, exitUsage)
			}
			if !strings.Contains(errOut.String(), c.want) {
				t.Errorf("printed %q, want something with %q", errOut.String(), c.want)
			}
		})
	}
}

func TestImportWithoutAKeySaysWhereOneComesFrom(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	code := run(context.Background(), []string{"import", "retail", "../../imports/retail/testdata/dirty.csv", "--data-dir", t.TempDir(), "--admin-key="}, &out, &errOut)
	if code != exitUsage || !strings.Contains(errOut.String(), "WAYBILL_ADMIN_KEY") {
		t.Errorf("exit code %d, printed %q", code, errOut.String())
	}
}

func TestConfigShowsSettingsWithoutSecrets(t *testing.T) {
	t.Parallel()
	var out, errOut bytes.Buffer
	args := []string{"config", "--effects-search-url", "http://waybill:very-secret@search:9200"}
	settings, err := configs.Settings(configs.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range settings {
		if secret := strings.HasSuffix(s.Flag, "-password") || strings.HasSuffix(s.Flag, "-secret") || strings.HasSuffix(s.Flag, "-key"); secret && s.Flag != "--node-tls-key" && s.Flag != "--master-key" {
			args = append(args, s.Flag, "very-secret-admin-key")
		}
	}
	if code := run(context.Background(), args, &out, &errOut); code != exitDone {
		t.Fatalf("exit code %d: %s", code, errOut.String())
	}
	if text := out.String(); strings.Contains(text, "very-secret") || !strings.Contains(text, "WAYBILL_HTTP_ADDR") {
		t.Errorf("printed:\n%s", text)
	}
}
