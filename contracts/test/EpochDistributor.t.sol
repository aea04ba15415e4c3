// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Errors} from "@openzeppelin/contracts/utils/Errors.sol";

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {EpochDistributor} from "../src/EpochDistributor.sol";
import {FeeParameters} from "../src/FeeParameters.sol";
import {Batch, BatchRef, Claim, EpochClaim, SignedVoucher} from "../src/Types.sol";
import {EpochFixture} from "./support/EpochFixture.sol";
import {StandardTree} from "./support/StandardTree.sol";

/// @notice An account that takes no money.
contract Refuser {}

/// @notice An account that claims again from inside its payment.
contract Greedy {
    EpochDistributor private immutable _EPOCHS;
    bytes private _again;
    bool public refused;

    constructor(EpochDistributor epochs_) {
        _EPOCHS = epochs_;
    }

    function prepare(bytes calldata again) external {
        _again = again;
    }

    receive() external payable {
        (bool ok,) = address(_EPOCHS).call(_again);
        refused = !ok;
    }
}

contract EpochDistributorTest is EpochFixture {
    // ---- the whole way ----

    function test_Epochs_PayOnceForManyBatches() public {
        settle(5);
        uint32 id = epoch(refs(worker, 0, 5), 15 ether, 5 ether);
        vm.assertEq(address(settlement).balance, 0);
        vm.assertEq(address(epochs).balance, 20 ether + epochBond);
        (bytes32 root, uint256 total, uint256 paid) = epochs.distribution();
        vm.assertEq(root, tree(15 ether, 5 ether)[0]);
        vm.assertEq(total, 20 ether);
        vm.assertEq(paid, 0);
        (uint32 live, uint32 finalised) = epochs.current();
        vm.assertEq(live, 0);
        vm.assertEq(finalised, id);

        bytes32[] memory proof = proofOf(15 ether, 5 ether, alice, 15 ether);
        vm.expectEmit(true, true, true, true, address(epochs));
        emit EpochDistributor.EpochClaimed(alice, 15 ether, 15 ether);
        vm.prank(stranger);
        vm.assertEq(epochs.claim(alice, 15 ether, proof), 15 ether);
        vm.assertEq(alice.balance, 15 ether);
        vm.assertEq(epochs.claimedOf(alice), 15 ether);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.NothingToClaim.selector, alice, 15 ether));
        epochs.claim(alice, 15 ether, proof);

        // The next epoch adds to what was claimed: the difference is paid, and old proofs lead nowhere.
        settle(2);
        epoch(refs(worker, 5, 2), 21 ether, 7 ether);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.InvalidEpochProof.selector, alice, 15 ether));
        epochs.claim(alice, 15 ether, proof);
        epochs.claim(alice, 21 ether, proofOf(21 ether, 7 ether, alice, 21 ether));
        epochs.claim(bob, 7 ether, proofOf(21 ether, 7 ether, bob, 7 ether));
        vm.assertEq(alice.balance, 21 ether);
        vm.assertEq(bob.balance, 7 ether);
        vm.assertEq(epochs.creditOf(proposer), 2 * epochBond);
        epochs.collect(proposer);
        vm.assertEq(proposer.balance, 100 * epochBond);
        vm.assertEq(address(epochs).balance, 0);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.NothingToCollect.selector, proposer));
        epochs.collect(proposer);
    }

    /// What was claimed singly before the hold stays out of the epoch; what was not cannot be claimed singly after it.
    function test_SingleClaims_StopWhileHeld() public {
        Batch[] memory list = settle(2);
        Claim memory ofAlice = claimOf(list[0], accounts, amounts, 0);
        Claim memory ofBob = claimOf(list[0], accounts, amounts, 1);
        settlement.claim(worker, 0, 0, alice, 3 ether, ofAlice.proof);
        uint32 id = open(refs(worker, 0, 2));
        vm.assertEq(epochs.epochOf(id).amount, 5 ether);
        vm.assertTrue(settlement.batchOf(worker, 0).held);
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.BatchHeld.selector, worker, 0));
        settlement.claim(worker, 0, 1, bob, 1 ether, ofBob.proof);
        Claim[] memory many = new Claim[](1);
        many[0] = ofBob;
        vm.assertEq(settlement.claimMany(many), 0);

        commit(id, 3 ether, 2 ether);
        vm.warp(block.timestamp + epochWindow);
        epochs.finalise(id, refs(worker, 0, 2));
        vm.assertEq(uint256(settlement.batchOf(worker, 0).status), uint256(AttributionSettlement.Status.Swept));
        vm.assertFalse(settlement.batchOf(worker, 0).held);
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.BatchSwept.selector, worker, 0));
        settlement.claim(worker, 0, 1, bob, 1 ether, ofBob.proof);
        vm.assertEq(settlement.claimMany(many), 0);
        epochs.claim(alice, 3 ether, proofOf(3 ether, 2 ether, alice, 3 ether));
        epochs.claim(bob, 2 ether, proofOf(3 ether, 2 ether, bob, 2 ether));
        vm.assertEq(alice.balance, 6 ether);
        vm.assertEq(bob.balance, 2 ether);
        vm.assertEq(address(settlement).balance, 0);
        vm.assertEq(address(epochs).balance, epochBond);
    }

    function test_Build_InSeveralCalls_Succeeds() public {
        settle(6);
        uint32 id = open(refs(worker, 0, 2));
        vm.prank(proposer);
        epochs.add(id, refs(worker, 1, 3)); // batch 1 again: passed over
        vm.prank(proposer);
        epochs.add(id, refs(worker, 4, 2));
        vm.assertEq(epochs.epochOf(id).count, 6);
        vm.assertEq(epochs.epochOf(id).amount, 24 ether);
        commit(id, 18 ether, 6 ether);
        vm.warp(block.timestamp + epochWindow);
        vm.assertFalse(epochs.finalise(id, refs(worker, 4, 2)));
        (bytes32 root,,) = epochs.distribution();
        vm.assertEq(root, bytes32(0), "a root counts only once all of its money is here");
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotHeld.selector, worker, 4));
        epochs.finalise(id, refs(worker, 4, 1));
        vm.assertTrue(epochs.finalise(id, refs(worker, 0, 4)));
        vm.assertEq(uint256(epochs.epochOf(id).stage), uint256(EpochDistributor.Stage.Finalised));
    }

    // ---- refusals while it is made ----

    function test_Open_Refusals() public {
        settle(1);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.WrongBond.selector, 1, epochBond));
        vm.prank(proposer);
        epochs.open{value: 1}(refs(worker, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.UnknownBatch.selector, worker, 1));
        open(refs(worker, 0, 2));
        uint32 id = open(refs(worker, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EpochExists.selector, id));
        open(refs(worker, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.NotProposer.selector, id, stranger));
        vm.prank(stranger);
        epochs.add(id, refs(worker, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EmptyEpoch.selector, id));
        vm.prank(proposer);
        epochs.commit(id, 0, DOCUMENT);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EmptyEpoch.selector, id));
        vm.prank(proposer);
        epochs.commit(id, DOCUMENT, 0);
        vm.warp(block.timestamp + buildWindow);
        uint64 deadline = epochs.epochOf(id).deadline;
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.BuildExpired.selector, id, deadline));
        vm.prank(proposer);
        epochs.commit(id, DOCUMENT, DOCUMENT);
    }

    function test_Open_PendingBatch_Reverts() public {
        settle(1);
        Batch memory b = batchOf(worker, 1, accounts, amounts);
        SignedVoucher[] memory vs = one(signed(voucher(8 ether), REQUESTER_KEY));
        vm.prank(worker);
        settlement.submitBatch(b, vs);
        vm.expectRevert(
            abi.encodeWithSelector(
                AttributionSettlement.ChallengeWindowOpen.selector, worker, 1, block.timestamp + window
            )
        );
        open(refs(worker, 0, 2));
    }

    /// An epoch of batches that have nothing left cannot be committed.
    function test_Commit_Nothing_Reverts() public {
        Batch[] memory list = settle(1);
        settlement.claim(worker, 0, 0, alice, 3 ether, claimOf(list[0], accounts, amounts, 0).proof);
        settlement.claim(worker, 0, 1, bob, 1 ether, claimOf(list[0], accounts, amounts, 1).proof);
        uint32 id = open(refs(worker, 0, 1));
        vm.assertEq(epochs.epochOf(id).count, 0);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EmptyEpoch.selector, id));
        vm.prank(proposer);
        epochs.commit(id, DOCUMENT, DOCUMENT);
    }

    function test_Abandon_FreesTheBatches() public {
        Batch[] memory list = settle(1);
        uint32 id = open(refs(worker, 0, 1));
        uint64 deadline = epochs.epochOf(id).deadline;
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.BuildOpen.selector, id, deadline));
        epochs.abandon(id);
        vm.warp(deadline);
        vm.expectEmit(true, true, true, true, address(epochs));
        emit EpochDistributor.EpochDropped(id, EpochDistributor.Stage.Abandoned, epochBond, address(treasury));
        epochs.abandon(id);
        vm.expectRevert(
            abi.encodeWithSelector(EpochDistributor.WrongStage.selector, id, EpochDistributor.Stage.Abandoned)
        );
        epochs.abandon(id);
        vm.assertFalse(settlement.batchOf(worker, 0).held);
        settlement.claim(worker, 0, 0, alice, 3 ether, claimOf(list[0], accounts, amounts, 0).proof);
        epochs.collect(address(treasury));
        vm.assertEq(address(treasury).balance, epochBond);
        // The batch can go into another epoch with what is left.
        uint32 next = open(refs(worker, 0, 1));
        vm.assertEq(epochs.epochOf(next).amount, 1 ether);
        vm.assertTrue(next != id);
    }

    function test_Finalise_InWindow_Reverts() public {
        settle(1);
        uint32 id = open(refs(worker, 0, 1));
        vm.expectRevert(
            abi.encodeWithSelector(EpochDistributor.WrongStage.selector, id, EpochDistributor.Stage.Building)
        );
        epochs.finalise(id, refs(worker, 0, 1));
        commit(id, 3 ether, 1 ether);
        vm.expectRevert(
            abi.encodeWithSelector(EpochDistributor.EpochWindowOpen.selector, id, block.timestamp + epochWindow)
        );
        epochs.finalise(id, refs(worker, 0, 1));
    }

    // ---- disputes ----

    function test_Dispute_WrongRoot_DropsEpoch() public {
        Batch[] memory list = settle(1);
        uint32 id = open(refs(worker, 0, 1));
        commit(id, 0.5 ether, 3.5 ether);
        vm.prank(judge);
        epochs.freeze(id);
        vm.warp(block.timestamp + epochWindow);
        vm.expectRevert(
            abi.encodeWithSelector(EpochDistributor.WrongStage.selector, id, EpochDistributor.Stage.Disputed)
        );
        epochs.finalise(id, refs(worker, 0, 1));
        vm.expectRevert(EpochDistributor.ZeroAddress.selector);
        vm.prank(judge);
        epochs.resolve(id, false, address(0));
        vm.prank(judge);
        vm.assertEq(epochs.resolve(id, false, judge), epochBond);
        epochs.collect(judge);
        vm.assertEq(judge.balance, epochBond);
        settlement.claim(worker, 0, 0, alice, 3 ether, claimOf(list[0], accounts, amounts, 0).proof);
        vm.assertEq(alice.balance, 3 ether);
        epoch(refs(worker, 0, 1), 0, 1 ether);
    }

    function test_Dispute_RightRoot_GoesOn() public {
        settle(1);
        uint32 id = open(refs(worker, 0, 1));
        commit(id, 3 ether, 1 ether);
        uint64 deadline = epochs.epochOf(id).deadline;
        vm.prank(judge);
        epochs.freeze(id);
        vm.prank(judge);
        vm.assertEq(epochs.resolve(id, true, judge), 0);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EpochWindowOpen.selector, id, deadline));
        epochs.finalise(id, refs(worker, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EpochWindowClosed.selector, id, deadline));
        vm.prank(judge);
        epochs.freeze(id);
        vm.warp(deadline);
        epochs.finalise(id, refs(worker, 0, 1));
        vm.assertEq(epochs.creditOf(proposer), epochBond);
    }

    function test_Dispute_AfterTheWindow_Reverts() public {
        settle(1);
        uint32 id = open(refs(worker, 0, 1));
        commit(id, 3 ether, 1 ether);
        uint64 deadline = epochs.epochOf(id).deadline;
        vm.warp(deadline);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.EpochWindowClosed.selector, id, deadline));
        vm.prank(judge);
        epochs.freeze(id);
    }

    /// A root that promises more than came in, and that nobody disputed, pays no more than came in.
    function test_WrongRoot_Undisputed_PaysNoMoreThanCameIn() public {
        settle(1);
        epoch(refs(worker, 0, 1), 3 ether, 50 ether);
        bytes32[] memory proof = proofOf(3 ether, 50 ether, bob, 50 ether);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.OverDistributed.selector, 50 ether, 4 ether));
        epochs.claim(bob, 50 ether, proof);
    }

    /// What the next epoch has swept, its bond and bonds that nobody collected lie in the same contract.
    function test_WrongRoot_NeverReachesBondsNorTheNextEpoch() public {
        settle(1);
        epoch(refs(worker, 0, 1), 3 ether, 5 ether);
        bytes32[] memory ofBob = proofOf(3 ether, 5 ether, bob, 5 ether);
        settle(4);
        uint32 id = open(refs(worker, 1, 4));
        commit(id, 15 ether, 5 ether);
        vm.warp(block.timestamp + epochWindow);
        vm.assertFalse(epochs.finalise(id, refs(worker, 1, 1)));
        vm.assertFalse(epochs.finalise(id, refs(worker, 2, 2)));
        vm.assertEq(address(epochs).balance, 16 ether + 2 * epochBond);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.OverDistributed.selector, 5 ether, 4 ether));
        epochs.claim(bob, 5 ether, ofBob);
        epochs.claim(alice, 3 ether, proofOf(3 ether, 5 ether, alice, 3 ether));
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.OverDistributed.selector, 5 ether, 1 ether));
        epochs.claim(bob, 5 ether, ofBob);
        (, uint256 total, uint256 paid) = epochs.distribution();
        vm.assertEq(total, 4 ether);
        vm.assertEq(paid, 3 ether);

        vm.assertTrue(epochs.finalise(id, refs(worker, 4, 1)));
        epochs.collect(proposer);
        epochs.claim(alice, 15 ether, proofOf(15 ether, 5 ether, alice, 15 ether));
        epochs.claim(bob, 5 ether, proofOf(15 ether, 5 ether, bob, 5 ether));
        vm.assertEq(address(epochs).balance, 0);
    }

    /// Money can be forced on any contract. It takes nothing from anybody here.
    function test_ForcedMoney_ChangesNoClaim() public {
        settle(1);
        vm.deal(address(epochs), 1 ether);
        epoch(refs(worker, 0, 1), 3 ether, 1 ether);
        epochs.claim(alice, 3 ether, proofOf(3 ether, 1 ether, alice, 3 ether));
        epochs.collect(proposer);
        epochs.claim(bob, 1 ether, proofOf(3 ether, 1 ether, bob, 1 ether));
        (, uint256 total, uint256 paid) = epochs.distribution();
        vm.assertEq(total - paid, 1 ether);
        vm.assertEq(address(epochs).balance, 1 ether);
    }

    // ---- claims for many ----

    function claimsOf(uint256 ofAlice, uint256 ofBob) internal view returns (EpochClaim[] memory claims) {
        claims = new EpochClaim[](2);
        claims[0] = EpochClaim(accounts[0], ofAlice, proofOf(ofAlice, ofBob, accounts[0], ofAlice));
        claims[1] = EpochClaim(accounts[1], ofBob, proofOf(ofAlice, ofBob, accounts[1], ofBob));
    }

    /// Of a first epoch, which owes three to alice and one to bob.
    function claimable() private returns (EpochClaim[] memory) {
        settle(1);
        epoch(refs(worker, 0, 1), 3 ether, 1 ether);
        return claimsOf(3 ether, 1 ether);
    }

    function test_ClaimMany_PaysEach_Once() public {
        EpochClaim[] memory claims = claimable();
        vm.expectEmit(true, true, true, true, address(epochs));
        emit EpochDistributor.EpochClaimed(alice, 3 ether, 3 ether);
        vm.expectEmit(true, true, true, true, address(epochs));
        emit EpochDistributor.EpochClaimed(bob, 1 ether, 1 ether);
        vm.prank(stranger);
        vm.assertEq(epochs.claimMany(claims), 4 ether);
        vm.assertEq(alice.balance, 3 ether);
        vm.assertEq(bob.balance, 1 ether);
        vm.assertEq(epochs.claimedOf(alice), 3 ether);
        vm.assertEq(epochs.claimedOf(bob), 1 ether);
        vm.assertEq(epochs.claimMany(claims), 0);
        vm.assertEq(alice.balance, 3 ether);
        vm.assertEq(stranger.balance, 0);
        vm.assertEq(address(epochs).balance, epochBond);

        settle(1);
        epoch(refs(worker, 1, 1), 6 ether, 2 ether);
        vm.assertEq(epochs.claimMany(claimsOf(6 ether, 2 ether)), 4 ether, "the difference to what they have had");
        vm.assertEq(alice.balance, 6 ether);
        vm.assertEq(bob.balance, 2 ether);
    }

    /// Nobody spoils a call by claiming for one of its accounts first.
    function test_ClaimMany_OneClaimedBefore_PaysTheOthers() public {
        EpochClaim[] memory claims = claimable();
        vm.prank(stranger);
        epochs.claim(alice, 3 ether, claims[0].proof);
        vm.assertEq(epochs.claimMany(claims), 1 ether);
        vm.assertEq(alice.balance, 3 ether);
        vm.assertEq(bob.balance, 1 ether);
    }

    function test_ClaimMany_SameAccountTwice_PaysOnce() public {
        EpochClaim[] memory claims = claimable();
        claims[1] = claims[0];
        vm.assertEq(epochs.claimMany(claims), 3 ether);
        vm.assertEq(alice.balance, 3 ether);
    }

    function test_ClaimMany_Nothing_PaysNothing() public {
        vm.assertEq(epochs.claimMany(new EpochClaim[](0)), 0);
    }

    function test_ClaimMany_InvalidProof_PaysNobody() public {
        EpochClaim[] memory claims = claimable();
        claims[1].cumulative = 2 ether;
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.InvalidEpochProof.selector, bob, 2 ether));
        epochs.claimMany(claims);
        (claims[1].cumulative, claims[1].account) = (1 ether, stranger);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.InvalidEpochProof.selector, stranger, 1 ether));
        epochs.claimMany(claims);
        vm.assertEq(alice.balance, 0);
        vm.assertEq(epochs.claimedOf(alice), 0);
    }

    /// An account that takes no money is left out by the sender. What it is owed stays.
    function test_ClaimMany_RefusingAccount_PaysNobody_UntilLeftOut() public {
        accounts[1] = address(new Refuser());
        EpochClaim[] memory claims = claimable();
        vm.expectRevert(Errors.FailedCall.selector);
        epochs.claimMany(claims);
        vm.assertEq(alice.balance, 0);
        vm.assertEq(epochs.claimedOf(alice), 0);
        claims[1] = claims[0];
        vm.assertEq(epochs.claimMany(claims), 3 ether);
        vm.assertEq(epochs.claimedOf(accounts[1]), 0);
        (, uint256 total, uint256 paid) = epochs.distribution();
        vm.assertEq(total - paid, 1 ether);
    }

    /// Each of the two claims alone is covered by what came in; their sum is not.
    function test_ClaimMany_WrongRoot_SumPaysNoMoreThanCameIn() public {
        settle(1);
        epoch(refs(worker, 0, 1), 3 ether, 2 ether);
        EpochClaim[] memory claims = claimsOf(3 ether, 2 ether);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.OverDistributed.selector, 5 ether, 4 ether));
        epochs.claimMany(claims);
        vm.assertEq(address(epochs).balance, 4 ether + epochBond);
        epochs.claim(alice, 3 ether, claims[0].proof);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.OverDistributed.selector, 2 ether, 1 ether));
        epochs.claimMany(claims);
    }

    /// Whoever is paid cannot claim again from inside the payment: not its own part, nor that of who comes after it.
    function test_ClaimMany_FromInsideAPayment_Reverts() public {
        Greedy greedy = new Greedy(epochs);
        accounts[0] = address(greedy);
        EpochClaim[] memory claims = claimable();
        greedy.prepare(abi.encodeCall(epochs.claimMany, (claims)));
        vm.assertEq(epochs.claimMany(claims), 4 ether);
        vm.assertTrue(greedy.refused());
        vm.assertEq(address(greedy).balance, 3 ether);
        vm.assertEq(bob.balance, 1 ether);
    }

    // ---- rights and parameters ----

    function test_Rights() public {
        settle(1);
        uint32 id = open(refs(worker, 0, 1));
        commit(id, 3 ether, 1 ether);
        vm.expectRevert();
        epochs.freeze(id);
        vm.expectRevert();
        epochs.resolve(id, true, judge);
        vm.expectRevert();
        epochs.setBond(1);
        vm.expectRevert();
        epochs.setWindows(1, 1);
        vm.expectRevert();
        settlement.beginHold();
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotHolder.selector, address(this)));
        settlement.hold(refs(worker, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotHolder.selector, address(this)));
        settlement.sweep(refs(worker, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotHolder.selector, address(this)));
        settlement.endHold();
        vm.deal(stranger, 1);
        vm.prank(stranger);
        (bool ok,) = address(epochs).call{value: 1}("");
        vm.assertFalse(ok);
    }

    /// Two distributors cannot hold batches at the same time.
    function test_SecondDistributor_Waits() public {
        settle(1);
        EpochDistributor other = new EpochDistributor(admin, settlement, fees, 0, epochWindow, buildWindow);
        bytes32 role = settlement.DISTRIBUTOR_ROLE();
        vm.prank(admin);
        settlement.grantRole(role, address(other));
        uint32 id = open(refs(worker, 0, 1));
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.HoldExists.selector, id));
        other.open(refs(worker, 0, 1));
    }

    function test_Parameters() public {
        vm.assertEq(epochs.bond(), epochBond);
        vm.assertEq(epochs.challengeWindow(), epochWindow);
        vm.assertEq(epochs.buildWindow(), buildWindow);
        vm.assertEq(address(epochs.settlement()), address(settlement));
        vm.assertEq(address(epochs.feeParameters()), address(fees));
        settle(1);
        uint32 id = open(refs(worker, 0, 1));
        uint64 deadline = epochs.epochOf(id).deadline;
        vm.expectEmit(true, true, true, true, address(epochs));
        emit EpochDistributor.BondChanged(7);
        vm.prank(admin);
        epochs.setBond(7);
        vm.prank(admin);
        epochs.setWindows(1 days, 2 days);
        vm.assertEq(epochs.bond(), 7);
        vm.assertEq(epochs.challengeWindow(), 1 days);
        vm.assertEq(epochs.buildWindow(), 2 days);
        vm.assertEq(epochs.epochOf(id).deadline, deadline, "an epoch under way keeps its deadline");
        vm.expectRevert(EpochDistributor.ZeroWindow.selector);
        vm.prank(admin);
        epochs.setWindows(0, 1);
        vm.expectRevert(EpochDistributor.ZeroWindow.selector);
        vm.prank(admin);
        epochs.setWindows(1, 0);
        vm.expectRevert(abi.encodeWithSelector(EpochDistributor.BondTooLarge.selector, 1 << 128));
        vm.prank(admin);
        epochs.setBond(1 << 128);
    }

    function test_Constructor_ZeroAddress_Reverts() public {
        vm.expectRevert(EpochDistributor.ZeroAddress.selector);
        new EpochDistributor(address(0), settlement, fees, 0, 1, 1);
        vm.expectRevert(EpochDistributor.ZeroAddress.selector);
        new EpochDistributor(admin, AttributionSettlement(payable(address(0))), fees, 0, 1, 1);
        vm.expectRevert(EpochDistributor.ZeroAddress.selector);
        new EpochDistributor(admin, settlement, FeeParameters(address(0)), 0, 1, 1);
    }

    // ---- any tree ----

    /// Claims for any of a tree's accounts, in any order and any number of calls, pay each its amount once.
    function testFuzz_ClaimMany_AnyOfATree_PayOnce(uint256 n, uint256 seed) public {
        n = 1 + n % 12;
        (accounts, amounts) = (new address[](n), new uint256[](n));
        for (uint256 i = 0; i < n; ++i) {
            accounts[i] = address(uint160(uint256(keccak256(abi.encode(seed, i)))));
            amounts[i] = 1 + uint256(keccak256(abi.encode(seed, i, "amount"))) % (100 ether / n);
        }
        settle(1);
        uint32 id = open(refs(worker, 0, 1));
        bytes32[] memory t = StandardTree.build(accounts, amounts);
        vm.prank(proposer);
        epochs.commit(id, t[0], DOCUMENT);
        vm.warp(block.timestamp + epochWindow);
        epochs.finalise(id, refs(worker, 0, 1));
        uint256 brought = address(epochs).balance - epochBond;
        for (uint256 call = 0; call < 4; ++call) {
            EpochClaim[] memory claims = new EpochClaim[](uint256(keccak256(abi.encode(seed, call))) % 6);
            uint256 due = 0;
            for (uint256 i = 0; i < claims.length; ++i) {
                uint256 who = uint256(keccak256(abi.encode(seed, call, i))) % n;
                bytes32[] memory proof = StandardTree.proof(t, StandardTree.leaf(accounts[who], amounts[who]));
                claims[i] = EpochClaim(accounts[who], amounts[who], proof);
                bool again = epochs.claimedOf(accounts[who]) != 0;
                for (uint256 j = 0; j < i; ++j) {
                    again = again || claims[j].account == accounts[who];
                }
                if (!again) due += amounts[who];
            }
            vm.assertEq(epochs.claimMany(claims), due);
            brought -= due;
            vm.assertEq(address(epochs).balance, brought + epochBond);
        }
        for (uint256 i = 0; i < n; ++i) {
            vm.assertEq(accounts[i].balance, epochs.claimedOf(accounts[i]));
        }
    }

    /// Every leaf of a standard tree of any size is paid its amount, and no other amount is.
    function testFuzz_Claim_AnyTree(uint256 n, uint256 seed) public {
        n = 1 + n % 40;
        (address[] memory who, uint256[] memory sums) = (new address[](n), new uint256[](n));
        uint256 sum = 0;
        for (uint256 i = 0; i < n; ++i) {
            who[i] = address(uint160(uint256(keccak256(abi.encode(seed, i)))));
            sums[i] = 1 + uint256(keccak256(abi.encode(seed, i, "amount"))) % (500 ether / n);
            sum += sums[i];
        }
        (accounts, amounts) = (who, sums);
        settle(1);
        uint32 id = open(refs(worker, 0, 1));
        bytes32[] memory t = StandardTree.build(who, sums);
        vm.prank(proposer);
        epochs.commit(id, t[0], DOCUMENT);
        vm.warp(block.timestamp + epochWindow);
        epochs.finalise(id, refs(worker, 0, 1));
        for (uint256 i = 0; i < n; ++i) {
            bytes32[] memory proof = StandardTree.proof(t, StandardTree.leaf(who[i], sums[i]));
            vm.expectRevert(abi.encodeWithSelector(EpochDistributor.InvalidEpochProof.selector, who[i], sums[i] + 1));
            epochs.claim(who[i], sums[i] + 1, proof);
            epochs.claim(who[i], sums[i], proof);
            vm.assertEq(who[i].balance, sums[i]);
        }
        vm.assertEq(address(epochs).balance, epochBond);
    }
}
