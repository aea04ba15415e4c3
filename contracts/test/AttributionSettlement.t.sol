// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {Escrow} from "../src/Escrow.sol";
import {IEscrow} from "../src/IEscrow.sol";
import {IWorkerStaking} from "../src/IWorkerStaking.sol";
import {Batch, Claim, SignedVoucher, Voucher} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

contract AttributionSettlementTest is Fixture {
    address[] private accounts;
    uint256[] private amounts;

    function setUp() public virtual override {
        super.setUp();
        bond(worker, minStake);
        register();
        deposit(requester, 10 * minStake);
        accounts = [address(treasury), payout, owner, address(uint160(0xD1)), address(uint160(0xD2))];
        amounts = [1 ether, 6 ether, 2 ether, 0.7 ether, 0.3 ether]; // 10 ether
    }

    function _batch() private view returns (Batch memory) {
        return batchOf(worker, settlement.nextNonce(worker), accounts, amounts);
    }

    function _pay(uint256 cumulative) private view returns (SignedVoucher[] memory) {
        return one(signed(voucher(cumulative), REQUESTER_KEY));
    }

    function _submit() private returns (Batch memory b) {
        b = _batch();
        SignedVoucher[] memory vs = _pay(escrow.drawnOf(requester, worker) + b.total);
        vm.prank(node);
        settlement.submitBatch(b, vs);
    }

    function _expectSubmitRevert(address by, Batch memory b, SignedVoucher[] memory vs, bytes memory why) private {
        vm.expectRevert(why);
        vm.prank(by);
        settlement.submitBatch(b, vs);
    }

    function _claim(Claim memory c) private {
        settlement.claim(c.worker, c.nonce, c.index, c.account, c.amount, c.proof);
    }

    function _expectClaimRevert(Claim memory c, bytes memory why) private {
        vm.expectRevert(why);
        settlement.claim(c.worker, c.nonce, c.index, c.account, c.amount, c.proof);
    }

    // ---- submission ----

    function test_SubmitBatch_Succeeds() public {
        Batch memory b = _batch();
        SignedVoucher[] memory vs = _pay(10 ether);
        vm.expectEmit(true, true, true, true, address(settlement));
        emit AttributionSettlement.BatchSubmitted(worker, 0, b.root, 10 ether, 5, b.dataDigest, uint64(START) + window);
        vm.prank(node);
        settlement.submitBatch(b, vs);
        vm.assertEq(address(settlement).balance, 10 ether);
        vm.assertEq(settlement.nextNonce(worker), 1);
        vm.assertEq(settlement.exposureOf(worker), 10 ether);
        AttributionSettlement.BatchView memory v = settlement.batchOf(worker, 0);
        vm.assertTrue(v.status == AttributionSettlement.Status.Pending);
        vm.assertEq(v.root, b.root);
        vm.assertEq(v.dataDigest, b.dataDigest);
        vm.assertEq(v.total, 10 ether);
        vm.assertEq(v.claimed, 0);
        vm.assertEq(v.count, 5);
        vm.assertEq(v.submittedAt, START);
        vm.assertEq(v.claimableAt, START + window);
        vm.warp(START + window);
        vm.assertTrue(settlement.batchOf(worker, 0).status == AttributionSettlement.Status.Claimable);
        vm.assertTrue(settlement.batchOf(worker, 1).status == AttributionSettlement.Status.None);
        vm.assertEq(settlement.exposureOf(worker), 0);
    }

    function test_SubmitBatch_Again_Reverts() public {
        Batch memory b = _submit();
        _expectSubmitRevert(
            node, b, _pay(20 ether), abi.encodeWithSelector(AttributionSettlement.BatchExists.selector, worker, b.nonce)
        );
        vm.assertEq(address(settlement).balance, 10 ether);
    }

    function test_SubmitBatch_NonceGap_Reverts() public {
        Batch memory b = _batch();
        b.nonce = 1;
        _expectSubmitRevert(
            worker, b, _pay(10 ether), abi.encodeWithSelector(AttributionSettlement.NonceGap.selector, worker, 0, 1)
        );
    }

    function test_SubmitBatch_NotOperator_Reverts() public {
        _expectSubmitRevert(
            stranger,
            _batch(),
            _pay(10 ether),
            abi.encodeWithSelector(AttributionSettlement.NotOperator.selector, worker, stranger)
        );
    }

    function test_SubmitBatch_Invalid_Reverts() public {
        Batch[4] memory bs = [_batch(), _batch(), _batch(), _batch()];
        bs[0].root = 0;
        bs[1].total = 0;
        bs[2].count = 0;
        bs[3].total = 1 << 88;
        for (uint256 i = 0; i < bs.length; ++i) {
            _expectSubmitRevert(
                worker,
                bs[i],
                _pay(10 ether),
                abi.encodeWithSelector(AttributionSettlement.InvalidBatch.selector, worker, 0)
            );
        }
    }

    function test_SubmitBatch_TotalNotDrawn_Reverts() public {
        _expectSubmitRevert(
            worker,
            _batch(),
            _pay(10 ether - 1),
            abi.encodeWithSelector(AttributionSettlement.TotalMismatch.selector, worker, 10 ether, 10 ether - 1)
        );
        _expectSubmitRevert(
            worker,
            _batch(),
            _pay(10 ether + 1),
            abi.encodeWithSelector(AttributionSettlement.TotalMismatch.selector, worker, 10 ether, 10 ether + 1)
        );
        _expectSubmitRevert(
            worker,
            _batch(),
            new SignedVoucher[](0),
            abi.encodeWithSelector(AttributionSettlement.TotalMismatch.selector, worker, 10 ether, 0)
        );
        vm.assertEq(escrow.drawnOf(requester, worker), 0);
    }

    function test_SubmitBatch_OverEscrow_Reverts() public {
        amounts[0] = 1 ether;
        vm.prank(requester);
        escrow.requestWithdrawal(10 * minStake);
        vm.warp(START + delay);
        vm.prank(requester);
        escrow.executeWithdrawal();
        _expectSubmitRevert(
            worker,
            _batch(),
            _pay(10 ether),
            abi.encodeWithSelector(Escrow.InsufficientEscrow.selector, requester, 10 ether, 0)
        );
        vm.assertEq(settlement.nextNonce(worker), 0);
    }

    function test_SubmitBatch_VoucherOfOther_Reverts() public {
        Voucher memory v = voucher(10 ether);
        v.worker = stranger;
        SignedVoucher memory s = signed(v, REQUESTER_KEY);
        _expectSubmitRevert(
            worker,
            _batch(),
            one(s),
            abi.encodeWithSelector(Escrow.UnknownSession.selector, requester, signerOf(s, worker))
        );
    }

    function test_SubmitBatch_OverCover_Reverts() public {
        amounts[1] = minStake - 4 ether; // exactly the stake
        Batch memory b = _submit();
        vm.assertEq(b.total, settlement.coverOf(worker));
        _expectSubmitRevert(
            node,
            batchOf(worker, 1, accounts, amounts),
            _pay(2 * b.total),
            abi.encodeWithSelector(AttributionSettlement.InsufficientCover.selector, worker, 2 * minStake, minStake)
        );
        vm.warp(START + window); // the first one no longer counts
        _submit();
        vm.assertEq(settlement.exposureOf(worker), minStake);
    }

    function test_SubmitBatch_AllEndedTogether_Succeeds() public {
        for (uint256 i = 0; i < 10; ++i) {
            _submit();
        }
        vm.warp(START + window);
        vm.assertEq(settlement.exposureOf(worker), 0);
        amounts[1] = minStake - 4 ether; // exactly the stake
        _submit();
        vm.assertEq(settlement.exposureOf(worker), minStake);
    }

    function test_SubmitBatch_NotBonded_Reverts() public {
        Batch memory b = _batch();
        b.worker = stranger;
        _expectSubmitRevert(
            stranger,
            b,
            new SignedVoucher[](0),
            abi.encodeWithSelector(AttributionSettlement.InsufficientCover.selector, stranger, 10 ether, 0)
        );
    }

    function test_SubmitBatch_ManyRequesters_Succeeds() public {
        deposit(stranger, 4 ether);
        Voucher memory other = voucher(4 ether);
        other.requester = stranger;
        SignedVoucher[] memory vs = new SignedVoucher[](2);
        vs[0] = signed(voucher(6 ether), REQUESTER_KEY);
        vs[1] = signed(other, STRANGER_KEY);
        Batch memory b = _batch();
        vm.prank(worker);
        settlement.submitBatch(b, vs);
        vm.assertEq(escrow.balanceOf(stranger), 0);
    }

    function test_Release_Succeeds() public {
        for (uint256 i = 0; i < 6; ++i) {
            _submit();
        }
        vm.assertEq(settlement.exposureOf(worker), 60 ether);
        vm.warp(START + window);
        settlement.release(worker, 5);
        settlement.release(worker, 5);
        settlement.release(worker, 5);
        vm.assertEq(settlement.exposureOf(worker), 0);
        _submit();
        vm.assertEq(settlement.exposureOf(worker), 10 ether);
    }

    function test_Receive_NotEscrow_Reverts() public {
        vm.deal(address(this), 1);
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotEscrow.selector, address(this)));
        (bool ok,) = address(settlement).call{value: 1}("");
        ok;
    }

    // ---- claims ----

    function test_Claim_Succeeds() public {
        Batch memory b = _submit();
        vm.warp(START + window);
        for (uint32 i = 0; i < accounts.length; ++i) {
            Claim memory c = claimOf(b, accounts, amounts, i);
            vm.expectEmit(true, true, true, true, address(settlement));
            emit AttributionSettlement.Claimed(worker, 0, i, accounts[i], amounts[i]);
            vm.prank(stranger);
            _claim(c);
            vm.assertEq(accounts[i].balance, amounts[i]);
            vm.assertTrue(settlement.isClaimed(worker, 0, i));
        }
        vm.assertEq(settlement.batchOf(worker, 0).claimed, 10 ether);
        vm.assertEq(address(settlement).balance, 0);
    }

    function test_Claim_Twice_Reverts() public {
        Claim memory c = claimOf(_submit(), accounts, amounts, 1);
        vm.warp(START + window);
        _claim(c);
        _expectClaimRevert(c, abi.encodeWithSelector(AttributionSettlement.AlreadyClaimed.selector, worker, 0, 1));
    }

    function test_Claim_InWindow_Reverts() public {
        Claim memory c = claimOf(_submit(), accounts, amounts, 1);
        vm.warp(START + window - 1);
        _expectClaimRevert(
            c, abi.encodeWithSelector(AttributionSettlement.ChallengeWindowOpen.selector, worker, 0, START + window)
        );
    }

    function test_Claim_UnknownBatch_Reverts() public {
        Claim memory c = claimOf(_submit(), accounts, amounts, 1);
        c.nonce = 1;
        _expectClaimRevert(c, abi.encodeWithSelector(AttributionSettlement.UnknownBatch.selector, worker, 1));
    }

    function test_Claim_WrongAmountOrAccount_Reverts() public {
        Batch memory b = _submit();
        vm.warp(START + window);
        bytes memory why = abi.encodeWithSelector(AttributionSettlement.InvalidProof.selector, worker, 0, 1);
        Claim memory c = claimOf(b, accounts, amounts, 1);
        c.amount += 1;
        _expectClaimRevert(c, why);
        c = claimOf(b, accounts, amounts, 1);
        c.account = stranger;
        _expectClaimRevert(c, why);
        c = claimOf(b, accounts, amounts, 1);
        c.index = 2;
        _expectClaimRevert(c, abi.encodeWithSelector(AttributionSettlement.InvalidProof.selector, worker, 0, 2));
    }

    function test_Claim_ReenteringAccount_Reverts() public {
        Reenterer thief = new Reenterer(settlement);
        accounts[1] = address(thief);
        Batch memory b = _submit();
        vm.warp(START + window);
        Claim memory c = claimOf(b, accounts, amounts, 1);
        thief.aim(c);
        _expectClaimRevert(c, abi.encodeWithSelector(ReentrancyGuardTransient.ReentrancyGuardReentrantCall.selector));
        _claim(claimOf(b, accounts, amounts, 2)); // others are not held up
        vm.assertEq(owner.balance, 2 ether);
    }

    function test_ClaimMany_Succeeds() public {
        Batch memory b0 = _submit();
        Batch memory b1 = _submit();
        vm.warp(START + window);
        Claim[] memory cs = new Claim[](4);
        cs[0] = claimOf(b0, accounts, amounts, 1);
        cs[1] = claimOf(b1, accounts, amounts, 1);
        cs[2] = claimOf(b1, accounts, amounts, 2);
        cs[3] = claimOf(b0, accounts, amounts, 1); // again: passed over
        vm.assertEq(settlement.claimMany(cs), 14 ether);
        vm.assertEq(payout.balance, 12 ether);
        vm.assertEq(owner.balance, 2 ether);
        vm.assertEq(settlement.claimMany(cs), 0);
        vm.assertEq(payout.balance, 12 ether);
    }

    function test_ClaimMany_OneInvalid_Reverts() public {
        Batch memory b = _submit();
        vm.warp(START + window);
        Claim[] memory cs = new Claim[](2);
        cs[0] = claimOf(b, accounts, amounts, 1);
        cs[1] = claimOf(b, accounts, amounts, 2);
        cs[1].amount += 1;
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.InvalidProof.selector, worker, 0, 2));
        settlement.claimMany(cs);
        vm.assertEq(payout.balance, 0);
    }

    /// Any set of payouts, claimed in any order and more than once: paid once each, all of the total, nothing more.
    function testFuzz_Claim_PaysTotalOnce(uint256 seed, uint256 n, uint32[12] memory order) public {
        n = 1 + n % 12;
        delete accounts;
        delete amounts;
        for (uint256 i = 0; i < n; ++i) {
            accounts.push(address(uint160(uint256(keccak256(abi.encode(seed, i))) | (1 << 159))));
            amounts.push(1 + uint256(keccak256(abi.encode(seed, i, "amount"))) % (minStake / 12));
        }
        Batch memory b = _submit();
        vm.warp(START + window);
        Claim[] memory cs = new Claim[](order.length + n);
        for (uint32 i = 0; i < cs.length; ++i) {
            uint32 index = i < order.length ? order[i] % uint32(n) : i - uint32(order.length);
            cs[i] = claimOf(b, accounts, amounts, index);
        }
        vm.assertEq(settlement.claimMany(cs), b.total);
        for (uint256 i = 0; i < n; ++i) {
            vm.assertEq(accounts[i].balance, amounts[i]);
        }
        vm.assertEq(address(settlement).balance, 0);
    }

    // ---- parameters ----

    function test_SetChallengeWindow_OverUnbonding_Reverts() public {
        vm.expectRevert(
            abi.encodeWithSelector(AttributionSettlement.WindowExceedsUnbonding.selector, unbonding + 1, unbonding)
        );
        vm.prank(admin);
        settlement.setChallengeWindow(unbonding + 1);
    }

    function test_SetParameters_Succeeds() public {
        vm.prank(admin);
        settlement.setChallengeWindow(unbonding);
        vm.prank(admin);
        settlement.setCover(5000);
        vm.assertEq(settlement.challengeWindow(), unbonding);
        vm.assertEq(settlement.coverBps(), 5000);
        vm.assertEq(settlement.coverOf(worker), minStake / 2);
        vm.assertEq(address(settlement.escrow()), address(escrow));
        vm.assertEq(address(settlement.staking()), address(staking));
    }

    function test_SetParameters_NotAdminOrZero_Reverts() public {
        vm.expectRevert();
        settlement.setChallengeWindow(1);
        vm.expectRevert();
        settlement.setCover(1);
        vm.expectRevert(AttributionSettlement.ZeroCover.selector);
        vm.prank(admin);
        settlement.setCover(0);
    }

    function test_Constructor_ZeroAddress_Reverts() public {
        vm.expectRevert(AttributionSettlement.ZeroAddress.selector);
        new AttributionSettlement(address(0), escrow, staking, 1, 1);
        vm.expectRevert(AttributionSettlement.ZeroAddress.selector);
        new AttributionSettlement(admin, IEscrow(address(0)), staking, 1, 1);
        vm.expectRevert(AttributionSettlement.ZeroAddress.selector);
        new AttributionSettlement(admin, escrow, IWorkerStaking(address(0)), 1, 1);
    }
}

/// @notice Claims again while it is being paid.
contract Reenterer {
    AttributionSettlement private settlement;
    Claim private target;

    constructor(AttributionSettlement settlement_) {
        settlement = settlement_;
    }

    function aim(Claim calldata c) external {
        target.worker = c.worker;
        target.nonce = c.nonce;
        target.index = c.index;
        target.account = c.account;
        target.amount = c.amount;
        for (uint256 i = 0; i < c.proof.length; ++i) {
            target.proof.push(c.proof[i]);
        }
    }

    receive() external payable {
        settlement.claim(target.worker, target.nonce, target.index, target.account, target.amount, target.proof);
    }
}
