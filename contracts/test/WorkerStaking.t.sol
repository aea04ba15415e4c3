// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Binding} from "../src/Types.sol";
import {WorkerStaking} from "../src/WorkerStaking.sol";
import {Fixture} from "./support/Fixture.sol";

contract WorkerStakingTest is Fixture {
    address private slasher = address(uint160(0x51));

    function setUp() public override {
        super.setUp();
        bytes32 role = staking.SLASHER_ROLE();
        vm.prank(admin);
        staking.grantRole(role, slasher);
    }

    function _delegate(address who, uint256 amount) private {
        vm.deal(who, who.balance + amount);
        vm.prank(who);
        staking.delegate{value: amount}(worker);
    }

    function _unbond(address who, uint256 amount) private returns (uint256) {
        vm.prank(who);
        return staking.unbond(worker, amount);
    }

    function _slash(uint256 amount) private returns (uint256) {
        vm.prank(slasher);
        return staking.slash(worker, amount, address(treasury), 1, 7);
    }

    // ---- stake ----

    function test_Bond_Succeeds() public {
        bond(worker, minStake);
        bond(worker, 1);
        vm.assertEq(staking.bondOf(worker), minStake + 1);
        vm.assertEq(staking.stakeOf(worker), minStake + 1);
    }

    function test_Bond_BelowMinimum_Reverts() public {
        vm.deal(worker, minStake);
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.BelowMinimumStake.selector, minStake - 1, minStake));
        vm.prank(worker);
        staking.bond{value: minStake - 1}();
    }

    function test_Bond_Zero_Reverts() public {
        vm.expectRevert(WorkerStaking.ZeroAmount.selector);
        staking.bond();
    }

    function test_Delegate_Succeeds() public {
        bond(worker, minStake);
        _delegate(stranger, 3 * minDelegation);
        _delegate(stranger, 1);
        vm.assertEq(staking.stakedBy(worker, stranger), 3 * minDelegation + 1);
        vm.assertEq(staking.stakeOf(worker), minStake + 3 * minDelegation + 1);
        (address[] memory accounts, uint256[] memory amounts) = staking.stakersOf(worker);
        vm.assertEq(accounts.length, 2);
        vm.assertEq(accounts[0], worker);
        vm.assertEq(amounts[0], minStake);
        vm.assertEq(accounts[1], stranger);
        vm.assertEq(amounts[1], 3 * minDelegation + 1);
    }

    function test_Delegate_NotBonded_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.WorkerNotBonded.selector, worker));
        staking.delegate{value: 1 ether}(worker);
    }

    function test_Delegate_BelowMinimum_Reverts() public {
        bond(worker, minStake);
        vm.expectRevert(
            abi.encodeWithSelector(WorkerStaking.BelowMinimumDelegation.selector, minDelegation - 1, minDelegation)
        );
        staking.delegate{value: minDelegation - 1}(worker);
    }

    // ---- unbonding ----

    function test_Unbond_Succeeds() public {
        bond(worker, 2 * minStake);
        uint256 id = _unbond(worker, minStake);
        vm.assertEq(staking.stakeOf(worker), minStake);
        vm.assertEq(staking.unbondingOf(worker), minStake);
        WorkerStaking.Unbonding[] memory list = staking.unbondingsOf(worker);
        vm.assertEq(list.length, 1);
        vm.assertEq(list[0].id, id);
        vm.assertEq(list[0].amount, minStake);
        vm.assertEq(list[0].releaseAt, START + unbonding);
        vm.warp(START + unbonding);
        vm.prank(worker);
        vm.assertEq(staking.withdraw(id), minStake);
        vm.assertEq(worker.balance, minStake);
        vm.assertEq(staking.unbondingsOf(worker).length, 0);
    }

    function test_Unbond_All_LeavesNoStaker() public {
        bond(worker, minStake);
        _unbond(worker, minStake);
        (address[] memory accounts,) = staking.stakersOf(worker);
        vm.assertEq(accounts.length, 0);
        vm.assertEq(staking.stakeOf(worker), 0);
        bond(worker, minStake); // and comes back
        vm.assertEq(staking.bondOf(worker), minStake);
    }

    function test_Unbond_BelowMinimum_Reverts() public {
        bond(worker, minStake);
        _delegate(stranger, 2 * minDelegation);
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.BelowMinimumStake.selector, minStake - 1, minStake));
        _unbond(worker, 1);
        vm.expectRevert(
            abi.encodeWithSelector(WorkerStaking.BelowMinimumDelegation.selector, minDelegation - 1, minDelegation)
        );
        _unbond(stranger, minDelegation + 1);
    }

    function test_Unbond_TooMuch_Reverts() public {
        bond(worker, minStake);
        vm.expectRevert(
            abi.encodeWithSelector(WorkerStaking.InsufficientStake.selector, worker, worker, minStake + 1, minStake)
        );
        _unbond(worker, minStake + 1);
        vm.expectRevert(WorkerStaking.ZeroAmount.selector);
        _unbond(worker, 0);
    }

    function test_Withdraw_TooEarly_Reverts() public {
        bond(worker, minStake);
        uint256 id = _unbond(worker, minStake);
        vm.warp(START + unbonding - 1);
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.StillUnbonding.selector, id, START + unbonding));
        vm.prank(worker);
        staking.withdraw(id);
    }

    function test_Withdraw_NotOwnOrTwice_Reverts() public {
        bond(worker, minStake);
        uint256 id = _unbond(worker, minStake);
        vm.warp(START + unbonding);
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.UnknownUnbonding.selector, id, stranger));
        vm.prank(stranger);
        staking.withdraw(id);
        vm.prank(worker);
        staking.withdraw(id);
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.UnknownUnbonding.selector, id, worker));
        vm.prank(worker);
        staking.withdraw(id);
    }

    // ---- keys ----

    function test_Register_Succeeds() public {
        Binding memory b = binding();
        bytes memory signature = sign(WORKER_KEY, staking.bindingDigest(b));
        vm.expectEmit(true, true, true, true, address(staking));
        emit WorkerStaking.Registered(worker, node, payout, b.peer, b.expires);
        vm.prank(stranger);
        staking.register(b, signature);
        vm.assertEq(staking.nodeKeyOf(worker), node);
        vm.assertEq(staking.payoutOf(worker), payout);
        vm.assertEq(keccak256(abi.encode(staking.bindingOf(worker))), keccak256(abi.encode(b)));
        vm.assertTrue(staking.isOperator(worker, node));
        vm.assertTrue(staking.isOperator(worker, worker));
        vm.assertFalse(staking.isOperator(worker, stranger));
        vm.assertFalse(staking.isActive(worker));
        bond(worker, minStake);
        vm.assertTrue(staking.isActive(worker));
        vm.warp(b.expires / 1000);
        vm.assertFalse(staking.isOperator(worker, node));
        vm.assertFalse(staking.isActive(worker));
    }

    /// Settlement's one question has the answers of the single ones.
    function test_StandingOf_IsItsParts() public {
        bond(worker, minStake);
        register();
        for (uint256 i = 0; i < 2; ++i) {
            address[3] memory accounts = [worker, node, stranger];
            for (uint256 j = 0; j < accounts.length; ++j) {
                (bool operator, bool jailed, uint256 stake) = staking.standingOf(worker, accounts[j]);
                vm.assertEq(operator ? 1 : 0, staking.isOperator(worker, accounts[j]) ? 1 : 0);
                vm.assertEq(jailed ? 1 : 0, i);
                vm.assertEq(stake, minStake);
            }
            vm.prank(slasher);
            staking.jail(worker, 1, 1);
        }
        vm.assertEq(staking.nodeKeyOf(worker), node);
        vm.assertEq(staking.bindingOf(stranger).owner, address(0));
    }

    /// Times that would not fit where they are kept are refused, not cut.
    function test_Times_BeyondTheirSlots_Revert() public {
        Binding memory b = binding();
        b.expires = 1 << 48;
        bytes memory signature = sign(WORKER_KEY, staking.bindingDigest(b));
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 48, 1 << 48));
        staking.register(b, signature);
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 40, 1 << 40));
        vm.prank(admin);
        staking.setJailTerm(1 << 40);
        vm.prank(admin);
        staking.setJailTerm((1 << 40) - 1);
        vm.prank(slasher);
        staking.jail(worker, 1, 1);
        vm.assertEq(staking.jailedUntil(worker), block.timestamp + (1 << 40) - 1);
    }

    function test_IsOperator_Unregistered_IsOwnerOnly() public view {
        vm.assertFalse(staking.isOperator(worker, address(0)));
        vm.assertTrue(staking.isOperator(worker, worker));
    }

    function test_Register_OlderBinding_Reverts() public {
        register();
        Binding memory b = binding();
        bytes memory signature = sign(WORKER_KEY, staking.bindingDigest(b));
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.BindingStale.selector, b.issuedAt, b.issuedAt));
        staking.register(b, signature);
        b.issuedAt += 1;
        b.nodeKey = stranger;
        staking.register(b, sign(WORKER_KEY, staking.bindingDigest(b)));
        vm.assertEq(staking.nodeKeyOf(worker), stranger);
        vm.assertFalse(staking.isOperator(worker, node));
    }

    function test_Register_Expired_Reverts() public {
        Binding memory b = binding();
        b.expires = uint64(START * 1000);
        bytes memory signature = sign(WORKER_KEY, staking.bindingDigest(b));
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.BindingExpired.selector, b.expires, START * 1000));
        staking.register(b, signature);
    }

    function test_Register_WrongSigner_Reverts() public {
        Binding memory b = binding();
        bytes memory signature = sign(NODE_KEY, staking.bindingDigest(b));
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.InvalidSignature.selector, worker));
        staking.register(b, signature);
    }

    function test_Register_ZeroKeys_Reverts() public {
        Binding[3] memory bs = [binding(), binding(), binding()];
        bs[0].nodeKey = address(0);
        bs[1].payout = address(0);
        bs[2].owner = address(0);
        for (uint256 i = 0; i < bs.length; ++i) {
            vm.expectRevert(WorkerStaking.ZeroAddress.selector);
            staking.register(bs[i], "");
        }
    }

    function test_Register_PeerLength_Reverts() public {
        Binding memory b = binding();
        b.peer = "";
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.InvalidPeer.selector, 0, 128));
        staking.register(b, "");
        b.peer = string(new bytes(129));
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.InvalidPeer.selector, 129, 128));
        staking.register(b, "");
    }

    // ---- slashing ----

    function test_Slash_InProportion_Succeeds() public {
        bond(worker, 2 * minStake);
        _delegate(stranger, minStake);
        uint256 id = _unbond(worker, minStake); // 2/3 staked, 1/3 leaving
        vm.assertEq(_slash(3 * minStake / 10), 3 * minStake / 10);
        vm.assertEq(staking.bondOf(worker), minStake * 9 / 10);
        vm.assertEq(staking.stakedBy(worker, stranger), minStake * 9 / 10);
        vm.assertEq(staking.unbondingOf(worker), minStake * 9 / 10);
        vm.warp(START + unbonding);
        vm.prank(worker);
        vm.assertEq(staking.withdraw(id), minStake * 9 / 10);
        vm.assertEq(staking.proceedsOf(address(treasury)), 3 * minStake / 10);
        vm.prank(address(treasury));
        staking.collect();
        vm.assertEq(address(treasury).balance, 3 * minStake / 10);
    }

    function test_Delegate_MinimumAfterSlash_Succeeds() public {
        bond(worker, 3 * minStake);
        _slash(1e9 + 7); // shares no longer divide evenly
        _delegate(stranger, minDelegation);
        uint256 stake = staking.stakedBy(worker, stranger);
        vm.assertTrue(stake <= minDelegation && stake + 1 >= minDelegation);
    }

    function test_Slash_Everything_ClosesPool() public {
        bond(worker, minStake);
        _delegate(stranger, minDelegation);
        vm.assertEq(_slash(type(uint256).max), minStake + minDelegation);
        vm.assertEq(staking.stakeOf(worker), 0);
        vm.assertEq(staking.stakedBy(worker, stranger), 0);
        bond(worker, minStake); // a fresh pool: old shares are worth nothing in it
        vm.assertEq(staking.bondOf(worker), minStake);
        vm.assertEq(staking.stakedBy(worker, stranger), 0);
    }

    function test_Slash_DuringUnbonding_ReachesLeavingStake() public {
        bond(worker, minStake);
        uint256 id = _unbond(worker, minStake);
        vm.assertEq(_slash(minStake), minStake);
        vm.warp(START + unbonding);
        vm.prank(worker);
        vm.assertEq(staking.withdraw(id), 0);
    }

    function test_Slash_NothingStaked_Reverts() public {
        vm.expectRevert(WorkerStaking.ZeroAmount.selector);
        _slash(1);
    }

    function test_Slash_ZeroBeneficiary_Reverts() public {
        vm.expectRevert(WorkerStaking.ZeroAddress.selector);
        vm.prank(slasher);
        staking.slash(worker, 1, address(0), 1, 7);
    }

    function test_Slash_NotSlasher_Reverts() public {
        bond(worker, minStake);
        vm.expectRevert();
        vm.prank(admin);
        staking.slash(worker, 1, admin, 1, 7);
    }

    function test_Collect_Nothing_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.NothingToCollect.selector, address(this)));
        staking.collect();
    }

    // ---- parameters ----

    function test_SetParameters_NotAdmin_Reverts() public {
        vm.expectRevert();
        staking.setMinimums(1, 1);
        vm.expectRevert();
        staking.setUnbondingPeriod(1);
        vm.prank(admin);
        staking.setMinimums(2, 1);
        vm.prank(admin);
        staking.setUnbondingPeriod(3);
        vm.assertEq(staking.minStake(), 2);
        vm.assertEq(staking.minDelegation(), 1);
        vm.assertEq(staking.unbondingPeriod(), 3);
        vm.expectRevert(WorkerStaking.ZeroAmount.selector);
        vm.prank(admin);
        staking.setMinimums(0, 1);
    }

    function test_Constructor_ZeroAdmin_Reverts() public {
        vm.expectRevert(WorkerStaking.ZeroAddress.selector);
        new WorkerStaking(address(0), 1, 1, 1, 1);
    }

    /// Stakes, departures and slashes in any amounts: nobody gets more than was put in, and the contract can always pay.
    function testFuzz_Stake_Solvent(uint256 a, uint256 b, uint256 leave, uint256 cut, uint256 c, uint256 cut2) public {
        a = minStake + a % 1e24;
        b = minDelegation + b % 1e24;
        bond(worker, a);
        _delegate(stranger, b);
        _unbond(stranger, b); // waits, slashable
        _delegate(stranger, b);
        uint256 room = a - minStake;
        if (room != 0 && leave % (room + 1) != 0) _unbond(worker, leave % (room + 1));
        _slash(1 + cut % (a + 2 * b));
        c = minStake + c % 1e24;
        vm.deal(owner, c);
        if (staking.bondOf(worker) != 0) {
            vm.prank(owner);
            staking.delegate{value: c}(worker);
            uint256 got = staking.stakedBy(worker, owner);
            vm.assertTrue(got <= c && got + 2 >= c, "a newcomer keeps its stake");
        }
        uint256 all = staking.stakeOf(worker) + staking.unbondingOf(worker);
        if (all != 0) _slash(1 + cut2 % all);

        (address[] memory accounts, uint256[] memory amounts) = staking.stakersOf(worker);
        uint256 sum = 0;
        for (uint256 i = 0; i < accounts.length; ++i) {
            sum += amounts[i];
            if (amounts[i] == 0) continue;
            vm.prank(accounts[i]);
            staking.unbond(worker, type(uint256).max);
        }
        vm.assertTrue(staking.unbondingOf(worker) + staking.stakeOf(worker) >= sum, "nothing is lost by leaving");
        vm.warp(START + unbonding);
        address[3] memory people = [worker, stranger, owner];
        for (uint256 i = 0; i < people.length; ++i) {
            WorkerStaking.Unbonding[] memory list = staking.unbondingsOf(people[i]);
            for (uint256 j = 0; j < list.length; ++j) {
                uint256 before = people[i].balance;
                vm.prank(people[i]);
                staking.withdraw(list[j].id);
                uint256 got = people[i].balance - before;
                vm.assertTrue(got >= list[j].amount && got <= list[j].amount + 4, "what the view said, to the dust");
            }
        }
        uint256 owed = staking.proceedsOf(address(treasury));
        vm.assertTrue(address(staking).balance >= owed, "covers proceeds");
        vm.assertTrue(address(staking).balance - owed <= 8, "only dust stays");
    }
}
