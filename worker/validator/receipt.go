package validator

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"github.com/ipfs/go-cid"
	"github.com/multiformats/go-multihash"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/worker/adapter"
	"github.com/openledger/openledger/worker/audit"
	"github.com/openledger/openledger/worker/settle"
)

// receipt judges one receipt by its evidence: who asked, what was charged, and what
// running it again gives.
func (j *Judge) receipt(ctx context.Context, entry *settle.Entry, f *Finding) error {
	s := entry.Receipt
	e, err := j.evidence(ctx, s.Receipt)
	if err != nil {
		return err
	}
	if err := consistent(s.Receipt, e); err != nil {
		return err
	}
	if err := j.asked(ctx, s.Receipt, e); err != nil {
		return err
	}
	with, unable, err := j.model(ctx, s.Receipt, e)
	if err != nil {
		return err
	}
	if unable != "" {
		f.Unable = append(f.Unable, fmt.Sprintf("receipt %s: %s", s.Receipt.ID, unable))
		return nil
	}
	bad, unable, err := j.rerun(ctx, s, e, with)
	if err != nil {
		return err
	}
	if unable != "" { // the rest counts
		f.Unable = append(f.Unable, fmt.Sprintf("receipt %s: %s", s.Receipt.ID, unable))
	}
	f.Rerun++
	if bad == nil {
		return nil
	}
	// Bits that differ once may be this machine's: only what differs again counts.
	again, _, err := j.rerun(ctx, s, e, with)
	if err != nil {
		return err
	}
	if again == nil || again.reason != bad.reason {
		return fmt.Errorf("receipt %s: two runs on this machine differ: its memory or processor may be faulty", s.Receipt.ID)
	}
	return bad
}

func (j *Judge) evidence(ctx context.Context, r protocol.Receipt) (protocol.Evidence, error) {
	b, err := j.Blocks.Get(ctx, r.Evidence)
	if err != nil {
		return protocol.Evidence{}, missing(ctx, "evidence", r.Evidence, r.ID, err)
	}
	if sha256.Sum256(b) != r.Evidence {
		return protocol.Evidence{}, protocol.Errorf(protocol.KindInternal, "evidence", "the block store gave other bytes than %s", r.Evidence)
	}
	e, err := wire.DecodeEvidence(b)
	if err != nil {
		return e, faultf(unavailable, r.ID, "what it names as evidence is none: %v", err)
	}
	return e, nil
}

// consistent compares a receipt with its evidence, and says what kind of lie a
// difference is.
func consistent(r protocol.Receipt, e protocol.Evidence) error {
	if want, err := digestOf(e.Job.Adapter); err != nil || want != r.Adapter {
		return faultf(lineage, r.ID, "the job asked for adapter %q, the receipt names %s", e.Job.Adapter, r.Adapter)
	}
	err := wire.CheckReceipt(r, e)
	if err == nil {
		return nil
	}
	reason := signature // of another job, requester
	var typed *protocol.Error
	if errors.As(err, &typed) {
		switch typed.Field {
		case "base", "adapter", "agent", "datanet_root":
			reason = lineage
		case "prompt_tokens", "output_tokens", "compute", "access", "markup":
			reason = charge
		case "output_hash":
			reason = output
		case "attribution_root":
			reason = attribution
		}
	}
	return faultf(reason, r.ID, "%v", err)
}

// digestOf is the digest in a CID; zero for none.
func digestOf(id protocol.CID) (protocol.Hash, error) {
	if id == "" {
		return protocol.Hash{}, nil
	}
	c, err := cid.Decode(string(id))
	if err != nil {
		return protocol.Hash{}, err
	}
	mh, err := multihash.Decode(c.Hash())
	if err != nil {
		return protocol.Hash{}, err
	}
	if mh.Code != multihash.SHA2_256 || len(mh.Digest) != 32 {
		return protocol.Hash{}, protocol.Errorf(protocol.KindInvalid, "adapter", "%s is not of SHA2-256", id)
	}
	return protocol.Hash(mh.Digest), nil
}

// asked checks that the requester signed for this job, at this price, to this worker.
func (j *Judge) asked(ctx context.Context, r protocol.Receipt, e protocol.Evidence) error {
	domain := wire.Domain{ChainID: j.Chain.ChainID(), Contract: j.Chain.Addresses().Escrow}
	signer, err := wire.JobSigner(domain, e.Authorized(), r.Worker)
	if err != nil {
		return faultf(charge, r.ID, "nobody signed for this job at this price: %v", err)
	}
	if signer == r.Requester {
		return nil
	}
	session, err := j.Chain.SessionOf(ctx, r.Requester, signer)
	if err != nil {
		return err
	}
	if session.Expires == 0 { // one that ended was valid once
		return faultf(charge, r.ID, "neither its requester nor a session key of its escrow signed for this job at this price: the signature is of %s", signer)
	}
	return nil
}

// model opens what the receipt says it was computed with. unable says why it cannot be
// run here.
func (j *Judge) model(ctx context.Context, r protocol.Receipt, e protocol.Evidence) (with *adapter.Adapter, unable string, err error) {
	if e.Profile != audit.Profile {
		return nil, "", faultf(output, r.ID, "it was computed under the numeric profile %q, which nobody can repeat: the network has %q", e.Profile, audit.Profile)
	}
	if r.Base != j.Auditor.Base {
		_, err := j.Chain.BaseModel(ctx, r.Base)
		if protocol.KindOf(err) == protocol.KindNotFound {
			return nil, "", faultf(lineage, r.ID, "the registry has no base %s", r.Base)
		}
		return nil, fmt.Sprintf("it is of the base %s, here is %s", r.Base, j.Auditor.Base), err
	}
	if r.Adapter == (protocol.Hash{}) {
		return nil, "", nil
	}
	with, err = j.Adapters.Open(ctx, e.Job.Adapter)
	if err != nil && ctx.Err() != nil {
		return nil, "", ctx.Err()
	}
	if err != nil {
		return nil, fmt.Sprintf("adapter %s cannot be opened: %v", e.Job.Adapter, err), nil
	}
	return with, "", nil
}

// rerun computes output and attribution again. unable is what could not be checked.
func (j *Judge) rerun(ctx context.Context, s protocol.SignedReceipt, e protocol.Evidence, with *adapter.Adapter) (bad *fault, unable string, err error) {
	report, err := j.Auditor.Audit(ctx, s, e, with)
	if err != nil {
		return nil, "", fmt.Errorf("run receipt %s again: %w", s.Receipt.ID, err)
	}
	for _, step := range report.Steps {
		if step.OK {
			continue
		}
		reason := map[string]protocol.DisputeReason{
			audit.StepSignature: signature, audit.StepEvidence: signature, audit.StepFee: charge, audit.StepModel: lineage,
			audit.StepPrompt: charge, audit.StepOutput: output, audit.StepAttribution: attribution, audit.StepNone: attribution,
			audit.StepSources: lineage, audit.StepRetrieved: attribution, audit.StepAgent: lineage,
		}[step.Name]
		return faultf(reason, s.Receipt.ID, "%s: %s", step.Name, step.Detail), "", nil
	}
	return nil, report.Unchecked, nil
}
