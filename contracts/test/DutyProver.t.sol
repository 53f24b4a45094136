// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { IDutyProver } from "../src/IDutyProver.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { BatchWorld } from "./base/BatchWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice Account snapshots and forced readings.
contract DutyProverTest is BatchWorld {
    uint8 private constant ACCEPTED = 3;

    // ---------------------------------------------------------------------------------------- snapshots

    function test_commitSnapshot_reverts() public {
        (, Batch memory a) = first();
        bytes memory data = _snapshotData(a);
        expect(IBatchSettlement.NotHub.selector, address(this));
        duty.commitSnapshot(a.header, 0, data);
        vm.startPrank(HUB);
        expect(IBatchSettlement.NotFinal.selector, 1);
        duty.commitSnapshot(a.header, 0, data);
        IBatchSettlement.Header memory nothing;
        expect(IBatchSettlement.NotFinal.selector, 0);
        duty.commitSnapshot(nothing, 0, data);
        vm.stopPrank();
        finalizeAfterWindow(a);
        vm.startPrank(HUB);
        expect(IDutyProver.BadPart.selector, 1, 0);
        duty.commitSnapshot(a.header, 1, data);
        expect(IDutyProver.BadSnapshotData.selector, 74);
        duty.commitSnapshot(a.header, 0, new bytes(74));
        expect(IDutyProver.BadSnapshotData.selector, 90);
        duty.commitSnapshot(a.header, 0, new bytes(90));
        expect(IDutyProver.BadSnapshotData.selector, 0);
        duty.commitSnapshot(a.header, 0, "");
        duty.commitSnapshot(a.header, 0, data);
        // Complete: no more parts, and no new one while it can be disproved.
        expect(IDutyProver.BadPart.selector, 1, 1);
        duty.commitSnapshot(a.header, 1, data);
        expect(IBatchSettlement.TooEarly.selector, vm.getBlockTimestamp() + 7 days);
        duty.commitSnapshot(a.header, 0, data);
        vm.warp(vm.getBlockTimestamp() + 7 days);
        duty.commitSnapshot(a.header, 0, data);
        vm.stopPrank();
        vm.assertEq(core.snapshotAt(), vm.getBlockTimestamp(), "counts");
    }

    function test_commitSnapshot_inParts() public {
        (, Batch memory a) = first();
        finalizeAfterWindow(a);
        uint32 before = core.snapshotAt();
        bytes memory data = _snapshotData(a);
        vm.warp(vm.getBlockTimestamp() + 3 days);
        vm.startPrank(HUB);
        duty.commitSnapshot(a.header, 0, _slice(data, 0, 30));
        vm.assertEq(core.snapshotAt(), before, "not yet");
        expect(IDutyProver.NoSnapshot.selector, uint256(hashOf(a)));
        duty.proveSnapshotCalldata(a.header, 0, a.accounts[0], _slice(data, 0, 30));
        vm.warp(vm.getBlockTimestamp() + 1 days + 1);
        expect(IDutyProver.BadPart.selector, 1, 1);
        duty.commitSnapshot(a.header, 1, _slice(data, 30, 75));
        // Too late: it starts again.
        duty.commitSnapshot(a.header, 0, _slice(data, 0, 30));
        duty.commitSnapshot(a.header, 1, _slice(data, 30, 75));
        vm.stopPrank();
        vm.assertEq(core.snapshotAt(), vm.getBlockTimestamp(), "counts");
        expect(IDutyProver.BadPart.selector, 0, 2);
        duty.proveSnapshotCalldata(a.header, 0, a.accounts[2], data);
        expect(IBatchSettlement.NotFraud.selector);
        duty.proveSnapshotCalldata(a.header, 1, a.accounts[2], _slice(data, 30, 75));
    }

    function test_proveSnapshotCalldata(uint8 where, uint8 bit) public {
        (, Batch memory a) = first();
        finalizeAfterWindow(a);
        uint32 before = core.snapshotAt();
        vm.warp(vm.getBlockTimestamp() + 10 days);
        bytes memory data = _snapshotData(a);
        uint256 i = where % data.length;
        data[i] ^= bytes1(uint8(1) << (bit % 8));
        vm.prank(HUB);
        duty.commitSnapshot(a.header, 0, data);
        IBatchSettlement.Account memory account = a.accounts[i / 15];
        expect(IBatchSettlement.BadOpening.selector, account.participant);
        duty.proveSnapshotCalldata(a.header, 0, account, bytes.concat(data, hex"00"));
        expect(IBatchSettlement.BadOpening.selector, account.participant);
        duty.proveSnapshot(a.header, 0, account, new bytes32[](1), 0, "", "");
        vm.expectEmit(address(core));
        emit IBatchSettlement.SnapshotCancelled(address(this), before);
        duty.proveSnapshotCalldata(a.header, 0, account, data);
        vm.assertEq(core.snapshotAt(), before, "no longer counts");
        vm.assertEq(core.bonded(), BOND - SLASH_UNIT, "slashed");
        vm.assertEq(core.creditOf(address(this)), SLASH_UNIT / 2, "reward");
        expect(IDutyProver.NoSnapshot.selector, uint256(hashOf(a)));
        duty.proveSnapshotCalldata(a.header, 0, account, data);
        // A right one may follow at once.
        bytes memory right = _snapshotData(a);
        vm.prank(HUB);
        duty.commitSnapshot(a.header, 0, right);
        vm.warp(vm.getBlockTimestamp() + 7 days);
        expect(IDutyProver.NoSnapshot.selector, uint256(hashOf(a)));
        duty.proveSnapshotCalldata(a.header, 0, account, right);
    }

    /// A snapshot in a blob, with the ceremony's openings (`scripts/settlement-vectors.js`).
    function test_proveSnapshot_blob() public {
        string memory json = vm.readFile("test/vectors/snapshot.json");
        (Batch memory parent, Batch memory a) = firstBuilt();
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            string memory at_ = string.concat("[", vm.toString(p), "]");
            a.accounts[p].balance = int64(int256(vm.parseJsonUint(json, string.concat(".balances", at_))));
            a.accounts[p].payableMicro = uint64(vm.parseJsonUint(json, string.concat(".payables", at_)));
        }
        sealAccounts(a);
        commit(parent, a);
        finalizeAfterWindow(a);
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = vm.parseJsonBytes32(json, ".versionedHash");
        vm.blobhashes(hashes);
        vm.prank(HUB);
        duty.commitSnapshot(a.header, 0, "");
        bytes memory commitment = vm.parseJsonBytes(json, ".commitment");
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            string memory at_ = string.concat("[", vm.toString(p / 2), "]");
            bytes32 element = vm.parseJsonBytes32(json, string.concat(".elements", at_));
            bytes memory proof = vm.parseJsonBytes(json, string.concat(".proofs", at_));
            if (p < 4) expect(IBatchSettlement.NotFraud.selector);
            duty.proveSnapshot(a.header, 0, a.accounts[p], hashes, element, commitment, proof);
        }
        // The last element does not begin with two zeros.
        vm.assertEq(core.bonded(), BOND - SLASH_UNIT, "slashed");
    }

    /// Without a true snapshot for 21 days there are no commits; with one there are.
    function test_snapshotOverdue() public {
        (, Batch memory a) = first();
        finalizeAfterWindow(a);
        vm.warp(vm.getBlockTimestamp() + 21 days + 1);
        Batch memory b = build(a, 2, 0, nextRecords(), PARTICIPANTS);
        IBatchSettlement.BatchIn memory x = batchIn(b, hashOf(a));
        uint256 since = core.snapshotAt();
        vm.prank(HUB);
        expect(IBatchSettlement.SnapshotOverdue.selector, since);
        core.commitCalldata(x, b.data);
        bytes memory data = _snapshotData(a);
        vm.startPrank(HUB);
        duty.commitSnapshot(a.header, 0, data);
        core.commitCalldata(x, b.data);
        vm.stopPrank();
    }

    // ---------------------------------------------------------------------------------------- forced readings

    /// Two days are final; Anna's feed-in of slot 40 of day 1 was left out.
    function _twoDays() private returns (Batch memory a, Batch memory b) {
        (, a) = first();
        b = next(a, 2);
        finalizeAfterWindow(a);
        finalizeAfterWindow(b);
    }

    function _left() private pure returns (RecordWord) {
        return rec(ANNA, FEED_IN, 40, 5_000);
    }

    function test_forceReading_reverts() public {
        (, Batch memory a) = first();
        bytes memory good = meterSignature(_left(), 1, 0);
        expect(IBatchSettlement.NotFinal.selector, 1);
        _force(a, _left(), good);
        Batch memory b = next(a, 2);
        Batch memory c = correction(b, 1);
        finalizeAfterWindow(a);
        finalizeAfterWindow(b);
        finalizeAfterWindow(c);
        expect(IBatchSettlement.BadRun.selector, 1, 0);
        duty.forceReading(c.header, b.header, 1, c.leaves[0], c.leaves[1], _left(), good, tableBytes);
        // Not in the gap: another one, another period, no neighbours, a key that is there.
        expect(IDutyProver.NotInGap.selector, 1, _left().key());
        duty.forceReading(a.header, a.header, 1, a.leaves[4], a.leaves[5], _left(), good, tableBytes);
        expect(IDutyProver.NotInGap.selector, 2, _left().key());
        duty.forceReading(a.header, a.header, 2, a.leaves[3], a.leaves[4], _left(), good, tableBytes);
        expect(IDutyProver.NotInGap.selector, 1, _left().key());
        duty.forceReading(a.header, a.header, 1, a.leaves[3], a.leaves[5], _left(), good, tableBytes);
        expect(IDutyProver.NotInGap.selector, 1, a.leaves[3].record.key());
        duty.forceReading(a.header, a.header, 1, a.leaves[3], a.leaves[4], a.leaves[3].record, good, tableBytes);
        expect(IBatchSettlement.BadPath.selector, NONE);
        duty.forceReading(a.header, a.header, 1, a.leaves[12], noLeaf(), rec(DORA, FEED_IN, 0, 1), good, tableBytes);
        // The signature: nobody's, the operator's, of a correction.
        expect(IBatchSettlement.BadSignature.selector);
        _force(a, _left(), "");
        bytes memory other = signature(OPERATOR_KEY, _left(), 1, 0);
        expect(IBatchSettlement.BadSignature.selector);
        _force(a, _left(), other);
        other = meterSignature(_left(), 1, 1);
        expect(IBatchSettlement.BadSignature.selector);
        _force(a, _left(), other);
        // The table of the period.
        expect(IBatchSettlement.BadTable.selector, 385, 0);
        duty.forceReading(a.header, a.header, 1, a.leaves[3], a.leaves[4], _left(), good, row(FEED_IN));
        // Debits, nothing, less than nothing, a negative price, a slot or code that does not exist.
        RecordWord[6] memory no = [
            rec(ANNA, FEED_IN, 41, 0),
            rec(ANNA, FEED_IN, 41, -5),
            rec(ANNA, FEED_IN, 97, 5),
            rec(ANNA, 3, 0, 5_000),
            rec(ANNA, FLEX, NEGATIVE_SLOT, 5_000),
            rec(ANNA, 31, 0, 5_000)
        ];
        for (uint256 i = 0; i < no.length; ++i) {
            other = meterSignature(no[i], 1, 0);
            vm.expectRevert(abi.encodeWithSelector(IDutyProver.NotForceable.selector, no[i]));
            _force(a, no[i], other);
        }
        _force(a, _left(), good);
        expect(IDutyProver.AlreadyForced.selector, 1, _left().key());
        _force(a, _left(), good);
    }

    /// Unrefuted for seven days, the amount moves from the bond into the inbox, and a batch honors it as a deposit.
    function test_acceptForce() public {
        (Batch memory a, Batch memory b) = _twoDays();
        _force(a, _left(), meterSignature(_left(), 1, 0));
        uint64 amount = uint64(uint256(5 * int256(priceOf(FEED_IN, 40))));
        vm.assertEq(core.openForcedCount(), 1, "open");
        vm.prank(HUB);
        expect(IBatchSettlement.OpenForced.selector, 1);
        core.unbond(1);
        uint256 opened = vm.getBlockTimestamp();
        vm.warp(opened + 7 days - 1);
        expect(IBatchSettlement.TooEarly.selector, opened + 7 days);
        duty.acceptForce(1, _left().key());
        vm.warp(opened + 7 days);
        vm.expectEmit(address(core));
        emit IBatchSettlement.InboxAdded(5, 2, ANNA, amount);
        duty.acceptForce(1, _left().key());
        vm.assertEq(core.bonded(), BOND - amount, "bond");
        vm.assertEq(core.openForcedCount(), 0, "none open");
        vm.assertEq(duty.forceOf(1, _left().key()).state, ACCEPTED, "for ever");
        expect(IDutyProver.NoForce.selector, 1, _left().key());
        duty.acceptForce(1, _left().key());

        deepen();
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(ANNA, 0, 0, 0);
        Batch memory c = build(b, 3, 0, r, 6);
        commit(b, c);
        expect(IBatchSettlement.NotFraud.selector);
        fraud.proveRecord(c.header, b.header, c.leaves[0], tableBytes);
        expect(IBatchSettlement.NotFraud.selector);
        fraud.proveDepositOmitted(c.header, b.header, 5, c.leaves[0], noLeaf());
        vm.assertEq(c.accounts[ANNA].balance, b.accounts[ANNA].balance + int64(amount), "credited");
    }

    /// The gap before a batch: a whole day without a regular batch, or keys between two batches.
    function test_forceReading_beforeABatch() public {
        (, Batch memory a) = first();
        Batch memory c = next(a, 3);
        finalizeAfterWindow(a);
        finalizeAfterWindow(c);
        RecordWord r = rec(BERT, FLEX, 8, 3_000);
        bytes memory good = meterSignature(r, 2, 0);
        vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.BadParent.selector, c.header.parent));
        duty.forceReading(c.header, c.header, 2, noLeaf(), noLeaf(), r, good, tableBytes);
        duty.forceReading(c.header, a.header, 2, noLeaf(), noLeaf(), r, good, tableBytes);
        // Before the first key of the day.
        r = rec(ANNA, FEED_IN, 3, 3_000);
        duty.forceReading(c.header, a.header, 3, noLeaf(), noLeaf(), r, meterSignature(r, 3, 0), tableBytes);
        // After the last key of day 1.
        r = rec(DORA, FEED_IN, 3, 3_000);
        duty.forceReading(c.header, a.header, 1, noLeaf(), noLeaf(), r, meterSignature(r, 1, 0), tableBytes);
        // What `a` has, or `c` may have behind its first key.
        r = rec(BERT, FEED_IN, 5, 500);
        good = meterSignature(r, 1, 0);
        expect(IDutyProver.NotInGap.selector, 1, r.key());
        duty.forceReading(c.header, a.header, 1, noLeaf(), noLeaf(), r, good, tableBytes);
        good = meterSignature(r, 3, 0);
        expect(IDutyProver.NotInGap.selector, 3, r.key());
        duty.forceReading(c.header, a.header, 3, noLeaf(), noLeaf(), r, good, tableBytes);
    }

    /// A correction committed within a day settles it; by a pending batch until that falls, by a final one for ever.
    function test_refuteForce() public {
        (Batch memory a, Batch memory b) = _twoDays();
        bytes memory good = meterSignature(_left(), 1, 0);
        _force(a, _left(), good);
        uint256 opened = vm.getBlockTimestamp();
        vm.warp(opened + 1 days);
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = _left();
        Batch memory c = build(b, 1, 1, r, 5);
        commit(b, c);
        Batch memory d = heartbeat(c);
        IBatchSettlement.Header[] memory chain = new IBatchSettlement.Header[](2);
        (chain[0], chain[1]) = (d.header, c.header);
        // Another period, another key, a regular batch, no chain.
        expect(IDutyProver.NoForce.selector, 2, _left().key());
        duty.refuteForce(2, chain, c.leaves[0]);
        expect(IDutyProver.NoForce.selector, 1, a.leaves[2].record.key());
        duty.refuteForce(1, chain, a.leaves[2]);
        expect(IBatchSettlement.NotFinal.selector, 0);
        duty.refuteForce(1, new IBatchSettlement.Header[](0), c.leaves[0]);
        chain[1] = b.header;
        vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.BadParent.selector, d.header.parent));
        duty.refuteForce(1, chain, c.leaves[0]);
        chain[1] = c.header;
        // No correction of its own is invalid because of an open request that it refutes.
        expect(IBatchSettlement.NotFraud.selector);
        duty.proveForced(c.header, b.header, c.leaves[0]);
        duty.refuteForce(1, chain, c.leaves[0]);
        vm.assertEq(core.openForcedCount(), 0, "refuted");
        // Forced again, and refuted by what is final now: for ever.
        _force(a, _left(), good);
        finalizeAfterWindow(c);
        chain = new IBatchSettlement.Header[](1);
        chain[0] = c.header;
        duty.refuteForce(1, chain, c.leaves[0]);
        expect(IDutyProver.AlreadyForced.selector, 1, _left().key());
        _force(a, _left(), good);
        expect(IDutyProver.NoForce.selector, 1, _left().key());
        duty.acceptForce(1, _left().key());
    }

    /// A day and a second later no correction of the key refutes it: such a correction is itself a fraud.
    function test_proveForced() public {
        (Batch memory a, Batch memory b) = _twoDays();
        _force(a, _left(), meterSignature(_left(), 1, 0));
        uint256 opened = vm.getBlockTimestamp();
        vm.warp(opened + 1 days + 1);
        RecordWord[] memory r = new RecordWord[](2);
        r[0] = rec(ANNA, FEED_IN, 0, 5);
        r[1] = _left();
        Batch memory c = build(b, 1, 1, r, 5);
        commit(b, c);
        IBatchSettlement.Header[] memory chain = new IBatchSettlement.Header[](1);
        chain[0] = c.header;
        expect(IDutyProver.TooLate.selector, opened + 1 days);
        duty.refuteForce(1, chain, c.leaves[1]);
        expect(IBatchSettlement.NotFraud.selector);
        duty.proveForced(c.header, b.header, c.leaves[0]);
        vm.expectEmit(address(core));
        emit IBatchSettlement.Cancelled(3, address(this), 10);
        duty.proveForced(c.header, b.header, c.leaves[1]);
        assertCancelled(b, BOND, address(this));

        // Also after it was accepted, for ever.
        vm.warp(opened + 7 days);
        duty.acceptForce(1, _left().key());
        c = build(b, 1, 1, r, 5);
        commit(b, c);
        duty.proveForced(c.header, b.header, c.leaves[1]);
    }

    /// Amounts above what the bond has free are due, and keep the hub from committing until it pays them.
    function test_acceptForce_due() public {
        (Batch memory a, Batch memory b) = _twoDays();
        Batch memory c = next(b, 3);
        RecordWord large = rec(ANNA, FEED_IN, 41, type(int32).max);
        _force(a, large, meterSignature(large, 1, 0));
        uint64 amount = duty.forceOf(1, large.key()).amount;
        vm.assertTrue(amount > BOND, "more than the bond");
        vm.warp(vm.getBlockTimestamp() + 7 days);
        duty.acceptForce(1, large.key());
        duty.acceptForce(1, large.key());
        (,,, uint64 forcedDue) = core.sums();
        vm.assertEq(forcedDue, amount, "due once");
        vm.assertEq(core.bonded(), BOND, "not paid");

        Batch memory d = build(c, 4, 0, nextRecords(), PARTICIPANTS);
        IBatchSettlement.BatchIn memory x = batchIn(d, hashOf(c));
        vm.prank(HUB);
        expect(IBatchSettlement.Underbonded.selector, BOND, 2 * uint256(SLASH_UNIT) + amount);
        core.commitCalldata(x, d.data);
        fund(HUB, amount);
        vm.startPrank(HUB);
        core.bond(amount);
        core.commitCalldata(x, d.data);
        vm.stopPrank();
        duty.acceptForce(1, large.key());
        (,,, forcedDue) = core.sums();
        vm.assertEq(forcedDue, 0, "paid");
        vm.assertEq(core.bonded(), BOND, "out of the bond");
        vm.assertEq(core.inboxEntry(5).amount, amount, "inbox");
    }

    /// What pending batches lock is not paid out: forcing an absurd reading of its own saves no hub from a slash.
    function test_acceptForce_leavesWhatPendingBatchesLock() public {
        (Batch memory a, Batch memory b) = _twoDays();
        _force(a, _left(), meterSignature(_left(), 1, 0));
        uint64 amount = duty.forceOf(1, _left().key()).amount;
        vm.warp(vm.getBlockTimestamp() + 7 days);
        vm.store(address(core), _placeOfSums(), bytes32(_sumsWithBond(amount + SLASH_UNIT - 1)));
        Batch memory c = _heartbeatWhileShort(b, amount);
        vm.expectEmit(address(duty));
        emit IDutyProver.ForceDue(1, _left().key(), amount);
        duty.acceptForce(1, _left().key());
        vm.assertEq(core.bonded(), amount + SLASH_UNIT - 1, "nothing was paid");
        finalizeAfterWindow(c);
        duty.acceptForce(1, _left().key());
        vm.assertEq(core.bonded(), SLASH_UNIT - 1, "paid once nothing is pending");
    }

    /// The bond is the lowest 64 bits of the word of sums, which is found by its value.
    function _placeOfSums() private view returns (bytes32) {
        for (uint256 slot = 0; slot < 8; ++slot) {
            if (uint64(uint256(vm.load(address(core), bytes32(slot)))) == BOND) return bytes32(slot);
        }
        return bytes32(type(uint256).max);
    }

    function _sumsWithBond(uint64 bond) private view returns (uint256) {
        uint256 word = uint256(vm.load(address(core), _placeOfSums()));
        return word & ~uint256(type(uint64).max) | bond;
    }

    function _heartbeatWhileShort(Batch memory parent, uint64 amount) private returns (Batch memory) {
        vm.assertTrue(core.bonded() == amount + SLASH_UNIT - 1, "the bond is short by one");
        return heartbeat(parent);
    }

    /// After the freeze what the bond has left is paid and can be reclaimed; nothing new is forced.
    function test_acceptForce_frozen() public {
        (Batch memory a, Batch memory b) = _twoDays();
        RecordWord large = rec(ANNA, FEED_IN, 41, type(int32).max);
        bytes memory good = meterSignature(large, 1, 0);
        _force(a, large, good);
        vm.warp(b.header.committedAt + 28 days);
        core.freeze(b.header);
        bytes memory other = meterSignature(_left(), 1, 0);
        expect(IBatchSettlement.IsFrozen.selector);
        _force(a, _left(), other);
        duty.acceptForce(1, large.key());
        vm.assertEq(core.bonded(), 0, "bond");
        core.reclaim(5);
        vm.assertEq(token.balanceOf(payoutOf(ANNA)), BOND, "paid");
    }

    function test_forceReading_revertsWhilePaused() public {
        (Batch memory a,) = _twoDays();
        vm.prank(GUARDIAN);
        core.pause();
        bytes memory good = meterSignature(_left(), 1, 0);
        expect(IBatchSettlement.Paused.selector);
        _force(a, _left(), good);
    }

    // ---------------------------------------------------------------------------------------- helpers

    /// In the gap between Anna's slots 7 and her consumption.
    function _force(Batch memory a, RecordWord r, bytes memory signature_) private {
        duty.forceReading(a.header, a.header, 1, a.leaves[3], a.leaves[4], r, signature_, tableBytes);
    }

    function _snapshotData(Batch memory b) private pure returns (bytes memory data) {
        for (uint256 i = 0; i < b.accounts.length; ++i) {
            data = abi.encodePacked(data, uint64(b.accounts[i].balance), uint56(b.accounts[i].payableMicro / 10_000));
        }
    }

    function _slice(bytes memory data, uint256 from, uint256 to) private pure returns (bytes memory part) {
        part = new bytes(to - from);
        for (uint256 i = 0; i < part.length; ++i) {
            part[i] = data[from + i];
        }
    }
}
