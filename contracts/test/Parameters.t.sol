// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {FeeParameters} from "../src/FeeParameters.sol";
import {FeeParts, FeeSplitter} from "../src/FeeSplitter.sol";
import {Treasury} from "../src/Treasury.sol";
import {Shares} from "../src/Types.sol";
import {Fixture} from "./support/Fixture.sol";

contract ParametersTest is Fixture {
    function test_Shares_AreTheConfigs() public view {
        vm.assertEq(fees.platformBps(), 1000);
        vm.assertEq(fees.ownerPart(), 2000);
        vm.assertEq(fees.stakersPart(), 2000);
        vm.assertEq(fees.contributorsPart(), 5000);
        vm.assertEq(fees.shares().platformBps, 1000);
        vm.assertEq(fees.treasury(), address(treasury));
    }

    function test_SetShares_WrongSum_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(FeeParameters.InvalidShares.selector, 9999, 10_000));
        vm.prank(admin);
        fees.setShares(Shares(1000, 2000, 2000, 4999));
        vm.expectRevert(abi.encodeWithSelector(FeeParameters.InvalidShares.selector, 10_000, 10_000));
        vm.prank(admin);
        fees.setShares(Shares(10_000, 0, 0, 0));
        vm.expectRevert(abi.encodeWithSelector(FeeParameters.InvalidShares.selector, 4 * 65_535, 10_000));
        vm.prank(admin);
        fees.setShares(Shares(65_535, 65_535, 65_535, 65_535));
    }

    function test_SetShares_Succeeds() public {
        vm.expectEmit(true, true, true, true, address(fees));
        emit FeeParameters.SharesChanged(500, 4000, 0, 5500);
        vm.prank(admin);
        fees.setShares(Shares(500, 4000, 0, 5500));
        FeeParts memory parts = fees.split(1000, 1000, 2000);
        vm.assertEq(parts.platform, 200);
        vm.assertEq(parts.agent, 1900);
        vm.assertEq(parts.stakers, 0);
    }

    function test_SetShares_NotAdmin_Reverts() public {
        vm.expectRevert();
        fees.setShares(Shares(1000, 2000, 2000, 5000));
        vm.expectRevert();
        fees.setTreasury(stranger);
    }

    function test_SetTreasury_Zero_Reverts() public {
        vm.expectRevert(FeeParameters.ZeroAddress.selector);
        vm.prank(admin);
        fees.setTreasury(address(0));
    }

    function test_Constructor_ZeroAdmin_Reverts() public {
        vm.expectRevert(FeeParameters.ZeroAddress.selector);
        new FeeParameters(address(0), address(treasury), Shares(1000, 2000, 2000, 5000));
        vm.expectRevert(Treasury.ZeroAddress.selector);
        new Treasury(address(0));
    }

    function testFuzz_Split_AddsUp(uint128 compute, uint128 access, uint128 markup, uint16 a, uint16 b, uint16 c)
        public
    {
        uint16 platform = a % 10_000;
        uint16 owner_ = b % (10_001 - platform);
        uint16 stakers = c % (10_001 - platform - owner_);
        vm.prank(admin);
        fees.setShares(Shares(platform, owner_, stakers, 10_000 - platform - owner_ - stakers));
        FeeParts memory p = fees.split(compute, access, markup);
        uint256 fee = uint256(compute) + access + markup;
        vm.assertEq(p.platform + p.worker + p.agent + p.owner + p.stakers + p.contributors, fee);
        vm.assertTrue(p.platform + 1 >= fee * platform / 10_000);
        vm.assertTrue(p.platform <= fee * platform / 10_000 + 3);
    }

    function test_Apportion_ZeroWeights_Reverts() public {
        uint256[] memory weights = new uint256[](2);
        vm.expectRevert(abi.encodeWithSelector(FeeSplitter.ZeroWeights.selector, 7));
        this.apportion(7, weights);
        vm.assertEq(this.apportion(0, weights)[0], 0);
    }

    function apportion(uint256 amount, uint256[] memory weights) external pure returns (uint256[] memory) {
        return FeeSplitter.apportion(amount, weights);
    }

    function test_TreasuryGrant_Succeeds() public {
        vm.deal(address(this), 10);
        (bool ok,) = address(treasury).call{value: 10}("");
        vm.assertTrue(ok);
        vm.expectEmit(true, true, true, true, address(treasury));
        emit Treasury.Granted(stranger, 4, "audit");
        vm.prank(admin);
        treasury.grant(stranger, 4, "audit");
        vm.assertEq(stranger.balance, 4);
    }

    function test_TreasuryGrant_Invalid_Reverts() public {
        vm.expectRevert();
        treasury.grant(stranger, 0, "");
        vm.expectRevert(Treasury.ZeroAddress.selector);
        vm.prank(admin);
        treasury.grant(address(0), 0, "");
        vm.expectRevert(abi.encodeWithSelector(Treasury.InsufficientTreasury.selector, 1, 0));
        vm.prank(admin);
        treasury.grant(stranger, 1, "");
    }
}
