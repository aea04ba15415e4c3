// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {Delegation} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title Delegates
/// @notice Whom an account lets act in its name, for what, and until when: a service to which it gives an API key orders
/// trainings and publishes datanets for it. What comes of it is the owner's; no delegate can move the owner's money.
/// @dev Nobody administers this contract. Authority never comes back by itself: a new authorisation replaces the one before it
/// in whole, a revocation ends it at once and makes void what the owner signed and nobody sent. The past stays readable, so
/// that a statement signed by a delegate can be checked after its authority has ended.
contract DelegateRegistry is EIP712, Nonces {
    /// @notice Scope: orders trainings in the owner's name.
    uint32 public constant TRAIN = 1;
    /// @notice Scope: creates datanets, accepts contributions to them and publishes their versions.
    uint32 public constant PUBLISH = 2;
    /// @notice Scope: contributes records in the owner's name.
    uint32 public constant CONTRIBUTE = 4;
    /// @notice Longest authorisation in seconds: a key that everybody forgot loses its power.
    uint64 public constant MAX_LIFETIME = 366 days;

    /// @notice One authorisation.
    /// @param from Unix seconds; it holds from then on.
    /// @param until Unix seconds; it holds up to then, that second not included.
    /// @param scopes bits of what it is for; bits without a meaning here are for later contracts.
    struct Grant {
        uint64 from;
        uint64 until;
        uint32 scopes;
    }

    mapping(address owner => mapping(address delegate => Grant[])) private _grants;

    /// @notice Nobody can be the delegate of nobody, or of itself.
    error InvalidDelegate(address owner, address delegate);
    /// @notice An authorisation is for something: name at least one scope.
    error NoScopes();
    /// @notice The authorisation would end in the past, or later than the longest one may.
    error InvalidExpiry(uint64 expiry, uint256 earliest, uint256 latest);
    /// @notice The delegation's deadline has passed: the owner must sign a new one.
    error DelegationExpired(uint64 deadline, uint256 timestamp);
    /// @notice The signature is not the owner's over this delegation.
    error InvalidSignature(address owner);
    /// @notice The delegate has no authority of this owner that could end.
    error UnknownDelegate(address owner, address delegate);

    event DelegateAuthorized(address indexed owner, address indexed delegate, uint32 scopes, uint64 expiry);
    event DelegateRevoked(address indexed owner, address indexed delegate, address indexed by);

    constructor() EIP712(TypedData.NAME, TypedData.VERSION) {}

    /// @notice Lets a delegate act in the caller's name, from now on, in place of what it was authorised for before.
    /// @param expiry Unix seconds; its authority ends then.
    function authorize(address delegate, uint32 scopes, uint64 expiry) external {
        _authorize(msg.sender, delegate, scopes, expiry);
    }

    /// @notice As {authorize}, on the owner's signature. Anybody may bring it.
    function authorizeFor(Delegation calldata delegation, bytes calldata signature) external {
        if (block.timestamp > delegation.deadline) revert DelegationExpired(delegation.deadline, block.timestamp);
        _useCheckedNonce(delegation.owner, delegation.nonce);
        if (!SignatureChecker.isValidSignatureNowCalldata(delegation.owner, delegationDigest(delegation), signature)) {
            revert InvalidSignature(delegation.owner);
        }
        _authorize(delegation.owner, delegation.delegate, delegation.scopes, delegation.expiry);
    }

    /// @notice Ends a delegate's authority at once, and makes void what the caller signed here and nobody sent.
    function revoke(address delegate) external {
        _useNonce(msg.sender);
        _end(msg.sender, delegate);
    }

    /// @notice Makes void what the caller signed here and nobody sent, and nothing else.
    function cancelSigned() external {
        _useNonce(msg.sender);
    }

    /// @notice Ends the caller's own authority: for a delegate whose key may be in other hands.
    function renounce(address owner) external {
        _end(owner, msg.sender);
    }

    // ---- views ----

    /// @notice Whether a delegate may act for the owner now, for all of these scopes.
    function isDelegate(address owner, address delegate, uint32 scopes) external view returns (bool) {
        return _covers(_grantAt(owner, delegate, uint64(block.timestamp)), scopes, uint64(block.timestamp));
    }

    /// @notice Whether a delegate could act for the owner then (Unix seconds), for all of these scopes.
    function wasDelegate(address owner, address delegate, uint32 scopes, uint64 at) external view returns (bool) {
        return _covers(_grantAt(owner, delegate, at), scopes, at);
    }

    /// @notice The newest authorisation of a delegate, ended or not; zeros if there is none.
    function grantOf(address owner, address delegate) external view returns (Grant memory) {
        return _grantAt(owner, delegate, type(uint64).max);
    }

    /// @notice How often the owner authorised this delegate.
    function grantCount(address owner, address delegate) external view returns (uint256) {
        return _grants[owner][delegate].length;
    }

    /// @notice EIP-712 digest that the owner signs.
    function delegationDigest(Delegation calldata delegation) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(delegation));
    }

    // ---- inside ----

    function _authorize(address owner, address delegate, uint32 scopes, uint64 expiry) private {
        if (owner == address(0) || delegate == address(0) || delegate == owner) {
            revert InvalidDelegate(owner, delegate);
        }
        if (scopes == 0) revert NoScopes();
        uint64 time = uint64(block.timestamp);
        if (expiry <= time || expiry - time > MAX_LIFETIME) {
            revert InvalidExpiry(expiry, time + 1, time + MAX_LIFETIME);
        }
        Grant[] storage grants = _grants[owner][delegate];
        uint256 count = grants.length;
        if (count != 0) {
            Grant storage last = grants[count - 1];
            if (last.until > time) last.until = time;
        }
        grants.push(Grant(time, expiry, scopes));
        emit DelegateAuthorized(owner, delegate, scopes, expiry);
    }

    function _end(address owner, address delegate) private {
        Grant[] storage grants = _grants[owner][delegate];
        uint256 count = grants.length;
        if (count == 0 || grants[count - 1].until <= block.timestamp) revert UnknownDelegate(owner, delegate);
        grants[count - 1].until = uint64(block.timestamp);
        emit DelegateRevoked(owner, delegate, msg.sender);
    }

    /// @dev The last authorisation that began up to a time; zeros if there is none. Of several that began at the same time,
    /// the last one counts. The newest is looked at first, since nearly every question is about now.
    function _grantAt(address owner, address delegate, uint64 at) private view returns (Grant memory) {
        Grant[] storage grants = _grants[owner][delegate];
        uint256 high = grants.length;
        if (high != 0 && grants[high - 1].from <= at) return grants[high - 1];
        uint256 low = 0;
        while (low < high) {
            uint256 middle = (low + high) / 2;
            if (grants[middle].from > at) high = middle;
            else low = middle + 1;
        }
        return high == 0 ? Grant(0, 0, 0) : grants[high - 1];
    }

    function _covers(Grant memory g, uint32 scopes, uint64 at) private pure returns (bool) {
        return at < g.until && scopes != 0 && g.scopes & scopes == scopes;
    }
}
