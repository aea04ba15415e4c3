package api

import (
	"context"
	"fmt"
	"net/http"
	"strconv"

	"github.com/openledger/openledger/protocol"
)

func (s *Server) network(w http.ResponseWriter, r *http.Request) error {
	info, err := s.cfg.Network.Info(r.Context())
	if err != nil {
		return err
	}
	info.Faucet = s.cfg.Faucet != nil
	return writeJSON(w, http.StatusOK, info)
}

func (s *Server) workers(w http.ResponseWriter, r *http.Request) error {
	found, err := s.cfg.Network.Workers(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"workers": list(found)})
}

// ready says whether a request would find a worker.
func (s *Server) ready(w http.ResponseWriter, r *http.Request) error {
	found, err := s.cfg.Network.Workers(r.Context())
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return protocol.Errorf(protocol.KindUnavailable, "", "no worker has announced itself yet")
	}
	return writeJSON(w, http.StatusOK, map[string]any{"status": "ready", "workers": len(found)})
}

func (s *Server) models(w http.ResponseWriter, r *http.Request) error {
	found, err := s.cfg.Inference.Models(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"models": list(found)})
}

// CancelText is what a job's owner signs (EIP-191) to stop it.
func CancelText(id protocol.Hash, r CancelRequest) string { return trainingText("Cancel", id, r) }

// PauseText is what a job's owner signs to have it wait.
func PauseText(id protocol.Hash, r CancelRequest) string { return trainingText("Pause", id, r) }

// ResumeText is what a job's owner signs to have it go on.
func ResumeText(id protocol.Hash, r CancelRequest) string { return trainingText("Resume", id, r) }

func trainingText(verb string, id protocol.Hash, r CancelRequest) string {
	return fmt.Sprintf("%s an OpenLedger training job\njob: %s\nat: %d", verb, id.Hex(), r.At)
}

func (s *Server) startTraining(w http.ResponseWriter, r *http.Request) error {
	var job protocol.TrainingJob
	if err := readJSON(r, &job); err != nil {
		return err
	}
	status, err := s.cfg.Training.StartTraining(r.Context(), job)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusAccepted, status)
}

func (s *Server) trainingJobs(w http.ResponseWriter, r *http.Request) error {
	found, err := s.cfg.Training.TrainingJobs(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"training_jobs": list(found)})
}

func (s *Server) trainingJob(w http.ResponseWriter, r *http.Request) error {
	id, err := pathHash(r, "id")
	if err != nil {
		return err
	}
	status, err := s.cfg.Training.TrainingJob(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, status)
}

// controlTraining serves the owner's signed requests to cancel, pause or resume a job.
func (s *Server) controlTraining(do func(context.Context, protocol.Hash, CancelRequest) error) func(http.ResponseWriter, *http.Request) error {
	return func(w http.ResponseWriter, r *http.Request) error { return s.signedTraining(w, r, do) }
}

func (s *Server) signedTraining(w http.ResponseWriter, r *http.Request, do func(context.Context, protocol.Hash, CancelRequest) error) error {
	id, err := pathHash(r, "id")
	if err != nil {
		return err
	}
	var in CancelRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	if err := do(r.Context(), id, in); err != nil {
		return err
	}
	return s.trainingJob(w, r)
}

// maxListed bounds a listing that the request does not bound.
const maxListed = 1000

func (s *Server) receipts(w http.ResponseWriter, r *http.Request) error {
	limit := maxListed
	if q := r.URL.Query().Get("limit"); q != "" {
		n, err := strconv.Atoi(q)
		if err != nil || n < 1 || n > maxListed {
			return protocol.Errorf(protocol.KindInvalid, "limit", "it must be a whole number from 1 to %d", maxListed)
		}
		limit = n
	}
	found, err := s.cfg.Ledger.Receipts(r.Context(), limit)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"receipts": list(found)})
}

func (s *Server) receipt(w http.ResponseWriter, r *http.Request) error {
	id, err := pathHash(r, "id")
	if err != nil {
		return err
	}
	view, err := s.cfg.Ledger.Receipt(r.Context(), id)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, view)
}

func (s *Server) batches(w http.ResponseWriter, r *http.Request) error {
	found, err := s.cfg.Ledger.Batches(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, map[string]any{"batches": list(found)})
}

func (s *Server) block(w http.ResponseWriter, r *http.Request) error {
	digest, err := pathHash(r, "digest")
	if err != nil {
		return err
	}
	b, err := s.cfg.Ledger.Block(r.Context(), digest)
	if err != nil {
		return err
	}
	// Foreign bytes: no browser may ever interpret them.
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; sandbox")
	w.Header().Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", digest.Hex()))
	_, _ = w.Write(b) // an error means that the client hung up
	return nil
}
