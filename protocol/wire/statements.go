package wire

import (
	"crypto/ecdsa"
	"crypto/sha256"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// ReceiptData is the typed data of a receipt (contract: AttributionSettlement).
func ReceiptData(d Domain, r protocol.Receipt) TypedData {
	t := TypedData{domain: d, primary: "Receipt"}
	t.hash("id", r.ID)
	t.account("requester", r.Requester)
	t.account("worker", r.Worker)
	t.hash("base", r.Base)
	t.hash("adapter", r.Adapter)
	t.uint("agent", 64, r.Agent)
	t.uint("agentVersion", 32, uint64(r.AgentVersion))
	t.uint("datanet", 64, r.Datanet)
	t.hash("datanetRoot", r.DatanetRoot)
	t.uint("promptTokens", 32, uint64(r.PromptTokens))
	t.uint("outputTokens", 32, uint64(r.OutputTokens))
	t.amount("compute", r.Compute)
	t.amount("access", r.Access)
	t.amount("markup", r.Markup)
	t.hash("outputHash", r.OutputHash)
	t.hash("attributionRoot", r.AttributionRoot)
	t.hash("evidence", r.Evidence)
	t.time("finishedAt", r.FinishedAt)
	return t
}

// VoucherData is the typed data of a voucher (contract: Escrow).
func VoucherData(d Domain, v protocol.Voucher) TypedData {
	t := TypedData{domain: d, primary: "Voucher"}
	t.account("requester", v.Requester)
	t.account("worker", v.Worker)
	t.amount("cumulative", v.Cumulative)
	t.time("expires", v.Expires)
	return t
}

// OpeningData is the typed data of an opening (contract: Escrow).
func OpeningData(d Domain, o protocol.Opening) TypedData {
	workers, amounts := make([]protocol.Account, len(o.Reserves)), make([]uint256.Int, len(o.Reserves))
	for i, r := range o.Reserves {
		workers[i], amounts[i] = r.Worker, r.Amount
	}
	t := TypedData{domain: d, primary: "Opening"}
	t.account("requester", o.Requester)
	t.account("session", o.Session)
	t.amount("limit", o.Limit)
	t.time("expiry", o.Expiry)
	t.amount("amount", o.Amount)
	t.accounts("workers", workers)
	t.amounts("amounts", amounts)
	t.amount("nonce", o.Nonce)
	t.time("deadline", o.Deadline)
	return t
}

// SignOpening signs with the requester's key.
func SignOpening(d Domain, o protocol.Opening, key *ecdsa.PrivateKey) (protocol.SignedOpening, error) {
	sig, err := Sign(OpeningData(d, o), key)
	return protocol.SignedOpening{Opening: o, Signature: sig}, err
}

// PaymentData is the typed data of a payment, TransferWithAuthorization of EIP-3009. The
// domain is the escrow's; no contract takes it.
func PaymentData(d Domain, p protocol.Payment) TypedData {
	t := TypedData{domain: d, primary: "TransferWithAuthorization"}
	t.account("from", p.From)
	t.account("to", p.To)
	t.amount("value", p.Value)
	t.amount("validAfter", p.ValidAfter)
	t.amount("validBefore", p.ValidBefore)
	t.hash("nonce", p.Nonce)
	return t
}

// SignPayment signs with the payer's key.
func SignPayment(d Domain, p protocol.Payment, key *ecdsa.PrivateKey) (protocol.SignedPayment, error) {
	sig, err := Sign(PaymentData(d, p), key)
	return protocol.SignedPayment{Payment: p, Signature: sig}, err
}

// VerifyPayment checks that the payer signed.
func VerifyPayment(d Domain, s protocol.SignedPayment) error {
	return Verify(PaymentData(d, s.Payment), s.Payment.From, s.Signature)
}

// BindingData is the typed data of a binding (contract: WorkerStaking).
func BindingData(d Domain, b protocol.Binding) TypedData {
	t := TypedData{domain: d, primary: "Binding"}
	t.text("peer", string(b.Peer))
	t.account("nodeKey", b.NodeKey)
	t.account("owner", b.Owner)
	t.account("payout", b.Payout)
	t.time("issuedAt", b.IssuedAt)
	t.time("expires", b.Expires)
	return t
}

// ContributionData is the typed data of a contribution (contract: DatanetRegistry).
func ContributionData(d Domain, c protocol.Contribution) TypedData {
	t := TypedData{domain: d, primary: "Contribution"}
	t.uint("datanet", 64, c.Datanet)
	t.hash("record", c.Record)
	t.account("contributor", c.Contributor)
	t.text("license", c.License)
	t.time("at", c.At)
	return t
}

// ReviewData is the typed data of a review (contract: DatanetRegistry).
func ReviewData(d Domain, r protocol.Review) TypedData {
	t := TypedData{domain: d, primary: "Review"}
	t.uint("datanet", 64, r.Datanet)
	t.hash("record", r.Record)
	t.text("status", string(r.Status))
	t.text("reason", r.Reason)
	t.time("at", r.At)
	return t
}

// TrainingOrderData is the typed data of an order (contract: ModelRegistry).
func TrainingOrderData(d Domain, o protocol.TrainingOrder) TypedData {
	t := TypedData{domain: d, primary: "TrainingOrder"}
	t.account("owner", o.Owner)
	t.text("name", o.Name)
	t.hash("base", o.Base)
	t.uint("datanet", 64, o.Datanet)
	t.uint("version", 32, uint64(o.Version))
	t.text("root", string(o.Root))
	t.hash("hyperHash", o.HyperHash)
	t.amount("access", o.Access)
	t.uint("royaltyBps", 16, uint64(o.RoyaltyBps))
	t.uint("revision", 32, uint64(o.Revision))
	t.hashes("parents", o.Parents)
	t.hash("nonce", o.Nonce)
	t.time("deadline", o.Deadline)
	return t
}

// VerdictData is the typed data of a verdict (contract: DisputeCommittee).
func VerdictData(d Domain, v protocol.Verdict) TypedData {
	t := TypedData{domain: d, primary: "Verdict"}
	t.uint("dispute", 64, v.Dispute)
	t.account("worker", v.Worker)
	t.uint("nonce", 64, v.Nonce)
	t.hash("dataDigest", v.DataDigest)
	t.flag("guilty", v.Guilty)
	t.uint("reason", 8, uint64(v.Reason))
	return t
}

// SignVerdict signs with a validator's key and fills Signer.
func SignVerdict(d Domain, v protocol.Verdict, key *ecdsa.PrivateKey) (protocol.SignedVerdict, error) {
	sig, err := Sign(VerdictData(d, v), key)
	return protocol.SignedVerdict{Verdict: v, Signer: crypto.PubkeyToAddress(key.PublicKey), Signature: sig}, err
}

// VerifyVerdict checks the signature against Signer, not whether Signer has a seat.
func VerifyVerdict(d Domain, s protocol.SignedVerdict) error {
	return Verify(VerdictData(d, s.Verdict), s.Signer, s.Signature)
}

// AgentOrderData is the typed data of an agent's version (contract: AgentRegistry).
func AgentOrderData(d Domain, o protocol.AgentOrder) TypedData {
	t := TypedData{domain: d, primary: "AgentOrder"}
	t.account("owner", o.Owner)
	t.uint("agent", 64, o.Agent)
	t.uint("version", 32, uint64(o.Version))
	t.text("name", o.Name)
	t.text("manifest", string(o.Manifest))
	t.amount("price", o.Price)
	t.time("deadline", o.Deadline)
	return t
}

// SignAgentOrder signs with the owner's key.
func SignAgentOrder(d Domain, o protocol.AgentOrder, key *ecdsa.PrivateKey) ([]byte, error) {
	return Sign(AgentOrderData(d, o), key)
}

// JobData is the typed data of an inference job that is meant for one worker
// (contract: Escrow). Its content is the job without Deadline, which stands beside
// it, and without Sources and Authorization.
func JobData(d Domain, j protocol.InferenceJob, worker protocol.Account) (TypedData, error) {
	content := j
	content.Deadline, content.Sources, content.Authorization = 0, nil, nil
	b, err := canonical(InferenceJobToPB(content), "job", protocol.MaxFrameBytes)
	if err != nil {
		return TypedData{}, err
	}
	t := TypedData{domain: d, primary: "InferenceJob"}
	t.hash("id", j.ID)
	t.account("requester", j.Requester)
	t.account("worker", worker)
	t.hash("content", sha256.Sum256(b))
	t.time("deadline", j.Deadline)
	return t, nil
}

// SignJob fills in a job's Authorization, by the requester's or a session key.
func SignJob(d Domain, j protocol.InferenceJob, worker protocol.Account, key *ecdsa.PrivateKey) (protocol.InferenceJob, error) {
	t, err := JobData(d, j, worker)
	if err != nil {
		return j, err
	}
	j.Authorization, err = Sign(t, key)
	return j, err
}

// JobSigner gives the account that authorised a job for a worker, not whether it may
// speak for the requester.
func JobSigner(d Domain, j protocol.InferenceJob, worker protocol.Account) (protocol.Account, error) {
	t, err := JobData(d, j, worker)
	if err != nil {
		return protocol.Account{}, err
	}
	return Recover(t, j.Authorization)
}

// SignReceipt signs with the node key and fills NodeKey.
func SignReceipt(d Domain, r protocol.Receipt, key *ecdsa.PrivateKey) (protocol.SignedReceipt, error) {
	sig, err := Sign(ReceiptData(d, r), key)
	return protocol.SignedReceipt{Receipt: r, NodeKey: crypto.PubkeyToAddress(key.PublicKey), Signature: sig}, err
}

// VerifyReceipt checks the signature against NodeKey, not whether NodeKey is the
// worker's: a binding says that.
func VerifyReceipt(d Domain, s protocol.SignedReceipt) error {
	digest, err := ReceiptDigest(d, &s.Receipt)
	if err != nil {
		return err
	}
	return verifyDigest("Receipt", digest, s.NodeKey, s.Signature)
}

// SignVoucher signs with the requester's or a session key and fills Signer.
func SignVoucher(d Domain, v protocol.Voucher, key *ecdsa.PrivateKey) (protocol.SignedVoucher, error) {
	sig, err := Sign(VoucherData(d, v), key)
	return protocol.SignedVoucher{Voucher: v, Signer: crypto.PubkeyToAddress(key.PublicKey), Signature: sig}, err
}

// VerifyVoucher checks the signature against Signer, not whether Signer may sign
// for the requester: the escrow says that.
func VerifyVoucher(d Domain, s protocol.SignedVoucher) error {
	return Verify(VoucherData(d, s.Voucher), s.Signer, s.Signature)
}

// SignBinding signs with the owner key.
func SignBinding(d Domain, b protocol.Binding, owner *ecdsa.PrivateKey) (protocol.SignedBinding, error) {
	sig, err := Sign(BindingData(d, b), owner)
	return protocol.SignedBinding{Binding: b, Signature: sig}, err
}

// VerifyBinding checks the signature against the binding's owner, not the time.
func VerifyBinding(d Domain, s protocol.SignedBinding) error {
	return Verify(BindingData(d, s.Binding), s.Binding.Owner, s.Signature)
}

// SignContribution signs with the contributor's key.
func SignContribution(d Domain, c protocol.Contribution, key *ecdsa.PrivateKey) (protocol.SignedContribution, error) {
	sig, err := Sign(ContributionData(d, c), key)
	return protocol.SignedContribution{Contribution: c, Signature: sig}, err
}

// VerifyContribution checks the signature, of this contribution or of a batch with it,
// against the contributor.
func VerifyContribution(d Domain, s protocol.SignedContribution) error {
	return verifyInBatch(ContributionData(d, s.Contribution), ContributionBatch, s.Contribution.Contributor, s.Signature)
}

// SignReview signs with the datanet owner's key.
func SignReview(d Domain, r protocol.Review, owner *ecdsa.PrivateKey) (protocol.SignedReview, error) {
	sig, err := Sign(ReviewData(d, r), owner)
	return protocol.SignedReview{Review: r, Signature: sig}, err
}

// VerifyReview checks that owner signed the review, or a batch with it.
func VerifyReview(d Domain, owner protocol.Account, s protocol.SignedReview) error {
	return verifyInBatch(ReviewData(d, s.Review), ReviewBatch, owner, s.Signature)
}

// DelegationData is the typed data of a delegation (contract: DelegateRegistry).
func DelegationData(d Domain, g protocol.Delegation) TypedData {
	t := TypedData{domain: d, primary: "Delegation"}
	t.account("owner", g.Owner)
	t.account("delegate", g.Delegate)
	t.uint("scopes", 32, uint64(g.Scopes))
	t.time("expiry", g.Expiry)
	t.amount("nonce", g.Nonce)
	t.time("deadline", g.Deadline)
	return t
}

// SignDelegation signs with the owner's key.
func SignDelegation(d Domain, g protocol.Delegation, owner *ecdsa.PrivateKey) (protocol.SignedDelegation, error) {
	sig, err := Sign(DelegationData(d, g), owner)
	return protocol.SignedDelegation{Delegation: g, Signature: sig}, err
}

// SignTrainingOrder signs with the owner's key, or with that of its delegate.
func SignTrainingOrder(d Domain, o protocol.TrainingOrder, key *ecdsa.PrivateKey) ([]byte, error) {
	return Sign(TrainingOrderData(d, o), key)
}

// TrainingOrderSigner gives the account that signed an order, not whether it may speak
// for the order's owner.
func TrainingOrderSigner(d Domain, o protocol.TrainingOrder, signature []byte) (protocol.Account, error) {
	return Recover(TrainingOrderData(d, o), signature)
}

// ContributionSigner gives the account that signed a contribution by itself, not whether it
// may speak for the contributor.
func ContributionSigner(d Domain, s protocol.SignedContribution) (protocol.Account, error) {
	return Recover(ContributionData(d, s.Contribution), s.Signature)
}

// ReviewSigner gives the account that signed a review by itself, not whether it may speak for
// the datanet's owner.
func ReviewSigner(d Domain, s protocol.SignedReview) (protocol.Account, error) {
	return Recover(ReviewData(d, s.Review), s.Signature)
}

// VerifyTrainingOrder checks the signature against the order's owner.
func VerifyTrainingOrder(d Domain, o protocol.TrainingOrder, signature []byte) error {
	return Verify(TrainingOrderData(d, o), o.Owner, signature)
}
