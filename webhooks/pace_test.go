package webhooks

import (
	"testing"
	"time"
)

// crowd is a machine in virtual time on which goroutines wait once more than
// so many attempts of the past begin in a second.
type crowd struct {
	*pace
	now   time.Time
	takes float64 // attempts in a second, before anybody waits
	wants float64 // attempts in a second that would begin
	uses  float64 // of the processors, for a thousand attempts in a second
}

func newCrowd(takes, wants float64) *crowd {
	c := &crowd{takes: takes, wants: wants, now: time.Date(2026, 3, 4, 12, 0, 0, 0, time.UTC)}
	c.pace = newPace(func() time.Time { return c.now }, false)
	return c
}

// run returns how many attempts of the past began in a second, in the second
// half of the time.
func (c *crowd) run(length time.Duration, live bool) float64 {
	begun, round, owed := 0, 0, 0.0
	for at := time.Duration(0); at < length; at += time.Millisecond {
		c.now = c.now.Add(time.Millisecond)
		if live {
			c.sentLive(c.now)
		}
		for owed = min(owed+c.wants/1000, 64); owed >= 1; owed-- {
			again, ok := c.take(c.now)
			if !ok && !again.After(c.now) {
				panic("whoever waits would look again at once")
			}
			if !ok {
				break
			}
			round++
			if at >= length/2 {
				begun++
			}
		}
		if at%paceEvery == 0 && at > 0 {
			waited := 50 * time.Microsecond
			if float64(round)/paceEvery.Seconds() > c.takes {
				waited = 5 * time.Millisecond
			}
			c.adjust(busy{waited: waited, used: c.uses * float64(round) / paceEvery.Seconds() / 1000}, paceEvery)
			round = 0
		}
	}
	return float64(begun) / (length / 2).Seconds()
}

func TestThePastTakesWhatTheLiveLeavesOfTheProcessor(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name         string
		takes, wants float64
		live         bool
		least, most  float64
	}{
		{"nothing is live", 3000, 8000, false, 7900, 8100},
		{"processors to spare", 100_000, 8000, true, 7900, 8100},
		{"a processor that is busy", 6000, 9000, true, 4500, 6500},
		{"a processor that others keep busy", 0, 9000, true, 400, 700},
	} {
		c := newCrowd(row.takes, row.wants)
		if got := c.run(20*time.Second, row.live); got < row.least || got > row.most {
			t.Errorf("%s: %.0f attempts in a second, want %.0f to %.0f", row.name, got, row.least, row.most)
		}
	}
	for _, row := range []struct{ uses, least, most float64 }{
		{0.04, 6700, 8000}, // seven and a half thousand use the share of the past
		{0.1, 5000, 5600},  // three thousand would, and five are promised
	} {
		c := newCrowd(100_000, 9000)
		c.uses = row.uses
		if got := c.run(20*time.Second, true); got < row.least || got > row.most {
			t.Errorf("%.0f attempts in a second, of which a thousand use %.2f of the processors, want %.0f to %.0f", got, row.uses, row.least, row.most)
		}
	}
	c := newCrowd(2000, 9000)
	c.uses = 0.2
	if got := c.run(20*time.Second, true); got > 2500 {
		t.Errorf("%.0f attempts in a second where goroutines wait beyond 2000: the promise goes before what is live", got)
	}
	c = newCrowd(2000, 9000)
	c.uses, c.yields = 0.2, true
	if got := c.run(20*time.Second, true); got < 5000 || got > 5600 {
		t.Errorf("%.0f attempts in a second in a process that waits for all others, want what is promised", got)
	}
	c = newCrowd(2000, 9000)
	c.run(20*time.Second, true)
	if got := c.run(10*time.Second, false); got < 8500 {
		t.Errorf("%.0f attempts in a second after the last live one, want all", got)
	}
}

// TestThePastRestsWhileTheLiveIsOnItsWay, and however much is live not all the
// time.
func TestThePastRestsWhileTheLiveIsOnItsWay(t *testing.T) {
	t.Parallel()
	c := newCrowd(100_000, 1000)
	c.rest()
	if _, ok := c.take(c.now); !ok {
		t.Error("the past rests though nothing is live")
	}
	c.sentLive(c.now)
	c.rest()
	if again, ok := c.take(c.now); ok || !again.Equal(c.now.Add(paceRest)) {
		t.Errorf("while something live is on its way: %t, again at %s", ok, again)
	}
	c.now = c.now.Add(paceRest)
	if _, ok := c.take(c.now); !ok {
		t.Error("the past rests for longer than that")
	}
	c.adjust(busy{}, paceEvery)
	begun := 0
	for at := time.Duration(0); at < paceEvery; at += time.Millisecond {
		c.now = c.now.Add(time.Millisecond)
		c.sentLive(c.now)
		c.rest()
		if _, ok := c.take(c.now); ok {
			begun++
		}
	}
	if begun < 60 || begun > 80 {
		t.Errorf("the past could begin in %d of 100 ms in which something was always live, want two thirds", begun)
	}
}

func TestTheSchedulersWaitsAreRead(t *testing.T) {
	t.Parallel()
	var w schedulerWaits
	w.since()
	done := make(chan int)
	for n := range 100 {
		go func() { done <- n }()
	}
	for range 100 {
		<-done
	}
	if got := w.since(); got < 0 || got > time.Minute {
		t.Errorf("%s", got)
	}
	if len(w.before) == 0 {
		t.Error("the runtime does not tell them")
	}
}
