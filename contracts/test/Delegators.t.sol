// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AttributionSettlement} from "../src/AttributionSettlement.sol";
import {FeeParts, FeeSplitter} from "../src/FeeSplitter.sol";
import {Batch, Binding, Claim, Shares, SignedVoucher} from "../src/Types.sol";
import {WorkerStaking} from "../src/WorkerStaking.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice What a worker's stakers earn and lose, and what each of its three keys may do, from the bond to the payment.
/// forge-config: long.fuzz.runs = 500
contract DelegatorsTest is Fixture {
    uint256 private compute = 3 ether + 1;
    uint256 private access = 2 ether + 7;
    uint256 private ofAlice;
    uint256 private ofBob;
    uint256 private all;

    address private alice = address(0xA11CE);
    address private bob = address(0xB0B);
    address private model = address(0x0DE1);
    address private pool = address(0x9001);

    function setUp() public override {
        super.setUp();
        bond(worker, 3 * minStake);
        register();
        bytes32 role = staking.SLASHER_ROLE();
        vm.prank(admin);
        staking.grantRole(role, admin);
        deposit(requester, 100 ether);
    }

    /// Any stakes and any fee, of which everybody's part is a wei at least.
    function _given(uint256 a, uint256 b, uint256 c, uint256 d) private {
        (ofAlice, ofBob) = (minDelegation + a % 2000 ether, minDelegation + b % 2000 ether);
        all = 3 * minStake + ofAlice + ofBob;
        (compute, access) = (1 gwei + c % 5 ether, 1 gwei + d % 5 ether);
        _delegate(alice, ofAlice);
        _delegate(bob, ofBob);
    }

    function _delegate(address who, uint256 amount) private {
        vm.deal(who, amount);
        vm.prank(who);
        staking.delegate{value: amount}(worker);
    }

    function _shares() private view returns (Shares memory) {
        return Shares(fees.platformBps(), fees.ownerPart(), fees.stakersPart(), fees.contributorsPart());
    }

    /// One answer's fee as its batch pays it: the stakers divide their part by what the staking contract says.
    function _payments() private view returns (address[] memory accounts, uint256[] memory amounts) {
        FeeParts memory p = FeeSplitter.split(compute, access, 0, _shares());
        (address[] memory stakers, uint256[] memory stakes) = staking.stakersOf(worker);
        uint256[] memory parts = FeeSplitter.apportion(p.stakers, stakes);
        uint256 n = stakers.length;
        accounts = new address[](n + 4);
        amounts = new uint256[](n + 4);
        for (uint256 i = 0; i < n; ++i) {
            (accounts[i], amounts[i]) = (stakers[i], parts[i]);
        }
        (accounts[n], amounts[n]) = (address(treasury), p.platform);
        (accounts[n + 1], amounts[n + 1]) = (staking.payoutOf(worker), p.worker);
        (accounts[n + 2], amounts[n + 2]) = (model, p.owner);
        (accounts[n + 3], amounts[n + 3]) = (pool, p.contributors);
    }

    function _voucherFor(Batch memory b) private view returns (SignedVoucher[] memory) {
        return one(signed(voucher(escrow.drawnOf(requester, worker) + b.total), REQUESTER_KEY));
    }

    /// Settles one answer, sent by a key, and claims everything after the window.
    function _settleAndClaim(address by) private returns (FeeParts memory) {
        (address[] memory accounts, uint256[] memory amounts) = _payments();
        Batch memory b = batchOf(worker, settlement.nextNonce(worker), accounts, amounts);
        vm.assertEq(b.total, compute + access);
        SignedVoucher[] memory vs = _voucherFor(b);
        vm.prank(by);
        settlement.submitBatch(b, vs);
        vm.warp(block.timestamp + window);
        Claim[] memory cs = new Claim[](b.count);
        for (uint32 i = 0; i < b.count; ++i) {
            cs[i] = claimOf(b, accounts, amounts, i);
        }
        vm.assertEq(settlement.claimMany(cs), b.total);
        return FeeSplitter.split(compute, access, 0, _shares());
    }

    /// At most two wei off the exact part: one is the division's, one the rounding of stakes.
    function _assertPart(uint256 got, uint256 of_, uint256 stake, uint256 sum) private pure {
        uint256 exact = of_ * stake / sum;
        vm.assertTrue(got <= exact + 2 && got + 2 >= exact);
    }

    function testFuzz_StakersPart_ByStake(uint256 a, uint256 b, uint256 c, uint256 d) public {
        _given(a, b, c, d);
        FeeParts memory p = _settleAndClaim(node);
        vm.assertEq(worker.balance + alice.balance + bob.balance, p.stakers);
        _assertPart(worker.balance, p.stakers, 3 * minStake, all);
        _assertPart(alice.balance, p.stakers, ofAlice, all);
        _assertPart(bob.balance, p.stakers, ofBob, all);
        vm.assertEq(payout.balance, p.worker);
        vm.assertEq(node.balance, 0);
    }

    /// A slash costs all stakers the same part, so their parts of what is earned stay.
    function testFuzz_StakersPart_SameAfterSlash(uint256 a, uint256 b, uint256 c, uint256 d) public {
        _given(a, b, c, d);
        vm.prank(admin);
        staking.slash(worker, all / 2, address(treasury), 1, 1);
        _assertPart(staking.stakedBy(worker, alice), ofAlice, 1, 2);
        _assertPart(staking.stakedBy(worker, bob), ofBob, 1, 2);
        FeeParts memory p = _settleAndClaim(node);
        _assertPart(alice.balance, p.stakers, ofAlice, all);
        _assertPart(bob.balance, p.stakers, ofBob, all);
    }

    /// Stake on its way out earns nothing more, and still answers for the worker.
    function testFuzz_Leaving_EarnsNothing_IsSlashed(uint256 a, uint256 b, uint256 c, uint256 d) public {
        _given(a, b, c, d);
        vm.prank(bob);
        uint256 id = staking.unbond(worker, type(uint256).max);
        FeeParts memory p = _settleAndClaim(node);
        vm.assertEq(bob.balance, 0);
        _assertPart(alice.balance, p.stakers, ofAlice, all - ofBob);
        vm.prank(admin);
        staking.slash(worker, all / 2, address(treasury), 1, 1);
        vm.warp(block.timestamp + unbonding);
        vm.prank(bob);
        _assertPart(staking.withdraw(id), ofBob, 1, 2);
    }

    function testFuzz_Keys_EachItsDuty(uint256 amount) public {
        amount = 1 + amount % (2 * minStake);
        address[2] memory others = [node, payout];
        for (uint256 i = 0; i < 2; ++i) {
            vm.expectRevert(
                abi.encodeWithSelector(WorkerStaking.InsufficientStake.selector, worker, others[i], amount, 0)
            );
            vm.prank(others[i]);
            staking.unbond(worker, amount);
        }
        (address[] memory accounts, uint256[] memory amounts) = _payments();
        Batch memory b = batchOf(worker, 0, accounts, amounts);
        SignedVoucher[] memory vs = _voucherFor(b);
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotOperator.selector, worker, payout));
        vm.prank(payout);
        settlement.submitBatch(b, vs);
        vm.prank(worker);
        staking.unbond(worker, amount);
        vm.assertEq(staking.bondOf(worker), 3 * minStake - amount);
    }

    /// A newer binding of the owner's takes effect at once: the old node key sends nothing any more, and what is settled from
    /// then on is paid to the new address.
    function testFuzz_Keys_Replaced(uint256 a, uint256 b_, uint256 c, uint256 d) public {
        _given(a, b_, c, d);
        _settleAndClaim(node);
        uint256 before = payout.balance;
        vm.warp(block.timestamp + 1);
        Binding memory binding_ = binding();
        (binding_.nodeKey, binding_.payout) = (vm.addr(0xA4), address(0xA5));
        bytes32 digest = staking.bindingDigest(binding_);
        vm.expectRevert(abi.encodeWithSelector(WorkerStaking.InvalidSignature.selector, worker));
        staking.register(binding_, sign(NODE_KEY, digest));
        staking.register(binding_, sign(WORKER_KEY, digest));

        (address[] memory accounts, uint256[] memory amounts) = _payments();
        Batch memory b = batchOf(worker, 1, accounts, amounts);
        SignedVoucher[] memory vs = _voucherFor(b);
        vm.expectRevert(abi.encodeWithSelector(AttributionSettlement.NotOperator.selector, worker, node));
        vm.prank(node);
        settlement.submitBatch(b, vs);
        FeeParts memory p = _settleAndClaim(binding_.nodeKey);
        vm.assertEq(payout.balance, before);
        vm.assertEq(binding_.payout.balance, p.worker);
    }
}
