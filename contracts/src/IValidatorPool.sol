// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title What the dispute committee asks of the validators' pool
interface IValidatorPool {
    /// @notice Draws different validators by their weights after a block, and locks their bonds until they rise.
    /// @param excluded accounts that cannot be drawn.
    function seat(uint48 block_, bytes32 seed, uint256 seats, address[4] calldata excluded)
        external
        returns (address[] memory members);

    /// @notice Ends one sitting of a member.
    function rise(address member) external;

    /// @notice Takes a part of a member's bond, in basis points, and sends it to the caller.
    function penalise(address member, uint256 bps) external returns (uint256 taken);

    /// @notice Seconds between a validator's leaving and the release of its bond.
    function unbondingPeriod() external view returns (uint64);
}
