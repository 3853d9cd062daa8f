package delivery_test

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/waybill-dev/waybill/webhooks/delivery"
)

func TestEveryStatusHasAVerdict(t *testing.T) {
	t.Parallel()
	for status := 100; status <= 999; status++ {
		want, class := delivery.Retry, delivery.ClassOtherStatus
		switch {
		case status >= 200 && status < 300:
			want, class = delivery.Delivered, delivery.ClassOK
		case status == http.StatusGone:
			want, class = delivery.Disable, delivery.ClassGone
		case status == http.StatusTooManyRequests:
			class = delivery.ClassRateLimited
		case status >= 300 && status < 400:
			class = delivery.ClassRedirect
		case status >= 400 && status < 500:
			class = delivery.ClassClientError
		case status >= 500 && status < 600:
			class = delivery.ClassServerError
		}
		got, gotClass := delivery.Judge(delivery.Answer{Status: status})
		if got != want || gotClass != class {
			t.Errorf("%d: %v %s, want %v %s", status, got, gotClass, want, class)
		}
		got, _ = delivery.Judge(delivery.Answer{Status: status, RetryAfter: time.Second})
		if limited := status == 429 || status == 503; (got == delivery.Limited) != limited {
			t.Errorf("%d with Retry-After: %v", status, got)
		}
		got, _ = delivery.Judge(delivery.Answer{Status: status, Directive: delivery.DirectiveDisable})
		if (got == delivery.Disable) == (want == delivery.Delivered) {
			t.Errorf("%d with disable: %v", status, got)
		}
		got, _ = delivery.Judge(delivery.Answer{Status: status, Directive: delivery.DirectiveAbort})
		if (got == delivery.Abort) != (want == delivery.Retry) {
			t.Errorf("%d with abort-message: %v", status, got)
		}
	}
	for _, class := range []delivery.Class{
		delivery.ClassDNS, delivery.ClassConnect, delivery.ClassTLS, delivery.ClassTimeout,
		delivery.ClassReset, delivery.ClassBlocked, delivery.ClassMessage,
	} {
		if got, _ := delivery.Judge(delivery.Answer{Class: class}); got != delivery.Retry {
			t.Errorf("%s: %v", class, got)
		}
	}
}

func TestRetryAfter(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 8, 21, 10, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, " 7 ": 7 * time.Second, "86400": 24 * time.Hour, "86401": 24 * time.Hour,
		"99999999999999999999": 24 * time.Hour, "-1": 0, "1.5": 0, "soon": 0,
		"Fri, 21 Aug 2026 10:01:00 GMT":  time.Minute,
		"Fri, 21 Aug 2026 09:00:00 GMT":  0,
		"Fri, 21 Aug 2099 09:00:00 GMT":  24 * time.Hour,
		"Friday, 21-Aug-26 10:01:00 GMT": time.Minute,
		"Fri Aug 21 10:01:00 2026":       time.Minute,
	} {
		if got := delivery.RetryAfter(value, now); got != want {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

func FuzzRetryAfter(f *testing.F) {
	f.Add("7")
	f.Add("Fri, 21 Aug 2026 10:01:00 GMT")
	now := time.Date(2026, 8, 21, 10, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, value string) {
		if got := delivery.RetryAfter(value, now); got < 0 || got > 24*time.Hour {
			t.Fatalf("%q: %s", value, got)
		}
	})
}

func TestScheduleMakesTwelveAttempts(t *testing.T) {
	t.Parallel()
	for name, random := range map[string]float64{"earliest": 0, "middle": 0.5, "latest": 0.999999} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := delivery.Schedule{Waits: delivery.DefaultWaits(), Random: func() float64 { return random }}
			attempts, total := 1, time.Duration(0)
			for wait, again := s.Wait(attempts, 0); again; wait, again = s.Wait(attempts, 0) {
				attempts++
				total += wait
			}
			whole := 75*time.Hour + 42*time.Minute + 35*time.Second
			want := time.Duration(float64(whole) * (0.8 + 0.4*random))
			if attempts != 12 || (total-want).Abs() > time.Second {
				t.Errorf("%d attempts within %s, want 12 within %s", attempts, total, want)
			}
		})
	}
	s := delivery.Schedule{Waits: delivery.DefaultWaits()}
	for _, row := range []struct{ asked, want time.Duration }{{0, 5 * time.Second}, {time.Minute, time.Minute}, {48 * time.Hour, 24 * time.Hour}} {
		if got, _ := s.Wait(1, row.asked); got != row.want {
			t.Errorf("asked for %s: %s, want %s", row.asked, got, row.want)
		}
	}
	if fmt.Sprint(delivery.Open, delivery.Closed, delivery.HalfOpen) != "open closed half-open" {
		t.Error("names of breaker states")
	}
}
