// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {DisputeCommittee} from "../src/DisputeCommittee.sol";
import {Draw, PenaltyRules, Verdict} from "../src/Types.sol";
import {ValidatorPool} from "../src/ValidatorPool.sol";
import {WorkerStaking} from "../src/WorkerStaking.sol";
import {Court} from "./support/Court.sol";

contract DisputeCommitteeTest is Court {
    function _upheldBy(uint64 id, uint256 n) private {
        DisputeCommittee.Seat[] memory seats = disputes.seatsOf(id);
        for (uint256 i = 0; i < n; ++i) {
            vote(id, seats[i].member, false, 0);
        }
    }

    function _status(uint64 id) private view returns (DisputeCommittee.Status) {
        return disputes.disputeOf(id).status;
    }

    // ---- outcomes ----

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
        uint256 reward = slashed * disputes.penaltyRules().challengerBps / 10_000;
        vm.assertEq(disputes.creditOf(challenger), d.bond + reward);
        uint256 each = slashed * disputes.penaltyRules().signersBps / 10_000 / d.quorum;
        vm.assertEq(disputes.creditOf(disputes.seatsOf(id)[0].member), each);
        vm.assertEq(disputes.creditOf(disputes.seatsOf(id)[2].member), 0, "who said nothing earns nothing");
        vm.assertEq(disputes.creditOf(address(treasury)), slashed - reward - each * d.quorum);
        vm.assertEq(address(disputes).balance, d.bond + slashed);
        disputes.collect(challenger);
        vm.assertEq(challenger.balance, d.bond + reward);
        disputes.collect(address(treasury));
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.NothingToCollect.selector, challenger));
        disputes.collect(challenger);

        settlement.refund(worker, 0, draws(10 ether));
        vm.assertEq(escrow.balanceOf(requester), before + 10 ether);
        vm.assertEq(address(settlement).balance, 0);
    }

    function test_Upheld_BondGoesToWorkerAndSigners() public {
        submit();
        vm.warp(block.timestamp + 2);
        uint64 id = challenge(0, 4);
        vm.warp(block.timestamp + 100);
        draw(id);
        decideAll(id, false, 0);
        uint256 toSigners = disputes.challengeBond() * disputes.penaltyRules().signersBps / 10_000;
        uint256 each = toSigners / disputes.disputeOf(id).quorum;
        vm.assertEq(disputes.creditOf(disputes.seatsOf(id)[0].member), each);
        vm.assertEq(disputes.creditOf(worker), disputes.challengeBond() - each * disputes.disputeOf(id).quorum);
        vm.assertEq(disputes.creditOf(challenger), 0);
        vm.assertEq(staking.stakeOf(worker), minStake);
        vm.assertTrue(statusOf(0) == AttributionSettlement.Status.Pending);
        vm.assertEq(settlement.batchOf(worker, 0).claimableAt, block.timestamp + window - 2, "the clock stood still");
        vm.warp(settlement.batchOf(worker, 0).claimableAt);
        vm.assertTrue(statusOf(0) == AttributionSettlement.Status.Claimable);
    }

    function test_Verdicts_InParts_CompleteTheQuorum() public {
        submit();
        uint64 id = challenge(0, 2);
        draw(id);
        DisputeCommittee.Seat[] memory seats = disputes.seatsOf(id);
        vote(id, seats[0].member, true, 2);
        vote(id, seats[1].member, false, 0);
        vm.assertTrue(_status(id) == DisputeCommittee.Status.Voting);
        vote(id, seats[2].member, true, 7);
        vm.assertTrue(_status(id) == DisputeCommittee.Status.Guilty);
        vm.assertEq(disputes.disputeOf(id).reason, 7);
        for (uint256 i = 0; i < seats.length; ++i) {
            vm.assertEq(validators.validatorOf(seats[i].member).seats, 0);
        }
    }

    function test_Dissent_EarnsNothing_LosesNothing() public {
        submit();
        uint64 id = challenge(0, 2);
        draw(id);
        address dissenter = disputes.seatsOf(id)[2].member;
        vote(id, dissenter, true, 2);
        _upheldBy(id, 2);
        vm.assertEq(disputes.creditOf(dissenter), 0);
        vm.assertEq(validators.validatorOf(dissenter).bond, validators.rules().minBond);
    }

    // ---- who may sign what ----

    function test_Verdict_NotSeated_Reverts() public {
        submit();
        uint64 id = challenge(0, 2);
        draw(id);
        (address[] memory signers, bytes[] memory signatures) = (new address[](1), new bytes[](1));
        for (uint256 i = 0; i < VALIDATORS; ++i) {
            if (validators.validatorOf(validator(i)).seats == 0) signers[0] = validator(i);
        }
        signatures[0] = sign(keyOf(signers[0]), verdictOf(id, true, 2));
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.NotSeated.selector, id, signers[0]));
        disputes.submitVerdicts(id, true, 2, signers, signatures);
    }

    function test_Verdict_DuplicateSigner_CountsOnce() public {
        submit();
        uint64 id = challenge(0, 2);
        draw(id);
        (address[] memory signers, bytes[] memory signatures) = (new address[](3), new bytes[](3));
        for (uint256 i = 0; i < 3; ++i) {
            signers[i] = disputes.seatsOf(id)[0].member;
            signatures[i] = sign(keyOf(signers[i]), verdictOf(id, true, 2));
        }
        disputes.submitVerdicts(id, true, 2, signers, signatures);
        vm.assertEq(disputes.disputeOf(id).guilty, 1);
        vm.assertTrue(_status(id) == DisputeCommittee.Status.Voting);
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.NoNewVerdict.selector, id));
        disputes.submitVerdicts(id, true, 2, signers, signatures);
        // Nor does a member that changes its mind count twice.
        signatures[0] = sign(keyOf(signers[0]), verdictOf(id, false, 0));
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.NoNewVerdict.selector, id));
        disputes.submitVerdicts(id, false, 0, signers, signatures);
    }

    function test_Verdict_OfAnotherDisputeBatchOrJudgement_Reverts() public {
        submit();
        submit();
        uint64 first = challenge(0, 2);
        uint64 id = challenge(1, 2);
        draw(id);
        address member = disputes.seatsOf(id)[0].member;
        bytes32[4] memory digests = [
            verdictOf(first, true, 2),
            verdictOf(id, true, 3),
            verdictOf(id, false, 0),
            disputes.verdictDigest(Verdict(id, worker, 1, keccak256("another document"), true, 2))
        ];
        (address[] memory signers, bytes[] memory signatures) = (new address[](1), new bytes[](1));
        signers[0] = member;
        for (uint256 i = 0; i < digests.length; ++i) {
            signatures[0] = sign(keyOf(member), digests[i]);
            vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidSignature.selector, member));
            disputes.submitVerdicts(id, true, 2, signers, signatures);
        }
    }

    function test_Verdict_MalleableOrCutSignature_Reverts() public {
        submit();
        uint64 id = challenge(0, 2);
        draw(id);
        address member = disputes.seatsOf(id)[0].member;
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(keyOf(member), verdictOf(id, true, 2));
        uint256 n = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;
        (address[] memory signers, bytes[] memory signatures) = (new address[](1), new bytes[](1));
        signers[0] = member;
        bytes[3] memory bad =
            [abi.encodePacked(r, n - uint256(s), v == 27 ? 28 : 27), abi.encodePacked(r, s), bytes("")];
        for (uint256 i = 0; i < bad.length; ++i) {
            signatures[0] = bad[i];
            vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidSignature.selector, member));
            disputes.submitVerdicts(id, true, 2, signers, signatures);
        }
    }

    /// @notice A contract joins and says yes to any signature (ERC-1271): it is seated, and its word is not taken.
    function test_Verdict_ContractSigner_Reverts() public {
        YesMan yes = new YesMan();
        uint256 amount = 1_000_000 ether;
        vm.deal(address(yes), amount);
        yes.join(validators, amount);
        vm.roll(block.number + 1);
        submit();
        uint64 id = challenge(0, 2);
        draw(id);
        bool seated = false;
        DisputeCommittee.Seat[] memory seats = disputes.seatsOf(id);
        for (uint256 i = 0; i < seats.length; ++i) {
            seated = seated || seats[i].member == address(yes);
        }
        vm.assertTrue(seated, "nearly all the stake is its");
        (address[] memory signers, bytes[] memory signatures) = (new address[](1), new bytes[](1));
        (signers[0], signatures[0]) = (address(yes), new bytes(65));
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidSignature.selector, address(yes)));
        disputes.submitVerdicts(id, true, 2, signers, signatures);
    }

    function test_Verdict_BadArguments_Revert() public {
        submit();
        uint64 id = challenge(0, 2);
        (address[] memory signers, bytes[] memory signatures) = (new address[](1), new bytes[](2));
        vm.expectRevert(
            abi.encodeWithSelector(DisputeCommittee.WrongStatus.selector, id, DisputeCommittee.Status.Waiting)
        );
        disputes.submitVerdicts(id, true, 2, signers, signatures);
        draw(id);
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.LengthMismatch.selector, 1, 2));
        disputes.submitVerdicts(id, true, 2, signers, signatures);
        uint8[3] memory reasons = [0, 8, 1];
        for (uint256 i = 0; i < 3; ++i) {
            vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidReason.selector, reasons[i]));
            disputes.submitVerdicts(id, i < 2, reasons[i], signers, signatures);
        }
        uint64 deadline = disputes.disputeOf(id).deadline;
        vm.warp(deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.PeriodOver.selector, id, deadline));
        disputes.submitVerdicts(id, true, 2, signers, signatures);
    }

    // ---- challenges ----

    function test_Challenge_Invalid_Reverts() public {
        submit();
        vm.deal(challenger, 1000 ether);
        uint256 price = disputes.challengeBond();
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidReason.selector, 0));
        disputes.challenge(worker, 0, 0, 0);
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidReason.selector, 8));
        disputes.challenge(worker, 0, 8, 0);
        vm.expectRevert(
            abi.encodeWithSelector(
                DisputeCommittee.NotChallengeable.selector, worker, 1, AttributionSettlement.Status.None
            )
        );
        disputes.challenge(worker, 1, 1, 0);
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.WrongBond.selector, price - 1, price));
        vm.prank(challenger);
        disputes.challenge{value: price - 1}(worker, 0, 1, 0);
        challenge(0, 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                DisputeCommittee.NotChallengeable.selector, worker, 0, AttributionSettlement.Status.Disputed
            )
        );
        vm.prank(challenger);
        disputes.challenge{value: price}(worker, 0, 1, 0);
    }

    function test_Challenge_LastSecond_Counts_AfterIt_Reverts() public {
        submit();
        submit();
        vm.warp(settlement.batchOf(worker, 0).claimableAt - 1);
        uint64 id = challenge(0, 1);
        vm.warp(block.timestamp + 1);
        vm.expectRevert(
            abi.encodeWithSelector(
                DisputeCommittee.NotChallengeable.selector, worker, 1, AttributionSettlement.Status.Claimable
            )
        );
        disputes.challenge(worker, 1, 1, 0);
        draw(id);
        decideAll(id, false, 0);
        vm.assertEq(settlement.batchOf(worker, 0).claimableAt, block.timestamp + 1, "a second is left");
    }

    /// @notice Challenging again and again costs twice as much each time and ends while the stake is there.
    function test_Challenge_AgainAndAgain_DoublesAndEnds() public {
        submit();
        uint256 price = disputes.challengeBond();
        uint256 earned = 0;
        uint256 n = 0;
        for (;; ++n) {
            if (block.timestamp + disputes.longest() > START + unbonding && n > 0) break;
            vm.assertEq(disputes.bondFor(worker, 0), price << n);
            uint64 id = challenge(0, 1);
            vm.warp(block.timestamp + disputes.periodRules().drawing);
            draw(id);
            vm.warp(block.timestamp + disputes.periodRules().voting);
            decideAll(id, false, 0);
            uint256 now_ = disputes.creditOf(worker);
            vm.assertTrue(now_ >= earned + (price << n) * 7 / 10, "the worker is paid for its trouble");
            earned = now_;
            if (n == 20) vm.warp(START + unbonding); // it would take a fortune of 2^20 bonds
        }
        vm.assertEq(staking.stakeOf(worker), minStake);
        (, uint64 count) = disputes.disputesOf(worker, 0);
        vm.assertEq(count, n);
        uint256 next = disputes.bondFor(worker, 0);
        vm.deal(challenger, next);
        if (statusOf(0) != AttributionSettlement.Status.Pending) return;
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.ChallengedEnough.selector, worker, 0));
        vm.prank(challenger);
        disputes.challenge{value: next}(worker, 0, 1, 0);
    }

    /// @notice Hostile challenges of all reasons, honest committees: the worker never loses stake.
    function testFuzz_HonestWorker_NeverSlashed(uint8 reason, bytes32 seed, uint8 late) public {
        reason = 1 + reason % 7;
        submit();
        uint64 id = challenge(0, reason);
        for (uint256 i = 0; i < late % 3; ++i) {
            drawWith(id, keccak256(abi.encode(seed, i)));
            vm.warp(disputes.disputeOf(id).deadline + 1);
            disputes.advance(id);
            for (uint256 j = 0; j < VALIDATORS; ++j) {
                enrol(j, 100 ether);
            }
            vm.roll(block.number + 1);
        }
        if (_status(id) == DisputeCommittee.Status.Waiting) {
            // The weights of the round were taken before the absent topped up: the committee may be short.
            vm.warp(block.timestamp + 1);
            uint48 at = disputes.disputeOf(id).drawBlock;
            vm.roll(uint256(at) + 300);
            disputes.draw(id); // the hash is gone: another block, and the weights of now
            drawWith(id, seed);
            decideAll(id, false, 0);
        }
        vm.assertEq(staking.stakeOf(worker), minStake);
        vm.assertFalse(staking.isJailed(worker));
        vm.assertTrue(statusOf(0) != AttributionSettlement.Status.Rejected);
    }

    // ---- rounds ----

    function test_Rounds_AbsentPay_ThenBatchStands() public {
        submit();
        uint64 id = challenge(0, 1);
        uint256 rounds = disputes.committeeRules().rounds;
        uint256 penalty = uint256(validators.rules().minBond) * disputes.penaltyRules().absenceBps / 10_000;
        for (uint256 i = 0; i < rounds; ++i) {
            for (uint256 j = 0; j < VALIDATORS; ++j) {
                enrol(j, 500 ether);
            }
            if (i == 0) {
                draw(id);
                address member = disputes.seatsOf(id)[0].member;
                uint256 had = validators.validatorOf(member).bond;
                vote(id, disputes.seatsOf(id)[1].member, true, 1);
                uint64 deadline = disputes.disputeOf(id).deadline;
                vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.PeriodOpen.selector, id, deadline));
                disputes.advance(id);
                vm.warp(deadline + 1);
                disputes.advance(id);
                uint256 cut = had * disputes.penaltyRules().absenceBps / 10_000;
                vm.assertEq(validators.validatorOf(member).bond, had - cut);
                vm.assertEq(disputes.creditOf(address(treasury)), 2 * cut, "two of three were absent");
                vm.assertTrue(cut > penalty);
            } else {
                vm.warp(disputes.disputeOf(id).deadline + 1); // nobody draws
                vm.expectRevert();
                disputes.draw(id);
                disputes.advance(id);
            }
        }
        vm.assertTrue(_status(id) == DisputeCommittee.Status.Undecided);
        vm.assertEq(disputes.creditOf(challenger), disputes.challengeBond());
        vm.assertTrue(statusOf(0) == AttributionSettlement.Status.Pending);
        vm.expectRevert(
            abi.encodeWithSelector(DisputeCommittee.WrongStatus.selector, id, DisputeCommittee.Status.Undecided)
        );
        disputes.advance(id);
        vm.expectRevert(
            abi.encodeWithSelector(DisputeCommittee.WrongStatus.selector, id, DisputeCommittee.Status.Undecided)
        );
        disputes.draw(id);
    }

    function test_Draw_TooEarly_OrMissed() public {
        submit();
        uint64 id = challenge(0, 1);
        uint48 at = disputes.disputeOf(id).drawBlock;
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.TooEarlyToDraw.selector, id, at));
        disputes.draw(id);
        vm.roll(at);
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.TooEarlyToDraw.selector, id, at));
        disputes.draw(id);
        vm.roll(uint256(at) + 257);
        disputes.draw(id);
        vm.assertTrue(_status(id) == DisputeCommittee.Status.Waiting);
        vm.assertEq(disputes.disputeOf(id).drawBlock, block.number + disputes.periodRules().drawDelay);
        draw(id);
        vm.assertTrue(_status(id) == DisputeCommittee.Status.Voting);
    }

    /// @notice Once the seed is out, joining with a fortune does not change who is drawn.
    function test_Draw_JoiningAfterTheChallenge_ChangesNothing() public {
        submit();
        uint64 id = challenge(0, 1);
        uint48 at = disputes.disputeOf(id).drawBlock;
        vm.roll(uint256(at) + 1);
        vm.setBlockhash(at, keccak256("seed"));
        address rich = vm.addr(0xBAD);
        vm.deal(rich, 1e9 ether);
        vm.prank(rich);
        validators.join{value: 1e9 ether}();
        for (uint256 i = 0; i < VALIDATORS; ++i) {
            vm.prank(validator(i));
            validators.leave();
        }
        disputes.draw(id);
        DisputeCommittee.Seat[] memory seats = disputes.seatsOf(id);
        for (uint256 i = 0; i < seats.length; ++i) {
            vm.assertTrue(seats[i].member != rich);
            keyOf(seats[i].member);
        }
    }

    function test_Draw_PartiesAreNeverSeated() public {
        address[2] memory parties = [worker, challenger];
        for (uint256 i = 0; i < 2; ++i) {
            vm.deal(parties[i], 1e9 ether);
            vm.prank(parties[i]);
            validators.join{value: 1e9 ether}();
        }
        submit();
        uint64 id = challenge(0, 1);
        draw(id);
        DisputeCommittee.Seat[] memory seats = disputes.seatsOf(id);
        for (uint256 i = 0; i < seats.length; ++i) {
            vm.assertTrue(seats[i].member != worker && seats[i].member != challenger);
        }
    }

    // ---- money ----

    function test_Receive_FromOthers_Reverts() public {
        vm.deal(address(this), 1);
        (bool ok,) = address(disputes).call{value: 1}("");
        vm.assertFalse(ok);
    }

    function test_Collect_Reentrant_PaysOnce() public {
        Greedy greedy = new Greedy(disputes);
        submit();
        vm.deal(address(greedy), disputes.challengeBond());
        uint64 id = greedy.challenge(worker, 0, disputes.challengeBond());
        draw(id);
        decideAll(id, true, 1);
        uint256 owed = disputes.creditOf(address(greedy));
        disputes.collect(address(greedy));
        vm.assertTrue(greedy.tried());
        vm.assertEq(address(greedy).balance, owed);
    }

    /// @notice Whatever a worker has in its windows stays covered by what can still be slashed of it, but for dust.
    function testFuzz_Slash_LeavesOtherBatchesCovered(uint256 a, uint256 b, uint256 c, uint16 bps, bool leaves) public {
        uint256[3] memory totals;
        totals[0] = 3 + a % (minStake - 9);
        totals[1] = 3 + b % (minStake - totals[0] - 5);
        totals[2] = 3 + c % (minStake - totals[0] - totals[1] - 2);
        for (uint256 i = 0; i < 3; ++i) {
            uint256[] memory parts = new uint256[](3);
            (parts[0], parts[1], parts[2]) = (1, 1, totals[i] - 2);
            submit(parts);
        }
        PenaltyRules memory rules = disputes.penaltyRules();
        rules.slashBps = 1 + bps % 10_000;
        vm.prank(admin);
        disputes.setPenalties(rules);
        if (leaves) {
            vm.prank(worker);
            staking.unbond(worker, type(uint256).max);
        }
        uint64[3] memory ids = [challenge(0, 1), challenge(1, 1), challenge(2, 1)];
        uint256 stake = minStake;
        for (uint256 i = 0; i < 3; ++i) {
            vm.assertEq(
                settlement.exposureOf(worker),
                i == 0 ? totals[0] + totals[1] + totals[2] : i == 1 ? totals[1] + totals[2] : totals[2]
            );
            draw(ids[i]);
            decideAll(ids[i], true, 1);
            uint256 left = staking.stakeOf(worker) + staking.unbondingOf(worker);
            // A pool slashed to 1e-18 of its shares or less is closed, and those few wei with it.
            uint256 dust = minStake / 1e18;
            vm.assertTrue(left + totals[i] <= stake + dust, "at least what covered the batch is gone");
            vm.assertTrue(left + dust >= settlement.exposureOf(worker), "the others are covered");
            stake = left;
        }
        vm.assertEq(settlement.exposureOf(worker), 0);
    }

    // ---- jail ----

    function test_Jail_Term_Release() public {
        submit();
        uint64 id = challenge(0, 1);
        draw(id);
        decideAll(id, true, 1);
        vm.assertEq(staking.jailedUntil(worker), block.timestamp + jailTerm);
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.NotOwner.selector, worker, stranger));
        vm.prank(stranger);
        staking.unjail(worker);
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.StillJailed.selector, worker, block.timestamp + jailTerm));
        vm.prank(worker);
        staking.unjail(worker);
        vm.warp(block.timestamp + jailTerm);
        vm.assertTrue(staking.isJailed(worker), "it comes back by itself only");
        vm.prank(worker);
        staking.unjail(worker);
        vm.assertFalse(staking.isJailed(worker));
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.NotJailed.selector, worker));
        vm.prank(worker);
        staking.unjail(worker);
    }

    function test_Jail_SubmitsNothing_GovernanceReleases() public {
        submit();
        uint64 id = challenge(0, 1);
        draw(id);
        decideAll(id, true, 1);
        bond(worker, minStake);
        uint256[] memory parts = amounts;
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.WorkerJailed.selector, worker));
        this.submitFor(parts);
        vm.prank(admin);
        staking.unjail(worker);
        this.submitFor(parts);
    }

    function submitFor(uint256[] memory parts) external {
        submit(parts);
    }
}

/// @notice A validator that says yes to every signature.
contract YesMan {
    function join(ValidatorPool pool, uint256 amount) external {
        pool.join{value: amount}();
    }

    function isValidSignature(bytes32, bytes calldata) external pure returns (bytes4) {
        return this.isValidSignature.selector;
    }
}

/// @notice A challenger that collects again while it is being paid.
contract Greedy {
    DisputeCommittee private immutable _DISPUTES;
    bool public tried;

    constructor(DisputeCommittee disputes) {
        _DISPUTES = disputes;
    }

    receive() external payable {
        (bool ok,) = address(_DISPUTES).call(abi.encodeCall(DisputeCommittee.collect, (address(this))));
        if (ok) revert("paid twice");
        tried = true;
    }

    function challenge(address worker, uint64 nonce, uint256 bond) external returns (uint64) {
        return _DISPUTES.challenge{value: bond}(worker, nonce, 1, 0);
    }
}
