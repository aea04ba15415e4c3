package coordinator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"

	"github.com/openledger/openledger/protocol"
)

// TrainingReport gives the evaluation that an adapter's trainer published with it. It is of
// the adapter's content, so that it says the same wherever it is read.
func (c *Coordinator) TrainingReport(ctx context.Context, model string) (protocol.CID, protocol.TrainingReport, error) {
	var report protocol.TrainingReport
	a, err := c.resolve(ctx, model)
	if err != nil {
		return "", report, err
	}
	if a.CID == "" {
		return "", report, protocol.Errorf(protocol.KindInvalid, "id", "%q is the base model, which was not trained here: name an adapter", model)
	}
	ctx, cancel := context.WithTimeout(ctx, manifestTimeout)
	defer cancel()
	raw, err := c.ipfs.ReadFile(ctx, a.CID, c.workerAddrs(), maxManifestBytes)
	if err != nil {
		return "", report, err
	}
	var m protocol.AdapterManifest
	if err := json.Unmarshal(raw, &m); err != nil {
		return "", report, protocol.Errorf(protocol.KindCorrupt, "adapter", "%s is not a manifest: %w", a.CID, err)
	}
	file := m.Files[protocol.EvaluationFile]
	if file == "" {
		return "", report, protocol.Errorf(protocol.KindNotFound, "id", "%q was trained without held-out records, so there is no evaluation: train with a validation share (eval_ratio), such as 0.1", model)
	}
	if raw, err = c.ipfs.ReadFile(ctx, file, c.workerAddrs(), protocol.MaxReportBytes); err != nil {
		return "", report, fmt.Errorf("evaluation of %s: %w", a.CID, err)
	}
	dec := json.NewDecoder(bytes.NewReader(raw))
	if err := dec.Decode(&report); err != nil {
		return "", report, protocol.Errorf(protocol.KindCorrupt, "evaluation", "%s is no evaluation: %w", file, err)
	}
	return a.CID, report, nil
}
