package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// FineTuneRequest asks for a model that is trained on a file or a published datanet version.
type FineTuneRequest struct {
	// ID is the same for the same Idempotency-Key; zero: choose one.
	ID             protocol.Hash     `json:"-"`
	Model          string            `json:"model"`
	TrainingFile   string            `json:"training_file"` // a file's ID, or datanet:ID@VERSION
	ValidationFile string            `json:"validation_file,omitempty"`
	Hyper          TuneHyper         `json:"hyperparameters"`
	Method         *TuneMethod       `json:"method,omitempty"`
	Suffix         string            `json:"suffix,omitempty"`
	Seed           *uint64           `json:"seed,omitempty"`
	Metadata       map[string]string `json:"metadata,omitempty"`
	Integrations   []json.RawMessage `json:"integrations,omitempty"`
	OpenLedger     TuneExtension     `json:"openledger"`
}

// TuneMethod is how to train. Only supervised training is possible.
type TuneMethod struct {
	Type       string `json:"type"`
	Supervised *struct {
		Hyper TuneHyper `json:"hyperparameters"`
	} `json:"supervised,omitempty"`
}

// TuneHyper are OpenAI's hyper-parameters. Each is a number or "auto".
type TuneHyper struct {
	Epochs       TuneNumber `json:"n_epochs"`
	BatchSize    TuneNumber `json:"batch_size"`
	LearningRate TuneNumber `json:"learning_rate_multiplier"`
}

// TuneNumber is a number; zero is "auto".
type TuneNumber float64

// UnmarshalJSON takes a positive number or "auto".
func (n *TuneNumber) UnmarshalJSON(b []byte) error {
	if string(b) == `"auto"` || string(b) == "null" {
		*n = 0
		return nil
	}
	var v float64
	if err := json.Unmarshal(b, &v); err != nil || !(v > 0) {
		return protocol.Errorf(protocol.KindInvalid, "hyperparameters", "%s is neither a positive number nor \"auto\"", clipped(b))
	}
	*n = TuneNumber(v)
	return nil
}

// MarshalJSON writes zero as "auto".
func (n TuneNumber) MarshalJSON() ([]byte, error) {
	if n == 0 {
		return []byte(`"auto"`), nil
	}
	return json.Marshal(float64(n))
}

func clipped(b []byte) string {
	if len(b) > 40 {
		return string(b[:40]) + "…"
	}
	return string(b)
}

// TuneExtension is what OpenAI's request has no field for.
type TuneExtension struct {
	License         string      `json:"license,omitempty"`     // SPDX, of the datanet that a file becomes
	Description     string      `json:"description,omitempty"` // of that datanet
	Rank            int         `json:"rank,omitempty"`
	Alpha           float32     `json:"alpha,omitempty"`
	Targets         []string    `json:"targets,omitempty"`
	Schedule        string      `json:"schedule,omitempty"`
	MaxLength       int         `json:"max_length,omitempty"`
	ValidationShare float32     `json:"validation_share,omitempty"` // of the records, held out
	HeldOut         string      `json:"held_out,omitempty"`         // field of a datanet's records that says "validation" of those that are held out
	Patience        int         `json:"patience,omitempty"`
	Access          uint256.Int `json:"access"` // price per answer, wei
	RoyaltyBps      uint16      `json:"royalty_bps,omitempty"`
	PromptTemplate  string      `json:"prompt_template,omitempty"` // of records of a datanet
	AnswerTemplate  string      `json:"answer_template,omitempty"`
}

// FineTune is a fine-tuning job.
type FineTune struct {
	ID             string
	Owner          protocol.Account
	Request        FineTuneRequest
	Hyper          TuneHyper // as chosen
	Seed           uint64
	Status         string // validating_files, queued, running, paused, succeeded, failed or cancelled
	Error          *TuneError
	FineTunedModel string
	ResultFiles    []string
	TrainedTokens  int64
	Datanet        uint64
	Version        uint32
	Training       protocol.Hash
	Steps          int
	Loss           float64
	Eval           *protocol.TrainingEval // of the result; nil without held-out records
	CreatedAt      time.Time
	FinishedAt     time.Time
	EstimatedEnd   time.Time
}

// TuneError is why a job failed.
type TuneError struct {
	Code    string  `json:"code"`
	Message string  `json:"message"`
	Param   *string `json:"param"`
}

// TuneEvent is something that happened to a job.
type TuneEvent struct {
	ID      string
	At      time.Time
	Level   string // info, warn or error
	Message string
}

