package app

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/api"
	"github.com/waybill-dev/waybill/domain"
	"github.com/waybill-dev/waybill/webhooks/filter"
	"github.com/waybill-dev/waybill/webhooks/message"
)

//go:generate go test -run TestDocs . -update

var update = flag.Bool("update", false, "write the generated documents")

func TestDocsSayWhatTheProgramDoes(t *testing.T) {
	t.Parallel()
	openapi, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"../docs/openapi.yaml": string(openapi),
		"../docs/events.md":    catalogue(t),

		"../docs/webhook-events.md": messages(t),
	} {
		if *update {
			if err := os.WriteFile(path, []byte(want), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, string(got)); diff != "" {
			t.Errorf("%s is not what the code says; run `./task generate` (-want +got):\n%s", path, diff)
		}
	}
}

// Whether an event is public is decided when it comes into being: the numbers
// that partners rely on count the public ones.
func TestDocsSayOfEveryEventWhetherPartnersGetIt(t *testing.T) {
	t.Parallel()
	public, private, stored := message.NewCatalogue(message.Kinds()), message.Unpublished(), map[string]bool{}
	for _, event := range eventTypes() {
		name := event.Zero.EventName()
		stored[name] = true
		if _, ok := public.Kind(name); !ok && private[name] == "" {
			t.Errorf("%s is neither public (kinds in webhooks/message) nor among the unpublished with a reason", name)
		}
	}
	for _, kind := range message.Kinds() {
		if !stored[kind.Stored] {
			t.Errorf("%s is published from %s, which is no stored event", kind.Public, kind.Stored)
		}
	}
}

// catalogue writes what is stored and what partners get: the doc comments and
// golden files of the code.
func catalogue(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Events\n\nGenerated from the code by `./task generate`; do not edit.\n\n" +
		"Stored events are facts: a name is kept for ever, and old schemas are read for ever. " +
		"Public messages are a contract of their own: see [webhook-events.md](webhook-events.md).\n\n## Stored events\n")
	public := map[string]string{}
	for _, kind := range message.Kinds() {
		public[kind.Stored] = kind.Public
	}
	for _, event := range eventTypes() {
		fmt.Fprintf(&b, "\n### %s\n\n%s\n", event.Zero.EventName(), comment(t, event.Zero))
		fmt.Fprintf(&b, "Schema %d.", event.Schema())
		if name, ok := public[event.Zero.EventName()]; ok {
			fmt.Fprintf(&b, " Partners get it as [`%s`](webhook-events.md#%s).", name, strings.ReplaceAll(name, ".", ""))
		} else {
			fmt.Fprintf(&b, " Partners do not get it: %s.", message.Unpublished()[event.Zero.EventName()])
		}
		golden := filepath.Join(folder(event.Zero), "testdata", fmt.Sprintf("%s.v%d.json", event.Zero.EventName(), event.Schema()))
		example(t, &b, golden)
	}
	return b.String()
}

// messages writes what partners get.
func messages(t *testing.T) string {
	t.Helper()
	var b strings.Builder
	b.WriteString("# Messages to partners\n\nGenerated from the code by `./task generate`; do not edit.\n\n" +
		"An endpoint asks for types by name, or for `*`. How messages are signed, numbered and tried again is in [webhooks.md](webhooks.md). " +
		"`GET /v1/event-types` has the same for programs, with a JSON Schema of each.\n")
	kinds := message.Kinds()
	slices.SortFunc(kinds, func(a, b message.Kind) int { return strings.Compare(a.Public, b.Public) })
	for _, kind := range kinds {
		fmt.Fprintf(&b, "\n### %s\n\n%s %s\n\nVersion %d, about one %s. Sent to %s.", kind.Public, kind.Sent, kind.Promise, kind.Version, kind.Aggregate, audienceOf(kind))
		if kind.Personal {
			b.WriteString(" With `personal` where the endpoint gets personal data.")
		}
		example(t, &b, filepath.Join("../webhooks/message/testdata", fmt.Sprintf("%s.v%d.json", kind.Public, kind.Version)))
	}
	b.WriteString("\n## What filters may ask for\n\n| name | type | |\n|---|---|---|\n")
	for _, v := range filter.Variables() {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", v.Name, v.Type, v.About)
	}
	return b.String()
}

func audienceOf(kind message.Kind) string {
	switch {
	case kind.Private:
		return "the endpoint it is about"
	case kind.Operational:
		return "the other endpoints of whoever owns the endpoint it is about"
	case kind.Shared:
		return "the shop and all partners"
	case kind.Aggregate == "order" || kind.Aggregate == "checkout":
		return "the shop and the partners of the order's sales channel"
	}
	return "the shop"
}

func example(t *testing.T, b *strings.Builder, path string) {
	t.Helper()
	golden, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(b, "\n\n```json\n%s\n```\n", strings.TrimSpace(string(golden)))
}

// folder is where an event's code is.
func folder(event domain.Event) string {
	return ".." + strings.TrimPrefix(reflect.TypeOf(event).PkgPath(), "github.com/waybill-dev/waybill")
}

// comment is what the code says of an event's type.
func comment(t *testing.T, event domain.Event) string {
	t.Helper()
	name := reflect.TypeOf(event).Name()
	files, err := filepath.Glob(filepath.Join(folder(event), "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	set := token.NewFileSet()
	for _, file := range files {
		parsed, err := parser.ParseFile(set, file, nil, parser.ParseComments)
		if err != nil {
			t.Fatal(err)
		}
		for _, declaration := range parsed.Decls {
			if text, ok := typeComment(declaration, name); ok {
				return strings.TrimSpace(string((&doc.Package{}).Markdown(text))) + "\n"
			}
		}
	}
	t.Fatalf("%s has no doc comment", name)
	return ""
}

func typeComment(declaration ast.Decl, name string) (string, bool) {
	general, ok := declaration.(*ast.GenDecl)
	if !ok || general.Doc == nil || len(general.Specs) != 1 {
		return "", false
	}
	spec, ok := general.Specs[0].(*ast.TypeSpec)
	return general.Doc.Text(), ok && spec.Name.Name == name
}
