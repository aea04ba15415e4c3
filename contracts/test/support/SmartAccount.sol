// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.34;

import {ECDSA} from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";

/// @notice An account that is a contract: it signs by its holder's key (ERC-1271).
contract SmartAccount is IERC1271 {
    address private immutable _HOLDER;

    constructor(address holder) {
        _HOLDER = holder;
    }

    receive() external payable {}

    function isValidSignature(bytes32 hash, bytes calldata signature) external view returns (bytes4) {
        (address signer, ECDSA.RecoverError failed,) = ECDSA.tryRecover(hash, signature);
        return failed == ECDSA.RecoverError.NoError && signer == _HOLDER ? this.isValidSignature.selector : bytes4(0);
    }
}
