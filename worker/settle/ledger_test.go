package settle

import (
	"fmt"
	"math/big"
	"slices"

	"github.com/ethereum/go-ethereum/accounts/abi"
	"github.com/ethereum/go-ethereum/accounts/abi/bind/v2"
	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/holiman/uint256"

	"github.com/openledger/openledger/contracts/bindings"
	"github.com/openledger/openledger/contracts/chain"
	"github.com/openledger/openledger/contracts/devchain"
	"github.com/openledger/openledger/protocol"
	"github.com/openledger/openledger/protocol/wire"
)

// ledger is a second account of all money on the chain, written after the contracts'
// documentation and not after their code: it replays the transactions of the canonical
// chain, whoever sent them, and says what every account and every contract must hold
// then. It refuses a transaction that the chain let pass and the rules do not.
type ledger struct {
	domain wire.Domain // of the escrow
	at     chain.Addresses
	abis   map[protocol.Account]*abi.ABI
	native map[protocol.Account]*big.Int
	burnt  *big.Int
	now    uint64       // of the block being replayed
	logs   []*types.Log // of the transaction

	delay, window, unbonding, cover uint64
	escrow                          map[protocol.Account]*big.Int
	drawn                           map[[2]protocol.Account]*big.Int
	sessions                        map[[2]protocol.Account]*ledgerSession
	withdrawals                     map[protocol.Account]ledgerWithdrawal
	batches                         map[protocol.Account][]*ledgerBatch
	pools                           map[protocol.Account]*ledgerPool // stake of a worker
	leaving                         map[protocol.Account]*ledgerPool // stake on its way out
	requests                        map[uint64]*ledgerRequest
	lastRequest                     uint64
	proceeds                        map[protocol.Account]*big.Int
	votes                           map[protocol.Account]*big.Int // GOPEN
	tabs                            map[[2]protocol.Account]*ledgerTab
	jailed                          map[protocol.Account]uint64
	jailTerm                        uint64
	disputes                        ledgerDisputes
	books                           map[protocol.Account]*ledgerBook

	epochBond                *big.Int
	epochWindow, buildWindow uint64
	epochs                   map[uint32]*ledgerEpoch
	live, lastEpoch          uint32
	distributable            *big.Int // what finalised epochs brought and nobody claimed
	epochClaimed             map[protocol.Account]*big.Int
	epochCredits             map[protocol.Account]*big.Int
}

type ledgerSession struct {
	limit, spent *big.Int
	expiry       uint64
}

type ledgerWithdrawal struct {
	amount    *big.Int
	releaseAt uint64
}

type ledgerBatch struct {
	total, paid *big.Int
	claimableAt uint64
	claimed     map[uint32]bool
	draws       []bindings.Draw
	frozenAt    uint64

	// aside: it was frozen once.
	aside, disputed, rejected, refunded, held, swept bool
}

// ledgerPool is shares of assets. A slash lowers assets and leaves shares.
type ledgerPool struct {
	assets, all *big.Int
	shares      map[protocol.Account]*big.Int
}

type ledgerRequest struct {
	account, worker protocol.Account
	shares          *big.Int
	releaseAt       uint64
}

func newPool() *ledgerPool {
	return &ledgerPool{assets: new(big.Int), all: new(big.Int), shares: map[protocol.Account]*big.Int{}}
}

