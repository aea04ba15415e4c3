// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {AttributionSettlement} from "./AttributionSettlement.sol";
import {FeeParameters} from "./FeeParameters.sol";
import {IEpochDisputes} from "./IEpochDisputes.sol";
import {IValidatorPool} from "./IValidatorPool.sol";
import {IWorkerStaking} from "./IWorkerStaking.sol";
import {TypedData} from "./TypedData.sol";
import {CommitteeRules, PenaltyRules, PeriodRules, Verdict} from "./Types.sol";

/// @title Dispute committee
/// @notice Anybody challenges a batch or the root of an epoch in its window with a bond. Validators drawn by stake judge it
/// and sign verdicts. A quorum that finds it guilty has a batch rejected and its worker slashed and jailed, or an epoch
/// dropped and its proposer's bond forfeited, to the profit of challenger and signers; a quorum that does not pays them and
/// the accused from the challenger's bond. Without a quorum a new committee is drawn, a governed number of times; then the
/// bond goes back, and a batch stands. An epoch is dropped then and its proposer's bond goes back too: no cumulative root
/// counts against which a challenge was left open, and what its batches owe can still be claimed.
/// @dev The subject of a dispute about an epoch has the distributor for its worker and the epoch's id for its nonce. The
/// distributor is no worker: it signs no binding and sends no batch.
///
/// Reasons: 1 data unavailable, 2 arithmetic (root or total does not recompute), 3 signature or doubly charged receipt,
/// 4 output, 5 attribution, 6 adapter or datanet, 7 token counts or fee.
///
/// The seed of a draw is the hash of a block after the one from which the weights are taken. Who makes that block, or is
/// alone in it, has some influence on its hash.
///
/// Invariant: the contract holds the bonds of open challenges and what was credited and not collected.
contract DisputeCommittee is AccessControl, EIP712, ReentrancyGuardTransient {
    uint256 private constant BPS = 10_000;
    uint256 private constant MAX_SEATS = 32;
    uint256 private constant MAX_ROUNDS = 16;
    uint8 private constant LAST_REASON = 7;
    /// @dev The hash of an older block cannot be read (EVM, BLOCKHASH).
    uint256 private constant HASHED_BLOCKS = 256;

    /// @notice Where a dispute stands.
    enum Status {
        None,
        Waiting, // for its committee to be drawn
        Voting,
        Guilty,
        Upheld,
        Undecided // no quorum in any round: a batch stands, an epoch is dropped
    }

    enum Vote {
        None,
        Upheld,
        Guilty
    }

    /// @notice A place in the committee of the current round.
    struct Seat {
        address member;
        Vote vote;
    }

    /// @notice All that is known about a dispute.
    /// @param worker of the batch; the epoch distributor when an epoch is judged.
    /// @param nonce of the batch, or the epoch's id.
    /// @param dataDigest of the batch's or epoch's document.
    /// @param reason that the challenger gave; once guilty, that of the verdict.
    /// @param evidence digest of the challenger's evidence.
    /// @param drawBlock whose hash is the seed of the round's draw.
    /// @param deadline of the draw while waiting, of the verdicts while voting (Unix seconds).
    /// @param quorum verdicts of one kind that decide.
    struct Dispute {
        address worker;
        uint64 nonce;
        Status status;
        uint8 reason;
        uint8 round;
        uint8 rounds;
        address challenger;
        uint64 deadline;
        uint8 quorum;
        uint8 guilty;
        uint8 upheld;
        uint128 bond;
        uint48 drawBlock;
        uint48 weightsBlock;
        bytes32 dataDigest;
        bytes32 evidence;
    }

    struct History {
        uint64 last;
        uint64 count;
    }

    AttributionSettlement private immutable _SETTLEMENT;
    IWorkerStaking private immutable _STAKING;
    IEpochDisputes private immutable _EPOCHS;
    FeeParameters private immutable _FEES;
    IValidatorPool private immutable _VALIDATORS;
    uint128 private _challengeBond;
    CommitteeRules private _committee;
    PeriodRules private _periods;
    PenaltyRules private _penalties;
    uint64 private _count;
    mapping(uint64 id => Dispute) private _disputes;
    mapping(uint64 id => Seat[]) private _seats;
    mapping(address subject => mapping(uint64 nonce => History)) private _history;
    mapping(address account => uint256) private _credits;

    /// @notice The zero address cannot be used here.
    error ZeroAddress();
    /// @notice Only slashes, forfeited bonds and penalties send money here.
    error UnexpectedPayment(address from);
    /// @notice The amount is zero.
    error ZeroAmount();
    /// @notice Nothing to collect.
    error NothingToCollect(address account);
    /// @notice No such reason.
    error InvalidReason(uint8 reason);
    /// @notice Send exactly the bond.
    error WrongBond(uint256 sent, uint256 bond);
    /// @notice The batch is not in its challenge window.
    error NotChallengeable(address worker, uint64 nonce, AttributionSettlement.Status status);
    /// @notice The batch was challenged before, and another dispute could outlast the stake that answers for it.
    error ChallengedEnough(address worker, uint64 nonce);
    /// @notice The dispute is in another state.
    error WrongStatus(uint64 dispute, Status status);
    /// @notice The seed is not known yet: wait for the block after it.
    error TooEarlyToDraw(uint64 dispute, uint48 drawBlock);
    /// @notice The period is over: advance the dispute.
    error PeriodOver(uint64 dispute, uint64 deadline);
    /// @notice The period is not over.
    error PeriodOpen(uint64 dispute, uint64 deadline);
    /// @notice One signature for each signer is needed.
    error LengthMismatch(uint256 signers, uint256 signatures);
    /// @notice The signer has no seat in this round.
    error NotSeated(uint64 dispute, address signer);
    /// @notice The signature is not the signer's over this verdict (65 bytes, ECDSA with low s).
    error InvalidSignature(address signer);
    /// @notice All these verdicts are known.
    error NoNewVerdict(uint64 dispute);
    /// @notice A parameter is out of its bounds.
    error InvalidRules(string field);

    event Challenged(
        uint64 indexed dispute,
        address indexed worker,
        uint64 indexed nonce,
        address challenger,
        uint8 reason,
        bytes32 evidence,
        bytes32 dataDigest,
        uint256 bond
    );
    event DrawScheduled(uint64 indexed dispute, uint8 round, uint48 drawBlock, uint64 deadline);
    event Drawn(uint64 indexed dispute, uint8 round, address[] members, uint8 quorum, uint64 deadline);
    event VerdictSubmitted(uint64 indexed dispute, address indexed member, bool guilty, uint8 reason);
    event Resolved(
        uint64 indexed dispute,
        address indexed worker,
        uint64 indexed nonce,
        Status outcome,
        uint8 reason,
        uint256 slashed
    );
    event Credited(address indexed account, uint256 amount);
    event Collected(address indexed account, uint256 amount);
    event ChallengeBondChanged(uint128 bond);
    event CommitteeRulesChanged(CommitteeRules rules);
    event PeriodRulesChanged(PeriodRules rules);
    event PenaltyRulesChanged(PenaltyRules rules);

    constructor(
        address admin,
        AttributionSettlement settlement_,
        IEpochDisputes epochs_,
        FeeParameters fees_,
        IValidatorPool validators_,
        uint128 challengeBond_,
        CommitteeRules memory committee_,
        PeriodRules memory periods_,
        PenaltyRules memory penalties_
    ) EIP712(TypedData.NAME, TypedData.VERSION) {
        if (
            admin == address(0) || address(settlement_) == address(0) || address(epochs_) == address(0)
                || address(fees_) == address(0) || address(validators_) == address(0)
        ) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _SETTLEMENT = settlement_;
        _STAKING = settlement_.staking();
        _EPOCHS = epochs_;
        _FEES = fees_;
        _VALIDATORS = validators_;
        _setCommittee(committee_);
        _setPeriods(periods_);
        _setChallengeBond(challengeBond_);
        _setPenalties(penalties_);
        _check();
    }

    receive() external payable {
        if (msg.sender != address(_STAKING) && msg.sender != address(_VALIDATORS) && msg.sender != address(_EPOCHS)) {
            revert UnexpectedPayment(msg.sender);
        }
    }

    // ---- disputes ----

    /// @notice Challenges a batch in its window, with {bondFor} it, and freezes it.
    /// @param evidence digest of what shows the fault, for the committee.
    function challenge(address worker, uint64 nonce, uint8 reason, bytes32 evidence)
        external
        payable
        returns (uint64 id)
    {
        if (reason == 0 || reason > LAST_REASON) revert InvalidReason(reason);
        AttributionSettlement.BatchView memory batch = _SETTLEMENT.batchOf(worker, nonce);
        if (batch.status != AttributionSettlement.Status.Pending) {
            revert NotChallengeable(worker, nonce, batch.status);
        }
        History storage history = _history[worker][nonce];
        if (history.count != 0 && block.timestamp + longest() > batch.submittedAt + _STAKING.unbondingPeriod()) {
            revert ChallengedEnough(worker, nonce);
        }
        id = _open(worker, nonce, reason, evidence, batch.dataDigest);
        _SETTLEMENT.freeze(worker, nonce);
    }

    /// @notice Challenges the root of a proposed epoch in its window, with {bondFor} the distributor and the epoch, and
    /// freezes it. The distributor refuses what is not in its window or was upheld before.
    /// @param evidence digest of what shows the fault, for the committee.
    function challengeEpoch(uint32 epoch, uint8 reason, bytes32 evidence) external payable returns (uint64 id) {
        if (reason == 0 || reason > LAST_REASON) revert InvalidReason(reason);
        (, bytes32 documentDigest) = _EPOCHS.proposalOf(epoch);
        id = _open(address(_EPOCHS), epoch, reason, evidence, documentDigest);
        _EPOCHS.freeze(epoch);
    }

    /// @notice Draws a dispute's committee once the seed is known. Anybody may send it. If nobody did while the block's hash
    /// could be read, it takes a new block instead.
    function draw(uint64 id) external {
        Dispute storage d = _disputes[id];
        if (d.status != Status.Waiting) revert WrongStatus(id, d.status);
        if (block.timestamp > d.deadline) revert PeriodOver(id, d.deadline);
        if (block.number <= d.drawBlock) revert TooEarlyToDraw(id, d.drawBlock);
        if (block.number > d.drawBlock + HASHED_BLOCKS) {
            _pickBlock(id, d);
            return;
        }
        bytes32 seed = keccak256(abi.encode(blockhash(d.drawBlock), address(this), id, d.round));
        uint256 seats = _committee.seats;
        address accused = _accusedOf(d);
        address[4] memory parties = [d.challenger, accused, _STAKING.nodeKeyOf(accused), _STAKING.payoutOf(accused)];
        address[] memory members = _VALIDATORS.seat(d.weightsBlock, seed, seats, parties);
        for (uint256 i = 0; i < seats; ++i) {
            _seats[id].push(Seat(members[i], Vote.None));
        }
        d.status = Status.Voting;
        d.quorum = uint8(Math.ceilDiv(seats * _committee.quorumBps, BPS));
        d.deadline = uint64(block.timestamp) + _periods.voting;
        emit Drawn(id, d.round, members, d.quorum, d.deadline);
    }

    /// @notice Brings members' verdicts of one kind. Anybody may send them, and not all at once: the call that completes the
    /// quorum resolves the dispute. A member's first verdict counts; those known are passed over, so that nobody can spoil
    /// the call by bringing one of them first.
    /// @param reason what is wrong, 0 when not guilty.
    function submitVerdicts(
        uint64 id,
        bool guilty,
        uint8 reason,
        address[] calldata signers,
        bytes[] calldata signatures
    ) external nonReentrant {
        Dispute storage d = _disputes[id];
        if (d.status != Status.Voting) revert WrongStatus(id, d.status);
        if (block.timestamp > d.deadline) revert PeriodOver(id, d.deadline);
        if (guilty ? reason == 0 || reason > LAST_REASON : reason != 0) revert InvalidReason(reason);
        if (signers.length != signatures.length) revert LengthMismatch(signers.length, signatures.length);
        bytes32 digest = verdictDigest(Verdict(id, d.worker, d.nonce, d.dataDigest, guilty, reason));
        uint8 fresh = 0;
        for (uint256 i = 0; i < signers.length; ++i) {
            Seat storage seat = _seatOf(id, signers[i]);
            if (seat.vote != Vote.None) continue;
            _checkSignature(signers[i], digest, signatures[i]);
            seat.vote = guilty ? Vote.Guilty : Vote.Upheld;
            ++fresh;
            emit VerdictSubmitted(id, signers[i], guilty, reason);
        }
        if (fresh == 0) revert NoNewVerdict(id);
        if (guilty) {
            d.guilty += fresh;
            if (d.guilty >= d.quorum) _convict(id, d, reason);
        } else {
            d.upheld += fresh;
            if (d.upheld >= d.quorum) _uphold(id, d);
        }
    }

    /// @notice Moves on a dispute whose period passed without a draw or a quorum: absent members pay, and the next round
    /// begins, or the dispute ends undecided. Anybody may send it.
    function advance(uint64 id) external {
        Dispute storage d = _disputes[id];
        if (d.status != Status.Waiting && d.status != Status.Voting) revert WrongStatus(id, d.status);
        if (block.timestamp <= d.deadline) revert PeriodOpen(id, d.deadline);
        if (d.status == Status.Voting) {
            Seat[] storage seats = _seats[id];
            uint256 taken = 0;
            for (uint256 i = 0; i < seats.length; ++i) {
                _VALIDATORS.rise(seats[i].member);
                if (seats[i].vote == Vote.None) {
                    taken += _VALIDATORS.penalise(seats[i].member, _penalties.absenceBps);
                }
            }
            delete _seats[id];
            _credit(_FEES.treasury(), taken);
        }
        if (++d.round < d.rounds) {
            (d.guilty, d.upheld, d.quorum) = (0, 0, 0);
            _schedule(id, d);
            return;
        }
        d.status = Status.Undecided;
        _credit(d.challenger, d.bond);
        emit Resolved(id, d.worker, d.nonce, Status.Undecided, 0, 0);
        if (_isEpoch(d)) _EPOCHS.resolve(uint32(d.nonce), false, _accusedOf(d));
        else _SETTLEMENT.resolve(d.worker, d.nonce, true);
    }

    /// @notice Pays an account what it earned or got back here. Anybody may send it.
    function collect(address account) external nonReentrant returns (uint256 amount) {
        amount = _credits[account];
        if (amount == 0) revert NothingToCollect(account);
        _credits[account] = 0;
        emit Collected(account, amount);
        Address.sendValue(payable(account), amount);
    }

    // ---- parameters ----

    function setChallengeBond(uint128 bond) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setChallengeBond(bond);
    }

    function setCommittee(CommitteeRules calldata rules) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setCommittee(rules);
        _check();
    }

    function setPeriods(PeriodRules calldata rules) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setPeriods(rules);
        _check();
    }

    function setPenalties(PenaltyRules calldata rules) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setPenalties(rules);
    }

    // ---- views ----

    function settlement() external view returns (AttributionSettlement) {
        return _SETTLEMENT;
    }

    function staking() external view returns (IWorkerStaking) {
        return _STAKING;
    }

    function epochs() external view returns (IEpochDisputes) {
        return _EPOCHS;
    }

    function fees() external view returns (FeeParameters) {
        return _FEES;
    }

    function validators() external view returns (IValidatorPool) {
        return _VALIDATORS;
    }

    /// @notice What an account can collect.
    function creditOf(address account) external view returns (uint256) {
        return _credits[account];
    }

    /// @notice Bond of the first challenge of a batch or an epoch.
    function challengeBond() external view returns (uint128) {
        return _challengeBond;
    }

    function committeeRules() external view returns (CommitteeRules memory) {
        return _committee;
    }

    function periodRules() external view returns (PeriodRules memory) {
        return _periods;
    }

    function penaltyRules() external view returns (PenaltyRules memory) {
        return _penalties;
    }

    /// @notice Number of disputes; they are numbered from 1.
    function disputeCount() external view returns (uint64) {
        return _count;
    }

    /// @notice A dispute; status None if there is none.
    function disputeOf(uint64 id) external view returns (Dispute memory) {
        return _disputes[id];
    }

    /// @notice The committee of a dispute's current round.
    function seatsOf(uint64 id) external view returns (Seat[] memory) {
        return _seats[id];
    }

    /// @notice The latest dispute of a batch, or of the distributor's epoch, (0: none) and how often it was challenged.
    function disputesOf(address subject, uint64 nonce) external view returns (uint64 last, uint64 count) {
        History storage history = _history[subject][nonce];
        return (history.last, history.count);
    }

    /// @notice Bond of a challenge of this batch, or of the distributor's epoch: it doubles with every challenge that the
    /// batch withstood. An epoch that withstood one is not challenged again.
    function bondFor(address subject, uint64 nonce) public view returns (uint256) {
        return uint256(_challengeBond) << Math.min(_history[subject][nonce].count, 64);
    }

    /// @notice Seconds that a dispute may last.
    function longest() public view returns (uint256) {
        return uint256(_committee.rounds) * (uint256(_periods.drawing) + _periods.voting);
    }

    /// @notice EIP-712 digest that a member signs.
    function verdictDigest(Verdict memory verdict) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(verdict));
    }

    // ---- inside ----

    /// @dev Takes the bond and writes the dispute down; the caller freezes its subject.
    function _open(address subject, uint64 nonce, uint8 reason, bytes32 evidence, bytes32 dataDigest)
        private
        returns (uint64 id)
    {
        uint256 bond = bondFor(subject, nonce);
        if (msg.value != bond) revert WrongBond(msg.value, bond);
        id = ++_count;
        History storage history = _history[subject][nonce];
        (history.last, history.count) = (id, history.count + 1);
        Dispute storage d = _disputes[id];
        (d.worker, d.nonce, d.reason, d.rounds) = (subject, nonce, reason, _committee.rounds);
        (d.challenger, d.bond) = (msg.sender, uint128(bond));
        (d.dataDigest, d.evidence) = (dataDigest, evidence);
        emit Challenged(id, subject, nonce, msg.sender, reason, evidence, dataDigest, bond);
        _schedule(id, d);
    }

    function _isEpoch(Dispute storage d) private view returns (bool) {
        return d.worker == address(_EPOCHS);
    }

    /// @dev Who answers for what is judged: the batch's worker, or the epoch's proposer.
    function _accusedOf(Dispute storage d) private view returns (address accused) {
        if (!_isEpoch(d)) return d.worker;
        (accused,) = _EPOCHS.proposalOf(uint32(d.nonce));
    }

    function _schedule(uint64 id, Dispute storage d) private {
        d.status = Status.Waiting;
        d.deadline = uint64(block.timestamp) + _periods.drawing;
        _pickBlock(id, d);
    }

    /// @dev The weights are those of this block: they are settled before the seed is known.
    function _pickBlock(uint64 id, Dispute storage d) private {
        d.weightsBlock = uint48(block.number);
        d.drawBlock = uint48(block.number) + _periods.drawDelay;
        emit DrawScheduled(id, d.round, d.drawBlock, d.deadline);
    }

    function _seatOf(uint64 id, address member) private view returns (Seat storage) {
        Seat[] storage seats = _seats[id];
        for (uint256 i = 0; i < seats.length; ++i) {
            if (seats[i].member == member) return seats[i];
        }
        revert NotSeated(id, member);
    }

    /// @dev ECDSA alone: a contract's word (ERC-1271) could change after it was given.
    function _checkSignature(address expected, bytes32 digest, bytes calldata signature) private pure {
        (address signer, ECDSA.RecoverError err,) = ECDSA.tryRecover(digest, signature);
        if (err != ECDSA.RecoverError.NoError || signer != expected) revert InvalidSignature(expected);
    }

    function _convict(uint64 id, Dispute storage d, uint8 reason) private {
        (d.status, d.reason) = (Status.Guilty, reason);
        uint256 taken = _isEpoch(d) ? _forfeit(d) : _slash(id, d, reason);
        uint256 forChallenger = taken * _penalties.challengerBps / BPS;
        uint256 paid = _dismiss(id, Vote.Guilty, taken * _penalties.signersBps / BPS);
        _credit(d.challenger, d.bond + forChallenger);
        _credit(_FEES.treasury(), taken - forChallenger - paid);
        emit Resolved(id, d.worker, d.nonce, Status.Guilty, reason, taken);
    }

    function _uphold(uint64 id, Dispute storage d) private {
        d.status = Status.Upheld;
        uint256 paid = _dismiss(id, Vote.Upheld, uint256(d.bond) * _penalties.signersBps / BPS);
        _credit(_accusedOf(d), d.bond - paid);
        emit Resolved(id, d.worker, d.nonce, Status.Upheld, 0, 0);
        if (_isEpoch(d)) _EPOCHS.resolve(uint32(d.nonce), true, address(this));
        else _SETTLEMENT.resolve(d.worker, d.nonce, true);
    }

    /// @dev Has the epoch dropped and brings its proposer's bond here.
    function _forfeit(Dispute storage d) private returns (uint256 taken) {
        taken = _EPOCHS.resolve(uint32(d.nonce), false, address(this));
        if (taken != 0) _EPOCHS.collect(address(this)); // 0 when governance asked for no bond
    }

    /// @dev Has the batch rejected, and its worker slashed and jailed.
    function _slash(uint64 id, Dispute storage d, uint8 reason) private returns (uint256 taken) {
        uint256 total = _SETTLEMENT.batchOf(d.worker, d.nonce).total;
        uint256 exposure = _SETTLEMENT.resolve(d.worker, d.nonce, false);
        uint256 amount = _slashOf(d.worker, total, exposure);
        if (amount != 0) {
            taken = _STAKING.slash(d.worker, amount, address(this), reason, id);
            _STAKING.collect();
        }
        _STAKING.jail(d.worker, reason, id);
    }

    /// @dev Ends the committee's sitting and shares an amount evenly among those who voted so. The seats stay readable.
    function _dismiss(uint64 id, Vote vote, uint256 amount) private returns (uint256 paid) {
        Dispute storage d = _disputes[id];
        uint256 each = amount / (vote == Vote.Guilty ? d.guilty : d.upheld);
        Seat[] storage seats = _seats[id];
        for (uint256 i = 0; i < seats.length; ++i) {
            _VALIDATORS.rise(seats[i].member);
            if (seats[i].vote != vote) continue;
            paid += each;
            _credit(seats[i].member, each);
        }
    }

    /// @dev What a worker loses for a batch: a governed part of what can be slashed, and at least the stake that covered the
    /// batch. No more than leaves its other batches in challenge windows covered: those answer for themselves.
    function _slashOf(address worker, uint256 total, uint256 exposure) private view returns (uint256) {
        uint256 slashable = _STAKING.stakeOf(worker) + _STAKING.unbondingOf(worker);
        uint256 cover = _SETTLEMENT.coverBps();
        uint256 least = Math.min(slashable, Math.mulDiv(total, BPS, cover));
        uint256 needed = Math.mulDiv(exposure, BPS, cover, Math.Rounding.Ceil);
        uint256 most = Math.max(least, Math.saturatingSub(slashable, needed));
        return Math.min(most, Math.max(least, slashable * _penalties.slashBps / BPS));
    }

    function _credit(address account, uint256 amount) private {
        if (amount == 0) return;
        _credits[account] += amount;
        emit Credited(account, amount);
    }

    function _setChallengeBond(uint128 bond) private {
        if (bond == 0) revert ZeroAmount();
        _challengeBond = bond;
        emit ChallengeBondChanged(bond);
    }

    function _setCommittee(CommitteeRules memory rules) private {
        if (rules.seats == 0 || rules.seats > MAX_SEATS) revert InvalidRules("seats");
        // More than half, so that two quorums cannot meet in one round.
        if (rules.quorumBps <= BPS / 2 || rules.quorumBps > BPS) revert InvalidRules("quorum");
        if (rules.rounds == 0 || rules.rounds > MAX_ROUNDS) revert InvalidRules("rounds");
        _committee = rules;
        emit CommitteeRulesChanged(rules);
    }

    function _setPeriods(PeriodRules memory rules) private {
        if (rules.drawDelay == 0 || rules.drawDelay > HASHED_BLOCKS) revert InvalidRules("draw delay");
        if (rules.drawing == 0) revert InvalidRules("drawing");
        if (rules.voting == 0) revert InvalidRules("voting");
        _periods = rules;
        emit PeriodRulesChanged(rules);
    }

    function _setPenalties(PenaltyRules memory rules) private {
        if (rules.slashBps == 0 || rules.slashBps > BPS) revert InvalidRules("slash");
        if (uint256(rules.challengerBps) + rules.signersBps > BPS) revert InvalidRules("shares");
        if (rules.absenceBps > BPS) revert InvalidRules("absence");
        _penalties = rules;
        emit PenaltyRulesChanged(rules);
    }

    /// @dev What no rule can see alone.
    function _check() private view {
        // Stake that was there when a batch came is there when it is judged.
        if (_SETTLEMENT.challengeWindow() + longest() > _STAKING.unbondingPeriod()) revert InvalidRules("periods");
        // Who was a validator when the weights were taken has its bond there when the committee sits down.
        if (_VALIDATORS.unbondingPeriod() < uint256(_periods.drawing) + _periods.voting) {
            revert InvalidRules("unbonding");
        }
    }
}
