// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {Clones} from "@openzeppelin/contracts/proxy/Clones.sol";

/// @title What a pool asks of the registry
interface IDatanetOwners {
    function ownerOf(uint64 datanet) external view returns (address);
}

/// @title A datanet's public pool
/// @notice Holds what attribution could not assign to single records, for the datanet's owner to grant in public.
/// @dev Deployed by the registry as a minimal clone with its identity (registry, datanet) as immutable arguments.
contract DatanetPool {
    /// @notice Only the datanet's owner grants.
    error NotDatanetOwner(uint64 datanet, address caller);
    /// @notice The zero address cannot receive.
    error ZeroAddress();
    /// @notice The pool holds less than was asked for.
    error InsufficientPool(uint256 needed, uint256 available);

    event Received(address indexed from, uint256 amount);
    event Granted(address indexed to, uint256 amount, string memo);

    receive() external payable {
        emit Received(msg.sender, msg.value);
    }

    /// @notice Pays from the pool, with a public word on why.
    function grant(address to, uint256 amount, string calldata memo) external {
        (address registry_, uint64 datanet_) = _identity();
        if (IDatanetOwners(registry_).ownerOf(datanet_) != msg.sender) revert NotDatanetOwner(datanet_, msg.sender);
        if (to == address(0)) revert ZeroAddress();
        if (amount > address(this).balance) revert InsufficientPool(amount, address(this).balance);
        emit Granted(to, amount, memo);
        Address.sendValue(payable(to), amount);
    }

    function registry() external view returns (address value) {
        (value,) = _identity();
    }

    function datanet() external view returns (uint64 value) {
        (, value) = _identity();
    }

    function _identity() private view returns (address, uint64) {
        return abi.decode(Clones.fetchCloneArgs(address(this)), (address, uint64));
    }
}
