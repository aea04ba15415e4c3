// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {IGovernor} from "@openzeppelin/contracts/governance/IGovernor.sol";
import {AgentRegistry} from "../src/AgentRegistry.sol";
import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {ContributorRules, ContributorStaking} from "../src/ContributorStaking.sol";
import {DisputeCommittee} from "../src/DisputeCommittee.sol";
import {EpochDistributor} from "../src/EpochDistributor.sol";
import {FeeParameters} from "../src/FeeParameters.sol";
import {Escrow} from "../src/Escrow.sol";
import {GOPEN} from "../src/GOPEN.sol";
import {ModelRegistry} from "../src/ModelRegistry.sol";
import {OpenGovernor, VotingRules} from "../src/OpenGovernor.sol";
import {Timelock} from "../src/Timelock.sol";
import {Treasury} from "../src/Treasury.sol";
import {CommitteeRules, LineageRules, PenaltyRules, PeriodRules, Shares, ValidatorRules} from "../src/Types.sol";
import {ValidatorPool} from "../src/ValidatorPool.sol";
import {WorkerStaking} from "../src/WorkerStaking.sol";
import {Fixture} from "./support/Fixture.sol";
import {Vm} from "./support/Vm.sol";

/// @notice Everything is handed over to the timelock; proposals change it.
contract GovernanceTest is Fixture {
    uint256 internal constant VOTER_KEY = 0xF1;

    GOPEN internal gopen;
    Timelock internal timelock;
    OpenGovernor internal governor;
    VotingRules internal rules;
    uint256 internal lock;
    address internal voter = vm.addr(VOTER_KEY);
    address[] internal governed;

    function setUp() public override {
        vm.recordLogs();
        super.setUp();
        string memory config = vm.readFile("genesis/dev.json");
        rules = VotingRules({
            votingDelay: uint48(vm.parseJsonUint(config, ".governance.voting_delay_seconds")),
            votingPeriod: uint32(vm.parseJsonUint(config, ".governance.voting_period_seconds")),
            proposalThreshold: vm.parseJsonUint(config, ".governance.proposal_threshold_wei"),
            quorumPercent: vm.parseJsonUint(config, ".governance.quorum_percent")
        });
        lock = vm.parseJsonUint(config, ".governance.timelock_seconds");
        gopen = new GOPEN();
        timelock = new Timelock(lock, admin);
        governor = new OpenGovernor(gopen, timelock, rules);

        bytes32 proposer = timelock.PROPOSER_ROLE();
        bytes32 canceller = timelock.CANCELLER_ROLE();
        bytes32 root = timelock.DEFAULT_ADMIN_ROLE();
        vm.prank(admin);
        timelock.grantRole(proposer, address(governor));
        vm.prank(admin);
        timelock.grantRole(canceller, address(governor));
        vm.prank(admin);
        timelock.renounceRole(root, admin);
        governed = [
            address(treasury),
            address(fees),
            address(staking),
            address(escrow),
            address(models),
            address(settlement),
            address(epochs),
            address(disputes),
            address(validators),
            address(agents),
            address(contributors)
        ];
        bytes32 registrar = models.REGISTRAR_ROLE();
        vm.prank(admin);
        models.grantRole(registrar, address(timelock));
        if (models.hasRole(registrar, admin)) {
            vm.prank(admin);
            models.renounceRole(registrar, admin);
        }
        bytes32 dispute = agents.DISPUTE_ROLE();
        vm.prank(admin);
        agents.grantRole(dispute, address(timelock));
        vm.prank(admin);
        contributors.grantRole(dispute, address(timelock));
        for (uint256 i = 0; i < governed.length; ++i) {
            vm.prank(admin);
            AccessControl(governed[i]).grantRole(root, address(timelock));
            vm.prank(admin);
            AccessControl(governed[i]).renounceRole(root, admin);
        }

        vm.deal(voter, 20_000 ether);
        vm.prank(voter);
        gopen.deposit{value: 20_000 ether}();
        vm.prank(voter);
        gopen.delegate(voter);
        vm.warp(block.timestamp + 1);
    }

    function propose(address target, bytes memory call, string memory why) internal returns (uint256 id) {
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) = single(target, call);
        vm.prank(voter);
        return governor.propose(targets, values, calls, why);
    }

    function single(address target, bytes memory call)
        internal
        pure
        returns (address[] memory targets, uint256[] memory values, bytes[] memory calls)
    {
        (targets, values, calls) = (new address[](1), new uint256[](1), new bytes[](1));
        (targets[0], calls[0]) = (target, call);
    }

    /// @notice Proposes, votes, queues, waits and executes.
    function decide(address target, bytes memory call, string memory why) internal {
        uint256 id = propose(target, call, why);
        vm.warp(block.timestamp + governor.votingDelay() + 1);
        vm.prank(voter);
        governor.castVote(id, 1);
        vm.warp(block.timestamp + governor.votingPeriod());
        governor.queue(id);
        vm.warp(block.timestamp + timelock.getMinDelay());
        governor.execute(id);
        vm.assertEq(uint256(governor.state(id)), uint256(IGovernor.ProposalState.Executed));
    }

    function test_Rules_AreTheConfigs() public view {
        vm.assertEq(governor.votingDelay(), 1 days);
        vm.assertEq(governor.votingPeriod(), 1 weeks);
        vm.assertEq(governor.proposalThreshold(), 10_000 ether);
        vm.assertEq(governor.quorumNumerator(), 5);
        vm.assertEq(timelock.getMinDelay(), 1 weeks);
        vm.assertEq(gopen.CLOCK_MODE(), "mode=timestamp");
        vm.assertEq(governor.quorum(block.timestamp - 1), 1000 ether);
    }

    /// @notice Whoever was ever given a role, anywhere, and still has it, is a contract.
    function test_Roles_NoExternalAccountHoldsAny() public {
        Vm.Log[] memory logs = vm.getRecordedLogs();
        uint256 held = 0;
        for (uint256 i = 0; i < logs.length; ++i) {
            if (logs[i].topics[0] != IAccessControl.RoleGranted.selector) continue;
            bytes32 role = logs[i].topics[1];
            address account = address(uint160(uint256(logs[i].topics[2])));
            if (!AccessControl(logs[i].emitter).hasRole(role, account)) continue;
            ++held;
            bool anybody =
                account == address(0) && logs[i].emitter == address(timelock) && role == timelock.EXECUTOR_ROLE();
            vm.assertTrue(anybody || account.code.length != 0, "an external account holds a role");
        }
        // Eleven contracts' admin, the registrar, settlement on escrow, epochs and disputes on settlement, disputes on
        // epochs, staking and validators, the timelock's disputes on agents and contributors; proposer, canceller, executor, own
        // admin.
        vm.assertEq(held, 24);
        vm.expectRevert();
        vm.prank(admin);
        fees.setTreasury(admin);
    }

    function test_EveryParameter_ChangedByProposal() public {
        decide(address(fees), abi.encodeCall(FeeParameters.setShares, (Shares(500, 4000, 500, 5000))), "shares");
        vm.assertEq(fees.platformBps(), 500);
        decide(address(fees), abi.encodeCall(FeeParameters.setTreasury, (address(timelock))), "treasury");
        vm.assertEq(fees.treasury(), address(timelock));
        decide(address(staking), abi.encodeCall(WorkerStaking.setMinimums, (1 ether, 2 ether)), "minimums");
        decide(address(staking), abi.encodeCall(WorkerStaking.setUnbondingPeriod, (14 days)), "unbonding");
        decide(address(escrow), abi.encodeCall(Escrow.setWithdrawalDelay, (2 days)), "withdrawals");
        decide(address(settlement), abi.encodeCall(AttributionSettlement.setChallengeWindow, (1 days)), "window");
        decide(address(settlement), abi.encodeCall(AttributionSettlement.setCover, (5000)), "cover");
        decide(address(epochs), abi.encodeCall(EpochDistributor.setBond, (7 ether)), "epochs' bond");
        vm.assertEq(epochs.bond(), 7 ether);
        decide(address(epochs), abi.encodeCall(EpochDistributor.setWindows, (1 days, 2 days)), "epochs' windows");
        vm.assertEq(epochs.buildWindow(), 2 days);
        decide(address(staking), abi.encodeCall(WorkerStaking.setJailTerm, (2 days)), "jail");
        vm.assertEq(staking.jailTerm(), 2 days);
        decide(
            address(validators),
            abi.encodeCall(ValidatorPool.setRules, (ValidatorRules(5 ether, 20 days))),
            "validators"
        );
        vm.assertEq(validators.rules().minBond, 5 ether);
        vm.assertEq(validators.unbondingPeriod(), 20 days);
        decide(address(disputes), abi.encodeCall(DisputeCommittee.setChallengeBond, (6 ether)), "bond");
        vm.assertEq(disputes.challengeBond(), 6 ether);
        decide(
            address(disputes), abi.encodeCall(DisputeCommittee.setCommittee, (CommitteeRules(5, 7000, 2))), "committee"
        );
        vm.assertEq(disputes.committeeRules().seats, 5);
        vm.assertEq(disputes.committeeRules().quorumBps, 7000);
        vm.assertEq(disputes.committeeRules().rounds, 2);
        decide(
            address(disputes),
            abi.encodeCall(DisputeCommittee.setPeriods, (PeriodRules(9, 1 hours, 2 hours))),
            "periods"
        );
        vm.assertEq(disputes.periodRules().drawDelay, 9);
        vm.assertEq(disputes.periodRules().drawing, 1 hours);
        vm.assertEq(disputes.periodRules().voting, 2 hours);
        decide(
            address(disputes),
            abi.encodeCall(DisputeCommittee.setPenalties, (PenaltyRules(1000, 2000, 3000, 40))),
            "penalties"
        );
        vm.assertEq(disputes.penaltyRules().slashBps, 1000);
        vm.assertEq(disputes.penaltyRules().challengerBps, 2000);
        vm.assertEq(disputes.penaltyRules().signersBps, 3000);
        vm.assertEq(disputes.penaltyRules().absenceBps, 40);
        decide(address(agents), abi.encodeCall(AgentRegistry.setMinStake, (5 ether)), "agents");
        vm.assertEq(agents.minStake(), 5 ether);
        decide(address(agents), abi.encodeCall(AgentRegistry.setUnbondingPeriod, (3 days)), "agents leave");
        vm.assertEq(agents.unbondingPeriod(), 3 days);
        ContributorRules memory stakes = contributors.rules();
        stakes.slashBps = 100;
        decide(address(contributors), abi.encodeCall(ContributorStaking.setRules, (stakes)), "contributors");
        vm.assertEq(contributors.rules().slashBps, 100);
        decide(
            address(models), abi.encodeCall(ModelRegistry.setLineageRules, (LineageRules(100, 200, 3, 4))), "lineages"
        );
        vm.assertEq(keccak256(abi.encode(models.lineageRules())), keccak256(abi.encode(LineageRules(100, 200, 3, 4))));
        decide(address(models), abi.encodeCall(ModelRegistry.registerBase, (keccak256("base"), "b", "u")), "base");
        decide(address(governor), abi.encodeWithSignature("setVotingDelay(uint48)", 2 days), "delay");
        vm.assertEq(governor.votingDelay(), 2 days);
        decide(address(governor), abi.encodeWithSignature("setVotingPeriod(uint32)", 3 days), "period");
        vm.assertEq(governor.votingPeriod(), 3 days);
        decide(address(governor), abi.encodeWithSignature("setProposalThreshold(uint256)", 1 ether), "threshold");
        vm.assertEq(governor.proposalThreshold(), 1 ether);
        decide(address(governor), abi.encodeWithSignature("updateQuorumNumerator(uint256)", 10), "quorum");
        vm.assertEq(governor.quorumNumerator(), 10);
        decide(address(timelock), abi.encodeWithSignature("updateDelay(uint256)", 2 days), "timelock");
        vm.assertEq(timelock.getMinDelay(), 2 days);
    }

    function test_Treasury_GrantByProposal() public {
        vm.deal(address(treasury), 10 ether);
        decide(address(treasury), abi.encodeCall(Treasury.grant, (stranger, 4 ether, "for the docs")), "grant");
        vm.assertEq(stranger.balance, 4 ether);
    }

    function test_Propose_BelowThreshold_Reverts() public {
        vm.deal(stranger, 9999 ether);
        vm.prank(stranger);
        gopen.deposit{value: 9999 ether}();
        vm.prank(stranger);
        gopen.delegate(stranger);
        vm.warp(block.timestamp + 1);
        (address[] memory targets, uint256[] memory values, bytes[] memory calls) =
            single(address(fees), abi.encodeCall(FeeParameters.setTreasury, (stranger)));
        vm.expectRevert(
            abi.encodeWithSelector(
                IGovernor.GovernorInsufficientProposerVotes.selector, stranger, 9999 ether, 10_000 ether
            )
        );
        vm.prank(stranger);
        governor.propose(targets, values, calls, "mine");
    }

    function test_NoQuorum_Defeated() public {
        vm.deal(stranger, 1_000_000 ether);
        vm.prank(stranger);
        gopen.deposit{value: 1_000_000 ether}();
        vm.warp(block.timestamp + 1);
        uint256 id = propose(address(fees), abi.encodeCall(FeeParameters.setTreasury, (stranger)), "few");
        vm.warp(block.timestamp + governor.votingDelay() + 1);
        vm.prank(voter);
        governor.castVote(id, 1);
        vm.warp(block.timestamp + governor.votingPeriod());
        vm.assertEq(uint256(governor.state(id)), uint256(IGovernor.ProposalState.Defeated));
        vm.expectRevert();
        governor.queue(id);
    }

    function test_Execute_BeforeTheDelay_Reverts() public {
        uint256 id = propose(address(fees), abi.encodeCall(FeeParameters.setTreasury, (stranger)), "soon");
        vm.warp(block.timestamp + governor.votingDelay() + 1);
        vm.prank(voter);
        governor.castVote(id, 1);
        vm.warp(block.timestamp + governor.votingPeriod());
        governor.queue(id);
        vm.warp(block.timestamp + lock - 1);
        vm.expectRevert();
        governor.execute(id);
        vm.warp(block.timestamp + 1);
        governor.execute(id);
        vm.assertEq(fees.treasury(), stranger);
    }

    /// @notice A holder without coins for gas gives another its voice by a signature.
    function test_DelegateBySig_Counts() public {
        vm.deal(address(this), 15_000 ether);
        address quiet = vm.addr(0xF2);
        gopen.depositTo{value: 15_000 ether}(quiet);
        vm.assertEq(gopen.getVotes(stranger), 0);
        uint256 expiry = block.timestamp + 1 hours;
        bytes32 delegation = keccak256(
            abi.encode(keccak256("Delegation(address delegatee,uint256 nonce,uint256 expiry)"), stranger, 0, expiry)
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(0xF2, keccak256(abi.encodePacked("\x19\x01", gopen.DOMAIN_SEPARATOR(), delegation)));
        gopen.delegateBySig(stranger, 0, expiry, v, r, s);
        vm.assertEq(gopen.getVotes(stranger), 15_000 ether);
        vm.expectRevert();
        gopen.delegateBySig(stranger, 0, expiry, v, r, s);
    }

    function testFuzz_Wrap_Unwrap(uint96 put, uint96 taken) public {
        vm.assume(put != 0 && taken != 0);
        uint256 backing = address(gopen).balance;
        vm.deal(stranger, put);
        vm.prank(stranger);
        (bool ok,) = address(gopen).call{value: put}("");
        vm.assertTrue(ok);
        vm.assertEq(gopen.balanceOf(stranger), put);
        vm.assertEq(address(gopen).balance, gopen.totalSupply());
        if (taken > put) vm.expectRevert();
        vm.prank(stranger);
        gopen.withdrawTo(owner, taken);
        vm.assertEq(owner.balance, taken > put ? 0 : taken);
        vm.assertEq(address(gopen).balance, gopen.totalSupply());
        vm.assertTrue(address(gopen).balance >= backing);
    }

    function test_Wrap_Zero_Reverts() public {
        vm.expectRevert(GOPEN.ZeroAmount.selector);
        gopen.deposit();
        vm.expectRevert(GOPEN.ZeroAmount.selector);
        gopen.withdraw(0);
    }
}
