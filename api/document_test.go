package api_test

import (
	"os"
	"testing"

	"github.com/waybill-dev/waybill/api"
)

func TestX(t *testing.T) {
	b, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile("/tmp/wb/f-openapi.yaml", b, 0o644)
}
