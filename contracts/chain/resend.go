package chain

import (
	"context"
	"math/big"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

// again sends a transaction once more, with a raised fee if the node still holds it.
func (s *Sender) again(ctx context.Context, n *sending) error {
	s.fill(ctx, n)
	tx := n.newest()
	if _, pending, err := s.c.eth.TransactionByHash(ctx, tx.Hash()); err != nil || !pending {
		// Forgotten (or mined meanwhile): the same bytes once more.
		if err := s.c.eth.SendTransaction(ctx, tx); err != nil {
			s.c.log.Debug("sending a transaction again", "tx", tx.Hash(), "err", err)
			if !outpriced(err) {
				return nil
			}
			// Another version, or the base fee, stands in the way: a higher fee gets past.
		} else {
			return nil
		}
	}
	if s.attended() && !s.outbid(ctx, tx) {
		return nil // it can still get into a block: nobody is asked to approve again
	}
	tip, feeCap, err := s.fees(ctx)
	if err != nil {
		s.c.log.Debug("fees for a raise", "err", err)
		return nil
	}
	if err := s.sign(ctx, n, &types.DynamicFeeTx{
		ChainID: s.c.chainID, Nonce: tx.Nonce(), To: tx.To(), Value: tx.Value(), Data: tx.Data(), Gas: tx.Gas(),
		GasTipCap: atLeast(tip, tx.GasTipCap()), GasFeeCap: atLeast(feeCap, tx.GasFeeCap()),
	}); err != nil {
		return err
	}
	if err := s.c.eth.SendTransaction(ctx, n.newest()); err != nil {
		s.c.log.Debug("raising a fee", "tx", tx.Hash(), "err", err)
		return nil
	}
	s.c.log.Info("raised the fee of a stuck transaction", "was", tx.Hash(), "now", n.newest().Hash(), "nonce", tx.Nonce())
	return nil
}

// fill closes the gap before a transaction whose turn cannot come: a reorganisation took
// out, and the older state could not pay for, what counted as there. Nothing of ours waits
// for those nonces, so each gets a transfer of nothing to the account itself.
func (s *Sender) fill(ctx context.Context, n *sending) {
	count, err := s.c.eth.PendingNonceAt(ctx, s.Account())
	if err != nil || count >= n.Nonce {
		return
	}
	gap := s.line.gap(count, n.Nonce)
	if len(gap) == 0 {
		return
	}
	tip, feeCap, err := s.fees(ctx)
	if err != nil {
		s.c.log.Debug("fees for a gap", "err", err)
		return
	}
	self := s.Account()
	for _, nonce := range gap {
		tx, err := s.key.SignTx(ctx, types.NewTx(&types.DynamicFeeTx{
			ChainID: s.c.chainID, Nonce: nonce, To: &self, Gas: params.TxGas, GasTipCap: tip, GasFeeCap: feeCap,
		}), s.c.chainID)
		if err == nil {
			err = s.c.eth.SendTransaction(ctx, tx)
		}
		s.c.log.Info("filled a nonce that stood in the way", "nonce", nonce, "for", n.What, "err", err)
	}
}

// attended says that a person approves each signature of this key.
func (s *Sender) attended() bool {
	k, ok := s.key.(interface{ Attended() bool })
	return ok && k.Attended()
}

// outbid says that the newest base fee is above what a transaction offers.
func (s *Sender) outbid(ctx context.Context, tx *types.Transaction) bool {
	head, err := s.c.eth.HeaderByNumber(ctx, nil)
	return err == nil && head.BaseFee != nil && head.BaseFee.Cmp(tx.GasFeeCap()) > 0
}

// atLeast is the greater of a fee and 9/8 of the old one (nodes ask for 10 % more).
func atLeast(fee, old *big.Int) *big.Int {
	up := new(big.Int).Div(new(big.Int).Mul(old, big.NewInt(9)), big.NewInt(8))
	up.Add(up, big.NewInt(1))
	if fee.Cmp(up) > 0 {
		return fee
	}
	return up
}

func (s *Sender) fees(ctx context.Context) (tip, feeCap *big.Int, err error) {
	if tip, err = s.c.eth.SuggestGasTipCap(ctx); err != nil {
		return nil, nil, err
	}
	head, err := s.c.eth.HeaderByNumber(ctx, nil)
	if err != nil {
		return nil, nil, err
	}
	base := head.BaseFee
	if base == nil {
		base = new(big.Int)
	}
	// Twice the base fee survives six full blocks in a row.
	feeCap = new(big.Int).Add(tip, new(big.Int).Lsh(base, 1))
	return tip, feeCap, nil
}
