// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Checkpoints} from "@openzeppelin/contracts/utils/structs/Checkpoints.sol";
import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";

/// @title Draws in proportion to weights
/// @notice A Fenwick tree (P. M. Fenwick, 1994) of weights: node i holds the sum of the leaves (i - lowbit(i), i]. Leaves are
/// numbered from 1. Appending, changing a weight and finding the leaf at a position take a number of steps that is
/// logarithmic in the number of leaves.
/// @dev Every value keeps its history by block, so that a draw looks at the weights of a block before its seed was known:
/// nobody can shift a draw by coming, going or adding once the seed is out. Weights add up to less than 2^208.
library SortitionTree {
    using Checkpoints for Checkpoints.Trace208;

    struct Tree {
        Checkpoints.Trace208 total;
        Checkpoints.Trace208 count;
        mapping(uint256 index => Checkpoints.Trace208) nodes;
        mapping(uint256 leaf => Checkpoints.Trace208) weights;
    }

    /// @dev A draw under way: what is left, and the leaves that are out. Searching passes over them instead of changing the
    /// tree.
    struct Sieve {
        uint48 block_;
        uint256 count;
        uint256 left;
        uint256[] out;
        uint256[] weights;
        uint256 outs;
    }

    /// @notice Adds a leaf.
    /// @return leaf its number.
    function append(Tree storage tree, uint208 weight) internal returns (uint256 leaf) {
        uint48 now_ = uint48(block.number);
        leaf = uint256(tree.count.latest()) + 1;
        uint208 sum = weight;
        uint256 low = leaf - _lowbit(leaf);
        for (uint256 i = leaf - 1; i > low; i -= _lowbit(i)) {
            sum += tree.nodes[i].latest();
        }
        tree.nodes[leaf].push(now_, sum);
        tree.weights[leaf].push(now_, weight);
        tree.count.push(now_, uint208(leaf));
        tree.total.push(now_, tree.total.latest() + weight);
    }

    /// @notice Changes a leaf's weight.
    function set(Tree storage tree, uint256 leaf, uint208 weight) internal {
        uint48 now_ = uint48(block.number);
        uint208 before = tree.weights[leaf].latest();
        if (weight == before) return;
        tree.weights[leaf].push(now_, weight);
        tree.total.push(now_, tree.total.latest() + weight - before);
        uint256 count = tree.count.latest();
        for (uint256 i = leaf; i <= count; i += _lowbit(i)) {
            tree.nodes[i].push(now_, tree.nodes[i].latest() + weight - before);
        }
    }

    /// @notice Sum of all weights after a block.
    function totalAt(Tree storage tree, uint48 block_) internal view returns (uint256) {
        return tree.total.upperLookupRecent(block_);
    }

    /// @notice A leaf's weight after a block; leaf 0 weighs nothing.
    function weightAt(Tree storage tree, uint256 leaf, uint48 block_) internal view returns (uint256) {
        return tree.weights[leaf].upperLookupRecent(block_);
    }

    /// @notice Draws up to `seats` different leaves by the weights after a block: each time in proportion to the weights of
    /// those that are left.
    /// @param excluded leaves that cannot be drawn, different from each other or 0.
    /// @return drawn fewer than `seats` when there are no more with a weight.
    /// @dev The remainder of a 256-bit hash by a sum below 2^208 is biased by less than 2^-48.
    function draw(Tree storage tree, uint48 block_, bytes32 seed, uint256 seats, uint256[] memory excluded)
        internal
        view
        returns (uint256[] memory drawn)
    {
        Sieve memory sieve = Sieve({
            block_: block_,
            count: tree.count.upperLookupRecent(block_),
            left: totalAt(tree, block_),
            out: new uint256[](excluded.length + seats),
            weights: new uint256[](excluded.length + seats),
            outs: 0
        });
        for (uint256 i = 0; i < excluded.length; ++i) {
            _takeOut(tree, sieve, excluded[i]);
        }
        drawn = new uint256[](seats);
        uint256 n = 0;
        for (; n < seats && sieve.left > 0; ++n) {
            drawn[n] = _find(tree, sieve, uint256(keccak256(abi.encode(seed, n))) % sieve.left);
            _takeOut(tree, sieve, drawn[n]);
        }
        assembly ("memory-safe") {
            mstore(drawn, n)
        }
    }

    function _takeOut(Tree storage tree, Sieve memory sieve, uint256 leaf) private view {
        uint256 weight = weightAt(tree, leaf, sieve.block_);
        (sieve.out[sieve.outs], sieve.weights[sieve.outs]) = (leaf, weight);
        ++sieve.outs;
        sieve.left -= weight;
    }

    /// @dev The leaf at a position among those that are not out: the least whose prefix sum exceeds the position.
    function _find(Tree storage tree, Sieve memory sieve, uint256 position) private view returns (uint256) {
        uint256 at = 0;
        for (uint256 step = 1 << Math.log2(sieve.count); step > 0; step >>= 1) {
            uint256 next = at + step;
            if (next > sieve.count) continue;
            uint256 sum = tree.nodes[next].upperLookupRecent(sieve.block_);
            for (uint256 i = 0; i < sieve.outs; ++i) {
                if (sieve.out[i] > at && sieve.out[i] <= next) sum -= sieve.weights[i];
            }
            if (position < sum) continue;
            position -= sum;
            at = next;
        }
        return at + 1;
    }

    function _lowbit(uint256 i) private pure returns (uint256) {
        unchecked {
            return i & (0 - i);
        }
    }
}
