package app

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

const (
	metricsQuestion  = "metrics"
	metricsPatience  = 2 * time.Second // of a scrape with the process, whose priority is the lowest
	mostMetrics      = 16 << 20        // bytes of an answer
	processLabel     = "process"
	processOfBacklog = "backlog"
)

// metricsFormat keeps exemplars.
func metricsFormat() expfmt.Format { return expfmt.NewFormat(expfmt.TypeProtoDelim) }

// Gather implements [prometheus.Gatherer] with what the process counts while it
// runs, each with the label process. One that does not answer in time has no
// metrics this time.
func (b *backlogProcess) Gather() ([]*dto.MetricFamily, error) {
	b.mu.Lock()
	child := b.running
	b.mu.Unlock()
	if child == nil {
		return nil, nil
	}
	families, err := child.metrics(time.Now().Add(metricsPatience))
	if err != nil {
		b.logger.Warn("the process that works off the webhooks' backlog does not tell its metrics", "error", err)
		return nil, nil
	}
	for _, family := range families {
		for _, metric := range family.GetMetric() {
			metric.Label = append(metric.Label, &dto.LabelPair{Name: new(processLabel), Value: new(processOfBacklog)})
		}
	}
	return families, nil
}

// metrics asks the process. After an answer that did not come in time it is not
// asked again: what came next would belong to that.
func (c *backlogChild) metrics(until time.Time) (families []*dto.MetricFamily, err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.mute != nil {
		return nil, c.mute
	}
	defer func() { c.mute = err }()
	if err := c.out.SetReadDeadline(until); err != nil {
		return nil, err
	}
	if _, err := fmt.Fprintln(c.in, metricsQuestion); err != nil {
		return nil, err
	}
	var size uint32
	if err := binary.Read(c.out, binary.BigEndian, &size); err != nil {
		return nil, err
	}
	if size > mostMetrics {
		return nil, fmt.Errorf("an answer of %d bytes", size)
	}
	answer := make([]byte, size)
	if _, err := io.ReadFull(c.out, answer); err != nil {
		return nil, err
	}
	decoder := expfmt.NewDecoder(bytes.NewReader(answer), metricsFormat())
	for {
		family := &dto.MetricFamily{}
		switch err := decoder.Decode(family); {
		case errors.Is(err, io.EOF):
			return families, nil
		case err != nil:
			return nil, err
		}
		families = append(families, family)
	}
}

// tellMetrics answers in the process itself.
func tellMetrics(gatherer prometheus.Gatherer, out io.Writer) error {
	families, err := gatherer.Gather()
	if err != nil {
		return err
	}
	var answer bytes.Buffer
	answer.Write(make([]byte, 4)) // its length
	encoder := expfmt.NewEncoder(&answer, metricsFormat())
	for _, family := range families {
		if err := encoder.Encode(family); err != nil {
			return err
		}
	}
	binary.BigEndian.PutUint32(answer.Bytes(), uint32(answer.Len()-4)) //nolint:gosec // far below
	_, err = out.Write(answer.Bytes())
	return err
}
