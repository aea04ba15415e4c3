// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title What settlement asks of staking
interface IWorkerStaking {
    /// @notice Stake that secures a worker now: bond and delegations, without what is unbonding.
    function stakeOf(address worker) external view returns (uint256);

    /// @notice Whether an account acts for a worker: its owner, or its node key while the binding lasts.
    function isOperator(address worker, address account) external view returns (bool);

    /// @notice Seconds that unbonding stake stays slashable.
    function unbondingPeriod() external view returns (uint64);
}
