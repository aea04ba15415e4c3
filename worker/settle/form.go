package settle

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/holiman/uint256"

	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/store"
)

// Blocked says why a requester's receipts are not settled now.
type Blocked struct {
	Requester protocol.Account `json:"requester"`
	Amount    uint256.Int      `json:"amount"`
	Reason    string           `json:"reason"`
	until     time.Time
}

// group is the receipts that one voucher pays for.
type group struct {
	voucher  protocol.SignedVoucher
	amount   uint256.Int
	receipts []protocol.SignedReceipt
}

// gather chooses the vouchers and receipts of the next batch: whole requesters, by
// account, as many as fit.
func (s *Service) gather(ctx context.Context, chainTime int64) ([]group, error) {
	vouchers, err := s.cfg.Store.Vouchers(s.cfg.Worker)
	if err != nil {
		return nil, err
	}
	records, err := s.cfg.Store.Receipts(store.ReceiptVouchered, 0)
	if err != nil {
		return nil, err
	}
	pending := map[protocol.Account][]protocol.SignedReceipt{}
	for _, r := range records {
		if r.Signed.Receipt.Worker == s.cfg.Worker {
			pending[r.Signed.Receipt.Requester] = append(pending[r.Signed.Receipt.Requester], r.Signed)
		}
	}
	room, err := s.room(ctx)
	if err != nil {
		return nil, err
	}
	var out []group
	count := 0
	for _, v := range vouchers { // by requester
		requester := v.Signed.Voucher.Requester
		if len(pending[requester]) == 0 {
			s.unblock(requester)
			continue
		}
		if s.skips(requester) {
			continue
		}
		if len(out) == s.cfg.MaxVouchers || count > 0 && count+len(pending[requester]) > s.cfg.MaxReceipts {
			break
		}
		g, reason, err := s.group(ctx, v, pending[requester], chainTime)
		if err != nil {
			return nil, err
		}
		if reason == "" && g.amount.Gt(&room) {
			reason = fmt.Sprintf("the worker's stake covers %s wei more in challenge windows: wait for one to end, or stake more", room.Dec())
		}
		if reason != "" {
			s.block(Blocked{Requester: requester, Amount: g.amount, Reason: reason})
			continue
		}
		s.unblock(requester)
		room.Sub(&room, &g.amount)
		out = append(out, g)
		count += len(g.receipts)
	}
	return out, nil
}

// room is how much more may wait in challenge windows.
func (s *Service) room(ctx context.Context) (uint256.Int, error) {
	cover, err := s.client.CoverOf(ctx, s.cfg.Worker)
	if err != nil {
		return cover, err
	}
	exposure, err := s.client.ExposureOf(ctx, s.cfg.Worker)
	if err != nil {
		return cover, err
	}
	if exposure.Gt(&cover) {
		return uint256.Int{}, nil
	}
	cover.Sub(&cover, &exposure)
	return cover, nil
}

