// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {SignedVoucher} from "./Types.sol";

/// @title What settlement asks of the escrow
interface IEscrow {
    /// @notice Draws what the vouchers owe to a worker beyond earlier draws and sends it to the caller.
    /// @return drawn the sum.
    /// @return draws what was drawn from whom: keccak256(abi.encode(draws, requester, amount)) over those who owed something,
    /// in order, from 0.
    function drawBatch(address worker, SignedVoucher[] calldata vouchers)
        external
        returns (uint256 drawn, bytes32 draws);

    /// @notice Adds to a requester's balance.
    function depositFor(address requester) external payable;
}
