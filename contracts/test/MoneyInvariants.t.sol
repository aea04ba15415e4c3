// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {Escrow} from "../src/Escrow.sol";
import {FeeParts, FeeSplitter} from "../src/FeeSplitter.sol";
import {Batch, Claim, Shares, SignedVoucher, Voucher} from "../src/Types.sol";
import {WorkerStaking} from "../src/WorkerStaking.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice Honest and dishonest moves around one worker, in any order; it counts on its own what must have come of them.
contract MoneyHandler is Fixture {
    uint256 private constant REQUESTERS = 3;
    uint256 private constant STAKERS = 3;

    uint256 public deposited;
    uint256 public settled;
    uint256 public claimed;
    uint256 public staked;
    uint256 public unstaked;
    mapping(address => uint256) public drawn; // by requester
    mapping(address => uint256) public earned; // by payee, of batches
    mapping(address => uint256) public received;
    mapping(bytes32 => bool) private _paid;

    address[] private _accounts;
    uint256[][] private _amounts;
    Batch[] private _batches;
    SignedVoucher[] private _used;

    constructor() {
        setUp();
        bond(worker, 3 * minStake);
        staked = 3 * minStake;
        register();
        _accounts = [address(0xF1), address(0xF2), address(0xF3), address(0xF4), address(0xF5)];
        for (uint256 i = 0; i < REQUESTERS; ++i) {
            address r = vm.addr(0x200 + i);
            vm.prank(r);
            escrow.authorize(session, 1e6 ether, uint64(START + 3650 days));
        }
    }

    function contracts() external view returns (Escrow, AttributionSettlement, WorkerStaking) {
        return (escrow, settlement, staking);
    }

    function who(uint256 i) public pure returns (address) {
        return vm.addr(0x200 + i % REQUESTERS);
    }

    function payees() external view returns (address[] memory) {
        return _accounts;
    }

    function add(uint256 i, uint256 amount) external {
        amount = 1 + amount % 100 ether;
        deposit(who(i), amount);
        deposited += amount;
    }

    /// Settles one fee of one requester, split as the contracts split.
    function settle(uint256 i, uint256 compute, uint256 access, bool bySession) external {
        address r = who(i);
        uint256 cover = settlement.coverOf(worker);
        uint256 exposure = settlement.exposureOf(worker);
        uint256 most = escrow.balanceOf(r);
        if (exposure >= cover) return;
        if (most > cover - exposure) most = cover - exposure;
        if (most < 1000) return;
        compute = 500 + compute % (most / 2 - 400);
        access = 500 + access % (most / 2 - 499);
        if (compute + access > most) return;
        _settle(r, compute, access, bySession ? SESSION_KEY : 0x200 + i % REQUESTERS);
    }

    function _settle(address r, uint256 compute, uint256 access, uint256 key) private {
        uint256[] memory amounts = new uint256[](5);
        {
            FeeParts memory p = FeeSplitter.split(compute, access, 0, Shares(1000, 2000, 2000, 5000));
            (amounts[0], amounts[1], amounts[2], amounts[3], amounts[4]) =
            (p.platform, p.worker, p.owner, p.stakers, p.contributors);
        }
        Batch memory b = batchOf(worker, settlement.nextNonce(worker), _accounts, amounts);
        vm.assertEq(b.total, compute + access, "the parts add up to the fee");
        Voucher memory v = Voucher(r, worker, drawn[r] + b.total, uint64(block.timestamp + 30 days));
        SignedVoucher[] memory vs = one(signed(v, key));
        vm.prank(worker);
        settlement.submitBatch(b, vs);
        drawn[r] += b.total;
        settled += b.total;
        _batches.push(b);
        _amounts.push(amounts);
        _used.push(vs[0]);
    }

    /// A voucher that was drawn draws nothing any more, whatever the batch says.
    function replay(uint256 which, uint256 total) external {
        if (_used.length == 0) return;
        SignedVoucher[] memory vs = one(_used[which % _used.length]);
        uint256[] memory amounts = new uint256[](1);
        address[] memory accounts = new address[](1);
        (accounts[0], amounts[0]) = (stranger, 1 + total % 1 ether);
        Batch memory b = batchOf(worker, settlement.nextNonce(worker), accounts, amounts);
        vm.expectRevert();
        vm.prank(worker);
        settlement.submitBatch(b, vs);
    }

    /// Claims a leaf, maybe not for the first time, maybe too early, maybe for another.
    function claim(uint256 which, uint256 index, bool forged) external {
        if (_batches.length == 0) return;
        which = which % _batches.length;
        Batch memory b = _batches[which];
        Claim memory c = claimOf(b, _accounts, _amounts[which], uint32(index % b.count));
        if (forged) c.account = stranger;
        bytes32 leaf = keccak256(abi.encode(b.nonce, c.index));
        bool due = !forged && !_paid[leaf] && block.timestamp >= settlement.batchOf(worker, b.nonce).claimableAt;
        uint256 before = c.account.balance;
        try settlement.claim(c.worker, c.nonce, c.index, c.account, c.amount, c.proof) {
            vm.assertTrue(due, "a claim that was not due was paid");
            _paid[leaf] = true;
            claimed += c.amount;
            received[c.account] += c.amount;
            vm.assertEq(c.account.balance - before, c.amount, "a claim pays its amount");
        } catch {
            vm.assertFalse(due, "a claim that was due was refused");
        }
    }

    function claimAll(uint256 which) external {
        if (_batches.length == 0) return;
        which = which % _batches.length;
        Batch memory b = _batches[which];
        if (block.timestamp < settlement.batchOf(worker, b.nonce).claimableAt) return;
        Claim[] memory cs = new Claim[](b.count + 1);
        for (uint32 i = 0; i < b.count; ++i) {
            cs[i] = claimOf(b, _accounts, _amounts[which], i);
            bytes32 leaf = keccak256(abi.encode(b.nonce, i));
            if (!_paid[leaf]) received[cs[i].account] += cs[i].amount;
            _paid[leaf] = true;
        }
        cs[b.count] = cs[0]; // once more
        claimed += settlement.claimMany(cs);
    }

    function stake(uint256 i, uint256 amount) external {
        address s = address(uint160(0x300 + i % STAKERS));
        amount = minDelegation + amount % 1000 ether;
        vm.deal(s, s.balance + amount);
        vm.prank(s);
        staking.delegate{value: amount}(worker);
        staked += amount;
    }

    function unstake(uint256 i) external {
        address s = address(uint160(0x300 + i % STAKERS));
        WorkerStaking.Unbonding[] memory list = staking.unbondingsOf(s);
        if (list.length != 0 && block.timestamp >= list[0].releaseAt) {
            vm.prank(s);
            unstaked += staking.withdraw(list[0].id);
        } else if (staking.stakedBy(worker, s) != 0) {
            vm.prank(s);
            staking.unbond(worker, type(uint256).max);
        }
    }

    function pass(uint256 seconds_) external {
        vm.warp(block.timestamp + seconds_ % (unbonding / 3));
    }
}

