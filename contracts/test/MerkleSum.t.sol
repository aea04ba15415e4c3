// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {MerkleSum} from "../src/MerkleSum.sol";
import {ProofNode} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";
import {Tree} from "./support/Tree.sol";

contract MerkleSumTest is Fixture {
    uint256 private constant MOST = 20;

    function setUp() public override {}

    function check(
        ProofNode memory top,
        uint256 count,
        uint256 index,
        address account,
        uint256 amount,
        ProofNode[] calldata proof
    ) external pure returns (bool) {
        return MerkleSum.verify(top.hash, top.sum, count, index, account, amount, proof);
    }

    function _payouts(uint256 seed, uint256 n)
        private
        pure
        returns (address[] memory accounts, uint256[] memory amounts)
    {
        accounts = new address[](n);
        amounts = new uint256[](n);
        for (uint256 i = 0; i < n; ++i) {
            uint256 r = uint256(keccak256(abi.encode(seed, i)));
            (accounts[i], amounts[i]) = (address(uint160(r)), r >> (96 + (r & 127)));
        }
    }

    function testFuzz_Verify_EveryLeaf_Succeeds(uint256 seed, uint256 n) public view {
        n = 1 + n % MOST;
        (address[] memory accounts, uint256[] memory amounts) = _payouts(seed, n);
        ProofNode[] memory level = Tree.leaves(accounts, amounts);
        ProofNode memory top = Tree.root(level);
        for (uint256 i = 0; i < n; ++i) {
            vm.assertTrue(this.check(top, n, i, accounts[i], amounts[i], Tree.proof(level, i)));
        }
    }

    struct Case {
        ProofNode top;
        uint256 count;
        uint256 index;
        address account;
        uint256 amount;
        ProofNode[] proof;
    }

    function _case(uint256 seed, uint256 n, uint256 i) private pure returns (Case memory c) {
        (address[] memory accounts, uint256[] memory amounts) = _payouts(seed, n);
        ProofNode[] memory level = Tree.leaves(accounts, amounts);
        c = Case(Tree.root(level), n, i, accounts[i], amounts[i], Tree.proof(level, i));
    }

    function _reject(Case memory c, string memory why) private view {
        vm.assertFalse(this.check(c.top, c.count, c.index, c.account, c.amount, c.proof), why);
    }

    /// Any one thing changed makes a proof invalid, and never reverts.
    function testFuzz_Verify_AnyChange_Fails(uint256 seed, uint256 n, uint256 i, uint256 x, uint256 y) public view {
        n = 1 + n % MOST;
        i = i % n;
        x = x == 0 ? 1 : x;
        unchecked {
            Case memory c = _case(seed, n, i);
            c.amount += x;
            _reject(c, "amount");
            c = _case(seed, n, i);
            c.index += x;
            _reject(c, "index");
            c = _case(seed, n, i);
            c.account = address(uint160(c.account) ^ (uint160(x) | 1));
            _reject(c, "account");
            c = _case(seed, n, i);
            c.top.sum += x;
            _reject(c, "total");
            c = _case(seed, n, i);
            c.top.hash = bytes32(uint256(c.top.hash) + x);
            _reject(c, "root");
            c = _case(seed, n, i);
            if (c.proof.length == 0) return;
            y = y % c.proof.length;
            c.proof[y].sum += x;
            _reject(c, "sibling's sum");
            c = _case(seed, n, i);
            c.proof[y].hash = bytes32(uint256(c.proof[y].hash) + x);
            _reject(c, "sibling's hash");
        }
        Case memory shorter = _case(seed, n, i);
        ProofNode[] memory proof = shorter.proof;
        assembly ("memory-safe") {
            mstore(proof, sub(mload(proof), 1))
        }
        _reject(shorter, "shorter proof");
    }

    function test_Verify_LongerProof_Fails() public view {
        (address[] memory accounts, uint256[] memory amounts) = _payouts(1, 1);
        ProofNode memory top = Tree.root(Tree.leaves(accounts, amounts));
        vm.assertFalse(this.check(top, 1, 0, accounts[0], amounts[0], new ProofNode[](1)));
        vm.assertFalse(this.check(top, 0, 0, accounts[0], amounts[0], new ProofNode[](0)), "no leaves");
    }

    /// Sums that wrap around 2^256 would let a leaf hide behind a small total.
    function test_Verify_OverflowingSum_Fails() public view {
        bytes32 l = MerkleSum.leaf(0, worker, type(uint256).max);
        bytes32 r = MerkleSum.leaf(1, stranger, 11);
        ProofNode memory top = ProofNode(MerkleSum.node(l, type(uint256).max, r, 11), 10);
        ProofNode[] memory proof = new ProofNode[](1);
        proof[0] = ProofNode(l, type(uint256).max);
        vm.assertFalse(this.check(top, 2, 1, stranger, 11, proof));
        proof[0] = ProofNode(r, 11);
        vm.assertFalse(this.check(top, 2, 0, worker, type(uint256).max, proof));
    }

    /// An inner node cannot pass as a leaf: their encodings differ in tag and length.
    function test_Verify_NodeAsLeaf_Fails() public view {
        (address[] memory accounts, uint256[] memory amounts) = _payouts(2, 4);
        ProofNode[] memory level = Tree.leaves(accounts, amounts);
        ProofNode memory top = Tree.root(level);
        ProofNode[] memory full = Tree.proof(level, 0);
        ProofNode[] memory upper = new ProofNode[](1);
        upper[0] = full[1];
        vm.assertFalse(this.check(top, 2, 0, accounts[0], amounts[0] + amounts[1], upper));
    }
}
