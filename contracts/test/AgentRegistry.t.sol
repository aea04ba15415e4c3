// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AgentRegistry} from "../src/AgentRegistry.sol";
import {AgentOrder} from "../src/Types.sol";
import {CidText} from "./support/CidText.sol";
import {Fixture} from "./support/Fixture.sol";
import {SmartAccount} from "./support/SmartAccount.sol";

contract AgentRegistryTest is Fixture {
    uint256 private minimum;
    uint64 private period;

    function setUp() public override {
        super.setUp();
        (minimum, period) = (agents.minStake(), agents.unbondingPeriod());
        bytes32 role = agents.DISPUTE_ROLE();
        vm.prank(admin);
        agents.grantRole(role, admin);
    }

    function _order(uint64 agent, uint32 version) private view returns (AgentOrder memory) {
        return AgentOrder({
            owner: owner,
            agent: agent,
            version: version,
            name: "poet",
            manifest: CidText.raw("manifest"),
            price: 7,
            deadline: uint64(block.timestamp)
        });
    }

    /// @dev Sent by anybody with the owner's signature.
    function publish(AgentOrder memory o, uint256 key, uint256 value) public returns (uint64) {
        bytes memory signature = sign(key, agents.orderDigest(o));
        vm.deal(stranger, value);
        vm.prank(stranger);
        return agents.publish{value: value}(o, signature);
    }

    function _registered() private returns (uint64) {
        return publish(_order(0, 1), OWNER_KEY, minimum);
    }

    function _as(address who) private {
        vm.prank(who);
    }

    function test_Publish_Registers() public {
        vm.assertEq(_registered(), 1);
        AgentRegistry.Agent memory a = agents.agentOf(1);
        vm.assertEq(a.owner, owner);
        vm.assertEq(a.name, "poet");
        vm.assertEq(a.version, 1);
        vm.assertEq(a.stake, minimum);
        vm.assertTrue(agents.isActive(1));
        AgentRegistry.Version memory v = agents.versionOf(1, 1);
        vm.assertEq(v.digest, sha256("manifest"));
        vm.assertEq(v.price, 7);
        vm.assertEq(v.manifest, CidText.raw("manifest"));
        vm.assertEq(agents.agentByName(owner, "poet"), 1);
        vm.assertEq(agents.count(), 1);
    }

    function test_Publish_WithoutStake_IsNotActive() public {
        publish(_order(0, 1), OWNER_KEY, minimum - 1);
        vm.assertFalse(agents.isActive(1));
        vm.expectRevert(
            abi.encodeWithSelector(AgentRegistry.BelowMinimumStake.selector, 1, minimum - 1, minimum)
        );
        _as(owner);
        agents.setActive(1, true);
        vm.deal(stranger, 1);
        _as(stranger);
        agents.stake{value: 1}(1);
        _as(owner);
        agents.setActive(1, true);
        vm.assertTrue(agents.isActive(1));
    }

    function test_Publish_NextVersion_KeepsTheOld() public {
        _registered();
        AgentOrder memory o = _order(1, 2);
        (o.manifest, o.price) = (CidText.raw("second"), 9);
        publish(o, OWNER_KEY, 0);
        vm.assertEq(agents.agentOf(1).version, 2);
        vm.assertEq(agents.versionOf(1, 2).price, 9);
        vm.assertEq(agents.versionOf(1, 1).price, 7);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.VersionExists.selector, 1, 2));
        this.publish(o, OWNER_KEY, 0);
        o.version = 4;
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.VersionGap.selector, 1, 3, 4));
        this.publish(o, OWNER_KEY, 0);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.UnknownVersion.selector, 1, 3));
        agents.versionOf(1, 3);
    }

    function test_Publish_Invalid_Reverts() public {
        AgentOrder memory o = _order(0, 1);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.InvalidSignature.selector, owner));
        this.publish(o, STRANGER_KEY, 0);
        o.name = "A poet";
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.InvalidName.selector, "A poet"));
        this.publish(o, OWNER_KEY, 0);
        o.name = "";
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.InvalidName.selector, ""));
        this.publish(o, OWNER_KEY, 0);
        o = _order(0, 1);
        o.owner = address(0);
        vm.expectRevert(AgentRegistry.ZeroAddress.selector);
        this.publish(o, OWNER_KEY, 0);
        o = _order(0, 1);
        o.manifest = "elsewhere";
        vm.expectRevert();
        this.publish(o, OWNER_KEY, 0);
        o = _order(3, 1);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.UnknownAgent.selector, 3));
        this.publish(o, OWNER_KEY, 0);
        o.deadline -= 1;
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.OrderExpired.selector, o.deadline, START));
        this.publish(o, OWNER_KEY, 0);
        _registered();
        o = _order(0, 1);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.NameTaken.selector, owner, "poet", 1));
        this.publish(o, OWNER_KEY, 0);
        o = _order(1, 2);
        o.name = "bard";
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.NameChanged.selector, 1, "bard"));
        this.publish(o, OWNER_KEY, 0);
        o = _order(1, 2);
        o.owner = stranger;
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.NotAgentOwner.selector, 1, stranger));
        this.publish(o, STRANGER_KEY, 0);
    }

    function test_Publish_SmartAccount_Succeeds() public {
        AgentOrder memory o = _order(0, 1);
        o.owner = address(new SmartAccount(owner));
        publish(o, OWNER_KEY, 0);
        vm.assertEq(agents.agentOf(1).owner, o.owner);
    }

    function test_Ownership_TakesTwoSteps() public {
        _registered();
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.NotAgentOwner.selector, 1, stranger));
        _as(stranger);
        agents.transferOwnership(1, stranger);
        _as(owner);
        agents.transferOwnership(1, worker);
        vm.assertEq(agents.agentOf(1).owner, owner);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.NotPendingOwner.selector, 1, stranger));
        _as(stranger);
        agents.acceptOwnership(1);
        _as(worker);
        agents.acceptOwnership(1);
        vm.assertEq(agents.agentOf(1).owner, worker);
        vm.assertEq(agents.agentOf(1).pendingOwner, address(0));
        vm.assertEq(agents.agentByName(owner, "poet"), 0);
        vm.assertEq(agents.agentByName(worker, "poet"), 1);
        // The old owner's orders are void, its name is free again, and the stake went along.
        AgentOrder memory o = _order(1, 2);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.NotAgentOwner.selector, 1, owner));
        this.publish(o, OWNER_KEY, 0);
        publish(_order(0, 1), OWNER_KEY, 0);
        _as(owner);
        agents.transferOwnership(2, worker);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.NameTaken.selector, worker, "poet", 1));
        _as(worker);
        agents.acceptOwnership(2);
    }

    function test_Unstake_WaitsAndPays() public {
        _registered();
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.BelowMinimumStake.selector, 1, 0, minimum));
        _as(owner);
        agents.unstake(1, minimum);
        _as(owner);
        agents.setActive(1, false);
        vm.expectRevert(AgentRegistry.ZeroAmount.selector);
        _as(owner);
        agents.unstake(1, 0);
        vm.expectRevert(
            abi.encodeWithSelector(AgentRegistry.InsufficientStake.selector, 1, minimum + 1, minimum)
        );
        _as(owner);
        agents.unstake(1, minimum + 1);
        _as(owner);
        agents.unstake(1, minimum);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.StillUnbonding.selector, 1, START + period));
        _as(owner);
        agents.withdraw(1);
        vm.warp(START + period);
        _as(owner);
        vm.assertEq(agents.withdraw(1), minimum);
        vm.assertEq(owner.balance, minimum);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.UnknownUnbonding.selector, 1));
        _as(owner);
        agents.withdraw(1);
        vm.expectRevert(AgentRegistry.ZeroAmount.selector);
        agents.stake(1);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.UnknownAgent.selector, 9));
        _as(owner);
        agents.withdraw(9);
    }

    function test_Slash_ReachesWhatLeaves_AndRetires() public {
        publish(_order(0, 1), OWNER_KEY, minimum + 10);
        _as(owner);
        agents.unstake(1, 10);
        vm.expectRevert();
        agents.slash(1, 1, stranger, "mine");
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.InvalidReason.selector, 0, 256));
        _as(admin);
        agents.slash(1, 1, stranger, "");
        vm.expectRevert(AgentRegistry.ZeroAddress.selector);
        _as(admin);
        agents.slash(1, 1, address(0), "why");
        vm.expectEmit(true, true, true, true, address(agents));
        emit AgentRegistry.Slashed(1, admin, payout, minimum + 4, "leaked prompts");
        _as(admin);
        vm.assertEq(agents.slash(1, minimum + 4, payout, "leaked prompts"), minimum + 4);
        vm.assertEq(agents.agentOf(1).stake, 0);
        vm.assertEq(agents.agentOf(1).leaving, 6);
        vm.assertFalse(agents.agentOf(1).active);
        _as(admin);
        vm.assertEq(agents.slash(1, type(uint256).max, payout, "again"), 6);
        vm.expectRevert(AgentRegistry.ZeroAmount.selector);
        _as(admin);
        agents.slash(1, 1, payout, "nothing is left");
        vm.assertEq(agents.collectFor(payout), minimum + 10);
        vm.assertEq(payout.balance, minimum + 10);
        vm.expectRevert(abi.encodeWithSelector(AgentRegistry.NothingToCollect.selector, payout));
        _as(payout);
        agents.collect();
        vm.assertEq(agents.proceedsOf(payout), 0);
        vm.assertEq(address(agents).balance, 0);
    }

    function test_Parameters_OnlyAdmin() public {
        vm.expectRevert();
        agents.setMinStake(1);
        vm.expectRevert();
        agents.setUnbondingPeriod(1);
        _registered();
        _as(admin);
        agents.setMinStake(minimum + 1);
        vm.assertFalse(agents.isActive(1)); // until its owner adds to it
        _as(admin);
        agents.setUnbondingPeriod(1);
        vm.assertEq(agents.unbondingPeriod(), 1);
        vm.expectRevert(AgentRegistry.ZeroAddress.selector);
        new AgentRegistry(address(0), 1, 1);
    }

    /// Whatever comes in whatever order, the registry holds all stakes, what leaves, and proceeds.
    function testFuzz_Stake_IsConserved(uint8[16] calldata moves, uint96[16] calldata amounts) public {
        publish(_order(0, 1), OWNER_KEY, 1 ether);
        _as(owner);
        agents.setActive(1, false);
        for (uint256 i = 0; i < moves.length; ++i) {
            AgentRegistry.Agent memory a = agents.agentOf(1);
            uint256 amount = uint256(amounts[i]) + 1;
            if (moves[i] % 5 == 0) {
                vm.deal(stranger, amount);
                _as(stranger);
                agents.stake{value: amount}(1);
            } else if (moves[i] % 5 == 1 && a.stake != 0) {
                _as(owner);
                agents.unstake(1, amount % a.stake + 1);
            } else if (moves[i] % 5 == 2 && a.leaving != 0) {
                if (block.timestamp < a.releaseAt) vm.warp(a.releaseAt);
                _as(owner);
                agents.withdraw(1);
            } else if (moves[i] % 5 == 3 && a.stake + a.leaving != 0) {
                _as(admin);
                agents.slash(1, amount, payout, "fuzz");
            } else if (agents.proceedsOf(payout) != 0) {
                agents.collectFor(payout);
            }
            a = agents.agentOf(1);
            vm.assertEq(address(agents).balance, uint256(a.stake) + a.leaving + agents.proceedsOf(payout));
        }
    }
}
