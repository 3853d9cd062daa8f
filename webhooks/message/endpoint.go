package message

import (
	"strings"
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
		publish("endpoint.ping", "endpoint", endpointPing, Kind{
			Private: true,
			Sent:    "When an endpoint has to show that it wants to be called: before anything else is sent to it, and after its URL was changed. It goes to that endpoint alone, whatever it asked for.",
			Promise: "Answer 2xx. One with a wrong signature follows at once, which has to be refused with 4xx, as by every receiver that verifies signatures. It is tried again until expires_at.",
		}),
		operational("endpoint.failing", endpointFailing, Kind{
			Sent:    "When nothing could be delivered to another endpoint of yours for an hour, and again after a day and three days.",
			Promise: "Nothing is lost meanwhile. endpoint.recovered or endpoint.disabled follows.",
		}),
		operational("endpoint.recovered", endpointRecovered, Kind{
			Sent:    "When something was delivered again after endpoint.failing.",
			Promise: "What waited is being delivered.",
		}),
		operational("endpoint.gone", endpointGone, Kind{
			Sent:    "When the receiver of another endpoint of yours answered 410, or asked to be disabled.",
			Promise: "endpoint.disabled follows at once.",
		}),
		operational("delivery.exhausted", deliveryExhausted, Kind{
			Sent:    "When the attempts at a message to another endpoint of yours are used up, or its receiver asked to give it up. It is not sent about messages such as this one.",
			Promise: "The message is not tried again unless somebody asks for it.",
		}),
		operational("endpoint.disabled", endpointDisabled, Kind{
			Sent:    "When deliveries to another endpoint of yours stop.",
			Promise: "Nothing is lost: it goes on where it stopped when it is enabled.",
		}),
		operational("secret.rotated", secretRotated, Kind{
			Sent:    "When another endpoint of yours gets another signing secret.",
			Promise: "The one before signs as well until old_until. The secret itself is only in the answer to whoever rotated it.",
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

type endpointPingData struct {
	EndpointID string    `json:"endpoint_id"`
	Number     int       `json:"number" doc:"Of the ping, from 1."`
	ExpiresAt  time.Time `json:"expires_at" doc:"Until then it is tried again."`
	AskedAt    time.Time `json:"asked_at"`
}

func endpointPing(e endpoint.VerificationAsked) endpointPingData {
	return endpointPingData{EndpointID: e.EndpointID, Number: e.Number, ExpiresAt: e.ExpiresAt, AskedAt: e.AskedAt}
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

type secretRotatedData struct {
	EndpointID string    `json:"endpoint_id"`
	Version    int       `json:"version" doc:"Of the new secret, from 1."`
	OldUntil   time.Time `json:"old_until" doc:"Until then the secret before it signs as well."`
	RotatedAt  time.Time `json:"rotated_at"`
}

func secretRotated(e endpoint.SecretRotated) secretRotatedData {
	return secretRotatedData{EndpointID: e.EndpointID, Version: e.Secret.Version, OldUntil: e.OldUntil, RotatedAt: e.RotatedAt}
}

type endpointFailingData struct {
	EndpointID string    `json:"endpoint_id"`
	Since      time.Time `json:"since" doc:"The first failure without a success after it."`
	ForSeconds int64     `json:"for_seconds" doc:"How long nothing was delivered."`
	FailingAt  time.Time `json:"failing_at"`
}

func endpointFailing(e endpoint.Failing) endpointFailingData {
	return endpointFailingData{EndpointID: e.EndpointID, Since: e.Since, ForSeconds: e.AfterMillis / 1000, FailingAt: e.FailingAt}
}

type endpointRecoveredData struct {
	EndpointID  string    `json:"endpoint_id"`
	Since       time.Time `json:"since" doc:"That of endpoint.failing."`
	RecoveredAt time.Time `json:"recovered_at"`
}

func endpointRecovered(e endpoint.Recovered) endpointRecoveredData {
	return endpointRecoveredData{EndpointID: e.EndpointID, Since: e.Since, RecoveredAt: e.RecoveredAt}
}

type endpointGoneData struct {
	EndpointID string    `json:"endpoint_id"`
	GoneAt     time.Time `json:"gone_at"`
}

func endpointGone(e endpoint.Gone) endpointGoneData {
	return endpointGoneData{EndpointID: e.EndpointID, GoneAt: e.GoneAt}
}

type deliveryExhaustedData struct {
	EndpointID    string    `json:"endpoint_id"`
	MessageID     string    `json:"message_id" doc:"Its webhook-id."`
	AggregateType string    `json:"aggregate_type" doc:"What the message is about."`
	AggregateID   string    `json:"aggregate_id"`
	Attempts      int       `json:"attempts"`
	Result        string    `json:"result" doc:"In one word how the last attempt ended." example:"timeout"`
	Blocks        bool      `json:"blocks" doc:"Messages about the same wait until somebody sends it again or skips it."`
	ExhaustedAt   time.Time `json:"exhausted_at"`
}

func deliveryExhausted(e endpoint.DeliveryExhausted) deliveryExhaustedData {
	category, id, _ := strings.Cut(e.Stream, "-")
	return deliveryExhaustedData{
		EndpointID: e.EndpointID, MessageID: e.EventID, AggregateType: category, AggregateID: id, Attempts: e.Attempts, Result: e.Class,
		Blocks: e.Blocks, ExhaustedAt: e.ExhaustedAt,
	}
}
