// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {Cid} from "./Cid.sol";
import {AgentOrder} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title Agent registry
/// @notice Agents: whose, by which manifest (content-addressed), at what price per request. A version is immutable; a new
/// manifest or price is a new version, signed by the owner. The owner stakes on its agent; disputes may slash.
/// @dev Stake belongs to the agent: whoever owns it takes it out. Invariant: the contract holds all stakes, stakes that leave
/// and uncollected proceeds.
contract AgentRegistry is AccessControl, EIP712, ReentrancyGuardTransient {
    /// @notice Who may slash.
    bytes32 public constant DISPUTE_ROLE = keccak256("DISPUTE_ROLE");

    uint256 private constant MAX_NAME_BYTES = 64;
    uint256 private constant MAX_REASON_BYTES = 256;

    /// @notice An agent.
    /// @param pendingOwner to whom the owner offered it; zero: nobody.
    /// @param active whether the owner offers it; see {isActive}.
    /// @param version number of its newest version, from 1.
    /// @param stake in wei.
    /// @param leaving stake on its way out, from `releaseAt` on to withdraw; it can still be slashed.
    struct Agent {
        address owner;
        bool active;
        uint32 version;
        uint64 createdAt;
        address pendingOwner;
        uint64 releaseAt;
        uint128 stake;
        uint128 leaving;
        string name;
    }

    /// @notice A version of an agent.
    /// @param digest SHA2-256 digest inside the manifest's CID.
    /// @param price wei per request, on top of what answers cost.
    struct Version {
        bytes32 digest;
        uint256 price;
        uint64 publishedAt;
        string manifest;
    }

    uint256 private _minStake;
    uint64 private _unbondingPeriod;
    uint64 private _count;
    mapping(uint64 agent => Agent) private _agents;
    mapping(uint64 agent => mapping(uint32 version => Version)) private _versions;
    mapping(address owner => mapping(bytes32 nameHash => uint64 agent)) private _byName;
    mapping(address account => uint256) private _proceeds;

    /// @notice The zero address cannot be used here.
    error ZeroAddress();
    /// @notice The amount is zero.
    error ZeroAmount();
    /// @notice No such agent.
    error UnknownAgent(uint64 agent);
    /// @notice No such version.
    error UnknownVersion(uint64 agent, uint32 version);
    /// @notice Names are 1 to 64 characters of a-z, 0-9, dot, underscore and hyphen.
    error InvalidName(string name);
    /// @notice The owner has another agent of this name.
    error NameTaken(address owner, string name, uint64 agent);
    /// @notice An agent keeps the name it was registered under.
    error NameChanged(uint64 agent, string name);
    /// @notice This version is published already.
    error VersionExists(uint64 agent, uint32 version);
    /// @notice Versions come in sequence.
    error VersionGap(uint64 agent, uint32 expected, uint32 actual);
    /// @notice The order's deadline has passed.
    error OrderExpired(uint64 deadline, uint256 timestamp);
    /// @notice The signature is not the owner's over this order.
    error InvalidSignature(address owner);
    /// @notice Only the agent's owner does this.
    error NotAgentOwner(uint64 agent, address caller);
    /// @notice The agent was not offered to the caller.
    error NotPendingOwner(uint64 agent, address caller);
    /// @notice An active agent keeps the minimum stake: retire it first.
    error BelowMinimumStake(uint64 agent, uint256 stake, uint256 minimum);
    /// @notice The agent has less stake.
    error InsufficientStake(uint64 agent, uint256 needed, uint256 available);
    /// @notice No stake of this agent is on its way out.
    error UnknownUnbonding(uint64 agent);
    /// @notice The unbonding period is not over.
    error StillUnbonding(uint64 agent, uint256 releaseAt);
    /// @notice A slash needs a reason of at most 256 bytes.
    error InvalidReason(uint256 length, uint256 maximum);
    /// @notice Nothing to collect.
    error NothingToCollect(address account);

    event AgentRegistered(uint64 indexed agent, address indexed owner, string name);
    event VersionPublished(
        uint64 indexed agent, uint32 indexed version, bytes32 indexed digest, string manifest, uint256 price
    );
    event ActiveChanged(uint64 indexed agent, bool active);
    event OwnershipOffered(uint64 indexed agent, address indexed owner, address indexed to);
    event OwnershipTransferred(uint64 indexed agent, address indexed from, address indexed to);
    event Staked(uint64 indexed agent, address indexed from, uint256 amount);
    event Unbonded(uint64 indexed agent, uint256 amount, uint64 releaseAt);
    event Withdrawn(uint64 indexed agent, address indexed to, uint256 amount);
    event Slashed(uint64 indexed agent, address indexed by, address indexed beneficiary, uint256 amount, string reason);
    event Collected(address indexed account, uint256 amount);
    event MinStakeChanged(uint256 minStake);
    event UnbondingPeriodChanged(uint64 period);

    constructor(address admin, uint256 minStake_, uint64 unbondingPeriod_) EIP712(TypedData.NAME, TypedData.VERSION) {
        if (admin == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _setMinStake(minStake_);
        _setUnbondingPeriod(unbondingPeriod_);
    }

    // ---- versions ----

    /// @notice Registers an agent (order.agent is 0) or publishes its next version. Anybody may bring the owner's signature.
    /// What is sent with it is staked on the agent. A new agent is active at once if its stake suffices.
    /// @return agent its id, from 1.
    function publish(AgentOrder calldata order, bytes calldata signature) external payable returns (uint64 agent) {
        if (block.timestamp > order.deadline) revert OrderExpired(order.deadline, block.timestamp);
        bytes32 digest = Cid.digest(order.manifest);
        agent = order.agent == 0 ? _register(order) : order.agent;
        Agent storage a = _existing(agent);
        if (a.owner != order.owner) revert NotAgentOwner(agent, order.owner);
        if (keccak256(bytes(a.name)) != keccak256(bytes(order.name))) revert NameChanged(agent, order.name);
        uint32 next = a.version + 1;
        if (order.version != 0 && order.version < next) revert VersionExists(agent, order.version);
        if (order.version != next) revert VersionGap(agent, next, order.version);
        if (!SignatureChecker.isValidSignatureNowCalldata(order.owner, orderDigest(order), signature)) {
            revert InvalidSignature(order.owner);
        }
        a.version = next;
        _versions[agent][next] = Version(digest, order.price, uint64(block.timestamp), order.manifest);
        emit VersionPublished(agent, next, digest, order.manifest, order.price);
        if (msg.value != 0) _stake(agent, msg.value);
        if (order.agent == 0 && a.stake >= _minStake) _setActive(agent, true);
    }

    /// @notice Offers the caller's agent to requesters, or retires it.
    function setActive(uint64 agent, bool active) external {
        Agent storage a = _owned(agent);
        if (active && a.stake < _minStake) revert BelowMinimumStake(agent, a.stake, _minStake);
        if (a.active != active) _setActive(agent, active);
    }

    // ---- ownership ----

    /// @notice Offers the caller's agent, with its stake, to another owner, who has to accept; zero takes the offer back.
    function transferOwnership(uint64 agent, address to) external {
        _owned(agent).pendingOwner = to;
        emit OwnershipOffered(agent, msg.sender, to);
    }

    /// @notice Takes over an agent that was offered to the caller.
    function acceptOwnership(uint64 agent) external {
        Agent storage a = _existing(agent);
        if (a.pendingOwner != msg.sender) revert NotPendingOwner(agent, msg.sender);
        address from = a.owner;
        bytes32 nameHash = keccak256(bytes(a.name));
        uint64 namesake = _byName[msg.sender][nameHash];
        if (namesake != 0 && namesake != agent) revert NameTaken(msg.sender, a.name, namesake);
        delete _byName[from][nameHash];
        _byName[msg.sender][nameHash] = agent;
        (a.owner, a.pendingOwner) = (msg.sender, address(0));
        emit OwnershipTransferred(agent, from, msg.sender);
    }

    // ---- stake ----

    /// @notice Adds to an agent's stake. It belongs to the agent's owner from then on.
    function stake(uint64 agent) external payable {
        if (msg.value == 0) revert ZeroAmount();
        _existing(agent);
        _stake(agent, msg.value);
    }

    /// @notice Starts taking stake out. What was on its way already waits anew with it.
    function unstake(uint64 agent, uint256 amount) external {
        Agent storage a = _owned(agent);
        if (amount == 0) revert ZeroAmount();
        if (amount > a.stake) revert InsufficientStake(agent, amount, a.stake);
        uint256 rest = a.stake - amount;
        if (a.active && rest < _minStake) revert BelowMinimumStake(agent, rest, _minStake);
        a.stake = uint128(rest);
        a.leaving += uint128(amount);
        a.releaseAt = uint64(block.timestamp) + _unbondingPeriod;
        emit Unbonded(agent, amount, a.releaseAt);
    }

    /// @notice Pays the caller the stake of its agent whose unbonding period is over.
    function withdraw(uint64 agent) external nonReentrant returns (uint256 amount) {
        Agent storage a = _owned(agent);
        amount = a.leaving;
        if (amount == 0) revert UnknownUnbonding(agent);
        if (block.timestamp < a.releaseAt) revert StillUnbonding(agent, a.releaseAt);
        (a.leaving, a.releaseAt) = (0, 0);
        emit Withdrawn(agent, msg.sender, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @notice Takes up to `amount` from an agent's stake and then from what is on its way out, for a beneficiary. An agent
    /// that is left with less than the minimum is retired.
    /// @return taken what was really taken.
    function slash(uint64 agent, uint256 amount, address beneficiary, string calldata reason)
        external
        onlyRole(DISPUTE_ROLE)
        returns (uint256 taken)
    {
        if (beneficiary == address(0)) revert ZeroAddress();
        uint256 length = bytes(reason).length;
        if (length == 0 || length > MAX_REASON_BYTES) revert InvalidReason(length, MAX_REASON_BYTES);
        Agent storage a = _existing(agent);
        uint256 fromStake = amount < a.stake ? amount : a.stake;
        uint256 fromLeaving = amount - fromStake < a.leaving ? amount - fromStake : a.leaving;
        taken = fromStake + fromLeaving;
        if (taken == 0) revert ZeroAmount();
        a.stake -= uint128(fromStake);
        a.leaving -= uint128(fromLeaving);
        _proceeds[beneficiary] += taken;
        emit Slashed(agent, msg.sender, beneficiary, taken, reason);
        if (a.active && a.stake < _minStake) _setActive(agent, false);
    }

    /// @notice Pays the caller what slashes credited to it.
    function collect() external nonReentrant returns (uint256 amount) {
        return _collect(msg.sender);
    }

    /// @notice Pays a beneficiary, such as the treasury, what slashes credited to it. Anybody may send it.
    function collectFor(address account) external nonReentrant returns (uint256 amount) {
        return _collect(account);
    }

    // ---- parameters ----

    function setMinStake(uint256 minStake_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setMinStake(minStake_);
    }

    function setUnbondingPeriod(uint64 period) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setUnbondingPeriod(period);
    }

    // ---- views ----

    /// @notice Least stake of an active agent.
    function minStake() external view returns (uint256) {
        return _minStake;
    }

    /// @notice Seconds that stake waits before it can be withdrawn.
    function unbondingPeriod() external view returns (uint64) {
        return _unbondingPeriod;
    }

    /// @notice How many agents there are; their ids are 1 to this.
    function count() external view returns (uint64) {
        return _count;
    }

    /// @notice An agent; reverts if there is none.
    function agentOf(uint64 agent) external view returns (Agent memory) {
        return _existing(agent);
    }

    /// @notice A version of an agent; reverts if there is none.
    function versionOf(uint64 agent, uint32 version) external view returns (Version memory) {
        Version storage v = _versions[agent][version];
        if (v.publishedAt == 0) revert UnknownVersion(agent, version);
        return v;
    }

    /// @notice An owner's agent by name; 0: none.
    function agentByName(address owner, string calldata name) external view returns (uint64) {
        return _byName[owner][keccak256(bytes(name))];
    }

    /// @notice Whether the owner offers the agent and its stake is at least today's minimum.
    function isActive(uint64 agent) external view returns (bool) {
        Agent storage a = _existing(agent);
        return a.active && a.stake >= _minStake;
    }

    /// @notice What slashes credited to an account and it has not collected.
    function proceedsOf(address account) external view returns (uint256) {
        return _proceeds[account];
    }

    /// @notice EIP-712 digest that the owner signs.
    function orderDigest(AgentOrder calldata order) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(order));
    }

    // ---- inside ----

    /// @dev The owner's signature is checked by the caller, after the version.
    function _register(AgentOrder calldata order) private returns (uint64 agent) {
        if (order.owner == address(0)) revert ZeroAddress();
        _checkName(order.name);
        bytes32 nameHash = keccak256(bytes(order.name));
        uint64 namesake = _byName[order.owner][nameHash];
        if (namesake != 0) revert NameTaken(order.owner, order.name, namesake);
        agent = ++_count;
        _byName[order.owner][nameHash] = agent;
        Agent storage a = _agents[agent];
        (a.owner, a.createdAt, a.name) = (order.owner, uint64(block.timestamp), order.name);
        emit AgentRegistered(agent, order.owner, order.name);
    }

    function _stake(uint64 agent, uint256 amount) private {
        _agents[agent].stake += SafeCast.toUint128(amount);
        emit Staked(agent, msg.sender, amount);
    }

    function _collect(address account) private returns (uint256 amount) {
        amount = _proceeds[account];
        if (amount == 0) revert NothingToCollect(account);
        _proceeds[account] = 0;
        emit Collected(account, amount);
        Address.sendValue(payable(account), amount);
    }

    function _setActive(uint64 agent, bool active) private {
        _agents[agent].active = active;
        emit ActiveChanged(agent, active);
    }

    function _existing(uint64 agent) private view returns (Agent storage a) {
        a = _agents[agent];
        if (a.owner == address(0)) revert UnknownAgent(agent);
    }

    function _owned(uint64 agent) private view returns (Agent storage a) {
        a = _existing(agent);
        if (a.owner != msg.sender) revert NotAgentOwner(agent, msg.sender);
    }

    function _checkName(string calldata name) private pure {
        bytes calldata b = bytes(name);
        if (b.length == 0 || b.length > MAX_NAME_BYTES) revert InvalidName(name);
        for (uint256 i = 0; i < b.length; ++i) {
            bytes1 c = b[i];
            bool ok = (c >= "a" && c <= "z") || (c >= "0" && c <= "9") || c == "." || c == "_" || c == "-";
            if (!ok) revert InvalidName(name);
        }
    }

    function _setMinStake(uint256 minStake_) private {
        _minStake = minStake_;
        emit MinStakeChanged(minStake_);
    }

    function _setUnbondingPeriod(uint64 period) private {
        _unbondingPeriod = period;
        emit UnbondingPeriodChanged(period);
    }
}
