package decidertest

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/domain"
)

var update = flag.Bool("update", false, "write missing golden events; those that exist are never changed")

// Golden proves that every schema of every stored event can be read: the file
// testdata/<name>.v<schema>.json decodes and, in the present schema, encodes
// to the same JSON. So does testdata/<name>.v<schema>.<word>.json, where there
// is one: the event with fields that came later. An event without its file
// fails. A file is never edited, because the log is full of events like it.
func Golden(t *testing.T, types []domain.EventType) {
	t.Helper()
	for _, typ := range types {
		for schema := 1; schema <= typ.Schema(); schema++ {
			t.Run(fmt.Sprintf("%s.v%d", typ.Zero.EventName(), schema), func(t *testing.T) {
				t.Parallel()
				golden(t, typ, schema)
			})
			later, _ := filepath.Glob(filepath.Join("testdata", fmt.Sprintf("%s.v%d.*.json", typ.Zero.EventName(), schema)))
			for _, path := range later {
				t.Run(filepath.Base(path), func(t *testing.T) {
					t.Parallel()
					stored, err := os.ReadFile(path)
					if err != nil {
						t.Fatal(err)
					}
					read(t, typ, schema, stored)
				})
			}
		}
	}
}

func golden(t *testing.T, typ domain.EventType, schema int) {
	t.Helper()
	path := filepath.Join("testdata", fmt.Sprintf("%s.v%d.json", typ.Zero.EventName(), schema))
	stored, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) && *update && schema == typ.Schema() {
		stored, err = write(path, typ.Zero)
	}
	if err != nil {
		t.Fatalf("every stored event has a golden file (go test -update writes missing ones): %v", err)
	}
	read(t, typ, schema, stored)
}

// read decodes a stored event and encodes it again.
func read(t *testing.T, typ domain.EventType, schema int, stored []byte) {
	t.Helper()
	raw, err := json.RawMessage(stored), error(nil)
	for i, upcast := range typ.Upcasters[schema-1:] {
		if raw, err = upcast(raw); err != nil {
			t.Fatalf("upcast from schema %d: %v", schema+i, err)
		}
	}
	event := reflect.New(reflect.TypeOf(typ.Zero))
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(event.Interface()); err != nil {
		t.Fatalf("decode: %v", err)
	}
	encoded, err := json.Marshal(event.Interface())
	if err != nil {
		t.Fatalf("encode: %v", err)
	}
	if diff := cmp.Diff(indent(t, raw), indent(t, encoded)); diff != "" {
		t.Errorf("what was stored is not what is written (-stored +written):\n%s", diff)
	}
}

func indent(t *testing.T, raw []byte) string {
	t.Helper()
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		t.Fatal(err)
	}
	out, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func write(path string, zero domain.Event) ([]byte, error) {
	event := reflect.New(reflect.TypeOf(zero))
	fill(event.Elem(), "")
	out, err := json.MarshalIndent(event.Interface(), "", "  ")
	if err != nil {
		return nil, err
	}
	out = append(out, '\n')
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return out, os.WriteFile(path, out, 0o644)
}

// fill sets every field, so that a golden file shows each of them.
func fill(v reflect.Value, name string) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		v.Set(reflect.ValueOf(time.Date(2026, 3, 14, 15, 9, 26, 535_000_000, time.UTC)))
		return
	}
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), v.Type().Field(i).Name)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), name)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("sku"), reflect.ValueOf("MUG-1"))
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), name)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int64:
		v.SetInt(1250)
	case reflect.Uint8:
		v.SetUint(7)
	case reflect.String:
		v.SetString(text(name))
	default:
		panic("decidertest: no sample of " + v.Type().String())
	}
}

func text(field string) string {
	switch field {
	case "Currency":
		return "EUR"
	case "SKU":
		return "MUG-1"
	case "Location":
		return "main"
	default:
		return field
	}
}
