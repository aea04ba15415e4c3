package payout

import (
	"bytes"
	"slices"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
)

// Role says why a share is paid.
type Role string

// Roles, in the order in which Split lists shares.
const (
	RolePlatform    Role = "platform"
	RoleWorker      Role = "worker"
	RoleAgent       Role = "agent" // owner of the agent that was asked
	RoleOwner       Role = "owner"
	RoleRoyalty     Role = "royalty" // owner of an adapter that the model is derived from
	RoleDatanet     Role = "datanet" // owner of a datanet that the answer was given to read
	RoleStaker      Role = "staker"
	RoleContributor Role = "contributor"
	RolePool        Role = "pool"
)

// BpsScale is 100 % in basis points.
const BpsScale = 10_000

// Params are the governed parts. The access parts are relative to their sum.
type Params struct {
	PlatformBps      uint64 `json:"platform_bps"`      // of compute, of access and of markup
	OwnerPart        uint64 `json:"owner_part"`        // model owner
	StakersPart      uint64 `json:"stakers_part"`      // stakers of the worker
	ContributorsPart uint64 `json:"contributors_part"` // data contributors and the public pool
}

// DefaultParams are the parts of a fresh deployment: 10 % and 20 : 20 : 50.
func DefaultParams() Params {
	return Params{PlatformBps: 1000, OwnerPart: 20, StakersPart: 20, ContributorsPart: 50}
}

// Validate refuses parts that cannot be applied.
func (p Params) Validate() error {
	if p.PlatformBps > BpsScale {
		return protocol.Errorf(protocol.KindInvalid, "platform_bps", "%d is more than %d (100 %%)", p.PlatformBps, BpsScale)
	}
	const most = 1 << 32 // so that the sum cannot overflow
	for _, f := range []struct {
		name string
		part uint64
	}{{"owner_part", p.OwnerPart}, {"stakers_part", p.StakersPart}, {"contributors_part", p.ContributorsPart}} {
		if f.part > most {
			return protocol.Errorf(protocol.KindInvalid, f.name, "%d is more than %d", f.part, uint64(most))
		}
	}
	if p.OwnerPart+p.StakersPart+p.ContributorsPart == 0 {
		return protocol.Errorf(protocol.KindInvalid, "contributors_part", "owner, stakers and contributors parts are all zero: at least one must be positive")
	}
	return nil
}

// Stake is what one account staked on the worker: its own bond or a delegation.
type Stake struct {
	Account protocol.Account `json:"account"`
	Amount  uint256.Int      `json:"amount"`
}

// Parties are the accounts that one fee is owed to. Pool, ModelOwner, Royalties and
// Stakers matter only when there is an access fee, AgentOwner only with a markup.
type Parties struct {
	Treasury     protocol.Account `json:"treasury"`
	WorkerPayout protocol.Account `json:"worker_payout"`
	AgentOwner   protocol.Account `json:"agent_owner"`
	ModelOwner   protocol.Account `json:"model_owner"`
	Pool         protocol.Account `json:"pool"` // the datanet's public pool
	Stakers      []Stake          `json:"stakers"`
	Royalties    []Royalty        `json:"royalties,omitempty"` // along the model's lineage
	Datanets     []DatanetParty   `json:"datanets,omitempty"`  // whose records the answer was given to read
}

// DatanetParty is whom a datanet's retrieval price is owed to, contributors aside.
type DatanetParty struct {
	Datanet uint64           `json:"datanet"`
	Owner   protocol.Account `json:"owner"`
	Pool    protocol.Account `json:"pool"`
}

// Share is one party's part in one fee.
type Share struct {
	Account protocol.Account `json:"account"`
	Amount  uint256.Int      `json:"amount"`
	Role    Role             `json:"role"`
	Record  protocol.Hash    `json:"record"`            // set for RoleContributor only
	Datanet uint64           `json:"datanet,omitempty"` // of a part of a datanet's retrieval price
}