// FineTuning trains models in accounts' names. An account sees its own jobs only.
type FineTuning interface {
	CreateFineTune(ctx context.Context, owner protocol.Account, r FineTuneRequest) (FineTune, error)
	// FineTunes lists the account's jobs from the oldest.
	FineTunes(ctx context.Context, owner protocol.Account) ([]FineTune, error)
	FineTune(ctx context.Context, owner protocol.Account, id string) (FineTune, []TuneEvent, error)
	CancelFineTune(ctx context.Context, owner protocol.Account, id string) (FineTune, error)
	// PauseFineTune stops a job that trains where it can go on; ResumeFineTune has it go on.
	PauseFineTune(ctx context.Context, owner protocol.Account, id string) (FineTune, error)
	ResumeFineTune(ctx context.Context, owner protocol.Account, id string) (FineTune, error)
}

// tuneObject is OpenAI's shape of a job.
type tuneObject struct {
	ID              string             `json:"id"`
	Object          string             `json:"object"`
	CreatedAt       int64              `json:"created_at"`
	FinishedAt      *int64             `json:"finished_at"`
	Model           string             `json:"model"`
	FineTunedModel  *string            `json:"fine_tuned_model"`
	OrganizationID  string             `json:"organization_id"`
	Status          string             `json:"status"`
	Hyperparameters TuneHyper          `json:"hyperparameters"`
	Method          tuneMethodObject   `json:"method"`
	TrainingFile    string             `json:"training_file"`
	ValidationFile  *string            `json:"validation_file"`
	ResultFiles     []string           `json:"result_files"`
	TrainedTokens   *int64             `json:"trained_tokens"`
	Error           *TuneError         `json:"error"`
	Seed            uint64             `json:"seed"`
	EstimatedFinish *int64             `json:"estimated_finish"`
	Integrations    []string           `json:"integrations"`
	Metadata        map[string]string  `json:"metadata"`
	OpenLedger      tuneExtensionShown `json:"openledger"`
}

type tuneMethodObject struct {
	Type       string `json:"type"`
	Supervised struct {
		Hyperparameters TuneHyper `json:"hyperparameters"`
	} `json:"supervised"`
}

// tuneExtensionShown is what we have to say of a job beside OpenAI's fields.
type tuneExtensionShown struct {
	Datanet     uint64         `json:"datanet,omitempty"` // 0: none yet
	Version     uint32         `json:"version,omitempty"`
	TrainingJob *protocol.Hash `json:"training_job,omitempty"`
	License     string         `json:"license,omitempty"`
}

func unixOrNil(at time.Time) *int64 {
	if at.IsZero() {
		return nil
	}
	unix := at.Unix()
	return &unix
}

func newTuneObject(t FineTune) tuneObject {
	o := tuneObject{ID: t.ID, Object: "fine_tuning.job", CreatedAt: t.CreatedAt.Unix(), FinishedAt: unixOrNil(t.FinishedAt), Model: t.Request.Model,
		OrganizationID: t.Owner.Hex(), Status: t.Status, Hyperparameters: t.Hyper, TrainingFile: t.Request.TrainingFile, ResultFiles: list(t.ResultFiles),
		Error: t.Error, Seed: t.Seed, EstimatedFinish: unixOrNil(t.EstimatedEnd), Integrations: []string{}, Metadata: t.Request.Metadata,
		OpenLedger: tuneExtensionShown{Datanet: t.Datanet, Version: t.Version, License: t.Request.OpenLedger.License}}
	o.Method.Type, o.Method.Supervised.Hyperparameters = "supervised", t.Hyper
	if t.Request.ValidationFile != "" {
		o.ValidationFile = &t.Request.ValidationFile
	}
	if o.Metadata == nil {
		o.Metadata = map[string]string{}
	}
	if t.FineTunedModel != "" {
		o.FineTunedModel = &t.FineTunedModel
	}
	if t.TrainedTokens != 0 {
		o.TrainedTokens = &t.TrainedTokens
	}
	if t.Training != (protocol.Hash{}) {
		o.OpenLedger.TrainingJob = &t.Training
	}
	return o
}

// idempotent derives an ID from the Idempotency-Key header; zero without one.
func idempotent(r *http.Request, account protocol.Account, what string) (protocol.Hash, error) {
	key := r.Header.Get("Idempotency-Key")
	if len(key) > 256 {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "Idempotency-Key", "it is longer than 256 bytes")
	}
	if key == "" {
		return protocol.Hash{}, nil
	}
	return sha256.Sum256(fmt.Appendf(account.Bytes(), "openledger %s %s", what, key)), nil
}

