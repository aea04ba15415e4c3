// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {Escrow} from "../src/Escrow.sol";
import {Batch, Claim, SignedVoucher, Voucher} from "../src/Types.sol";
import {WorkerStaking} from "../src/WorkerStaking.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice Requesters, workers and claimants doing what they may, in any order and with the clock running.
contract Handler is Fixture {
    uint256 private constant REQUESTERS = 3;
    uint256 private constant WORKERS = 2;
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public claimed;
    uint256 public settled;

    address[][] private _accounts;
    uint256[][] private _amounts;
    Batch[] private _batches;

    constructor() {
        setUp();
        bytes32 role = staking.SLASHER_ROLE();
        vm.prank(admin);
        staking.grantRole(role, admin);
        for (uint256 i = 0; i < WORKERS; ++i) {
            bond(vm.addr(0x100 + i), minStake);
        }
    }

    function contracts() external view returns (Escrow, AttributionSettlement, WorkerStaking) {
        return (escrow, settlement, staking);
    }

    function beneficiary() external view returns (address) {
        return address(treasury);
    }

    function workers() external pure returns (address[] memory list) {
        list = new address[](WORKERS);
        for (uint256 i = 0; i < WORKERS; ++i) {
            list[i] = vm.addr(0x100 + i);
        }
    }

    function requesters() external pure returns (address[] memory list) {
        list = new address[](REQUESTERS);
        for (uint256 i = 0; i < REQUESTERS; ++i) {
            list[i] = vm.addr(0x200 + i);
        }
    }

    function add(uint256 who, uint256 amount) external {
        amount = 1 + amount % 100 ether;
        deposit(vm.addr(0x200 + who % REQUESTERS), amount);
        deposited += amount;
    }

    function leave(uint256 who, uint256 amount) external {
        address r = vm.addr(0x200 + who % REQUESTERS);
        if (escrow.withdrawalOf(r).amount != 0) {
            if (block.timestamp < escrow.withdrawalOf(r).releaseAt) return;
            vm.prank(r);
            withdrawn += escrow.executeWithdrawal();
        } else if (escrow.balanceOf(r) != 0) {
            amount = 1 + amount % escrow.balanceOf(r);
            vm.prank(r);
            escrow.requestWithdrawal(amount);
        }
    }

    function settle(uint256 who, uint256 which, uint256 seed) external {
        uint256 key = 0x200 + who % REQUESTERS;
        address r = vm.addr(key);
        address w = vm.addr(0x100 + which % WORKERS);
        uint256 cover = settlement.coverOf(w);
        uint256 exposure = settlement.exposureOf(w);
        uint256 most = escrow.balanceOf(r);
        if (cover <= exposure) return;
        if (most > cover - exposure) most = cover - exposure;
        if (most < 8) return;
        uint256 n = 1 + seed % 7;
        address[] memory accounts = new address[](n);
        uint256[] memory amounts = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            accounts[i] = address(uint160(0xABC000 + i));
            amounts[i] = 1 + uint256(keccak256(abi.encode(seed, i))) % (most / n);
        }
        Batch memory b = batchOf(w, settlement.nextNonce(w), accounts, amounts);
        Voucher memory v = Voucher(r, w, escrow.drawnOf(r, w) + b.total, uint64(block.timestamp + 1));
        SignedVoucher[] memory vs = one(signed(v, key));
        vm.prank(w);
        settlement.submitBatch(b, vs);
        settled += b.total;
        _accounts.push(accounts);
        _amounts.push(amounts);
        _batches.push(b);
    }

    function claim(uint256 which, uint256 index) external {
        if (_batches.length == 0) return;
        which = which % _batches.length;
        Batch memory b = _batches[which];
        if (block.timestamp < settlement.batchOf(b.worker, b.nonce).claimableAt) return;
        Claim[] memory cs = new Claim[](1);
        cs[0] = claimOf(b, _accounts[which], _amounts[which], uint32(index % b.count));
        claimed += settlement.claimMany(cs);
    }

    function stake(uint256 who, uint256 which, uint256 amount) external {
        address w = vm.addr(0x100 + which % WORKERS);
        address s = address(uint160(0x300 + who % 3));
        if (staking.bondOf(w) == 0) return;
        amount = minDelegation + amount % 100 ether;
        vm.deal(s, s.balance + amount);
        vm.prank(s);
        staking.delegate{value: amount}(w);
    }

    function unstake(uint256 who, uint256 which) external {
        address w = vm.addr(0x100 + which % WORKERS);
        address s = address(uint160(0x300 + who % 3));
        WorkerStaking.Unbonding[] memory list = staking.unbondingsOf(s);
        if (list.length != 0 && block.timestamp >= list[0].releaseAt) {
            vm.prank(s);
            staking.withdraw(list[0].id);
        } else if (staking.stakedBy(w, s) != 0) {
            vm.prank(s);
            staking.unbond(w, type(uint256).max);
        }
    }

    function slash(uint256 which, uint256 amount) external {
        address w = vm.addr(0x100 + which % WORKERS);
        uint256 staked = staking.stakeOf(w);
        if (staked < 2) return;
        vm.prank(admin);
        staking.slash(w, 1 + amount % (staked / 2), address(treasury), 1, 1);
    }

    function pass(uint256 seconds_) external {
        vm.warp(block.timestamp + seconds_ % (unbonding / 3));
    }
}

