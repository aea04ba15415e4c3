// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {BatchRef} from "./Types.sol";

/// @title What the epoch distributor asks of settlement
/// @notice A hold stops the claims of chosen batches, so that what is left of them can be counted, and then moves it away.
/// There is one hold at a time. A hold that ends without a sweep leaves every batch as it was.
interface IBatchHolds {
    /// @notice Begins a hold of the caller. Its id was never used before.
    function beginHold() external returns (uint32 id);

    /// @notice Stops the claims of claimable batches. Those that are held already or have nothing left are passed over.
    /// @return count how many batches this call has added.
    /// @return remainder what is left of them: total - claimed, in wei.
    function hold(BatchRef[] calldata batches) external returns (uint32 count, uint256 remainder);

    /// @notice Moves what is left of held batches to the caller. Each must be held and not swept before.
    function sweep(BatchRef[] calldata batches) external returns (uint256 amount);

    /// @notice Ends the caller's hold: claims of batches that were not swept go on.
    function endHold() external;
}
