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
    Voucher
} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice Digests against forge's own EIP-712 encoder, from the type strings as everybody else writes them.
contract TypedDataTest is Fixture {
    function _expect(address verifier, bytes32 structHash, bytes32 digest) private view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("OpenLedger"),
                keccak256("1"),
                block.chainid,
                verifier
            )
        );
        vm.assertEq(digest, keccak256(abi.encodePacked(hex"1901", domain, structHash)));
    }

    function testFuzz_VoucherDigest_Succeeds(Voucher calldata v) public view {
        bytes32 want = vm.eip712HashStruct(
            "Voucher(address requester,address worker,uint256 cumulative,uint64 expires)", abi.encode(v)
        );
        _expect(address(escrow), want, escrow.voucherDigest(v));
    }

    function testFuzz_OpeningDigest_Succeeds(Opening calldata o) public view {
        bytes32 want = vm.eip712HashStruct(
            "Opening(address requester,address session,uint256 limit,uint64 expiry,uint256 amount,address[] workers,uint256[] amounts,uint256 nonce,uint64 deadline)",
            abi.encode(o)
        );
        _expect(address(escrow), want, escrow.openingDigest(o));
    }

    function testFuzz_DelegationDigest_Succeeds(Delegation calldata d) public view {
        bytes32 want = vm.eip712HashStruct(
            "Delegation(address owner,address delegate,uint32 scopes,uint64 expiry,uint256 nonce,uint64 deadline)",
            abi.encode(d)
        );
        _expect(address(delegates), want, delegates.delegationDigest(d));
    }

    function testFuzz_BindingDigest_Succeeds(Binding calldata b) public view {
        bytes32 want = vm.eip712HashStruct(
            "Binding(string peer,address nodeKey,address owner,address payout,uint64 issuedAt,uint64 expires)",
            abi.encode(b)
        );
        _expect(address(staking), want, staking.bindingDigest(b));
    }

    function testFuzz_TrainingOrderDigest_Succeeds(TrainingOrder calldata o) public view {
        bytes32 want = vm.eip712HashStruct(
            "TrainingOrder(address owner,string name,bytes32 base,uint64 datanet,uint32 version,string root,bytes32 hyperHash,uint256 access,uint16 royaltyBps,uint32 revision,bytes32[] parents,bytes32 nonce,uint64 deadline)",
            abi.encode(o)
        );
        _expect(address(models), want, models.trainingOrderDigest(o));
    }

    function testFuzz_AgentOrderDigest_Succeeds(AgentOrder calldata o) public view {
        bytes32 want = vm.eip712HashStruct(
            "AgentOrder(address owner,uint64 agent,uint32 version,string name,string manifest,uint256 price,uint64 deadline)",
            abi.encode(o)
        );
        _expect(address(agents), want, agents.orderDigest(o));
    }

    function testFuzz_ContributionDigest_Succeeds(Contribution calldata c) public view {
        bytes32 want = vm.eip712HashStruct(
            "Contribution(uint64 datanet,bytes32 record,address contributor,string license,uint64 at)", abi.encode(c)
        );
        _expect(address(datanets), want, datanets.contributionDigest(c));
    }

    function testFuzz_ReviewDigest_Succeeds(Review calldata r) public view {
        bytes32 want = vm.eip712HashStruct(
            "Review(uint64 datanet,bytes32 record,string status,string reason,uint64 at)", abi.encode(r)
        );
        _expect(address(datanets), want, datanets.reviewDigest(r));
    }

    function testFuzz_ReceiptDigest_Succeeds(Receipt calldata r) public view {
        bytes32 want = vm.eip712HashStruct(
            "Receipt(bytes32 id,address requester,address worker,bytes32 base,bytes32 adapter,uint64 agent,uint32 agentVersion,uint64 datanet,bytes32 datanetRoot,uint32 promptTokens,uint32 outputTokens,uint256 compute,uint256 access,uint256 markup,bytes32 outputHash,bytes32 attributionRoot,bytes32 evidence,uint64 finishedAt)",
            abi.encode(r)
        );
        _expect(address(settlement), want, settlement.receiptDigest(r));
    }
}
