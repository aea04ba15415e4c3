// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {BitMaps} from "@openzeppelin/contracts/utils/structs/BitMaps.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IBatchHolds} from "./IBatchHolds.sol";
import {IEscrow} from "./IEscrow.sol";
import {IWorkerStaking} from "./IWorkerStaking.sol";
import {MerkleSum} from "./MerkleSum.sol";
import {Batch, BatchRef, Claim, Draw, ProofNode, Receipt, SignedVoucher} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title Attribution settlement
/// @notice A worker settles many receipts by one batch: the root and total of a Merkle-sum tree of payouts, and the vouchers
/// that pay for it. The total must be exactly what the vouchers draw from escrow, and no more may wait in challenge windows
/// than the worker's stake covers. After its window every payout of a batch is claimed once, by proof, to its account. In its
/// window a batch can be frozen by a dispute: an upheld one goes on, a rejected one pays nobody and goes back to requesters.
/// An epoch distributor may hold claimable batches, which stops their claims, and sweep what is left of them.
/// @dev Invariant: the contract holds the sum over all batches that were not refunded of total - claimed; what is swept counts
/// as claimed.
contract AttributionSettlement is AccessControl, EIP712, ReentrancyGuardTransient, IBatchHolds {
    using BitMaps for BitMaps.BitMap;

    /// @notice May hold and sweep claimable batches: the epoch distributor.
    bytes32 public constant DISTRIBUTOR_ROLE = keccak256("DISTRIBUTOR_ROLE");
    /// @notice May freeze a batch and say what becomes of it: the dispute committee.
    bytes32 public constant DISPUTE_ROLE = keccak256("DISPUTE_ROLE");

    uint256 private constant BPS = 10_000;
    /// @dev Matured batches that one submission lets go of; more than one, so that the backlog only shrinks.
    uint256 private constant RELEASES_PER_SUBMISSION = 4;
    /// @dev So many more where they make the difference: what {exposureOf} says is what a submission goes by, unless more than
    /// that have ended since the last. Then {release} comes first.
    uint256 private constant RELEASES_FOR_COVER = 64;
    uint32 private constant SWEPT = type(uint32).max;

    /// @notice Where a batch stands.
    enum Status {
        None,
        Pending, // in its challenge window
        Disputed, // frozen until the dispute is resolved
        Claimable,
        Rejected, // what it drew is, or can be, refunded
        Swept // what was left is with the epoch distributor
    }

    enum Ruling {
        None,
        Open,
        Upheld,
        Rejected,
        Refunded
    }

    /// @dev Five slots, of which a submission writes four. A total below 2^88 wei (309 million OPEN, of the billion that there
    /// is) is demanded of a batch, and claims never exceed it. `draws` is as much of the digest of what was drawn as there is
    /// room for: two lists with the same 216 bits would take 2^108 hashes to find, and could still only move money among the
    /// requesters of their own batch, as a refund also adds up to the total. Seconds have 40 bits, which last 34,000 years.
    struct Record {
        bytes32 root;
        bytes32 dataDigest;
        bytes27 draws;
        uint40 submittedAt;
        uint88 total;
        uint88 claimed;
        uint40 claimableAt;
        uint32 count;
        Ruling ruling;
        uint32 hold; // the last one; SWEPT for ever after a sweep
        uint40 frozenAt;
    }

    /// @dev What is known of a worker, in one slot.
    /// @param next the nonce of its next batch.
    /// @param released the first batch that may still count against the stake.
    /// @param exposure what counts against the stake: money that is here, so far below 2^96 wei (79 times all OPEN).
    /// @param aside batches that were set aside.
    struct Book {
        uint64 next;
        uint64 released;
        uint96 exposure;
        uint32 aside;
    }

    /// @notice All that is known about a batch.
    struct BatchView {
        Status status;
        bytes32 root;
        bytes32 dataDigest;
        uint256 total;
        uint256 claimed;
        uint32 count;
        uint64 submittedAt;
        uint64 claimableAt;
        bool held;
        bytes32 draws;
        bool refunded;
    }

    IEscrow private immutable _ESCROW;
    IWorkerStaking private immutable _STAKING;
    uint64 private _challengeWindow;
    uint32 private _coverBps;
    uint32 private _holds;
    uint32 private _hold;
    address private _holder;
    mapping(address worker => Book) private _books;
    mapping(address worker => mapping(uint64 nonce => Record)) private _batches;
    mapping(address worker => mapping(uint64 nonce => BitMaps.BitMap)) private _claimed;
    /// @dev Batches that were ever frozen leave the queue of {_release}, so that they hold up none behind them. Their number is
    /// in the worker's book.
    mapping(address worker => mapping(uint32 place => uint64 nonce)) private _aside;

    /// @notice The zero address cannot be used here.
    error ZeroAddress();
    /// @notice Only the worker's owner or its node key settles for it.
    error NotOperator(address worker, address caller);
    /// @notice This nonce is settled: the batch was submitted before.
    error BatchExists(address worker, uint64 nonce);
    /// @notice Batches of a worker come in sequence.
    error NonceGap(address worker, uint64 expected, uint64 actual);
    /// @notice A batch needs a root, a total below 2^88 and at least one payout.
    error InvalidBatch(address worker, uint64 nonce);
    /// @notice The worker's stake covers less than what would wait in challenge windows.
    error InsufficientCover(address worker, uint256 needed, uint256 cover);
    /// @notice The vouchers draw another sum than the batch pays.
    error TotalMismatch(address worker, uint256 total, uint256 drawn);
    /// @notice No such batch.
    error UnknownBatch(address worker, uint64 nonce);
    /// @notice The batch is in its challenge window.
    error ChallengeWindowOpen(address worker, uint64 nonce, uint64 claimableAt);
    /// @notice This payout was claimed before.
    error AlreadyClaimed(address worker, uint64 nonce, uint32 index);
    /// @notice The proof does not lead from this payout to the batch's root and total.
    error InvalidProof(address worker, uint64 nonce, uint32 index);
    /// @notice Claims would exceed the batch's total.
    error OverClaimed(address worker, uint64 nonce, uint256 needed, uint256 available);
    /// @notice A worker in jail submits nothing.
    error WorkerJailed(address worker);
    /// @notice The batch is disputed: wait for the verdict.
    error BatchDisputed(address worker, uint64 nonce);
    /// @notice The batch was rejected: it pays nobody.
    error BatchIsRejected(address worker, uint64 nonce);
    /// @notice Only a batch in its challenge window can be frozen.
    error NotPending(address worker, uint64 nonce, Status status);
    /// @notice The batch is not disputed.
    error NotDisputed(address worker, uint64 nonce);
    /// @notice The batch was not rejected, or it was refunded before.
    error NotRefundable(address worker, uint64 nonce);
    /// @notice These are not the draws of the batch, all of them and in their order.
    error DrawsMismatch(address worker, uint64 nonce);
    /// @notice Stake must stay slashable for as long as a batch can be challenged.
    error WindowExceedsUnbonding(uint64 window, uint64 unbonding);
    /// @notice The cover factor is zero.
    error ZeroCover();
    /// @notice The batch's claims rest while an epoch is being made of it.
    error BatchHeld(address worker, uint64 nonce);
    /// @notice What was left of the batch is paid out by the epoch distributor.
    error BatchSwept(address worker, uint64 nonce);
    /// @notice The batch is not in the present hold.
    error NotHeld(address worker, uint64 nonce);
    /// @notice A hold is under way already.
    error HoldExists(uint32 id);
    /// @notice The caller has no hold.
    error NotHolder(address caller);
    /// @notice Only the escrow sends money here.
    error NotEscrow(address from);

    event BatchSubmitted(
        address indexed worker,
        uint64 indexed nonce,
        bytes32 root,
        uint256 total,
        uint32 count,
        bytes32 dataDigest,
        uint64 claimableAt
    );
    event Claimed(address indexed worker, uint64 indexed nonce, uint32 index, address indexed account, uint256 amount);
    event HoldBegan(uint32 indexed id, address indexed holder);
    event Held(uint32 indexed id, address indexed worker, uint64 indexed nonce, uint256 remainder);
    event Swept(uint32 indexed id, address indexed worker, uint64 indexed nonce, uint256 amount);
    event HoldEnded(uint32 indexed id);
    event ExposureReleased(address indexed worker, uint64 nonce, uint256 exposure);
    event BatchFrozen(address indexed worker, uint64 indexed nonce);
    event BatchUpheld(address indexed worker, uint64 indexed nonce, uint64 claimableAt);
    event BatchRejected(address indexed worker, uint64 indexed nonce, uint256 total);
    event Refunded(address indexed worker, uint64 indexed nonce, address indexed requester, uint256 amount);
    event ChallengeWindowChanged(uint64 window);
    event CoverChanged(uint32 bps);

    constructor(address admin, IEscrow escrow_, IWorkerStaking staking_, uint64 challengeWindow_, uint32 coverBps_)
        EIP712(TypedData.NAME, TypedData.VERSION)
    {
        if (admin == address(0) || address(escrow_) == address(0) || address(staking_) == address(0)) {
            revert ZeroAddress();
        }
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _ESCROW = escrow_;
        _STAKING = staking_;
        _setChallengeWindow(challengeWindow_);
        _setCover(coverBps_);
    }

    receive() external payable {
        if (msg.sender != address(_ESCROW)) revert NotEscrow(msg.sender);
    }

    // ---- workers ----

    /// @notice Settles a worker's next batch. A resubmission reverts with {BatchExists} and changes nothing.
    function submitBatch(Batch calldata batch, SignedVoucher[] calldata vouchers) external nonReentrant {
        _admit(batch);
        (address worker, uint64 nonce) = (batch.worker, batch.nonce);
        uint40 claimableAt = SafeCast.toUint40(block.timestamp + _challengeWindow);
        Record storage r = _batches[worker][nonce];
        r.root = batch.root;
        r.dataDigest = batch.dataDigest;
        (r.total, r.claimableAt, r.count) = (uint88(batch.total), claimableAt, batch.count);
        emit BatchSubmitted(worker, nonce, batch.root, batch.total, batch.count, batch.dataDigest, claimableAt);

        (uint256 drawn, bytes32 draws) = _drawBatch(worker, vouchers);
        (r.draws, r.submittedAt) = (bytes27(draws), uint40(block.timestamp));
        if (drawn != batch.total) revert TotalMismatch(worker, batch.total, drawn);
    }

    /// @notice Lets go of up to `max` batches whose window is over, so that they no longer count against the stake.
    function release(address worker, uint256 max) external {
        Book memory book = _books[worker];
        _release(worker, book, max);
        _books[worker] = book;
    }

    // ---- disputes ----

    /// @notice Stops a batch in its challenge window, and the window's clock with it.
    function freeze(address worker, uint64 nonce) external onlyRole(DISPUTE_ROLE) {
        Record storage r = _batches[worker][nonce];
        Status status = _status(r);
        if (status != Status.Pending) revert NotPending(worker, nonce, status);
        if (r.ruling == Ruling.None) _aside[worker][_books[worker].aside++] = nonce;
        r.ruling = Ruling.Open;
        r.frozenAt = uint40(block.timestamp);
        emit BatchFrozen(worker, nonce);
    }

    /// @notice Ends a dispute. An upheld batch has the rest of its window before it; a rejected one waits for its refund.
    /// @return exposure what counts against the worker's stake from now on: at least what waits in challenge windows.
    function resolve(address worker, uint64 nonce, bool valid)
        external
        onlyRole(DISPUTE_ROLE)
        returns (uint256 exposure)
    {
        Record storage r = _batches[worker][nonce];
        if (r.ruling != Ruling.Open) revert NotDisputed(worker, nonce);
        Book memory book = _books[worker];
        if (valid) {
            r.ruling = Ruling.Upheld;
            r.claimableAt += uint40(block.timestamp) - r.frozenAt;
            emit BatchUpheld(worker, nonce, r.claimableAt);
        } else {
            r.ruling = Ruling.Rejected;
            book.exposure -= r.total;
            emit BatchRejected(worker, nonce, r.total);
        }
        _release(worker, book, RELEASES_PER_SUBMISSION);
        _books[worker] = book;
        return book.exposure;
    }

    /// @notice Puts what a rejected batch drew back into the requesters' balances. Anybody may send it, once.
    /// @param draws what was drawn from whom: the amounts of the escrow's Drawn events in the batch's transaction.
    function refund(address worker, uint64 nonce, Draw[] calldata draws) external nonReentrant {
        Record storage r = _batches[worker][nonce];
        if (r.ruling != Ruling.Rejected) revert NotRefundable(worker, nonce);
        r.ruling = Ruling.Refunded;
        bytes32 digest;
        uint256 sum;
        for (uint256 i = 0; i < draws.length; ++i) {
            digest = keccak256(abi.encode(digest, draws[i].requester, draws[i].amount));
            sum += draws[i].amount;
        }
        if (bytes27(digest) != r.draws || sum != r.total) revert DrawsMismatch(worker, nonce);
        for (uint256 i = 0; i < draws.length; ++i) {
            emit Refunded(worker, nonce, draws[i].requester, draws[i].amount);
            _ESCROW.depositFor{value: draws[i].amount}(draws[i].requester);
        }
    }

    // ---- claims ----

    /// @notice Pays one payout to its account. Anybody may send it.
    function claim(
        address worker,
        uint64 nonce,
        uint32 index,
        address account,
        uint256 amount,
        ProofNode[] calldata proof
    ) external nonReentrant {
        uint32 last = _batches[worker][nonce].hold;
        if (last == SWEPT) revert BatchSwept(worker, nonce);
        if (_isHeld(last)) revert BatchHeld(worker, nonce);
        if (!_settle(worker, nonce, index, account, amount, proof)) {
            revert AlreadyClaimed(worker, nonce, index);
        }
        Address.sendValue(payable(account), amount);
    }

    /// @notice Pays many payouts to their accounts. Those claimed before and those of held and swept batches are passed
    /// over, so that nobody can spoil the call by claiming or holding one of them first. Neighbours to the same account are paid together.
    /// @return paid what this call paid.
    function claimMany(Claim[] calldata claims) external nonReentrant returns (uint256 paid) {
        address account;
        uint256 due;
        for (uint256 i = 0; i < claims.length; ++i) {
            Claim calldata c = claims[i];
            if (c.account != account) {
                if (due != 0) Address.sendValue(payable(account), due);
                paid += due;
                (account, due) = (c.account, 0);
            }
            uint32 last = _batches[c.worker][c.nonce].hold;
            if (last == SWEPT || _isHeld(last)) continue;
            if (_settle(c.worker, c.nonce, c.index, c.account, c.amount, c.proof)) due += c.amount;
        }
        if (due != 0) Address.sendValue(payable(account), due);
        paid += due;
    }

    // ---- holds ----

    /// @inheritdoc IBatchHolds
    function beginHold() external onlyRole(DISTRIBUTOR_ROLE) returns (uint32 id) {
        if (_hold != 0) revert HoldExists(_hold);
        id = ++_holds;
        (_hold, _holder) = (id, msg.sender);
        emit HoldBegan(id, msg.sender);
    }

    /// @inheritdoc IBatchHolds
    function hold(BatchRef[] calldata batches) external returns (uint32 count, uint256 remainder) {
        uint32 id = _requireHolder();
        for (uint256 i = 0; i < batches.length; ++i) {
            (address worker, uint64 nonce) = (batches[i].worker, batches[i].nonce);
            Record storage r = _batches[worker][nonce];
            _requireClaimable(r, worker, nonce);
            uint256 left = r.total - r.claimed;
            if (r.hold == id || left == 0) continue;
            r.hold = id;
            ++count;
            remainder += left;
            emit Held(id, worker, nonce, left);
        }
    }

    /// @inheritdoc IBatchHolds
    function sweep(BatchRef[] calldata batches) external nonReentrant returns (uint256 amount) {
        uint32 id = _requireHolder();
        for (uint256 i = 0; i < batches.length; ++i) {
            (address worker, uint64 nonce) = (batches[i].worker, batches[i].nonce);
            Record storage r = _batches[worker][nonce];
            if (r.hold != id) revert NotHeld(worker, nonce);
            uint256 left = r.total - r.claimed;
            (r.hold, r.claimed) = (SWEPT, r.total);
            amount += left;
            emit Swept(id, worker, nonce, left);
        }
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @inheritdoc IBatchHolds
    function endHold() external {
        uint32 id = _requireHolder();
        (_hold, _holder) = (0, address(0));
        emit HoldEnded(id);
    }

    // ---- parameters ----

    function setChallengeWindow(uint64 window) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setChallengeWindow(window);
    }

    function setCover(uint32 bps) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setCover(bps);
    }

    // ---- views ----

    /// @notice Seconds from a batch's submission to its claims.
    function challengeWindow() external view returns (uint64) {
        return _challengeWindow;
    }

    /// @notice How much may wait in challenge windows, in basis points of the worker's stake.
    function coverBps() external view returns (uint32) {
        return _coverBps;
    }

    function escrow() external view returns (IEscrow) {
        return _ESCROW;
    }

    function staking() external view returns (IWorkerStaking) {
        return _STAKING;
    }

    /// @notice The nonce of a worker's next batch, which is the number of its batches.
    function nextNonce(address worker) external view returns (uint64) {
        return _books[worker].next;
    }

    /// @notice A batch; status None if there is none.
    function batchOf(address worker, uint64 nonce) external view returns (BatchView memory) {
        Record storage r = _batches[worker][nonce];
        return BatchView({
            status: _status(r),
            root: r.root,
            dataDigest: r.dataDigest,
            total: r.total,
            claimed: r.claimed,
            count: r.count,
            submittedAt: r.submittedAt,
            claimableAt: r.claimableAt,
            held: _isHeld(r.hold),
            draws: r.draws,
            refunded: r.ruling == Ruling.Refunded
        });
    }

    /// @notice Whether a payout was claimed here. Of a swept batch the rest is claimed from the epoch distributor.
    function isClaimed(address worker, uint64 nonce, uint32 index) external view returns (bool) {
        return _claimed[worker][nonce].get(index);
    }

    /// @notice What a worker's stake covers.
    function coverOf(address worker) external view returns (uint256) {
        return _coverOf(_STAKING.stakeOf(worker));
    }

    /// @notice What waits in a worker's challenge windows and disputes now. For reading off chain: it looks at every such
    /// batch.
    function exposureOf(address worker) external view returns (uint256 exposure) {
        Book memory book = _books[worker];
        exposure = book.exposure;
        for (uint64 n = book.released; n < book.next; ++n) {
            Record storage r = _batches[worker][n];
            if (r.ruling != Ruling.None) continue;
            if (block.timestamp < r.claimableAt) break;
            exposure -= r.total;
        }
        for (uint32 i = 0; i < book.aside; ++i) {
            Record storage r = _batches[worker][_aside[worker][i]];
            if (r.ruling == Ruling.Upheld && block.timestamp >= r.claimableAt) exposure -= r.total;
        }
    }

    /// @notice EIP-712 digest of a receipt, which the worker's node key signs.
    function receiptDigest(Receipt calldata receipt) external view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(receipt));
    }

    // ---- inside ----

    /// @dev Checks that this batch may come now and from this caller, and counts it against the worker's stake.
    function _admit(Batch calldata batch) private {
        address worker = batch.worker;
        uint64 nonce = batch.nonce;
        (bool operator, bool jailed, uint256 stake) = _STAKING.standingOf(worker, msg.sender);
        if (!operator) revert NotOperator(worker, msg.sender);
        if (jailed) revert WorkerJailed(worker);
        Book memory book = _books[worker];
        if (nonce < book.next) revert BatchExists(worker, nonce);
        if (nonce > book.next) revert NonceGap(worker, book.next, nonce);
        if (batch.root == 0 || batch.total == 0 || batch.total > type(uint88).max || batch.count == 0) {
            revert InvalidBatch(worker, nonce);
        }

        _release(worker, book, RELEASES_PER_SUBMISSION);
        uint256 cover = _coverOf(stake);
        if (book.exposure + batch.total > cover) _release(worker, book, RELEASES_FOR_COVER);
        uint256 exposure = book.exposure + batch.total;
        if (exposure > cover) revert InsufficientCover(worker, exposure, cover);
        book.exposure = SafeCast.toUint96(exposure);
        ++book.next;
        _books[worker] = book;
    }

    function _coverOf(uint256 stake) private view returns (uint256) {
        return stake * _coverBps / BPS;
    }

    /// @dev Hands the vouchers on as they came: they need not be taken apart here to be put together again, and the escrow
    /// checks them.
    function _drawBatch(address worker, SignedVoucher[] calldata vouchers)
        private
        returns (uint256 drawn, bytes32 draws)
    {
        uint256 from;
        assembly ("memory-safe") {
            from := sub(vouchers.offset, 0x20) // the array's length
        }
        bytes memory answer = Address.functionCall(
            address(_ESCROW),
            bytes.concat(abi.encodeWithSelector(IEscrow.drawBatch.selector, worker, uint256(0x40)), msg.data[from:])
        );
        return abi.decode(answer, (uint256, bytes32));
    }

    /// @dev Marks one payout claimed. False if it was before; reverts if it is not the batch's, or not yet due.
    function _settle(
        address worker,
        uint64 nonce,
        uint32 index,
        address account,
        uint256 amount,
        ProofNode[] calldata proof
    ) private returns (bool) {
        Record storage r = _batches[worker][nonce];
        uint256 total = r.total;
        _requireClaimable(r, worker, nonce);
        if (!MerkleSum.verify(r.root, total, r.count, index, account, amount, proof)) {
            revert InvalidProof(worker, nonce, index);
        }
        BitMaps.BitMap storage map = _claimed[worker][nonce];
        if (map.get(index)) return false;
        uint256 left = total - r.claimed;
        if (amount > left) revert OverClaimed(worker, nonce, amount, left);
        map.set(index);
        r.claimed += uint88(amount);
        emit Claimed(worker, nonce, index, account, amount);
        return true;
    }

    function _requireClaimable(Record storage r, address worker, uint64 nonce) private view {
        if (r.total == 0) revert UnknownBatch(worker, nonce);
        if (r.ruling == Ruling.Open) revert BatchDisputed(worker, nonce);
        if (r.ruling >= Ruling.Rejected) revert BatchIsRejected(worker, nonce);
        if (block.timestamp < r.claimableAt) revert ChallengeWindowOpen(worker, nonce, r.claimableAt);
    }

    /// @dev Whether the hold that a batch was last in goes on.
    function _isHeld(uint32 last) private view returns (bool) {
        return last != 0 && last == _hold;
    }

    function _requireHolder() private view returns (uint32) {
        if (msg.sender != _holder) revert NotHolder(msg.sender);
        return _hold;
    }

    function _status(Record storage r) private view returns (Status) {
        if (r.total == 0) return Status.None;
        if (r.ruling == Ruling.Open) return Status.Disputed;
        if (r.ruling >= Ruling.Rejected) return Status.Rejected;
        if (r.hold == SWEPT) return Status.Swept;
        return block.timestamp < r.claimableAt ? Status.Pending : Status.Claimable;
    }

    /// @dev Lets go of up to `max` batches of the queue and up to `max` of those set aside; the caller keeps the book. Windows may differ from batch to
    /// batch after a change of the parameter: letting go stops at the first open one.
    function _release(address worker, Book memory book, uint256 max) private {
        uint64 start = book.released;
        uint64 n = start;
        uint96 exposure = book.exposure;
        for (; n < book.next && n - start < max; ++n) {
            Record storage r = _batches[worker][n];
            (Ruling ruling, uint256 claimableAt, uint88 total) = (r.ruling, r.claimableAt, r.total);
            if (ruling != Ruling.None) continue;
            if (block.timestamp < claimableAt) break;
            exposure -= total;
        }
        exposure = _releaseAside(worker, book, max, exposure);
        if (n == start && exposure == book.exposure) return;
        (book.released, book.exposure) = (n, exposure);
        emit ExposureReleased(worker, n, exposure);
    }

    /// @dev A rejected batch stopped to count when it was resolved.
    function _releaseAside(address worker, Book memory book, uint256 max, uint96 exposure) private returns (uint96) {
        mapping(uint32 place => uint64 nonce) storage aside = _aside[worker];
        uint32 i = book.aside;
        for (uint256 looked = 0; i > 0 && looked < max; ++looked) {
            Record storage r = _batches[worker][aside[--i]];
            if (r.ruling == Ruling.Open || (r.ruling == Ruling.Upheld && block.timestamp < r.claimableAt)) continue;
            if (r.ruling == Ruling.Upheld) exposure -= r.total;
            aside[i] = aside[--book.aside];
            delete aside[book.aside];
        }
        return exposure;
    }

    function _setChallengeWindow(uint64 window) private {
        uint64 unbonding = _STAKING.unbondingPeriod();
        if (window > unbonding) revert WindowExceedsUnbonding(window, unbonding);
        _challengeWindow = window;
        emit ChallengeWindowChanged(window);
    }

    function _setCover(uint32 bps) private {
        if (bps == 0) revert ZeroCover();
        _coverBps = bps;
        emit CoverChanged(bps);
    }
}