contract SolvencyTest is Fixture {
    Handler private handler;

    function setUp() public override {
        handler = new Handler();
        (escrow, settlement, staking) = handler.contracts();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    /// What forge may call: all that the handler offers, and not its setUp.
    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = Handler.add.selector;
        selectors[1] = Handler.leave.selector;
        selectors[2] = Handler.settle.selector;
        selectors[3] = Handler.claim.selector;
        selectors[4] = Handler.stake.selector;
        selectors[5] = Handler.unstake.selector;
        selectors[6] = Handler.slash.selector;
        selectors[7] = Handler.pass.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// One campaign for all: each is checked on every history.
    function invariant_EveryPot_HoldsWhatItOwes() public view {
        _checkEscrow();
        _checkSettlement();
        _checkStaking();
    }

    /// The escrow holds exactly all balances.
    function _checkEscrow() private view {
        uint256 sum = 0;
        address[] memory rs = handler.requesters();
        for (uint256 i = 0; i < rs.length; ++i) {
            sum += escrow.balanceOf(rs[i]);
        }
        vm.assertEq(address(escrow).balance, sum);
        vm.assertEq(handler.deposited(), sum + handler.settled() + handler.withdrawn());
    }

    /// Settlement holds exactly what was drawn and not claimed.
    function _checkSettlement() private view {
        uint256 unclaimed = 0;
        address[] memory ws = handler.workers();
        for (uint256 i = 0; i < ws.length; ++i) {
            for (uint64 n = 0; n < settlement.nextNonce(ws[i]); ++n) {
                AttributionSettlement.BatchView memory b = settlement.batchOf(ws[i], n);
                vm.assertTrue(b.claimed <= b.total);
                unclaimed += b.total - b.claimed;
            }
        }
        vm.assertEq(address(settlement).balance, unclaimed);
        vm.assertEq(handler.settled() - handler.claimed(), unclaimed);
    }

    /// Staking can pay everybody.
    function _checkStaking() private view {
        uint256 owed = staking.proceedsOf(handler.beneficiary());
        address[] memory ws = handler.workers();
        for (uint256 i = 0; i < ws.length; ++i) {
            (, uint256[] memory amounts) = staking.stakersOf(ws[i]);
            uint256 sum = 0;
            for (uint256 j = 0; j < amounts.length; ++j) {
                sum += amounts[j];
            }
            vm.assertTrue(sum <= staking.stakeOf(ws[i]));
            owed += staking.stakeOf(ws[i]) + staking.unbondingOf(ws[i]);
        }
        vm.assertTrue(address(staking).balance >= owed);
    }
}
