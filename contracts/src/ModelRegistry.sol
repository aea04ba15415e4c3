// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {Cid} from "./Cid.sol";
import {DatanetRegistry} from "./DatanetRegistry.sol";
import {TrainingOrder} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title Model registry
/// @notice Base models, and adapters with their lineage: which base, which version of which datanet, whose, at what price.
/// An adapter is named by the SHA2-256 digest of its CID.
contract ModelRegistry is AccessControl, EIP712 {
    /// @notice Who may register base models.
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    uint256 private constant MAX_NAME_BYTES = 64;
    uint256 private constant MAX_URI_BYTES = 512;

    /// @notice A base model.
    struct Base {
        bytes32 hash;
        uint64 registeredAt;
        string name;
        string uri;
    }

    /// @notice An adapter and its lineage.
    /// @param digest SHA2-256 digest inside its CID.
    /// @param datanetRoot SHA2-256 digest inside the CID of the datanet version it was trained on.
    /// @param access price per inference in wei.
    /// @param registrant who brought the order: as a rule the worker that trained it.
    struct Adapter {
        bytes32 digest;
        bytes32 base;
        bytes32 datanetRoot;
        bytes32 hyperHash;
        uint256 access;
        address owner;
        uint64 datanet;
        uint32 version;
        address registrant;
        uint64 registeredAt;
        string name;
        string cid;
    }

    DatanetRegistry private immutable _DATANETS;
    bytes32[] private _baseHashes;
    bytes32[] private _adapterDigests;
    mapping(bytes32 hash => Base) private _bases;
    mapping(bytes32 digest => Adapter) private _adapters;
    mapping(address owner => mapping(bytes32 nameHash => bytes32 digest)) private _byName;
    mapping(address owner => mapping(bytes32 nonce => bool)) private _usedNonces;

    /// @notice The zero address cannot be used here.
    error ZeroAddress();
    /// @notice The base model is registered already.
    error BaseAlreadyRegistered(bytes32 hash);
    /// @notice No such base model: register it first.
    error UnknownBase(bytes32 hash);
    /// @notice The adapter is registered already.
    error AdapterAlreadyRegistered(bytes32 digest);
    /// @notice No such adapter.
    error UnknownAdapter(bytes32 digest);
    /// @notice The order's deadline has passed.
    error OrderExpired(uint64 deadline, uint256 timestamp);
    /// @notice An adapter was registered under this order.
    error OrderNonceUsed(address owner, bytes32 nonce);
    /// @notice The owner has another adapter of this name.
    error NameTaken(address owner, string name, bytes32 digest);
    /// @notice Names are 1 to 64 characters of a-z, 0-9, dot, underscore and hyphen.
    error InvalidName(string name);
    /// @notice The URI is too long or the hash is zero.
    error InvalidBase(bytes32 hash);
    /// @notice The order names another root than the datanet version has.
    error RootMismatch(uint64 datanet, uint32 version, string expected, string actual);
    /// @notice The signature is not the owner's over this order.
    error InvalidSignature(address owner);
    /// @notice Only the adapter's owner sets its price.
    error NotAdapterOwner(bytes32 digest, address caller);

    event BaseRegistered(bytes32 indexed hash, string name, string uri);
    event AdapterRegistered(
        bytes32 indexed digest,
        address indexed owner,
        bytes32 indexed base,
        uint64 datanet,
        uint32 version,
        uint256 access,
        string name,
        string cid,
        address registrant
    );
    event AccessChanged(bytes32 indexed digest, uint256 access);

    constructor(address admin, DatanetRegistry datanets_) EIP712(TypedData.NAME, TypedData.VERSION) {
        if (admin == address(0) || address(datanets_) == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(REGISTRAR_ROLE, admin);
        _DATANETS = datanets_;
    }

    /// @notice Adds a base model.
    function registerBase(bytes32 hash, string calldata name, string calldata uri) external onlyRole(REGISTRAR_ROLE) {
        if (_bases[hash].registeredAt != 0) revert BaseAlreadyRegistered(hash);
        if (hash == 0 || bytes(uri).length > MAX_URI_BYTES) revert InvalidBase(hash);
        _checkName(name);
        _bases[hash] = Base(hash, uint64(block.timestamp), name, uri);
        _baseHashes.push(hash);
        emit BaseRegistered(hash, name, uri);
    }

    /// @notice Registers a trained adapter in the name of the order's owner. Anybody may bring the owner's signature.
    /// @return digest the adapter's name in receipts.
    function registerAdapter(TrainingOrder calldata order, string calldata cid, bytes calldata signature)
        external
        returns (bytes32 digest)
    {
        digest = Cid.digest(cid);
        if (_adapters[digest].owner != address(0)) revert AdapterAlreadyRegistered(digest);
        bytes32 datanetRoot = _checkOrder(order, signature);
        bytes32 nameHash = keccak256(bytes(order.name));
        bytes32 namesake = _byName[order.owner][nameHash];
        if (namesake != 0) revert NameTaken(order.owner, order.name, namesake);

        _usedNonces[order.owner][order.nonce] = true;
        _byName[order.owner][nameHash] = digest;
        _adapterDigests.push(digest);
        Adapter storage a = _adapters[digest];
        a.digest = digest;
        a.base = order.base;
        a.datanetRoot = datanetRoot;
        a.hyperHash = order.hyperHash;
        a.access = order.access;
        a.owner = order.owner;
        a.datanet = order.datanet;
        a.version = order.version;
        a.registrant = msg.sender;
        a.registeredAt = uint64(block.timestamp);
        a.name = order.name;
        a.cid = cid;
        _emitRegistered(a);
    }

    /// @notice Sets the price per inference of the caller's adapter.
    function setAccess(bytes32 digest, uint256 access) external {
        Adapter storage a = _adapters[digest];
        if (a.owner == address(0)) revert UnknownAdapter(digest);
        if (a.owner != msg.sender) revert NotAdapterOwner(digest, msg.sender);
        a.access = access;
        emit AccessChanged(digest, access);
    }

    // ---- views ----

    function datanets() external view returns (DatanetRegistry) {
        return _DATANETS;
    }

    function baseCount() external view returns (uint256) {
        return _baseHashes.length;
    }

    /// @notice A base model by its place in order of registration.
    function baseAt(uint256 index) external view returns (Base memory) {
        return _bases[_baseHashes[index]];
    }

    /// @notice A base model; reverts if there is none.
    function baseOf(bytes32 hash) external view returns (Base memory) {
        if (_bases[hash].registeredAt == 0) revert UnknownBase(hash);
        return _bases[hash];
    }

    function adapterCount() external view returns (uint256) {
        return _adapterDigests.length;
    }

    /// @notice An adapter by its place in order of registration.
    function adapterAt(uint256 index) external view returns (Adapter memory) {
        return _adapters[_adapterDigests[index]];
    }

    /// @notice An adapter; reverts if there is none.
    function adapterOf(bytes32 digest) external view returns (Adapter memory) {
        if (_adapters[digest].owner == address(0)) revert UnknownAdapter(digest);
        return _adapters[digest];
    }

    /// @notice Digest of an owner's adapter by name; zero if there is none.
    function adapterByName(address owner, string calldata name) external view returns (bytes32) {
        return _byName[owner][keccak256(bytes(name))];
    }

    /// @notice Whether an adapter was registered under an owner's order with this nonce.
    function isNonceUsed(address owner, bytes32 nonce) external view returns (bool) {
        return _usedNonces[owner][nonce];
    }

    /// @notice EIP-712 digest that the owner signs.
    function trainingOrderDigest(TrainingOrder calldata order) public view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(order));
    }

    // ---- inside ----

    /// @dev Everything about an order but its name's novelty. Returns the digest of the datanet version's root.
    function _checkOrder(TrainingOrder calldata order, bytes calldata signature) private view returns (bytes32) {
        if (order.owner == address(0)) revert ZeroAddress();
        if (block.timestamp > order.deadline) revert OrderExpired(order.deadline, block.timestamp);
        if (_usedNonces[order.owner][order.nonce]) revert OrderNonceUsed(order.owner, order.nonce);
        if (_bases[order.base].registeredAt == 0) revert UnknownBase(order.base);
        _checkName(order.name);
        DatanetRegistry.Version memory v = _DATANETS.versionOf(order.datanet, order.version);
        if (keccak256(bytes(v.root)) != keccak256(bytes(order.root))) {
            revert RootMismatch(order.datanet, order.version, v.root, order.root);
        }
        if (!SignatureChecker.isValidSignatureNowCalldata(order.owner, trainingOrderDigest(order), signature)) {
            revert InvalidSignature(order.owner);
        }
        return v.rootDigest;
    }

    function _emitRegistered(Adapter storage a) private {
        emit AdapterRegistered(a.digest, a.owner, a.base, a.datanet, a.version, a.access, a.name, a.cid, a.registrant);
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
}
