// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {SignatureChecker} from "@openzeppelin/contracts/utils/cryptography/SignatureChecker.sol";

import {Cid} from "./Cid.sol";
import {DatanetRegistry} from "./DatanetRegistry.sol";
import {DelegateRegistry} from "./DelegateRegistry.sol";
import {FeeSplitter} from "./FeeSplitter.sol";
import {LineageRules, Royalty, TrainingOrder} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title Model registry
/// @notice Base models, and adapters with their lineage: which base, which version of which datanet, derived from which
/// adapters, whose, at what price. An adapter is named by the SHA2-256 digest of its CID; those that one owner registers
/// under one name are revisions, numbered from 1.
/// @dev Royalties: an adapter's owner asks for a part of what the owners of derived adapters earn. It can be lowered, never
/// raised, so nobody's terms worsen after it derived from an adapter. A lineage has no cycles, since parents are registered
/// first, and at most MAX_ANCESTORS steps, which bounds every walk along it.
contract ModelRegistry is AccessControl, EIP712 {
    /// @notice Who may register base models.
    bytes32 public constant REGISTRAR_ROLE = keccak256("REGISTRAR_ROLE");

    uint256 private constant MAX_NAME_BYTES = 64;
    uint256 private constant MAX_URI_BYTES = 512;
    uint256 private constant MAX_PARENTS = 32;
    uint256 private constant MAX_DEPTH = 16;
    uint256 private constant MAX_ANCESTORS = 64;
    uint32 private constant TRAIN = 1; // DelegateRegistry.TRAIN

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
    /// @param revision its number among the owner's adapters of this name, from 1.
    /// @param royaltyBps what the owner asks of the owners of derived adapters.
    /// @param depth longest way to an ancestor without parents.
    /// @param ancestors steps of its lineage, those that several ways lead to counted for each.
    /// @param signer who signed the order: the owner, or who was its delegate when it was registered.
    /// @param parents adapters that it is derived from.
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
        uint32 revision;
        uint16 royaltyBps;
        uint8 depth;
        uint16 ancestors;
        address signer;
        string name;
        string cid;
        bytes32[] parents;
    }

    DatanetRegistry private immutable _DATANETS;
    DelegateRegistry private immutable _DELEGATES;
    bytes32[] private _baseHashes;
    bytes32[] private _adapterDigests;
    mapping(bytes32 hash => Base) private _bases;
    mapping(bytes32 digest => Adapter) private _adapters;
    mapping(address owner => mapping(bytes32 nameHash => bytes32[] digests)) private _revisions;
    mapping(address owner => mapping(bytes32 nonce => bool)) private _usedNonces;
    LineageRules private _lineageRules;

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
    /// @notice The owner has registered this revision already: sign for the next one.
    error RevisionExists(address owner, string name, uint32 revision);
    /// @notice Revisions of one name come in sequence.
    error RevisionGap(address owner, string name, uint32 expected, uint32 actual);
    /// @notice No such revision of this name.
    error UnknownRevision(address owner, string name, uint32 revision);
    /// @notice More parents than the rules allow.
    error TooManyParents(uint256 parents, uint256 maximum);
    /// @notice Parents are in ascending order, each once.
    error ParentsOutOfOrder(bytes32 parent);
    /// @notice A parent is for another base model.
    error ParentOfOtherBase(bytes32 parent, bytes32 base);
    /// @notice The lineage is longer than the rules allow.
    error LineageTooDeep(uint256 depth, uint256 maximum);
    /// @notice The lineage has too many steps.
    error LineageTooLarge(uint256 ancestors, uint256 maximum);
    /// @notice The royalty is more than the rules allow.
    error RoyaltyTooHigh(uint256 royaltyBps, uint256 maximum);
    /// @notice The parents ask for more together than the rules allow.
    error ParentsAskTooMuch(uint256 totalBps, uint256 maximum);
    /// @notice A royalty can only be lowered: ask for more with the next revision.
    error RoyaltyNotLower(bytes32 digest, uint256 current, uint256 asked);
    /// @notice The rules are out of bounds, or leave nothing to the owner of a derived adapter.
    error InvalidLineageRules(LineageRules rules);
    /// @notice Names are 1 to 64 characters of a-z, 0-9, dot, underscore and hyphen.
    error InvalidName(string name);
    /// @notice The URI is too long or the hash is zero.
    error InvalidBase(bytes32 hash);
    /// @notice The order names another root than the datanet version has.
    error RootMismatch(uint64 datanet, uint32 version, string expected, string actual);
    /// @notice The signature over this order is neither the owner's nor that of a delegate with the scope TRAIN.
    error InvalidSignature(address owner);
    /// @notice Only the adapter's owner sets its price and royalty.
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
    event LineageRegistered(
        bytes32 indexed digest, uint32 revision, uint16 royaltyBps, uint8 depth, uint16 ancestors, bytes32[] parents
    );
    /// @notice A delegate signed the adapter's order in its owner's name.
    event DelegateOrdered(bytes32 indexed digest, address indexed owner, address indexed delegate);
    event AccessChanged(bytes32 indexed digest, uint256 access);
    event RoyaltyLowered(bytes32 indexed digest, uint16 royaltyBps);
    event LineageRulesChanged(uint16 royaltyBps, uint16 totalBps, uint8 parents, uint8 depth);

    constructor(address admin, DatanetRegistry datanets_, LineageRules memory rules)
        EIP712(TypedData.NAME, TypedData.VERSION)
    {
        if (admin == address(0) || address(datanets_) == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _grantRole(REGISTRAR_ROLE, admin);
        _DATANETS = datanets_;
        _DELEGATES = datanets_.delegates();
        _setLineageRules(rules);
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

    /// @notice Registers a trained adapter in the name of the order's owner. Anybody may bring the signature of the owner or of
    /// a delegate that has the scope TRAIN now.
    /// @return digest the adapter's name in receipts.
    function registerAdapter(TrainingOrder calldata order, string calldata cid, bytes calldata signature)
        external
        returns (bytes32 digest)
    {
        digest = Cid.digest(cid);
        if (_adapters[digest].owner != address(0)) revert AdapterAlreadyRegistered(digest);
        bytes32 datanetRoot = _checkOrder(order);
        address signer = _signerOf(order, signature);
        _takeRevision(order, digest);
        _usedNonces[order.owner][order.nonce] = true;
        _adapterDigests.push(digest);
        Adapter storage a = _adapters[digest];
        _setLineage(a, order);
        a.digest = digest;
        a.base = order.base;
        a.datanetRoot = datanetRoot;
        a.hyperHash = order.hyperHash;
        a.access = order.access;
        a.owner = order.owner;
        a.datanet = order.datanet;
        a.version = order.version;
        a.registrant = msg.sender;
        a.signer = signer;
        a.registeredAt = uint64(block.timestamp);
        a.name = order.name;
        a.cid = cid;
        _emitRegistered(a);
    }

    /// @notice Sets the price per inference of the caller's adapter.
    function setAccess(bytes32 digest, uint256 access) external {
        _owned(digest).access = access;
        emit AccessChanged(digest, access);
    }

    /// @notice Lowers what the caller's adapter asks of the owners of derived ones, of those registered already too.
    function lowerRoyalty(bytes32 digest, uint16 royaltyBps) external {
        Adapter storage a = _owned(digest);
        if (royaltyBps >= a.royaltyBps) revert RoyaltyNotLower(digest, a.royaltyBps, royaltyBps);
        a.royaltyBps = royaltyBps;
        emit RoyaltyLowered(digest, royaltyBps);
    }

    /// @notice Sets how far lineages and royalties may go. What is registered stays as it is.
    function setLineageRules(LineageRules calldata rules) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setLineageRules(rules);
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

    /// @notice Digest of the newest revision of an owner's adapter by name; zero if there is none.
    function adapterByName(address owner, string calldata name) external view returns (bytes32) {
        bytes32[] storage digests = _revisions[owner][keccak256(bytes(name))];
        return digests.length == 0 ? bytes32(0) : digests[digests.length - 1];
    }

    /// @notice Number of the newest revision of an owner's adapter by name; 0 if there is none.
    function latestRevision(address owner, string calldata name) external view returns (uint32) {
        return uint32(_revisions[owner][keccak256(bytes(name))].length);
    }

    /// @notice Digest of one revision of an owner's adapter by name; reverts if there is none.
    function adapterRevision(address owner, string calldata name, uint32 revision) external view returns (bytes32) {
        bytes32[] storage digests = _revisions[owner][keccak256(bytes(name))];
        if (revision == 0 || revision > digests.length) revert UnknownRevision(owner, name, revision);
        return digests[revision - 1];
    }

    /// @notice How far lineages and royalties may go.
    function lineageRules() external view returns (LineageRules memory) {
        return _lineageRules;
    }

    /// @notice Who is owed a part of what an adapter's owner earns, along its lineage: the parents of the adapter, then those
    /// of each of them, and so on. Ancestors that ask for nothing are left out with all that is behind them.
    function royaltiesOf(bytes32 digest) public view returns (Royalty[] memory list) {
        if (_adapters[digest].owner == address(0)) revert UnknownAdapter(digest);
        Royalty[] memory found = new Royalty[](_adapters[digest].ancestors);
        uint256 n = 0;
        for (uint256 k = 0; k <= n; ++k) {
            bytes32[] storage parents = _adapters[k == 0 ? digest : found[k - 1].adapter].parents;
            uint256 count = parents.length;
            for (uint256 i = 0; i < count; ++i) {
                Adapter storage p = _adapters[parents[i]];
                if (p.royaltyBps == 0) continue;
                found[n] = Royalty(p.digest, p.owner, uint16(k), p.royaltyBps);
                ++n;
            }
        }
        list = new Royalty[](n);
        for (uint256 i = 0; i < n; ++i) {
            list[i] = found[i];
        }
    }

    /// @notice How an adapter owner's part of a fee would be divided now: what the owner keeps, then what each entry of
    /// {royaltiesOf} has. They add up to the amount.
    function divide(bytes32 digest, uint256 amount) external view returns (uint256[] memory) {
        return FeeSplitter.royalties(amount, royaltiesOf(digest));
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

    function _owned(bytes32 digest) private view returns (Adapter storage a) {
        a = _adapters[digest];
        if (a.owner == address(0)) revert UnknownAdapter(digest);
        if (a.owner != msg.sender) revert NotAdapterOwner(digest, msg.sender);
    }

    /// @dev Gives an adapter the number that its owner signed, which has to be the next.
    function _takeRevision(TrainingOrder calldata order, bytes32 digest) private {
        bytes32[] storage digests = _revisions[order.owner][keccak256(bytes(order.name))];
        uint32 next = uint32(digests.length) + 1;
        if (order.revision != 0 && order.revision < next) {
            revert RevisionExists(order.owner, order.name, order.revision);
        }
        if (order.revision != next) revert RevisionGap(order.owner, order.name, next, order.revision);
        digests.push(digest);
    }

    /// @dev Checks parents and royalty against the rules and writes them down.
    function _setLineage(Adapter storage a, TrainingOrder calldata order) private {
        LineageRules memory rules = _lineageRules;
        if (order.royaltyBps > rules.royaltyBps) revert RoyaltyTooHigh(order.royaltyBps, rules.royaltyBps);
        uint256 count = order.parents.length;
        if (count > rules.parents) revert TooManyParents(count, rules.parents);
        uint256 total = 0;
        uint256 depth = 0;
        uint256 ancestors = count;
        for (uint256 i = 0; i < count; ++i) {
            bytes32 parent = order.parents[i];
            if (i != 0 && parent <= order.parents[i - 1]) revert ParentsOutOfOrder(parent);
            Adapter storage p = _adapters[parent];
            if (p.owner == address(0)) revert UnknownAdapter(parent);
            if (p.base != order.base) revert ParentOfOtherBase(parent, p.base);
            total += p.royaltyBps;
            ancestors += p.ancestors;
            if (p.depth >= depth) depth = uint256(p.depth) + 1;
        }
        if (total > rules.totalBps) revert ParentsAskTooMuch(total, rules.totalBps);
        if (depth > rules.depth) revert LineageTooDeep(depth, rules.depth);
        if (ancestors > MAX_ANCESTORS) revert LineageTooLarge(ancestors, MAX_ANCESTORS);
        a.revision = order.revision;
        a.royaltyBps = order.royaltyBps;
        a.depth = uint8(depth);
        a.ancestors = uint16(ancestors);
        a.parents = order.parents;
    }

    function _setLineageRules(LineageRules memory rules) private {
        if (
            rules.royaltyBps > rules.totalBps || rules.totalBps >= FeeSplitter.WHOLE || rules.parents > MAX_PARENTS
                || rules.depth > MAX_DEPTH
        ) revert InvalidLineageRules(rules);
        _lineageRules = rules;
        emit LineageRulesChanged(rules.royaltyBps, rules.totalBps, rules.parents, rules.depth);
    }

    /// @dev Everything about an order but its signature, revision and lineage. Returns the digest of the datanet version's root.
    function _checkOrder(TrainingOrder calldata order) private view returns (bytes32) {
        if (order.owner == address(0)) revert ZeroAddress();
        if (block.timestamp > order.deadline) revert OrderExpired(order.deadline, block.timestamp);
        if (_usedNonces[order.owner][order.nonce]) revert OrderNonceUsed(order.owner, order.nonce);
        if (_bases[order.base].registeredAt == 0) revert UnknownBase(order.base);
        _checkName(order.name);
        DatanetRegistry.Version memory v = _DATANETS.versionOf(order.datanet, order.version);
        if (keccak256(bytes(v.root)) != keccak256(bytes(order.root))) {
            revert RootMismatch(order.datanet, order.version, v.root, order.root);
        }
        return v.rootDigest;
    }

    /// @dev A delegate signs with a key of its own; an owner may be a contract (ERC-1271).
    function _signerOf(TrainingOrder calldata order, bytes calldata signature) private view returns (address) {
        bytes32 hash = trainingOrderDigest(order);
        (address signer, ECDSA.RecoverError failed,) = ECDSA.tryRecoverCalldata(hash, signature);
        if (
            failed == ECDSA.RecoverError.NoError && signer != order.owner
                && _DELEGATES.isDelegate(order.owner, signer, TRAIN)
        ) return signer;
        if (!SignatureChecker.isValidSignatureNowCalldata(order.owner, hash, signature)) {
            revert InvalidSignature(order.owner);
        }
        return order.owner;
    }

    function _emitRegistered(Adapter storage a) private {
        emit AdapterRegistered(a.digest, a.owner, a.base, a.datanet, a.version, a.access, a.name, a.cid, a.registrant);
        emit LineageRegistered(a.digest, a.revision, a.royaltyBps, a.depth, a.ancestors, a.parents);
        if (a.signer != a.owner) emit DelegateOrdered(a.digest, a.owner, a.signer);
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
