// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Escrow} from "../src/Escrow.sol";
import {Opening, SignedVoucher, Voucher} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";
import {SmartAccount} from "./support/SmartAccount.sol";

/// @notice Reserves for single workers, and requesters brought in by others.
contract EscrowReservesTest is Fixture {
    function setUp() public override {
        super.setUp();
        bytes32 role = escrow.SETTLEMENT_ROLE();
        vm.prank(admin);
        escrow.grantRole(role, address(this));
        deposit(requester, 100 ether);
    }

    receive() external payable {}

    function _reserve(address who, uint256 amount) private {
        vm.prank(requester);
        escrow.reserve(who, amount);
    }

    function _draw(address who, uint256 cumulative) private returns (uint256) {
        Voucher memory v = voucher(cumulative);
        v.worker = who;
        (uint256 drawn,) = escrow.drawBatch(who, one(signed(v, REQUESTER_KEY)));
        return drawn;
    }

    function _expectDrawRevert(address who, uint256 cumulative, uint256 available) private {
        Voucher memory v = voucher(cumulative);
        v.worker = who;
        SignedVoucher[] memory vs = one(signed(v, REQUESTER_KEY));
        uint256 owed = cumulative - escrow.drawnOf(requester, who);
        vm.expectRevert(abi.encodeWithSelector(Escrow.InsufficientEscrow.selector, requester, owed, available));
        escrow.drawBatch(who, vs);
    }

    // ---- reserves ----

    function test_Reserve_OthersCannotDrawIt() public {
        vm.expectEmit(true, true, true, true, address(escrow));
        emit Escrow.Reserved(requester, worker, 70 ether);
        _reserve(worker, 70 ether);
        vm.assertEq(escrow.reservedOf(requester), 70 ether);
        vm.assertEq(escrow.availableOf(requester), 30 ether);
        vm.assertEq(escrow.availableFor(requester, worker), 100 ether);
        vm.assertEq(escrow.availableFor(requester, stranger), 30 ether);
        vm.assertEq(escrow.drawableBy(requester, worker), 100 ether);
        vm.assertEq(escrow.drawableBy(requester, stranger), 30 ether);
        _expectDrawRevert(stranger, 30 ether + 1, 30 ether);
        _draw(stranger, 30 ether);
        vm.assertEq(_draw(worker, 70 ether), 70 ether);
        vm.assertEq(escrow.balanceOf(requester), 0);
        vm.assertEq(escrow.reservedOf(requester), 0);
    }

    function test_Reserve_IsDrawnFirst() public {
        _reserve(worker, 40 ether);
        _draw(worker, 10 ether);
        vm.assertEq(escrow.reserveOf(requester, worker).amount, 30 ether);
        vm.assertEq(escrow.availableOf(requester), 60 ether);
        _draw(worker, 60 ether);
        vm.assertEq(escrow.reserveOf(requester, worker).amount, 0);
        vm.assertEq(escrow.availableOf(requester), 40 ether);
        _reserve(stranger, 40 ether);
        _expectDrawRevert(worker, 60 ether + 1, 0);
    }

    function test_Reserve_OverBalance_Reverts() public {
        _reserve(worker, 70 ether);
        vm.expectRevert(abi.encodeWithSelector(Escrow.InsufficientEscrow.selector, requester, 31 ether, 30 ether));
        _reserve(stranger, 31 ether);
        vm.expectRevert(abi.encodeWithSelector(Escrow.InsufficientEscrow.selector, requester, 31 ether, 30 ether));
        _reserve(worker, 101 ether);
        vm.expectRevert(Escrow.ZeroAddress.selector);
        _reserve(address(0), 1);
    }

    function test_Reserve_Lower_WaitsForTheDelay() public {
        _reserve(worker, 70 ether);
        vm.expectEmit(true, true, true, true, address(escrow));
        emit Escrow.ReserveLowering(requester, worker, 20 ether, uint64(START + delay));
        _reserve(worker, 20 ether);
        vm.assertEq(escrow.availableFor(requester, worker), 50 ether);
        vm.assertEq(escrow.drawableBy(requester, worker), 100 ether);
        vm.expectRevert(abi.encodeWithSelector(Escrow.StillReserved.selector, requester, worker, uint64(START + delay)));
        escrow.release(requester, worker);
        vm.warp(START + delay - 1);
        _expectDrawRevert(stranger, 30 ether + 1, 30 ether);
        vm.warp(START + delay);
        vm.assertEq(escrow.reserveOf(requester, worker).amount, 20 ether);
        vm.assertEq(escrow.reserveOf(requester, worker).lowersAt, START + delay); // until it is released
        escrow.release(requester, worker);
        vm.assertEq(escrow.reserveOf(requester, worker).lowersAt, 0);
        vm.assertEq(escrow.reservedOf(requester), 20 ether);
        _draw(stranger, 80 ether);
        _draw(worker, 20 ether);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NoReserveLowering.selector, requester, worker));
        escrow.release(requester, worker);
    }

    function test_Reserve_Lower_DrawnMeanwhile_KeepsWhatIsLeft() public {
        _reserve(worker, 70 ether);
        _reserve(worker, 20 ether);
        _draw(worker, 60 ether); // ten are left, less than the twenty that were to stay
        vm.warp(START + delay);
        _draw(worker, 65 ether); // a draw lets the lowering count
        vm.assertEq(escrow.reserveOf(requester, worker).amount, 5 ether);
        vm.assertEq(escrow.reserveOf(requester, worker).lowersAt, 0);
        vm.assertEq(escrow.reservedOf(requester), 5 ether);
    }

    /// What a draw finds due is free from then on, for everybody.
    function test_Reserve_Lower_CountsAtADraw() public {
        _reserve(worker, 70 ether);
        _reserve(worker, 20 ether);
        vm.warp(START + delay);
        _draw(worker, 1 ether);
        vm.assertEq(escrow.reserveOf(requester, worker).amount, 19 ether);
        vm.assertEq(escrow.reservedOf(requester), 19 ether);
        _expectDrawRevert(stranger, 80 ether + 1, 80 ether);
        _draw(stranger, 80 ether);
    }

    function test_Reserve_Raise_TakesALoweringBack() public {
        _reserve(worker, 70 ether);
        _reserve(worker, 0);
        _reserve(worker, 70 ether);
        vm.assertEq(escrow.availableFor(requester, worker), 100 ether);
        vm.warp(START + delay);
        vm.assertEq(escrow.reserveOf(requester, worker).amount, 70 ether);
    }

    function test_Reserve_LowerAgain_RestartsTheDelay() public {
        _reserve(worker, 70 ether);
        _reserve(worker, 20 ether);
        vm.warp(START + delay - 1);
        _reserve(worker, 10 ether);
        vm.warp(START + delay);
        vm.assertEq(escrow.reserveOf(requester, worker).amount, 70 ether);
    }

    function test_Withdrawal_LeavesReserves() public {
        _reserve(worker, 70 ether);
        vm.prank(requester);
        escrow.requestWithdrawal(100 ether);
        vm.assertEq(escrow.availableOf(requester), 0);
        vm.assertEq(escrow.availableFor(requester, worker), 70 ether);
        _reserve(worker, 0);
        vm.warp(START + delay);
        vm.prank(requester);
        vm.assertEq(escrow.executeWithdrawal(), 30 ether);
        vm.assertEq(escrow.withdrawalOf(requester).amount, 70 ether);
        vm.expectRevert(abi.encodeWithSelector(Escrow.InsufficientEscrow.selector, requester, 70 ether, 0));
        vm.prank(requester);
        escrow.executeWithdrawal();
        escrow.release(requester, worker);
        vm.prank(requester);
        vm.assertEq(escrow.executeWithdrawal(), 70 ether);
        vm.assertEq(escrow.withdrawalOf(requester).amount, 0);
        vm.assertEq(requester.balance, 100 ether);
    }

    // ---- opening ----

    function _opening(address who) private view returns (Opening memory o) {
        o.requester = who;
        o.session = session;
        o.limit = 50 ether;
        o.expiry = uint64(START + 30 days);
        o.amount = 10 ether;
        o.workers = new address[](2);
        o.amounts = new uint256[](2);
        (o.workers[0], o.workers[1]) = (worker, stranger);
        (o.amounts[0], o.amounts[1]) = (4 ether, 5 ether);
        o.nonce = escrow.nonces(who);
        o.deadline = uint64(START + 1 hours);
    }

    function _openFor(Opening memory o, bytes memory signature) private {
        vm.deal(stranger, o.amount);
        vm.prank(stranger);
        escrow.openFor{value: o.amount}(o, signature);
    }

    function _expectOpened(address who) private view {
        vm.assertEq(escrow.balanceOf(who), 10 ether);
        vm.assertEq(escrow.sessionOf(who, session).limit, 50 ether);
        vm.assertEq(escrow.sessionOf(who, session).expiry, START + 30 days);
        vm.assertEq(escrow.reserveOf(who, worker).amount, 4 ether);
        vm.assertEq(escrow.reserveOf(who, stranger).amount, 5 ether);
        vm.assertEq(escrow.availableOf(who), 1 ether);
        vm.assertEq(address(escrow).balance, 10 ether + escrow.balanceOf(requester));
    }

    function test_Open_Succeeds() public {
        Opening memory o = _opening(owner);
        vm.deal(owner, 10 ether);
        vm.prank(owner);
        escrow.open{value: 10 ether}(o.session, o.limit, o.expiry, o.workers, o.amounts);
        _expectOpened(owner);
    }

    /// A requester without a wei is in after one transaction of somebody else's, and a session key pays for it.
    function test_OpenFor_ByRelayer_Succeeds() public {
        Opening memory o = _opening(owner);
        _openFor(o, sign(OWNER_KEY, escrow.openingDigest(o)));
        _expectOpened(owner);
        vm.assertEq(escrow.nonces(owner), 1);
        Voucher memory v = Voucher(owner, worker, 5 ether, uint64(START + 1 hours));
        (uint256 drawn,) = escrow.drawBatch(worker, one(signed(v, SESSION_KEY)));
        vm.assertEq(drawn, 5 ether);
    }

    function test_OpenFor_SmartAccount_Succeeds() public {
        address account = address(new SmartAccount(owner));
        Opening memory o = _opening(account);
        bytes32 digest = escrow.openingDigest(o);
        vm.expectRevert(abi.encodeWithSelector(Escrow.InvalidSignature.selector, account));
        this.relay(o, sign(STRANGER_KEY, digest));
        this.relay(o, sign(OWNER_KEY, digest));
        _expectOpened(account);
    }

    function relay(Opening memory o, bytes memory signature) external {
        _openFor(o, signature);
    }

    function test_OpenFor_Twice_Reverts() public {
        Opening memory o = _opening(owner);
        bytes memory signature = sign(OWNER_KEY, escrow.openingDigest(o));
        this.relay(o, signature);
        vm.expectRevert(abi.encodeWithSelector(Nonces.InvalidAccountNonce.selector, owner, 1));
        this.relay(o, signature);
    }

    function test_OpenFor_Altered_Reverts() public {
        Opening memory o = _opening(owner);
        bytes memory signature = sign(OWNER_KEY, escrow.openingDigest(o));
        bytes memory refused = abi.encodeWithSelector(Escrow.InvalidSignature.selector, owner);
        o.session = stranger;
        vm.expectRevert(refused);
        this.relay(o, signature);
        o = _opening(owner);
        o.limit += 1;
        vm.expectRevert(refused);
        this.relay(o, signature);
        o = _opening(owner);
        o.amounts[0] = 1;
        vm.expectRevert(refused);
        this.relay(o, signature);
        o = _opening(owner);
        o.workers[0] = admin;
        vm.expectRevert(refused);
        this.relay(o, signature);
        o = _opening(owner);
        o.amount -= 1; // a relayer that keeps a part
        vm.expectRevert(refused);
        this.relay(o, signature);
        vm.assertEq(escrow.balanceOf(owner), 0);
        vm.assertEq(escrow.nonces(owner), 0);
    }

    function test_OpenFor_Invalid_Reverts() public {
        Opening memory o = _opening(owner);
        vm.expectRevert(abi.encodeWithSelector(Escrow.DepositMismatch.selector, owner, 10 ether, 0));
        escrow.openFor(o, "");
        vm.warp(o.deadline + 1);
        vm.expectRevert(abi.encodeWithSelector(Escrow.OpeningExpired.selector, owner, o.deadline));
        escrow.openFor(o, "");
        o.requester = address(0);
        vm.expectRevert(Escrow.ZeroAddress.selector);
        escrow.openFor(o, "");
    }

    function test_Open_InvalidReserves_Reverts() public {
        vm.deal(address(this), 10);
        uint64 expiry = uint64(START + 1);
        vm.expectRevert(abi.encodeWithSelector(Escrow.InvalidReserves.selector, 1, 0, 16));
        escrow.open{value: 1}(session, 1, expiry, new address[](1), new uint256[](0));
        vm.expectRevert(abi.encodeWithSelector(Escrow.InvalidReserves.selector, 17, 17, 16));
        escrow.open{value: 1}(session, 1, expiry, new address[](17), new uint256[](17));
        Opening memory o = _opening(owner);
        vm.expectRevert(abi.encodeWithSelector(Escrow.InsufficientEscrow.selector, address(this), 4 ether, 1));
        escrow.open{value: 1}(session, 1, expiry, o.workers, o.amounts);
    }

    /// Opening again adds to the balance and lowers nothing.
    function test_Open_Again_KeepsHigherReserves() public {
        Opening memory o = _opening(owner);
        vm.deal(owner, 20 ether);
        vm.prank(owner);
        escrow.open{value: 10 ether}(o.session, o.limit, o.expiry, o.workers, o.amounts);
        o.amounts[0] = 1 ether;
        o.amounts[1] = 7 ether;
        vm.prank(owner);
        escrow.open{value: 10 ether}(o.session, o.limit, o.expiry, o.workers, o.amounts);
        vm.assertEq(escrow.reserveOf(owner, worker).amount, 4 ether);
        vm.assertEq(escrow.reserveOf(owner, stranger).amount, 7 ether);
    }
}
