// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ContributorRules, ContributorStaking} from "../src/ContributorStaking.sol";
import {DatanetRegistry} from "../src/DatanetRegistry.sol";
import {Contribution, Review} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

contract ContributorStakingTest is Fixture {
    uint256 private constant ALICE_KEY = 0xD1;
    address private alice = vm.addr(ALICE_KEY);
    uint64 private id;
    ContributorRules private rules;

    function setUp() public override {
        super.setUp();
        rules = contributors.rules();
        vm.prank(owner);
        id = datanets.create("fables", "CC0-1.0", "{}");
        bytes32 role = contributors.DISPUTE_ROLE();
        vm.prank(admin);
        contributors.grantRole(role, admin);
        vm.deal(alice, 1000 ether);
    }

    function _stake(uint256 amount) private {
        vm.prank(alice);
        contributors.stake{value: amount}(id);
    }

    function _statements(bytes32 record, string memory status)
        private
        view
        returns (Review memory r, Contribution memory c)
    {
        r = Review(id, record, status, "spam", uint64(block.timestamp * 1000));
        c = Contribution(id, record, alice, "CC0-1.0", uint64(block.timestamp * 1000 - 1));
    }

    function accuse(bytes32 record, string memory status, uint256 ownerKey, uint256 contributorKey)
        public
        returns (uint64)
    {
        (Review memory r, Contribution memory c) = _statements(record, status);
        bytes memory reviewed = sign(ownerKey, datanets.reviewDigest(r));
        bytes memory contributed = sign(contributorKey, datanets.contributionDigest(c));
        return contributors.accuse(r, reviewed, c, contributed);
    }

    function _accuse(bytes32 record) private returns (uint64) {
        return accuse(record, "abusive", OWNER_KEY, ALICE_KEY);
    }

    function _share(uint256 all) private view returns (uint256) {
        return all * rules.slashBps / 10_000;
    }

    function _state(uint64 case_) private view returns (uint256) {
        return uint256(contributors.caseOf(case_).state);
    }

    function test_Requirement_ByOwnerWithinBounds() public {
        vm.expectRevert(
            abi.encodeWithSelector(ContributorStaking.NotDatanetOwner.selector, id, stranger)
        );
        vm.prank(stranger);
        contributors.setRequirement(id, rules.minRequirement);
        uint256[2] memory bad = [rules.minRequirement - 1, rules.maxRequirement + 1];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    ContributorStaking.InvalidRequirement.selector, bad[i], rules.minRequirement, rules.maxRequirement
                )
            );
            vm.prank(owner);
            contributors.setRequirement(id, bad[i]);
        }
        vm.assertTrue(contributors.isCovered(id, alice));
        vm.prank(owner);
        contributors.setRequirement(id, rules.minRequirement);
        vm.assertFalse(contributors.isCovered(id, alice));
        _stake(rules.minRequirement);
        vm.assertTrue(contributors.isCovered(id, alice));
        vm.prank(owner);
        contributors.setRequirement(id, 0);
        vm.assertEq(contributors.requirementOf(id), 0);
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.UnknownDatanet.selector, 9));
        contributors.setRequirement(9, 0);
    }

    function test_Unstake_WaitsAndPays() public {
        _stake(10 ether);
        vm.prank(alice);
        contributors.unstake(id, 4 ether);
        vm.assertEq(contributors.stakeOf(id, alice).staked, 6 ether);
        uint64 releaseAt = uint64(START + rules.unstakeDelay);
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.StillUnstaking.selector, id, releaseAt));
        vm.prank(alice);
        contributors.withdraw(id);
        vm.expectRevert(
            abi.encodeWithSelector(ContributorStaking.InsufficientStake.selector, id, alice, 7 ether, 6 ether)
        );
        vm.prank(alice);
        contributors.unstake(id, 7 ether);
        vm.warp(releaseAt);
        vm.prank(alice);
        vm.assertEq(contributors.withdraw(id), 4 ether);
        vm.assertEq(alice.balance, 994 ether);
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.UnknownUnstaking.selector, id, alice));
        vm.prank(alice);
        contributors.withdraw(id);
        vm.expectRevert(ContributorStaking.ZeroAmount.selector);
        vm.prank(alice);
        contributors.unstake(id, 0);
    }

    function test_Stake_Invalid_Reverts() public {
        vm.expectRevert(ContributorStaking.ZeroAmount.selector);
        contributors.stake(id);
        vm.deal(address(this), 3);
        vm.expectRevert(ContributorStaking.ZeroAddress.selector);
        contributors.stakeFor{value: 1}(id, address(0));
        vm.expectRevert(abi.encodeWithSelector(DatanetRegistry.UnknownDatanet.selector, 9));
        contributors.stakeFor{value: 1}(9, alice);
        contributors.stakeFor{value: 1}(id, alice);
        vm.assertEq(contributors.stakeOf(id, alice).staked, 1);
    }

    /// The share goes to the public pool once the appeal's period is over, and not a wei to the owner.
    function test_Abusive_NoAppeal_GoesToThePool() public {
        _stake(10 ether);
        uint64 k = _accuse("spam 1");
        uint64 until = uint64(START + rules.appealPeriod);
        vm.assertEq(contributors.caseOf(k).amount, _share(10 ether));
        vm.assertEq(contributors.stakeOf(id, alice).staked, 10 ether - _share(10 ether));
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.StillWaiting.selector, k, until));
        contributors.resolve(k);
        vm.warp(until);
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.AppealExpired.selector, k, until));
        vm.prank(alice);
        contributors.appeal(k, "late");
        contributors.resolve(k);
        vm.assertEq(_state(k), uint256(ContributorStaking.State.Taken));
        vm.assertEq(datanets.poolOf(id).balance, _share(10 ether));
        vm.assertEq(owner.balance, 0);
        vm.expectRevert(
            abi.encodeWithSelector(ContributorStaking.WrongState.selector, k, ContributorStaking.State.Taken)
        );
        contributors.resolve(k);
    }

    /// Stake on its way out is no refuge, and each further case takes its share of what is left.
    function test_Abusive_ReachesWhatLeaves_BoundedShare() public {
        _stake(10 ether);
        vm.prank(alice);
        contributors.unstake(id, 10 ether);
        _accuse("spam 1");
        uint256 left = 10 ether - _share(10 ether);
        vm.assertEq(contributors.stakeOf(id, alice).leaving, left);
        _accuse("spam 2");
        vm.assertEq(contributors.stakeOf(id, alice).leaving, left - _share(left));
    }

    function test_Accuse_Invalid_Reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(ContributorStaking.InsufficientStake.selector, id, alice, 1, 0)
        );
        this.accuse("r", "abusive", OWNER_KEY, ALICE_KEY);
        _stake(10 ether);
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.NotAbusive.selector, id, bytes32("r")));
        this.accuse("r", "rejected", OWNER_KEY, ALICE_KEY);
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.InvalidSignature.selector, owner));
        this.accuse("r", "abusive", STRANGER_KEY, ALICE_KEY);
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.InvalidSignature.selector, alice));
        this.accuse("r", "abusive", OWNER_KEY, OWNER_KEY);
        (Review memory r, Contribution memory c) = _statements("r", "abusive");
        c.record = "another";
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.NotAbusive.selector, id, bytes32("r")));
        contributors.accuse(r, "", c, "");
        uint64 k = _accuse("r");
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.CaseExists.selector, k));
        this.accuse("r", "abusive", OWNER_KEY, ALICE_KEY);
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.UnknownCase.selector, 9));
        contributors.resolve(9);
    }

    function test_Appeal_Decided() public {
        _stake(10 ether);
        uint64 a = _accuse("spam 1");
        uint64 b = _accuse("not spam");
        vm.expectRevert(
            abi.encodeWithSelector(ContributorStaking.WrongState.selector, a, ContributorStaking.State.Open)
        );
        vm.prank(admin);
        contributors.decide(a, true);
        vm.expectRevert(abi.encodeWithSelector(ContributorStaking.NotContributor.selector, a, stranger));
        vm.prank(stranger);
        contributors.appeal(a, "");
        vm.prank(alice);
        contributors.appeal(a, "a fable");
        vm.prank(alice);
        contributors.appeal(b, "a fable");
        vm.expectRevert(
            abi.encodeWithSelector(ContributorStaking.WrongState.selector, a, ContributorStaking.State.Appealed)
        );
        vm.prank(alice);
        contributors.appeal(a, "twice");
        vm.expectRevert();
        vm.prank(owner);
        contributors.decide(a, true);
        vm.prank(admin);
        contributors.decide(a, true);
        vm.prank(admin);
        contributors.decide(b, false);
        vm.assertEq(_state(a), uint256(ContributorStaking.State.Taken));
        vm.assertEq(_state(b), uint256(ContributorStaking.State.Returned));
        vm.assertEq(datanets.poolOf(id).balance, _share(10 ether));
        vm.assertEq(contributors.stakeOf(id, alice).staked, 10 ether - _share(10 ether));
    }

    function test_Appeal_NotDecided_ReturnsToTheContributor() public {
        _stake(10 ether);
        uint64 k = _accuse("r");
        vm.prank(alice);
        contributors.appeal(k, "no");
        vm.warp(START + rules.decisionPeriod);
        contributors.resolve(k);
        vm.assertEq(_state(k), uint256(ContributorStaking.State.Returned));
        vm.assertEq(contributors.stakeOf(id, alice).staked, 10 ether);
        vm.assertEq(contributors.caseCount(), 1);
    }

    function test_Rules_Checked() public {
        vm.expectRevert();
        contributors.setRules(rules);
        for (uint256 i = 0; i < 7; ++i) {
            ContributorRules memory bad = rules;
            if (i == 0) bad.minRequirement = 0;
            if (i == 1) bad.maxRequirement = bad.minRequirement - 1;
            if (i == 2) bad.slashBps = 0;
            if (i == 3) bad.slashBps = 10_001;
            if (i == 4) bad.appealPeriod = 0;
            if (i == 5) bad.appealPeriod = bad.unstakeDelay + 1;
            if (i == 6) bad.decisionPeriod = 0;
            vm.expectRevert(ContributorStaking.InvalidRules.selector);
            vm.prank(admin);
            contributors.setRules(bad);
        }
        vm.expectRevert(ContributorStaking.ZeroAddress.selector);
        new ContributorStaking(address(0), datanets, rules);
        vm.assertEq(address(contributors.datanets()), address(datanets));
    }

    /// Whatever comes in whatever order, the contract holds all stakes, what leaves and what is set aside.
    function testFuzz_Stakes_AreConserved(uint8[16] calldata moves, uint64[16] calldata amounts) public {
        for (uint256 i = 0; i < moves.length; ++i) {
            ContributorStaking.Stake memory s = contributors.stakeOf(id, alice);
            uint64 cases = contributors.caseCount();
            uint64 k = cases == 0 ? 0 : 1 + uint64(amounts[i] % cases);
            uint256 state = k == 0 ? 0 : _state(k);
            if (moves[i] % 6 == 0) {
                _stake(uint256(amounts[i]) + 1);
            } else if (moves[i] % 6 == 1 && s.staked != 0) {
                vm.prank(alice);
                contributors.unstake(id, amounts[i] % s.staked + 1);
            } else if (moves[i] % 6 == 2 && s.leaving != 0) {
                if (block.timestamp < s.releaseAt) vm.warp(s.releaseAt);
                vm.prank(alice);
                contributors.withdraw(id);
            } else if (moves[i] % 6 == 3 && _share(uint256(s.staked) + s.leaving) != 0) {
                _accuse(bytes32(i));
            } else if (moves[i] % 6 == 4 && state == 1 && block.timestamp < contributors.caseOf(k).until) {
                vm.prank(alice);
                contributors.appeal(k, "");
            } else if (state == 1 || state == 2) {
                if (block.timestamp < contributors.caseOf(k).until) vm.warp(contributors.caseOf(k).until);
                contributors.resolve(k);
            }
            s = contributors.stakeOf(id, alice);
            uint256 held = uint256(s.staked) + s.leaving;
            for (uint64 j = 1; j <= contributors.caseCount(); ++j) {
                ContributorStaking.Case memory c = contributors.caseOf(j);
                if (uint256(c.state) <= 2) held += c.amount;
            }
            vm.assertEq(address(contributors).balance, held);
        }
    }
}
