// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { SealedWorld } from "./base/SealedWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice The sealed form of a batch as the Python model has it (`fixtures/vectors/sealed.py`).
contract SealedVectorsTest is SealedWorld {
    struct Sealed {
        IBatchSettlement.Leaf[] leaves;
        IBatchSettlement.Account[] accounts;
        bytes32[] hashes;
        bytes32[] accountHashes;
        bytes32 recordRoot;
        bytes32 accountRoot;
        bytes32[] elements;
        uint32[] firsts;
        uint32[] counts;
        bytes32[][] paths;
    }

    function setUp() public override {
        deployToken();
    }

    function test_sealedVectors_leaves() public view {
        Sealed memory s = _sealed();
        for (uint256 i = 0; i < s.leaves.length; ++i) {
            vm.assertEq(libraries.leafHash(s.leaves[i], 2), s.hashes[i], "leaf");
        }
        for (uint256 i = 0; i < s.accounts.length; ++i) {
            vm.assertEq(libraries.accountHash(s.accounts[i], 2), s.accountHashes[i], "account");
            vm.assertEq(s.elements[s.accounts.length + i], s.accountHashes[i], "element");
        }
        vm.assertEq(libraries.fold(s.hashes), s.recordRoot, "record root");
        vm.assertEq(libraries.fold(s.accountHashes), s.accountRoot, "account root");
    }

    function test_sealedVectors_sections() public view {
        Sealed memory s = _sealed();
        uint256 covered = 0;
        for (uint256 p = 0; p < s.accounts.length; ++p) {
            bytes32[] memory hashes = new bytes32[](s.counts[p]);
            for (uint256 i = 0; i < hashes.length; ++i) {
                hashes[i] = s.hashes[s.firsts[p] + i];
            }
            vm.assertEq(libraries.sectionElement(hashes), s.elements[p], "digest");
            covered += hashes.length;
            if (hashes.length == 0) continue;
            bool isThere = libraries.isRangeAt(hashes, s.firsts[p], s.hashes.length, s.paths[p], s.recordRoot);
            vm.assertTrue(isThere, "range");
        }
        vm.assertEq(covered, s.hashes.length, "all");
    }

    function _sealed() private view returns (Sealed memory) {
        string memory json = vm.readFile("test/vectors/sealed.json");
        return abi.decode(vm.parseJsonBytes(json, ".sealed"), (Sealed));
    }
}
