// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title What disputes ask of the epoch distributor
interface IEpochDisputes {
    /// @notice Stops a proposed epoch while its root is disputed. Only inside its window, and once.
    function freeze(uint32 epoch) external;

    /// @notice Ends a dispute. A valid epoch goes on, at the earliest at its old time; another one is dropped and its
    /// proposer's bond is credited to the beneficiary, for which anybody may collect it.
    function resolve(uint32 epoch, bool valid, address beneficiary) external returns (uint256 forfeited);

    /// @notice Pays an account what is credited to it.
    function collect(address account) external returns (uint256 amount);

    /// @notice Who answers for an epoch, and the digest of the document that shows its root; zero while there is none.
    function proposalOf(uint32 epoch) external view returns (address proposer, bytes32 documentDigest);
}
