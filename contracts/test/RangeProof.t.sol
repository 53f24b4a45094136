// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { SealedWorld } from "./base/SealedWorld.sol";
import { Trees } from "./base/Trees.sol";
import { vm } from "./base/Vm.sol";

/// @notice Ranges of leaves of positional trees.
contract RangeProofTest is SealedWorld {
    function setUp() public override {
        deployToken();
    }

    /// Every range of every small tree, and nothing else in its place.
    function test_isRangeAt_allSmall() public view {
        for (uint256 n = 1; n <= 17; ++n) {
            bytes32[] memory leaves = _leaves(n);
            bytes32 root = Trees.root(leaves);
            for (uint256 from = 0; from < n; ++from) {
                for (uint256 count = 1; from + count <= n; ++count) {
                    bytes32[] memory path = rangePath(leaves, from, count);
                    bytes32[] memory hashes = _part(leaves, from, count);
                    vm.assertTrue(libraries.isRangeAt(hashes, from, n, path, root), "there");
                    if (count == 1) vm.assertEq(abi.encode(path), abi.encode(Trees.path(leaves, from)), "as isAt");
                    // The same nodes claim no other place and no other count.
                    vm.assertTrue(!libraries.isRangeAt(hashes, from + 1, n, path, root), "moved right");
                    if (from > 0) vm.assertTrue(!libraries.isRangeAt(hashes, from - 1, n, path, root), "moved left");
                    vm.assertTrue(!libraries.isRangeAt(hashes, from, n, path, ~root), "root");
                    vm.assertTrue(!libraries.isRangeAt(hashes, from, n, _longer(path), root), "longer path");
                    if (path.length > 0) {
                        vm.assertTrue(!libraries.isRangeAt(hashes, from, n, _shorter(path), root), "shorter path");
                    }
                    if (count > 1) {
                        vm.assertTrue(!libraries.isRangeAt(_shorter(hashes), from, n, path, root), "shorter range");
                    }
                }
            }
        }
    }

    function test_isRangeAt_large(uint16 size, uint16 first_, uint16 length, uint16 wrong) public view {
        uint256 n = bound(size, 1, 700);
        uint256 from = bound(first_, 0, n - 1);
        uint256 count = bound(length, 1, n - from);
        bytes32[] memory leaves = _leaves(n);
        bytes32 root = Trees.root(leaves);
        bytes32[] memory path = rangePath(leaves, from, count);
        bytes32[] memory hashes = _part(leaves, from, count);
        vm.assertTrue(libraries.isRangeAt(hashes, from, n, path, root), "there");
        hashes[bound(wrong, 0, count - 1)] ^= bytes32(uint256(1));
        vm.assertTrue(!libraries.isRangeAt(hashes, from, n, path, root), "another leaf");
    }

    function test_isRangeAt_bounds() public view {
        bytes32[] memory leaves = _leaves(3);
        bytes32 root = Trees.root(leaves);
        bytes32[] memory none = new bytes32[](0);
        vm.assertTrue(!libraries.isRangeAt(none, 0, 3, none, root), "empty");
        vm.assertTrue(!libraries.isRangeAt(leaves, 0, 2, none, root), "more than there are");
        vm.assertTrue(!libraries.isRangeAt(leaves, 3, 3, none, root), "behind");
        vm.assertTrue(!libraries.isRangeAt(leaves, type(uint256).max, 3, none, root), "far behind");
        vm.assertTrue(!libraries.isRangeAt(leaves, 0, 0, none, root), "no tree");
        vm.assertTrue(libraries.isRangeAt(leaves, 0, 3, none, root), "all");
    }

    function _leaves(uint256 n) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](n);
        for (uint256 i = 0; i < n; ++i) {
            leaves[i] = keccak256(abi.encode(i));
        }
    }

    function _part(bytes32[] memory all, uint256 from, uint256 count) private pure returns (bytes32[] memory part) {
        part = new bytes32[](count);
        for (uint256 i = 0; i < count; ++i) {
            part[i] = all[from + i];
        }
    }

    function _longer(bytes32[] memory path) private pure returns (bytes32[] memory longer) {
        longer = new bytes32[](path.length + 1);
        for (uint256 i = 0; i < path.length; ++i) {
            longer[i] = path[i];
        }
    }

    function _shorter(bytes32[] memory path) private pure returns (bytes32[] memory) {
        return _part(path, 0, path.length - 1);
    }
}
