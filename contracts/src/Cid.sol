// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

/// @title Content identifiers
/// @notice Reads CIDv1 in its canonical text form: multibase base32 (lower case, no padding, prefix 'b'), SHA2-256,
/// codec of one or two bytes. https://github.com/multiformats/cid
library Cid {
    /// @notice The text is not a canonical CIDv1 of a SHA2-256 digest.
    error InvalidCid(string cid);

    /// @notice The SHA2-256 digest inside a CID.
    function digest(string memory cid) internal pure returns (bytes32) {
        bytes memory text = bytes(cid);
        // Binary: version, codec (1 or 2 bytes), 0x12 (sha2-256), 0x20 (32 bytes), digest = 36 or 37 bytes.
        uint256 size = text.length == 59 ? 36 : 37;
        if ((text.length != 59 && text.length != 61) || text[0] != "b") revert InvalidCid(cid);
        uint256 head = 0; // version, codec and multihash prefix
        uint256 tail = 0; // the last 32 bytes
        uint256 bits = 0;
        uint256 buffer = 0;
        uint256 taken = 0;
        for (uint256 i = 1; i < text.length; ++i) {
            uint256 c = uint8(text[i]);
            if (c >= 0x61 && c <= 0x7a) c -= 0x61;
            else if (c >= 0x32 && c <= 0x37) c -= 0x32 - 26;
            else revert InvalidCid(cid);
            buffer = (buffer << 5) | c;
            bits += 5;
            if (bits < 8) continue;
            bits -= 8;
            uint256 b = (buffer >> bits) & 0xff;
            buffer &= (1 << bits) - 1;
            if (taken < size - 32) head = (head << 8) | b;
            else tail = (tail << 8) | b;
            ++taken;
        }
        bool prefix = size == 36
            ? head & 0xff80ffff == 0x01001220  // one-byte codec
            : head & 0xff8080ffff == 0x0180001220; // two-byte codec
        if (buffer != 0 || taken != size || !prefix) revert InvalidCid(cid);
        return bytes32(tail);
    }
}
