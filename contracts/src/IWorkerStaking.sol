// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title What settlement asks of staking
interface IWorkerStaking {
    /// @notice Stake that secures a worker now: bond and delegations, without what is unbonding.
    function stakeOf(address worker) external view returns (uint256);

    /// @notice Stake on its way out that can still be slashed.
    function unbondingOf(address worker) external view returns (uint256);

    /// @notice Whether a worker is jailed: it submits no batch and is not active until it is released.
    function isJailed(address worker) external view returns (bool);

    /// @notice The worker's registered node key; zero if never registered.
    function nodeKeyOf(address worker) external view returns (address);

    /// @notice Where the worker's earnings go; zero if never registered.
    function payoutOf(address worker) external view returns (address);

    /// @notice Whether an account acts for a worker: its owner, or its node key while the binding lasts.
    function isOperator(address worker, address account) external view returns (bool);

    /// @notice All that settlement asks before a batch, at once: {isOperator}, {isJailed} and {stakeOf}.
    function standingOf(address worker, address account)
        external
        view
        returns (bool operator, bool jailed, uint256 stake);

    /// @notice Seconds that unbonding stake stays slashable.
    function unbondingPeriod() external view returns (uint64);

    /// @notice Takes up to `amount` from a worker's stake and unbonding stake, in proportion, and credits it to a beneficiary.
    /// @param reason what the worker did (see {DisputeCommittee}).
    /// @param dispute in which it was found.
    /// @return taken what was really taken: the whole stake if it was less than `amount`.
    function slash(address worker, uint256 amount, address beneficiary, uint8 reason, uint64 dispute)
        external
        returns (uint256 taken);

    /// @notice Keeps a worker from working for the governed term.
    function jail(address worker, uint8 reason, uint64 dispute) external;

    /// @notice Pays the caller what slashes credited to it.
    function collect() external returns (uint256 amount);
}
