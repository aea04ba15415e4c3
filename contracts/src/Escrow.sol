// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {IEscrow} from "./IEscrow.sol";
import {SignedVoucher, Voucher} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title Requesters' escrow
/// @notice A requester deposits once and then pays workers by cumulative vouchers, which settlement draws. A session key may
/// sign vouchers for the requester up to a limit and until an expiry.
/// @dev Withdrawals and revocations take effect after a delay, so that workers can draw what they are owed first. Money that
/// waits for withdrawal is still drawable.
contract Escrow is IEscrow, AccessControl, EIP712, ReentrancyGuardTransient {
    /// @notice Who may draw: settlement.
    bytes32 public constant SETTLEMENT_ROLE = keccak256("SETTLEMENT_ROLE");

    /// @notice A key that signs vouchers for a requester.
    /// @param limit what it may spend in all, over its whole life and all workers.
    /// @param spent what was drawn on its signature.
    /// @param expiry Unix seconds; nothing is drawn on its signature after it.
    struct Session {
        uint256 limit;
        uint256 spent;
        uint64 expiry;
    }

    struct Withdrawal {
        uint256 amount;
        uint64 releaseAt;
    }

    uint64 private _withdrawalDelay;
    uint256 private _totalBalance;
    mapping(address requester => uint256) private _balances;
    mapping(address requester => Withdrawal) private _withdrawals;
    mapping(address requester => mapping(address session => Session)) private _sessions;
    mapping(address requester => mapping(address worker => uint256)) private _drawn;

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
    /// @notice The requester has not authorised this key.
    error UnknownSession(address requester, address session);
    /// @notice The session key's authorisation has expired.
    error SessionExpired(address requester, address session, uint64 expiry);
    /// @notice The session key would exceed its limit.
    error SessionLimitExceeded(address requester, address session, uint256 needed, uint256 available);
    /// @notice The voucher has expired.
    error VoucherExpired(address requester, address worker, uint64 expires);
    /// @notice The voucher is made out to another worker.
    error WorkerMismatch(address expected, address actual);
    /// @notice The signature is not the signer's over this voucher.
    error InvalidSignature(address signer);

    event Deposited(address indexed requester, address indexed from, uint256 amount);
    event WithdrawalRequested(address indexed requester, uint256 amount, uint64 releaseAt);
    event WithdrawalCancelled(address indexed requester, uint256 amount);
    event Withdrawn(address indexed requester, uint256 amount);
    event SessionAuthorized(address indexed requester, address indexed session, uint256 limit, uint64 expiry);
    event SessionRevoked(address indexed requester, address indexed session, uint64 expiry);
    event Drawn(
        address indexed requester, address indexed worker, address indexed signer, uint256 amount, uint256 cumulative
    );
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

    /// @notice Adds to somebody's balance.
    function depositFor(address requester) external payable {
        if (requester == address(0)) revert ZeroAddress();
        _deposit(requester, msg.value);
    }

    /// @notice Asks to withdraw in all `amount`, in place of an earlier request, once the delay is over.
    function requestWithdrawal(uint256 amount) external {
        if (amount == 0) revert ZeroAmount();
        uint256 balance = _balances[msg.sender];
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

    /// @notice Pays out the caller's request, or what draws have left of the balance if that is less.
    function executeWithdrawal() external nonReentrant returns (uint256 amount) {
        Withdrawal memory withdrawal = _withdrawals[msg.sender];
        if (withdrawal.amount == 0) revert NoWithdrawal(msg.sender);
        if (block.timestamp < withdrawal.releaseAt) revert WithdrawalPending(msg.sender, withdrawal.releaseAt);
        uint256 balance = _balances[msg.sender];
        amount = withdrawal.amount < balance ? withdrawal.amount : balance;
        delete _withdrawals[msg.sender];
        _balances[msg.sender] = balance - amount;
        _totalBalance -= amount;
        emit Withdrawn(msg.sender, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    /// @notice Lets a key sign vouchers for the caller: up to `limit` over its whole life, until `expiry`. Calling again
    /// raises the limit or prolongs the life; what was spent stays spent.
    function authorize(address session, uint256 limit, uint64 expiry) external {
        if (session == address(0)) revert ZeroAddress();
        if (expiry <= block.timestamp) revert SessionExpiryPassed(session, expiry);
        Session storage s = _sessions[msg.sender][session];
        if (s.expiry >= block.timestamp && (limit < s.limit || expiry < s.expiry)) {
            revert SessionCannotShrink(session, s.limit, s.expiry);
        }
        s.limit = limit;
        s.expiry = expiry;
        emit SessionAuthorized(msg.sender, session, limit, expiry);
    }

    /// @notice Ends a session key's authorisation when the withdrawal delay is over.
    function revoke(address session) external {
        Session storage s = _sessions[msg.sender][session];
        if (s.expiry == 0) revert UnknownSession(msg.sender, session);
        uint64 end = uint64(block.timestamp) + _withdrawalDelay;
        if (end < s.expiry) s.expiry = end;
        emit SessionRevoked(msg.sender, session, s.expiry);
    }

    // ---- settlement ----

    /// @notice Draws what one voucher owes beyond earlier draws and sends it to the caller.
    function draw(Voucher calldata voucher, address signer, bytes calldata signature)
        external
        onlyRole(SETTLEMENT_ROLE)
        nonReentrant
        returns (uint256 drawn)
    {
        drawn = _draw(voucher, signer, signature);
        _pay(drawn);
    }

    /// @inheritdoc IEscrow
    function drawBatch(address worker, SignedVoucher[] calldata vouchers)
        external
        onlyRole(SETTLEMENT_ROLE)
        nonReentrant
        returns (uint256 drawn)
    {
        for (uint256 i = 0; i < vouchers.length; ++i) {
            SignedVoucher calldata v = vouchers[i];
            if (v.voucher.worker != worker) revert WorkerMismatch(worker, v.voucher.worker);
            drawn += _draw(v.voucher, v.signer, v.signature);
        }
        _pay(drawn);
    }

    // ---- parameters ----

    function setWithdrawalDelay(uint64 delay) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setWithdrawalDelay(delay);
    }

    // ---- views ----

    /// @notice What a requester's vouchers can draw on, money that waits for withdrawal included.
    function balanceOf(address requester) external view returns (uint256) {
        return _balances[requester];
    }

    /// @notice A requester's balance without what waits for withdrawal: what new work may count on.
    function availableOf(address requester) external view returns (uint256) {
        uint256 balance = _balances[requester];
        uint256 waiting = _withdrawals[requester].amount;
        return waiting < balance ? balance - waiting : 0;
    }

    /// @notice All balances together.
    function totalBalance() external view returns (uint256) {
        return _totalBalance;
    }

    /// @notice A requester's withdrawal request; zeros if there is none.
    function withdrawalOf(address requester) external view returns (Withdrawal memory) {
        return _withdrawals[requester];
    }

    /// @notice A session key's authorisation; zeros if there is none.
    function sessionOf(address requester, address session) external view returns (Session memory) {
        return _sessions[requester][session];
    }

    /// @notice What a worker has drawn from a requester so far.
    function drawnOf(address requester, address worker) external view returns (uint256) {
        return _drawn[requester][worker];
    }

    /// @notice Seconds between the request of a withdrawal and its execution, and before a revocation takes effect.
    function withdrawalDelay() external view returns (uint64) {
        return _withdrawalDelay;
    }

    /// @notice EIP-712 digest that the requester or its session key signs.
    function voucherDigest(Voucher calldata voucher) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(voucher));
    }

    // ---- inside ----

    function _deposit(address requester, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        _balances[requester] += amount;
        _totalBalance += amount;
        emit Deposited(requester, msg.sender, amount);
    }

    /// @dev A voucher that owes nothing new is passed over without looking at its signature: it changes nothing.
    function _draw(Voucher calldata voucher, address signer, bytes calldata signature)
        private
        returns (uint256 amount)
    {
        address requester = voucher.requester;
        uint256 before = _drawn[requester][voucher.worker];
        if (voucher.cumulative <= before) return 0;
        amount = voucher.cumulative - before;
        if (block.timestamp > voucher.expires) revert VoucherExpired(requester, voucher.worker, voucher.expires);
        if (signer != requester) _spend(requester, signer, amount);
        if (!SignatureChecker.isValidSignatureNowCalldata(signer, voucherDigest(voucher), signature)) {
            revert InvalidSignature(signer);
        }
        uint256 balance = _balances[requester];
        if (amount > balance) revert InsufficientEscrow(requester, amount, balance);
        _balances[requester] = balance - amount;
        _totalBalance -= amount;
        _drawn[requester][voucher.worker] = voucher.cumulative;
        emit Drawn(requester, voucher.worker, signer, amount, voucher.cumulative);
    }

    function _spend(address requester, address session, uint256 amount) private {
        Session storage s = _sessions[requester][session];
        if (s.expiry == 0) revert UnknownSession(requester, session);
        if (block.timestamp > s.expiry) revert SessionExpired(requester, session, s.expiry);
        uint256 left = s.limit > s.spent ? s.limit - s.spent : 0;
        if (amount > left) revert SessionLimitExceeded(requester, session, amount, left);
        s.spent += amount;
    }

    function _pay(uint256 amount) private {
        if (amount != 0) Address.sendValue(payable(msg.sender), amount);
    }

    function _setWithdrawalDelay(uint64 delay) private {
        _withdrawalDelay = delay;
        emit WithdrawalDelayChanged(delay);
    }
}
