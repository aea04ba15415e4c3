// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";
import {Address} from "@openzeppelin/contracts/utils/Address.sol";
import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeCast} from "@openzeppelin/contracts/utils/math/SafeCast.sol";

import {IValidatorPool} from "./IValidatorPool.sol";
import {SortitionTree} from "./SortitionTree.sol";
import {ValidatorRules} from "./Types.sol";

/// @title Validators and their bonds
/// @notice Validators bond OPEN and are drawn into committees in proportion to it. Who leaves is drawn no more, and gets its
/// bond when the unbonding period is over and it sits in no committee.
/// @dev Invariant: the contract holds the validators' bonds.
contract ValidatorPool is IValidatorPool, AccessControl, ReentrancyGuardTransient {
    using SortitionTree for SortitionTree.Tree;

    /// @notice Who draws committees and penalises their members: the dispute committee.
    bytes32 public constant COMMITTEE_ROLE = keccak256("COMMITTEE_ROLE");

    /// @notice A validator.
    /// @param releaseAt when its bond is free; 0 while it serves.
    /// @param seats in how many undecided rounds it sits.
    /// @param leaf its place in the draw; 0 for who never joined.
    struct Validator {
        uint128 bond;
        uint64 releaseAt;
        uint32 seats;
        uint32 leaf;
    }

    uint256 private constant BPS = 10_000;

    ValidatorRules private _rules;
    SortitionTree.Tree private _tree;
    mapping(address account => Validator) private _validators;
    mapping(uint256 leaf => address) private _accountAt;

    /// @notice The zero address cannot be used here.
    error ZeroAddress();
    /// @notice The amount is zero.
    error ZeroAmount();
    /// @notice The validator's bond would be below the minimum.
    error BelowMinimumBond(uint256 bond, uint256 minimum);
    /// @notice The account is no validator.
    error NotValidator(address account);
    /// @notice The validator is leaving already.
    error AlreadyLeaving(address account, uint64 releaseAt);
    /// @notice The bond is not free yet: leave first, and wait. releaseAt is 0 for who has not left.
    error BondLocked(address account, uint64 releaseAt);
    /// @notice The bond is locked while its owner sits in a dispute.
    error StillSeated(address account, uint32 seats);
    /// @notice There are fewer validators with a bond than seats, without the parties.
    error TooFewValidators(uint256 found, uint256 seats);

    event Joined(address indexed validator, uint256 amount, uint256 bond);
    event Left(address indexed validator, uint64 releaseAt);
    event BondWithdrawn(address indexed validator, uint256 amount);
    event Penalised(address indexed validator, uint256 amount);
    event RulesChanged(ValidatorRules rules);

    constructor(address admin, ValidatorRules memory rules_) {
        if (admin == address(0)) revert ZeroAddress();
        _grantRole(DEFAULT_ADMIN_ROLE, admin);
        _setRules(rules_);
    }

    // ---- validators ----

    /// @notice Adds to the caller's bond and makes it a validator. Who was leaving stays.
    function join() external payable {
        if (msg.value == 0) revert ZeroAmount();
        Validator storage v = _validators[msg.sender];
        uint256 bond = v.bond + msg.value;
        if (bond < _rules.minBond) revert BelowMinimumBond(bond, _rules.minBond);
        v.bond = SafeCast.toUint128(bond);
        v.releaseAt = 0;
        if (v.leaf == 0) {
            v.leaf = uint32(_tree.append(0));
            _accountAt[v.leaf] = msg.sender;
        }
        _weigh(v);
        emit Joined(msg.sender, msg.value, bond);
    }

    /// @notice The caller serves no more: it is not drawn again, and its bond is free after the unbonding period.
    function leave() external {
        Validator storage v = _validators[msg.sender];
        if (v.bond == 0) revert NotValidator(msg.sender);
        if (v.releaseAt != 0) revert AlreadyLeaving(msg.sender, v.releaseAt);
        v.releaseAt = uint64(block.timestamp) + _rules.unbonding;
        _weigh(v);
        emit Left(msg.sender, v.releaseAt);
    }

    /// @notice Pays the caller the bond of which it left, less penalties.
    function withdraw() external nonReentrant returns (uint256 amount) {
        Validator storage v = _validators[msg.sender];
        amount = v.bond;
        if (amount == 0) revert NotValidator(msg.sender);
        if (v.releaseAt == 0 || block.timestamp < v.releaseAt) revert BondLocked(msg.sender, v.releaseAt);
        if (v.seats != 0) revert StillSeated(msg.sender, v.seats);
        (v.bond, v.releaseAt) = (0, 0);
        emit BondWithdrawn(msg.sender, amount);
        Address.sendValue(payable(msg.sender), amount);
    }

    // ---- committees ----

    /// @inheritdoc IValidatorPool
    function seat(uint48 block_, bytes32 seed, uint256 seats, address[4] calldata excluded)
        external
        onlyRole(COMMITTEE_ROLE)
        returns (address[] memory members)
    {
        uint256[] memory leaves = new uint256[](excluded.length);
        for (uint256 i = 0; i < leaves.length; ++i) {
            uint256 leaf = _validators[excluded[i]].leaf;
            for (uint256 j = 0; j < i; ++j) {
                if (leaves[j] == leaf) leaf = 0; // one account may be two of the parties
            }
            leaves[i] = leaf;
        }
        uint256[] memory drawn = _tree.draw(block_, seed, seats, leaves);
        if (drawn.length < seats) revert TooFewValidators(drawn.length, seats);
        members = new address[](seats);
        for (uint256 i = 0; i < seats; ++i) {
            members[i] = _accountAt[drawn[i]];
            ++_validators[members[i]].seats;
        }
    }

    /// @inheritdoc IValidatorPool
    function rise(address member) external onlyRole(COMMITTEE_ROLE) {
        --_validators[member].seats;
    }

    /// @inheritdoc IValidatorPool
    /// @dev What falls below the minimum is drawn no more.
    function penalise(address member, uint256 bps)
        external
        onlyRole(COMMITTEE_ROLE)
        nonReentrant
        returns (uint256 taken)
    {
        Validator storage v = _validators[member];
        taken = uint256(v.bond) * bps / BPS;
        v.bond -= uint128(taken);
        _weigh(v);
        emit Penalised(member, taken);
        if (taken != 0) Address.sendValue(payable(msg.sender), taken);
    }

    // ---- parameters ----

    /// @notice Sets the rules. A raised minimum counts for a validator from its next change on.
    function setRules(ValidatorRules calldata rules_) external onlyRole(DEFAULT_ADMIN_ROLE) {
        _setRules(rules_);
    }

    // ---- views ----

    function rules() external view returns (ValidatorRules memory) {
        return _rules;
    }

    /// @inheritdoc IValidatorPool
    function unbondingPeriod() external view returns (uint64) {
        return _rules.unbonding;
    }

    /// @notice A validator; zeros for who never joined.
    function validatorOf(address account) external view returns (Validator memory) {
        return _validators[account];
    }

    /// @notice Weight in draws as of the end of a block.
    function weightAt(address account, uint48 block_) external view returns (uint256) {
        return _tree.weightAt(_validators[account].leaf, block_);
    }

    /// @notice Sum of all weights as of the end of a block.
    function totalWeightAt(uint48 block_) external view returns (uint256) {
        return _tree.totalAt(block_);
    }

    // ---- inside ----

    function _weigh(Validator storage v) private {
        _tree.set(v.leaf, v.releaseAt == 0 && v.bond >= _rules.minBond ? v.bond : 0);
    }

    function _setRules(ValidatorRules memory rules_) private {
        if (rules_.minBond == 0) revert ZeroAmount();
        _rules = rules_;
        emit RulesChanged(rules_);
    }
}
