// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Escrow} from "../src/Escrow.sol";
import {Opening, SignedVoucher, Voucher} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice Requesters who deposit, reserve, lower and withdraw, workers who draw, in any order and with the clock running.
contract EscrowHandler is Fixture {
    uint256 public constant REQUESTERS = 3;
    uint256 public constant WORKERS = 3;
    uint256 public constant SESSIONS = 2;
    uint256 public deposited;
    uint256 public withdrawn;
    uint256 public drawn;
    mapping(address requester => mapping(address session => uint256)) public spent;

    constructor() {
        setUp();
        bytes32 role = escrow.SETTLEMENT_ROLE();
        vm.prank(admin);
        escrow.grantRole(role, address(this));
    }

    receive() external payable {}

    function book() external view returns (Escrow) {
        return escrow;
    }

    function keyAt(uint256 i) public pure returns (uint256) {
        return 0x200 + i % REQUESTERS;
    }

    function requesterAt(uint256 i) public pure returns (address) {
        return vm.addr(keyAt(i));
    }

    function workerAt(uint256 i) public pure returns (address) {
        return vm.addr(0x100 + i % WORKERS);
    }

    function sessionKeyAt(uint256 i) private pure returns (uint256) {
        return SESSION_KEY + i % SESSIONS;
    }

    function sessionAt(uint256 i) public pure returns (address) {
        return vm.addr(sessionKeyAt(i));
    }

    function add(uint256 who, uint256 amount) external {
        amount = 1 + amount % _scale(amount);
        deposit(requesterAt(who), amount);
        deposited += amount;
    }

    /// Now and then so much that it does not fit where a current key's spending is counted.
    function _scale(uint256 seed) private pure returns (uint256) {
        return seed % 5 == 0 ? 1 << 82 : 100 ether;
    }

    function _limit(address r, address s, uint256 more) private view returns (uint256 limit) {
        limit = escrow.sessionOf(r, s).limit + more;
        return limit < type(uint88).max ? limit : type(uint88).max;
    }

    /// Makes either key the current one, now and then with more to spend.
    function authorize(uint256 who, uint256 which, uint256 more) external {
        (address r, address s) = (requesterAt(who), sessionAt(which));
        uint256 limit = _limit(r, s, more % _scale(more));
        vm.prank(r);
        escrow.authorize(s, limit, uint64(block.timestamp + 3650 days));
        vm.assertTrue(escrow.sessionOf(r, s).current);
    }

    function openFor(uint256 who, uint256 which, uint256 amount, uint256 part) external {
        Opening memory o;
        o.requester = requesterAt(who);
        o.session = sessionAt(part);
        o.amount = 1 + amount % 50 ether;
        o.limit = _limit(o.requester, o.session, o.amount);
        o.expiry = uint64(block.timestamp + 3650 days);
        o.workers = new address[](1);
        o.amounts = new uint256[](1);
        o.workers[0] = workerAt(which);
        uint256 most = _room(o.requester) < o.amount ? _room(o.requester) : o.amount;
        o.amounts[0] = escrow.reserveOf(o.requester, o.workers[0]).amount + part % (most + 1);
        o.nonce = escrow.nonces(o.requester);
        o.deadline = uint64(block.timestamp);
        bytes memory signature = sign(keyAt(who), escrow.openingDigest(o));
        vm.deal(address(this), address(this).balance + o.amount);
        escrow.openFor{value: o.amount}(o, signature);
        deposited += o.amount;
        vm.assertTrue(escrow.reserveOf(o.requester, o.workers[0]).amount >= o.amounts[0]);
    }

    function set(uint256 who, uint256 which, uint256 amount) external {
        address r = requesterAt(who);
        address w = workerAt(which);
        uint256 free = escrow.balanceOf(r) - escrow.reservedOf(r);
        uint256 most = escrow.reserveOf(r, w).amount + (free < _room(r) ? free : _room(r));
        vm.prank(r);
        escrow.reserve(w, amount % (most + 1));
    }

    /// What more can be reserved, whoever for.
    function _room(address r) private view returns (uint256) {
        return type(uint80).max - escrow.reservedOf(r);
    }

    function release(uint256 who, uint256 which) external {
        address r = requesterAt(who);
        address w = workerAt(which);
        try escrow.release(r, w) {} catch {}
    }

    function leave(uint256 who, uint256 amount) external {
        address r = requesterAt(who);
        if (escrow.withdrawalOf(r).amount == 0) {
            if (escrow.balanceOf(r) == 0) return;
            amount = 1 + amount % escrow.balanceOf(r);
            vm.prank(r);
            escrow.requestWithdrawal(amount);
            return;
        }
        if (block.timestamp < escrow.withdrawalOf(r).releaseAt) return;
        if (escrow.balanceOf(r) != 0 && escrow.balanceOf(r) == escrow.reservedOf(r)) return;
        uint256 held = escrow.reservedOf(r);
        vm.prank(r);
        withdrawn += escrow.executeWithdrawal();
        vm.assertEq(escrow.reservedOf(r), held);
    }

    /// Whatever others did before, a worker draws all that it was told it could.
    function draw(uint256 who, uint256 which, uint256 amount, uint256 by) external {
        address r = requesterAt(who);
        address w = workerAt(which);
        uint256 most = escrow.drawableBy(r, w);
        vm.assertTrue(most >= escrow.reserveOf(r, w).amount);
        uint256 key = by % 3 == 0 ? keyAt(who) : sessionKeyAt(by);
        if (key != keyAt(who)) {
            Escrow.Session memory s = escrow.sessionOf(r, vm.addr(key));
            if (s.limit - s.spent < most) most = s.limit - s.spent;
        }
        amount = amount % 3 == 0 ? most : amount % (most + 1);
        uint256 before = escrow.drawnOf(r, w);
        SignedVoucher[] memory vs = one(signed(Voucher(r, w, before + amount, uint64(block.timestamp)), key));
        _drawAll(w, vs, amount);
        vm.assertEq(escrow.drawnOf(r, w), before + amount);
        _drawAll(w, vs, 0);
        drawn += amount;
        spent[r][vm.addr(key)] += amount;
    }

    function _drawAll(address w, SignedVoucher[] memory vs, uint256 want) private {
        (uint256 got,) = escrow.drawBatch(w, vs);
        vm.assertEq(got, want);
    }

    function pass(uint256 seconds_) external {
        vm.warp(block.timestamp + seconds_ % (2 * uint256(delay)));
    }
}

