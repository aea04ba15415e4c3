// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {DisputeCommittee} from "../src/DisputeCommittee.sol";
import {Escrow} from "../src/Escrow.sol";
import {Batch, Claim} from "../src/Types.sol";
import {ValidatorPool} from "../src/ValidatorPool.sol";
import {WorkerStaking} from "../src/WorkerStaking.sol";
import {Court} from "./support/Court.sol";

/// @notice Batches, lies among them, challenges of either, honest validators who may be absent, come and go, and money that
/// moves, in any order. Lies are the batches with odd nonces.
contract DisputeHandler is Court {
    uint256 public immutable deposited;
    uint256 public claimed;

    constructor() {
        setUp();
        deposited = address(escrow).balance;
    }

    function contracts()
        external
        view
        returns (DisputeCommittee, ValidatorPool, AttributionSettlement, Escrow, WorkerStaking)
    {
        return (disputes, validators, settlement, escrow, staking);
    }

    /// @dev Everybody whom disputes may owe something.
    function people() external view returns (address[] memory list) {
        list = new address[](VALIDATORS + 3);
        for (uint256 i = 0; i < VALIDATORS; ++i) {
            list[i] = validator(i);
        }
        (list[VALIDATORS], list[VALIDATORS + 1], list[VALIDATORS + 2]) = (challenger, worker, address(treasury));
    }

    function theWorker() external view returns (address) {
        return worker;
    }

    function settle(uint256 amount) external {
        if (staking.isJailed(worker)) return;
        uint256 room = settlement.coverOf(worker);
        uint256 used = settlement.exposureOf(worker);
        if (room < used + 3) return;
        settlement.release(worker, 100);
        uint256 most = room - used;
        if (most > escrow.balanceOf(requester)) most = escrow.balanceOf(requester);
        if (most < 3) return;
        uint256[] memory parts = new uint256[](3);
        (parts[0], parts[1], parts[2]) = (1, 1, 1 + amount % (most - 2));
        amounts = parts;
        submit(parts);
    }

    /// @dev Now and then of an honest batch.
    function accuse(uint256 which, uint8 reason) external {
        uint64 count = settlement.nextNonce(worker);
        if (count == 0) return;
        uint64 nonce = count - 1 - uint64(which % (count < 4 ? count : 4));
        if (statusOf(nonce) != AttributionSettlement.Status.Pending) return;
        (, uint64 times) = disputes.disputesOf(worker, nonce);
        if (times > 3) return;
        challenge(nonce, 1 + reason % 7);
    }

    function drawOne(uint256 which, bytes32 hash) external {
        uint64 id = _open(which, DisputeCommittee.Status.Waiting);
        if (id == 0) return;
        uint256 free = 0;
        uint48 at = disputes.disputeOf(id).weightsBlock;
        for (uint256 i = 0; i < VALIDATORS; ++i) {
            if (validators.weightAt(validator(i), at) != 0) ++free;
        }
        if (free < disputes.committeeRules().seats) return;
        uint48 seed = disputes.disputeOf(id).drawBlock;
        if (block.number > uint256(seed) + 256) disputes.draw(id);
        else drawWith(id, hash);
    }

    /// @dev Honest members say what is so; some say nothing.
    function judge(uint256 which, uint256 present) external {
        uint64 id = _open(which, DisputeCommittee.Status.Voting);
        if (id == 0) return;
        bool guilty = disputes.disputeOf(id).nonce % 2 == 1;
        DisputeCommittee.Seat[] memory seats = disputes.seatsOf(id);
        for (uint256 i = 0; i < seats.length; ++i) {
            if (present >> i & 1 == 0 || seats[i].vote != DisputeCommittee.Vote.None) continue;
            vote(id, seats[i].member, guilty, guilty ? 4 : 0);
            if (disputes.disputeOf(id).status != DisputeCommittee.Status.Voting) return;
        }
    }

    function giveBack(uint256 which) external {
        uint64 count = settlement.nextNonce(worker);
        if (count == 0) return;
        uint64 nonce = uint64(which % count);
        AttributionSettlement.BatchView memory b = settlement.batchOf(worker, nonce);
        if (b.status != AttributionSettlement.Status.Rejected || b.refunded) return;
        settlement.refund(worker, nonce, draws(b.total));
    }

    function take(uint256 which, uint32 index) external {
        uint64 count = settlement.nextNonce(worker);
        if (count == 0) return;
        uint64 nonce = uint64(which % count);
        AttributionSettlement.BatchView memory b = settlement.batchOf(worker, nonce);
        if (b.status != AttributionSettlement.Status.Claimable) return;
        uint256[] memory parts = new uint256[](3);
        (parts[0], parts[1], parts[2]) = (1, 1, b.total - 2);
        Batch memory batch = batchOf(worker, nonce, accounts, parts);
        Claim[] memory cs = new Claim[](1);
        cs[0] = claimOf(batch, accounts, parts, index % 3);
        claimed += settlement.claimMany(cs);
    }

    function collect(uint256 which) external {
        address who = which % 3 == 0 ? challenger : which % 3 == 1 ? worker : validator(which % VALIDATORS);
        if (disputes.creditOf(who) != 0) disputes.collect(who);
    }

    function comeOrGo(uint256 which, uint256 amount) external {
        which = which % VALIDATORS;
        address v = validator(which);
        ValidatorPool.Validator memory now_ = validators.validatorOf(v);
        if (now_.bond == 0 || now_.releaseAt == 0 && amount % 4 != 0) {
            enrol(which, validators.rules().minBond + amount % 1000 ether);
        } else if (now_.releaseAt == 0) {
            vm.prank(v);
            validators.leave();
        } else if (block.timestamp >= now_.releaseAt) {
            if (now_.seats != 0) vm.expectRevert();
            vm.prank(v);
            validators.withdraw();
        }
        vm.roll(block.number + 1);
    }

    function stakeOrUnstake(uint256 amount) external {
        WorkerStaking.Unbonding[] memory list = staking.unbondingsOf(worker);
        if (list.length != 0 && block.timestamp >= list[0].releaseAt) {
            vm.prank(worker);
            staking.withdraw(list[0].id);
        } else if (amount % 2 == 0) {
            bond(worker, minStake + amount % minStake);
        } else if (staking.bondOf(worker) != 0) {
            vm.prank(worker);
            staking.unbond(worker, type(uint256).max);
        }
        if (staking.isJailed(worker) && block.timestamp >= staking.jailedUntil(worker)) {
            vm.prank(worker);
            staking.unjail(worker);
        }
    }

    /// @dev Somebody advances what ran out of time: it pays to have one's bond, or one's batch, back.
    function pass(uint256 seconds_) external {
        vm.warp(block.timestamp + seconds_ % (seconds_ % 5 == 0 ? 1 days : 1 hours));
        vm.roll(block.number + 1);
        for (uint64 id = 1; id <= disputes.disputeCount(); ++id) {
            DisputeCommittee.Dispute memory d = disputes.disputeOf(id);
            bool open = d.status == DisputeCommittee.Status.Waiting || d.status == DisputeCommittee.Status.Voting;
            if (open && block.timestamp > d.deadline) disputes.advance(id);
        }
    }

    function _open(uint256 which, DisputeCommittee.Status status) private view returns (uint64) {
        uint64 count = disputes.disputeCount();
        for (uint64 i = 0; i < count; ++i) {
            uint64 id = 1 + uint64((which % count + i) % count);
            if (disputes.disputeOf(id).status == status) return id;
        }
        return 0;
    }
}