func newLedger(chainID uint64, at chain.Addresses, p devchain.Params, native map[protocol.Account]*big.Int) (*ledger, error) {
	l := &ledger{
		domain: wire.Domain{ChainID: chainID, Contract: at.Escrow}, at: at, native: native, burnt: new(big.Int), abis: map[protocol.Account]*abi.ABI{},
		delay: p.Escrow.WithdrawalDelaySeconds, window: p.Settlement.ChallengeWindowSeconds,
		unbonding: p.Staking.UnbondingSeconds, cover: uint64(p.Settlement.CoverBps),
		escrow: map[protocol.Account]*big.Int{}, drawn: map[[2]protocol.Account]*big.Int{}, sessions: map[[2]protocol.Account]*ledgerSession{},
		withdrawals: map[protocol.Account]ledgerWithdrawal{}, batches: map[protocol.Account][]*ledgerBatch{},
		pools: map[protocol.Account]*ledgerPool{}, leaving: map[protocol.Account]*ledgerPool{}, requests: map[uint64]*ledgerRequest{},
		proceeds: map[protocol.Account]*big.Int{}, votes: map[protocol.Account]*big.Int{}, tabs: map[[2]protocol.Account]*ledgerTab{},
		jailed: map[protocol.Account]uint64{}, jailTerm: p.Staking.JailSeconds, disputes: newLedgerDisputes(p, at.Treasury),
		books:     map[protocol.Account]*ledgerBook{},
		epochBond: p.Epochs.Bond.ToBig(), epochWindow: p.Epochs.ChallengeWindowSeconds, buildWindow: p.Epochs.BuildWindowSeconds,
		epochs: map[uint32]*ledgerEpoch{}, distributable: new(big.Int),
		epochClaimed: map[protocol.Account]*big.Int{}, epochCredits: map[protocol.Account]*big.Int{},
	}
	for a, m := range map[protocol.Account]*bind.MetaData{
		at.Escrow: &bindings.EscrowMetaData, at.Settlement: &bindings.AttributionSettlementMetaData, at.Staking: &bindings.WorkerStakingMetaData,
		at.GOPEN: &bindings.GOPENMetaData, at.Datanets: &bindings.DatanetRegistryMetaData, at.Models: &bindings.ModelRegistryMetaData,
		at.Timelock: &bindings.TimelockMetaData, at.Fees: &bindings.FeeParametersMetaData, at.Disputes: &bindings.DisputeCommitteeMetaData,
		at.Validators: &bindings.ValidatorPoolMetaData, at.Epochs: &bindings.EpochDistributorMetaData,
	} {
		parsed, err := m.ParseABI()
		if err != nil {
			return nil, err
		}
		l.abis[a] = parsed
	}
	return l, nil
}

// amount gives the number of a key, to be changed in place.
func amount[K comparable](m map[K]*big.Int, k K) *big.Int {
	if m[k] == nil {
		m[k] = new(big.Int)
	}
	return m[k]
}

func poolOf(m map[protocol.Account]*ledgerPool, worker protocol.Account) *ledgerPool {
	if m[worker] == nil {
		m[worker] = newPool()
	}
	return m[worker]
}

func (l *ledger) move(from, to protocol.Account, v *big.Int) {
	amount(l.native, from).Sub(amount(l.native, from), v)
	amount(l.native, to).Add(amount(l.native, to), v)
}

// transaction replays one transaction of a block.
func (l *ledger) transaction(h *types.Header, from protocol.Account, tx *types.Transaction, r *types.Receipt) error {
	l.now, l.logs = h.Time, r.Logs
	gas := new(big.Int).SetUint64(r.GasUsed)
	base := new(big.Int).Mul(gas, h.BaseFee)
	tip := new(big.Int).Sub(new(big.Int).Mul(gas, r.EffectiveGasPrice), base)
	l.move(from, h.Coinbase, tip)
	amount(l.native, from).Sub(amount(l.native, from), base)
	l.burnt.Add(l.burnt, base)
	if r.Status != types.ReceiptStatusSuccessful {
		return nil
	}
	if tx.To() == nil { // deployment
		amount(l.native, r.ContractAddress)
		l.move(from, r.ContractAddress, tx.Value())
		return nil
	}
	l.move(from, *tx.To(), tx.Value())
	parsed := l.abis[*tx.To()]
	if parsed == nil || len(tx.Data()) == 0 {
		return nil // a plain payment
	}
	method, err := parsed.MethodById(tx.Data())
	if err != nil {
		return err
	}
	args, err := method.Inputs.Unpack(tx.Data()[4:])
	if err != nil {
		return err
	}
	if err := l.call(*tx.To(), method.Name, from, tx.Value(), args); err != nil {
		return fmt.Errorf("block %d, %s by %s: %w", h.Number, method.Name, from, err)
	}
	return nil
}

