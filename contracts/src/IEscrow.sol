// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {SignedVoucher} from "./Types.sol";

/// @title What settlement asks of the escrow
interface IEscrow {
    /// @notice Draws what the vouchers owe to a worker beyond earlier draws and sends it to the caller.
    function drawBatch(address worker, SignedVoucher[] calldata vouchers) external returns (uint256 drawn);
}
