package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"github.com/waybill-dev/waybill/node"
	"github.com/waybill-dev/waybill/node/grpcapi"
)

type nodeVerifyCommand struct {
	nodeStore

	Backup string `name:"backup" type:"existingdir" placeholder:"DIR" help:"Check the files of this backup against their checksums, instead of the data."`
	Limit  int    `name:"limit" default:"100" help:"How many problems to describe."`
	JSON   bool   `name:"json" help:"Print the report as JSON."`
}

// Run verifies and prints the report.
func (c nodeVerifyCommand) Run(inv *invocation) error {
	if c.Backup != "" {
		return c.verifyBackup(inv)
	}
	bar := newProgress(inv.errOut, c.JSON)
	how := node.Verification{Limit: max(c.Limit, 1), Progress: nodeProgress(bar)}
	var report *node.Report
	began := time.Now()
	err := c.run(inv,
		func(cfg node.Config) (err error) {
			report, err = node.VerifyDir(inv.ctx, cfg, how)
			return err
		},
		func(o *grpcapi.Operator) (err error) {
			report, err = o.Verify(inv.ctx, how)
			return err
		})
	bar.finish()
	if err != nil {
		return err
	}
	if err := c.print(inv.out, report, time.Since(began)); err != nil {
		return err
	}
	if !report.OK() {
		return fmt.Errorf("the event store is damaged: %d problems; restore a backup, and keep the damaged files", len(report.Problems)+report.More)
	}
	return nil
}

func (c nodeVerifyCommand) verifyBackup(inv *invocation) error {
	bar := newProgress(inv.errOut, c.JSON)
	m, problems, err := node.VerifyBackup(inv.ctx, vfs.Default, c.Backup, nodeProgress(bar))
	bar.finish()
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(inv.out).Encode(struct {
			ID       string         `json:"id"`
			Taken    time.Time      `json:"taken"`
			Problems []node.Problem `json:"problems"`
		}{m.ID.String(), m.Taken, append([]node.Problem{}, problems...)})
	} else {
		_, err = fmt.Fprintf(inv.out, "backup    of store %s, taken %s, %d files, %s\n", m.ID, m.Taken.Format(time.RFC3339), len(m.Files), mebibytes(uint64(m.Size())))
		for _, p := range problems {
			fmt.Fprintf(inv.out, "broken    %s\n", p)
		}
	}
	if len(problems) > 0 {
		return fmt.Errorf("the backup is damaged: %d files", len(problems))
	}
	return err
}

func (c nodeVerifyCommand) print(w io.Writer, r *node.Report, took time.Duration) error {
	if c.JSON {
		return json.NewEncoder(w).Encode(r)
	}
	seconds := max(took.Seconds(), 0.001)
	fmt.Fprintf(w, "store     %s\nevents    %d in %d streams, %d index entries, end of the log %d\nfiles     %d, %s\ntook      %.1f s: %.0f events/s, %.0f MiB/s\n",
		r.ID, r.Records, r.Streams, r.Indexed, r.End, r.Files, mebibytes(r.Bytes), seconds, float64(r.Records)/seconds, float64(r.Bytes)/(1<<20)/seconds)
	for _, p := range r.Problems {
		fmt.Fprintf(w, "broken    %s\n", p)
	}
	if r.More > 0 {
		fmt.Fprintf(w, "broken    %d more problems; --limit shows more of them\n", r.More)
	}
	if r.Partial {
		fmt.Fprintf(w, "          some could not be looked at because of that; a store that is served: stop it to see more\n")
	}
	if r.OK() {
		fmt.Fprintf(w, "all is well\n")
	}
	return nil
}
