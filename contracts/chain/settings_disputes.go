package chain

import (
	"context"
	"math/big"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/protocol"
)

// disputeSettings are the governed parameters of validators and disputes.
func disputeSettings() []Setting {
	onDisputes := func(a Addresses) protocol.Account { return a.Disputes }
	return []Setting{
		{
			Name: "validators.rules", Fields: []Field{{"bond", UnitWei, 128}, {"unbonding", UnitSeconds, 64}},
			on: func(a Addresses) protocol.Account { return a.Validators },
			read: func(ctx context.Context, c *Client) ([]*big.Int, error) {
				r, err := c.ValidatorRules(ctx)
				return []*big.Int{r.MinBond.ToBig(), number(r.UnbondingSeconds)}, err
			},
			pack: func(v []*big.Int) ([]byte, error) {
				return validators.TryPackSetRules(bindings.ValidatorRules{MinBond: v[0], Unbonding: v[1].Uint64()})
			},
		},
		{
			Name: "disputes.challenge_bond", Fields: []Field{{"bond", UnitWei, 128}}, on: onDisputes,
			read: numbers(onDisputes, committee.PackChallengeBond()),
			pack: func(v []*big.Int) ([]byte, error) { return committee.TryPackSetChallengeBond(v[0]) },
		},
		{
			Name: "disputes.committee", Fields: []Field{{"seats", UnitCount, 8}, {"quorum", UnitBps, 16}, {"rounds", UnitCount, 8}}, on: onDisputes,
			read: func(ctx context.Context, c *Client) ([]*big.Int, error) {
				r, err := c.DisputeRules(ctx)
				return []*big.Int{number(uint64(r.Seats)), number(uint64(r.QuorumBps)), number(uint64(r.Rounds))}, err
			},
			pack: func(v []*big.Int) ([]byte, error) {
				return committee.TryPackSetCommittee(bindings.CommitteeRules{
					Seats: uint8(v[0].Uint64()), QuorumBps: uint16(v[1].Uint64()), Rounds: uint8(v[2].Uint64()),
				})
			},
		},
		{
			Name: "disputes.periods", Fields: []Field{{"draw delay", UnitBlocks, 16}, {"drawing", UnitSeconds, 64}, {"voting", UnitSeconds, 64}}, on: onDisputes,
			read: func(ctx context.Context, c *Client) ([]*big.Int, error) {
				r, err := c.DisputeRules(ctx)
				return []*big.Int{number(uint64(r.DrawDelayBlocks)), number(r.DrawSeconds), number(r.VotingSeconds)}, err
			},
			pack: func(v []*big.Int) ([]byte, error) {
				return committee.TryPackSetPeriods(bindings.PeriodRules{
					DrawDelay: uint16(v[0].Uint64()), Drawing: v[1].Uint64(), Voting: v[2].Uint64(),
				})
			},
		},
		{
			Name: "disputes.penalties", Fields: []Field{{"slash", UnitBps, 16}, {"challenger", UnitBps, 16}, {"signers", UnitBps, 16}, {"absence", UnitBps, 16}},
			on: onDisputes,
			read: func(ctx context.Context, c *Client) ([]*big.Int, error) {
				r, err := c.DisputeRules(ctx)
				return []*big.Int{number(uint64(r.SlashBps)), number(uint64(r.ChallengerBps)), number(uint64(r.SignersBps)), number(uint64(r.AbsenceBps))}, err
			},
			pack: func(v []*big.Int) ([]byte, error) {
				return committee.TryPackSetPenalties(bindings.PenaltyRules{
					SlashBps: uint16(v[0].Uint64()), ChallengerBps: uint16(v[1].Uint64()), SignersBps: uint16(v[2].Uint64()), AbsenceBps: uint16(v[3].Uint64()),
				})
			},
		},
	}
}

// DisputeRules are the governed rules of disputes.
type DisputeRules struct {
	Seats           uint8  `json:"seats"`
	QuorumBps       uint16 `json:"quorum_bps"` // of the seats
	Rounds          uint8  `json:"rounds"`
	DrawDelayBlocks uint16 `json:"draw_delay_blocks"`
	DrawSeconds     uint64 `json:"draw_seconds"`
	VotingSeconds   uint64 `json:"voting_seconds"`
	SlashBps        uint16 `json:"slash_bps"`      // of a guilty worker's slashable stake
	ChallengerBps   uint16 `json:"challenger_bps"` // of a slash
	SignersBps      uint16 `json:"signers_bps"`    // of a slash or of a lost challenge's bond
	AbsenceBps      uint16 `json:"absence_bps"`    // of an absent member's bond
}

// DisputeRules are the rules of disputes now.
func (c *Client) DisputeRules(ctx context.Context) (DisputeRules, error) {
	const what = "read the rules of disputes"
	at := c.cfg.Addresses.Disputes
	r, err := read(ctx, c, what, at, committee.PackCommitteeRules(), committee.UnpackCommitteeRules)
	if err != nil {
		return DisputeRules{}, err
	}
	t, err := read(ctx, c, what, at, committee.PackPeriodRules(), committee.UnpackPeriodRules)
	if err != nil {
		return DisputeRules{}, err
	}
	p, err := read(ctx, c, what, at, committee.PackPenaltyRules(), committee.UnpackPenaltyRules)
	return DisputeRules{
		Seats: r.Seats, QuorumBps: r.QuorumBps, Rounds: r.Rounds, DrawDelayBlocks: t.DrawDelay, DrawSeconds: t.Drawing, VotingSeconds: t.Voting,
		SlashBps: p.SlashBps, ChallengerBps: p.ChallengerBps, SignersBps: p.SignersBps, AbsenceBps: p.AbsenceBps,
	}, err
}