contract DisputeSolvencyTest is Court {
    DisputeHandler private handler;

    function setUp() public override {
        handler = new DisputeHandler();
        (disputes, validators, settlement, escrow, staking) = handler.contracts();
        worker = handler.theWorker();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](10);
        selectors[0] = DisputeHandler.settle.selector;
        selectors[1] = DisputeHandler.accuse.selector;
        selectors[2] = DisputeHandler.drawOne.selector;
        selectors[3] = DisputeHandler.judge.selector;
        selectors[4] = DisputeHandler.giveBack.selector;
        selectors[5] = DisputeHandler.take.selector;
        selectors[6] = DisputeHandler.collect.selector;
        selectors[7] = DisputeHandler.comeOrGo.selector;
        selectors[8] = DisputeHandler.stakeOrUnstake.selector;
        selectors[9] = DisputeHandler.pass.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// One campaign for all: each is checked on every history.
    function invariant_Disputes_SolventAndJust() public view {
        _checkCommittee();
        _checkPool();
        _checkSettlement();
        _checkExposure();
        _checkHonest();
    }

    /// The committee holds the bonds of open challenges and what it owes, to the wei.
    function _checkCommittee() private view {
        uint256 owed = 0;
        address[] memory list = handler.people();
        for (uint256 i = 0; i < list.length; ++i) {
            owed += disputes.creditOf(list[i]);
        }
        for (uint64 id = 1; id <= disputes.disputeCount(); ++id) {
            DisputeCommittee.Dispute memory d = disputes.disputeOf(id);
            if (d.status == DisputeCommittee.Status.Waiting || d.status == DisputeCommittee.Status.Voting) {
                owed += d.bond;
            }
        }
        vm.assertEq(address(disputes).balance, owed);
    }

    /// The pool holds the validators' bonds, and those who sit have one.
    function _checkPool() private view {
        uint256 bonds = 0;
        uint256 seats = 0;
        for (uint256 i = 0; i < VALIDATORS; ++i) {
            ValidatorPool.Validator memory v = validators.validatorOf(validator(i));
            bonds += v.bond;
            seats += v.seats;
            vm.assertTrue(v.seats == 0 || v.bond != 0, "sits with nothing at stake");
        }
        vm.assertEq(address(validators).balance, bonds);
        uint256 sitting = 0;
        for (uint64 id = 1; id <= disputes.disputeCount(); ++id) {
            if (disputes.disputeOf(id).status == DisputeCommittee.Status.Voting) {
                sitting += disputes.seatsOf(id).length;
            }
        }
        vm.assertEq(seats, sitting);
    }

    /// No wei of the requester's is lost or made: it is in escrow, in batches that are neither refunded nor claimed, or paid.
    function _checkSettlement() private view {
        uint256 owed = 0;
        for (uint64 n = 0; n < settlement.nextNonce(worker); ++n) {
            AttributionSettlement.BatchView memory b = settlement.batchOf(worker, n);
            if (b.status == AttributionSettlement.Status.Rejected) vm.assertEq(b.claimed, 0);
            if (!b.refunded) owed += b.total - b.claimed;
        }
        vm.assertEq(address(settlement).balance, owed);
        vm.assertEq(handler.deposited(), address(escrow).balance + owed + handler.claimed());
    }

    /// What can still turn out wrong is covered by what can still be slashed.
    function _checkExposure() private view {
        vm.assertTrue(settlement.exposureOf(worker) <= staking.stakeOf(worker) + staking.unbondingOf(worker));
    }

    /// With honest validators no honest batch is rejected, whoever challenges it, and nobody is slashed for one.
    function _checkHonest() private view {
        for (uint64 n = 0; n < settlement.nextNonce(worker); n += 2) {
            vm.assertTrue(settlement.batchOf(worker, n).status != AttributionSettlement.Status.Rejected);
        }
        for (uint64 id = 1; id <= disputes.disputeCount(); ++id) {
            DisputeCommittee.Dispute memory d = disputes.disputeOf(id);
            if (d.status == DisputeCommittee.Status.Guilty) vm.assertEq(d.nonce % 2, 1);
            if (d.status == DisputeCommittee.Status.Upheld) vm.assertEq(d.nonce % 2, 0);
        }
    }
}
