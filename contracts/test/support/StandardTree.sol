// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @notice Builds OpenZeppelin's standard Merkle trees of (account, amount): leaves in order of their hashes from the end of
/// an array, each node the hash of its two children in ascending order.
library StandardTree {
    function leaf(address account, uint256 amount) internal pure returns (bytes32) {
        return keccak256(bytes.concat(keccak256(abi.encode(account, amount))));
    }

    function build(address[] memory accounts, uint256[] memory amounts) internal pure returns (bytes32[] memory tree) {
        uint256 n = accounts.length;
        tree = new bytes32[](2 * n - 1);
        for (uint256 i = 0; i < n; ++i) {
            bytes32 h = leaf(accounts[i], amounts[i]);
            uint256 at = i; // insertion into what is sorted already, from the end of the array
            for (; at > 0 && uint256(h) < uint256(tree[2 * n - 1 - at]); --at) {
                tree[2 * n - 2 - at] = tree[2 * n - 1 - at];
            }
            tree[2 * n - 2 - at] = h;
        }
        for (uint256 i = n - 1; i > 0; --i) {
            tree[i - 1] = pair(tree[2 * i - 1], tree[2 * i]);
        }
    }

    function pair(bytes32 a, bytes32 b) internal pure returns (bytes32) {
        return a < b ? keccak256(abi.encode(a, b)) : keccak256(abi.encode(b, a));
    }

    function proof(bytes32[] memory tree, bytes32 hash) internal pure returns (bytes32[] memory nodes) {
        uint256 at = tree.length - 1;
        while (tree[at] != hash) --at;
        nodes = new bytes32[](64);
        uint256 n = 0;
        for (; at > 0; at = (at - 1) / 2) {
            nodes[n++] = tree[at % 2 == 1 ? at + 1 : at - 1];
        }
        assembly ("memory-safe") {
            mstore(nodes, n)
        }
    }
}
