// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {DatanetRegistry} from "./DatanetRegistry.sol";
import {Contribution, Review} from "./Types.sol";

/// @notice What governance sets for contributors' stakes.
/// @param minRequirement least stake that a datanet's owner may ask for, if it asks for any.
/// @param maxRequirement most stake that it may ask for.
/// @param slashBps of what a contributor has staked, for one abusive contribution.
/// @param unstakeDelay seconds that stake waits before it can be withdrawn.
/// @param appealPeriod seconds in which a contributor may appeal; at most the unstaking delay.
/// @param decisionPeriod seconds after an appeal in which it is decided; else the contributor gets the stake back.
struct ContributorRules {
    uint256 minRequirement;
    uint256 maxRequirement;
    uint16 slashBps;
    uint64 unstakeDelay;
    uint64 appealPeriod;
    uint64 decisionPeriod;
}

/// @title Contributors' stakes
/// @notice A datanet's owner may ask contributors for a stake. A contribution that the owner rejects as abusive costs its
/// contributor a share of it: the owner's signed review and the contributor's signed contribution show it, the share is set
/// aside, and after a period for an appeal it goes to the datanet's public pool. An appeal is decided by DISPUTE_ROLE.
/// @dev Invariant: the contract holds all stakes, stakes that leave and shares in open cases.
contract ContributorStaking is AccessControl, ReentrancyGuardTransient {
    /// @notice Who decides appeals.
    bytes32 public constant DISPUTE_ROLE = keccak256("DISPUTE_ROLE");

    uint256 private constant BPS = 10_000;
    bytes32 private constant ABUSIVE = keccak256("abusive");

    /// @notice What a contributor has staked on a datanet.
    /// @param leaving on its way out, from `releaseAt` on to withdraw.
    struct Stake {
        uint128 staked;
        uint128 leaving;
        uint64 releaseAt;
    }

    /// @notice Where a case stands.
    enum State {
        None,
        Open, // the contributor may appeal
        Appealed, // waits for a decision
        Taken, // the datanet's pool has it
        Returned // the contributor has it
    }

    /// @notice An abusive contribution.
    /// @param amount what is set aside.
    /// @param until when the state may be left without a decision: end of the appeal's or the decision's period.
    struct Case {
        State state;
        uint64 datanet;
        uint64 until;
        uint128 amount;
        address contributor;
        bytes32 record;
    }

    DatanetRegistry private immutable _DATANETS;
    ContributorRules private _rules;
    uint64 private _cases;
    mapping(uint64 datanet => uint256) private _requirements;
    mapping(uint64 datanet => mapping(address contributor => Stake)) private _stakes;
    mapping(uint64 id => Case) private _caseOf;
    mapping(bytes32 contribution => uint64 id) private _caseFor;

    /// @notice The zero address cannot be used here.
    error ZeroAddress();
    /// @notice The amount is zero.
    error ZeroAmount();
    /// @notice The rules contradict each other.
    error InvalidRules();
    /// @notice Only the datanet's owner does this.
    error NotDatanetOwner(uint64 datanet, address caller);
    /// @notice The requirement is neither 0 nor within the governed bounds.
    error InvalidRequirement(uint256 requirement, uint256 minimum, uint256 maximum);
    /// @notice The contributor has less stake there.
    error InsufficientStake(uint64 datanet, address contributor, uint256 needed, uint256 available);
    /// @notice No stake is on its way out.
    error UnknownUnstaking(uint64 datanet, address contributor);
    /// @notice The unstaking delay is not over.
    error StillUnstaking(uint64 datanet, uint64 releaseAt);
    /// @notice Review and contribution are of different records, or the review does not say "abusive".
    error NotAbusive(uint64 datanet, bytes32 record);
    /// @notice The signature is not the signer's over this statement.
    error InvalidSignature(address signer);
    /// @notice This contribution has a case.
    error CaseExists(uint64 id);
    /// @notice No such case.
    error UnknownCase(uint64 id);
    /// @notice Only the case's contributor appeals.
    error NotContributor(uint64 id, address caller);
    /// @notice The case does not stand where this is done.
    error WrongState(uint64 id, State state);
    /// @notice The period for appeals is over.
    error AppealExpired(uint64 id, uint64 until);
    /// @notice The period is not over.
    error StillWaiting(uint64 id, uint64 until);

    event RequirementChanged(uint64 indexed datanet, uint256 requirement);
    event Staked(uint64 indexed datanet, address indexed contributor, address indexed from, uint256 amount);
    event Unstaked(uint64 indexed datanet, address indexed contributor, uint256 amount, uint64 releaseAt);
    event Withdrawn(uint64 indexed datanet, address indexed contributor, uint256 amount);
    event Accused(
        uint64 indexed id,
        uint64 indexed datanet,
        address indexed contributor,
        bytes32 record,
        uint256 amount,
        string reason,
        uint64 until
    );
    event Appealed(uint64 indexed id, string reason, uint64 until);
    event Resolved(uint64 indexed id, address indexed by, State state, uint256 amount);
    event RulesChanged(ContributorRules rules);

    constructor(address admin, DatanetRegistry datanets_, ContributorRules memory rules_) {
        if (admin == address(0) || address(datanets_) == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _DATANETS = datanets_;
        _setRules(rules_);
    }

    // ---- owners ----

    /// @notice Asks contributors to the caller's datanet for a stake from now on; 0: for none.
    function setRequirement(uint64 datanet, uint256 requirement) external {
        if (_DATANETS.ownerOf(datanet) != msg.sender) revert NotDatanetOwner(datanet, msg.sender);
        if (requirement != 0 && (requirement < _rules.minRequirement || requirement > _rules.maxRequirement)) {
            revert InvalidRequirement(requirement, _rules.minRequirement, _rules.maxRequirement);
        }
        _requirements[datanet] = requirement;
        emit RequirementChanged(datanet, requirement);
    }

    /// @notice Sets aside a contributor's share for a contribution that the owner rejected as abusive. Anybody may bring both
    /// signatures. Refused if the contributor has no stake there.
    /// @return id of the case.
    function accuse(
        Review calldata review,
        bytes calldata reviewSignature,
        Contribution calldata contribution,
        bytes calldata contributionSignature
    ) external returns (uint64 id) {
        bytes32 key = _check(review, contribution);
        if (_caseFor[key] != 0) revert CaseExists(_caseFor[key]);
        _checkSigned(_DATANETS.ownerOf(review.datanet), _DATANETS.reviewDigest(review), reviewSignature);
        _checkSigned(contribution.contributor, _DATANETS.contributionDigest(contribution), contributionSignature);
        id = ++_cases;
        _caseFor[key] = id;
        _open(id, review, contribution.contributor);
    }

    // ---- contributors ----

    /// @notice Adds to the caller's stake on a datanet.
    function stake(uint64 datanet) external payable {
        stakeFor(datanet, msg.sender);
    }

    /// @notice Adds to somebody's stake on a datanet.
    function stakeFor(uint64 datanet, address contributor) public payable {
        if (msg.value == 0) revert ZeroAmount();
        if (contributor == address(0)) revert ZeroAddress();
        _DATANETS.ownerOf(datanet); // reverts if there is none
        _stakes[datanet][contributor].staked += SafeCast.toUint128(msg.value);
        emit Staked(datanet, contributor, msg.sender, msg.value);
    }

    /// @notice Starts taking stake out. What was on its way already waits anew with it.
    function unstake(uint64 datanet, uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        Stake storage s = _stakes[datanet][msg.sender];
        if (amount > s.staked) revert InsufficientStake(datanet, msg.sender, amount, s.staked);
        uint64 releaseAt = uint64(block.timestamp) + _rules.unstakeDelay;
        s.staked -= uint128(amount);
        s.leaving += uint128(amount);
        s.releaseAt = releaseAt;
        emit Unstaked(datanet, msg.sender, amount, releaseAt);
    }

    /// @notice Pays the caller its stake whose delay is over.
    function withdraw(uint64 datanet) external nonReentrant returns (uint256 amount) {
        Stake storage s = _stakes[datanet][msg.sender];
        amount = s.leaving;
        if (amount == 0) revert UnknownUnstaking(datanet, msg.sender);
        if (block.timestamp < s.releaseAt) revert StillUnstaking(datanet, s.releaseAt);
        (s.leaving, s.releaseAt) = (0, 0);
        emit Withdrawn(datanet, msg.sender, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @notice Contests a case against the caller: DISPUTE_ROLE decides it then.
    /// @param reason a public word on why, not kept on chain.
    function appeal(uint64 id, string calldata reason) external {
        Case storage c = _existing(id);
        if (c.contributor != msg.sender) revert NotContributor(id, msg.sender);
        if (c.state != State.Open) revert WrongState(id, c.state);
        if (block.timestamp >= c.until) revert AppealExpired(id, c.until);
        c.state = State.Appealed;
        c.until = uint64(block.timestamp) + _rules.decisionPeriod;
        emit Appealed(id, reason, c.until);
    }

    // ---- cases ----

    /// @notice Decides an appeal: the share goes to the pool, or back to the contributor's stake.
    function decide(uint64 id, bool abusive) external onlyRole(DISPUTE_ROLE) nonReentrant {
        Case storage c = _existing(id);
        if (c.state != State.Appealed) revert WrongState(id, c.state);
        _resolve(id, c, abusive);
    }

    /// @notice Ends a case whose period is over: without an appeal the pool gets the share, without a decision the
    /// contributor. Anybody may send it.
    function resolve(uint64 id) external nonReentrant {
        Case storage c = _existing(id);
        if (c.state != State.Open && c.state != State.Appealed) revert WrongState(id, c.state);
        if (block.timestamp < c.until) revert StillWaiting(id, c.until);
        _resolve(id, c, c.state == State.Open);
    }

    // ---- parameters ----

    function setRules(ContributorRules calldata rules_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setRules(rules_);
    }

    // ---- views ----

    function datanets() external view returns (DatanetRegistry) {
        return _DATANETS;
    }

    function rules() external view returns (ContributorRules memory) {
        return _rules;
    }

    /// @notice The stake that a datanet asks contributors for; 0: none.
    function requirementOf(uint64 datanet) external view returns (uint256) {
        return _requirements[datanet];
    }

    /// @notice What a contributor has staked on a datanet.
    function stakeOf(uint64 datanet, address contributor) external view returns (Stake memory) {
        return _stakes[datanet][contributor];
    }

    /// @notice Whether a contributor has the stake that a datanet asks for.
    function isCovered(uint64 datanet, address contributor) external view returns (bool) {
        return _stakes[datanet][contributor].staked >= _requirements[datanet];
    }

    /// @notice How many cases there are; their ids are 1 to this.
    function caseCount() external view returns (uint64) {
        return _cases;
    }

    /// @notice A case; reverts if there is none.
    function caseOf(uint64 id) external view returns (Case memory) {
        return _existing(id);
    }

    // ---- inside ----

    /// @dev Gives what names a contribution here: one record of one contributor to one datanet.
    function _check(Review calldata review, Contribution calldata contribution) private pure returns (bytes32) {
        if (
            review.datanet != contribution.datanet || review.record != contribution.record
                || keccak256(bytes(review.status)) != ABUSIVE
        ) revert NotAbusive(review.datanet, review.record);
        return keccak256(abi.encode(review.datanet, review.record, contribution.contributor));
    }

    function _checkSigned(address signer, bytes32 digest, bytes calldata signature) private view {
        if (!SignatureChecker.isValidSignatureNowCalldata(signer, digest, signature)) revert InvalidSignature(signer);
    }

    function _open(uint64 id, Review calldata review, address contributor) private {
        uint128 amount = _setAside(review.datanet, contributor);
        uint64 until = uint64(block.timestamp) + _rules.appealPeriod;
        _caseOf[id] = Case(State.Open, review.datanet, until, amount, contributor, review.record);
        emit Accused(id, review.datanet, contributor, review.record, amount, review.reason, until);
    }

    /// @dev The share is of all that the contributor has there, staked first, then what is leaving.
    function _setAside(uint64 datanet, address contributor) private returns (uint128 amount) {
        Stake storage s = _stakes[datanet][contributor];
        uint256 all = uint256(s.staked) + s.leaving;
        uint256 share = all * _rules.slashBps / BPS;
        if (share == 0) revert InsufficientStake(datanet, contributor, 1, share);
        amount = uint128(share);
        uint128 fromStaked = amount < s.staked ? amount : s.staked;
        s.staked -= fromStaked;
        s.leaving -= amount - fromStaked;
    }

    function _resolve(uint64 id, Case storage c, bool taken) private {
        c.state = taken ? State.Taken : State.Returned;
        emit Resolved(id, msg.sender, c.state, c.amount);
        if (taken) Address.sendValue(payable(_DATANETS.poolOf(c.datanet)), c.amount);
        else _stakes[c.datanet][c.contributor].staked += c.amount;
    }

    function _existing(uint64 id) private view returns (Case storage c) {
        c = _caseOf[id];
        if (c.state == State.None) revert UnknownCase(id);
    }

    function _setRules(ContributorRules memory r) private {
        if (
            r.minRequirement == 0 || r.minRequirement > r.maxRequirement || r.slashBps == 0 || r.slashBps > BPS
                || r.appealPeriod == 0 || r.appealPeriod > r.unstakeDelay || r.decisionPeriod == 0
        ) revert InvalidRules();
        _rules = r;
        emit RulesChanged(r);
    }
}