// Split divides a fee.
//
// The platform takes PlatformBps of compute, of access and of markup. The rest of compute
// is the worker's, the rest of markup the agent's owner's. The rest of access goes to the model owner, the stakers and
// the contributors by their parts; the owner's part is divided along the model's
// lineage ([Royalty]); the stakers' part is divided pro rata to
// stake, the contributors' part by attribution weight with the attribution's
// Pool weight going to the public pool. Without any stake the stakers' part
// goes to the public pool too.
//
// The prices of datanets that the answer was given to read ([protocol.RetrievedShares]) are
// a part of access. Each is divided by itself as the rest of access is, with the datanet's
// owner in the place of the model's, its retrieved records in that of the attributed ones,
// and its pool. Their shares come after the model's, datanet by datanet.
//
// Every division uses largest remainders; equal remainders are served in the
// order platform, worker / agent / owner, stakers, contributors; whoever owes royalties
// before whom it owes them to, these as they are listed; then by ascending
// account (stakers) or record hash (contributors, the pool counting as the zero
// hash). Stakes of one account are added first. Zero shares are left out.
//
// Attribution is not looked at when the access fee is zero.
func Split(fee protocol.Fee, params Params, parties Parties, att protocol.Attribution) ([]Share, error) {
	s, err := NewSplitter(params, parties.Stakers)
	if err != nil {
		return nil, err
	}
	return s.Split(fee, parties, att)
}

// Splitter divides many fees of one worker under the same parameters. It gives what
// Split gives, without working out anew what does not change from fee to fee. It is
// not safe for concurrent use.
type Splitter struct {
	bps, access [3]uint256.Int // weights; of bps two
	stakes      []Stake
	stakeParts  []uint256.Int // their weights
	stakesErr   error

	// Scratch of one division.
	records []protocol.RecordShare
	weights []uint256.Int
	parts   []uint256.Int
	owed    []uint256.Int // along a lineage
	scratch apportioner
	arena   []Share
}

// NewSplitter checks the parameters. Who staked on the worker is taken from here,
// not from the parties of a fee.
func NewSplitter(params Params, stakers []Stake) (*Splitter, error) {
	if err := params.Validate(); err != nil {
		return nil, err
	}
	s := &Splitter{}
	s.bps[0].SetUint64(params.PlatformBps)
	s.bps[1].SetUint64(BpsScale - params.PlatformBps)
	s.access[0].SetUint64(params.OwnerPart)
	s.access[1].SetUint64(params.StakersPart)
	s.access[2].SetUint64(params.ContributorsPart)
	s.stakes, s.stakesErr = mergeStakes(stakers)
	s.stakeParts = make([]uint256.Int, len(s.stakes))
	for i := range s.stakes {
		s.stakeParts[i] = s.stakes[i].Amount
	}
	return s, nil
}

// Split divides one fee as the function of the same name.
func (s *Splitter) Split(fee protocol.Fee, parties Parties, att protocol.Attribution) ([]Share, error) {
	var total uint256.Int
	_, over := total.AddOverflow(&fee.Compute, &fee.Access)
	if _, more := total.AddOverflow(&total, &fee.Markup); over || more {
		return nil, protocol.Errorf(protocol.KindInvalid, "fee", "compute plus access plus markup does not fit in 256 bits")
	}
	var compute, access, markup [2]uint256.Int
	if err := s.scratch.apportion(compute[:], &fee.Compute, s.bps[:2]); err != nil {
		return nil, err
	}
	model, retrieved, err := retrievalOf(&fee, &att)
	if err != nil {
		return nil, err
	}
	if err := s.scratch.apportion(access[:], &model, s.bps[:2]); err != nil {
		return nil, err
	}
	if err := s.scratch.apportion(markup[:], &fee.Markup, s.bps[:2]); err != nil {
		return nil, err
	}
	var platform uint256.Int
	platform.Add(&compute[0], &access[0])
	platform.Add(&platform, &markup[0])
	room := 6 + len(parties.Royalties) + len(s.stakes) + len(att.Shares)
	var prices [protocol.MaxRetrievals][2]uint256.Int
	for i := range retrieved {
		if err := s.scratch.apportion(prices[i][:], &retrieved[i].Price, s.bps[:2]); err != nil {
			return nil, err
		}
		platform.Add(&platform, &prices[i][0])
		room += 2 + len(s.stakes) + len(retrieved[i].Shares)
	}

	out := shareList{list: s.room(room)}
	out.add(RolePlatform, "treasury", parties.Treasury, &platform, protocol.Hash{})
	out.add(RoleWorker, "worker_payout", parties.WorkerPayout, &compute[1], protocol.Hash{})
	out.add(RoleAgent, "agent_owner", parties.AgentOwner, &markup[1], protocol.Hash{})
	if !access[1].IsZero() {
		if err := s.splitAccess(&out, &access[1], &parties, &att); err != nil {
			return nil, err
		}
	}
	for i := range retrieved {
		if prices[i][1].IsZero() {
			continue
		}
		if err := s.splitRetrieved(&out, &prices[i][1], &parties, &retrieved[i]); err != nil {
			return nil, err
		}
	}
	if out.err != nil {
		return nil, out.err
	}
	if len(out.list) == 0 {
		return nil, nil
	}
	s.arena = s.arena[len(out.list):]
	return slices.Clip(out.list), nil
}

