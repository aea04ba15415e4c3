// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {MerkleProof} from "@openzeppelin/contracts/utils/cryptography/MerkleProof.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";

import {FeeParameters} from "./FeeParameters.sol";
import {IBatchHolds} from "./IBatchHolds.sol";
import {IEpochDisputes} from "./IEpochDisputes.sol";
import {BatchRef, EpochClaim} from "./Types.sol";

/// @title Epoch distributor
/// @notice Pays each account once for whatever many workers' batches owe it. An epoch takes what is left of many claimable
/// batches and adds it to a cumulative tree of (account, amount of all epochs); an account claims the difference to what
/// it has had, by one proof.
///
/// An epoch is made in steps: a proposer opens it with a bond and holds batches, in as many calls as it takes, which stops
/// their single claims; it commits to the new root and to a document, from which anybody recomputes the root; after a
/// window the batches are swept, again in as many calls as it takes, and the root counts. A root that disputes find wrong
/// is dropped with its proposer's bond, and the batches are as they were. An epoch that is not committed in time is
/// dropped likewise. There is one epoch under way at a time.
/// @dev The tree is OpenZeppelin's standard one: leaves keccak256(keccak256(abi.encode(account, amount))), pairs sorted.
/// Invariants: the contract holds what the finalised epochs brought and nobody claimed, what the epoch under way has swept,
/// and bonds; claims never reach into the latter two, whatever a root says. That is kept by what is *not* for claims, which a
/// claim only has to read: it writes one slot, the account's.
contract EpochDistributor is AccessControl, ReentrancyGuardTransient, IEpochDisputes {
    /// @notice Freezes and resolves proposed epochs.
    bytes32 public constant DISPUTE_ROLE = keccak256("DISPUTE_ROLE");

    /// @notice Where an epoch stands.
    enum Stage {
        None,
        Building, // its proposer holds batches
        Proposed, // its root can be disputed, then finalised
        Disputed,
        Finalised,
        Rejected, // its root was wrong
        Abandoned // it was not committed in time
    }

    /// @notice One epoch.
    /// @param deadline Unix seconds: of the commitment while it is building, then from when it can be finalised.
    /// @param count batches that it holds.
    /// @param sweptCount of which are swept.
    /// @param upheld whether a dispute found it right: it cannot be disputed again.
    /// @param amount what is left of its batches, in wei.
    /// @param swept what of that is here.
    struct Epoch {
        bytes32 root;
        bytes32 documentDigest;
        address proposer;
        uint64 deadline;
        Stage stage;
        bool upheld;
        uint32 count;
        uint32 sweptCount;
        uint128 bond;
        uint128 amount;
        uint128 swept;
        uint128 cumulative;
    }

    IBatchHolds private immutable _SETTLEMENT;
    FeeParameters private immutable _FEES;
    uint128 private _bond;
    uint64 private _challengeWindow;
    uint64 private _buildWindow;

    uint32 private _live;
    uint32 private _finalised;
    bytes32 private _root;
    uint128 private _total;
    uint128 private _locked; // bonds, credited or at stake, and what the epoch under way has swept: not for claims
    mapping(uint32 id => Epoch) private _epochs;
    mapping(address account => uint256) private _claimed;
    mapping(address account => uint256) private _credits;

    /// @notice The zero address cannot be used here.
    error ZeroAddress();
    /// @notice A window of zero seconds leaves no time to look.
    error ZeroWindow();
    /// @notice A bond above 2^128 - 1 wei cannot be kept.
    error BondTooLarge(uint256 bond);
    /// @notice An epoch is under way.
    error EpochExists(uint32 id);
    /// @notice The proposer must send exactly the bond.
    error WrongBond(uint256 sent, uint256 needed);
    /// @notice The epoch is not in the stage that this call needs.
    error WrongStage(uint32 id, Stage stage);
    /// @notice Only the proposer builds its epoch.
    error NotProposer(uint32 id, address caller);
    /// @notice The time to commit is over.
    error BuildExpired(uint32 id, uint64 deadline);
    /// @notice The time to commit is not over.
    error BuildOpen(uint32 id, uint64 deadline);
    /// @notice A root and a document's digest are needed, and at least one batch.
    error EmptyEpoch(uint32 id);
    /// @notice The epoch can be disputed until then.
    error EpochWindowOpen(uint32 id, uint64 deadline);
    /// @notice The epoch cannot be disputed any more.
    error EpochWindowClosed(uint32 id, uint64 deadline);
    /// @notice What was swept is not what the epoch added to the tree.
    error SweepMismatch(uint32 id, uint256 swept, uint256 amount);
    /// @notice The proof does not lead from this account and amount to the newest finalised root.
    error InvalidEpochProof(address account, uint256 cumulative);
    /// @notice The account has had all of this amount.
    error NothingToClaim(address account, uint256 claimed);
    /// @notice Claims would exceed what finalised epochs brought and nobody claimed.
    error OverDistributed(uint256 needed, uint256 available);
    /// @notice Nothing is credited to the account.
    error NothingToCollect(address account);
    /// @notice Only settlement sends money here.
    error NotSettlement(address from);

    event EpochOpened(uint32 indexed epoch, address indexed proposer, uint256 bond, uint64 deadline);
    event EpochCommitted(
        uint32 indexed epoch,
        address indexed proposer,
        bytes32 root,
        bytes32 documentDigest,
        uint256 amount,
        uint256 cumulative,
        uint64 finalisableAt
    );
    event EpochFrozen(uint32 indexed epoch);
    event EpochUpheld(uint32 indexed epoch);
    event EpochDropped(uint32 indexed epoch, Stage stage, uint256 forfeited, address beneficiary);
    event EpochFinalised(uint32 indexed epoch, bytes32 root, uint256 cumulative);
    event EpochClaimed(address indexed account, uint256 amount, uint256 cumulative);
    event Collected(address indexed account, uint256 amount);
    event BondChanged(uint256 bond);
    event WindowsChanged(uint64 challenge, uint64 build);

    constructor(
        address admin,
        IBatchHolds settlement_,
        FeeParameters fees_,
        uint256 bond_,
        uint64 challengeWindow_,
        uint64 buildWindow_
    ) {
        if (admin == address(0) || address(settlement_) == address(0) || address(fees_) == address(0)) {
            revert ZeroAddress();
        }
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        (_SETTLEMENT, _FEES) = (settlement_, fees_);
        _setBond(bond_);
        _setWindows(challengeWindow_, buildWindow_);
    }

    receive() external payable {
        if (msg.sender != address(_SETTLEMENT)) revert NotSettlement(msg.sender);
    }

    // ---- making an epoch ----

    /// @notice Opens an epoch with the first of its batches. The caller sends the bond.
    function open(BatchRef[] calldata batches) external payable returns (uint32 id) {
        if (_live != 0) revert EpochExists(_live);
        if (msg.value != _bond) revert WrongBond(msg.value, _bond);
        id = _SETTLEMENT.beginHold();
        uint64 deadline = uint64(block.timestamp) + _buildWindow;
        _live = id;
        _locked += uint128(msg.value);
        Epoch storage e = _epochs[id];
        (e.proposer, e.deadline, e.stage, e.bond) = (msg.sender, deadline, Stage.Building, uint128(msg.value));
        emit EpochOpened(id, msg.sender, msg.value, deadline);
        _hold(e, batches);
    }

    /// @notice Takes more batches into the caller's epoch.
    function add(uint32 id, BatchRef[] calldata batches) external {
        _hold(_building(id), batches);
    }

    /// @notice Commits the caller's epoch to the root of its tree and to the document that shows it.
    function commit(uint32 id, bytes32 root_, bytes32 documentDigest) external {
        Epoch storage e = _building(id);
        if (root_ == 0 || documentDigest == 0 || e.amount == 0) revert EmptyEpoch(id);
        uint64 deadline = uint64(block.timestamp) + _challengeWindow;
        uint128 cumulative = _total + e.amount;
        (e.root, e.documentDigest, e.deadline, e.stage) = (root_, documentDigest, deadline, Stage.Proposed);
        e.cumulative = cumulative;
        emit EpochCommitted(id, msg.sender, root_, documentDigest, e.amount, cumulative, deadline);
    }

    /// @notice Drops an epoch that was not committed in time. Its bond goes to the treasury. Anybody may call it.
    function abandon(uint32 id) external {
        Epoch storage e = _at(id, Stage.Building);
        if (block.timestamp < e.deadline) revert BuildOpen(id, e.deadline);
        _drop(id, e, Stage.Abandoned, _FEES.treasury());
    }

    /// @notice Sweeps batches of an epoch whose window is over. Once all are swept the epoch's root counts. Anybody may
    /// call it, with each batch of the epoch once, in any order.
    /// @return done whether the epoch is finalised.
    function finalise(uint32 id, BatchRef[] calldata batches) external nonReentrant returns (bool done) {
        Epoch storage e = _at(id, Stage.Proposed);
        if (block.timestamp < e.deadline) revert EpochWindowOpen(id, e.deadline);
        uint128 before = e.swept;
        uint256 swept = before + _SETTLEMENT.sweep(batches);
        uint256 count = e.sweptCount + batches.length;
        (e.swept, e.sweptCount) = (uint128(swept), uint32(count));
        if (count < e.count) {
            _locked += uint128(swept - before);
            return false;
        }
        if (swept != e.amount) revert SweepMismatch(id, swept, e.amount);
        e.stage = Stage.Finalised;
        (_live, _finalised, _root) = (0, id, e.root);
        (_total, _locked) = (e.cumulative, _locked - before);
        _credits[e.proposer] += e.bond;
        emit EpochFinalised(id, e.root, e.cumulative);
        _SETTLEMENT.endHold();
        return true;
    }

    // ---- disputes ----

    /// @inheritdoc IEpochDisputes
    function freeze(uint32 id) external onlyRole(DISPUTE_ROLE) {
        Epoch storage e = _at(id, Stage.Proposed);
        if (e.upheld || block.timestamp >= e.deadline) revert EpochWindowClosed(id, e.deadline);
        e.stage = Stage.Disputed;
        emit EpochFrozen(id);
    }

    /// @inheritdoc IEpochDisputes
    function resolve(uint32 id, bool valid, address beneficiary)
        external
        onlyRole(DISPUTE_ROLE)
        returns (uint256 forfeited)
    {
        Epoch storage e = _at(id, Stage.Disputed);
        if (!valid) return _drop(id, e, Stage.Rejected, beneficiary);
        (e.stage, e.upheld) = (Stage.Proposed, true);
        emit EpochUpheld(id);
    }

    // ---- claims ----

    /// @notice Pays an account what the newest finalised root owes it beyond what it has had. Anybody may send it.
    /// @param cumulative the account's amount over all epochs.
    function claim(address account, uint256 cumulative, bytes32[] calldata proof)
        external
        nonReentrant
        returns (uint256 amount)
    {
        amount = _settle(account, cumulative, proof);
        if (amount == 0) revert NothingToClaim(account, _claimed[account]);
        _requireAvailable(amount);
        Address.sendValue(payable(account), amount);
    }

    /// @notice Pays many accounts what the newest finalised root owes them beyond what they have had. Those that have had all
    /// of it are passed over, so that nobody can spoil the call by claiming for one of them first. A proof that leads nowhere
    /// reverts it, and so does an account that refuses money, as in {AttributionSettlement-claimMany}: nobody is paid then,
    /// and nothing is lost; the sender leaves that account out. Anybody may send it.
    /// @return paid what this call paid.
    function claimMany(EpochClaim[] calldata claims) external nonReentrant returns (uint256 paid) {
        uint256[] memory due = new uint256[](claims.length);
        for (uint256 i = 0; i < claims.length; ++i) {
            EpochClaim calldata c = claims[i];
            due[i] = _settle(c.account, c.cumulative, c.proof);
            paid += due[i];
        }
        _requireAvailable(paid);
        for (uint256 i = 0; i < claims.length; ++i) {
            if (due[i] != 0) Address.sendValue(payable(claims[i].account), due[i]);
        }
    }

    /// @inheritdoc IEpochDisputes
    /// @dev Bonds that came back or were forfeited. Anybody may send it.
    function collect(address account) external nonReentrant returns (uint256 amount) {
        amount = _credits[account];
        if (amount == 0) revert NothingToCollect(account);
        _credits[account] = 0;
        _locked -= uint128(amount);
        emit Collected(account, amount);
        Address.sendValue(payable(account), amount);
    }

    // ---- parameters ----

    function setBond(uint256 bond_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setBond(bond_);
    }

    /// @notice Epochs under way keep their deadlines.
    function setWindows(uint64 challenge, uint64 build) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setWindows(challenge, build);
    }

    // ---- views ----

    /// @notice What a proposer puts at stake, in wei.
    function bond() external view returns (uint256) {
        return _bond;
    }

    /// @notice Seconds in which a committed epoch can be disputed.
    function challengeWindow() external view returns (uint64) {
        return _challengeWindow;
    }

    /// @notice Seconds that a proposer has to commit.
    function buildWindow() external view returns (uint64) {
        return _buildWindow;
    }

    function settlement() external view returns (IBatchHolds) {
        return _SETTLEMENT;
    }

    function feeParameters() external view returns (FeeParameters) {
        return _FEES;
    }

    /// @notice The epoch under way (0: none) and the newest finalised one (0: none).
    function current() external view returns (uint32 live, uint32 finalised) {
        return (_live, _finalised);
    }

    /// @notice An epoch; stage None if there is none.
    function epochOf(uint32 id) external view returns (Epoch memory) {
        return _epochs[id];
    }

    /// @inheritdoc IEpochDisputes
    function proposalOf(uint32 id) external view returns (address proposer, bytes32 documentDigest) {
        Epoch storage e = _epochs[id];
        return (e.proposer, e.documentDigest);
    }

    /// @notice The newest finalised root, what all finalised epochs brought and what of it was claimed, in wei: all that is
    /// not here any more. Money that was forced on the contract without a call counts against the latter.
    function distribution() external view returns (bytes32 root, uint256 total, uint256 paid) {
        uint256 left = address(this).balance - _locked;
        total = _total;
        return (_root, total, left < total ? total - left : 0);
    }

    /// @notice What an account has claimed here, over all epochs.
    function claimedOf(address account) external view returns (uint256) {
        return _claimed[account];
    }

    /// @notice Bonds to collect.
    function creditOf(address account) external view returns (uint256) {
        return _credits[account];
    }

    // ---- inside ----

    function _at(uint32 id, Stage stage) private view returns (Epoch storage e) {
        e = _epochs[id];
        if (e.stage != stage) revert WrongStage(id, e.stage);
    }

    function _building(uint32 id) private view returns (Epoch storage e) {
        e = _at(id, Stage.Building);
        if (msg.sender != e.proposer) revert NotProposer(id, msg.sender);
        if (block.timestamp >= e.deadline) revert BuildExpired(id, e.deadline);
    }

    /// @dev Settlement reports each batch that it holds.
    function _hold(Epoch storage e, BatchRef[] calldata batches) private {
        (uint32 count, uint256 remainder) = _SETTLEMENT.hold(batches);
        e.count += count;
        e.amount += uint128(remainder);
    }

    /// @dev Marks an account as having had all that the newest finalised root owes it. The caller pays what that is beyond what
    /// it had, 0 if nothing.
    function _settle(address account, uint256 cumulative, bytes32[] calldata proof) private returns (uint256 due) {
        bytes32 leaf = keccak256(bytes.concat(keccak256(abi.encode(account, cumulative))));
        if (!MerkleProof.verifyCalldata(proof, _root, leaf)) revert InvalidEpochProof(account, cumulative);
        uint256 had = _claimed[account];
        if (cumulative <= had) return 0;
        due = cumulative - had;
        _claimed[account] = cumulative;
        emit EpochClaimed(account, due, cumulative);
    }

    /// @dev Claims never reach into bonds nor into what the epoch under way has swept, whatever a root says.
    function _requireAvailable(uint256 needed) private view {
        uint256 available = address(this).balance - _locked;
        if (needed > available) revert OverDistributed(needed, available);
    }

    function _drop(uint32 id, Epoch storage e, Stage stage, address beneficiary) private returns (uint256 forfeited) {
        if (beneficiary == address(0)) revert ZeroAddress();
        forfeited = e.bond;
        e.stage = stage;
        _live = 0;
        _credits[beneficiary] += forfeited;
        emit EpochDropped(id, stage, forfeited, beneficiary);
        _SETTLEMENT.endHold();
    }

    function _setBond(uint256 bond_) private {
        if (bond_ > type(uint128).max) revert BondTooLarge(bond_);
        _bond = uint128(bond_);
        emit BondChanged(bond_);
    }

    function _setWindows(uint64 challenge, uint64 build) private {
        if (challenge == 0 || build == 0) revert ZeroWindow();
        (_challengeWindow, _buildWindow) = (challenge, build);
        emit WindowsChanged(challenge, build);
    }
}
