// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {DisputeCommittee} from "../src/DisputeCommittee.sol";
import {FeeParameters} from "../src/FeeParameters.sol";
import {IEpochDisputes} from "../src/IEpochDisputes.sol";
import {IValidatorPool} from "../src/IValidatorPool.sol";
import {SortitionTree} from "../src/SortitionTree.sol";
import {CommitteeRules, Draw, PenaltyRules, PeriodRules, ValidatorRules, Verdict} from "../src/Types.sol";
import {ValidatorPool} from "../src/ValidatorPool.sol";
import {Court} from "./support/Court.sol";

contract ValidatorPoolTest is Court {
    using SortitionTree for SortitionTree.Tree;

    SortitionTree.Tree private tree;

    function drawOf(uint48 at, bytes32 seed, uint256 seats, uint256[] memory excluded)
        external
        view
        returns (uint256[] memory)
    {
        return tree.draw(at, seed, seats, excluded);
    }

    // ---- the draw ----

    /// @notice Any history of weights: totals, weights and draws are those of a plain list at every block.
    function testFuzz_Tree_IsAList(uint8[24] memory ops, bytes32 seed, uint8 seats) public {
        uint256[] memory list = new uint256[](24);
        uint256 n = 0;
        for (uint256 i = 0; i < ops.length; ++i) {
            if (n == 0 || ops[i] % 2 == 0) {
                vm.assertEq(tree.append(ops[i] / 2), n + 1);
                list[n++] = ops[i] / 2;
            } else {
                tree.set(1 + (ops[i] / 2) % n, uint208(i));
                list[(ops[i] / 2) % n] = i;
            }
        }
        uint256 sum = 0;
        uint256 positive = 0;
        uint48 at = uint48(block.number);
        for (uint256 i = 0; i < n; ++i) {
            vm.assertEq(tree.weightAt(i + 1, at), list[i]);
            sum += list[i];
            if (list[i] != 0) ++positive;
        }
        vm.assertEq(tree.totalAt(at), sum);

        // What happens later does not change what was.
        vm.roll(block.number + 1);
        tree.append(1e6);
        tree.set(1, 1e6);
        seats = 1 + seats % 24;
        uint256[] memory drawn = tree.draw(at, seed, seats, new uint256[](1));
        vm.assertEq(drawn.length, positive < seats ? positive : seats);
        for (uint256 k = 0; k < drawn.length; ++k) {
            uint256 position = uint256(keccak256(abi.encode(seed, k))) % sum;
            uint256 i = 0;
            for (; position >= list[i]; ++i) {
                position -= list[i];
            }
            vm.assertEq(drawn[k], i + 1);
            sum -= list[i];
            list[i] = 0; // without replacement
        }
    }

    /// @notice 4,000 draws among stakes 1 : 2 : 3 : 4 fit them: chi-square with 3 degrees of freedom below 16.27, which a
    /// fair draw exceeds once in a thousand. The seeds are fixed.
    function test_Draw_IsProportional() public {
        uint256[4] memory seen;
        for (uint208 i = 1; i <= 4; ++i) {
            tree.append(i * 1e18);
        }
        uint256[] memory none = new uint256[](0);
        for (uint256 i = 0; i < 4000; ++i) {
            ++seen[tree.draw(uint48(block.number), keccak256(abi.encode(i)), 1, none)[0] - 1];
        }
        uint256 chi = 0; // in thousandths
        for (uint256 i = 0; i < 4; ++i) {
            uint256 want = 400 * (i + 1);
            uint256 off = seen[i] > want ? seen[i] - want : want - seen[i];
            chi += 1000 * off * off / want;
        }
        vm.assertTrue(chi < 16_270, vm.toString(chi));
    }

    function test_Draw_Excluded_AndNobody() public {
        uint256[] memory drawn = tree.draw(uint48(block.number), 0, 3, new uint256[](2));
        vm.assertEq(drawn.length, 0);
        tree.append(5);
        tree.append(7);
        uint256[] memory excluded = new uint256[](2);
        (excluded[0], excluded[1]) = (2, 0);
        drawn = tree.draw(uint48(block.number), keccak256("x"), 3, excluded);
        vm.assertEq(drawn.length, 1);
        vm.assertEq(drawn[0], 1);
    }

    // ---- bonds ----

    function test_Join_Leave_Withdraw() public {
        address v = validator(0);
        ValidatorRules memory rules = validators.rules();
        vm.assertEq(validators.weightAt(v, uint48(block.number)), rules.minBond);
        vm.assertEq(validators.totalWeightAt(uint48(block.number)), VALIDATORS * uint256(rules.minBond));
        vm.prank(v);
        vm.expectRevert(abi.encodeWithSelector(ValidatorPool.BondLocked.selector, v, 0));
        validators.withdraw();
        vm.prank(v);
        validators.leave();
        vm.assertEq(validators.weightAt(v, uint48(block.number)), 0);
        uint64 releaseAt = uint64(block.timestamp) + rules.unbonding;
        vm.expectRevert(abi.encodeWithSelector(ValidatorPool.AlreadyLeaving.selector, v, releaseAt));
        vm.prank(v);
        validators.leave();
        vm.warp(releaseAt - 1);
        vm.expectRevert(abi.encodeWithSelector(ValidatorPool.BondLocked.selector, v, releaseAt));
        vm.prank(v);
        validators.withdraw();
        vm.warp(releaseAt);
        vm.prank(v);
        vm.assertEq(validators.withdraw(), rules.minBond);
        vm.assertEq(v.balance, rules.minBond);
        vm.expectRevert(abi.encodeWithSelector(ValidatorPool.NotValidator.selector, v));
        vm.prank(v);
        validators.withdraw();
        vm.expectRevert(abi.encodeWithSelector(ValidatorPool.NotValidator.selector, v));
        vm.prank(v);
        validators.leave();
        enrol(0, rules.minBond); // and comes back to its old place
        vm.assertEq(validators.validatorOf(v).leaf, 1);
        vm.assertEq(validators.validatorOf(v).releaseAt, 0);
        vm.assertEq(validators.weightAt(v, uint48(block.number)), rules.minBond);
    }

    function test_Join_TooLittle_Reverts() public {
        uint256 least = validators.rules().minBond;
        vm.deal(stranger, least);
        vm.expectRevert(abi.encodeWithSelector(ValidatorPool.BelowMinimumBond.selector, least - 1, least));
        vm.prank(stranger);
        validators.join{value: least - 1}();
        vm.expectRevert(ValidatorPool.ZeroAmount.selector);
        validators.join();
    }

    /// @notice Who sits cannot take its bond away, however long ago it left.
    function test_Withdraw_WhileSeated_Reverts() public {
        submit();
        uint64 id = challenge(0, 1);
        draw(id);
        address member = disputes.seatsOf(id)[0].member;
        vm.prank(member);
        validators.leave();
        vm.warp(block.timestamp + validators.unbondingPeriod());
        vm.expectRevert(abi.encodeWithSelector(ValidatorPool.StillSeated.selector, member, 1));
        vm.prank(member);
        validators.withdraw();
        disputes.advance(id);
        uint256 least = validators.rules().minBond;
        vm.prank(member);
        vm.assertEq(validators.withdraw(), least - least * disputes.penaltyRules().absenceBps / 10_000);
    }

    function test_Draw_TooFewValidators_Reverts() public {
        for (uint256 i = 2; i < VALIDATORS; ++i) {
            vm.prank(validator(i));
            validators.leave();
        }
        vm.roll(block.number + 1);
        submit();
        uint64 id = challenge(0, 1);
        uint48 at = disputes.disputeOf(id).drawBlock;
        vm.roll(uint256(at) + 1);
        vm.expectRevert(abi.encodeWithSelector(ValidatorPool.TooFewValidators.selector, 2, 3));
        disputes.draw(id);
    }

    // ---- rights and rules ----

    function test_Roles_OthersRevert() public {
        address[4] memory parties;
        vm.expectRevert();
        validators.seat(1, 0, 1, parties);
        vm.expectRevert();
        validators.rise(validator(0));
        vm.expectRevert();
        validators.penalise(validator(0), 1);
        vm.expectRevert();
        validators.setRules(ValidatorRules(1, 1));
        vm.expectRevert();
        disputes.setChallengeBond(1);
        vm.expectRevert();
        disputes.setCommittee(CommitteeRules(3, 6000, 3));
        vm.expectRevert();
        disputes.setPeriods(PeriodRules(1, 1, 1));
        vm.expectRevert();
        disputes.setPenalties(PenaltyRules(1, 1, 1, 1));
        vm.expectRevert();
        settlement.freeze(worker, 0);
        vm.expectRevert();
        settlement.resolve(worker, 0, false);
        vm.expectRevert();
        staking.jail(worker, 1, 1);
        vm.expectRevert();
        staking.setJailTerm(1);
    }

    function test_Rules_OutOfBounds_Revert() public {
        CommitteeRules[6] memory committees = [
            CommitteeRules(0, 6000, 3),
            CommitteeRules(33, 6000, 3),
            CommitteeRules(3, 5000, 3),
            CommitteeRules(3, 10_001, 3),
            CommitteeRules(3, 6000, 0),
            CommitteeRules(3, 6000, 17)
        ];
        string[6] memory committeesFields = [string("seats"), "seats", "quorum", "quorum", "rounds", "rounds"];
        for (uint256 i = 0; i < committees.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidRules.selector, committeesFields[i]));
            vm.prank(admin);
            disputes.setCommittee(committees[i]);
        }
        PeriodRules[6] memory periods = [
            PeriodRules(0, 1, 1),
            PeriodRules(257, 1, 1),
            PeriodRules(1, 0, 1),
            PeriodRules(1, 1, 0),
            PeriodRules(1, unbonding / 3, 1), // three rounds and a window outlast the stake
            PeriodRules(1, 1, unbonding)
        ];
        string[6] memory periodsFields = [string("draw delay"), "draw delay", "drawing", "voting", "periods", "periods"];
        for (uint256 i = 0; i < periods.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidRules.selector, periodsFields[i]));
            vm.prank(admin);
            disputes.setPeriods(periods[i]);
        }
        PenaltyRules[4] memory penalties = [
            PenaltyRules(0, 1, 1, 1),
            PenaltyRules(10_001, 1, 1, 1),
            PenaltyRules(1, 5001, 5000, 1),
            PenaltyRules(1, 1, 1, 10_001)
        ];
        string[4] memory penaltiesFields = [string("slash"), "slash", "shares", "absence"];
        for (uint256 i = 0; i < penalties.length; ++i) {
            vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidRules.selector, penaltiesFields[i]));
            vm.prank(admin);
            disputes.setPenalties(penalties[i]);
        }
        vm.expectRevert(DisputeCommittee.ZeroAmount.selector);
        vm.prank(admin);
        disputes.setChallengeBond(0);
        vm.expectRevert(ValidatorPool.ZeroAmount.selector);
        vm.prank(admin);
        validators.setRules(ValidatorRules(0, 1));
        // A pool whose bonds come free within a round serves no committee.
        vm.prank(admin);
        validators.setRules(ValidatorRules(1, 1));
        vm.expectRevert(abi.encodeWithSelector(DisputeCommittee.InvalidRules.selector, "unbonding"));
        vm.prank(admin);
        disputes.setCommittee(CommitteeRules(3, 6000, 3));
    }

    function test_Constructors_Zero_Revert() public {
        vm.expectRevert(ValidatorPool.ZeroAddress.selector);
        new ValidatorPool(address(0), ValidatorRules(1, 1));
        AttributionSettlement s = settlement;
        (AttributionSettlement noS, FeeParameters noF, IValidatorPool noV) =
            (AttributionSettlement(payable(0)), FeeParameters(address(0)), IValidatorPool(address(0)));
        (CommitteeRules memory c, PeriodRules memory t, PenaltyRules memory p) =
            (disputes.committeeRules(), disputes.periodRules(), disputes.penaltyRules());
        vm.expectRevert(DisputeCommittee.ZeroAddress.selector);
        new DisputeCommittee(address(0), s, epochs, fees, validators, 1, c, t, p);
        vm.expectRevert(DisputeCommittee.ZeroAddress.selector);
        new DisputeCommittee(admin, noS, epochs, fees, validators, 1, c, t, p);
        vm.expectRevert(DisputeCommittee.ZeroAddress.selector);
        new DisputeCommittee(admin, s, IEpochDisputes(address(0)), fees, validators, 1, c, t, p);
        vm.expectRevert(DisputeCommittee.ZeroAddress.selector);
        new DisputeCommittee(admin, s, epochs, noF, validators, 1, c, t, p);
        vm.expectRevert(DisputeCommittee.ZeroAddress.selector);
        new DisputeCommittee(admin, s, epochs, fees, noV, 1, c, t, p);
        vm.assertEq(address(disputes.settlement()), address(settlement));
        vm.assertEq(address(disputes.staking()), address(staking));
        vm.assertEq(address(disputes.epochs()), address(epochs));
        vm.assertEq(address(disputes.fees()), address(fees));
        vm.assertEq(address(disputes.validators()), address(validators));
        vm.assertEq(disputes.disputeCount(), 0);
    }

    function testFuzz_VerdictDigest_Succeeds(Verdict calldata v) public view {
        bytes32 domain = keccak256(
            abi.encode(
                keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"),
                keccak256("OpenLedger"),
                keccak256("1"),
                block.chainid,
                address(disputes)
            )
        );
        bytes32 want = vm.eip712HashStruct(
            "Verdict(uint64 dispute,address worker,uint64 nonce,bytes32 dataDigest,bool guilty,uint8 reason)",
            abi.encode(v)
        );
        vm.assertEq(disputes.verdictDigest(v), keccak256(abi.encodePacked(hex"1901", domain, want)));
    }

    // ---- batches in disputes ----

    function test_Refund_WrongDraws_Reverts() public {
        submit();
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotRefundable.selector, worker, 0));
        settlement.refund(worker, 0, draws(10 ether));
        uint64 id = challenge(0, 1);
        draw(id);
        decideAll(id, true, 1);
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.DrawsMismatch.selector, worker, 0));
        settlement.refund(worker, 0, draws(10 ether - 1));
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.DrawsMismatch.selector, worker, 0));
        settlement.refund(worker, 0, new Draw[](0));
        settlement.refund(worker, 0, draws(10 ether));
        vm.assertTrue(settlement.batchOf(worker, 0).refunded);
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotRefundable.selector, worker, 0));
        settlement.refund(worker, 0, draws(10 ether));
    }

    function test_Claim_DisputedOrRejected_Reverts() public {
        submit();
        uint64 id = challenge(0, 1);
        vm.warp(block.timestamp + window);
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.BatchDisputed.selector, worker, 0));
        settlement.claim(worker, 0, 0, accounts[0], amounts[0], claimProof());
        draw(id);
        decideAll(id, true, 1);
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.BatchIsRejected.selector, worker, 0));
        settlement.claim(worker, 0, 0, accounts[0], amounts[0], claimProof());
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotDisputed.selector, worker, 0));
        vm.prank(address(disputes));
        settlement.resolve(worker, 0, true);
        vm.expectRevert(
            abi.encodeWithSelector(
                AttributionSettlement.NotPending.selector, worker, 0, AttributionSettlement.Status.Rejected
            )
        );
        vm.prank(address(disputes));
        settlement.freeze(worker, 0);
    }

    /// @notice A disputed batch counts against the stake until it is resolved and its window is over; it holds up none
    /// behind it.
    function test_Exposure_ThroughADispute() public {
        submit();
        submit();
        submit();
        uint64 id = challenge(1, 1);
        vm.warp(block.timestamp + window);
        vm.assertEq(settlement.exposureOf(worker), 10 ether);
        settlement.release(worker, 10);
        vm.assertEq(settlement.exposureOf(worker), 10 ether);
        draw(id);
        decideAll(id, false, 0);
        vm.assertEq(settlement.exposureOf(worker), 10 ether, "it can still be challenged");
        vm.warp(settlement.batchOf(worker, 1).claimableAt);
        vm.assertEq(settlement.exposureOf(worker), 0);
        settlement.release(worker, 10);
        vm.assertEq(settlement.exposureOf(worker), 0);
        submit();
        vm.assertEq(settlement.exposureOf(worker), 10 ether);
    }
}
