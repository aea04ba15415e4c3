// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AgentRegistry} from "../../src/AgentRegistry.sol";
import {AttributionSettlement} from "../../src/AttributionSettlement.sol";
import {ContributorRules, ContributorStaking} from "../../src/ContributorStaking.sol";
import {DisputeCommittee} from "../../src/DisputeCommittee.sol";
import {DatanetRegistry} from "../../src/DatanetRegistry.sol";
import {DelegateRegistry} from "../../src/DelegateRegistry.sol";
import {EpochDistributor} from "../../src/EpochDistributor.sol";
import {Escrow} from "../../src/Escrow.sol";
import {FeeParameters} from "../../src/FeeParameters.sol";
import {ModelRegistry} from "../../src/ModelRegistry.sol";
import {Treasury} from "../../src/Treasury.sol";
import {
    Batch,
    BatchRef,
    Binding,
    Claim,
    CommitteeRules,
    LineageRules,
    PenaltyRules,
    PeriodRules,
    ProofNode,
    Shares,
    SignedVoucher,
    ValidatorRules,
    Voucher
} from "../../src/Types.sol";
import {ValidatorPool} from "../../src/ValidatorPool.sol";
import {WorkerStaking} from "../../src/WorkerStaking.sol";
import {Tree} from "./Tree.sol";
import {Vm} from "./Vm.sol";

