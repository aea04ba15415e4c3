// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {OPEN} from "../src/OPEN.sol";
import {VestingVault} from "../src/VestingVault.sol";
import {Vm} from "./support/Vm.sol";

/// @notice The supply as `genesis/token.json` lays it out, month by month.
contract TokenTest {
    Vm internal constant vm = Vm(0x7109709ECfa91a80626fF3989D68f67F5b1DD12D);
    uint256 internal constant BUCKETS = 5;

    struct Bucket {
        string name;
        address beneficiary;
        uint256 amount;
        uint256 tge;
        uint256 cliffMonths;
        uint256 linearMonths;
    }

    OPEN internal token;
    VestingVault[] internal vaults;
    Bucket[] internal buckets;
    uint256 internal supply;
    uint256 internal tge;
    uint256 internal month;

    function setUp() public {
        string memory config = vm.readFile("genesis/token.json");
        supply = vm.parseJsonUint(config, ".supply_wei");
        tge = vm.parseJsonUint(config, ".tge");
        month = vm.parseJsonUint(config, ".month_seconds");
        vm.warp(tge - 1 days);

        address[] memory holders = new address[](2 * BUCKETS);
        uint256[] memory amounts = new uint256[](2 * BUCKETS);
        for (uint256 i = 0; i < BUCKETS; ++i) {
            string memory at = string.concat(".buckets[", vm.toString(i), "]");
            Bucket memory b = Bucket({
                name: vm.parseJsonString(config, string.concat(at, ".name")),
                beneficiary: vm.parseJsonAddress(config, string.concat(at, ".beneficiary")),
                amount: vm.parseJsonUint(config, string.concat(at, ".amount_wei")),
                tge: vm.parseJsonUint(config, string.concat(at, ".tge_wei")),
                cliffMonths: vm.parseJsonUint(config, string.concat(at, ".cliff_months")),
                linearMonths: vm.parseJsonUint(config, string.concat(at, ".linear_months"))
            });
            buckets.push(b);
            vaults.push(
                new VestingVault(
                    b.name, b.beneficiary, uint64(tge + b.cliffMonths * month), uint64(b.linearMonths * month)
                )
            );
            (holders[2 * i], amounts[2 * i]) = (b.beneficiary, b.tge);
            (holders[2 * i + 1], amounts[2 * i + 1]) = (address(vaults[i]), b.amount - b.tge);
        }
        token = new OPEN("OpenLedger", "OPEN", holders, amounts);
    }

    function circulating() internal view returns (uint256 sum) {
        sum = token.totalSupply();
        for (uint256 i = 0; i < BUCKETS; ++i) {
            uint256 allocated = token.balanceOf(address(vaults[i])) + vaults[i].released(address(token));
            sum -= allocated - vaults[i].vestedAmount(address(token), uint64(block.timestamp));
        }
    }

    function test_Token_FixedSupply() public view {
        vm.assertEq(token.totalSupply(), supply);
        vm.assertEq(supply, 1_000_000_000 ether);
        vm.assertEq(token.name(), "OpenLedger");
        vm.assertEq(token.symbol(), "OPEN");
        vm.assertEq(uint256(token.decimals()), 18);
    }

    function test_Buckets_AreTheDesigns() public view {
        uint16[5] memory bps = [5171, 1000, 1829, 1500, 500];
        for (uint256 i = 0; i < BUCKETS; ++i) {
            vm.assertEq(buckets[i].amount, supply * bps[i] / 10_000, buckets[i].name);
            vm.assertEq(vaults[i].bucket(), buckets[i].name);
            vm.assertEq(vaults[i].owner(), buckets[i].beneficiary);
        }
    }

    function test_Circulating_KnownPoints() public {
        vm.warp(tge);
        vm.assertEq(circulating(), 215_500_000 ether, "at TGE");
        vm.warp(tge + 12 * month);
        // A quarter of what community and ecosystem release, and nothing behind the cliffs.
        vm.assertEq(circulating(), 215_500_000 ether + (351_600_000 ether + 100_000_000 ether) / 4, "month 12");
        vm.warp(tge + 48 * month - 1);
        vm.assertTrue(circulating() < supply, "before the end");
        vm.warp(tge + 48 * month);
        vm.assertEq(circulating(), supply, "month 48");
    }

    /// @notice Every month: what the vaults say is what the configuration says, and releasing pays exactly that.
    function test_Circulating_EveryMonth_Released() public {
        for (uint256 m = 0; m <= 48; ++m) {
            vm.warp(tge + m * month);
            uint256 expected = 0;
            uint256 held = 0;
            for (uint256 i = 0; i < BUCKETS; ++i) {
                Bucket memory b = buckets[i];
                uint256 vested = 0;
                uint256 locked = b.amount - b.tge;
                if (m >= b.cliffMonths + b.linearMonths) vested = locked;
                else if (m > b.cliffMonths) vested = locked * (m - b.cliffMonths) / b.linearMonths;
                expected += b.tge + vested;
                vaults[i].release(address(token));
                held += token.balanceOf(b.beneficiary);
                vm.assertEq(token.balanceOf(b.beneficiary), b.tge + vested, b.name);
            }
            vm.assertEq(circulating(), expected, vm.toString(m));
            vm.assertEq(held, expected, vm.toString(m));
        }
        vm.assertEq(token.totalSupply(), supply);
    }

    function testFuzz_Vault_NeverFallsNeverExceeds(uint64 a, uint64 b) public view {
        (uint64 early, uint64 late) = a < b ? (a, b) : (b, a);
        for (uint256 i = 0; i < BUCKETS; ++i) {
            uint256 before = vaults[i].vestedAmount(address(token), early);
            uint256 later = vaults[i].vestedAmount(address(token), late);
            vm.assertTrue(before <= later && later <= buckets[i].amount - buckets[i].tge);
        }
    }

    function test_Vault_RenounceOwnership_Reverts() public {
        vm.prank(buckets[0].beneficiary);
        vm.expectRevert(VestingVault.CannotRenounce.selector);
        vaults[0].renounceOwnership();
    }

    function test_Burn_LowersTheSupply() public {
        vm.prank(buckets[4].beneficiary);
        token.burn(1 ether);
        vm.assertEq(token.totalSupply(), supply - 1 ether);
    }

    function test_Permit_Spends() public {
        address holder = vm.addr(7);
        vm.prank(buckets[4].beneficiary);
        require(token.transfer(holder, 5 ether));
        bytes32 permit = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                holder,
                address(this),
                3 ether,
                0,
                tge
            )
        );
        (uint8 v, bytes32 r, bytes32 s) =
            vm.sign(7, keccak256(abi.encodePacked("\x19\x01", token.DOMAIN_SEPARATOR(), permit)));
        token.permit(holder, address(this), 3 ether, tge, v, r, s);
        require(token.transferFrom(holder, address(this), 3 ether));
        vm.assertEq(token.balanceOf(address(this)), 3 ether);
    }

    function test_Constructor_LengthMismatch_Reverts() public {
        vm.expectRevert(abi.encodeWithSelector(OPEN.LengthMismatch.selector, 1, 0));
        new OPEN("x", "x", new address[](1), new uint256[](0));
    }
}
