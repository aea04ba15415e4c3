// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ProofNode} from "./Types.sol";

/// @title Merkle-sum proofs
/// @notice Verifies that a payout is a leaf of a tree whose nodes commit to the sum of everything below them, so that a
/// root and a total bind every amount. Leaf: keccak256(abi.encode(uint8(0), index, account, amount)). Node:
/// keccak256(abi.encode(uint8(1), leftHash, leftSum, rightHash, rightSum)). A node without a sibling is promoted
/// unchanged. Which side a sibling is on follows from index and count.
library MerkleSum {
    function leaf(uint256 index, address account, uint256 amount) internal pure returns (bytes32) {
        return keccak256(abi.encode(uint8(0), index, account, amount));
    }

    function node(bytes32 left, uint256 leftSum, bytes32 right, uint256 rightSum) internal pure returns (bytes32) {
        return keccak256(abi.encode(uint8(1), left, leftSum, right, rightSum));
    }

    /// @notice Whether (index, account, amount) is a leaf of the tree of `count` leaves with this root and total.
    /// @dev Never reverts: sums that overflow are an invalid proof.
    function verify(
        bytes32 root,
        uint256 total,
        uint256 count,
        uint256 index,
        address account,
        uint256 amount,
        ProofNode[] calldata proof
    ) internal pure returns (bool) {
        if (index >= count) return false;
        bytes32 hash = leaf(index, account, amount);
        uint256 sum = amount;
        uint256 used = 0;
        for (; count > 1; (index, count) = (index >> 1, (count + 1) >> 1)) {
            bool right = index & 1 == 1;
            if (!right && index + 1 == count) continue; // promoted
            if (used == proof.length) return false;
            ProofNode calldata sibling = proof[used++];
            hash = right ? node(sibling.hash, sibling.sum, hash, sum) : node(hash, sum, sibling.hash, sibling.sum);
            unchecked {
                sum += sibling.sum;
            }
            if (sum < sibling.sum) return false;
        }
        return used == proof.length && hash == root && sum == total;
    }
}
