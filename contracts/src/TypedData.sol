// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {
    AgentOrder,
    Binding,
    Contribution,
    Delegation,
    Opening,
    Receipt,
    Review,
    TrainingOrder,
    Verdict
} from "./Types.sol";

/// @title EIP-712 struct hashes
/// @notice Struct hashes of everything that is signed off chain. The domain is added by the contract that checks the
/// signature: name "OpenLedger", version "1", its own address.
library TypedData {
    string internal constant NAME = "OpenLedger";
    string internal constant VERSION = "1";

    bytes32 internal constant VOUCHER_TYPEHASH =
        keccak256("Voucher(address requester,address worker,uint256 cumulative,uint64 expires)");
    bytes32 internal constant OPENING_TYPEHASH = keccak256(
        "Opening(address requester,address session,uint256 limit,uint64 expiry,uint256 amount,address[] workers,uint256[] amounts,uint256 nonce,uint64 deadline)"
    );
    bytes32 internal constant BINDING_TYPEHASH =
        keccak256("Binding(string peer,address nodeKey,address owner,address payout,uint64 issuedAt,uint64 expires)");
    bytes32 internal constant TRAINING_ORDER_TYPEHASH = keccak256(
        "TrainingOrder(address owner,string name,bytes32 base,uint64 datanet,uint32 version,string root,bytes32 hyperHash,uint256 access,uint16 royaltyBps,uint32 revision,bytes32[] parents,bytes32 nonce,uint64 deadline)"
    );
    bytes32 internal constant AGENT_ORDER_TYPEHASH = keccak256(
        "AgentOrder(address owner,uint64 agent,uint32 version,string name,string manifest,uint256 price,uint64 deadline)"
    );
    bytes32 internal constant DELEGATION_TYPEHASH = keccak256(
        "Delegation(address owner,address delegate,uint32 scopes,uint64 expiry,uint256 nonce,uint64 deadline)"
    );
    bytes32 internal constant CONTRIBUTION_TYPEHASH =
        keccak256("Contribution(uint64 datanet,bytes32 record,address contributor,string license,uint64 at)");
    bytes32 internal constant REVIEW_TYPEHASH =
        keccak256("Review(uint64 datanet,bytes32 record,string status,string reason,uint64 at)");
    bytes32 internal constant RECEIPT_TYPEHASH = keccak256(
        "Receipt(bytes32 id,address requester,address worker,bytes32 base,bytes32 adapter,uint64 agent,uint32 agentVersion,uint64 datanet,bytes32 datanetRoot,uint32 promptTokens,uint32 outputTokens,uint256 compute,uint256 access,uint256 markup,bytes32 outputHash,bytes32 attributionRoot,bytes32 evidence,uint64 finishedAt)"
    );
    bytes32 internal constant VERDICT_TYPEHASH =
        keccak256("Verdict(uint64 dispute,address worker,uint64 nonce,bytes32 dataDigest,bool guilty,uint8 reason)");

    /// @dev Of its fields: settlement knows the worker from elsewhere.
    function voucherHash(address requester, address worker, uint256 cumulative, uint64 expires)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(VOUCHER_TYPEHASH, requester, worker, cumulative, expires));
    }

    /// @dev The elements of an array of words, packed, are its EIP-712 encoding.
    function structHash(Opening calldata o) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                OPENING_TYPEHASH,
                o.requester,
                o.session,
                o.limit,
                o.expiry,
                o.amount,
                keccak256(abi.encodePacked(o.workers)),
                keccak256(abi.encodePacked(o.amounts)),
                o.nonce,
                o.deadline
            )
        );
    }

    function structHash(Binding calldata b) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(BINDING_TYPEHASH, keccak256(bytes(b.peer)), b.nodeKey, b.owner, b.payout, b.issuedAt, b.expires)
        );
    }

    /// @dev Two halves, since one call does not take so many values; every one is a word, so they join to the encoding.
    function structHash(TrainingOrder calldata o) internal pure returns (bytes32) {
        return keccak256(
            bytes.concat(
                abi.encode(
                    TRAINING_ORDER_TYPEHASH,
                    o.owner,
                    keccak256(bytes(o.name)),
                    o.base,
                    o.datanet,
                    o.version,
                    keccak256(bytes(o.root))
                ),
                abi.encode(
                    o.hyperHash,
                    o.access,
                    o.royaltyBps,
                    o.revision,
                    keccak256(abi.encodePacked(o.parents)),
                    o.nonce,
                    o.deadline
                )
            )
        );
    }

    function structHash(AgentOrder calldata o) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                AGENT_ORDER_TYPEHASH,
                o.owner,
                o.agent,
                o.version,
                keccak256(bytes(o.name)),
                keccak256(bytes(o.manifest)),
                o.price,
                o.deadline
            )
        );
    }

    /// @dev Every field is one static word, so that the encoding of the struct is the encoding of its data.
    function structHash(Delegation calldata d) internal pure returns (bytes32) {
        return keccak256(abi.encode(DELEGATION_TYPEHASH, d));
    }

    function structHash(Contribution calldata c) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(CONTRIBUTION_TYPEHASH, c.datanet, c.record, c.contributor, keccak256(bytes(c.license)), c.at)
        );
    }

    function structHash(Review calldata r) internal pure returns (bytes32) {
        return keccak256(
            abi.encode(
                REVIEW_TYPEHASH, r.datanet, r.record, keccak256(bytes(r.status)), keccak256(bytes(r.reason)), r.at
            )
        );
    }

    /// @dev As of a delegation.
    function structHash(Receipt calldata r) internal pure returns (bytes32) {
        return keccak256(abi.encode(RECEIPT_TYPEHASH, r));
    }

    function structHash(Verdict memory v) internal pure returns (bytes32) {
        return keccak256(abi.encode(VERDICT_TYPEHASH, v.dispute, v.worker, v.nonce, v.dataDigest, v.guilty, v.reason));
    }
}
