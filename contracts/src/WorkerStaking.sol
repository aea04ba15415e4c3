// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {EnumerableMap} from "@openzeppelin/contracts/utils/structs/EnumerableMap.sol";
import {EnumerableSet} from "@openzeppelin/contracts/utils/structs/EnumerableSet.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IWorkerStaking} from "./IWorkerStaking.sol";
import {Binding} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title Worker staking
/// @notice Workers bond OPEN and others delegate to them. Stake that leaves waits out an unbonding period, in which it can
/// still be slashed. A worker has three keys: the owner (cold: holds the bond and is the worker's name), the node key (hot:
/// signs receipts) and the payout address; the owner binds the latter two by an EIP-712 signature.
/// @dev A worker's stake is a pool of shares, so that a slash costs every staker its proportion without a loop. A pool that a
/// slash empties is closed and the worker goes on with the next one.
contract WorkerStaking is IWorkerStaking, AccessControl, EIP712, ReentrancyGuardTransient {
    using EnumerableMap for EnumerableMap.AddressToUintMap;
    using EnumerableSet for EnumerableSet.UintSet;

    /// @notice Who may slash: settlement's disputes.
    bytes32 public constant SLASHER_ROLE = keccak256("SLASHER_ROLE");

    /// @dev A pool worth less than this fraction of its shares is closed: share arithmetic stays within 256 bits.
    uint256 private constant MAX_DILUTION = 1e18;
    uint256 private constant MAX_PEER_BYTES = 128;

    /// @dev What is staked on a worker, and by which of its pools it is shared.
    struct Stake {
        uint128 assets;
        uint32 epoch;
    }

    struct Pool {
        uint256 shares;
        EnumerableMap.AddressToUintMap sharesOf;
    }

    struct Leaving {
        uint256 assets;
        uint256 shares;
    }

    /// @dev What is asked of a worker before each of its batches, in one slot. Both times last 8,000 years and more.
    /// @param expires Unix milliseconds; the node key acts for the owner until then.
    /// @param jailedUntil Unix seconds; 0 when it is in no jail.
    struct Standing {
        address nodeKey;
        uint48 expires;
        uint48 jailedUntil;
    }

    /// @dev The rest of a worker's binding.
    struct Details {
        address payout;
        uint64 issuedAt;
        string peer;
    }

    /// @notice Stake on its way out.
    /// @param amount what it is worth now, after slashes.
    struct Unbonding {
        uint256 id;
        address account;
        address worker;
        uint256 amount;
        uint64 releaseAt;
    }

    struct Request {
        address account;
        uint64 releaseAt;
        uint32 epoch;
        address worker;
        uint256 shares;
    }

    uint256 private _minStake;
    uint256 private _minDelegation;
    uint64 private _unbondingPeriod;
    uint64 private _jailTerm;
    uint256 private _lastRequest;
    mapping(address worker => Standing) private _standings;
    mapping(address worker => Details) private _details;
    mapping(address worker => Stake) private _stakes;
    mapping(address worker => mapping(uint32 epoch => Pool)) private _pools;
    mapping(address worker => uint32) private _leavingEpoch;
    mapping(address worker => mapping(uint32 epoch => Leaving)) private _leaving;
    mapping(uint256 id => Request) private _requests;
    mapping(address account => EnumerableSet.UintSet) private _requestsOf;
    mapping(address account => uint256) private _proceeds;

    /// @notice The zero address cannot be a key, a payout address or hold a role.
    error ZeroAddress();
    /// @notice The amount is zero.
    error ZeroAmount();
    /// @notice The worker's own bond would be below the minimum.
    error BelowMinimumStake(uint256 stake, uint256 minimum);
    /// @notice A delegation would be below the minimum.
    error BelowMinimumDelegation(uint256 stake, uint256 minimum);
    /// @notice Nobody bonded under this worker's name: bond first.
    error WorkerNotBonded(address worker);
    /// @notice The account has less stake on this worker.
    error InsufficientStake(address worker, address account, uint256 needed, uint256 available);
    /// @notice No such request, or not the caller's.
    error UnknownUnbonding(uint256 id, address account);
    /// @notice The unbonding period is not over.
    error StillUnbonding(uint256 id, uint256 releaseAt);
    /// @notice The binding has expired (Unix milliseconds).
    error BindingExpired(uint64 expires, uint256 nowMs);
    /// @notice A binding that is as new or newer is registered.
    error BindingStale(uint64 issuedAt, uint64 registered);
    /// @notice The peer id is empty or too long.
    error InvalidPeer(uint256 length, uint256 maximum);
    /// @notice The signature is not the owner's over this binding.
    error InvalidSignature(address owner);
    /// @notice Only the worker's owner does this.
    error NotOwner(address worker, address caller);
    /// @notice The worker is not in jail.
    error NotJailed(address worker);
    /// @notice The worker's term is not over.
    error StillJailed(address worker, uint64 until);
    /// @notice Nothing to collect.
    error NothingToCollect(address account);

    event Staked(address indexed worker, address indexed account, uint256 amount);
    event Unbonded(
        address indexed worker, address indexed account, uint256 indexed id, uint256 amount, uint64 releaseAt
    );
    event Withdrawn(address indexed worker, address indexed account, uint256 indexed id, uint256 amount);
    event Registered(
        address indexed worker, address indexed nodeKey, address indexed payout, string peer, uint64 expires
    );
    event Slashed(
        address indexed worker,
        uint64 indexed dispute,
        uint8 reason,
        address by,
        address beneficiary,
        uint256 staked,
        uint256 unbonding
    );
    event Jailed(address indexed worker, uint64 indexed dispute, uint8 reason, uint64 until);
    event Unjailed(address indexed worker, address by);
    event PoolClosed(address indexed worker, uint32 epoch);
    event Collected(address indexed account, uint256 amount);
    event MinimumsChanged(uint256 minStake, uint256 minDelegation);
    event UnbondingPeriodChanged(uint64 period);
    event JailTermChanged(uint64 term);

    constructor(address admin, uint256 minStake_, uint256 minDelegation_, uint64 unbondingPeriod_, uint64 jailTerm_)
        EIP712(TypedData.NAME, TypedData.VERSION)
    {
        if (admin == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _setMinimums(minStake_, minDelegation_);
        _setUnbondingPeriod(unbondingPeriod_);
        _setJailTerm(jailTerm_);
    }

    // ---- stakers ----

    /// @notice Adds to the caller's own bond as a worker.
    function bond() external payable {
        _stake(msg.sender, msg.sender, msg.value);
    }

    /// @notice Adds to the caller's stake on a bonded worker.
    function delegate(address worker) external payable {
        if (worker != msg.sender && bondOf(worker) == 0) revert WorkerNotBonded(worker);
        _stake(worker, msg.sender, msg.value);
    }

    /// @notice Starts taking stake off a worker (a worker names itself). What stays must be nothing or the minimum.
    /// @param amount in wei; type(uint256).max for all there is, which may change by a wei when others come and go.
    /// @return id of the request, for {withdraw}.
    function unbond(address worker, uint256 amount) external returns (uint256 id) {
        uint256 staked = stakedBy(worker, msg.sender);
        if (amount == type(uint256).max) amount = staked;
        if (amount == 0) revert ZeroAmount();
        if (amount > staked) revert InsufficientStake(worker, msg.sender, amount, staked);
        uint256 rest = staked - amount;
        if (rest != 0) _checkMinimum(worker, msg.sender, rest);

        uint32 epoch = _leavingEpoch[worker];
        uint256 shares = _leave(worker, epoch, msg.sender, amount, rest == 0);
        id = ++_lastRequest;
        uint64 releaseAt = uint64(block.timestamp) + _unbondingPeriod;
        _requests[id] = Request(msg.sender, releaseAt, epoch, worker, shares);
        _requestsOf[msg.sender].add(id);
        emit Unbonded(worker, msg.sender, id, amount, releaseAt);
    }

    /// @notice Pays out a request of the caller's whose period is over, less what was slashed meanwhile.
    function withdraw(uint256 id) external nonReentrant returns (uint256 amount) {
        Request memory request = _requests[id];
        if (request.account != msg.sender) revert UnknownUnbonding(id, msg.sender);
        if (block.timestamp < request.releaseAt) revert StillUnbonding(id, request.releaseAt);
        Leaving storage pool = _leaving[request.worker][request.epoch];
        amount = _assetsFor(request.shares, pool.assets, pool.shares);
        pool.assets -= amount;
        pool.shares -= request.shares;
        delete _requests[id];
        _requestsOf[msg.sender].remove(id);
        emit Withdrawn(request.worker, msg.sender, id, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    // ---- keys ----

    /// @notice Registers a worker's node key and payout address. Anybody may bring the owner's signature.
    function register(Binding calldata binding, bytes calldata signature) external {
        uint256 nowMs = block.timestamp * 1000;
        if (binding.owner == address(0) || binding.nodeKey == address(0) || binding.payout == address(0)) {
            revert ZeroAddress();
        }
        uint256 length = bytes(binding.peer).length;
        if (length == 0 || length > MAX_PEER_BYTES) revert InvalidPeer(length, MAX_PEER_BYTES);
        if (binding.expires <= nowMs) revert BindingExpired(binding.expires, nowMs);
        Details storage details = _details[binding.owner];
        uint64 registered = details.issuedAt;
        if (binding.issuedAt <= registered) revert BindingStale(binding.issuedAt, registered);
        if (!SignatureChecker.isValidSignatureNowCalldata(binding.owner, bindingDigest(binding), signature)) {
            revert InvalidSignature(binding.owner);
        }
        Standing storage standing = _standings[binding.owner];
        (standing.nodeKey, standing.expires) = (binding.nodeKey, SafeCast.toUint48(binding.expires));
        (details.payout, details.issuedAt, details.peer) = (binding.payout, binding.issuedAt, binding.peer);
        emit Registered(binding.owner, binding.nodeKey, binding.payout, binding.peer, binding.expires);
    }

    // ---- slashing ----

    /// @inheritdoc IWorkerStaking
    function slash(address worker, uint256 amount, address beneficiary, uint8 reason, uint64 dispute)
        external
        onlyRole(SLASHER_ROLE)
        returns (uint256 taken)
    {
        if (beneficiary == address(0)) revert ZeroAddress();
        (uint256 fromStake, uint256 fromLeaving) = _take(worker, amount);
        taken = fromStake + fromLeaving;
        _proceeds[beneficiary] += taken;
        emit Slashed(worker, dispute, reason, msg.sender, beneficiary, fromStake, fromLeaving);
    }

    /// @inheritdoc IWorkerStaking
    /// @dev A term never ends a longer one that runs.
    function jail(address worker, uint8 reason, uint64 dispute) external onlyRole(SLASHER_ROLE) {
        uint48 until = uint48(block.timestamp) + uint48(_jailTerm);
        Standing storage standing = _standings[worker];
        if (until < standing.jailedUntil) until = standing.jailedUntil;
        standing.jailedUntil = until;
        emit Jailed(worker, dispute, reason, until);
    }

    /// @notice A worker whose term is over goes back to work. Governance may let it out before.
    function unjail(address worker) external {
        uint64 until = _standings[worker].jailedUntil;
        if (until == 0) revert NotJailed(worker);
        if (!hasRole(DEFAULT_ADMIN_ROLE, msg.sender)) {
            if (msg.sender != worker) revert NotOwner(worker, msg.sender);
            if (block.timestamp < until) revert StillJailed(worker, until);
        }
        _standings[worker].jailedUntil = 0;
        emit Unjailed(worker, msg.sender);
    }

    /// @inheritdoc IWorkerStaking
    function collect() external nonReentrant returns (uint256 amount) {
        amount = _proceeds[msg.sender];
        if (amount == 0) revert NothingToCollect(msg.sender);
        _proceeds[msg.sender] = 0;
        emit Collected(msg.sender, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    // ---- parameters ----

    function setMinimums(uint256 minStake_, uint256 minDelegation_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setMinimums(minStake_, minDelegation_);
    }

    function setUnbondingPeriod(uint64 period) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setUnbondingPeriod(period);
    }

    function setJailTerm(uint64 term) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setJailTerm(term);
    }

    // ---- views ----

    /// @notice Least bond of a worker.
    function minStake() external view returns (uint256) {
        return _minStake;
    }

    /// @notice Least delegation.
    function minDelegation() external view returns (uint256) {
        return _minDelegation;
    }

    /// @inheritdoc IWorkerStaking
    function unbondingPeriod() external view returns (uint64) {
        return _unbondingPeriod;
    }

    /// @inheritdoc IWorkerStaking
    function stakeOf(address worker) external view returns (uint256) {
        return _stakes[worker].assets;
    }

    /// @notice What one account has staked on a worker.
    function stakedBy(address worker, address account) public view returns (uint256) {
        (Pool storage pool, uint256 assets) = _poolOf(worker);
        (, uint256 shares) = pool.sharesOf.tryGet(account);
        return _assetsFor(shares, assets, pool.shares);
    }

    /// @notice The worker's own bond.
    function bondOf(address worker) public view returns (uint256) {
        return stakedBy(worker, worker);
    }

    /// @inheritdoc IWorkerStaking
    function unbondingOf(address worker) external view returns (uint256) {
        return _leaving[worker][_leavingEpoch[worker]].assets;
    }

    /// @notice Everybody who stakes on a worker, in no particular order. For reading off chain: it grows with the stakers.
    function stakersOf(address worker) external view returns (address[] memory accounts, uint256[] memory amounts) {
        (Pool storage pool, uint256 assets) = _poolOf(worker);
        accounts = pool.sharesOf.keys();
        amounts = new uint256[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            amounts[i] = _assetsFor(pool.sharesOf.get(accounts[i]), assets, pool.shares);
        }
    }

    /// @notice An account's stake on its way out. For reading off chain.
    function unbondingsOf(address account) external view returns (Unbonding[] memory unbondings) {
        uint256[] memory ids = _requestsOf[account].values();
        unbondings = new Unbonding[](ids.length);
        for (uint256 i = 0; i < ids.length; ++i) {
            Request storage request = _requests[ids[i]];
            Leaving storage pool = _leaving[request.worker][request.epoch];
            unbondings[i] = Unbonding({
                id: ids[i],
                account: account,
                worker: request.worker,
                amount: _assetsFor(request.shares, pool.assets, pool.shares),
                releaseAt: request.releaseAt
            });
        }
    }

    /// @inheritdoc IWorkerStaking
    /// @dev Even after the binding's expiry.
    function nodeKeyOf(address worker) external view returns (address) {
        return _standings[worker].nodeKey;
    }

    /// @inheritdoc IWorkerStaking
    function payoutOf(address worker) external view returns (address) {
        return _details[worker].payout;
    }

    /// @notice The worker's registered binding; its fields are zero if there is none.
    function bindingOf(address worker) external view returns (Binding memory) {
        Standing storage standing = _standings[worker];
        Details storage details = _details[worker];
        return Binding({
            peer: details.peer,
            nodeKey: standing.nodeKey,
            owner: details.issuedAt == 0 ? address(0) : worker,
            payout: details.payout,
            issuedAt: details.issuedAt,
            expires: standing.expires
        });
    }

    /// @notice Whether a worker is registered, its binding lasts, its bond meets the minimum and it is not in jail.
    function isActive(address worker) external view returns (bool) {
        Standing memory standing = _standings[worker];
        return _lasts(standing) && standing.jailedUntil == 0 && bondOf(worker) >= _minStake;
    }

    /// @inheritdoc IWorkerStaking
    function isJailed(address worker) external view returns (bool) {
        return _standings[worker].jailedUntil != 0;
    }

    /// @notice When a jailed worker may leave its jail; 0 if it is in none.
    function jailedUntil(address worker) external view returns (uint64) {
        return _standings[worker].jailedUntil;
    }

    /// @notice Seconds that a verdict keeps a worker in jail.
    function jailTerm() external view returns (uint64) {
        return _jailTerm;
    }

    /// @inheritdoc IWorkerStaking
    function isOperator(address worker, address account) external view returns (bool) {
        return _operates(_standings[worker], worker, account);
    }

    /// @inheritdoc IWorkerStaking
    function standingOf(address worker, address account)
        external
        view
        returns (bool operator, bool jailed, uint256 stake)
    {
        Standing memory standing = _standings[worker];
        return (_operates(standing, worker, account), standing.jailedUntil != 0, _stakes[worker].assets);
    }

    /// @notice What slashes credited to an account and it has not collected.
    function proceedsOf(address account) external view returns (uint256) {
        return _proceeds[account];
    }

    /// @notice EIP-712 digest that the owner signs.
    function bindingDigest(Binding calldata binding) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(binding));
    }

    // ---- inside ----

    /// @dev Whether a worker's binding lasts.
    function _lasts(Standing memory standing) private view returns (bool) {
        return standing.expires > block.timestamp * 1000;
    }

    function _operates(Standing memory standing, address worker, address account) private view returns (bool) {
        return account == worker || (account == standing.nodeKey && account != address(0) && _lasts(standing));
    }

    /// @dev A worker's present pool and what it holds.
    function _poolOf(address worker) private view returns (Pool storage pool, uint256 assets) {
        Stake storage stake = _stakes[worker];
        return (_pools[worker][stake.epoch], stake.assets);
    }

    /// @dev Takes up to `amount` off a worker's pools, in proportion.
    function _take(address worker, uint256 amount) private returns (uint256 fromStake, uint256 fromLeaving) {
        uint32 leavingEpoch = _leavingEpoch[worker];
        Stake storage stake = _stakes[worker];
        Leaving storage leaving = _leaving[worker][leavingEpoch];
        (uint256 staked, uint32 epoch) = (stake.assets, stake.epoch);
        uint256 all = staked + leaving.assets;
        if (amount > all) amount = all;
        if (amount == 0) revert ZeroAmount();

        fromStake = Math.mulDiv(amount, staked, all, Math.Rounding.Ceil);
        fromLeaving = amount - fromStake;
        staked -= fromStake;
        leaving.assets -= fromLeaving;
        // Dust that could not be shared any more goes with the slash.
        uint256 shares = _pools[worker][epoch].shares;
        if (shares != 0 && staked <= shares / MAX_DILUTION) {
            fromStake += staked;
            staked = 0;
            stake.epoch = epoch + 1;
            emit PoolClosed(worker, epoch);
        }
        stake.assets = uint128(staked); // less than before
        if (leaving.shares != 0 && leaving.assets <= leaving.shares / MAX_DILUTION) {
            fromLeaving += leaving.assets;
            leaving.assets = 0;
            _leavingEpoch[worker] = leavingEpoch + 1;
        }
    }

    function _stake(address worker, address account, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        // Before shares round it down, so that the minimum itself is always enough.
        _checkMinimum(worker, account, stakedBy(worker, account) + amount);
        (Pool storage pool, uint256 assets) = _poolOf(worker);
        uint256 shares = pool.shares == 0 ? amount : Math.mulDiv(amount, pool.shares, assets);
        (, uint256 had) = pool.sharesOf.tryGet(account);
        _stakes[worker].assets = SafeCast.toUint128(assets + amount);
        pool.shares += shares;
        pool.sharesOf.set(account, had + shares);
        emit Staked(worker, account, amount);
    }

    /// @dev Moves stake from the worker's pool to the leaving pool and returns the latter's shares.
    function _leave(address worker, uint32 epoch, address account, uint256 amount, bool everything)
        private
        returns (uint256 leavingShares)
    {
        (Pool storage pool, uint256 assets) = _poolOf(worker);
        uint256 had = pool.sharesOf.get(account);
        uint256 shares = everything ? had : Math.mulDiv(amount, pool.shares, assets, Math.Rounding.Ceil);
        _stakes[worker].assets = SafeCast.toUint128(assets - amount);
        pool.shares -= shares;
        if (shares == had) pool.sharesOf.remove(account);
        else pool.sharesOf.set(account, had - shares);

        Leaving storage leaving = _leaving[worker][epoch];
        leavingShares = leaving.shares == 0 ? amount : Math.mulDiv(amount, leaving.shares, leaving.assets);
        leaving.assets += amount;
        leaving.shares += leavingShares;
    }

    function _checkMinimum(address worker, address account, uint256 stake) private view {
        if (account == worker) {
            if (stake < _minStake) revert BelowMinimumStake(stake, _minStake);
        } else if (stake < _minDelegation) {
            revert BelowMinimumDelegation(stake, _minDelegation);
        }
    }

    function _assetsFor(uint256 shares, uint256 assets, uint256 allShares) private pure returns (uint256) {
        return shares == 0 ? 0 : Math.mulDiv(shares, assets, allShares);
    }

    function _setMinimums(uint256 minStake_, uint256 minDelegation_) private {
        if (minStake_ == 0 || minDelegation_ == 0) revert ZeroAmount();
        (_minStake, _minDelegation) = (minStake_, minDelegation_);
        emit MinimumsChanged(minStake_, minDelegation_);
    }

    function _setUnbondingPeriod(uint64 period) private {
        _unbondingPeriod = period;
        emit UnbondingPeriodChanged(period);
    }

    /// @dev A term of 40 bits (34,000 years), so that the end of one always has room where it is kept.
    function _setJailTerm(uint64 term) private {
        _jailTerm = SafeCast.toUint40(term);
        emit JailTermChanged(term);
    }
}
