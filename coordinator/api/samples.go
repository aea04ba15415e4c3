package api

import (
	"bytes"
	"fmt"
	"net/http"
	"time"

	"github.com/openledger/openledger/protocol"
)

// Sample is a file of records to begin with, for who has none at hand.
type Sample struct {
	Name        string `json:"name"` // of the file
	Title       string `json:"title"`
	Description string `json:"description"`
	License     string `json:"license"` // SPDX expression
	Records     int    `json:"records"`
	// PromptTemplate and AnswerTemplate make examples of its records.
	PromptTemplate string `json:"prompt_template"`
	AnswerTemplate string `json:"answer_template"`
	Content        []byte `json:"-"` // JSON Lines
}

func (s *Server) samples(w http.ResponseWriter, _ *http.Request) error {
	return writeJSON(w, http.StatusOK, map[string]any{"samples": list(s.cfg.Samples)})
}

func (s *Server) sample(w http.ResponseWriter, r *http.Request) error {
	name := r.PathValue("name")
	for _, f := range s.cfg.Samples {
		if f.Name == name {
			h := w.Header()
			h.Set("Content-Type", "application/jsonl")
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Content-Disposition", fmt.Sprintf("attachment; filename=%q", f.Name))
			http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(f.Content))
			return nil
		}
	}
	return protocol.Errorf(protocol.KindNotFound, "name", "there is no sample %q; GET /api/v1/samples lists them", name)
}
