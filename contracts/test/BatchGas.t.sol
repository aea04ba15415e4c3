// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Batch, SignedVoucher, Voucher} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

/// @notice What a batch costs as a transaction of its own: 21,000, its call data, and its execution with cold storage. Every
/// call of these tests is a transaction. docs/benchmarks.md has the goals; worker/settle measures the same on a chain.
/// forge-config: default.isolate = true
contract BatchGasTest is Fixture {
    uint256 private constant GOAL = 300_000; // 300 for each of 1,000 receipts, 30 for each of 10,000
    uint256 private constant GOAL_REQUESTER = 40_000;
    uint256 private constant REQUESTERS = 5;
    uint256 private constant FEES = 1_234_567_890_123_456_789; // of a requester; no round number, whose zeros cost less

    // The worker has drawn on the first six requesters. Of the others one has set money aside for it, and one has authorised
    // another key after the one that signs.
    uint256 private constant KNOWN = 6;
    uint256 private constant NEW = 6;
    uint256 private constant NEW_WITH_RESERVE = 7;
    uint256 private constant NEW_WITH_ANOTHER_KEY = 8;

    /// @dev Shown by forge test -vv.
    event log_named_uint(string key, uint256 value);

    mapping(uint256 who => uint256) private owed;
    SignedVoucher[] private vouchers;

    function setUp() public override {
        super.setUp();
        bond(worker, 10 * minStake);
        register();
        for (uint256 i = 0; i <= NEW_WITH_ANOTHER_KEY; ++i) {
            address r = vm.addr(keyOf(i));
            deposit(r, 100 ether);
            vm.prank(r);
            escrow.authorize(session, 50 ether, uint64(START + 30 days));
        }
        vm.prank(vm.addr(keyOf(NEW_WITH_RESERVE)));
        escrow.reserve(worker, 10 ether);
        vm.prank(vm.addr(keyOf(NEW_WITH_ANOTHER_KEY)));
        escrow.authorize(stranger, 50 ether, uint64(START + 30 days));
        // In the end each batch lets go of an earlier one, as a worker's do day by day.
        for (uint256 n = 0; n < 3; ++n) {
            owe(0, KNOWN);
            gasOfBatch(1000);
        }
    }

    function keyOf(uint256 who) private pure returns (uint256) {
        return 0x200 + who;
    }

    /// One more OPEN from each of these requesters.
    function owe(uint256 first, uint256 end) private {
        for (uint256 i = first; i < end; ++i) {
            owed[i] += FEES;
            Voucher memory v = Voucher(vm.addr(keyOf(i)), worker, owed[i], uint64(START + 20 days));
            vouchers.push(signed(v, SESSION_KEY));
        }
    }

    /// Submits what is owed and waits until it can be claimed. A receipt has five payouts at most; nothing of them is on the
    /// chain but their number and the root.
    function gasOfBatch(uint256 receipts) private returns (uint256 gas) {
        Batch memory b = Batch({
            worker: worker,
            nonce: settlement.nextNonce(worker),
            root: keccak256(abi.encode("root", receipts)),
            total: vouchers.length * FEES,
            count: uint32(receipts * 5),
            dataDigest: keccak256(abi.encode("document", receipts))
        });
        vm.prank(node);
        settlement.submitBatch(b, vouchers);
        gas = vm.lastCallGas().gasTotalUsed;
        delete vouchers;
        emit log_named_uint("gas of a batch", gas);
        vm.warp(block.timestamp + window);
    }

    function test_Gas_Batch_OfThousandReceipts() public {
        owe(0, REQUESTERS);
        vm.assertLe(gasOfBatch(1000), GOAL);
    }

    function test_Gas_Batch_OfTenThousandReceipts() public {
        owe(0, REQUESTERS);
        vm.assertLe(gasOfBatch(10_000), GOAL);
    }

    /// What a requester adds to a batch of five, all of whom the worker has drawn on.
    function gasOfRequester(uint256 who) private returns (uint256 gas) {
        uint256 state = vm.snapshotState();
        owe(0, REQUESTERS);
        uint256 five = gasOfBatch(1000);
        vm.assertTrue(vm.revertToState(state));
        owe(0, REQUESTERS);
        owe(who, who + 1);
        gas = gasOfBatch(1000) - five;
        emit log_named_uint("gas of a further requester", gas);
    }

    function test_Gas_Requester_DrawnBefore() public {
        vm.assertLe(gasOfRequester(KNOWN - 1), GOAL_REQUESTER);
    }

    function test_Gas_Requester_FirstDraw_WithReserve() public {
        vm.assertLe(gasOfRequester(NEW_WITH_RESERVE), GOAL_REQUESTER);
    }

    /// A slot that is new costs 17,100 gas more than one that changes: once for a requester and a worker that had nothing to
    /// do with each other.
    function test_Gas_Requester_FirstDraw() public {
        vm.assertLe(gasOfRequester(NEW), GOAL_REQUESTER);
    }

    /// The key that a requester authorised last is counted where its balance is; another needs a slot of its own.
    function test_Gas_Requester_FirstDraw_ByAnotherKey() public {
        vm.assertLe(gasOfRequester(NEW_WITH_ANOTHER_KEY), GOAL_REQUESTER + 3000);
    }
}
