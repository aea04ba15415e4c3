// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {FeeParts, FeeSplitter} from "./FeeSplitter.sol";
import {Shares} from "./Types.sol";

/// @title Fee parameters
/// @notice How the fee of an inference is shared and where the platform's part goes. Workers and auditors read it at the
/// block of a batch's snapshot; no contract holds these numbers as literals.
contract FeeParameters is AccessControl {
    Shares private _shares;
    address private _treasury;

    /// @notice The shares do not add up to 10000 basis points, or leave nothing besides the platform's part.
    error InvalidShares(uint256 sum, uint256 whole);
    /// @notice The zero address cannot receive.
    error ZeroAddress();

    event SharesChanged(uint16 platformBps, uint16 ownerPart, uint16 stakersPart, uint16 contributorsPart);
    event TreasuryChanged(address indexed treasury);

    constructor(address admin, address treasury_, Shares memory shares_) {
        if (admin == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _setTreasury(treasury_);
        _setShares(shares_);
    }

    /// @notice All shares, in basis points; together 10000.
    function shares() external view returns (Shares memory) {
        return _shares;
    }

    /// @notice The platform's part of a fee, in basis points.
    function platformBps() external view returns (uint16) {
        return _shares.platformBps;
    }

    /// @notice The adapter owner's part of an access price, in proportion to the other parts.
    function ownerPart() external view returns (uint16) {
        return _shares.ownerPart;
    }

    /// @notice The stakers' part of an access price, in proportion to the other parts.
    function stakersPart() external view returns (uint16) {
        return _shares.stakersPart;
    }

    /// @notice The contributors' part of an access price, in proportion to the other parts.
    function contributorsPart() external view returns (uint16) {
        return _shares.contributorsPart;
    }

    /// @notice Where the platform's part goes.
    function treasury() external view returns (address) {
        return _treasury;
    }

    /// @notice How a fee would be divided now.
    /// @param compute what the worker asks.
    /// @param access what the adapter's owner asks.
    /// @param markup what the agent's owner asks.
    function split(uint256 compute, uint256 access, uint256 markup) external view returns (FeeParts memory) {
        return FeeSplitter.split(compute, access, markup, _shares);
    }

    function setShares(Shares calldata shares_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setShares(shares_);
    }

    function setTreasury(address treasury_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setTreasury(treasury_);
    }

    function _setShares(Shares memory s) private {
        uint256 sum = uint256(s.platformBps) + s.ownerPart + s.stakersPart + s.contributorsPart;
        if (sum != FeeSplitter.WHOLE || s.platformBps == FeeSplitter.WHOLE) {
            revert InvalidShares(sum, FeeSplitter.WHOLE);
        }
        _shares = s;
        emit SharesChanged(s.platformBps, s.ownerPart, s.stakersPart, s.contributorsPart);
    }

    function _setTreasury(address treasury_) private {
        if (treasury_ == address(0)) revert ZeroAddress();
        _treasury = treasury_;
        emit TreasuryChanged(treasury_);
    }
}