func (l *ledger) call(to protocol.Account, method string, from protocol.Account, value *big.Int, args []any) error {
	switch to {
	case l.at.Escrow:
		return l.escrowCall(method, from, value, args)
	case l.at.Settlement:
		return l.settlementCall(method, from, args)
	case l.at.Staking:
		return l.stakingCall(method, from, value, args)
	case l.at.GOPEN:
		return l.votesCall(method, from, value, args)
	case l.at.Disputes:
		return l.committeeCall(method, from, value, args)
	case l.at.Validators:
		return l.validatorCall(method, from, value)
	case l.at.Epochs:
		return l.epochsCall(method, from, value, args)
	}
	if value.Sign() != 0 {
		return fmt.Errorf("takes %s wei", value)
	}
	return nil
}

func (l *ledger) settlementCall(method string, from protocol.Account, args []any) error {
	switch method {
	case "submitBatch":
		b := abi.ConvertType(args[0], new(bindings.Batch)).(*bindings.Batch)
		vouchers := abi.ConvertType(args[1], new([]bindings.SignedVoucher)).(*[]bindings.SignedVoucher)
		return l.submit(b, *vouchers)
	case "claim":
		paid, err := l.claim(args[0].(common.Address), args[1].(uint64), args[2].(uint32), args[3].(common.Address), args[4].(*big.Int))
		if err == nil && !paid {
			err = fmt.Errorf("leaf %d was paid twice", args[2])
		}
		return err
	case "claimMany":
		for _, c := range *abi.ConvertType(args[0], new([]bindings.Claim)).(*[]bindings.Claim) {
			if _, err := l.claim(c.Worker, c.Nonce, c.Index, c.Account, c.Amount); err != nil {
				return err
			}
		}
	case "refund":
		return l.refund(args[0].(common.Address), args[1].(uint64), *abi.ConvertType(args[2], new([]bindings.Draw)).(*[]bindings.Draw))
	case "setChallengeWindow":
		l.window = args[0].(uint64)
	case "setCover":
		l.cover = uint64(args[0].(uint32))
	case "release":
		l.release(args[0].(common.Address), args[1].(*big.Int).Uint64())
	case "grantRole", "renounceRole":
	default:
		return fmt.Errorf("is not in the ledger's book")
	}
	return nil
}

func (l *ledger) submit(b *bindings.Batch, vouchers []bindings.SignedVoucher) error {
	if have := len(l.batches[b.Worker]); uint64(have) != b.Nonce {
		return fmt.Errorf("has nonce %d after %d batches", b.Nonce, have)
	}
	if l.jailed[b.Worker] != 0 {
		return fmt.Errorf("comes from a worker in jail")
	}
	exposure := new(big.Int).Set(b.Total)
	for _, old := range l.batches[b.Worker] {
		if !old.rejected && (old.disputed || l.now < old.claimableAt) {
			exposure.Add(exposure, old.total)
		}
	}
	cover := new(big.Int).Mul(poolOf(l.pools, b.Worker).assets, new(big.Int).SetUint64(l.cover))
	if cover.Div(cover, big.NewInt(10_000)).Cmp(exposure) < 0 {
		return fmt.Errorf("leaves %s wei in windows, covered are %s", exposure, cover)
	}
	l.expose(b.Worker, b.Total, cover)
	sum, draws := new(big.Int), []bindings.Draw(nil)
	for _, v := range vouchers {
		due, err := l.draw(b.Worker, v)
		if err != nil {
			return err
		}
		sum.Add(sum, due)
		if due.Sign() != 0 {
			draws = append(draws, bindings.Draw{Requester: v.Requester, Amount: due})
		}
	}
	if sum.Cmp(b.Total) != 0 {
		return fmt.Errorf("pays %s wei and draws %s", b.Total, sum)
	}
	l.move(l.at.Escrow, l.at.Settlement, sum)
	l.batches[b.Worker] = append(l.batches[b.Worker], &ledgerBatch{
		total: b.Total, paid: new(big.Int), claimableAt: l.now + l.window, claimed: map[uint32]bool{}, draws: draws,
	})
	return nil
}

