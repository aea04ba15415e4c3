// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {VestingWallet} from "@openzeppelin/contracts/finance/VestingWallet.sol";

/// @title Vesting vault
/// @notice Holds one bucket's tokens and releases them to its beneficiary, linearly from `start` over `duration`. A cliff
/// is a later start: nothing vests before it.
contract VestingVault is VestingWallet {
    /// @notice Which bucket of the supply it holds.
    string public bucket;

    /// @notice Without a beneficiary what it holds would be lost: transfer the ownership instead.
    error CannotRenounce();

    constructor(string memory bucket_, address beneficiary, uint64 start_, uint64 duration_)
        VestingWallet(beneficiary, start_, duration_)
    {
        bucket = bucket_;
    }

    /// @notice Refused.
    function renounceOwnership() public view override onlyOwner {
        revert CannotRenounce();
    }
}
