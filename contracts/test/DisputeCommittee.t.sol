// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {DisputeCommittee} from "../src/DisputeCommittee.sol";
import {Batch} from "../src/Types.sol";
import {Court} from "./support/Court.sol";

contract DisputeCommitteeTest is Court {
    function test_Guilty_SlashedJailedRefunded() public {
        submit();
        uint256 before = escrow.balanceOf(requester);
        uint64 id = challenge(0, 2);
        vm.assertTrue(statusOf(0) == AttributionSettlement.Status.Disputed);
        draw(id);
        decideAll(id, true, 5);
        DisputeCommittee.Dispute memory d = disputes.disputeOf(id);
        vm.assertTrue(d.status == DisputeCommittee.Status.Guilty);
        vm.assertEq(d.reason, 5);
        vm.assertTrue(statusOf(0) == AttributionSettlement.Status.Rejected);

        uint256 slashed = minStake * disputes.penaltyRules().slashBps / 10_000;
        vm.assertEq(staking.stakeOf(worker), minStake - slashed);
        vm.assertTrue(staking.isJailed(worker));
        vm.assertFalse(staking.isActive(worker));
        vm.assertEq(disputes.creditOf(challenger), d.bond + slashed * disputes.penaltyRules().challengerBps / 10_000);
        disputes.collect(challenger);
        disputes.collect(address(treasury));

        settlement.refund(worker, 0, draws(10 ether));
        vm.assertEq(escrow.balanceOf(requester), before + 10 ether);
        vm.assertEq(address(settlement).balance, 0);
    }

    function test_Upheld_BondGoesToWorkerAndSigners() public {
        submit();
        uint64 id = challenge(0, 4);
        draw(id);
        decideAll(id, false, 0);
        uint256 toSigners = disputes.challengeBond() * disputes.penaltyRules().signersBps / 10_000;
        uint256 each = toSigners / disputes.disputeOf(id).quorum;
        vm.assertEq(disputes.creditOf(disputes.seatsOf(id)[0].member), each);
        vm.assertEq(disputes.creditOf(worker), disputes.challengeBond() - each * disputes.disputeOf(id).quorum);
        vm.assertEq(staking.stakeOf(worker), minStake);
        vm.assertTrue(statusOf(0) == AttributionSettlement.Status.Pending);
        vm.warp(settlement.batchOf(worker, 0).claimableAt);
        vm.assertTrue(statusOf(0) == AttributionSettlement.Status.Claimable);
    }
}
