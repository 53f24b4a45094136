// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { IDutyProver } from "../src/IDutyProver.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { SealedWorld } from "./base/SealedWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice Snapshots of sealed batches, and readings forced beside a section.
contract SealedDutiesTest is SealedWorld {
    address private constant WATCHER = address(0x5001);

    function setUp() public override {
        super.setUp();
        fund(AUDITOR, 1 << 50);
        for (uint32 p = 1; p < DORA; ++p) {
            fund(payoutOf(p), 1 << 50);
        }
    }

    // ---------------------------------------------------------------------------------------- snapshots

    function test_commitSnapshot_sealedLeaves() public {
        Batch memory b = _final();
        bytes memory data = abi.encodePacked(accountHashes(b));
        vm.startPrank(HUB);
        // Amounts are no form of a sealed snapshot.
        expect(IDutyProver.BadSnapshotData.selector, 75);
        duty.commitSnapshot(b.header, 0, new bytes(75));
        expect(IDutyProver.BadSnapshotData.selector, 192);
        duty.commitSnapshot(b.header, 0, new bytes(192));
        duty.commitSnapshot(b.header, 0, data);
        vm.stopPrank();
        vm.assertTrue(duty.snapshot().isSealed, "sealed");
        vm.assertEq(core.snapshotAt(), vm.getBlockTimestamp(), "counts");
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            expect(IBatchSettlement.NotFraud.selector);
            _proveCalldata(b, p, data);
        }
        expect(IDutyProver.NoSnapshot.selector, uint256(hashOf(b)));
        duty.proveSnapshotCalldata(b.header, 0, b.accounts[ANNA], data);
    }

    function test_proveSealedSnapshotCalldata(uint8 where, uint8 bit) public {
        Batch memory b = _final();
        bytes memory data = abi.encodePacked(accountHashes(b));
        uint256 i = where % data.length;
        data[i] ^= bytes1(uint8(1) << (bit % 8));
        vm.prank(HUB);
        duty.commitSnapshot(b.header, 0, data);
        uint32 p = uint32(i / 32);
        expect(IBatchSettlement.BadOpening.selector, p);
        _proveCalldata(b, p, bytes.concat(data, hex"00"));
        expect(IBatchSettlement.BadPath.selector, p);
        duty.proveSealedSnapshotCalldata(b.header, 0, p, bytes32(i), b.accounts[p].path, data);
        expect(IDutyProver.BadPart.selector, 1, 1);
        duty.proveSealedSnapshotCalldata(b.header, 1, p, bytes32(i), b.accounts[p].path, data);
        vm.prank(WATCHER);
        _proveCalldata(b, p, data);
        vm.assertEq(core.creditOf(WATCHER), SLASH_UNIT / 2, "reward");
        expect(IDutyProver.NoSnapshot.selector, uint256(hashOf(b)));
        _proveCalldata(b, p, data);
    }

    function test_proveSealedSnapshot_blob() public {
        Batch memory b = _final();
        bytes32[] memory elements = accountHashes(b);
        elements[CARL] ^= bytes32(uint256(1));
        Blob memory blob = blobOf(elements);
        vm.blobhashes(blob.versionedHashes);
        vm.prank(HUB);
        duty.commitSnapshot(b.header, 0, "");
        for (uint32 p = 0; p < CARL; ++p) {
            expect(IBatchSettlement.NotFraud.selector);
            _proveBlob(b, blob, p, elements[p]);
        }
        expect(IBatchSettlement.BadOpening.selector, CARL);
        _proveBlob(b, blob, CARL, elements[ANNA]);
        expect(IBatchSettlement.BadOpening.selector, CARL);
        _proveCalldata(b, CARL, abi.encodePacked(blob.versionedHashes));
        _proveBlob(b, blob, CARL, elements[CARL]);
        vm.assertEq(core.bonded(), BOND - SLASH_UNIT, "slashed");
    }

    /// Leaves of an open batch are not proved as hashes.
    function test_proveSealedSnapshot_openBatch() public {
        (, Batch memory a) = first();
        finalizeAfterWindow(a);
        bytes memory data;
        for (uint256 p = 0; p < a.accounts.length; ++p) {
            data = abi.encodePacked(data, uint64(a.accounts[p].balance), uint56(a.accounts[p].payableMicro / 10_000));
        }
        vm.prank(HUB);
        duty.commitSnapshot(a.header, 0, data);
        expect(IDutyProver.NoSnapshot.selector, uint256(hashOf(a)));
        _proveCalldata(a, ANNA, data);
    }

    function _final() private returns (Batch memory b) {
        (, b,) = firstSealed();
        finalizeAfterWindow(b);
        vm.warp(vm.getBlockTimestamp() + 10 days);
    }

    function _proveCalldata(Batch memory b, uint32 p, bytes memory data) private {
        duty.proveSealedSnapshotCalldata(b.header, 0, p, accountHashes(b)[p], b.accounts[p].path, data);
    }

    function _proveBlob(Batch memory b, Blob memory blob, uint32 p, bytes32 element) private {
        duty.proveSealedSnapshot{ gas: 3_000_000 }(
            b.header,
            0,
            p,
            accountHashes(b)[p],
            b.accounts[p].path,
            blob.versionedHashes,
            element,
            blob.commitment,
            blob.proofs[p]
        );
    }

    // ---------------------------------------------------------------------------------------- forced readings

    /// Anna's reading between two of her own: no section is needed.
    function test_forceReading_insideASection() public {
        (Batch memory parent, Batch memory b) = _finalWith(false);
        RecordWord r = rec(ANNA, FEED_IN, 3, 500);
        _force(parent, b, b.leaves[2], b.leaves[3], r);
        vm.assertEq(core.openForcedCount(), 1, "open");
    }

    /// Bert's reading before all his records but the deposit, Carl's after all of his.
    function test_forceReading_besideASection() public {
        (Batch memory parent, Batch memory b) = _finalWith(true);
        RecordWord late = rec(BERT, FLEX, 3, 100);
        _force(parent, b, b.leaves[7], b.leaves[8], late);
        // After Carl's last leaf Dora's begins, which he does not have.
        RecordWord after_ = rec(BERT, FEED_IN, 1, 100);
        _refusedForce(parent, b, noLeaf(), b.leaves[7], after_);
        _refusedForce(parent, b, noLeaf(), b.leaves[6], after_);
        _refusedForce(parent, b, b.leaves[6], noLeaf(), after_);
        _refusedForce(parent, b, noLeaf(), noLeaf(), after_);
        vm.assertEq(core.openForcedCount(), 1, "open");
    }

    /// A batch of a period in which Carl has nothing, though his meter measured.
    function test_forceReading_emptySection() public {
        (, Batch memory a,) = firstSealed();
        vm.warp(startOf(3));
        RecordWord[] memory r = new RecordWord[](2);
        (r[0], r[1]) = (rec(ANNA, FEED_IN, 10, 1_100), rec(DORA, FEED_IN, 2, 10));
        Batch memory b = salted(build(a, 2, 0, r, a.header.inboxTo));
        Blob memory blob = commitSealed(a, b);
        showSection(b, blob, CARL);
        finalizeAfterWindow2(a, b);
        RecordWord own = rec(CARL, FEED_IN, 4, 200);
        // Bert's section was not shown.
        _refusedForceOf(a, b, rec(BERT, FEED_IN, 4, 200));
        _forceOf(a, b, own);
        vm.assertEq(core.openForcedCount(), 1, "open");
    }

    /// The edges of a section: Anna's last possible feed-in is before her first record, if she has only a debit.
    function test_forceReading_edges() public {
        (, Batch memory a,) = firstSealed();
        vm.warp(startOf(3));
        RecordWord[] memory r = new RecordWord[](4);
        (r[0], r[1]) = (rec(ANNA, FEED_IN, 10, 1_100), rec(BERT, CONSUMPTION, 10, 10));
        (r[2], r[3]) = (rec(CARL, FEED_IN, 2, 10), rec(DORA, FEED_IN, 2, 10));
        Batch memory b = salted(build(a, 2, 0, r, a.header.inboxTo));
        Blob memory blob = commitSealed(a, b);
        showSection(b, blob, ANNA);
        showSection(b, blob, BERT);
        showSection(b, blob, CARL);
        finalizeAfterWindow2(a, b);
        // Before the section, after it; not before the batch, where another part of the period may have it.
        RecordWord before_ = rec(BERT, FEED_IN, 4, 200);
        _refused2(a, b, noLeaf(), b.leaves[2], before_);
        _refused2(a, b, b.leaves[1], noLeaf(), before_);
        _force2(a, b, noLeaf(), b.leaves[1], before_);
        RecordWord after_ = rec(CARL, FEED_IN, 4, 200);
        _refused2(a, b, noLeaf(), b.leaves[2], after_);
        _force2(a, b, b.leaves[2], noLeaf(), after_);
        RecordWord tooEarly = rec(ANNA, FEED_IN, 4, 200);
        _refused2(a, b, noLeaf(), b.leaves[0], tooEarly);
        vm.assertEq(core.openForcedCount(), 2, "open");
    }

    function finalizeAfterWindow2(Batch memory a, Batch memory b) private {
        vm.warp(b.header.committedAt + 9 days);
        core.finalize(a.header);
        core.finalize(b.header);
    }

    function _finalWith(bool isShown) private returns (Batch memory parent, Batch memory b) {
        Blob memory blob;
        (parent, b, blob) = firstSealed();
        if (isShown) showSection(b, blob, BERT);
        vm.warp(b.header.committedAt + 9 days);
        core.finalize(b.header);
    }

    function _force(
        Batch memory parent,
        Batch memory b,
        IBatchSettlement.Leaf memory left,
        IBatchSettlement.Leaf memory right,
        RecordWord r
    ) private {
        bytes memory proof = meterSignature(r, 1, 0);
        duty.forceReading(b.header, parent.header, 1, left, right, r, proof, tableBytes);
    }

    function _refusedForce(
        Batch memory parent,
        Batch memory b,
        IBatchSettlement.Leaf memory left,
        IBatchSettlement.Leaf memory right,
        RecordWord r
    ) private {
        bytes memory proof = meterSignature(r, 1, 0);
        expect(IDutyProver.NotInGap.selector, 1, r.key());
        duty.forceReading(b.header, parent.header, 1, left, right, r, proof, tableBytes);
    }

    function _force2(
        Batch memory parent,
        Batch memory b,
        IBatchSettlement.Leaf memory left,
        IBatchSettlement.Leaf memory right,
        RecordWord r
    ) private {
        bytes memory proof = meterSignature(r, 2, 0);
        duty.forceReading(b.header, parent.header, 2, left, right, r, proof, tableBytes);
    }

    function _refused2(
        Batch memory parent,
        Batch memory b,
        IBatchSettlement.Leaf memory left,
        IBatchSettlement.Leaf memory right,
        RecordWord r
    ) private {
        bytes memory proof = meterSignature(r, 2, 0);
        expect(IDutyProver.NotInGap.selector, 2, r.key());
        duty.forceReading(b.header, parent.header, 2, left, right, r, proof, tableBytes);
    }

    function _forceOf(Batch memory parent, Batch memory b, RecordWord r) private {
        _force2(parent, b, noLeaf(), noLeaf(), r);
    }

    function _refusedForceOf(Batch memory parent, Batch memory b, RecordWord r) private {
        _refused2(parent, b, noLeaf(), noLeaf(), r);
    }
}
