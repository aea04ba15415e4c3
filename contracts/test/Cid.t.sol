// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {Cid} from "../src/Cid.sol";
import {CidText} from "./support/CidText.sol";
import {Fixture} from "./support/Fixture.sol";

contract CidTest is Fixture {
    function setUp() public override {}

    function read(string calldata cid) external pure returns (bytes32) {
        return Cid.digest(cid);
    }

    function _expectInvalid(string memory cid) private {
        vm.expectRevert(abi.encodeWithSelector(Cid.InvalidCid.selector, cid));
        this.read(cid);
    }

    function test_Digest_KnownCids_Succeeds() public view {
        // The empty UnixFS directory and the raw block "hello world", as IPFS names them.
        vm.assertEq(
            this.read("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"),
            0x59948439065f29619ef41280cbb932be52c56d99c5966b65e0111239f098bbef
        );
        vm.assertEq(this.read("bafkreifzjut3te2nhyekklss27nh3k72ysco7y32koao5eei66wof36n5e"), sha256("hello world"));
    }

    function testFuzz_Digest_OneByteCodec_Succeeds(bytes32 digest, uint8 codec) public view {
        vm.assertEq(this.read(CidText.v1(codec & 0x7f, digest)), digest);
    }

    function testFuzz_Digest_TwoByteCodec_Succeeds(bytes32 digest, uint16 codec) public view {
        bytes memory binary = abi.encodePacked(uint8(1), uint16((codec & 0x7f7f) | 0x8000), uint16(0x1220), digest);
        vm.assertEq(this.read(CidText.encode(binary)), digest);
    }

    function testFuzz_Digest_OtherPrefix_Reverts(bytes32 digest, uint32 prefix) public {
        vm.assume(prefix & 0xff80ffff != 0x01001220);
        _expectInvalid(CidText.encode(abi.encodePacked(prefix, digest)));
    }

    /// A text is read only if it is what writing its bytes gives: one text per CID.
    function testFuzz_Digest_ChangedCharacter_IsAnotherDigestOrReverts(bytes32 digest, uint256 at, uint8 c)
        public
        view
    {
        bytes memory text = bytes(CidText.v1(0x70, digest));
        at = at % text.length;
        vm.assume(text[at] != bytes1(c));
        text[at] = bytes1(c);
        try this.read(string(text)) returns (bytes32 other) {
            vm.assertTrue(other != digest || at < 7, "two texts for one CID");
        } catch {}
    }

    function test_Digest_Malformed_Reverts() public {
        _expectInvalid("");
        _expectInvalid("QmUNLLsPACCz1vLxQVkXqqLX5R1X345qqfHbsf67hvA3Nn");
        _expectInvalid("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf35"); // short
        _expectInvalid("Bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"); // another multibase
        _expectInvalid("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf35A"); // upper case
        _expectInvalid("bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf355"); // bits past the end
    }
}
