// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Batch, BatchRef, SignedVoucher} from "../../src/Types.sol";
import {Fixture} from "./Fixture.sol";
import {StandardTree} from "./StandardTree.sol";

/// @notice Batches that owe to alice and bob, and epochs made of them.
abstract contract EpochFixture is Fixture {
    bytes32 internal constant DOCUMENT = keccak256("epoch document");

    address internal judge = address(uint160(0xD1));
    address internal proposer = address(uint160(0xF0));
    address internal alice = address(uint160(0xABC001));
    address internal bob = address(uint160(0xABC002));
    address[] internal accounts;
    uint256[] internal amounts;

    function setUp() public virtual override {
        super.setUp();
        bond(worker, 10 * minStake);
        deposit(requester, 1000 ether);
        vm.deal(proposer, 100 * epochBond);
        bytes32 role = epochs.DISPUTE_ROLE();
        vm.prank(admin);
        epochs.grantRole(role, judge);
        (accounts, amounts) = (new address[](2), new uint256[](2));
        (accounts[0], accounts[1]) = (alice, bob);
        (amounts[0], amounts[1]) = (3 ether, 1 ether);
    }

    // ---- doing ----

    /// Settles n batches that each owe 3 to alice and 1 to bob, and lets their windows pass.
    function settle(uint64 n) internal returns (Batch[] memory list) {
        list = new Batch[](n);
        for (uint64 i = 0; i < n; ++i) {
            list[i] = batchOf(worker, settlement.nextNonce(worker), accounts, amounts);
            uint256 cumulative = escrow.drawnOf(requester, worker) + list[i].total;
            SignedVoucher[] memory vs = one(signed(voucher(cumulative), REQUESTER_KEY));
            vm.prank(worker);
            settlement.submitBatch(list[i], vs);
        }
        vm.warp(block.timestamp + window);
    }

    function open(BatchRef[] memory list) internal returns (uint32) {
        vm.prank(proposer);
        return epochs.open{value: epochBond}(list);
    }

    function tree(uint256 ofAlice, uint256 ofBob) internal view returns (bytes32[] memory) {
        uint256[] memory sums = new uint256[](2);
        (sums[0], sums[1]) = (ofAlice, ofBob);
        return StandardTree.build(accounts, sums);
    }

    function commit(uint32 id, uint256 ofAlice, uint256 ofBob) internal {
        bytes32 root = tree(ofAlice, ofBob)[0];
        vm.prank(proposer);
        epochs.commit(id, root, DOCUMENT);
    }

    /// An epoch from opening to finalised.
    function epoch(BatchRef[] memory list, uint256 ofAlice, uint256 ofBob) internal returns (uint32 id) {
        id = open(list);
        commit(id, ofAlice, ofBob);
        vm.warp(block.timestamp + epochWindow);
        vm.assertTrue(epochs.finalise(id, list));
    }

    function proofOf(uint256 ofAlice, uint256 ofBob, address who, uint256 amount)
        internal
        view
        returns (bytes32[] memory)
    {
        return StandardTree.proof(tree(ofAlice, ofBob), StandardTree.leaf(who, amount));
    }
}
