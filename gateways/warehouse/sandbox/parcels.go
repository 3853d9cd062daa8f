package sandbox

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"net/http"
	"slices"

	"github.com/waybill-dev/waybill/gateways/warehouse"
)

// Pack sends a parcel with units of a job and tells the shop of it, unless the
// job is stopped: then the job that is returned says so. The same parcel again
// is told again.
func (s *Server) Pack(ctx context.Context, requestID string, p warehouse.Parcel) (Job, error) {
	job, err := s.ledger.change(ctx, requestID, func(j *Job) error { return j.pack(p) })
	if err != nil || job.Status == Stopped {
		return job, err
	}
	return job, s.tell(ctx, job, "shipments", p.ID, p)
}

// Refuse says that what is left of a job cannot be done, and tells the shop.
func (s *Server) Refuse(ctx context.Context, requestID, reason string) (Job, error) {
	job, err := s.ledger.change(ctx, requestID, func(j *Job) error {
		if j.Status == Submitted {
			j.Refused = &warehouse.Refusal{ID: requestID, Reason: reason}
		}
		return nil
	})
	if err != nil || job.Refused == nil {
		return job, err
	}
	return job, s.tell(ctx, job, "hold", "refused", job.Refused)
}

var errParcel = errors.New("a parcel needs an id of its own, and units that the job has left")

// pack takes units of the job. With the last ones it is picked.
func (j *Job) pack(p warehouse.Parcel) error {
	known := slices.ContainsFunc(j.Parcels, func(k warehouse.Parcel) bool { return k.ID == p.ID })
	if known || j.Status == Stopped {
		return nil
	}
	if p.ID == "" || len(p.Lines) == 0 {
		return errParcel
	}
	left := map[string]int{}
	for _, l := range j.Lines {
		left[l.LineID] += l.Quantity
	}
	j.Parcels = append(j.Parcels, p)
	for _, parcel := range j.Parcels {
		for _, u := range parcel.Lines {
			left[u.LineID] -= u.Quantity
			if u.Quantity < 1 || left[u.LineID] < 0 {
				return errParcel
			}
		}
	}
	for _, n := range left {
		if n > 0 {
			return nil
		}
	}
	j.Status = Picked
	return nil
}

// change changes a job with nobody in between.
func (l *ledger) change(ctx context.Context, requestID string, how func(*Job) error) (job Job, err error) {
	err = l.db.Tx(ctx, func(tx *sql.Tx) error {
		job, err = scan(tx.QueryRowContext(ctx, `SELECT `+columns+` FROM jobs WHERE request_id = ?`, requestID))
		if err != nil {
			return err
		}
		if err := how(&job); err != nil {
			return err
		}
		parcels, err := json.Marshal(job.Parcels)
		if err != nil {
			return err
		}
		refused, err := json.Marshal(job.Refused)
		if err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE jobs SET status = ?, parcels = ?, refused = ? WHERE request_id = ?`,
			job.Status, string(parcels), string(refused), requestID)
		return err
	})
	return job, err
}

func (s *Server) pack(r *http.Request) (Job, error) {
	var p warehouse.Parcel
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<20)).Decode(&p); err != nil {
		return Job{}, errParcel
	}
	return s.Pack(r.Context(), r.PathValue("id"), p)
}

func (s *Server) refuse(r *http.Request) (Job, error) {
	var refused warehouse.Refusal
	if err := json.NewDecoder(http.MaxBytesReader(nil, r.Body, 1<<10)).Decode(&refused); err != nil {
		return Job{}, errBody
	}
	return s.Refuse(r.Context(), r.PathValue("id"), refused.Reason)
}
