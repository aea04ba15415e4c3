// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @notice Writes CIDs, for tests of what reads them.
library CidText {
    bytes private constant ALPHABET = "abcdefghijklmnopqrstuvwxyz234567";

    /// @notice CIDv1 of a SHA2-256 digest with a codec of one byte.
    function v1(uint8 codec, bytes32 digest) internal pure returns (string memory) {
        return encode(abi.encodePacked(uint8(1), codec, uint8(0x12), uint8(0x20), digest));
    }

    /// @notice CIDv1 of the raw bytes' digest.
    function raw(bytes memory data) internal pure returns (string memory) {
        return v1(0x55, sha256(data));
    }

    /// @notice Multibase base32 of any bytes.
    function encode(bytes memory data) internal pure returns (string memory) {
        bytes memory text = new bytes(1 + (data.length * 8 + 4) / 5);
        text[0] = "b";
        uint256 at = 1;
        uint256 buffer = 0;
        uint256 bits = 0;
        for (uint256 i = 0; i < data.length; ++i) {
            buffer = (buffer << 8) | uint8(data[i]);
            for (bits += 8; bits >= 5; bits -= 5) {
                text[at++] = ALPHABET[(buffer >> (bits - 5)) & 31];
            }
            buffer &= (uint256(1) << bits) - 1;
        }
        if (bits > 0) text[at] = ALPHABET[(buffer << (5 - bits)) & 31];
        return string(text);
    }
}
