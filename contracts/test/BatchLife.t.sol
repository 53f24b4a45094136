// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { BatchWorld } from "./base/BatchWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice From a commit to the last cent: what a batch is refused for, how it becomes final or falls, and who is paid.
contract BatchLifeTest is BatchWorld {
    mapping(uint64 seq => IBatchSettlement.Header) private _headers;

    // ---------------------------------------------------------------------------------------- commit

    function test_commit_revertsInOrder() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        bytes32 head = hashOf(parent);
        IBatchSettlement.BatchIn memory x = batchIn(b, head);
        expect(IBatchSettlement.NotHub.selector, address(this));
        core.commitCalldata(x, b.data);

        // Everything is wrong; one after another is put right, in the order of the checks.
        vm.warp(startOf(2) - 1);
        vm.prank(GUARDIAN);
        core.pause();
        vm.prank(HUB);
        core.unbond(BOND);
        x.expectedParent = 0;
        x.inboxTo = 6;
        x.hubBalance = -1;
        x.accountCount = PARTICIPANTS + 1;
        x.count = 0;
        (x.firstKey, x.lastKey) = (2, 1);
        x.period = 0;
        _refused(x, "", abi.encodeWithSelector(IBatchSettlement.Paused.selector));
        vm.prank(GUARDIAN);
        core.resume();
        _refused(x, "", abi.encodeWithSelector(IBatchSettlement.NotClosed.selector, 0, startOf(1)));
        x.period = 1;
        _refused(x, "", abi.encodeWithSelector(IBatchSettlement.NotClosed.selector, 1, startOf(2)));
        vm.warp(startOf(LAST_TARIFF + 2));
        x.period = LAST_TARIFF + 1;
        _refused(x, "", abi.encodeWithSelector(IBatchSettlement.NoTariff.selector, x.period));
        x.period = 1;
        _refused(x, "", abi.encodeWithSelector(IBatchSettlement.BadOrder.selector, 1, 2, 1));
        x.lastKey = b.header.lastKey;
        _refused(x, "", abi.encodeWithSelector(IBatchSettlement.BadCount.selector, 0, 1 << 18));
        x.count = b.header.count;
        _refused(
            x,
            b.data,
            abi.encodeWithSelector(IBatchSettlement.BadAccountCount.selector, PARTICIPANTS + 1, 0, PARTICIPANTS)
        );
        x.accountCount = 0;
        _refused(x, b.data, abi.encodeWithSelector(IBatchSettlement.BadAccountCount.selector, 0, 0, PARTICIPANTS));
        x.accountCount = PARTICIPANTS;
        _refused(x, b.data, abi.encodeWithSelector(IBatchSettlement.BadHubBalance.selector, -1));
        x.hubBalance = b.header.hubBalance;
        _refused(x, b.data, abi.encodeWithSelector(IBatchSettlement.BadInbox.selector, 6));
        x.inboxTo = 4;
        _refused(x, b.data, abi.encodeWithSelector(IBatchSettlement.InboxOverdue.selector, 4));
        x.inboxTo = 5;
        _refused(x, b.data, abi.encodeWithSelector(IBatchSettlement.Reorg.selector, bytes32(0), head));
        x.expectedParent = head;
        _refused(x, b.data, abi.encodeWithSelector(IBatchSettlement.Underbonded.selector, 0, SLASH_UNIT));
        fund(HUB, SLASH_UNIT);
        vm.startPrank(HUB);
        core.bond(SLASH_UNIT);
        core.commitCalldata(x, b.data);
        x.expectedParent = core.headerHashAt(1);
        x.period = 2;
        expect(IBatchSettlement.Underbonded.selector, SLASH_UNIT, 2 * uint256(SLASH_UNIT));
        core.commitCalldata(x, b.data);
        vm.stopPrank();
    }

    function test_commit_revertsIfDataDoesNotFit() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        IBatchSettlement.BatchIn memory x = batchIn(b, hashOf(parent));
        _refused(x, new bytes(129), abi.encodeWithSelector(IBatchSettlement.BadCount.selector, 13, 12));
        _refused(x, new bytes(131), abi.encodeWithSelector(IBatchSettlement.BadCount.selector, 13, 13));
        x.count = 12_001;
        _refused(x, new bytes(120_010), abi.encodeWithSelector(IBatchSettlement.BadCount.selector, 12_001, 12_001));
        // Blobs: none, and one record more than they hold.
        vm.prank(HUB);
        expect(IBatchSettlement.BadCount.selector, 12_001, 0);
        core.commitBlobs(x);
        vm.blobhashes(new bytes32[](0));
        bytes32[] memory hashes = new bytes32[](2);
        (hashes[0], hashes[1]) = (bytes32(uint256(1)), bytes32(uint256(2)));
        vm.blobhashes(hashes);
        x.count = 24_577;
        vm.prank(HUB);
        expect(IBatchSettlement.BadCount.selector, 24_577, 24_576);
        core.commitBlobs(x);
        x.count = 24_576;
        vm.prank(HUB);
        core.commitBlobs(x);
    }

    function test_commit_order() public {
        (, Batch memory a) = first();
        IBatchSettlement.BatchIn memory x = batchIn(a, hashOf(a));
        // The same keys again.
        _refused(x, a.data, abi.encodeWithSelector(IBatchSettlement.BadOrder.selector, 1, x.firstKey, x.lastKey));
        // A correction of a period that no regular batch reached; with a part; with another number.
        vm.warp(startOf(3));
        x.run = 1;
        x.period = 2;
        _refused(x, a.data, abi.encodeWithSelector(IBatchSettlement.BadRun.selector, 1, 1));
        x.period = 1;
        x.part = 1;
        _refused(x, a.data, abi.encodeWithSelector(IBatchSettlement.BadRun.selector, 1, 1));
        x.part = 0;
        x.run = 2;
        _refused(x, a.data, abi.encodeWithSelector(IBatchSettlement.BadRun.selector, 2, 1));
        // Accounts never get fewer.
        x.run = 1;
        x.accountCount = PARTICIPANTS - 1;
        _refused(
            x,
            a.data,
            abi.encodeWithSelector(
                IBatchSettlement.BadAccountCount.selector, PARTICIPANTS - 1, PARTICIPANTS, PARTICIPANTS
            )
        );
        // The same period goes on with higher keys.
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(DORA, FEED_IN, 0, 100);
        Batch memory b = build(a, 1, 0, r, PARTICIPANTS);
        b.header.part = 1;
        commit(a, b);
        correction(b, 1);
    }

    function test_commit_inboxMustBeDeep() public {
        vm.warp(startOf(2));
        core.deposit(ANNA, FUNDS);
        vm.roll(vm.getBlockNumber() + DEPTH - 1);
        Batch memory parent = genesis();
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(ANNA, 0, 0, 0);
        Batch memory b = build(parent, 1, 0, r, 1);
        _refused(batchIn(b, hashOf(parent)), b.data, abi.encodeWithSelector(IBatchSettlement.BadInbox.selector, 0));
        // Three days old, but not deep: nobody can be made to honor it.
        vm.warp(startOf(6));
        r[0] = rec(0, WITHDRAWAL, 0, 0);
        commit(parent, build(parent, 1, 0, r, 0));
    }

    function test_commit_atMost32Pending() public {
        fund(HUB, 40 * SLASH_UNIT);
        vm.prank(HUB);
        core.bond(40 * SLASH_UNIT);
        (, Batch memory b) = first();
        for (uint256 i = 1; i < 32; ++i) {
            b = heartbeat(b);
        }
        Batch memory c = build(b, 1, 32, _nothing(), PARTICIPANTS);
        _refused(batchIn(c, hashOf(b)), c.data, abi.encodeWithSelector(IBatchSettlement.TooManyPending.selector, 32));
    }

    /// Cancelled and committed again in the same second, a batch would have the same hash and meet its old demands.
    function test_commit_notInTheSecondOfACancellation() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        Batch memory wrong = copy(b);
        wrong.header.hubBalance += 1;
        commit(parent, wrong);
        fraud.proveEdge(wrong.header, parent.header, wrong.leaves[12]);
        _refused(
            batchIn(b, hashOf(parent)),
            b.data,
            abi.encodeWithSelector(IBatchSettlement.TooEarly.selector, vm.getBlockTimestamp() + 1)
        );
        vm.warp(vm.getBlockTimestamp() + 1);
        commit(parent, b);
    }

    // ---------------------------------------------------------------------------------------- final or cancelled

    function test_finalize_reverts() public {
        (, Batch memory a) = first();
        Batch memory b = next(a, 2);
        expect(IBatchSettlement.NotPending.selector, 2);
        core.finalize(b.header);
        vm.warp(a.header.committedAt + 7 days - 1);
        expect(IBatchSettlement.TooEarly.selector, a.header.committedAt + 7 days);
        core.finalize(a.header);
        vm.warp(a.header.committedAt + 7 days);
        vm.expectEmit(address(core));
        emit IBatchSettlement.Finalized(1, hashOf(a));
        core.finalize(a.header);
        expect(IBatchSettlement.NotPending.selector, 1);
        core.finalize(a.header);
        vm.assertEq(core.finalSeq(), 1, "final");
        vm.assertTrue(core.isFinal(1, hashOf(a)) && !core.isFinal(2, hashOf(b)), "final");
        vm.assertEq(core.snapshotAt(), vm.getBlockTimestamp(), "the duty of snapshots begins");
    }

    /// Batch n falls with n + 1 and n + 2; it is committed again, rightly, and all become final.
    function test_cancel_rewindsAndGoesOn() public {
        (, Batch memory a) = first();
        vm.warp(startOf(3));
        Batch memory wrong = build(a, 2, 0, nextRecords(), PARTICIPANTS);
        wrong.leaves[1].amount -= 1;
        seal(wrong);
        commit(a, wrong);
        Batch memory c = next(wrong, 3);
        Batch memory d = correction(c, 1);
        vm.expectEmit(address(core));
        emit IBatchSettlement.Cancelled(2, address(this), 1);
        fraud.proveRecord(wrong.header, a.header, wrong.leaves[1], tableBytes);
        assertCancelled(a, BOND, address(this));
        vm.assertTrue(!core.isPending(3, hashOf(c)) && !core.isPending(4, hashOf(d)), "fell with it");
        (,, uint64 burned,) = core.sums();
        vm.assertEq(burned, SLASH_UNIT / 2, "burned");

        vm.warp(vm.getBlockTimestamp() + 1);
        Batch memory right = next(a, 2);
        c = next(right, 3);
        d = correction(c, 1);
        finalizeAfterWindow(a);
        finalizeAfterWindow(right);
        finalizeAfterWindow(c);
        finalizeAfterWindow(d);
        vm.assertEq(core.finalSeq(), 4, "final");
    }

    function test_verifyRecord() public {
        (, Batch memory a) = first();
        Batch memory b = next(a, 2);
        finalizeAfterWindow(a);
        IBatchSettlement.Header[] memory chain = new IBatchSettlement.Header[](2);
        (chain[0], chain[1]) = (b.header, a.header);
        expect(IBatchSettlement.NotFinal.selector, 2);
        core.verifyRecord(chain, a.leaves[0]);
        expect(IBatchSettlement.NotFinal.selector, 0);
        core.verifyRecord(new IBatchSettlement.Header[](0), a.leaves[0]);
        finalizeAfterWindow(b);
        vm.assertEq(core.verifyRecord(chain, a.leaves[4]), hashOf(a), "verified");
        expect(IBatchSettlement.BadPath.selector, 0);
        core.verifyRecord(chain, b.leaves[0]);
        chain[1] = b.header;
        vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.BadParent.selector, b.header.parent));
        core.verifyRecord(chain, b.leaves[0]);
    }

    // ---------------------------------------------------------------------------------------- claims

    function test_claim_reverts() public {
        (, Batch memory a) = first();
        expect(IBatchSettlement.NotFinal.selector, 1);
        core.claim(a.header, a.accounts[ANNA]);
        finalizeAfterWindow(a);
        expect(IBatchSettlement.BadPath.selector, ANNA);
        core.claim(a.header, _richer(a.accounts[ANNA]));
        expect(IBatchSettlement.NothingToClaim.selector, BERT);
        core.claim(a.header, a.accounts[BERT]);
        core.claim(a.header, a.accounts[ANNA]);
        expect(IBatchSettlement.NothingToClaim.selector, ANNA);
        core.claim(a.header, a.accounts[ANNA]);
        expect(IBatchSettlement.NothingToClaim.selector, 0);
        core.claimMany(a.header, new IBatchSettlement.Account[](0));
        expect(IBatchSettlement.NothingToClaim.selector, 0);
        core.claimMany(a.header, a.accounts);
    }

    function test_claim_revertsWithoutPayout() public {
        (Batch memory parent,) = firstBuilt();
        RecordWord[] memory r = firstRecords();
        r[12] = rec(DORA, 0, 4, 0);
        RecordWord[] memory more = new RecordWord[](14);
        for (uint256 i = 0; i < 13; ++i) {
            more[i] = r[i];
        }
        more[13] = rec(DORA, WITHDRAWAL, 0, 100);
        Batch memory b = build(parent, 1, 0, more, PARTICIPANTS);
        commit(parent, b);
        finalizeAfterWindow(b);
        expect(IBatchSettlement.NoPayout.selector, DORA);
        core.claim(b.header, b.accounts[DORA]);
        expect(IBatchSettlement.NoPayout.selector, DORA);
        core.claimMany(b.header, b.accounts);
        vm.prank(REGISTRAR);
        core.setPayout(DORA, payoutOf(DORA));
        core.claimMany(b.header, b.accounts);
        vm.assertEq(token.balanceOf(payoutOf(DORA)), 1_000_000, "paid");
        vm.assertEq(token.balanceOf(payoutOf(ANNA)), 12_340_000, "paid");
    }

    /// An older header pays what was payable then, and nothing after a newer one.
    function test_claim_isCumulative() public {
        (, Batch memory a) = first();
        Batch memory b = next(a, 2);
        Batch memory c = next(b, 3);
        finalizeAfterWindow(a);
        finalizeAfterWindow(b);
        finalizeAfterWindow(c);
        vm.expectEmit(address(core));
        emit IBatchSettlement.Claimed(BERT, 5_000_000, 5_000_000);
        core.claim(b.header, b.accounts[BERT]);
        core.claim(c.header, c.accounts[BERT]);
        vm.assertEq(token.balanceOf(payoutOf(BERT)), 10_000_000, "both");
        expect(IBatchSettlement.NothingToClaim.selector, BERT);
        core.claim(b.header, b.accounts[BERT]);
    }

    /// 64 batches later the header left the ring; a newer one pays the same.
    function test_claim_revertsOutsideTheRing() public {
        (, Batch memory a) = first();
        Batch memory b = a;
        finalizeAfterWindow(a);
        _snapshotOf(a);
        for (uint256 i = 0; i < 64; ++i) {
            b = heartbeat(b);
            _headers[b.header.seq] = b.header;
            if (i % 16 == 15) _finalizeAll(b);
        }
        expect(IBatchSettlement.NotFinal.selector, 1);
        core.claim(a.header, a.accounts[ANNA]);
        core.claim(b.header, b.accounts[ANNA]);
    }

    // ---------------------------------------------------------------------------------------- the end of the ledger

    function test_freeze_reverts() public {
        Batch memory parent = genesis();
        vm.warp(startOf(2) + 28 days - 1);
        expect(IBatchSettlement.TooEarly.selector, startOf(2) + 28 days);
        core.freeze(parent.header);
        expect(IBatchSettlement.NotFrozen.selector);
        core.exit(parent.header, noAccount());
        expect(IBatchSettlement.NotFrozen.selector);
        core.reclaim(0);
        vm.warp(startOf(2) + 28 days);
        core.freeze(parent.header);
        expect(IBatchSettlement.IsFrozen.selector);
        core.freeze(parent.header);
        expect(IBatchSettlement.IsFrozen.selector);
        core.deposit(ANNA, FUNDS);
        vm.prank(payoutOf(ANNA));
        expect(IBatchSettlement.IsFrozen.selector);
        core.requestExit(ANNA);
        expect(IBatchSettlement.IsFrozen.selector);
        core.finalize(parent.header);
        expect(IBatchSettlement.IsFrozen.selector);
        core.freezePending(parent.header, parent.header);
        Batch memory b = build(parent, 1, 0, _nothing(), 0);
        _refused(batchIn(b, hashOf(parent)), b.data, abi.encodeWithSelector(IBatchSettlement.IsFrozen.selector));
    }

    function test_freeze_revertsWhilePending() public {
        (, Batch memory a) = first();
        finalizeAfterWindow(a);
        vm.warp(a.header.committedAt + 21 days);
        Batch memory b = next(a, 2);
        vm.warp(a.header.committedAt + 28 days);
        expect(IBatchSettlement.NotFinal.selector, 2);
        core.freeze(b.header);
        expect(IBatchSettlement.TooManyPending.selector, 1);
        core.freeze(a.header);
        expect(IBatchSettlement.NotPending.selector, 1);
        core.freezePending(a.header, a.header);
        // Seven days are over: it can be finalized, so there is no reason to freeze.
        expect(IBatchSettlement.Finalizable.selector, 2);
        core.freezePending(a.header, b.header);
        core.finalize(b.header);
        expect(IBatchSettlement.TooEarly.selector, b.header.committedAt + 28 days);
        core.freeze(b.header);
    }

    /// Batches that are only pending fall; what they honored is reclaimed, what they withdrew is still there.
    function test_freezePending() public {
        (, Batch memory a) = first();
        finalizeAfterWindow(a);
        vm.warp(a.header.committedAt + 27 days);
        core.deposit(ANNA, 2 * FUNDS);
        deepen();
        RecordWord[] memory r = new RecordWord[](2);
        r[0] = rec(ANNA, 0, 0, 0);
        r[1] = rec(BERT, WITHDRAWAL, 0, 1_000);
        Batch memory b = build(a, 2, 0, r, PARTICIPANTS + 1);
        commit(a, b);
        vm.warp(a.header.committedAt + 28 days);
        vm.expectEmit(address(core));
        emit IBatchSettlement.Frozen(1, hashOf(a));
        core.freezePending(a.header, b.header);

        vm.assertTrue(!core.isPending(2, hashOf(b)), "fell");
        core.exit(a.header, a.accounts[ANNA]);
        core.exit(a.header, a.accounts[BERT]);
        expect(IBatchSettlement.BadInbox.selector, 4);
        core.reclaim(4);
        core.reclaim(5);
        expect(IBatchSettlement.BadInbox.selector, 5);
        core.reclaim(5);
        expect(IBatchSettlement.BadInbox.selector, 6);
        core.reclaim(6);
        uint256 annas = uint64(a.accounts[ANNA].balance) + a.accounts[ANNA].payableMicro;
        vm.assertEq(token.balanceOf(payoutOf(ANNA)), annas + 2 * FUNDS, "Anna");
        vm.assertEq(token.balanceOf(payoutOf(BERT)), uint64(a.accounts[BERT].balance), "Bert");
    }

    /// In every order of claim and exit the same is paid, once.
    function test_exit_paysOnce(bool isClaimFirst, bool isOlderHeader) public {
        (, Batch memory a) = first();
        Batch memory b = next(a, 2);
        finalizeAfterWindow(a);
        finalizeAfterWindow(b);
        vm.warp(b.header.committedAt + 28 days);
        core.freeze(b.header);
        if (isClaimFirst) core.claim(isOlderHeader ? a.header : b.header, (isOlderHeader ? a : b).accounts[ANNA]);
        expect(IBatchSettlement.NotFinal.selector, 1);
        core.exit(a.header, a.accounts[ANNA]);
        expect(IBatchSettlement.BadPath.selector, ANNA);
        core.exit(b.header, _richer(b.accounts[ANNA]));
        core.exit(b.header, b.accounts[ANNA]);
        expect(IBatchSettlement.NothingToClaim.selector, ANNA);
        core.exit(b.header, b.accounts[ANNA]);
        expect(IBatchSettlement.NothingToClaim.selector, ANNA);
        core.claim(a.header, a.accounts[ANNA]);
        expect(IBatchSettlement.NothingToClaim.selector, ANNA);
        core.claim(b.header, b.accounts[ANNA]);
        uint256 all = uint64(b.accounts[ANNA].balance) + b.accounts[ANNA].payableMicro;
        vm.assertEq(token.balanceOf(payoutOf(ANNA)), all, "all, once");
        expect(IBatchSettlement.NoPayout.selector, DORA);
        core.exit(b.header, b.accounts[DORA]);
        vm.prank(REGISTRAR);
        core.setPayout(DORA, payoutOf(DORA));
        core.exit(b.header, b.accounts[DORA]);
        core.exit(b.header, b.accounts[0]);
        core.exit(b.header, b.accounts[BERT]);
        core.exit(b.header, b.accounts[CARL]);
        (uint64 escrow,,,) = core.sums();
        vm.assertEq(escrow, 0, "nothing is left, nothing is missing");
    }

    /// The bond goes back after the freeze.
    function test_freeze_bondGoesBack() public {
        vm.warp(startOf(2) + 28 days);
        core.freeze(genesis().header);
        vm.prank(HUB);
        core.unbond(BOND);
        vm.assertEq(token.balanceOf(HUB_PAYOUT), BOND, "bond");
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _nothing() private pure returns (RecordWord[] memory r) {
        r = new RecordWord[](1);
        r[0] = rec(0, WITHDRAWAL, 0, 0);
    }

    function _richer(IBatchSettlement.Account memory a) private pure returns (IBatchSettlement.Account memory richer) {
        richer = abi.decode(abi.encode(a), (IBatchSettlement.Account));
        richer.balance += 1;
        richer.payableMicro += 10_000;
    }

    function _finalizeAll(Batch memory last) private {
        vm.warp(last.header.committedAt + 7 days);
        for (uint64 seq = core.finalSeq() + 1; seq <= last.header.seq; ++seq) {
            core.finalize(_headers[seq]);
        }
        _snapshotOf(last);
    }

    function _snapshotOf(Batch memory b) private {
        bytes memory data;
        for (uint256 i = 0; i < b.accounts.length; ++i) {
            data = abi.encodePacked(data, uint64(b.accounts[i].balance), uint56(b.accounts[i].payableMicro / 10_000));
        }
        vm.prank(HUB);
        duty.commitSnapshot(b.header, 0, data);
    }

    function _refused(IBatchSettlement.BatchIn memory x, bytes memory data, bytes memory reason) private {
        vm.prank(HUB);
        vm.expectRevert(reason);
        core.commitCalldata(x, data);
    }
}
