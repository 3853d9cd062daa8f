package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
)

// progress shows long work: a bar with rate and time left on a terminal, a
// plain line every two seconds elsewhere, nothing for programs.
type progress struct {
	w     io.Writer
	mode  progressMode
	mu    sync.Mutex
	bar   *progressbar.ProgressBar
	stage string
	began time.Time
	first int // what was done when it began: earlier, before an interruption
	done  int
	last  time.Time
	ended bool // the line that says that all is done was written
}

type progressMode int

const (
	progressLines progressMode = iota
	progressBar
	progressQuiet
)

func newProgress(w io.Writer, quiet bool) *progress {
	p := &progress{w: w}
	if file, ok := w.(*os.File); ok && isTerminal(file) {
		p.mode = progressBar
	}
	if quiet {
		p.mode = progressQuiet
	}
	return p
}

func isTerminal(file *os.File) bool {
	info, err := file.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0 && os.Getenv("TERM") != "dumb"
}

func (p *progress) advance(stage string, done, of int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if stage != p.stage || done < p.done { // the same once more
		p.begin(stage, done, of)
	}
	p.done = done
	switch p.mode {
	case progressBar:
		if p.bar.GetMax() != of {
			p.bar.ChangeMax(of)
		}
		_ = p.bar.Set(done) // a bar that cannot be drawn is no reason to stop
	case progressLines:
		p.line(done, of)
	case progressQuiet:
	}
}

func (p *progress) begin(stage string, done, of int) {
	p.stage, p.began, p.first, p.last, p.ended = stage, time.Now(), done, time.Now(), false
	if p.mode == progressBar {
		p.bar = progressbar.NewOptions(of,
			progressbar.OptionSetWriter(p.w), progressbar.OptionSetDescription(stage),
			progressbar.OptionShowCount(), progressbar.OptionShowIts(), progressbar.OptionSetItsString(stage),
			progressbar.OptionSetPredictTime(true), progressbar.OptionThrottle(100*time.Millisecond),
			progressbar.OptionOnCompletion(func() { fmt.Fprintln(p.w) }))
	}
}

func (p *progress) line(done, of int) {
	now := time.Now()
	if now.Sub(p.last) < 2*time.Second && done < of || p.ended && done >= of {
		return
	}
	p.last, p.ended = now, done >= of
	if done == p.first {
		fmt.Fprintf(p.w, "%s %d/%d\n", p.stage, done, of) // nobody knows how long it takes
		return
	}
	rate := float64(done-p.first) / max(now.Sub(p.began).Seconds(), 0.001)
	left := time.Duration(float64(of-done) / rate * float64(time.Second)).Round(time.Second)
	fmt.Fprintf(p.w, "%s %d/%d, %.0f/s, %s left\n", p.stage, done, of, rate, left)
}

// interrupt lets something else be written below the bar.
func (p *progress) interrupt() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.bar != nil {
		fmt.Fprintln(p.w)
	}
}

func (p *progress) finish() {
	if p.bar != nil {
		_ = p.bar.Close()
	}
}
