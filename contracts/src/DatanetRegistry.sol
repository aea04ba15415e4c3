// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";
import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import {Cid} from "./Cid.sol";
import {DatanetPool, IDatanetOwners} from "./DatanetPool.sol";
import {DelegateRegistry} from "./DelegateRegistry.sol";
import {Contribution, Review} from "./Types.sol";
import {TypedData} from "./TypedData.sol";

/// @title Datanet registry
/// @notice Datanets and their published versions. A version is immutable: a number, the CID of its root and its licence.
/// A delegate of the owner with the scope PUBLISH may create and publish in the owner's name.
contract DatanetRegistry is IDatanetOwners, EIP712 {
    uint256 private constant MAX_NAME_BYTES = 64;
    uint256 private constant MAX_LICENSE_BYTES = 256;
    uint256 private constant MAX_METADATA_BYTES = 4096;

    /// @notice A datanet.
    /// @param license SPDX expression.
    /// @param pool contract that receives what attribution cannot assign.
    /// @param versions number of its newest version; 0: none.
    struct Datanet {
        address owner;
        address pool;
        uint32 versions;
        uint64 createdAt;
        string name;
        string license;
        string metadata;
    }

    /// @notice A published version.
    /// @param rootDigest SHA2-256 digest inside the root CID.
    struct Version {
        bytes32 rootDigest;
        uint64 recordCount;
        uint64 publishedAt;
        string root;
        string license;
    }

    uint32 private constant PUBLISH = 2; // DelegateRegistry.PUBLISH

    DelegateRegistry private immutable _DELEGATES;
    address private immutable _POOL_IMPLEMENTATION;
    uint64 private _count;
    mapping(uint64 datanet => Datanet) private _datanets;
    mapping(uint64 datanet => mapping(uint32 version => Version)) private _versions;
    mapping(uint64 datanet => uint256 price) private _retrievalPrices;

    /// @notice No such datanet.
    error UnknownDatanet(uint64 datanet);
    /// @notice No such version.
    error UnknownVersion(uint64 datanet, uint32 version);
    /// @notice The zero address cannot be used here.
    error ZeroAddress();
    /// @notice Only the datanet's owner, and its delegates with the scope PUBLISH, publish.
    error NotDatanetOwner(uint64 datanet, address caller);
    /// @notice The caller is no delegate of the owner with the scope PUBLISH.
    error NotDelegate(address owner, address caller);
    /// @notice This number is published already.
    error VersionExists(uint64 datanet, uint32 version);
    /// @notice Versions come in sequence.
    error VersionGap(uint64 datanet, uint32 expected, uint32 actual);
    /// @notice A text is empty or too long.
    error InvalidLength(string field, uint256 length, uint256 maximum);
    /// @notice A version needs at least one record.
    error NoRecords(uint64 datanet);

    event DatanetCreated(
        uint64 indexed datanet, address indexed owner, address pool, string name, string license, string metadata
    );
    /// @notice A delegate created the datanet, or published the version, in its owner's name; version 0: the datanet.
    event DelegateActed(uint64 indexed datanet, uint32 indexed version, address indexed delegate);
    event VersionPublished(
        uint64 indexed datanet,
        uint32 indexed version,
        bytes32 indexed rootDigest,
        string root,
        string license,
        uint64 recordCount
    );

    event RetrievalPriceChanged(uint64 indexed datanet, uint256 price);

    constructor(DelegateRegistry delegates_) EIP712(TypedData.NAME, TypedData.VERSION) {
        if (address(delegates_) == address(0)) revert ZeroAddress();
        _DELEGATES = delegates_;
        _POOL_IMPLEMENTATION = address(new DatanetPool());
    }

    /// @notice Creates a datanet owned by the caller, with its pool.
    /// @return datanet its id, from 1.
    function create(string calldata name, string calldata license, string calldata metadata)
        external
        returns (uint64 datanet)
    {
        return _create(msg.sender, name, license, metadata);
    }

    /// @notice Creates a datanet in the name of an owner whose delegate with the scope PUBLISH the caller is.
    /// @return datanet its id, from 1.
    function createFor(address owner, string calldata name, string calldata license, string calldata metadata)
        external
        returns (uint64 datanet)
    {
        if (!_DELEGATES.isDelegate(owner, msg.sender, PUBLISH)) revert NotDelegate(owner, msg.sender);
        datanet = _create(owner, name, license, metadata);
        emit DelegateActed(datanet, 0, msg.sender);
    }

    /// @notice Publishes the next version of a datanet of the caller, or of an owner whose delegate with the scope PUBLISH it is.
    /// @param root CIDv1 (base32, SHA2-256) of the version's manifest.
    function publish(uint64 datanet, uint32 version, string calldata root, string calldata license, uint64 recordCount)
        external
    {
        Datanet storage d = _existing(datanet);
        bool delegated = d.owner != msg.sender;
        if (delegated && !_DELEGATES.isDelegate(d.owner, msg.sender, PUBLISH)) {
            revert NotDatanetOwner(datanet, msg.sender);
        }
        uint32 next = d.versions + 1;
        if (version != 0 && version < next) revert VersionExists(datanet, version);
        if (version != next) revert VersionGap(datanet, next, version);
        _checkLength("license", license, 1, MAX_LICENSE_BYTES);
        if (recordCount == 0) revert NoRecords(datanet);
        bytes32 rootDigest = Cid.digest(root);
        d.versions = version;
        _versions[datanet][version] = Version({
            rootDigest: rootDigest,
            recordCount: recordCount,
            publishedAt: uint64(block.timestamp),
            root: root,
            license: license
        });
        emit VersionPublished(datanet, version, rootDigest, root, license, recordCount);
        if (delegated) emit DelegateActed(datanet, version, msg.sender);
    }

    /// @notice Who says who may act for an owner.
    function delegates() external view returns (DelegateRegistry) {
        return _DELEGATES;
    }

    /// @notice Sets what an answer pays that was given records of the caller's datanet to read; 0, as at first: nothing.
    /// It is divided like an adapter's access price, with the datanet's owner in the place of the adapter's.
    /// @param price wei per answer, however many of the datanet's records it was given.
    function setRetrievalPrice(uint64 datanet, uint256 price) external {
        if (_existing(datanet).owner != msg.sender) revert NotDatanetOwner(datanet, msg.sender);
        _retrievalPrices[datanet] = price;
        emit RetrievalPriceChanged(datanet, price);
    }

    /// @notice What an answer pays that was given records of a datanet, in wei.
    function retrievalPriceOf(uint64 datanet) external view returns (uint256) {
        _existing(datanet);
        return _retrievalPrices[datanet];
    }

    /// @notice How many datanets there are; their ids are 1 to this.
    function count() external view returns (uint64) {
        return _count;
    }

    /// @notice A datanet; reverts if there is none.
    function datanetOf(uint64 datanet) external view returns (Datanet memory) {
        return _existing(datanet);
    }

    /// @notice A published version; reverts if there is none.
    function versionOf(uint64 datanet, uint32 version) external view returns (Version memory) {
        Version storage v = _versions[datanet][version];
        if (v.publishedAt == 0) revert UnknownVersion(datanet, version);
        return v;
    }

    /// @inheritdoc IDatanetOwners
    function ownerOf(uint64 datanet) external view returns (address) {
        return _existing(datanet).owner;
    }

    /// @notice The datanet's pool contract.
    function poolOf(uint64 datanet) external view returns (address) {
        return _existing(datanet).pool;
    }

    /// @notice Number of the newest version; 0: none.
    function latestVersion(uint64 datanet) external view returns (uint32) {
        return _existing(datanet).versions;
    }

    /// @notice EIP-712 digest that a contributor signs.
    function contributionDigest(Contribution calldata contribution) external view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(contribution));
    }

    /// @notice EIP-712 digest that a datanet's owner signs.
    function reviewDigest(Review calldata review) external view returns (bytes32) {
        return _hashTypedDataV4(TypedData.structHash(review));
    }

    function _create(address owner, string calldata name, string calldata license, string calldata metadata)
        private
        returns (uint64 datanet)
    {
        _checkLength("name", name, 1, MAX_NAME_BYTES);
        _checkLength("license", license, 1, MAX_LICENSE_BYTES);
        _checkLength("metadata", metadata, 0, MAX_METADATA_BYTES);
        datanet = ++_count;
        address pool = Clones.cloneWithImmutableArgs(_POOL_IMPLEMENTATION, abi.encode(address(this), datanet));
        Datanet storage d = _datanets[datanet];
        d.owner = owner;
        d.pool = pool;
        d.createdAt = uint64(block.timestamp);
        d.name = name;
        d.license = license;
        d.metadata = metadata;
        emit DatanetCreated(datanet, owner, pool, name, license, metadata);
    }

    function _existing(uint64 datanet) private view returns (Datanet storage d) {
        d = _datanets[datanet];
        if (d.owner == address(0)) revert UnknownDatanet(datanet);
    }

    function _checkLength(string memory field, string calldata text, uint256 minimum, uint256 maximum) private pure {
        uint256 length = bytes(text).length;
        if (length < minimum || length > maximum) revert InvalidLength(field, length, maximum);
    }
}
