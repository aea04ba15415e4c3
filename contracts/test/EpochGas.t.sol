// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {BatchRef} from "../src/Types.sol";
import {EpochFixture} from "./support/EpochFixture.sol";
import {StandardTree} from "./support/StandardTree.sol";

/// @notice What a claim costs as a transaction of its own: 21,000, its call data, and its execution with cold storage.
contract EpochGasTest is EpochFixture {
    uint256 internal constant GOAL = 90_000;
    uint256 internal constant LEVELS = 20; // a million accounts
    uint256 internal constant LEVELS_OF_FEW = 6; // 64 of them

    /// @dev Shown by forge test -vv.
    event log_named_uint(string key, uint256 value);

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
        emit log_named_uint("gas of a claim", gas);
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

    /// Whoever pays an account first makes it, for 25,000 gas (Yellow Paper, G_newaccount): within the goal among few
    /// accounts, and 9,500 above it among a million, whose proof is longer.
    function test_Gas_Claim_ToANewAccount() public {
        vm.assertLe(gasOfFirstMoney("few", 1, LEVELS_OF_FEW), GOAL);
        vm.assertLe(gasOfFirstMoney("million", 2, LEVELS), GOAL + 9500);
    }

    /// A claim to an account that never was. Its amount is no round number, whose zeros cost less.
    function gasOfFirstMoney(string memory name, uint64 nonce, uint256 levels) private returns (uint256) {
        address nobody = address(uint160(uint256(keccak256(bytes(name)))));
        vm.assertEq(nobody.balance, 0);
        bytes32[] memory proof = new bytes32[](levels);
        for (uint256 i = 0; i < levels; ++i) {
            proof[i] = long[i];
        }
        deep(refs(worker, nonce, 1), proof, nobody, 3_141_592_653_589_793_238);
        return gasOfClaim(nobody, 3_141_592_653_589_793_238, proof);
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