func (l *ledger) draw(worker protocol.Account, v bindings.SignedVoucher) (*big.Int, error) {
	drawn := amount(l.drawn, [2]protocol.Account{v.Requester, worker})
	due := new(big.Int).Sub(v.Cumulative, drawn)
	if due.Sign() <= 0 {
		return new(big.Int), nil
	}
	if l.now > v.Expires {
		return nil, fmt.Errorf("draws on an expired voucher")
	}
	signer, err := l.signerOf(worker, v)
	if err != nil {
		return nil, err
	}
	if signer != v.Requester {
		s := l.sessions[[2]protocol.Account{v.Requester, signer}]
		if s == nil || l.now > s.expiry || s.spent.Add(s.spent, due).Cmp(s.limit) > 0 {
			return nil, fmt.Errorf("draws on a session key beyond what it may")
		}
	}
	drawn.Set(v.Cumulative)
	if l.freeOf(v.Requester).Cmp(amount(l.escrow, v.Requester)) != 0 { // a lowering of nothing stays
		l.settleTab(v.Requester, worker)
	}
	tab := l.tab(v.Requester, worker)
	if free := l.freeOf(v.Requester); free.Add(free, tab.reserved).Cmp(due) < 0 {
		return nil, fmt.Errorf("draws %s wei from %s, of which others' reserves leave %s", due, v.Requester, free)
	}
	left := amount(l.escrow, v.Requester)
	left.Sub(left, due)
	if tab.reserved.Cmp(due) < 0 {
		tab.reserved = new(big.Int)
	} else {
		tab.reserved = new(big.Int).Sub(tab.reserved, due)
	}
	return due, nil
}

// signerOf unpacks the signature (EIP-2098) and asks whose it is.
func (l *ledger) signerOf(worker protocol.Account, v bindings.SignedVoucher) (protocol.Account, error) {
	signature := slices.Concat(v.R[:], v.Vs[:], []byte{27 + v.Vs[0]>>7})
	signature[32] &= 0x7f
	return wire.Recover(wire.VoucherData(l.domain, protocol.Voucher{
		Requester: v.Requester, Worker: worker, Cumulative: *uint256.MustFromBig(v.Cumulative), Expires: int64(v.Expires),
	}), signature)
}

func (l *ledger) claim(worker protocol.Account, nonce uint64, index uint32, account protocol.Account, v *big.Int) (bool, error) {
	if nonce >= uint64(len(l.batches[worker])) {
		return false, fmt.Errorf("claims from batch %d of %d", nonce, len(l.batches[worker]))
	}
	b := l.batches[worker][nonce]
	if b.held || b.swept {
		return false, nil
	}
	if l.now < b.claimableAt || b.disputed || b.rejected {
		return false, fmt.Errorf("claims inside the challenge window or a dispute, or from a rejected batch")
	}
	if b.claimed[index] {
		return false, nil
	}
	b.claimed[index] = true
	if b.paid.Add(b.paid, v).Cmp(b.total) > 0 {
		return false, fmt.Errorf("claims more than the batch holds")
	}
	l.move(l.at.Settlement, account, v)
	return true, nil
}

func (l *ledger) votesCall(method string, from protocol.Account, value *big.Int, args []any) error {
	switch method {
	case "deposit":
		amount(l.votes, from).Add(amount(l.votes, from), value)
	case "withdraw":
		v := args[0].(*big.Int)
		if left := amount(l.votes, from); left.Sub(left, v).Sign() < 0 {
			return fmt.Errorf("unwraps more than it has")
		}
		l.move(l.at.GOPEN, from, v)
	case "delegate":
	default:
		return fmt.Errorf("is not in the ledger's book")
	}
	return nil
}
