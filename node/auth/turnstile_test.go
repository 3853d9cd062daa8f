package auth

import (
	"fmt"
	"runtime"
	"testing"
)

func TestTheQueueIsShortForOnePlaceAndForAll(t *testing.T) {
	t.Parallel()
	var s turnstile
	s.init(1)
	entered := make(chan string)
	waiting := map[string]int{}
	begin := func(from string) {
		waiting[from]++
		go func() {
			s.enter(from)
			entered <- from
		}()
	}
	size := func() int {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.waiting
	}
	for place := range maxWaiting / maxWaitingFrom {
		from := fmt.Sprint("place ", place)
		for range maxWaitingFrom {
			before := size()
			begin(from)
			for size() == before {
				runtime.Gosched()
			}
		}
		if place < maxWaiting/maxWaitingFrom-1 && s.queue(from) {
			t.Fatalf("%s has more than %d in the queue", from, maxWaitingFrom)
		}
	}
	if s.queue("elsewhere") {
		t.Fatalf("more than %d wait", maxWaiting)
	}
	for range maxWaiting {
		s.leave(<-entered)
	}
	if size() != 0 || len(s.from) != 0 {
		t.Errorf("%d wait after all have left, from %v", size(), s.from)
	}
}
