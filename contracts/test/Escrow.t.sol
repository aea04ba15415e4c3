// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {IAccessControl} from "@openzeppelin/contracts/access/IAccessControl.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";
import {Escrow} from "../src/Escrow.sol";
import {SignedVoucher, Voucher} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";
import {SmartAccount} from "./support/SmartAccount.sol";

contract EscrowTest is Fixture {
    address private drawer = address(this);

    function setUp() public override {
        super.setUp();
        bytes32 role = escrow.SETTLEMENT_ROLE();
        vm.prank(admin);
        escrow.grantRole(role, drawer);
        deposit(requester, 100 ether);
    }

    receive() external payable {}

    function _authorize(uint256 limit, uint64 expiry) private {
        vm.prank(requester);
        escrow.authorize(session, limit, expiry);
    }

    function _draw(SignedVoucher memory v) private returns (uint256) {
        (uint256 drawn,) = escrow.drawBatch(worker, one(v));
        return drawn;
    }

    function _expectDrawRevert(SignedVoucher memory v, bytes memory why) private {
        vm.expectRevert(why);
        escrow.drawBatch(worker, one(v));
    }

    // ---- deposits and withdrawals ----

    function test_Deposit_Succeeds() public {
        vm.deal(stranger, 3 ether);
        vm.prank(stranger);
        escrow.deposit{value: 2 ether}();
        vm.prank(stranger);
        escrow.depositFor{value: 1 ether}(requester);
        vm.assertEq(escrow.balanceOf(stranger), 2 ether);
        vm.assertEq(escrow.balanceOf(requester), 101 ether);
        vm.assertEq(address(escrow).balance, 103 ether);
    }

    function test_Deposit_Zero_Reverts() public {
        vm.expectRevert(Escrow.ZeroAmount.selector);
        escrow.deposit();
    }

    function test_DepositFor_ZeroAddress_Reverts() public {
        vm.expectRevert(Escrow.ZeroAddress.selector);
        escrow.depositFor{value: 1}(address(0));
    }

    function test_Receive_Reverts() public {
        (bool ok,) = address(escrow).call{value: 1}("");
        vm.assertFalse(ok);
    }

    function test_Withdrawal_Succeeds() public {
        vm.prank(requester);
        escrow.requestWithdrawal(40 ether);
        vm.assertEq(escrow.availableOf(requester), 60 ether);
        vm.assertEq(escrow.balanceOf(requester), 100 ether);
        vm.warp(START + delay);
        vm.prank(requester);
        vm.assertEq(escrow.executeWithdrawal(), 40 ether);
        vm.assertEq(requester.balance, 40 ether);
        vm.assertEq(escrow.balanceOf(requester), 60 ether);
        vm.assertEq(escrow.withdrawalOf(requester).amount, 0);
    }

    function test_Withdrawal_DrawnMeanwhile_PaysRest() public {
        vm.prank(requester);
        escrow.requestWithdrawal(100 ether);
        _draw(signed(voucher(30 ether), REQUESTER_KEY));
        vm.assertEq(escrow.availableOf(requester), 0);
        vm.warp(START + delay);
        vm.prank(requester);
        vm.assertEq(escrow.executeWithdrawal(), 70 ether);
    }

    function test_RequestWithdrawal_OverBalance_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Escrow.InsufficientEscrow.selector, requester, 101 ether, 100 ether));
        vm.prank(requester);
        escrow.requestWithdrawal(101 ether);
    }

    function test_RequestWithdrawal_Zero_Reverts() public {
        vm.expectRevert(Escrow.ZeroAmount.selector);
        vm.prank(requester);
        escrow.requestWithdrawal(0);
    }

    function test_RequestWithdrawal_Again_RestartsDelay() public {
        vm.prank(requester);
        escrow.requestWithdrawal(1 ether);
        vm.warp(START + delay - 1);
        vm.prank(requester);
        escrow.requestWithdrawal(50 ether);
        vm.warp(START + delay);
        vm.expectRevert(abi.encodeWithSelector(Escrow.WithdrawalPending.selector, requester, START + 2 * delay - 1));
        vm.prank(requester);
        escrow.executeWithdrawal();
    }

    function test_ExecuteWithdrawal_None_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Escrow.NoWithdrawal.selector, requester));
        vm.prank(requester);
        escrow.executeWithdrawal();
    }

    function test_CancelWithdrawal_Succeeds() public {
        vm.prank(requester);
        escrow.requestWithdrawal(1 ether);
        vm.prank(requester);
        escrow.cancelWithdrawal();
        vm.assertEq(escrow.availableOf(requester), 100 ether);
        vm.expectRevert(abi.encodeWithSelector(Escrow.NoWithdrawal.selector, requester));
        vm.prank(requester);
        escrow.cancelWithdrawal();
    }

    // ---- draws ----

    function test_Draw_ByRequester_Succeeds() public {
        uint256 before = address(this).balance;
        vm.expectEmit(true, true, true, true, address(escrow));
        emit Escrow.Drawn(requester, worker, 10 ether);
        vm.assertEq(_draw(signed(voucher(10 ether), REQUESTER_KEY)), 10 ether);
        vm.assertEq(_draw(signed(voucher(25 ether), REQUESTER_KEY)), 15 ether);
        vm.assertEq(address(this).balance - before, 25 ether);
        vm.assertEq(escrow.drawnOf(requester, worker), 25 ether);
        vm.assertEq(escrow.balanceOf(requester), 75 ether);
    }

    function test_Draw_OldVoucher_IsNoOp() public {
        _draw(signed(voucher(10 ether), REQUESTER_KEY));
        vm.assertEq(_draw(signed(voucher(10 ether), REQUESTER_KEY)), 0);
        vm.assertEq(_draw(signed(voucher(9 ether), REQUESTER_KEY)), 0);
        vm.assertEq(escrow.drawnOf(requester, worker), 10 ether);
    }

    function test_Draw_BySession_SpendsLimit() public {
        _authorize(30 ether, uint64(START + 1 days));
        _draw(signed(voucher(10 ether), SESSION_KEY));
        Voucher memory other = voucher(15 ether);
        other.worker = stranger;
        escrow.drawBatch(stranger, one(signed(other, SESSION_KEY)));
        vm.assertEq(escrow.sessionOf(requester, session).spent, 25 ether);
        _expectDrawRevert(
            signed(voucher(16 ether), SESSION_KEY),
            abi.encodeWithSelector(Escrow.SessionLimitExceeded.selector, requester, session, 6 ether, 5 ether)
        );
        vm.assertEq(_draw(signed(voucher(15 ether), SESSION_KEY)), 5 ether);
    }

    /// An account that is a contract pays by a session key: vouchers are signed by keys.
    function test_Draw_SmartAccount_BySession_Succeeds() public {
        address account = address(new SmartAccount(owner));
        deposit(account, 10 ether);
        Voucher memory v = Voucher(account, worker, 4 ether, uint64(START + 1 hours));
        _expectDrawRevert(signed(v, OWNER_KEY), abi.encodeWithSelector(Escrow.UnknownSession.selector, account, owner));
        vm.prank(account);
        escrow.authorize(owner, 4 ether, v.expires);
        vm.assertEq(_draw(signed(v, OWNER_KEY)), 4 ether);
    }

    /// Who holds an account's key speaks for it, also when there is code at it (EIP-7702); its code does not.
    function test_Draw_KeyOfAccountWithCode_Succeeds() public {
        vm.etch(requester, address(new SmartAccount(owner)).code);
        vm.assertEq(_draw(signed(voucher(1 ether), REQUESTER_KEY)), 1 ether);
        _expectDrawRevert(
            signed(voucher(3 ether), OWNER_KEY),
            abi.encodeWithSelector(Escrow.UnknownSession.selector, requester, owner)
        );
    }

    /// What is drawn and what is reserved share a slot, and do not touch each other.
    function test_Draw_AndReserve_AreApart() public {
        vm.prank(requester);
        escrow.reserve(worker, 20 ether);
        _draw(signed(voucher(5 ether), REQUESTER_KEY));
        vm.assertEq(escrow.drawnOf(requester, worker), 5 ether);
        vm.assertEq(escrow.reserveOf(requester, worker).amount, 15 ether);
        vm.prank(requester);
        escrow.reserve(worker, 1 ether);
        vm.assertEq(escrow.reserveOf(requester, worker).lowersAt, START + delay);
        _draw(signed(voucher(6 ether), REQUESTER_KEY));
        vm.assertEq(escrow.reserveOf(requester, worker).target, 1 ether);
        vm.assertEq(escrow.drawnOf(requester, worker), 6 ether);
        vm.warp(START + delay);
        escrow.release(requester, worker);
        vm.assertEq(escrow.drawnOf(requester, worker), 6 ether);
        vm.assertEq(escrow.reserveOf(requester, worker).amount, 1 ether);
        vm.assertEq(escrow.reservedOf(requester), 1 ether);
    }

    /// A worker can be paid 2^96 - 1 wei by one requester, and not one more.
    function test_Draw_BeyondItsSlot_Reverts() public {
        uint256 most = type(uint96).max;
        deposit(requester, most - 100 ether);
        vm.assertEq(_draw(signed(voucher(most), REQUESTER_KEY)), most);
        deposit(requester, 1);
        _expectDrawRevert(
            signed(voucher(most + 1), REQUESTER_KEY),
            abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 96, most + 1)
        );
        vm.assertEq(escrow.drawnOf(requester, worker), most);
    }

    /// What does not fit into a requester's slot is refused, not cut.
    function test_Deposit_BeyondItsSlot_Reverts() public {
        uint256 full = type(uint96).max;
        deposit(requester, full - 100 ether);
        vm.assertEq(escrow.balanceOf(requester), full);
        vm.deal(stranger, 1);
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 96, full + 1));
        vm.prank(stranger);
        escrow.depositFor{value: 1}(requester);
        vm.prank(requester);
        escrow.reserve(worker, type(uint80).max);
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 80, uint256(1 << 80)));
        vm.prank(requester);
        escrow.reserve(stranger, 1);
    }

    function test_Draw_UnknownSession_Reverts() public {
        _expectDrawRevert(
            signed(voucher(1), SESSION_KEY), abi.encodeWithSelector(Escrow.UnknownSession.selector, requester, session)
        );
    }

    function test_Draw_ExpiredSession_Reverts() public {
        _authorize(1 ether, uint64(START + 10));
        SignedVoucher memory v = signed(voucher(1), SESSION_KEY);
        vm.warp(START + 11);
        _expectDrawRevert(v, abi.encodeWithSelector(Escrow.SessionExpired.selector, requester, session, START + 10));
    }

    function test_Draw_ExpiredVoucher_Reverts() public {
        SignedVoucher memory v = signed(voucher(1), REQUESTER_KEY);
        vm.warp(v.expires);
        vm.assertEq(_draw(v), 1);
        v = signed(Voucher(requester, worker, 2, v.expires), REQUESTER_KEY);
        vm.warp(uint256(v.expires) + 1);
        _expectDrawRevert(v, abi.encodeWithSelector(Escrow.VoucherExpired.selector, requester, worker, v.expires));
    }

    function test_Draw_OverBalance_Reverts() public {
        _expectDrawRevert(
            signed(voucher(100 ether + 1), REQUESTER_KEY),
            abi.encodeWithSelector(Escrow.InsufficientEscrow.selector, requester, 100 ether + 1, 100 ether)
        );
    }

    function test_Draw_WrongSignature_Reverts() public {
        SignedVoucher memory v = signed(voucher(1 ether), STRANGER_KEY);
        _expectDrawRevert(v, abi.encodeWithSelector(Escrow.UnknownSession.selector, requester, stranger));
        v.r = 0; // no signature at all
        _expectDrawRevert(v, abi.encodeWithSelector(Escrow.InvalidSignature.selector, requester));
    }

    function test_Draw_AlteredVoucher_Reverts() public {
        SignedVoucher memory v = signed(voucher(1 ether), REQUESTER_KEY);
        v.cumulative += 1;
        _expectDrawRevert(v, abi.encodeWithSelector(Escrow.UnknownSession.selector, requester, signerOf(v, worker)));
    }

    function test_Draw_NotSettlement_Reverts() public {
        SignedVoucher[] memory vs = one(signed(voucher(1 ether), REQUESTER_KEY));
        vm.expectRevert(
            abi.encodeWithSelector(
                IAccessControl.AccessControlUnauthorizedAccount.selector, worker, escrow.SETTLEMENT_ROLE()
            )
        );
        vm.prank(worker);
        escrow.drawBatch(worker, vs);
    }

    /// A voucher is signed for its worker: for another it is somebody else's signature.
    function test_DrawBatch_OtherWorker_Reverts() public {
        SignedVoucher memory v = signed(voucher(1 ether), REQUESTER_KEY);
        vm.expectRevert(abi.encodeWithSelector(Escrow.UnknownSession.selector, requester, signerOf(v, stranger)));
        escrow.drawBatch(stranger, one(v));
    }

    function test_DrawBatch_SameVoucherTwice_DrawsOnce() public {
        SignedVoucher[] memory vs = new SignedVoucher[](2);
        vs[0] = signed(voucher(1 ether), REQUESTER_KEY);
        vs[1] = vs[0];
        (uint256 drawn, bytes32 draws) = escrow.drawBatch(worker, vs);
        vm.assertEq(drawn, 1 ether);
        vm.assertEq(draws, keccak256(abi.encode(bytes32(0), requester, 1 ether)));
    }

    // ---- sessions ----

    function test_Authorize_Invalid_Reverts() public {
        vm.expectRevert(Escrow.ZeroAddress.selector);
        escrow.authorize(address(0), 1, uint64(START + 1));
        vm.expectRevert(abi.encodeWithSelector(Escrow.SessionExpiryPassed.selector, session, START));
        escrow.authorize(session, 1, uint64(START));
        vm.expectRevert(abi.encodeWithSelector(SafeCast.SafeCastOverflowedUintDowncast.selector, 88, 1 << 88));
        escrow.authorize(session, 1 << 88, uint64(START + 1));
    }

    function test_Authorize_Shrink_Reverts() public {
        _authorize(10, uint64(START + 100));
        bytes memory why = abi.encodeWithSelector(Escrow.SessionCannotShrink.selector, session, 10, START + 100);
        vm.expectRevert(why);
        vm.prank(requester);
        escrow.authorize(session, 9, uint64(START + 100));
        vm.expectRevert(why);
        vm.prank(requester);
        escrow.authorize(session, 10, uint64(START + 99));
        _authorize(11, uint64(START + 100));
        vm.warp(START + 101); // once it has expired it may come back smaller
        _authorize(5, uint64(START + 102));
    }

    function test_Revoke_TakesEffectAfterDelay() public {
        _authorize(10 ether, uint64(START + 10 * delay));
        vm.prank(requester);
        escrow.revoke(session);
        vm.assertEq(escrow.sessionOf(requester, session).expiry, START + delay);
        _draw(signed(voucher(1 ether), SESSION_KEY));
        vm.warp(START + delay + 1);
        _expectDrawRevert(
            signed(voucher(2 ether), SESSION_KEY),
            abi.encodeWithSelector(Escrow.SessionExpired.selector, requester, session, START + delay)
        );
    }

    /// Every key has a count of its own, whichever the requester authorised last.
    function test_Draw_ByTwoSessions_CountApart() public {
        address other = stranger;
        uint64 expiry = uint64(START + 1 days);
        _authorize(30 ether, expiry);
        _draw(signed(voucher(10 ether), SESSION_KEY));
        vm.assertTrue(escrow.sessionOf(requester, session).current);
        vm.prank(requester);
        escrow.authorize(other, 20 ether, expiry);
        vm.assertFalse(escrow.sessionOf(requester, session).current);
        vm.assertTrue(escrow.sessionOf(requester, other).current);
        _draw(signed(voucher(15 ether), STRANGER_KEY));
        _draw(signed(voucher(22 ether), SESSION_KEY));
        vm.assertEq(escrow.sessionOf(requester, session).spent, 17 ether);
        vm.assertEq(escrow.sessionOf(requester, other).spent, 5 ether);
        _authorize(30 ether, expiry); // the same once more: current again
        _draw(signed(voucher(24 ether), STRANGER_KEY));
        vm.assertEq(escrow.sessionOf(requester, session).spent, 17 ether);
        vm.assertEq(escrow.sessionOf(requester, other).spent, 7 ether);
        _expectDrawRevert(
            signed(voucher(37 ether + 1), SESSION_KEY),
            abi.encodeWithSelector(Escrow.SessionLimitExceeded.selector, requester, session, 13 ether + 1, 13 ether)
        );
        _expectDrawRevert(
            signed(voucher(37 ether + 1), STRANGER_KEY),
            abi.encodeWithSelector(Escrow.SessionLimitExceeded.selector, requester, other, 13 ether + 1, 13 ether)
        );
        vm.assertEq(_draw(signed(voucher(37 ether), SESSION_KEY)), 13 ether);
        vm.assertEq(_draw(signed(voucher(50 ether), STRANGER_KEY)), 13 ether);
    }

    /// What has no room beside the balance goes to the key's own count, up to the largest limit.
    function test_Draw_BySession_BeyondTheSharedSlot() public {
        uint256 room = type(uint80).max;
        uint256 limit = type(uint88).max;
        deposit(requester, limit);
        _authorize(limit, uint64(START + 1 days));
        uint256[5] memory steps = [room, room + 1, 2 * room + 1, limit - 1, limit];
        for (uint256 i = 0; i < steps.length; ++i) {
            _draw(signed(voucher(steps[i]), SESSION_KEY));
            vm.assertEq(escrow.sessionOf(requester, session).spent, steps[i]);
        }
        vm.assertEq(escrow.balanceOf(requester), 100 ether);
        _expectDrawRevert(
            signed(voucher(limit + 1), SESSION_KEY),
            abi.encodeWithSelector(Escrow.SessionLimitExceeded.selector, requester, session, 1, 0)
        );
        _draw(signed(voucher(limit + 1), REQUESTER_KEY));
        vm.assertEq(escrow.sessionOf(requester, session).spent, limit);
    }

    /// What a key spent stays spent when it comes back smaller than that.
    function test_Authorize_BelowSpent_SpendsNothing() public {
        _authorize(10 ether, uint64(START + 100));
        _draw(signed(voucher(8 ether), SESSION_KEY));
        vm.warp(START + 101);
        _authorize(5 ether, uint64(START + 200));
        vm.assertEq(escrow.sessionOf(requester, session).spent, 8 ether);
        _expectDrawRevert(
            signed(voucher(8 ether + 1), SESSION_KEY),
            abi.encodeWithSelector(Escrow.SessionLimitExceeded.selector, requester, session, 1, 0)
        );
    }

    function test_Revoke_Unknown_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Escrow.UnknownSession.selector, requester, session));
        vm.prank(requester);
        escrow.revoke(session);
    }

    function test_SetWithdrawalDelay_NotAdmin_Reverts() public {
        vm.expectRevert();
        escrow.setWithdrawalDelay(1);
        vm.prank(admin);
        escrow.setWithdrawalDelay(1);
        vm.assertEq(escrow.withdrawalDelay(), 1);
    }

    function test_Constructor_ZeroAdmin_Reverts() public {
        vm.expectRevert(Escrow.ZeroAddress.selector);
        new Escrow(address(0), 1);
    }

    /// Whatever vouchers come in whatever order, a worker gets the largest cumulative amount that was good when it came,
    /// and never more than balance and session allow.
    function testFuzz_Draw_NeverOverdraws(uint256[8] memory cumulative, bool[8] memory bySession, uint256 limit)
        public
    {
        limit = limit % 150 ether;
        _authorize(limit, uint64(START + 1 days));
        uint256 best;
        uint256 spent;
        for (uint256 i = 0; i < cumulative.length; ++i) {
            uint256 amount = cumulative[i] % 120 ether;
            SignedVoucher memory v = signed(voucher(amount), bySession[i] ? SESSION_KEY : REQUESTER_KEY);
            uint256 owed = amount > best ? amount - best : 0;
            bool good = amount <= 100 ether && (!bySession[i] || spent + owed <= limit);
            try escrow.drawBatch(worker, one(v)) returns (uint256 drawn, bytes32) {
                vm.assertTrue(good || owed == 0);
                vm.assertEq(drawn, owed);
                if (bySession[i]) spent += owed;
                if (owed != 0) best = amount;
            } catch {
                vm.assertFalse(good || owed == 0);
            }
            vm.assertEq(escrow.drawnOf(requester, worker), best);
            vm.assertEq(escrow.balanceOf(requester), 100 ether - best);
            vm.assertEq(escrow.sessionOf(requester, session).spent, spent);
            vm.assertEq(address(escrow).balance, escrow.balanceOf(requester));
        }
    }
}