contract EscrowInvariantsTest is Fixture {
    EscrowHandler private handler;

    function setUp() public override {
        handler = new EscrowHandler();
        escrow = handler.book();
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    function targetSelectors() public view returns (FuzzSelector[] memory targets) {
        bytes4[] memory selectors = new bytes4[](8);
        selectors[0] = EscrowHandler.add.selector;
        selectors[1] = EscrowHandler.openFor.selector;
        selectors[2] = EscrowHandler.set.selector;
        selectors[3] = EscrowHandler.release.selector;
        selectors[4] = EscrowHandler.leave.selector;
        selectors[5] = EscrowHandler.draw.selector;
        selectors[6] = EscrowHandler.pass.selector;
        selectors[7] = EscrowHandler.authorize.selector;
        targets = new FuzzSelector[](1);
        targets[0] = FuzzSelector(address(handler), selectors);
    }

    /// Reserves add up to what is noted, and are at most the balance; balances add up to what the escrow holds. Every session
    /// key has spent what was drawn on its signature, within its limit.
    function invariant_Reserves_WithinBalances() public view {
        uint256 all = 0;
        for (uint256 i = 0; i < handler.REQUESTERS(); ++i) {
            address r = handler.requesterAt(i);
            uint256 reserved = 0;
            uint256 due = 0;
            bool unreleased = false;
            for (uint256 j = 0; j < handler.WORKERS(); ++j) {
                Escrow.Reserve memory own = escrow.reserveOf(r, handler.workerAt(j));
                reserved += own.amount;
                unreleased = unreleased || (own.lowersAt != 0 && own.lowersAt <= block.timestamp);
                due += escrow.availableFor(r, handler.workerAt(j)) - escrow.availableOf(r);
            }
            // Lowerings whose time has come but that nobody released are still noted.
            vm.assertTrue(reserved == escrow.reservedOf(r) || (unreleased && reserved < escrow.reservedOf(r)));
            vm.assertTrue(escrow.reservedOf(r) <= escrow.balanceOf(r));
            vm.assertTrue(due + escrow.availableOf(r) <= escrow.balanceOf(r));
            for (uint256 j = 0; j < handler.SESSIONS(); ++j) {
                Escrow.Session memory s = escrow.sessionOf(r, handler.sessionAt(j));
                vm.assertTrue(s.spent <= s.limit);
                vm.assertEq(s.spent, handler.spent(r, handler.sessionAt(j)));
            }
            all += escrow.balanceOf(r);
        }
        vm.assertEq(address(escrow).balance, all);
        vm.assertEq(handler.deposited(), all + handler.drawn() + handler.withdrawn());
    }
}
