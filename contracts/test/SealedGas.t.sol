// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { SealedWorld } from "./base/SealedWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice Gas of the calls on sealed batches, counted like that of the open ones that need blobs (`BatchGas.t.sol`).
contract SealedGasTest is SealedWorld {
    uint256 private constant GAS_BESIDE = 21_000;

    /// Six blobs, a new place of the ring.
    function test_gas_commitSealed() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        bytes32[] memory hashes = new bytes32[](6);
        for (uint256 i = 0; i < 6; ++i) {
            hashes[i] = bytes32(uint256(1) << 248 | uint256(keccak256(abi.encode(i))) >> 8);
        }
        vm.blobhashes(hashes);
        IBatchSettlement.BatchIn memory x = batchIn(b, hashOf(parent));
        vm.prank(HUB);
        core.commitSealed(x);
        _note("commitSealed x 6", abi.encodeCall(core.commitSealed, (x)), 90_000);
    }

    /// The precompile's 50,000 included.
    function test_gas_proveSealedAccount() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        bytes32[] memory elements = elementsOf(b);
        elements[PARTICIPANTS + BERT] ^= bytes32(uint256(1));
        Blob memory blob = commitSealed(parent, b, elements);
        bytes memory call = abi.encodeCall(
            fraud.proveSealedAccount,
            (
                b.header,
                parent.header,
                BERT,
                accountHashes(b)[BERT],
                b.accounts[BERT].path,
                blob.versionedHashes,
                elements[PARTICIPANTS + BERT],
                blob.commitment,
                blob.proofs[PARTICIPANTS + BERT]
            )
        );
        // What the commit touched is warm here and cold in a transaction: four words and two contracts.
        (bool isDone,) = address(fraud).call(call);
        vm.assertTrue(isDone, "proved");
        _note("proveSealedAccount", call, 180_000 - 4 * 2_000 - 2 * 2_500);
    }

    /// A day of quarter-hours in three codes: 288 records.
    function test_gas_answerSection() public {
        (Batch memory b, Blob memory blob) = _large(288);
        _answer("answerSection x 288", b, blob, 700_000);
    }

    /// The longest that a hub may commit, and what must still fit into a transaction.
    function test_gas_answerSectionLongest() public {
        (Batch memory b, Blob memory blob) = _large(2_048);
        _answer("answerSection x 2048", b, blob, 5_000_000);
    }

    function _answer(string memory name, Batch memory b, Blob memory blob, uint256 ceiling) private {
        fund(AUDITOR, 1 << 50);
        vm.prank(AUDITOR);
        demands.demand(b.header, 6, ANNA);
        bytes32[] memory hashes = leafHashes(b);
        bytes memory call = abi.encodeCall(
            demands.answerSection,
            (b.header, ANNA, 0, hashes, new bytes32[](0), blob.versionedHashes, blob.commitment, blob.proofs[ANNA])
        );
        (bool isDone,) = address(demands).call(call);
        vm.assertTrue(isDone, "answered");
        _note(name, call, ceiling);
    }

    /// Anna has all records of a batch whose amounts nobody checks here.
    function _large(uint32 count) private returns (Batch memory b, Blob memory blob) {
        vm.warp(startOf(2));
        b = build(genesis(), 1, 0, nextRecords(), 0);
        b.leaves = new IBatchSettlement.Leaf[](count);
        for (uint32 i = 0; i < count; ++i) {
            RecordWord r = rec(ANNA, uint8(1 + i / 96), uint16(i % 96), 500);
            (b.leaves[i].index, b.leaves[i].record, b.leaves[i].salt) = (i, r, bytes16(keccak256(abi.encode(i))));
        }
        (b.header.dataKind, b.header.hubBalance) = (2, 0);
        b.header.count = count;
        (b.header.firstKey, b.header.lastKey) = (b.leaves[0].record.key(), b.leaves[count - 1].record.key());
        b.header.recordRoot = libraries.fold(leafHashes(b));
        sealAccounts(b);
        blob = commitSealed(genesis(), b);
    }

    function _note(string memory name, bytes memory call, uint256 ceiling) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed + GAS_BESIDE;
        uint256 floor = GAS_BESIDE;
        for (uint256 i = 0; i < call.length; ++i) {
            gas += call[i] == 0 ? 4 : 16;
            floor += call[i] == 0 ? 10 : 40;
        }
        // Data that costs more than what is done with it (EIP-7623).
        if (floor > gas) gas = floor;
        vm.snapshotValue("sealed-gas", name, gas);
        vm.assertTrue(gas <= ceiling, string.concat(name, ": ", vm.toString(gas)));
    }
}
