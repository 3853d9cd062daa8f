package message

import (
	"time"

	"github.com/waybill-dev/waybill/webhooks/endpoint"
)

// endpointKinds are about an endpoint. Those of operation go to the other
// endpoints of the same tenant.
func endpointKinds() []Kind {
	return []Kind{
		publish("endpoint.test", "endpoint", endpointTest, Kind{
			Private: true,
			Sent:    "When somebody asks for a test message. It goes to that endpoint alone, whatever it asked for.",
			Promise: "It is signed, numbered and tried again like any other.",
		}),
		operational("endpoint.disabled", endpointDisabled, Kind{
			Sent:    "When deliveries to another endpoint of yours stop.",
			Promise: "Nothing is lost: it goes on where it stopped when it is enabled.",
		}),
		operational("replay.completed", replayCompleted, Kind{
			Sent:    "When everything that a replay to another endpoint of yours was to send is delivered or given up.",
			Promise: "Nothing more is sent by this replay.",
		}),
	}
}

// operational publishes what happened to an endpoint.
func operational[E endpoint.Event, D any](public string, data func(E) D, kind Kind) Kind {
	kind.Operational = true
	return publish(public, endpoint.Decider.Category, data, kind)
}

type endpointTestData struct {
	EndpointID string    `json:"endpoint_id"`
	TestID     string    `json:"test_id"`
	TestedAt   time.Time `json:"tested_at"`
}

func endpointTest(e endpoint.Tested) endpointTestData {
	return endpointTestData{EndpointID: e.EndpointID, TestID: e.TestID, TestedAt: e.TestedAt}
}

type endpointDisabledData struct {
	EndpointID string    `json:"endpoint_id"`
	Reason     string    `json:"reason" doc:"A word: requested by its owner, gone where the receiver answered 410; more may come."`
	DisabledAt time.Time `json:"disabled_at"`
}

func endpointDisabled(e endpoint.Disabled) endpointDisabledData {
	return endpointDisabledData{EndpointID: e.EndpointID, Reason: e.Reason, DisabledAt: e.DisabledAt}
}

type replayCompletedData struct {
	EndpointID  string    `json:"endpoint_id"`
	ReplayID    string    `json:"replay_id"`
	Delivered   int       `json:"delivered" doc:"Messages; those sent twice count twice."`
	GivenUp     int       `json:"given_up" doc:"Messages whose attempts were used up."`
	CompletedAt time.Time `json:"completed_at"`
}

func replayCompleted(e endpoint.ReplayCompleted) replayCompletedData {
	return replayCompletedData{EndpointID: e.EndpointID, ReplayID: e.ReplayID, Delivered: e.Delivered, GivenUp: e.GivenUp, CompletedAt: e.CompletedAt}
}
