// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Math} from "@openzeppelin/contracts/utils/math/Math.sol";
import {Royalty, Shares} from "./Types.sol";

/// @notice One fee, divided among the kinds of party.
struct FeeParts {
    uint256 platform;
    uint256 worker;
    uint256 agent;
    uint256 owner;
    uint256 stakers;
    uint256 contributors;
}

/// @title Division of a fee
/// @notice The same division as Go's `protocol/payout`, wei by wei: largest remainders, of equal remainders the earlier party
/// is served first. Both are held to the same golden vectors. How stakers and contributors divide their parts among
/// themselves is computed off chain by the same rule ({apportion}).
library FeeSplitter {
    uint256 internal constant WHOLE = 10_000;

    /// @notice There is something to divide and all weights are zero.
    error ZeroWeights(uint256 amount);
    /// @notice Entries of a lineage come after the one that owes them, in its order.
    error InvalidLineage(uint256 entry);

    /// @notice Divides a fee: the parts add up to compute + access + markup.
    function split(uint256 compute, uint256 access, uint256 markup, Shares memory shares)
        internal
        pure
        returns (FeeParts memory parts)
    {
        uint256[] memory weights = new uint256[](2);
        (weights[0], weights[1]) = (shares.platformBps, WHOLE - shares.platformBps);
        uint256[] memory ofCompute = apportion(compute, weights);
        uint256[] memory ofAccess = apportion(access, weights);
        uint256[] memory ofMarkup = apportion(markup, weights);
        parts.platform = ofCompute[0] + ofAccess[0] + ofMarkup[0];
        parts.worker = ofCompute[1];
        parts.agent = ofMarkup[1];
        if (ofAccess[1] == 0) return parts;
        weights = new uint256[](3);
        (weights[0], weights[1], weights[2]) = (shares.ownerPart, shares.stakersPart, shares.contributorsPart);
        uint256[] memory rest = apportion(ofAccess[1], weights);
        (parts.owner, parts.stakers, parts.contributors) = (rest[0], rest[1], rest[2]);
    }

    /// @notice Divides an adapter owner's part along its lineage: whoever is owed a part passes on what its own parents ask
    /// of it, and keeps the rest. One level is one {apportion}, of which the one that owes is the first party and the
    /// parents come in the order of the list.
    /// @param list as {ModelRegistry-royaltiesOf} gives it.
    /// @return amounts of the adapter's owner, then of each entry; they add up to the amount.
    function royalties(uint256 amount, Royalty[] memory list) internal pure returns (uint256[] memory amounts) {
        amounts = new uint256[](list.length + 1);
        amounts[0] = amount;
        for (uint256 first = 0; first < list.length;) {
            uint256 from = list[first].from;
            if (from > first || (first != 0 && from <= list[first - 1].from)) revert InvalidLineage(first);
            uint256 end = first;
            while (end < list.length && list[end].from == from) ++end;
            uint256[] memory weights = new uint256[](end - first + 1);
            weights[0] = WHOLE;
            for (uint256 i = first; i < end; ++i) {
                weights[i - first + 1] = list[i].bps;
                weights[0] -= list[i].bps;
            }
            uint256[] memory parts = apportion(amounts[from], weights);
            amounts[from] = parts[0];
            for (uint256 i = first; i < end; ++i) {
                amounts[i + 1] = parts[i - first + 1];
            }
            first = end;
        }
    }

    /// @notice Divides an amount by weights with largest remainders. The parts add up to the amount.
    function apportion(uint256 amount, uint256[] memory weights) internal pure returns (uint256[] memory parts) {
        parts = new uint256[](weights.length);
        if (amount == 0) return parts;
        uint256 sum = 0;
        for (uint256 i = 0; i < weights.length; ++i) {
            sum += weights[i];
        }
        if (sum == 0) revert ZeroWeights(amount);
        uint256 left = amount;
        uint256[] memory remainders = new uint256[](weights.length);
        for (uint256 i = 0; i < weights.length; ++i) {
            parts[i] = Math.mulDiv(amount, weights[i], sum);
            remainders[i] = mulmod(amount, weights[i], sum);
            left -= parts[i];
        }
        // The remainders add up to left * sum: at least `left` of them are positive, and each is served once.
        for (; left != 0; --left) {
            uint256 best = 0;
            for (uint256 i = 1; i < weights.length; ++i) {
                if (remainders[i] > remainders[best]) best = i;
            }
            ++parts[best];
            remainders[best] = 0;
        }
    }
}