// group checks that a voucher pays for exactly the receipts at hand. Otherwise it
// says why not.
func (s *Service) group(ctx context.Context, v store.VoucherRecord, receipts []protocol.SignedReceipt, chainTime int64) (g group, reason string, err error) {
	g = group{voucher: v.Signed, receipts: receipts}
	for i := range receipts {
		fee := receipts[i].Receipt.Fee().Total()
		if _, over := g.amount.AddOverflow(&g.amount, &fee); over {
			return g, "the fees do not fit in 256 bits", nil
		}
	}
	voucher := &v.Signed.Voucher
	drawn, err := s.client.DrawnOf(ctx, voucher.Requester, s.cfg.Worker)
	if err != nil {
		return g, "", err
	}
	var due uint256.Int
	if due.Sub(&voucher.Cumulative, &drawn); drawn.Gt(&voucher.Cumulative) || !due.Eq(&g.amount) {
		// Vouchers overtake each other for a moment; the rest comes with the next one.
		return g, fmt.Sprintf("its voucher promises %s wei in all, of which %s are drawn; the receipts at hand come to %s", voucher.Cumulative.Dec(), drawn.Dec(), g.amount.Dec()), nil
	}
	now := max(chainTime, time.Now().Unix())
	if voucher.Expires < now+int64(s.cfg.VoucherMargin/time.Second) {
		return g, "its voucher has expired or is about to: the coordinator must give a new one", nil
	}
	balance, err := s.client.DrawableBy(ctx, voucher.Requester, s.cfg.Worker)
	if err != nil {
		return g, "", err
	}
	if balance.Lt(&g.amount) {
		return g, fmt.Sprintf("its escrow holds %s wei that are not reserved for others: it must deposit more", balance.Dec()), nil
	}
	if v.Signed.Signer != voucher.Requester {
		session, err := s.client.SessionOf(ctx, voucher.Requester, v.Signed.Signer)
		if err != nil {
			return g, "", err
		}
		var left uint256.Int
		if session.Limit.Gt(&session.Spent) {
			left.Sub(&session.Limit, &session.Spent)
		}
		if session.Expires < now || left.Lt(&g.amount) {
			return g, fmt.Sprintf("the session key %s may spend %s wei until %s: the requester must authorise it anew", v.Signed.Signer, left.Dec(), time.Unix(session.Expires, 0).UTC().Format(time.RFC3339)), nil
		}
	}
	return g, "", nil
}

// document puts the groups' receipts into a batch document.
func (s *Service) document(ctx context.Context, groups []group, nonce, block uint64) (*Document, error) {
	var d Document
	var adapters []protocol.Hash
	var agents, datanets []uint64
	for _, g := range groups {
		for _, r := range g.receipts {
			e := Entry{Receipt: r}
			if !r.Receipt.Access.IsZero() {
				att, err := s.cfg.Attributions.Attribution(ctx, r)
				if err != nil {
					return nil, fmt.Errorf("attribution of receipt %s: %w", r.Receipt.ID, err)
				}
				e.Attribution = &att
				for _, read := range att.Retrieved {
					datanets = append(datanets, read.Datanet)
				}
				if read, ok := att.RetrievalPrice(); !ok || read != r.Receipt.Access {
					adapters = append(adapters, r.Receipt.Adapter)
				}
			}
			if !r.Receipt.Markup.IsZero() {
				agents = append(agents, r.Receipt.Agent)
			}
			d.Entries = append(d.Entries, e)
		}
	}
	slices.SortFunc(d.Entries, func(a, b Entry) int { return order(&a, &b) })
	var err error
	if d.Manifest, err = snapshot(ctx, s.client, s.cfg.Worker, block, adapters, agents, datanets); err != nil {
		return nil, err
	}
	d.Manifest.Nonce = nonce
	return &d, nil
}

func (s *Service) skips(requester protocol.Account) bool {
	if len(s.suspects) > 0 { // one at a time, to find whose voucher the chain refuses
		return requester != s.suspects[0]
	}
	b, ok := s.blocked[requester]
	return ok && time.Now().Before(b.until)
}

func (s *Service) block(b Blocked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if old, ok := s.blocked[b.Requester]; !ok || old.Reason != b.Reason {
		s.cfg.Logger.Info("a requester's receipts wait", "requester", b.Requester, "amount", b.Amount.Dec(), "reason", b.Reason)
	}
	s.blocked[b.Requester] = b
}

func (s *Service) unblock(requester protocol.Account) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.blocked, requester)
}

// Blocked lists the requesters whose receipts wait, and why, by account.
func (s *Service) Blocked() []Blocked {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]Blocked, 0, len(s.blocked))
	for _, b := range s.blocked {
		out = append(out, b)
	}
	slices.SortFunc(out, func(a, b Blocked) int { return bytes.Compare(a.Requester[:], b.Requester[:]) })
	return out
}
