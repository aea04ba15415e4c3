package api

import (
	"net/http"

	"github.com/openledger/openledger/protocol"
)

// TrainingOptions is what a form for a fine-tune needs: what may be chosen, and what is
// chosen where nothing is said.
type TrainingOptions struct {
	Base      protocol.Hash  `json:"base"`
	BaseName  string         `json:"base_name"`
	Defaults  protocol.Hyper `json:"defaults"`
	Targets   []string       `json:"targets"`
	Schedules []string       `json:"schedules"`
	Limits    TrainingLimits `json:"limits"`
}

// TrainingLimits bound hyper-parameters.
type TrainingLimits struct {
	Rank      int     `json:"rank"`
	Epochs    int     `json:"epochs"`
	Batch     int     `json:"batch"` // records of an optimiser step
	EvalRatio float64 `json:"eval_ratio"`
	Patience  int     `json:"patience"`
}

func (s *Server) trainingOptions(w http.ResponseWriter, r *http.Request) error {
	info, err := s.cfg.Network.Info(r.Context())
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, TrainingOptions{
		Base: info.Base, BaseName: info.BaseName, Defaults: s.cfg.TrainingDefaults, Targets: protocol.HyperTargets, Schedules: protocol.HyperSchedules,
		Limits: TrainingLimits{Rank: protocol.MaxHyperRank, Epochs: protocol.MaxHyperEpochs, Batch: protocol.MaxHyperBatch,
			EvalRatio: protocol.MaxHyperEvalRatio, Patience: protocol.MaxHyperPatience},
	})
}
