// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @title Trees in which a path proves the position
/// @notice Neighbours are paired level by level; an odd last node moves up unchanged (the shape of RFC 6962). Index and
/// count decide which side a sibling is on and how long the path is, so a leaf has one place only and no leaf can hide.
library PositionalTree {
    bytes1 private constant NODE_TAG = 0x01;

    function node(bytes32 left, bytes32 right) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(NODE_TAG, left, right));
    }

    /// @notice Returns whether `path` leads from `leaf` at `index` of `count` leaves to `root`, and is used up by that.
    function isAt(bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata path, bytes32 root)
        internal
        pure
        returns (bool)
    {
        if (index >= count) return false;
        bytes32 hash = leaf;
        uint256 used = 0;
        uint256 length = path.length;
        unchecked {
            // `count` is above `index`, and `used` is below `length` where it grows: no overflow.
            uint256 last = count - 1;
            while (last > 0) {
                if (index & 1 == 1) {
                    if (used == length) return false;
                    hash = node(path[used++], hash);
                } else if (index < last) {
                    if (used == length) return false;
                    hash = node(hash, path[used++]);
                }
                index >>= 1;
                last >>= 1;
            }
        }
        return used == length && hash == root;
    }

    /// @notice Returns whether `nodes` are the leaves from `first` on, of `count` leaves under `root`, and `path` is used up
    /// by showing that; overwrites `nodes`. On each level the path has the node before the range, if the range begins on the
    /// right of a pair, then the node after it, if it ends on the left of one. For one leaf it is the path of `isAt`.
    function isRangeAt(bytes32[] memory nodes, uint256 first, uint256 count, bytes32[] calldata path, bytes32 root)
        internal
        pure
        returns (bool)
    {
        uint256 size = nodes.length;
        if (size == 0 || first >= count || size > count - first) return false;
        uint256 used = 0;
        uint256 length = path.length;
        unchecked {
            // `from` and `to` stay up to `size`, which is at least 1 and never grows; `used` is below `length` where it grows.
            uint256 last = count - 1;
            while (last > 0) {
                uint256 from = 0;
                uint256 to = 0;
                if (first & 1 == 1) {
                    if (used == length) return false;
                    nodes[to++] = node(path[used++], nodes[from++]);
                }
                while (from + 1 < size) {
                    nodes[to++] = node(nodes[from], nodes[from + 1]);
                    from += 2;
                }
                if (from < size && first + from < last) {
                    if (used == length) return false;
                    nodes[to++] = node(nodes[from], path[used++]);
                } else if (from < size) {
                    nodes[to++] = nodes[from];
                }
                size = to;
                first >>= 1;
                last >>= 1;
            }
        }
        return used == length && nodes[0] == root;
    }

    /// @notice Returns the root over `nodes`, at least one, and overwrites them.
    function fold(bytes32[] memory nodes) internal pure returns (bytes32) {
        uint256 count = nodes.length;
        unchecked {
            // Lengths and twice their halves: no overflow.
            while (count > 1) {
                uint256 pairs = count >> 1;
                for (uint256 i = 0; i < pairs; ++i) {
                    nodes[i] = node(nodes[2 * i], nodes[2 * i + 1]);
                }
                if (count & 1 == 1) {
                    nodes[pairs] = nodes[count - 1];
                    ++pairs;
                }
                count = pairs;
            }
        }
        return nodes[0];
    }
}
