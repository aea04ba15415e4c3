// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title Timelock
/// @notice Does what governance decided, after a delay. It holds the admin role of every governed contract. Anybody may
/// execute what is due.
/// @dev The deployer is a temporary admin: it makes the governor a proposer and canceller, then renounces.
contract Timelock is TimelockController {
    constructor(uint256 minDelay, address deployer)
        TimelockController(minDelay, new address[](0), _anybody(), deployer)
    {}

    function _anybody() private pure returns (address[] memory executors) {
        return new address[](1); // the zero address stands for everybody
    }
}
