// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {MessageHashUtils} from "@openzeppelin/contracts/utils/cryptography/MessageHashUtils.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IEscrow} from "./IEscrow.sol";
import {Opening, SignedVoucher, Voucher} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title Requesters' escrow
/// @notice A requester deposits once and then pays workers by cumulative vouchers, which settlement draws. A session key may
/// sign vouchers for the requester up to a limit and until an expiry. A requester may reserve part of its balance for one
/// worker: the draws of others cannot touch it.
/// @dev Withdrawals, revocations and lowered reserves take effect after a delay, so that workers can draw what they are owed
/// first. Money that waits for withdrawal is still drawable, unless it is reserved for another worker.
/// Invariants: a requester's reserves add up to `reserved` and are at most its balance; balances add up to what is held; no
/// draw takes a session key beyond its limit. As a rule a draw writes two slots, the requester's funds and what stands between
/// it and the worker; a third if the session key is not the requester's current one, which is the one that it authorised last.
contract Escrow is IEscrow, AccessControl, EIP712, Nonces, ReentrancyGuardTransient {
    /// @notice Who may draw: settlement.
    bytes32 public constant SETTLEMENT_ROLE = keccak256("SETTLEMENT_ROLE");

    /// @notice A key that signs vouchers for a requester.
    /// @param limit what it may spend in all, over its whole life and all workers.
    /// @param spent what was drawn on its signature.
    /// @param expiry Unix seconds; nothing is drawn on its signature after it.
    /// @param current whether the requester authorised it last.
    /// @dev One slot: 88 bits hold 309 million OPEN. In storage a current key's `spent` lacks what {Funds} counts.
    struct Session {
        uint88 limit;
        uint88 spent;
        uint64 expiry;
        bool current;
    }

    struct Withdrawal {
        uint256 amount;
        uint64 releaseAt;
    }

    /// @dev What stands between a requester and a worker. A draw looks at the first slot only, but when a lowering counts. What the worker has drawn in all
    /// is the `cumulative` of its last voucher: 2^96 wei, where it ends, is 79 times all OPEN, spent by one requester on one worker.
    /// @param drawn what the worker has drawn so far.
    /// @param reserved what is left of what is set aside for it; part of the requester's balance.
    /// @param lowersAt see {Reserve}.
    /// @param target see {Reserve}.
    struct Tab {
        uint96 drawn;
        uint96 reserved;
        uint64 lowersAt;
        uint96 target;
    }

    /// @notice What is set aside for one worker.
    /// @param amount what is left of it.
    /// @param target what of it stays when `lowersAt` comes, if that is not 0.
    /// @param lowersAt Unix seconds from which the lower amount counts; 0: it is not being lowered.
    struct Reserve {
        uint128 amount;
        uint128 target;
        uint64 lowersAt;
    }

    /// @dev What a draw changes of a requester, in one slot.
    /// @param balance what it has here, reserves included. It has room for 79 times all OPEN, so that nobody's balance is too
    /// full for a refund.
    /// @param reserved the sum of its reserves: up to 1.2 million OPEN.
    /// @param spent what its current session key has spent since it is that, or since it last came to 1.2 million OPEN: then it
    /// goes where the key's authorisation is.
    struct Funds {
        uint96 balance;
        uint80 reserved;
        uint80 spent;
    }

    /// @notice Most reserves in one opening.
    uint256 public constant MAX_RESERVES = 16;

    uint64 private _withdrawalDelay;
    mapping(address requester => Funds) private _funds;
    mapping(address requester => mapping(address worker => Tab)) private _tabs;
    mapping(address requester => Withdrawal) private _withdrawals;
    mapping(address requester => mapping(address session => Session)) private _sessions;
    mapping(address requester => address session) private _current;

    /// @notice The zero address cannot be used here.
    error ZeroAddress();
    /// @notice The amount is zero.
    error ZeroAmount();
    /// @notice The escrow holds less than is needed: deposit more.
    error InsufficientEscrow(address requester, uint256 needed, uint256 available);
    /// @notice No withdrawal was requested.
    error NoWithdrawal(address requester);
    /// @notice The withdrawal's delay is not over.
    error WithdrawalPending(address requester, uint256 releaseAt);
    /// @notice A session cannot lose limit or lifetime but by {revoke}.
    error SessionCannotShrink(address session, uint256 limit, uint64 expiry);
    /// @notice The session would expire in the past.
    error SessionExpiryPassed(address session, uint64 expiry);
    /// @notice The requester has not authorised this key; or it signed something else, since who signed a voucher follows from
    /// the signature.
    error UnknownSession(address requester, address session);
    /// @notice The session key's authorisation has expired.
    error SessionExpired(address requester, address session, uint64 expiry);
    /// @notice The session key would exceed its limit.
    error SessionLimitExceeded(address requester, address session, uint256 needed, uint256 available);
    /// @notice The voucher has expired.
    error VoucherExpired(address requester, address worker, uint64 expires);
    /// @notice The signature is not the requester's over this opening, or no signature at all.
    error InvalidSignature(address requester);
    /// @notice The opening came after its deadline.
    error OpeningExpired(address requester, uint64 deadline);
    /// @notice The opening is for another amount than was sent with it.
    error DepositMismatch(address requester, uint256 expected, uint256 actual);
    /// @notice There are not as many amounts as workers, or too many of them.
    error InvalidReserves(uint256 workers, uint256 amounts, uint256 maximum);
    /// @notice The reserve is not being lowered.
    error NoReserveLowering(address requester, address worker);
    /// @notice The lowered reserve does not count yet.
    error StillReserved(address requester, address worker, uint64 lowersAt);

    event Deposited(address indexed requester, address indexed from, uint256 amount);
    event WithdrawalRequested(address indexed requester, uint256 amount, uint64 releaseAt);
    event WithdrawalCancelled(address indexed requester, uint256 amount);
    event Withdrawn(address indexed requester, uint256 amount);
    event SessionAuthorized(address indexed requester, address indexed session, uint256 limit, uint64 expiry);
    event SessionRevoked(address indexed requester, address indexed session, uint64 expiry);
    event Drawn(address indexed requester, address indexed worker, uint256 amount);
    event Reserved(address indexed requester, address indexed worker, uint256 amount);
    event ReserveLowering(address indexed requester, address indexed worker, uint256 target, uint64 lowersAt);
    event WithdrawalDelayChanged(uint64 delay);

    constructor(address admin, uint64 withdrawalDelay_) EIP712(TypedData.NAME, TypedData.VERSION) {
        if (admin == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _setWithdrawalDelay(withdrawalDelay_);
    }

    // ---- requesters ----

    /// @notice Adds to the caller's balance.
    function deposit() external payable {
        _deposit(msg.sender, msg.value);
    }

    /// @inheritdoc IEscrow
    function depositFor(address requester) external payable {
        if (requester == address(0)) revert ZeroAddress();
        _deposit(requester, msg.value);
    }

    /// @notice Asks to withdraw in all `amount`, in place of an earlier request, once the delay is over.
    function requestWithdrawal(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        uint256 balance = _funds[msg.sender].balance;
        if (amount > balance) revert InsufficientEscrow(msg.sender, amount, balance);
        uint64 releaseAt = uint64(block.timestamp) + _withdrawalDelay;
        _withdrawals[msg.sender] = Withdrawal(amount, releaseAt);
        emit WithdrawalRequested(msg.sender, amount, releaseAt);
    }

    /// @notice Gives up the caller's request.
    function cancelWithdrawal() external {
        uint256 amount = _withdrawals[msg.sender].amount;
        if (amount == 0) revert NoWithdrawal(msg.sender);
        delete _withdrawals[msg.sender];
        emit WithdrawalCancelled(msg.sender, amount);
    }

    /// @notice Pays out the caller's request, or what draws have left of the balance if that is less. What reserves hold back
    /// stays requested: lower them, and call again.
    function executeWithdrawal() external nonReentrant returns (uint256 amount) {
        Withdrawal memory withdrawal = _withdrawals[msg.sender];
        if (withdrawal.amount == 0) revert NoWithdrawal(msg.sender);
        if (block.timestamp < withdrawal.releaseAt) revert WithdrawalPending(msg.sender, withdrawal.releaseAt);
        Funds storage funds = _funds[msg.sender];
        uint256 wanted = withdrawal.amount < funds.balance ? withdrawal.amount : funds.balance;
        uint256 free = funds.balance - funds.reserved;
        amount = wanted < free ? wanted : free;
        if (amount == 0 && wanted != 0) revert InsufficientEscrow(msg.sender, wanted, 0);
        if (amount == wanted) delete _withdrawals[msg.sender];
        else _withdrawals[msg.sender].amount = wanted - amount;
        funds.balance -= uint96(amount);
        emit Withdrawn(msg.sender, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @notice Lets a key sign vouchers for the caller: up to `limit` over its whole life, until `expiry`. Calling again
    /// raises the limit or prolongs the life; what was spent stays spent. A limit is below 2^88 wei.
    function authorize(address session, uint256 limit, uint64 expiry) external {
        _authorize(msg.sender, session, limit, expiry);
    }

    // ---- opening ----

    /// @notice Deposits, authorises a session key and reserves for workers, all for the caller.
    function open(address session, uint256 limit, uint64 expiry, address[] calldata workers, uint256[] calldata amounts)
        external
        payable
    {
        _deposit(msg.sender, msg.value);
        _authorize(msg.sender, session, limit, expiry);
        _reserveAll(msg.sender, workers, amounts);
    }

    /// @notice The same for a requester that signed for it (EIP-712; ERC-1271 if it is a contract). The caller pays the
    /// deposit, so that the requester needs no money of its own to begin with.
    function openFor(Opening calldata opening, bytes calldata signature) external payable {
        address requester = opening.requester;
        if (requester == address(0)) revert ZeroAddress();
        if (block.timestamp > opening.deadline) revert OpeningExpired(requester, opening.deadline);
        if (msg.value != opening.amount) revert DepositMismatch(requester, opening.amount, msg.value);
        _useCheckedNonce(requester, opening.nonce);
        if (!SignatureChecker.isValidSignatureNowCalldata(requester, openingDigest(opening), signature)) {
            revert InvalidSignature(requester);
        }
        _deposit(requester, msg.value);
        _authorize(requester, opening.session, opening.limit, opening.expiry);
        _reserveAll(requester, opening.workers, opening.amounts);
    }

    // ---- reserves ----

    /// @notice Sets aside `amount` of the caller's balance for one worker. More than before counts at once; less counts after
    /// the withdrawal delay, in which the worker can draw, and from the next call of {release} on, or from the next draw while
    /// the caller has anything reserved.
    function reserve(address worker, uint256 amount) external {
        if (amount >= _settle(msg.sender, worker).reserved) {
            _raise(msg.sender, worker, amount);
        } else {
            uint64 lowersAt = uint64(block.timestamp) + _withdrawalDelay;
            Tab storage tab = _tabs[msg.sender][worker];
            (tab.target, tab.lowersAt) = (uint96(amount), lowersAt);
            emit ReserveLowering(msg.sender, worker, amount, lowersAt);
        }
    }

    /// @notice Frees what a reserve was lowered by, now that the delay is over. Anybody may send it.
    function release(address requester, address worker) external {
        uint64 lowersAt = _tabs[requester][worker].lowersAt;
        if (lowersAt == 0) revert NoReserveLowering(requester, worker);
        if (block.timestamp < lowersAt) revert StillReserved(requester, worker, lowersAt);
        _settle(requester, worker);
    }

    // ---- sessions ----

    /// @notice Ends a session key's authorisation when the withdrawal delay is over.
    function revoke(address session) external {
        Session storage s = _sessions[msg.sender][session];
        if (s.expiry == 0) revert UnknownSession(msg.sender, session);
        uint64 end = uint64(block.timestamp) + _withdrawalDelay;
        if (end < s.expiry) s.expiry = end;
        emit SessionRevoked(msg.sender, session, s.expiry);
    }

    // ---- settlement ----

    /// @inheritdoc IEscrow
    function drawBatch(address worker, SignedVoucher[] calldata vouchers)
        external
        onlyRole(SETTLEMENT_ROLE)
        nonReentrant
        returns (uint256 drawn, bytes32 draws)
    {
        bytes32 domain = _domainSeparatorV4();
        for (uint256 i = 0; i < vouchers.length; ++i) {
            SignedVoucher calldata v = vouchers[i];
            uint256 amount = _draw(domain, worker, v);
            if (amount == 0) continue;
            drawn += amount;
            draws = keccak256(abi.encode(draws, v.requester, amount));
        }
        if (drawn != 0) Address.sendValue(payable(msg.sender), drawn);
    }

    // ---- parameters ----

    function setWithdrawalDelay(uint64 delay) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setWithdrawalDelay(delay);
    }

    // ---- views ----

    /// @notice All that a requester has here: reserves and money that waits for withdrawal included.
    function balanceOf(address requester) external view returns (uint256) {
        return _funds[requester].balance;
    }

    /// @notice What new work of any worker may count on: the balance without reserves and without what waits for withdrawal.
    function availableOf(address requester) public view returns (uint256) {
        uint256 free = _freeOf(requester);
        uint256 waiting = _withdrawals[requester].amount;
        return waiting < free ? free - waiting : 0;
    }

    /// @notice What new work of this worker may count on: {availableOf} and its own reserve, once lowered if that is asked.
    function availableFor(address requester, address worker) external view returns (uint256) {
        Reserve memory r = reserveOf(requester, worker);
        uint256 own = r.lowersAt != 0 && r.target < r.amount ? r.target : r.amount;
        return availableOf(requester) + own;
    }

    /// @notice What a worker could draw now: all but the reserves of others. (What a lowering of its own reserve frees is free.)
    function drawableBy(address requester, address worker) external view returns (uint256) {
        return _freeOf(requester) + _tabs[requester][worker].reserved;
    }

    /// @notice What is set aside for a worker. Once `lowersAt` has come, the amount is the lowered one, even before {release}.
    function reserveOf(address requester, address worker) public view returns (Reserve memory r) {
        Tab storage tab = _tabs[requester][worker];
        r = Reserve({amount: tab.reserved, target: tab.target, lowersAt: tab.lowersAt});
        if (_isLowered(tab) && r.target < r.amount) r.amount = r.target;
    }

    /// @notice All that a requester has set aside, lowered reserves that nobody has released included.
    function reservedOf(address requester) external view returns (uint256) {
        return _funds[requester].reserved;
    }

    /// @notice A requester's withdrawal request; zeros if there is none.
    function withdrawalOf(address requester) external view returns (Withdrawal memory) {
        return _withdrawals[requester];
    }

    /// @notice A session key's authorisation; zeros if there is none.
    function sessionOf(address requester, address session) external view returns (Session memory s) {
        s = _sessions[requester][session];
        if (s.current) s.spent += _funds[requester].spent;
    }

    /// @notice What a worker has drawn from a requester so far.
    function drawnOf(address requester, address worker) external view returns (uint256) {
        return _tabs[requester][worker].drawn;
    }

    /// @notice Seconds between the request of a withdrawal and its execution, and before a revocation takes effect.
    function withdrawalDelay() external view returns (uint64) {
        return _withdrawalDelay;
    }

    /// @notice EIP-712 digest that the requester or its session key signs.
    function voucherDigest(Voucher calldata voucher) external view returns (bytes32) {
        return
            _hashTypedDataV4(
                TypedData.voucherHash(voucher.requester, voucher.worker, voucher.cumulative, voucher.expires)
            );
    }

    /// @notice EIP-712 digest that a requester signs for {openFor}.
    function openingDigest(Opening calldata opening) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(opening));
    }

    // ---- inside ----

    function _deposit(address requester, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        Funds storage funds = _funds[requester];
        funds.balance = SafeCast.toUint96(funds.balance + amount);
        emit Deposited(requester, msg.sender, amount);
    }

    /// @dev A voucher that owes nothing new is passed over without looking at its signature: it changes nothing.
    function _draw(bytes32 domain, address worker, SignedVoucher calldata v) private returns (uint256 amount) {
        (address requester, uint256 cumulative, uint64 expires) = (v.requester, v.cumulative, v.expires);
        Tab storage tab = _tabs[requester][worker];
        uint256 before = tab.drawn;
        if (cumulative <= before) return 0;
        if (block.timestamp > expires) revert VoucherExpired(requester, worker, expires);
        bytes32 hash = TypedData.voucherHash(requester, worker, cumulative, expires);
        (address signer, ECDSA.RecoverError failed,) =
            ECDSA.tryRecover(MessageHashUtils.toTypedDataHash(domain, hash), v.r, v.vs);
        if (failed != ECDSA.RecoverError.NoError) revert InvalidSignature(requester);
        unchecked {
            amount = cumulative - before; // it is more
        }
        tab.drawn = SafeCast.toUint96(cumulative);
        _take(requester, worker, signer, amount);
        emit Drawn(requester, worker, amount);
    }

    /// @dev Takes a draw out of the requester's funds, and counts it against the limit of the session key that signed.
    function _take(address requester, address worker, address signer, uint256 amount) private {
        Funds storage funds = _funds[requester];
        (uint256 balance, uint256 reserved, uint256 spent) = (funds.balance, funds.reserved, funds.spent);
        if (signer != requester) spent = _spend(requester, signer, amount, spent);
        uint256 available = balance;
        if (reserved != 0) (available, reserved) = _use(requester, worker, amount, balance, reserved);
        if (amount > available) revert InsufficientEscrow(requester, amount, available);
        // The amount is within the balance, {_spend} keeps to 80 bits, and reserves only shrink.
        unchecked {
            (funds.balance, funds.reserved, funds.spent) = (uint96(balance - amount), uint80(reserved), uint80(spent));
        }
    }

    /// @dev Takes what it can of a draw out of the worker's own reserve.
    /// @return available what the worker may draw: its reserve, and what is reserved for nobody.
    /// @return left what stays reserved for all.
    function _use(address requester, address worker, uint256 amount, uint256 balance, uint256 reserved)
        private
        returns (uint256 available, uint256 left)
    {
        Tab storage tab = _tabs[requester][worker];
        uint256 freed = _lower(requester, worker, tab);
        reserved -= freed;
        uint96 own = tab.reserved;
        available = balance - reserved + own;
        if (own == 0) return (available, reserved);
        uint96 used = amount < own ? uint96(amount) : own;
        tab.reserved = own - used;
        emit Reserved(requester, worker, own - used);
        return (available, reserved - used);
    }

    /// @dev Lets a lowered reserve count whose time has come.
    function _settle(address requester, address worker) private returns (Tab storage tab) {
        tab = _tabs[requester][worker];
        uint256 freed = _lower(requester, worker, tab);
        if (freed != 0) _funds[requester].reserved -= uint80(freed);
    }

    /// @return freed what it sets free, which the caller takes off the sum of the requester's reserves.
    function _lower(address requester, address worker, Tab storage tab) private returns (uint96 freed) {
        if (!_isLowered(tab)) return 0;
        if (tab.target < tab.reserved) freed = tab.reserved - tab.target;
        (tab.target, tab.lowersAt) = (0, 0);
        tab.reserved -= freed;
        emit Reserved(requester, worker, tab.reserved);
    }

    function _isLowered(Tab storage tab) private view returns (bool) {
        return tab.lowersAt != 0 && block.timestamp >= tab.lowersAt;
    }

    /// @dev Gives up a lowering that is under way: the reserve is `amount` now.
    function _raise(address requester, address worker, uint256 amount) private {
        if (worker == address(0)) revert ZeroAddress();
        Funds storage funds = _funds[requester];
        Tab storage tab = _tabs[requester][worker];
        uint256 more = amount - tab.reserved;
        uint256 free = funds.balance - funds.reserved;
        if (more > free) revert InsufficientEscrow(requester, more, free);
        funds.reserved = SafeCast.toUint80(funds.reserved + more);
        (tab.reserved, tab.target, tab.lowersAt) = (SafeCast.toUint96(amount), 0, 0);
        emit Reserved(requester, worker, amount);
    }

    /// @dev Raises reserves to the amounts; those that are higher already stay.
    function _reserveAll(address requester, address[] calldata workers, uint256[] calldata amounts) private {
        if (workers.length != amounts.length || workers.length > MAX_RESERVES) {
            revert InvalidReserves(workers.length, amounts.length, MAX_RESERVES);
        }
        for (uint256 i = 0; i < workers.length; ++i) {
            if (amounts[i] > _settle(requester, workers[i]).reserved) _raise(requester, workers[i], amounts[i]);
        }
    }

    function _freeOf(address requester) private view returns (uint256) {
        Funds storage funds = _funds[requester];
        return funds.balance - funds.reserved;
    }

    function _authorize(address requester, address session, uint256 limit, uint64 expiry) private {
        if (session == address(0)) revert ZeroAddress();
        if (expiry <= block.timestamp) revert SessionExpiryPassed(session, expiry);
        Session storage s = _sessions[requester][session];
        if (s.expiry >= block.timestamp && (limit < s.limit || expiry < s.expiry)) {
            revert SessionCannotShrink(session, s.limit, s.expiry);
        }
        (s.limit, s.expiry) = (SafeCast.toUint88(limit), expiry);
        if (!s.current) _makeCurrent(requester, session, s);
        emit SessionAuthorized(requester, session, limit, expiry);
    }

    /// @dev What the key before it has spent goes where its authorisation is.
    function _makeCurrent(address requester, address session, Session storage s) private {
        Session storage previous = _sessions[requester][_current[requester]];
        Funds storage funds = _funds[requester];
        (previous.spent, previous.current) = (previous.spent + funds.spent, false);
        (s.current, funds.spent) = (true, 0);
        _current[requester] = session;
    }

    /// @dev Counts a draw against a session key's limit.
    /// @param tally what {Funds} counts of the requester's current key.
    /// @return that after the draw.
    function _spend(address requester, address session, uint256 amount, uint256 tally) private returns (uint256) {
        Session storage s = _sessions[requester][session];
        (uint256 limit, uint256 spent, uint64 expiry, bool current) = (s.limit, s.spent, s.expiry, s.current);
        if (expiry == 0) revert UnknownSession(requester, session);
        if (block.timestamp > expiry) revert SessionExpired(requester, session, expiry);
        if (current) spent += tally;
        if (spent + amount > limit) {
            revert SessionLimitExceeded(requester, session, amount, limit > spent ? limit - spent : 0);
        }
        if (current && tally + amount <= type(uint80).max) return tally + amount;
        s.spent = uint88(spent + amount); // within the limit; the tally of a current key is in it
        return current ? 0 : tally;
    }

    function _setWithdrawalDelay(uint64 delay) private {
        _withdrawalDelay = delay;
        emit WithdrawalDelayChanged(delay);
    }
}
