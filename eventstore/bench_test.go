package eventstore_test

import (
	"fmt"
	"testing"

	"github.com/waybill-dev/waybill/eventstore"
)

// fill appends events of a few hundred bytes, as orders are.
func fill(b *testing.B, client *eventstore.Client, count int) {
	b.Helper()
	const each = 500
	text := make([]byte, 200)
	for i := range text {
		text[i] = 'a' + byte(i%26)
	}
	for i := 0; i < count; i += each {
		stream := fmt.Sprintf("order-%d", i)
		news := events(stream, "c", i, each)
		for j := range news {
			news[j].Event = Named{Name: string(text)}
		}
		mustAppend(b, client, stream, eventstore.NoStream, news...)
	}
}

// What a projection can count on when it catches up, decoding aside.
func BenchmarkFeedCatchingUp(b *testing.B) {
	client := start(b)
	const count = 100_000
	fill(b, client, count)
	b.ReportAllocs()
	b.ResetTimer()
	pages := 0
	for range b.N {
		feed := client.Feed(eventstore.FeedConfig{Prefixes: []string{"order-"}})
		for got := 0; got < count; pages++ {
			page, err := feed.Next(b.Context())
			if err != nil {
				b.Fatal(err)
			}
			got += len(page.Events)
		}
		feed.Close()
	}
	b.ReportMetric(float64(count*b.N)/b.Elapsed().Seconds(), "events/s")
	b.ReportMetric(float64(count*b.N)/float64(pages), "events/page")
}

func BenchmarkReadStream(b *testing.B) {
	client := start(b)
	const count = 500
	fill(b, client, count)
	b.ReportAllocs()
	b.ResetTimer()
	for range b.N {
		for _, err := range client.ReadStream(b.Context(), "order-0", 0) {
			if err != nil {
				b.Fatal(err)
			}
		}
	}
	b.ReportMetric(float64(count*b.N)/b.Elapsed().Seconds(), "events/s")
}

func BenchmarkAppend(b *testing.B) {
	client := start(b)
	b.ReportAllocs()
	b.SetParallelism(32)
	b.RunParallel(func(pb *testing.PB) {
		stream := eventstore.DeriveID("order", fmt.Sprintf("%p", pb))
		for i := 0; pb.Next(); i++ {
			_, err := client.Append(b.Context(), stream, eventstore.Revision(i-1), events(stream, fmt.Sprint(i), i, 1)...)
			if err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "appends/s")
}

func BenchmarkDecode(b *testing.B) {
	codec := newCodec(b)
	r := eventstore.Recorded{
		Type: "Counted", Data: []byte(`{"by":7}`),
		RawMetadata: []byte(`{"$correlationId":"0197b4f6","$causationId":"0197b4f7","traceparent":"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01","schema":3,"command_id":"0197b4f8"}`),
	}
	b.ReportAllocs()
	for range b.N {
		if _, err := codec.Bind(r).Decode(); err != nil {
			b.Fatal(err)
		}
	}
}