func (s *Server) createFineTune(w http.ResponseWriter, r *http.Request, by Caller) error {
	var in FineTuneRequest
	if err := readJSON(r, &in); err != nil {
		return err
	}
	var err error
	if in.ID, err = idempotent(r, by.Account, "fine-tune"); err != nil {
		return err
	}
	switch {
	case len(in.Integrations) != 0:
		return protocol.Errorf(protocol.KindInvalid, "integrations", "there are none here: leave it out")
	case in.Method != nil && in.Method.Type != "supervised":
		return protocol.Errorf(protocol.KindInvalid, "method.type", "%q is not possible here: only \"supervised\" is", in.Method.Type)
	}
	if in.Method != nil && in.Method.Supervised != nil {
		in.Hyper = in.Method.Supervised.Hyper
	}
	t, err := s.cfg.FineTuning.CreateFineTune(r.Context(), by.Account, in)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newTuneObject(t))
}

func (s *Server) listFineTunes(w http.ResponseWriter, r *http.Request, by Caller) error {
	jobs, err := s.cfg.FineTuning.FineTunes(r.Context(), by.Account)
	if err != nil {
		return err
	}
	objects := make([]tuneObject, len(jobs))
	for i, t := range jobs {
		objects[i] = newTuneObject(t)
	}
	return writePage(w, r, objects, func(t tuneObject) string { return t.ID }, 20, 100)
}

func (s *Server) getFineTune(w http.ResponseWriter, r *http.Request, by Caller) error {
	t, _, err := s.cfg.FineTuning.FineTune(r.Context(), by.Account, r.PathValue("id"))
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, newTuneObject(t))
}

func (s *Server) controlFineTune(do func(context.Context, protocol.Account, string) (FineTune, error)) func(http.ResponseWriter, *http.Request, Caller) error {
	return func(w http.ResponseWriter, r *http.Request, by Caller) error {
		t, err := do(r.Context(), by.Account, r.PathValue("id"))
		if err != nil {
			return err
		}
		return writeJSON(w, http.StatusOK, newTuneObject(t))
	}
}

// tuneEventObject is OpenAI's shape of an event.
type tuneEventObject struct {
	ID        string `json:"id"`
	Object    string `json:"object"`
	CreatedAt int64  `json:"created_at"`
	Level     string `json:"level"`
	Message   string `json:"message"`
	Type      string `json:"type"`
}

func (s *Server) fineTuneEvents(w http.ResponseWriter, r *http.Request, by Caller) error {
	_, events, err := s.cfg.FineTuning.FineTune(r.Context(), by.Account, r.PathValue("id"))
	if err != nil {
		return err
	}
	objects := make([]tuneEventObject, len(events))
	for i, e := range events {
		objects[i] = tuneEventObject{ID: e.ID, Object: "fine_tuning.job.event", CreatedAt: e.At.Unix(), Level: e.Level, Message: e.Message, Type: "message"}
	}
	return writePage(w, r, objects, func(e tuneEventObject) string { return e.ID }, 20, 1000)
}

// tuneCheckpointObject is OpenAI's shape of a checkpoint.
type tuneCheckpointObject struct {
	ID                       string             `json:"id"`
	Object                   string             `json:"object"`
	CreatedAt                int64              `json:"created_at"`
	FineTunedModelCheckpoint string             `json:"fine_tuned_model_checkpoint"`
	FineTuningJobID          string             `json:"fine_tuning_job_id"`
	StepNumber               int                `json:"step_number"`
	Metrics                  map[string]float64 `json:"metrics"`
}

// fineTuneCheckpoints lists the models of a job that can be asked: the result, once there
// is one. What a worker saves in between is for going on after a crash.
func (s *Server) fineTuneCheckpoints(w http.ResponseWriter, r *http.Request, by Caller) error {
	t, _, err := s.cfg.FineTuning.FineTune(r.Context(), by.Account, r.PathValue("id"))
	if err != nil {
		return err
	}
	var objects []tuneCheckpointObject
	if t.FineTunedModel != "" {
		c := tuneCheckpointObject{ID: "ftckpt-" + t.ID, Object: "fine_tuning.job.checkpoint", CreatedAt: t.FinishedAt.Unix(),
			FineTunedModelCheckpoint: t.FineTunedModel, FineTuningJobID: t.ID, StepNumber: t.Steps,
			Metrics: map[string]float64{"step": float64(t.Steps), "train_loss": t.Loss}}
		if e := t.Eval; e != nil { // always of all held-out records; the model is that of its step
			c.StepNumber, c.Metrics["step"] = e.Step, float64(e.Step)
			c.Metrics["valid_loss"], c.Metrics["full_valid_loss"] = e.Loss, e.Loss
			c.Metrics["full_valid_exact"] = float64(e.Exact) / float64(max(e.Records, 1))
		}
		objects = append(objects, c)
	}
	return writePage(w, r, objects, func(c tuneCheckpointObject) string { return c.ID }, 10, 100)
}