// room is an empty list for up to n shares. Lists are cut from larger pieces: one
// allocation serves many fees, and no list can grow into the next.
func (s *Splitter) room(n int) []Share {
	if len(s.arena) < n {
		s.arena = make([]Share, max(n, 256))
	}
	return s.arena[:0:n]
}

type shareList struct {
	list    []Share
	datanet uint64 // whose price is divided now
	err     error
}

func (l *shareList) add(role Role, field string, a protocol.Account, amount *uint256.Int, record protocol.Hash) {
	if amount.IsZero() || l.err != nil {
		return
	}
	if a == (protocol.Account{}) {
		l.err = protocol.Errorf(protocol.KindInvalid, field, "is the zero account but is owed %s wei: set it", amount.Dec())
		return
	}
	l.list = append(l.list, Share{Account: a, Amount: *amount, Role: role, Record: record, Datanet: l.datanet})
}

// retrievalOf takes the prices of retrieved datanets out of the access fee.
func retrievalOf(fee *protocol.Fee, att *protocol.Attribution) (model uint256.Int, retrieved []protocol.RetrievedShares, err error) {
	if fee.Access.IsZero() || len(att.Retrieved) == 0 {
		return fee.Access, nil, nil
	}
	if len(att.Retrieved) > protocol.MaxRetrievals {
		return model, nil, protocol.Errorf(protocol.KindInvalid, "attribution.retrieved", "has %d entries, more than %d", len(att.Retrieved), protocol.MaxRetrievals)
	}
	sum, ok := att.RetrievalPrice()
	if !ok || sum.Gt(&fee.Access) {
		return model, nil, protocol.Errorf(protocol.KindInvalid, "attribution.retrieved", "asks more than the access fee of %s wei", fee.Access.Dec())
	}
	model.Sub(&fee.Access, &sum)
	return model, att.Retrieved, nil
}

func (s *Splitter) splitAccess(out *shareList, amount *uint256.Int, parties *Parties, att *protocol.Attribution) error {
	var parts [3]uint256.Int
	if err := s.scratch.apportion(parts[:], amount, s.access[:]); err != nil {
		return err
	}
	if err := s.splitOwner(out, &parts[0], parties); err != nil {
		return err
	}
	return s.splitRest(out, &parts, parties.Pool, att.Shares, att.Pool)
}

// splitRetrieved divides one datanet's price.
func (s *Splitter) splitRetrieved(out *shareList, amount *uint256.Int, parties *Parties, r *protocol.RetrievedShares) error {
	i := slices.IndexFunc(parties.Datanets, func(p DatanetParty) bool { return p.Datanet == r.Datanet })
	if i < 0 {
		return protocol.Errorf(protocol.KindInvalid, "datanets", "do not list datanet %d", r.Datanet)
	}
	party := &parties.Datanets[i]
	var parts [3]uint256.Int
	if err := s.scratch.apportion(parts[:], amount, s.access[:]); err != nil {
		return err
	}
	out.datanet = r.Datanet
	defer func() { out.datanet = 0 }()
	out.add(RoleDatanet, "datanet_owner", party.Owner, &parts[0], protocol.Hash{})
	return s.splitRest(out, &parts, party.Pool, r.Shares, r.Pool)
}

