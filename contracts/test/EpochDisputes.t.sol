// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {DisputeCommittee} from "../src/DisputeCommittee.sol";
import {EpochDistributor} from "../src/EpochDistributor.sol";
import {PenaltyRules, Verdict} from "../src/Types.sol";
import {Court} from "./support/Court.sol";
import {StandardTree} from "./support/StandardTree.sol";

/// @notice Epoch roots before the committee: what becomes of the epoch, of both bonds and of the batches' money.
contract EpochDisputesTest is Court {
    bytes32 internal constant DOCUMENT = keccak256("epoch document");

    address internal proposer = address(uint160(0xF0));

    function setUp() public override {
        super.setUp();
        vm.deal(proposer, 10_000_000 ether);
        submit();
        submit();
        vm.warp(block.timestamp + window);
    }

    // ---- doing ----

    /// The root of what both batches owe; a lie adds to one account what it takes from another.
    function tree(uint256 lie) internal view returns (bytes32[] memory) {
        uint256[] memory sums = new uint256[](3);
        (sums[0], sums[1], sums[2]) = (2 ether, 12 ether - lie, 6 ether + lie);
        return StandardTree.build(accounts, sums);
    }

    function propose(uint256 lie) internal returns (uint32 id) {
        uint256 price = epochs.bond();
        vm.prank(proposer);
        id = epochs.open{value: price}(refs(worker, 0, 2));
        vm.prank(proposer);
        epochs.commit(id, tree(lie)[0], DOCUMENT);
    }

    function challengeEpoch(uint32 epoch, uint8 reason) internal returns (uint64) {
        uint256 price = disputes.bondFor(address(epochs), epoch);
        vm.deal(challenger, challenger.balance + price);
        vm.prank(challenger);
        return disputes.challengeEpoch{value: price}(epoch, reason, keccak256("evidence"));
    }

    function stageOf(uint32 epoch) internal view returns (uint256) {
        return uint256(epochs.epochOf(epoch).stage);
    }

    /// Nobody draws, in any round.
    function runOut(uint64 id) internal {
        for (uint256 i = 0; i < disputes.disputeOf(id).rounds; ++i) {
            vm.warp(uint256(disputes.disputeOf(id).deadline) + 1);
            disputes.advance(id);
        }
    }

    /// Everybody takes what is credited; then neither contract keeps a wei of any bond.
    function settleBonds() internal {
        address[2] memory parties = [challenger, proposer];
        for (uint256 i = 0; i < 2; ++i) {
            if (disputes.creditOf(parties[i]) != 0) disputes.collect(parties[i]);
            if (epochs.creditOf(parties[i]) != 0) epochs.collect(parties[i]);
        }
        if (disputes.creditOf(address(treasury)) != 0) disputes.collect(address(treasury));
        for (uint256 i = 0; i < VALIDATORS; ++i) {
            if (disputes.creditOf(validator(i)) != 0) disputes.collect(validator(i));
        }
        vm.assertEq(address(disputes).balance, 0, "the committee keeps nothing");
        vm.assertEq(epochs.creditOf(address(disputes)), 0, "nothing is left for the committee");
    }

    // ---- outcomes ----

    function test_Guilty_EpochDropped_BondShared_NextEpochPays() public {
        uint32 lie = propose(5 ether);
        uint64 id = challengeEpoch(lie, 2);
        DisputeCommittee.Dispute memory d = disputes.disputeOf(id);
        vm.assertEq(d.worker, address(epochs));
        vm.assertEq(d.nonce, lie);
        vm.assertEq(d.dataDigest, DOCUMENT);
        vm.assertEq(stageOf(lie), uint256(EpochDistributor.Stage.Disputed));
        draw(id);
        vm.expectEmit(true, true, true, true, address(disputes));
        emit DisputeCommittee.Resolved(id, address(epochs), lie, DisputeCommittee.Status.Guilty, 2, epochBond);
        decideAll(id, true, 2);

        vm.assertEq(stageOf(lie), uint256(EpochDistributor.Stage.Rejected));
        PenaltyRules memory p = disputes.penaltyRules();
        uint256 reward = epochBond * p.challengerBps / 10_000;
        uint256 quorum = disputes.disputeOf(id).quorum;
        uint256 each = epochBond * p.signersBps / 10_000 / quorum;
        vm.assertEq(disputes.creditOf(challenger), d.bond + reward);
        vm.assertEq(disputes.creditOf(disputes.seatsOf(id)[0].member), each);
        vm.assertEq(disputes.creditOf(address(treasury)), epochBond - reward - each * quorum);
        vm.assertEq(disputes.creditOf(proposer), 0);
        vm.assertEq(epochs.creditOf(proposer), 0);
        vm.assertEq(address(disputes).balance, d.bond + epochBond);
        vm.assertEq(address(epochs).balance, 0);
        vm.assertEq(staking.stakeOf(worker), minStake, "the batches' worker answers for nothing");
        vm.assertFalse(staking.isJailed(worker));
        for (uint256 i = 0; i < disputes.seatsOf(id).length; ++i) {
            vm.assertEq(validators.validatorOf(disputes.seatsOf(id)[i].member).seats, 0);
        }
        settleBonds();

        // One payout is claimed singly, the rest by the next, honest epoch.
        settlement.claim(worker, 0, 0, address(treasury), 1 ether, claimProof());
        uint256 before = owner.balance;
        uint256[] memory sums = new uint256[](3);
        (sums[0], sums[1], sums[2]) = (1 ether, 12 ether, 6 ether);
        bytes32[] memory honest = StandardTree.build(accounts, sums);
        vm.prank(proposer);
        uint32 next = epochs.open{value: epochBond}(refs(worker, 0, 2));
        vm.prank(proposer);
        epochs.commit(next, honest[0], DOCUMENT);
        vm.warp(block.timestamp + epochWindow);
        vm.assertTrue(epochs.finalise(next, refs(worker, 0, 2)));
        epochs.claim(owner, 6 ether, StandardTree.proof(honest, StandardTree.leaf(owner, 6 ether)));
        vm.assertEq(owner.balance, before + 6 ether);
    }

    function test_Upheld_BondGoesToProposerAndSigners_Once() public {
        uint32 epoch = propose(0);
        uint64 deadline = epochs.epochOf(epoch).deadline;
        uint64 id = challengeEpoch(epoch, 1);
        draw(id);
        decideAll(id, false, 0);
        uint256 price = disputes.challengeBond();
        uint256 quorum = disputes.disputeOf(id).quorum;
        uint256 each = price * disputes.penaltyRules().signersBps / 10_000 / quorum;
        vm.assertEq(disputes.creditOf(proposer), price - each * quorum);
        vm.assertEq(disputes.creditOf(disputes.seatsOf(id)[0].member), each);
        vm.assertEq(disputes.creditOf(challenger), 0);
        vm.assertEq(stageOf(epoch), uint256(EpochDistributor.Stage.Proposed));

        price = disputes.bondFor(address(epochs), epoch);
        vm.deal(challenger, price);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EpochWindowClosed.selector, epoch, deadline));
        vm.prank(challenger);
        disputes.challengeEpoch{value: price}(epoch, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EpochWindowOpen.selector, epoch, deadline));
        epochs.finalise(epoch, refs(worker, 0, 2));
        vm.warp(deadline);
        vm.assertTrue(epochs.finalise(epoch, refs(worker, 0, 2)));
        vm.assertEq(epochs.creditOf(proposer), epochBond);
        settleBonds();
    }

    /// @notice No quorum in any round: no root counts that was left in doubt, and nobody loses a bond.
    function test_Undecided_EpochDropped_BothBondsBack() public {
        uint32 epoch = propose(0);
        uint64 id = challengeEpoch(epoch, 2);
        runOut(id);
        vm.assertTrue(disputes.disputeOf(id).status == DisputeCommittee.Status.Undecided);
        vm.assertEq(stageOf(epoch), uint256(EpochDistributor.Stage.Rejected));
        vm.assertEq(disputes.creditOf(challenger), disputes.challengeBond());
        vm.assertEq(epochs.creditOf(proposer), epochBond);
        vm.assertEq(address(epochs).balance, epochBond);
        vm.assertFalse(settlement.batchOf(worker, 0).held, "what it held can be claimed singly");
        settlement.claim(worker, 0, 0, address(treasury), 1 ether, claimProof());
        settleBonds();
        vm.assertEq(address(epochs).balance, 0);
    }

    function test_Guilty_WithoutBond_Drops() public {
        vm.prank(admin);
        epochs.setBond(0);
        uint64 id = challengeEpoch(propose(1 ether), 2);
        draw(id);
        decideAll(id, true, 2);
        vm.assertEq(disputes.creditOf(challenger), disputes.challengeBond());
        settleBonds();
    }

    // ---- refusals ----

    function test_Challenge_OutsideItsWindow_Reverts() public {
        uint256 price = disputes.challengeBond();
        vm.deal(challenger, 10 * price);
        refusedWith(1, EpochDistributor.Stage.None, price);
        vm.prank(proposer);
        uint32 epoch = epochs.open{value: epochBond}(refs(worker, 0, 2));
        refusedWith(epoch, EpochDistributor.Stage.Building, price);
        vm.prank(proposer);
        epochs.commit(epoch, tree(0)[0], DOCUMENT);
        challengeEpoch(epoch, 1);
        vm.assertEq(disputes.bondFor(address(epochs), epoch), 2 * price);
        refusedWith(epoch, EpochDistributor.Stage.Disputed, 2 * price);
        runOut(1);
        refusedWith(epoch, EpochDistributor.Stage.Rejected, 2 * price);

        epoch = propose(0);
        uint64 deadline = epochs.epochOf(epoch).deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EpochWindowClosed.selector, epoch, deadline));
        vm.prank(challenger);
        disputes.challengeEpoch{value: price}(epoch, 1, 0);
        epochs.finalise(epoch, refs(worker, 0, 2));
        refusedWith(epoch, EpochDistributor.Stage.Finalised, price);
    }

    function refusedWith(uint32 epoch, EpochDistributor.Stage stage, uint256 price) internal {
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.WrongStage.selector, epoch, stage));
        vm.prank(challenger);
        disputes.challengeEpoch{value: price}(epoch, 1, 0);
    }

    function test_Challenge_BadArguments_Revert() public {
        uint32 epoch = propose(0);
        uint256 price = disputes.challengeBond();
        uint8[2] memory reasons = [0, 8];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidReason.selector, reasons[i]));
            disputes.challengeEpoch(epoch, reasons[i], 0);
        }
        vm.deal(challenger, price);
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.WrongBond.selector, price - 1, price));
        vm.prank(challenger);
        disputes.challengeEpoch{value: price - 1}(epoch, 1, 0);
        // The distributor settles nothing: its name challenges no batch.
        vm.expectRevert(
            abi.encodeWithSelector(
                DisputeCommittee.NotChallengeable.selector, address(epochs), epoch, AttributionSettlement.Status.None
            )
        );
        vm.prank(challenger);
        disputes.challenge{value: price}(address(epochs), epoch, 1, 0);
    }

    /// @notice A verdict about a batch says nothing about the epoch of the same number, nor about another document.
    function test_Verdict_OfABatchOrAnotherDocument_Reverts() public {
        uint32 epoch = propose(0);
        uint64 id = challengeEpoch(epoch, 1);
        draw(id);
        address member = disputes.seatsOf(id)[0].member;
        bytes32[2] memory digests = [
            disputes.verdictDigest(Verdict(id, worker, epoch, DOCUMENT, true, 1)),
            disputes.verdictDigest(Verdict(id, address(epochs), epoch, keccak256("another"), true, 1))
        ];
        (address[] memory signers, bytes[] memory signatures) = (new address[](1), new bytes[](1));
        signers[0] = member;
        for (uint256 i = 0; i < 2; ++i) {
            signatures[0] = sign(keyOf(member), digests[i]);
            vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidSignature.selector, member));
            disputes.submitVerdicts(id, true, 1, signers, signatures);
        }
        vote(id, member, true, 1);
    }

    function test_Draw_ProposerAndItsKeys_NeverSeated() public {
        // The worker proposes, and owner, node key and payout have nearly all of the pool's weight.
        proposer = worker;
        vm.deal(worker, epochBond);
        address[3] memory parties = [worker, node, payout];
        for (uint256 i = 0; i < 3; ++i) {
            vm.deal(parties[i], parties[i].balance + 1e9 ether);
            vm.prank(parties[i]);
            validators.join{value: 1e9 ether}();
        }
        vm.roll(block.number + 1);
        uint64 id = challengeEpoch(propose(0), 1);
        draw(id);
        DisputeCommittee.Seat[] memory seats = disputes.seatsOf(id);
        for (uint256 i = 0; i < seats.length; ++i) {
            keyOf(seats[i].member); // a validator of the fixture
        }
    }

    // ---- money ----

    /// @notice Whatever the bonds, the shares and the outcome: every wei of both bonds goes to somebody, once.
    function testFuzz_Conservation(uint8 outcome, uint128 bondOfEpoch, uint128 price, uint16 c, uint16 s, uint256 lie)
        public
    {
        uint256 stake = uint256(bondOfEpoch) % 1_000_000 ether;
        uint256 charge = 1 + uint256(price) % 1_000_000 ether;
        setRules(stake, charge, c % 5001, s % 5001);
        uint256 had = proposer.balance;
        uint256 all = wealth() + charge;
        judge(propose(lie % 12 ether), outcome % 3);
        settleBonds();
        vm.assertEq(wealth(), all, "wei are conserved");
        uint256 kept = 0;
        if (outcome % 3 == 0) {
            vm.assertEq(proposer.balance, had - stake, "a lie costs the whole bond");
            vm.assertTrue(challenger.balance >= charge);
        } else if (outcome % 3 == 1) {
            vm.assertTrue(proposer.balance >= had, "an honest proposer loses nothing");
            vm.assertEq(challenger.balance, 0);
            kept = 20 ether;
        } else {
            vm.assertEq(proposer.balance, had);
            vm.assertEq(challenger.balance, charge);
        }
        vm.assertEq(address(epochs).balance, kept, "what the epoch swept, and no bond");
        vm.assertEq(address(settlement).balance, 20 ether - kept);
    }

    function setRules(uint256 stake, uint256 charge, uint16 challengerBps, uint16 signersBps) internal {
        PenaltyRules memory rules = disputes.penaltyRules();
        (rules.challengerBps, rules.signersBps) = (challengerBps, signersBps);
        vm.prank(admin);
        disputes.setPenalties(rules);
        vm.prank(admin);
        disputes.setChallengeBond(uint128(charge));
        vm.prank(admin);
        epochs.setBond(stake);
    }

    /// Challenges an epoch and takes it to an outcome: 0 guilty, 1 upheld and finalised, 2 undecided.
    function judge(uint32 epoch, uint256 outcome) internal {
        uint64 id = challengeEpoch(epoch, 1);
        if (outcome == 2) return runOut(id);
        draw(id);
        if (outcome == 0) return decideAll(id, true, 1);
        decideAll(id, false, 0);
        vm.warp(block.timestamp + epochWindow);
        epochs.finalise(epoch, refs(worker, 0, 2));
    }

    function wealth() internal view returns (uint256 sum) {
        sum = address(treasury).balance + proposer.balance + challenger.balance;
        for (uint256 i = 0; i < VALIDATORS; ++i) {
            sum += validator(i).balance;
        }
    }
}
