// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../../src/IBatchSettlement.sol";
import { RecordWord } from "../../src/RecordWord.sol";
import { BatchWorld } from "./BatchWorld.sol";
import { LowDegreeBlob } from "./LowDegreeBlob.sol";
import { vm } from "./Vm.sol";

/// @notice The neighborhood of `BatchWorld`, settled in sealed batches with real blobs.
abstract contract SealedWorld is BatchWorld {
    /// What a sealed batch's blob holds and shows.
    struct Blob {
        bytes32[] elements;
        uint256[] coefficients;
        bytes commitment;
        bytes32[] versionedHashes;
        /// Of each element.
        bytes[] proofs;
    }

    // ---------------------------------------------------------------------------------------- building

    /// Salts the leaves and rebuilds both trees over them.
    function salted(Batch memory b) internal pure returns (Batch memory) {
        b.header.dataKind = 2;
        for (uint256 i = 0; i < b.leaves.length; ++i) {
            b.leaves[i].salt = _salt(b, b.leaves[i].record.participant(), b.leaves[i].index);
        }
        for (uint256 i = 0; i < b.accounts.length; ++i) {
            b.accounts[i].salt = _salt(b, b.accounts[i].participant, NONE);
        }
        sealRecords(b);
        sealAccounts(b);
        return b;
    }

    /// The key of a section, for tests: its participant, period and run, hashed.
    function _salt(Batch memory b, uint32 participant, uint32 index) private pure returns (bytes16) {
        bytes32 key = keccak256(abi.encode("section", participant, b.header.period, b.header.run));
        return bytes16(keccak256(abi.encodePacked(bytes1(0x10), key, index)));
    }

    function rangeOf(Batch memory b, uint32 p) internal pure returns (uint32 first_, uint32 count) {
        for (uint32 i = 0; i < b.leaves.length; ++i) {
            if (b.leaves[i].record.participant() != p) continue;
            if (count == 0) first_ = i;
            ++count;
        }
    }

    function hashesIn(Batch memory b, uint32 from, uint32 count) internal pure returns (bytes32[] memory hashes) {
        bytes32[] memory all = leafHashes(b);
        hashes = new bytes32[](count);
        for (uint32 i = 0; i < count; ++i) {
            hashes[i] = all[from + i];
        }
    }

    function digest(bytes32[] memory hashes) internal pure returns (bytes32) {
        return bytes32(uint256(keccak256(abi.encodePacked(bytes1(0x04), hashes))) >> 8);
    }

    /// What an honest hub publishes.
    function elementsOf(Batch memory b) internal pure returns (bytes32[] memory elements) {
        uint32 n = b.header.accountCount;
        elements = new bytes32[](2 * n);
        bytes32[] memory accounts = accountHashes(b);
        for (uint32 p = 0; p < n; ++p) {
            (uint32 from, uint32 count) = rangeOf(b, p);
            elements[p] = digest(hashesIn(b, from, count));
            elements[n + p] = accounts[p];
        }
    }

    function blobOf(bytes32[] memory elements) internal view returns (Blob memory blob) {
        blob.elements = elements;
        blob.coefficients = LowDegreeBlob.interpolate(elements);
        blob.commitment = LowDegreeBlob.commitment(blob.coefficients);
        blob.proofs = new bytes[](elements.length);
        for (uint256 e = 0; e < elements.length; ++e) {
            (, blob.proofs[e]) = LowDegreeBlob.open(blob.coefficients, e);
        }
        blob.versionedHashes = new bytes32[](1);
        blob.versionedHashes[0] = LowDegreeBlob.versionedHash(blob.commitment);
    }

    /// Range path by the plain way: all nodes of all levels.
    function rangePath(bytes32[] memory level, uint256 from, uint256 count)
        internal
        pure
        returns (bytes32[] memory path)
    {
        bytes32[] memory full = new bytes32[](64);
        uint256 length = 0;
        uint256 to = from + count - 1;
        while (level.length > 1) {
            if (from % 2 == 1) full[length++] = level[from - 1];
            if (to % 2 == 0 && to + 1 < level.length) full[length++] = level[to + 1];
            bytes32[] memory above = new bytes32[]((level.length + 1) / 2);
            for (uint256 i = 0; i < above.length; ++i) {
                above[i] = 2 * i + 1 < level.length
                    ? keccak256(abi.encodePacked(bytes1(0x01), level[2 * i], level[2 * i + 1]))
                    : level[2 * i];
            }
            (level, from, to) = (above, from / 2, to / 2);
        }
        path = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) {
            path[i] = full[i];
        }
    }

    // ---------------------------------------------------------------------------------------- committing

    /// Commits with what an honest hub publishes of this batch.
    function commitSealed(Batch memory parent, Batch memory b) internal returns (Blob memory blob) {
        return commitSealed(parent, b, elementsOf(b));
    }

    function commitSealed(Batch memory parent, Batch memory b, bytes32[] memory elements)
        internal
        returns (Blob memory blob)
    {
        blob = blobOf(elements);
        complete(parent, b, keccak256(abi.encodePacked(blob.versionedHashes)), 2);
        vm.blobhashes(blob.versionedHashes);
        vm.prank(HUB);
        vm.assertEq(core.commitSealed(batchIn(b, hashOf(parent))), hashOf(b), "header hash");
    }

    /// The first batch of `BatchWorld`, not yet committed. Deposits are in.
    function firstSalted() internal returns (Batch memory parent, Batch memory b) {
        (parent, b) = firstBuilt();
        salted(b);
    }

    /// The first batch, committed honestly.
    function firstSealed() internal returns (Batch memory parent, Batch memory b, Blob memory blob) {
        (parent, b) = firstSalted();
        blob = commitSealed(parent, b);
    }

    // ---------------------------------------------------------------------------------------- sections

    function demandSection(Batch memory b, uint32 p) internal {
        address payout = p == 0 || p == DORA ? AUDITOR : payoutOf(p);
        vm.prank(payout);
        demands.demand(b.header, 6, p);
    }

    /// Shows what the hub says a section is.
    function answerSection(Batch memory b, Blob memory blob, uint32 p, uint32 from, uint32 count) internal {
        bytes32[] memory path = count == 0 ? new bytes32[](0) : rangePath(leafHashes(b), from, count);
        answerWith(b, blob, p, count == 0 ? 0 : from, hashesIn(b, from, count), path);
    }

    /// Shows these hashes, whatever they are, with the opening of the section's element.
    function answerWith(
        Batch memory b,
        Blob memory blob,
        uint32 p,
        uint32 from,
        bytes32[] memory hashes,
        bytes32[] memory path
    ) internal {
        // A refused point evaluation burns the gas that it was given.
        demands.answerSection{ gas: 3_000_000 }(
            b.header, p, from, hashes, path, blob.versionedHashes, blob.commitment, blob.proofs[p]
        );
    }

    function answerSection(Batch memory b, Blob memory blob, uint32 p) internal {
        (uint32 from, uint32 count) = rangeOf(b, p);
        answerSection(b, blob, p, from, count);
    }

    /// Demands a section and shows it honestly.
    function showSection(Batch memory b, Blob memory blob, uint32 p) internal {
        demandSection(b, p);
        answerSection(b, blob, p);
    }
}
