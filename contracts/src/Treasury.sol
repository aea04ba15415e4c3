// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";

/// @title Treasury
/// @notice Holds the platform's part of fees. Whoever governs it grants from it.
contract Treasury is AccessControl {
    /// @notice The zero address cannot hold a role or receive.
    error ZeroAddress();
    /// @notice The treasury holds less than was asked for.
    error InsufficientTreasury(uint256 needed, uint256 available);

    event Received(address indexed from, uint256 amount);
    event Granted(address indexed to, uint256 amount, string memo);

    constructor(address admin) {
        if (admin == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
    }

    receive() external payable {
        emit Received(msg.sender, msg.value);
    }

    function grant(address to, uint256 amount, string calldata memo) external onlyRole(DEFAULT_ADMIN_ROLE) {
        if (to == address(0)) revert ZeroAddress();
        if (amount > address(this).balance) revert InsufficientTreasury(amount, address(this).balance);
        emit Granted(to, amount, memo);
        Address.sendValue(payable(to), amount);
    }
}
