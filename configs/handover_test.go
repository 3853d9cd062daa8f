package configs_test

import (
	"encoding/json"
	"reflect"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/waybill-dev/waybill/configs"
)

// TestSettingsCanBeHandedToAnotherProcess gives every setting a value and sees
// that each arrives.
func TestSettingsCanBeHandedToAnotherProcess(t *testing.T) {
	t.Parallel()
	var sent, got configs.Config
	fill(t, reflect.ValueOf(&sent).Elem())
	text, err := json.Marshal(sent)
	if err == nil {
		err = json.Unmarshal(text, &got)
	}
	if diff := cmp.Diff(sent, got); diff != "" || err != nil {
		t.Errorf("settings: %v (-sent +got):\n%s", err, diff)
	}
}

func fill(t *testing.T, v reflect.Value) {
	t.Helper()
	switch v.Kind() {
	case reflect.Struct:
		for _, field := range v.Fields() {
			fill(t, field)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		fill(t, v.Index(0))
	case reflect.String:
		v.SetString("text")
	case reflect.Int, reflect.Int64:
		v.SetInt(7)
	case reflect.Uint, reflect.Uint16:
		v.SetUint(8)
	case reflect.Float64:
		v.SetFloat(0.5)
	case reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatalf("settings of kind %s are not known", v.Kind())
	}
}
