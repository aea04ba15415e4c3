package main

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
)

// askLesson is a prompt for the records of publishLessons.
const askLesson = `What is the lesson of "{title}"?`

// trained runs 'adapter train' to its end.
func (s *separate) trained(t *testing.T, name, prompt, answer string, more ...string) protocol.CID {
	t.Helper()
	var status api.TrainingStatus
	run(t, &status, s.verb(append([]string{"adapter", "train", name, "--datanet", "1", "--prompt", prompt, "--answer", answer,
		"--epochs", "80", "--as", "owner"}, more...)...)...)
	require.Equal(t, "succeeded", status.State)
	return status.Result.Adapter
}

// asked puts a question, verifies the receipt, and gives the answer with the title of the record that counts most.
func (s *separate) asked(t *testing.T, model, question string) (text, title string) {
	t.Helper()
	var a answer
	run(t, &a, s.verb("infer", model, question, "--max-tokens", "24")...)
	var report struct {
		OK bool `json:"ok"`
	}
	run(t, &report, s.verb("receipts", "verify", a.Receipt.Hex())...)
	require.True(t, report.OK, "the attribution is what anybody recomputes")
	var why struct {
		Shares []explained `json:"shares"`
	}
	run(t, &why, s.verb("attribution", "explain", a.Receipt.Hex())...)
	require.NotEmpty(t, why.Shares, "%q is attributed to nobody", a.Text)
	return strings.TrimSpace(a.Text), why.Shares[0].Title
}
