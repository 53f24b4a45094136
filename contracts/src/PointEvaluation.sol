// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";

/// @title One field element of a blob, authenticated by the chain
/// @notice A blob is a polynomial given by its values at the 4,096 roots of unity in bit-reversed order. The precompile at
/// 0x0a (EIP-4844) confirms that the polynomial behind a versioned hash takes a value at a point.
library PointEvaluation {
    address private constant PRECOMPILE = address(0x0a);
    /// The order of BLS12-381's scalar field.
    // slither-disable-next-line too-many-digits
    uint256 private constant MODULUS = 0x73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001;
    /// 7^((MODULUS - 1) / 4096) mod MODULUS: a primitive root of unity of order 4,096.
    uint256 private constant ROOT = 0x564c0a11a0f704f4fc3e8acfe0f8245f0ad1347b378fbf96e206da11a5d36306;
    uint256 private constant ELEMENT_BITS = 12;

    /// @notice Reverts unless field element `index` of the blob behind `versionedHash` is `element`.
    function check(
        bytes32 versionedHash,
        uint256 index,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) internal view {
        // slither-disable-next-line low-level-calls
        (bool isRight, bytes memory answer) =
            PRECOMPILE.staticcall(abi.encodePacked(versionedHash, point(index), element, commitment, proof));
        if (!isRight || answer.length != 64 || commitment.length != 48) revert IBatchSettlement.BadOpening(index);
    }

    /// @notice Returns the point at which the polynomial's value is field element `index`.
    function point(uint256 index) internal pure returns (uint256 result) {
        result = 1;
        uint256 power = ROOT;
        // The exponent is the index with its twelve bits reversed: its lowest bit is the index's highest.
        for (uint256 bit = ELEMENT_BITS; bit > 0; --bit) {
            if (index >> (bit - 1) & 1 == 1) result = mulmod(result, power, MODULUS);
            power = mulmod(power, power, MODULUS);
        }
    }
}
