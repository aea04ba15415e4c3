// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {BatchRef, EpochClaim} from "../src/Types.sol";
import {EpochFixture} from "./support/EpochFixture.sol";
import {StandardTree} from "./support/StandardTree.sol";

/// @notice What a claim costs as a transaction of its own: 21,000, its call data, and its execution with cold storage. Every
/// call of these tests is a transaction, so what is warm in one is what a chain has warm: its sender and the address called.
/// forge-config: default.isolate = true
contract EpochGasTest is EpochFixture {
    uint256 internal constant GOAL = 90_000;
    uint256 internal constant LEVELS = 20; // a million accounts
    uint256 internal constant LEVELS_OF_FEW = 4; // 16 of them
    uint256 internal constant NEWCOMERS = 16; // a subtree of four levels
    uint256 internal constant AMOUNT = 3_141_592_653_589_793_238; // no round number, whose zeros cost less

    /// @dev Shown by forge test -vv.
    event log_named_uint(string key, uint256 value);

    bytes32[] internal long;
    address internal carol = address(uint160(0xABC003));

    function setUp() public override {
        super.setUp();
        settle(40);
        vm.deal(alice, 1); // whoever sends a transaction has an account
        vm.deal(bob, 1);
        for (uint256 i = 0; i < LEVELS; ++i) {
            long.push(keccak256(abi.encode("sibling", i)));
        }
        deep(refs(worker, 0, 1), long, carol, AMOUNT);
        epochs.claim(carol, AMOUNT, long);
        deep(refs(worker, 1, 1), long, alice, AMOUNT);
    }

    /// An epoch whose root is that of a tree in which a leaf, or the root of a subtree, is so many levels down.
    function finalised(BatchRef[] memory list, bytes32[] memory proof, bytes32 root) internal {
        for (uint256 i = 0; i < proof.length; ++i) {
            root = StandardTree.pair(root, proof[i]);
        }
        uint32 id = open(list);
        vm.prank(proposer);
        epochs.commit(id, root, DOCUMENT);
        vm.warp(block.timestamp + epochWindow);
        epochs.finalise(id, list);
    }

    function deep(BatchRef[] memory list, bytes32[] memory proof, address account, uint256 cumulative) internal {
        finalised(list, proof, StandardTree.leaf(account, cumulative));
    }

    function gasOf(address sender, bytes memory data) internal returns (uint256) {
        vm.prank(sender);
        (bool ok,) = address(epochs).call(data);
        vm.assertTrue(ok);
        return vm.lastCallGas().gasTotalUsed;
    }

    function gasOfClaim(address sender, address account, uint256 cumulative, bytes32[] memory proof)
        internal
        returns (uint256 gas)
    {
        gas = gasOf(sender, abi.encodeCall(epochs.claim, (account, cumulative, proof)));
        emit log_named_uint("gas of a claim", gas);
    }

    /// The first claim of an account among a million, which sends it itself: it has gas, so it exists.
    function test_Gas_Claim_First() public {
        vm.assertLe(gasOfClaim(alice, alice, AMOUNT, long), 74_000);
        vm.assertEq(alice.balance, AMOUNT + 1);
    }

    /// The next claim of an account among a million, 38 epochs after its first: their number adds nothing.
    function test_Gas_Claim_Later() public {
        for (uint256 i = 2; i < 40; ++i) {
            deep(refs(worker, uint64(i), 1), long, carol, AMOUNT * i);
        }
        vm.assertLe(gasOfClaim(carol, carol, AMOUNT * 39, long), 57_000);
        vm.assertEq(carol.balance, AMOUNT * 39);
    }

    /// Whoever pays an account first makes it, for 25,000 gas (Yellow Paper, G_newaccount): a claim that another sends to an
    /// account that never was is within the goal among few accounts. Among a million the sixteen further siblings of its
    /// proof take it 11,400 above that.
    function test_Gas_Claim_ToANewAccount() public {
        vm.assertLe(gasOfFirstMoney("few", 2, LEVELS_OF_FEW), GOAL);
        vm.assertLe(gasOfFirstMoney("million", 3, LEVELS), GOAL + 11_600);
    }

    function gasOfFirstMoney(string memory name, uint64 nonce, uint256 levels) private returns (uint256) {
        address nobody = address(uint160(uint256(keccak256(bytes(name)))));
        vm.assertEq(nobody.balance, 0);
        bytes32[] memory proof = new bytes32[](levels);
        for (uint256 i = 0; i < levels; ++i) {
            proof[i] = long[i];
        }
        deep(refs(worker, nonce, 1), proof, nobody, AMOUNT);
        return gasOfClaim(bob, nobody, AMOUNT, proof);
    }

    /// Claims for several such accounts among a million in one transaction share what it costs: each is within the goal.
    function test_Gas_ClaimMany_ToNewAccounts() public {
        vm.assertLe(gasOfNewcomers(2), 2 * GOAL);
    }

    function test_Gas_ClaimMany_ToTenNewAccounts() public {
        vm.assertLe(gasOfNewcomers(10), 10 * GOAL);
    }

    function gasOfNewcomers(uint256 n) private returns (uint256 gas) {
        address[] memory who = new address[](NEWCOMERS);
        uint256[] memory sums = new uint256[](NEWCOMERS);
        for (uint256 i = 0; i < NEWCOMERS; ++i) {
            (who[i], sums[i]) = (address(uint160(uint256(keccak256(abi.encode("newcomer", i))))), AMOUNT + i);
        }
        bytes32[] memory subtree = StandardTree.build(who, sums);
        bytes32[] memory above = new bytes32[](LEVELS - 4);
        for (uint256 i = 0; i < above.length; ++i) {
            above[i] = long[i];
        }
        finalised(refs(worker, 2, 10), above, subtree[0]);
        EpochClaim[] memory claims = new EpochClaim[](n);
        for (uint256 i = 0; i < n; ++i) {
            bytes32[] memory proof = new bytes32[](LEVELS);
            bytes32[] memory inside = StandardTree.proof(subtree, StandardTree.leaf(who[i], sums[i]));
            for (uint256 j = 0; j < LEVELS; ++j) {
                proof[j] = j < inside.length ? inside[j] : above[j - inside.length];
            }
            claims[i] = EpochClaim(who[i], sums[i], proof);
            vm.assertEq(who[i].balance, 0);
        }
        gas = gasOf(bob, abi.encodeCall(epochs.claimMany, (claims)));
        emit log_named_uint("gas of each claim", gas / n);
        for (uint256 i = 0; i < n; ++i) {
            vm.assertEq(who[i].balance, sums[i]);
        }
    }

    /// The number of batches adds nothing.
    function test_Gas_Claim_ManyBatches() public {
        uint256 single = gasOfClaim(alice, alice, AMOUNT, long);
        deep(refs(worker, 2, 38), long, bob, 39 * AMOUNT);
        vm.assertTrue(gasOfClaim(bob, bob, 39 * AMOUNT, long) <= single + 200); // bytes that are 0, and which sibling is smaller
    }

    /// For the snapshot: the claim alone.
    function test_Gas_Claim() public {
        epochs.claim(alice, AMOUNT, long);
    }
}