/// @notice What holds whatever happens. Slashes, withdrawals and disputes are in the other invariant tests.
contract MoneyInvariantsTest is Fixture {
    MoneyHandler private handler;

    function setUp() public override {
        handler = new MoneyHandler();
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

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = MoneyHandler.add.selector;
        selectors[1] = MoneyHandler.settle.selector;
        selectors[2] = MoneyHandler.replay.selector;
        selectors[3] = MoneyHandler.claim.selector;
        selectors[4] = MoneyHandler.claimAll.selector;
        selectors[5] = MoneyHandler.stake.selector;
        selectors[6] = MoneyHandler.unstake.selector;
        selectors[7] = MoneyHandler.pass.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// One campaign for all: each is checked on every history.
    function invariant_Money_DrawnAndPaidOnce() public view {
        _checkVouchers();
        _checkClaims();
        _checkStake();
    }

    /// What is drawn by vouchers only grows, by exactly what was settled.
    function _checkVouchers() private view {
        uint256 sum = 0;
        for (uint256 i = 0; i < 3; ++i) {
            address r = handler.who(i);
            vm.assertEq(escrow.drawnOf(r, worker), handler.drawn(r));
            vm.assertEq(escrow.sessionOf(r, session).spent <= handler.drawn(r) ? 1 : 0, 1);
            sum += handler.drawn(r);
        }
        vm.assertEq(sum, handler.settled());
        vm.assertEq(address(escrow).balance, handler.deposited() - sum);
    }

    /// Each leaf is paid once, to its account, and the rest is there.
    function _checkClaims() private view {
        address[] memory payees = handler.payees();
        uint256 sum = 0;
        for (uint256 i = 0; i < payees.length; ++i) {
            vm.assertEq(payees[i].balance, handler.received(payees[i]));
            sum += payees[i].balance;
        }
        vm.assertEq(sum, handler.claimed());
        vm.assertEq(address(settlement).balance, handler.settled() - sum);
        vm.assertEq(stranger.balance, 0);
    }

    /// Without slashes, stake that came and did not leave is there, to the wei.
    function _checkStake() private view {
        uint256 there = handler.staked() - handler.unstaked();
        vm.assertEq(address(staking).balance, there);
        vm.assertEq(staking.stakeOf(worker) + staking.unbondingOf(worker), there);
    }
}
