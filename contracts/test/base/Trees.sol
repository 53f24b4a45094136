// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice Positional trees built from all leaves: the slow, plain way, beside the contract's check of a path.
library Trees {
    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x01), left, right));
    }

    function root(bytes32[] memory leaves) internal pure returns (bytes32) {
        bytes32[] memory level = leaves;
        while (level.length > 1) level = _above(level);
        return level[0];
    }

    function path(bytes32[] memory leaves, uint256 index) internal pure returns (bytes32[] memory result) {
        bytes32[] memory full = new bytes32[](32);
        uint256 length = 0;
        bytes32[] memory level = leaves;
        while (level.length > 1) {
            uint256 sibling = index ^ 1;
            if (sibling < level.length) full[length++] = level[sibling];
            index /= 2;
            level = _above(level);
        }
        result = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) {
            result[i] = full[i];
        }
    }

    /// The roots of groups of 256 leaves.
    function row(bytes32[] memory leaves) internal pure returns (bytes32[] memory result) {
        result = new bytes32[]((leaves.length + 255) / 256);
        for (uint256 g = 0; g < result.length; ++g) {
            uint256 size = leaves.length - 256 * g < 256 ? leaves.length - 256 * g : 256;
            bytes32[] memory group = new bytes32[](size);
            for (uint256 i = 0; i < size; ++i) {
                group[i] = leaves[256 * g + i];
            }
            result[g] = root(group);
        }
    }

    function _above(bytes32[] memory level) private pure returns (bytes32[] memory above) {
        above = new bytes32[]((level.length + 1) / 2);
        for (uint256 i = 0; i < above.length; ++i) {
            above[i] = 2 * i + 1 < level.length ? node(level[2 * i], level[2 * i + 1]) : level[2 * i];
        }
    }
}
