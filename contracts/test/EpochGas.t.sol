// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {BatchRef} from "../src/Types.sol";
import {EpochFixture} from "./support/EpochFixture.sol";
import {StandardTree} from "./support/StandardTree.sol";

/// @notice What a claim costs as a transaction of its own: 21,000, its call data, and its execution with cold storage.
contract EpochGasTest is EpochFixture {
    uint256 internal constant GOAL = 90_000;
    uint256 internal constant LEVELS = 20; // a million accounts
    uint256 internal constant NEW_ACCOUNT = 25_000; // of the EVM (Yellow Paper, G_newaccount)

    bytes32[] internal long;

    /// In setUp, so that its writes are another transaction's.
    function setUp() public override {
        super.setUp();
        settle(40);
        vm.deal(alice, 1); // whoever sends a transaction has an account
        vm.deal(bob, 1);
        for (uint256 i = 0; i < LEVELS; ++i) {
            long.push(keccak256(abi.encode("sibling", i)));
        }
        deep(refs(worker, 0, 1), long, alice, 3 ether);
    }

    /// An epoch whose root is that of a tree in which an account is so many levels down.
    function deep(BatchRef[] memory list, bytes32[] memory proof, address account, uint256 cumulative) internal {
        bytes32 root = StandardTree.leaf(account, cumulative);
        for (uint256 i = 0; i < proof.length; ++i) {
            root = StandardTree.pair(root, proof[i]);
        }
        uint32 id = open(list);
        vm.prank(proposer);
        epochs.commit(id, root, DOCUMENT);
        vm.warp(block.timestamp + epochWindow);
        epochs.finalise(id, list);
    }

    /// Gas of a claim as a transaction. Execution is measured with everything cold, the contract too, whose address a
    /// transaction has warm: the figure is 2,600 too high.
    function gasOfClaim(address account, uint256 cumulative, bytes32[] memory proof) internal returns (uint256 gas) {
        bytes memory data = abi.encodeCall(epochs.claim, (account, cumulative, proof));
        gas = 21_000;
        for (uint256 i = 0; i < data.length; ++i) {
            gas += data[i] == 0 ? 4 : 16;
        }
        vm.cool(address(epochs));
        vm.cool(account);
        uint256 before = gasleft();
        (bool ok,) = address(epochs).call(data);
        gas += before - gasleft();
        vm.assertTrue(ok);
    }

    /// The first claim of an account among a million, and one after 39 more epochs.
    function test_Gas_Claim_AtMost90000() public {
        uint256 first = gasOfClaim(alice, 3 ether, long);
        vm.assertTrue(first <= GOAL, "first claim");
        vm.assertEq(alice.balance, 3 ether + 1);
        for (uint256 i = 1; i < 40; ++i) {
            deep(refs(worker, uint64(i), 1), long, alice, 3 ether * (i + 1));
        }
        uint256 later = gasOfClaim(alice, 120 ether, long);
        vm.assertTrue(later <= GOAL, "later claim");
        vm.assertTrue(later <= first, "the number of epochs adds nothing");
        vm.assertEq(alice.balance, 120 ether + 1);
    }

    /// Whoever pays an account first makes it: 25,000 gas that a payer cannot save. All the rest is within the goal.
    function test_Gas_Claim_ToANewAccount() public {
        address nobody = address(0xdead1);
        deep(refs(worker, 1, 1), long, nobody, 3 ether);
        uint256 gas = gasOfClaim(nobody, 3 ether, long);
        vm.assertTrue(gas - NEW_ACCOUNT <= GOAL, "all but the account");
    }

    /// The number of batches adds nothing.
    function test_Gas_Claim_ManyBatches() public {
        uint256 single = gasOfClaim(alice, 3 ether, long);
        deep(refs(worker, 1, 39), long, bob, 39 ether);
        vm.assertTrue(gasOfClaim(bob, 39 ether, long) <= single);
    }

    /// For the snapshot: the claim alone.
    function test_Gas_Claim() public {
        epochs.claim(alice, 3 ether, long);
    }
}