/// @notice Every contract, deployed as `genesis/dev.json` says, and people with keys.
abstract contract Fixture {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 internal constant START = 1_800_000_000;

    uint256 internal constant WORKER_KEY = 0xA1;
    uint256 internal constant NODE_KEY = 0xA2;
    uint256 internal constant REQUESTER_KEY = 0xB1;
    uint256 internal constant SESSION_KEY = 0xB2;
    uint256 internal constant OWNER_KEY = 0xC1;
    uint256 internal constant STRANGER_KEY = 0xE1;

    address internal admin = address(uint160(0xAD));
    address internal worker = vm.addr(WORKER_KEY);
    address internal node = vm.addr(NODE_KEY);
    address internal payout = address(uint160(0xA3));
    address internal requester = vm.addr(REQUESTER_KEY);
    address internal session = vm.addr(SESSION_KEY);
    address internal owner = vm.addr(OWNER_KEY);
    address internal stranger = vm.addr(STRANGER_KEY);

    Treasury internal treasury;
    FeeParameters internal fees;
    WorkerStaking internal staking;
    Escrow internal escrow;
    DelegateRegistry internal delegates;
    DatanetRegistry internal datanets;
    ModelRegistry internal models;
    AttributionSettlement internal settlement;
    EpochDistributor internal epochs;
    ValidatorPool internal validators;
    DisputeCommittee internal disputes;
    AgentRegistry internal agents;
    ContributorStaking internal contributors;

    uint256 internal minStake;
    uint256 internal minDelegation;
    uint64 internal unbonding;
    uint64 internal jailTerm;
    uint64 internal delay;
    uint64 internal window;
    uint32 internal coverBps;
    uint256 internal epochBond;
    uint64 internal epochWindow;
    uint64 internal buildWindow;

    function setUp() public virtual {
        vm.warp(START);
        string memory config = vm.readFile("genesis/dev.json");
        minStake = vm.parseJsonUint(config, ".staking.min_stake_wei");
        minDelegation = vm.parseJsonUint(config, ".staking.min_delegation_wei");
        unbonding = uint64(vm.parseJsonUint(config, ".staking.unbonding_seconds"));
        jailTerm = uint64(vm.parseJsonUint(config, ".staking.jail_seconds"));
        delay = uint64(vm.parseJsonUint(config, ".escrow.withdrawal_delay_seconds"));
        window = uint64(vm.parseJsonUint(config, ".settlement.challenge_window_seconds"));
        coverBps = uint32(vm.parseJsonUint(config, ".settlement.cover_bps"));

        epochBond = vm.parseJsonUint(config, ".epochs.bond_wei");
        epochWindow = uint64(vm.parseJsonUint(config, ".epochs.challenge_window_seconds"));
        buildWindow = uint64(vm.parseJsonUint(config, ".epochs.build_window_seconds"));

        treasury = new Treasury(admin);
        fees = new FeeParameters(admin, address(treasury), sharesIn(config, ".fees"));
        staking = new WorkerStaking(admin, minStake, minDelegation, unbonding, jailTerm);
        escrow = new Escrow(admin, delay);
        delegates = new DelegateRegistry();
        datanets = new DatanetRegistry(delegates);
        models = new ModelRegistry(admin, datanets, lineageIn(config));
        settlement = new AttributionSettlement(admin, escrow, staking, window, coverBps);
        agents = new AgentRegistry(
            admin,
            vm.parseJsonUint(config, ".agents.min_stake_wei"),
            uint64(vm.parseJsonUint(config, ".agents.unbonding_seconds"))
        );
        contributors = new ContributorStaking(admin, datanets, rulesIn(config, ".contributors"));
        bytes32 role = escrow.SETTLEMENT_ROLE();
        vm.prank(admin);
        escrow.grantRole(role, address(settlement));
        epochs = new EpochDistributor(admin, settlement, fees, epochBond, epochWindow, buildWindow);
        role = settlement.DISTRIBUTOR_ROLE();
        vm.prank(admin);
        settlement.grantRole(role, address(epochs));
        validators = new ValidatorPool(admin, validatorsIn(config));
        disputes = new DisputeCommittee(
            admin,
            settlement,
            epochs,
            fees,
            validators,
            uint128(vm.parseJsonUint(config, ".disputes.challenge_bond_wei")),
            committeeIn(config),
            periodsIn(config),
            penaltiesIn(config)
        );
        role = settlement.DISPUTE_ROLE();
        vm.prank(admin);
        settlement.grantRole(role, address(disputes));
        role = epochs.DISPUTE_ROLE();
        vm.prank(admin);
        epochs.grantRole(role, address(disputes));
        role = staking.SLASHER_ROLE();
        vm.prank(admin);
        staking.grantRole(role, address(disputes));
        role = validators.COMMITTEE_ROLE();
        vm.prank(admin);
        validators.grantRole(role, address(disputes));
    }

    function validatorsIn(string memory json) internal pure returns (ValidatorRules memory) {
        return ValidatorRules({
            minBond: uint128(vm.parseJsonUint(json, ".validators.min_bond_wei")),
            unbonding: uint64(vm.parseJsonUint(json, ".validators.unbonding_seconds"))
        });
    }

    function lineageIn(string memory json) internal pure returns (LineageRules memory) {
        return LineageRules({
            royaltyBps: uint16(vm.parseJsonUint(json, ".lineage.max_royalty_bps")),
            totalBps: uint16(vm.parseJsonUint(json, ".lineage.max_total_bps")),
            parents: uint8(vm.parseJsonUint(json, ".lineage.max_parents")),
            depth: uint8(vm.parseJsonUint(json, ".lineage.max_depth"))
        });
    }

    function committeeIn(string memory json) internal pure returns (CommitteeRules memory) {
        return CommitteeRules({
            seats: uint8(vm.parseJsonUint(json, ".disputes.seats")),
            quorumBps: uint16(vm.parseJsonUint(json, ".disputes.quorum_bps")),
            rounds: uint8(vm.parseJsonUint(json, ".disputes.rounds"))
        });
    }

    function periodsIn(string memory json) internal pure returns (PeriodRules memory) {
        return PeriodRules({
            drawDelay: uint16(vm.parseJsonUint(json, ".disputes.draw_delay_blocks")),
            drawing: uint64(vm.parseJsonUint(json, ".disputes.draw_seconds")),
            voting: uint64(vm.parseJsonUint(json, ".disputes.voting_seconds"))
        });
    }

    function penaltiesIn(string memory json) internal pure returns (PenaltyRules memory) {
        return PenaltyRules({
            slashBps: uint16(vm.parseJsonUint(json, ".disputes.slash_bps")),
            challengerBps: uint16(vm.parseJsonUint(json, ".disputes.challenger_bps")),
            signersBps: uint16(vm.parseJsonUint(json, ".disputes.signers_bps")),
            absenceBps: uint16(vm.parseJsonUint(json, ".disputes.absence_bps"))
        });
    }

    function sharesIn(string memory json, string memory at) internal pure returns (Shares memory) {
        return Shares({
            platformBps: uint16(vm.parseJsonUint(json, string.concat(at, ".platform_bps"))),
            ownerPart: uint16(vm.parseJsonUint(json, string.concat(at, ".owner_part"))),
            stakersPart: uint16(vm.parseJsonUint(json, string.concat(at, ".stakers_part"))),
            contributorsPart: uint16(vm.parseJsonUint(json, string.concat(at, ".contributors_part")))
        });
    }

    function rulesIn(string memory json, string memory at) internal pure returns (ContributorRules memory) {
        return ContributorRules({
            minRequirement: vm.parseJsonUint(json, string.concat(at, ".min_requirement_wei")),
            maxRequirement: vm.parseJsonUint(json, string.concat(at, ".max_requirement_wei")),
            slashBps: uint16(vm.parseJsonUint(json, string.concat(at, ".slash_bps"))),
            unstakeDelay: uint64(vm.parseJsonUint(json, string.concat(at, ".unstake_delay_seconds"))),
            appealPeriod: uint64(vm.parseJsonUint(json, string.concat(at, ".appeal_seconds"))),
            decisionPeriod: uint64(vm.parseJsonUint(json, string.concat(at, ".decision_seconds")))
        });
    }

    function sign(uint256 key, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key, digest);
        return abi.encodePacked(r, s, v);
    }

    // ---- staking ----

    function bond(address who, uint256 amount) internal {
        vm.deal(who, who.balance + amount);
        vm.prank(who);
        staking.bond{value: amount}();
    }

    function binding() internal view returns (Binding memory) {
        return Binding({
            peer: "12D3KooWPeer",
            nodeKey: node,
            owner: worker,
            payout: payout,
            issuedAt: uint64(block.timestamp * 1000),
            expires: uint64((block.timestamp + 1 days) * 1000)
        });
    }

    function register() internal {
        Binding memory b = binding();
        staking.register(b, sign(WORKER_KEY, staking.bindingDigest(b)));
    }

    // ---- escrow ----

    function deposit(address who, uint256 amount) internal {
        vm.deal(address(this), address(this).balance + amount);
        escrow.depositFor{value: amount}(who);
    }

    function voucher(uint256 cumulative) internal view returns (Voucher memory) {
        return Voucher(requester, worker, cumulative, uint64(block.timestamp + 1 hours));
    }

    function signed(Voucher memory v, uint256 key) internal view returns (SignedVoucher memory) {
        (uint8 parity, bytes32 r, bytes32 s) = vm.sign(key, escrow.voucherDigest(v));
        bytes32 vs = s | bytes32(uint256(parity - 27) << 255); // EIP-2098
        return SignedVoucher(v.requester, v.cumulative, v.expires, r, vs);
    }

    /// Who seems to have signed a voucher.
    function signerOf(SignedVoucher memory s, address to) internal view returns (address) {
        bytes32 digest = escrow.voucherDigest(Voucher(s.requester, to, s.cumulative, s.expires));
        uint8 parity = 27 + uint8(uint256(s.vs) >> 255);
        return ecrecover(digest, parity, s.r, s.vs & bytes32(type(uint256).max >> 1));
    }

    function one(SignedVoucher memory v) internal pure returns (SignedVoucher[] memory vs) {
        vs = new SignedVoucher[](1);
        vs[0] = v;
    }

    // ---- settlement ----

    function batchOf(address who, uint64 nonce, address[] memory accounts, uint256[] memory amounts)
        internal
        pure
        returns (Batch memory)
    {
        ProofNode memory top = Tree.root(Tree.leaves(accounts, amounts));
        return Batch(who, nonce, top.hash, top.sum, uint32(accounts.length), keccak256("document"));
    }

    function claimOf(Batch memory b, address[] memory accounts, uint256[] memory amounts, uint32 index)
        internal
        pure
        returns (Claim memory)
    {
        return Claim({
            worker: b.worker,
            nonce: b.nonce,
            index: index,
            account: accounts[index],
            amount: amounts[index],
            proof: Tree.proof(Tree.leaves(accounts, amounts), index)
        });
    }

    // ---- epochs ----

    function refs(address who, uint64 first, uint256 n) internal pure returns (BatchRef[] memory list) {
        list = new BatchRef[](n);
        for (uint256 i = 0; i < n; ++i) {
            list[i] = BatchRef(who, first + uint64(i));
        }
    }
}
