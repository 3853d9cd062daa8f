package installation_test

import (
	"testing"
	"time"

	"github.com/waybill-dev/waybill/domain/decidertest"
	"github.com/waybill-dev/waybill/domain/installation"
)

func TestALogIsNamedOnce(t *testing.T) {
	t.Parallel()
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	founded := installation.InstallationFounded{InstallationID: "a", FoundedAt: noon}
	decidertest.Run(t, installation.Decider, []decidertest.Case[installation.Command, installation.Event]{
		{
			Name: "a log without a name gets one",
			When: installation.Found{ID: "a", At: noon},
			Then: []installation.Event{founded},
		},
		{
			Name:  "a log keeps its name",
			Given: []installation.Event{founded},
			When:  installation.Found{ID: "b", At: noon},
		},
	})
}

func TestGolden(t *testing.T) {
	t.Parallel()
	decidertest.Golden(t, installation.EventTypes())
}
