// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { BatchWorld } from "./base/BatchWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice What each proof is refused for, and which frauds it ends. Honest batches are probed in `Probes.t.sol`.
contract FraudProverTest is BatchWorld {
    address private constant WATCHER = address(0x5001);

    // ---------------------------------------------------------------------------------------- frame

    function test_proofs_revertIfNotPending() public {
        (Batch memory parent, Batch memory b) = first();
        Batch memory other = copy(b);
        other.header.hubBalance += 1;
        expect(IBatchSettlement.NotPending.selector, 1);
        fraud.proveRecord(other.header, parent.header, b.leaves[0], tableBytes);
        finalizeAfterWindow(b);
        expect(IBatchSettlement.NotPending.selector, 1);
        fraud.provePair(b.header, parent.header, b.leaves[0], b.leaves[1]);
    }

    function test_proofs_revertIfParentIsAnother() public {
        (, Batch memory a) = first();
        Batch memory b = next(a, 2);
        vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.BadParent.selector, b.header.parent));
        fraud.proveEdge(b.header, b.header, b.leaves[0]);
    }

    function test_proofs_revertIfPathIsWrong() public {
        (Batch memory parent, Batch memory b) = first();
        IBatchSettlement.Leaf memory l = copy(b).leaves[3];
        l.index = 4;
        expect(IBatchSettlement.BadPath.selector, 4);
        fraud.proveRecord(b.header, parent.header, l, tableBytes);
        l.index = uint32(b.leaves.length) + 3;
        expect(IBatchSettlement.BadPath.selector, l.index);
        fraud.proveEdge(b.header, parent.header, l);
        l = copy(b).leaves[3];
        l.path = new bytes32[](l.path.length + 1);
        expect(IBatchSettlement.BadPath.selector, 3);
        fraud.proveCalldata(b.header, parent.header, l, b.data);
        l = copy(b).leaves[3];
        l.amount += 1;
        expect(IBatchSettlement.BadPath.selector, 3);
        fraud.provePair(b.header, parent.header, l, b.leaves[4]);
        expect(IBatchSettlement.BadPath.selector, 3);
        fraud.provePair(b.header, parent.header, b.leaves[2], l);
        expect(IBatchSettlement.BadPath.selector, 5);
        fraud.provePair(b.header, parent.header, b.leaves[3], b.leaves[5]);
    }

    function test_proveRecord_revertsIfTableIsAnother() public {
        (Batch memory parent, Batch memory b) = first();
        expect(IBatchSettlement.BadTable.selector, 385, 0);
        fraud.proveRecord(b.header, parent.header, b.leaves[0], row(FEED_IN));
    }

    // ---------------------------------------------------------------------------------------- record

    function test_proveRecord_amount(int64 wrong) public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        if (wrong == b.leaves[2].amount) wrong += 1;
        b.leaves[2].amount = wrong;
        _recordFalls(parent, b, 2);
    }

    function test_proveRecord_withdrawal(int64 wrong) public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.leaves[5].amount = wrong == b.leaves[5].amount ? -wrong : wrong;
        _recordFalls(parent, b, 5);
    }

    function test_proveRecord_withdrawalSlotOrSign() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.leaves[5].record = rec(ANNA, WITHDRAWAL, 1, 1_234);
        _recordFalls(parent, copy(b), 5);
        vm.warp(vm.getBlockTimestamp() + 1);
        b.leaves[5].record = rec(ANNA, WITHDRAWAL, 0, -1);
        b.leaves[5].amount = 10_000;
        _recordFallsAgain(parent, b, 5);
    }

    function test_proveRecord_deposit() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        Batch memory wrong = copy(b);
        wrong.leaves[1].amount += 1;
        _recordFalls(parent, wrong, 1);
        wrong = copy(b);
        wrong.leaves[1].record = rec(ANNA, 0, 1, 1);
        _recordFallsAgain(parent, wrong, 1);
        // Somebody else's deposit.
        wrong = copy(b);
        wrong.leaves[1].record = rec(ANNA, 0, 2, 0);
        _recordFallsAgain(parent, wrong, 1);
        // One that the batch does not honor.
        wrong = copy(b);
        wrong.leaves[1].record = rec(ANNA, 0, 5, 0);
        _recordFallsAgain(parent, wrong, 1);
    }

    function test_proveRecord_depositOfAnExit() public {
        vm.warp(startOf(1));
        vm.prank(payoutOf(ANNA));
        core.requestExit(ANNA);
        deepen();
        vm.warp(startOf(2));
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(ANNA, 0, 0, 0);
        Batch memory parent = genesis();
        Batch memory b = build(parent, 1, 0, r, 1);
        _recordFalls(parent, b, 0);
    }

    function test_proveRecord_balances(int64 below) public {
        below = below < 0 ? below : -1 - below;
        (Batch memory parent, Batch memory b) = firstBuilt();
        Batch memory wrong = copy(b);
        wrong.leaves[4].balanceAfter = below;
        _recordFalls(parent, wrong, 4);
        wrong = copy(b);
        wrong.leaves[4].hubAfter = below;
        _recordFallsAgain(parent, wrong, 4);
    }

    function test_proveRecord_party() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        // The hub cannot trade with itself; nobody without an account takes part.
        uint32[3] memory parties = [uint32(0), PARTICIPANTS, type(uint32).max];
        for (uint256 i = 0; i < parties.length; ++i) {
            Batch memory wrong = copy(b);
            wrong.leaves[12].record = rec(parties[i], FEED_IN, 0, 0);
            wrong.leaves[12].amount = 0;
            if (i == 0) _recordFalls(parent, wrong, 12);
            else _recordFallsAgain(parent, wrong, 12);
        }
    }

    function test_proveRecord_inactive() public {
        vm.prank(REGISTRAR);
        core.retire(ANNA, 2);
        vm.prank(REGISTRAR);
        uint32 late = core.register(meterOf(5), payoutOf(5), 2, 0);
        (Batch memory parent, Batch memory b) = firstBuilt();
        // Registered for the period after this one.
        b.accounts = new IBatchSettlement.Account[](PARTICIPANTS + 1);
        for (uint32 p = 0; p < b.accounts.length; ++p) {
            b.accounts[p].participant = p;
        }
        b.leaves[12].record = rec(late, FEED_IN, 0, 0);
        b.leaves[12].amount = 0;
        _recordFalls(parent, b, 12);

        // Retired before it.
        vm.warp(vm.getBlockTimestamp() + 1);
        b = build(parent, 1, 0, firstRecords(), PARTICIPANTS);
        commit(parent, b);
        vm.warp(startOf(4));
        Batch memory c = build(b, 3, 0, nextRecords(), PARTICIPANTS);
        commit(b, c);
        fraud.proveRecord(c.header, b.header, c.leaves[0], tableBytes);
        vm.assertTrue(!core.isPending(2, hashOf(c)), "fell");
    }

    /// After retirement money still comes in and goes out.
    function test_proveRecord_retiredMayWithdraw() public {
        vm.prank(REGISTRAR);
        core.retire(ANNA, 2);
        (, Batch memory a) = first();
        vm.warp(startOf(5));
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(ANNA, WITHDRAWAL, 0, 100);
        Batch memory b = build(a, 4, 0, r, PARTICIPANTS);
        commit(a, b);
        expect(IBatchSettlement.NotFraud.selector);
        fraud.proveRecord(b.header, a.header, b.leaves[0], tableBytes);
    }

    function test_proveRecord_codeSlotAndSign() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        RecordWord[4] memory wrong = [
            rec(ANNA, 3, 0, 1_000),
            rec(ANNA, FEED_IN, SLOTS, 0),
            rec(ANNA, FEED_IN, 1_023, 0),
            rec(ANNA, FEED_IN, 0, -1)
        ];
        for (uint256 i = 0; i < wrong.length; ++i) {
            Batch memory c = copy(b);
            c.leaves[2].record = wrong[i];
            c.leaves[2].amount = i == 0 ? int64(100_300) : i == 3 ? int64(-100) : int64(0);
            if (i == 0) _recordFalls(parent, c, 2);
            else _recordFallsAgain(parent, c, 2);
        }
    }

    // ---------------------------------------------------------------------------------------- pair, edge, opening

    function test_provePair_order() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        (b.leaves[2].record, b.leaves[3].record) = (b.leaves[3].record, b.leaves[2].record);
        _pairFalls(parent, b, 2);
    }

    function test_provePair_balance(int64 wrong) public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.leaves[3].balanceAfter = wrong == b.leaves[3].balanceAfter ? wrong - 1 : wrong;
        _pairFalls(parent, b, 2);
    }

    function test_provePair_hub(int64 wrong) public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.leaves[7].hubAfter = wrong == b.leaves[7].hubAfter ? wrong - 1 : wrong;
        _pairFalls(parent, b, 6);
    }

    /// Sums that leave 64 bits are wrong, not an error.
    function test_provePair_hostileExtremes(bool isHigh) public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        int64 extreme = isHigh ? type(int64).max : type(int64).min;
        b.leaves[3].amount = extreme;
        b.leaves[2].balanceAfter = extreme;
        b.leaves[2].hubAfter = isHigh ? type(int64).min : type(int64).max;
        _pairFalls(parent, b, 2);
    }

    function test_proveEdge() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        uint256 last = b.leaves.length - 1;
        for (uint256 i = 0; i < 4; ++i) {
            Batch memory wrong = copy(b);
            if (i == 0) wrong.header.firstKey = 1;
            if (i == 1) wrong.leaves[0].hubAfter += 1;
            if (i == 2) wrong.header.lastKey += 1;
            if (i == 3) wrong.header.hubBalance += 1;
            uint48 firstKey = wrong.header.firstKey;
            uint48 lastKey = wrong.header.lastKey;
            seal(wrong);
            (wrong.header.firstKey, wrong.header.lastKey) = (firstKey, lastKey);
            _commitAgain(parent, wrong);
            uint64 before = core.bonded();
            address watcher = _watcher(i);
            vm.prank(watcher);
            fraud.proveEdge(wrong.header, parent.header, wrong.leaves[i < 2 ? 0 : last]);
            assertCancelled(parent, before, watcher);
        }
    }

    function test_proveEdge_revertsInTheMiddle() public {
        (Batch memory parent, Batch memory b) = first();
        expect(IBatchSettlement.NotFraud.selector);
        fraud.proveEdge(b.header, parent.header, b.leaves[5]);
    }

    function test_proveOpening(int64 wrong, uint8 which) public {
        (, Batch memory a) = first();
        vm.warp(startOf(3));
        Batch memory b = build(a, 2, 0, nextRecords(), PARTICIPANTS);
        uint256 i = which % 2 == 0 ? 0 : 2;
        b.leaves[i].balanceAfter = wrong == b.leaves[i].balanceAfter ? wrong - 1 : wrong;
        seal(b);
        commit(a, b);
        uint64 before = core.bonded();
        vm.prank(WATCHER);
        fraud.proveOpening(
            b.header, a.header, b.leaves[i], leafBefore(b, i), a.accounts[b.leaves[i].record.participant()]
        );
        assertCancelled(a, before, WATCHER);
    }

    /// An account that the parent does not have opens with nothing.
    function test_proveOpening_newAccount() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.leaves[12].balanceAfter += 1;
        seal(b);
        commit(parent, b);
        fraud.proveOpening(b.header, parent.header, b.leaves[12], b.leaves[11], noAccount());
        assertCancelled(parent, BOND, address(this));
    }

    function test_proveOpening_reverts() public {
        (, Batch memory a) = first();
        Batch memory b = next(a, 2);
        // Not the participant's first record.
        expect(IBatchSettlement.BadPath.selector, 0);
        fraud.proveOpening(b.header, a.header, b.leaves[1], b.leaves[0], a.accounts[ANNA]);
        // No neighbour.
        expect(IBatchSettlement.BadPath.selector, 2);
        fraud.proveOpening(b.header, a.header, b.leaves[2], b.leaves[0], a.accounts[BERT]);
        expect(IBatchSettlement.BadPath.selector, 2);
        fraud.proveOpening(b.header, a.header, b.leaves[2], noLeaf(), a.accounts[BERT]);
        // Somebody else's account.
        expect(IBatchSettlement.BadPath.selector, ANNA);
        fraud.proveOpening(b.header, a.header, b.leaves[2], b.leaves[1], a.accounts[ANNA]);
        // An account of another batch.
        expect(IBatchSettlement.BadPath.selector, BERT);
        fraud.proveOpening(b.header, a.header, b.leaves[2], b.leaves[1], b.accounts[BERT]);
        // No leaf at all: after the last one there is nothing to open.
        expect(IBatchSettlement.BadPath.selector, 4);
        fraud.proveOpening(b.header, a.header, noLeaf(), b.leaves[4], noAccount());
    }

    // ---------------------------------------------------------------------------------------- account

    function test_proveAccount(uint8 number, int64 balance, uint64 payableMicro, bool isPayable) public {
        uint32 p = number % PARTICIPANTS;
        (, Batch memory a) = first();
        vm.warp(startOf(3));
        Batch memory b = build(a, 2, 0, nextRecords(), PARTICIPANTS);
        IBatchSettlement.Account memory wrong = b.accounts[p];
        if (isPayable) wrong.payableMicro = payableMicro == wrong.payableMicro ? payableMicro + 1 : payableMicro;
        else wrong.balance = balance == wrong.balance ? balance - 1 : balance;
        seal(b);
        commit(a, b);
        (IBatchSettlement.Leaf memory last, IBatchSettlement.Leaf memory after_) = around(b, p);
        vm.prank(WATCHER);
        fraud.proveAccount(b.header, a.header, wrong, a.accounts[p], last, after_);
        assertCancelled(a, BOND, WATCHER);
    }

    /// A withdrawal below zero, against rule R3, is arithmetic for this proof and no error.
    function test_proveAccount_hostileWithdrawal() public {
        (, Batch memory a) = first();
        vm.warp(startOf(3));
        Batch memory b = build(a, 2, 0, nextRecords(), PARTICIPANTS);
        b.leaves[4].record = rec(BERT, WITHDRAWAL, 0, type(int32).min);
        b.accounts[BERT].payableMicro = type(uint64).max;
        seal(b);
        commit(a, b);
        fraud.proveAccount(b.header, a.header, b.accounts[BERT], a.accounts[BERT], b.leaves[4], noLeaf());
        assertCancelled(a, BOND, address(this));
    }

    function test_proveAccount_reverts() public {
        (, Batch memory a) = first();
        Batch memory b = next(a, 2);
        // `last` belongs to a higher participant, `next` to the same or a lower one.
        expect(IBatchSettlement.BadPath.selector, 2);
        fraud.proveAccount(b.header, a.header, b.accounts[ANNA], a.accounts[ANNA], b.leaves[2], b.leaves[3]);
        expect(IBatchSettlement.BadPath.selector, 1);
        fraud.proveAccount(b.header, a.header, b.accounts[ANNA], a.accounts[ANNA], b.leaves[0], b.leaves[1]);
        // No neighbours, or the wrong end.
        expect(IBatchSettlement.BadPath.selector, 2);
        fraud.proveAccount(b.header, a.header, b.accounts[ANNA], a.accounts[ANNA], b.leaves[0], b.leaves[2]);
        expect(IBatchSettlement.BadPath.selector, NONE);
        fraud.proveAccount(b.header, a.header, b.accounts[BERT], a.accounts[BERT], b.leaves[3], noLeaf());
        expect(IBatchSettlement.BadPath.selector, NONE);
        fraud.proveAccount(b.header, a.header, b.accounts[BERT], a.accounts[BERT], noLeaf(), noLeaf());
        // Another account before.
        expect(IBatchSettlement.BadPath.selector, BERT);
        fraud.proveAccount(b.header, a.header, b.accounts[ANNA], a.accounts[BERT], b.leaves[1], b.leaves[2]);
        // An account that the batch does not have.
        expect(IBatchSettlement.BadPath.selector, BERT);
        fraud.proveAccount(b.header, a.header, a.accounts[BERT], a.accounts[BERT], b.leaves[4], noLeaf());
    }

    // ---------------------------------------------------------------------------------------- data and inbox

    function test_proveCalldata(uint8 where, uint8 bit) public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        uint256 i = where % b.data.length;
        b.data[i] ^= bytes1(uint8(1) << (bit % 8));
        commit(parent, b);
        fraud.proveCalldata(b.header, parent.header, b.leaves[i / 10], b.data);
        assertCancelled(parent, BOND, address(this));
    }

    function test_proveCalldata_reverts() public {
        (Batch memory parent, Batch memory b) = first();
        expect(IBatchSettlement.BadOpening.selector, 2);
        fraud.proveCalldata(b.header, parent.header, b.leaves[2], bytes.concat(b.data, hex"00"));
        expect(IBatchSettlement.BadOpening.selector, 2);
        fraud.proveBlob(b.header, parent.header, b.leaves[2], new bytes32[](1), 0, "", "");
    }

    function test_proveBlob_reverts() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = bytes32(uint256(1) << 248 | 7);
        commitInBlobs(parent, b, hashes);
        expect(IBatchSettlement.BadOpening.selector, 2);
        fraud.proveCalldata(b.header, parent.header, b.leaves[2], b.data);
        expect(IBatchSettlement.BadOpening.selector, 2);
        fraud.proveBlob(b.header, parent.header, b.leaves[2], new bytes32[](1), 0, "", "");
        // The precompile confirms no such element.
        expect(IBatchSettlement.BadOpening.selector, 0);
        fraud.proveBlob(b.header, parent.header, b.leaves[2], hashes, 0, new bytes(48), new bytes(48));
    }

    function test_proveDepositOmitted() public {
        vm.warp(startOf(1));
        depositAll();
        vm.warp(startOf(2));
        // All deposits left out: each falls into a gap.
        RecordWord[] memory r = new RecordWord[](2);
        r[0] = rec(ANNA, 0, 1, 0);
        r[1] = rec(CARL, 0, 3, 0);
        Batch memory parent = genesis();
        for (uint256 i = 0; i < 3; ++i) {
            vm.warp(vm.getBlockTimestamp() + 1);
            Batch memory b = build(parent, 1, 0, r, PARTICIPANTS);
            commit(parent, b);
            uint64 before = core.bonded();
            address watcher = _watcher(i);
            vm.prank(watcher);
            if (i == 0) fraud.proveDepositOmitted(b.header, parent.header, 0, noLeaf(), b.leaves[0]);
            if (i == 1) fraud.proveDepositOmitted(b.header, parent.header, 2, b.leaves[0], b.leaves[1]);
            if (i == 2) fraud.proveDepositOmitted(b.header, parent.header, 4, b.leaves[1], noLeaf());
            assertCancelled(parent, before, watcher);
        }
    }

    function test_proveDepositOmitted_reverts() public {
        (, Batch memory a) = first();
        Batch memory b = next(a, 2);
        Batch memory parent = genesis();
        expect(IBatchSettlement.BadInbox.selector, 5);
        fraud.proveDepositOmitted(a.header, parent.header, 5, a.leaves[0], a.leaves[1]);
        expect(IBatchSettlement.BadInbox.selector, 4);
        fraud.proveDepositOmitted(b.header, a.header, 4, b.leaves[0], b.leaves[1]);
        // The gap holds no deposit's key, since the record is there.
        expect(IBatchSettlement.NotFraud.selector);
        fraud.proveDepositOmitted(a.header, parent.header, 1, a.leaves[0], a.leaves[1]);
        expect(IBatchSettlement.NotFraud.selector);
        fraud.proveDepositOmitted(a.header, parent.header, 1, a.leaves[1], a.leaves[2]);
        expect(IBatchSettlement.BadPath.selector, 3);
        fraud.proveDepositOmitted(a.header, parent.header, 1, a.leaves[1], a.leaves[3]);
    }

    function test_proveExitIgnored() public {
        (, Batch memory a) = first();
        vm.prank(payoutOf(ANNA));
        core.requestExit(ANNA);
        deepen();
        vm.warp(startOf(3));
        Batch memory b = build(a, 2, 0, nextRecords(), PARTICIPANTS + 1);
        commit(a, b);
        expect(IBatchSettlement.BadInbox.selector, 4);
        fraud.proveExitIgnored(b.header, a.header, 4, b.accounts[ANNA], a.accounts[ANNA]);
        expect(IBatchSettlement.BadPath.selector, BERT);
        fraud.proveExitIgnored(b.header, a.header, 5, b.accounts[BERT], a.accounts[BERT]);
        expect(IBatchSettlement.BadInbox.selector, 5);
        fraud.proveDepositOmitted(b.header, a.header, 5, b.leaves[0], b.leaves[1]);
        fraud.proveExitIgnored(b.header, a.header, 5, b.accounts[ANNA], a.accounts[ANNA]);
        assertCancelled(a, BOND, address(this));
    }

    function test_proveExitIgnored_honored() public {
        (, Batch memory a) = first();
        vm.prank(payoutOf(ANNA));
        core.requestExit(ANNA);
        deepen();
        vm.warp(startOf(3));
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(ANNA, WITHDRAWAL, 0, int32(a.accounts[ANNA].balance / 10_000));
        Batch memory b = build(a, 2, 0, r, PARTICIPANTS + 1);
        commit(a, b);
        vm.assertTrue(b.accounts[ANNA].balance < 10_000, "less than 0.01 is left");
        expect(IBatchSettlement.NotFraud.selector);
        fraud.proveExitIgnored(b.header, a.header, 5, b.accounts[ANNA], a.accounts[ANNA]);
        // An exit is no deposit.
        expect(IBatchSettlement.BadInbox.selector, 5);
        fraud.proveDepositOmitted(b.header, a.header, 5, b.leaves[0], noLeaf());
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _watcher(uint256 i) private pure returns (address) {
        return address(uint160(0x6000 + i));
    }

    function _recordFalls(Batch memory parent, Batch memory b, uint256 i) private {
        seal(b);
        commit(parent, b);
        uint64 before = core.bonded();
        vm.prank(WATCHER);
        fraud.proveRecord(b.header, parent.header, b.leaves[i], tableBytes);
        assertCancelled(parent, before, WATCHER);
        vm.prank(WATCHER);
        core.collect();
    }

    function _recordFallsAgain(Batch memory parent, Batch memory b, uint256 i) private {
        vm.warp(vm.getBlockTimestamp() + 1);
        _recordFalls(parent, b, i);
    }

    function _commitAgain(Batch memory parent, Batch memory b) private {
        vm.warp(vm.getBlockTimestamp() + 1);
        commit(parent, b);
    }

    function _pairFalls(Batch memory parent, Batch memory b, uint256 i) private {
        seal(b);
        commit(parent, b);
        vm.prank(WATCHER);
        fraud.provePair(b.header, parent.header, b.leaves[i], b.leaves[i + 1]);
        assertCancelled(parent, BOND, WATCHER);
    }
}