// splitRest divides the parts of stakers and contributors.
func (s *Splitter) splitRest(out *shareList, parts *[3]uint256.Int, to protocol.Account, shares []protocol.RecordShare, poolWeight uint64) error {
	if s.stakesErr != nil {
		return s.stakesErr
	}
	var pool uint256.Int
	if len(s.stakes) == 0 {
		pool.Add(&pool, &parts[1])
	} else {
		amounts := s.partsFor(len(s.stakes))
		if err := s.scratch.apportion(amounts, &parts[1], s.stakeParts); err != nil {
			return err
		}
		for i := range s.stakes {
			out.add(RoleStaker, "stakers", s.stakes[i].Account, &amounts[i], protocol.Hash{})
		}
	}

	if err := s.checkAttribution(shares, poolWeight); err != nil {
		return err
	}
	s.weights = slices.Grow(s.weights[:0], len(s.records)+1)[:len(s.records)+1]
	s.weights[0].SetUint64(poolWeight)
	for i := range s.records {
		s.weights[i+1].SetUint64(s.records[i].Weight)
	}
	amounts := s.partsFor(len(s.weights))
	if err := s.scratch.apportion(amounts, &parts[2], s.weights); err != nil {
		return err
	}
	for i := range s.records {
		out.add(RoleContributor, "contributor", s.records[i].Contributor, &amounts[i+1], s.records[i].Record)
	}
	pool.Add(&pool, &amounts[0])
	out.add(RolePool, "pool", to, &pool, protocol.Hash{})
	return nil
}

func (s *Splitter) partsFor(n int) []uint256.Int {
	s.parts = slices.Grow(s.parts[:0], n)[:n]
	return s.parts
}

// mergeStakes adds up stakes per account, drops zeros and sorts by account.
func mergeStakes(in []Stake) ([]Stake, error) {
	sorted := slices.Clone(in)
	slices.SortStableFunc(sorted, func(a, b Stake) int { return bytes.Compare(a.Account[:], b.Account[:]) })
	out := sorted[:0]
	for _, st := range sorted {
		if st.Amount.IsZero() {
			continue
		}
		if n := len(out); n > 0 && out[n-1].Account == st.Account {
			if _, over := out[n-1].Amount.AddOverflow(&out[n-1].Amount, &st.Amount); over {
				return nil, protocol.Errorf(protocol.KindInvalid, "stakers", "stakes of %s do not fit in 256 bits", st.Account)
			}
			continue
		}
		out = append(out, st)
	}
	return out, nil
}

// checkAttribution puts the shares, sorted by record hash, into s.records.
func (s *Splitter) checkAttribution(shares []protocol.RecordShare, pool uint64) error {
	s.records = append(s.records[:0], shares...)
	records := s.records
	slices.SortFunc(records, func(a, b protocol.RecordShare) int { return bytes.Compare(a.Record[:], b.Record[:]) })
	sum := pool
	if pool > protocol.WeightScale {
		return protocol.Errorf(protocol.KindInvalid, "attribution.pool", "%d is more than %d", pool, uint64(protocol.WeightScale))
	}
	for i := range records {
		r := &records[i]
		if r.Record == (protocol.Hash{}) {
			return protocol.Errorf(protocol.KindInvalid, "attribution.shares", "a share has no record hash")
		}
		if i > 0 && records[i-1].Record == r.Record {
			return protocol.Errorf(protocol.KindInvalid, "attribution.shares", "record %s is listed twice: merge its weights", r.Record)
		}
		if r.Weight > protocol.WeightScale {
			return protocol.Errorf(protocol.KindInvalid, "attribution.shares", "weight %d of record %s is more than %d", r.Weight, r.Record, uint64(protocol.WeightScale))
		}
		if sum += r.Weight; sum > protocol.WeightScale {
			break
		}
	}
	if sum != protocol.WeightScale {
		return protocol.Errorf(protocol.KindInvalid, "attribution", "weights and pool add up to %d, not to %d", sum, uint64(protocol.WeightScale))
	}
	return nil
}
