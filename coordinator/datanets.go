package coordinator

import (
	"context"
	"io"

	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/coordinator/api"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
	"github.com/openledger/openledger/store/datanet"
	"github.com/openledger/openledger/store/ipfs"
)

// signatures checks contributions and reviews under the registry's domain.
type signatures struct {
	domain wire.Domain
	chain  *chain.Client
}

// VerifyContribution checks the contributor's signature, or that of its delegate. Where a
// contributor's stake answers for it, only its own will do: ContributorStaking takes no other.
func (s signatures) VerifyContribution(ctx context.Context, k protocol.SignedContribution) error {
	own := wire.VerifyContribution(s.domain, k)
	if own == nil {
		return s.alone(ctx, k)
	}
	signer, err := wire.ContributionSigner(s.domain, k)
	if err != nil {
		return own
	}
	if err := s.chain.SpeaksFor(ctx, signer, k.Contribution.Contributor, protocol.ScopeContribute); err != nil {
		return notBy(own, err)
	}
	required, err := s.chain.StakeRequired(ctx, k.Contribution.Datanet)
	if err == nil && !required.IsZero() {
		err = protocol.Errorf(protocol.KindUnauthorized, "signature", "datanet %d asks contributors for a stake, which answers for what they sign: the contributor itself must sign, not its delegate", k.Contribution.Datanet)
	}
	return err
}

// alone refuses a batch's signature where a contributor's stake answers for the contribution:
// ContributorStaking reads signatures of single contributions only.
func (s signatures) alone(ctx context.Context, k protocol.SignedContribution) error {
	if len(k.Signature) == wire.SignatureBytes {
		return nil
	}
	required, err := s.chain.StakeRequired(ctx, k.Contribution.Datanet)
	if err == nil && !required.IsZero() {
		err = protocol.Errorf(protocol.KindUnauthorized, "signature", "datanet %d asks contributors for a stake, which answers for each contribution by itself: sign them one by one, not as a batch", k.Contribution.Datanet)
	}
	return err
}

// VerifyReview checks the owner's signature, or that of its delegate. That a contribution is
// abusive may cost its contributor a stake: only the owner says that.
func (s signatures) VerifyReview(ctx context.Context, r protocol.SignedReview, owner protocol.Account) error {
	own := wire.VerifyReview(s.domain, owner, r)
	if own == nil && r.Review.Status == protocol.ReviewAbusive && len(r.Signature) != wire.SignatureBytes {
		return protocol.Errorf(protocol.KindUnauthorized, "signature", "a rejection as abusive may cost a stake: sign it by itself, not as one of a batch")
	}
	if own == nil || r.Review.Status == protocol.ReviewAbusive {
		return own
	}
	signer, err := wire.ReviewSigner(s.domain, r)
	if err != nil {
		return own
	}
	return notBy(own, s.chain.SpeaksFor(ctx, signer, owner, protocol.ScopePublish))
}

// notBy tells of a signature that is neither the account's own nor its delegate's as of one
// that is not its own.
func notBy(own, delegated error) error {
	if protocol.KindOf(delegated) == protocol.KindUnauthorized {
		return own
	}
	return delegated
}

// stakes asks the chain whether a contributor may contribute.
type stakes struct{ chain *chain.Client }

// CheckStake refuses a contributor that lacks the stake that a datanet asks for.
func (s stakes) CheckStake(ctx context.Context, datanet uint64, contributor protocol.Account) error {
	k, err := s.chain.ContributorStake(ctx, datanet, contributor)
	if err != nil {
		return err
	}
	if missing := k.Missing(); !missing.IsZero() {
		return protocol.Errorf(protocol.KindEscrow, "stake", "datanet %d asks contributors for a stake of %s wei, %s has %s there: add %s with 'openledger datanet stake %d'",
			datanet, k.Required.Dec(), contributor.Hex(), k.Staked.Dec(), missing.Dec(), datanet)
	}
	return nil
}

func (c *Coordinator) openRecords() (*datanet.Book, error) {
	return datanet.New(datanet.Config{DB: c.cfg.DB, Content: c.ipfs, Verifier: signatures{c.datanetsDomain, c.chain}, Stakes: stakes{c.chain}, Logger: c.log})
}

// Datanets lists the registry's datanets and notes those that are new here.
func (c *Coordinator) Datanets(ctx context.Context) ([]protocol.Datanet, error) {
	list, err := c.chain.Datanets(ctx)
	if err != nil {
		return nil, err
	}
	for _, d := range list {
		if err := c.records.Create(d); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// know makes sure that a datanet of the registry is known here.
func (c *Coordinator) know(ctx context.Context, id uint64) error {
	_, err := c.records.Datanet(id)
	if protocol.KindOf(err) != protocol.KindNotFound {
		return err
	}
	d, err := c.chain.Datanet(ctx, id)
	if err != nil {
		return err
	}
	return c.records.Create(d)
}

// Contribute takes a signed record for review.
func (c *Coordinator) Contribute(ctx context.Context, sc protocol.SignedContribution, record []byte) (api.ContributionStatus, error) {
	if err := c.know(ctx, sc.Contribution.Datanet); err != nil {
		return api.ContributionStatus{}, err
	}
	e, err := c.records.Contribute(ctx, sc, record)
	return contributionStatus(e), err
}

// ContributionsPage lists contributions to a datanet by record.
func (c *Coordinator) ContributionsPage(ctx context.Context, id uint64, status protocol.ReviewStatus, after protocol.Hash, limit int) ([]api.ContributionStatus, protocol.Hash, error) {
	if err := c.know(ctx, id); err != nil {
		return nil, after, err
	}
	entries, next, err := c.records.EntriesPage(id, status, after, limit)
	out := make([]api.ContributionStatus, len(entries))
	for i, e := range entries {
		out[i] = contributionStatus(e)
	}
	return out, next, err
}

// Review applies the owner's signed decision.
func (c *Coordinator) Review(ctx context.Context, r protocol.SignedReview) (api.ContributionStatus, error) {
	if err := c.know(ctx, r.Review.Datanet); err != nil {
		return api.ContributionStatus{}, err
	}
	e, err := c.records.Review(ctx, r)
	return contributionStatus(e), err
}

func contributionStatus(e datanet.Entry) api.ContributionStatus {
	s := api.ContributionStatus{SignedContribution: e.Signed, CID: e.CID(), Title: e.Title, Bytes: e.Bytes, Status: e.Status,
		Type: string(e.Type), Preview: e.Preview, Media: mediaView(e.Media)}
	if e.Review != nil {
		s.Reason = e.Review.Review.Reason
	}
	return s
}

// BuildVersion makes the next version of what was accepted.
func (c *Coordinator) BuildVersion(ctx context.Context, id uint64) (protocol.Version, error) {
	if err := c.know(ctx, id); err != nil {
		return protocol.Version{}, err
	}
	return c.records.BuildVersion(ctx, id)
}

// Versions lists the versions that the registry has.
func (c *Coordinator) Versions(ctx context.Context, id uint64) ([]protocol.Version, error) {
	return c.chain.Versions(ctx, id)
}

// ExportCAR writes a published version as a content-addressed archive.
func (c *Coordinator) ExportCAR(ctx context.Context, id uint64, number uint32, w io.Writer) error {
	v, err := c.chain.Version(ctx, id, number)
	if err != nil {
		return err
	}
	if _, err := c.ipfs.Fetch(ctx, v.Root, c.workerAddrs()); err != nil {
		return err
	}
	_, err = c.ipfs.ExportCAR(ctx, w, v.Root, ipfs.CARv1)
	return err
}
