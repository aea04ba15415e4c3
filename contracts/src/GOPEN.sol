// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";
import {ERC20Votes} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Votes.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Nonces} from "@openzeppelin/contracts/utils/Nonces.sol";
import {Time} from "@openzeppelin/contracts/utils/types/Time.sol";

/// @title GOPEN
/// @notice Native OPEN wrapped one to one, with votes (ERC-5805, by timestamp) and permits. Votes count once delegated, to
/// oneself or to another, by transaction or by signature.
/// @dev Invariant: the contract's balance is at least the supply; they are equal unless somebody forces coins in.
contract GOPEN is ERC20, ERC20Permit, ERC20Votes {
    /// @notice The amount is zero.
    error ZeroAmount();

    event Deposit(address indexed from, address indexed to, uint256 amount);
    event Withdrawal(address indexed from, address indexed to, uint256 amount);

    constructor() ERC20("Governance OPEN", "GOPEN") ERC20Permit("Governance OPEN") {}

    /// @notice A plain payment is a deposit for the sender.
    receive() external payable {
        depositTo(msg.sender);
    }

    /// @notice Wraps the sent coins for the sender.
    function deposit() external payable {
        depositTo(msg.sender);
    }

    /// @notice Unwraps for the sender.
    function withdraw(uint256 amount) external {
        withdrawTo(msg.sender, amount);
    }

    /// @notice Wraps the sent coins for `to`.
    function depositTo(address to) public payable {
        if (msg.value == 0) revert ZeroAmount();
        emit Deposit(msg.sender, to, msg.value);
        _mint(to, msg.value);
    }

    /// @notice Unwraps the sender's tokens and pays `to`.
    function withdrawTo(address to, uint256 amount) public {
        if (amount == 0) revert ZeroAmount();
        emit Withdrawal(msg.sender, to, amount);
        _burn(msg.sender, amount);
        Address.sendValue(payable(to), amount);
    }

    /// @inheritdoc ERC20Permit
    function nonces(address owner) public view override(ERC20Permit, Nonces) returns (uint256) {
        return super.nonces(owner);
    }

    /// @notice Votes are counted at block timestamps (ERC-6372).
    function clock() public view override returns (uint48) {
        return Time.timestamp();
    }

    /// @notice How to read {clock} (ERC-6372).
    // solhint-disable-next-line func-name-mixedcase
    function CLOCK_MODE() public pure override returns (string memory) {
        return "mode=timestamp";
    }

    function _update(address from, address to, uint256 value) internal override(ERC20, ERC20Votes) {
        super._update(from, to, value);
    }
}
