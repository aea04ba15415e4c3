// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {MerkleSum} from "../../src/MerkleSum.sol";
import {ProofNode} from "../../src/Types.sol";

/// @notice Builds Merkle-sum trees level by level, as a worker does.
library Tree {
    function leaves(address[] memory accounts, uint256[] memory amounts)
        internal
        pure
        returns (ProofNode[] memory level)
    {
        level = new ProofNode[](accounts.length);
        for (uint256 i = 0; i < accounts.length; ++i) {
            level[i] = ProofNode(MerkleSum.leaf(i, accounts[i], amounts[i]), amounts[i]);
        }
    }

    function root(ProofNode[] memory level) internal pure returns (ProofNode memory) {
        while (level.length > 1) level = _up(level);
        return level[0];
    }

    function proof(ProofNode[] memory level, uint256 index) internal pure returns (ProofNode[] memory nodes) {
        nodes = new ProofNode[](32);
        uint256 n = 0;
        for (; level.length > 1; (level, index) = (_up(level), index / 2)) {
            uint256 sibling = index ^ 1;
            if (sibling < level.length) nodes[n++] = level[sibling];
        }
        assembly ("memory-safe") {
            mstore(nodes, n)
        }
    }

    function _up(ProofNode[] memory level) private pure returns (ProofNode[] memory above) {
        above = new ProofNode[]((level.length + 1) / 2);
        for (uint256 i = 0; i < level.length; i += 2) {
            if (i + 1 == level.length) {
                above[i / 2] = level[i];
                continue;
            }
            (ProofNode memory l, ProofNode memory r) = (level[i], level[i + 1]);
            above[i / 2] = ProofNode(MerkleSum.node(l.hash, l.sum, r.hash, r.sum), l.sum + r.sum);
        }
    }
}
