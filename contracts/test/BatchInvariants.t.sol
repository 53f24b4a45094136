// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { IDemandProver } from "../src/IDemandProver.sol";
import { IDutyProver } from "../src/IDutyProver.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { BatchWorld } from "./base/BatchWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice Calls everything in any order: deposits, exits, honest and false batches, proofs, demands, answers, finality,
/// claims, snapshots, forced readings, the freeze and what follows it. Books of its own stand beside the contract.
contract BatchHandler is BatchWorld {
    struct Asked {
        uint64 seq;
        uint8 kind;
        uint32 index;
    }

    address private constant WATCHER = address(0x5001);

    /// Batches by sequence number, false ones included until they fall.
    mapping(uint64 seq => bytes) private _batches;
    mapping(uint64 seq => bool) private _isFalse;
    mapping(uint64 seq => bytes32) public finalHashes;
    mapping(uint64 entry => bool) private _isReclaimed;
    Asked[] private _asked;
    /// Forced readings: period and key.
    uint256[] private _forced;
    mapping(bytes32 key => bytes) private _askedHeaders;
    uint64 public headSeq;
    uint64 public latestFinal;
    uint32 private _lastPeriod;
    uint256 public demandBonds;
    uint256[16] public done;

    constructor() {
        setUp();
        fund(WATCHER, 1 << 60);
        vm.prank(REGISTRAR);
        core.setPayout(DORA, payoutOf(DORA));
        _batches[0] = abi.encode(genesis());
        depositAll();
        vm.warp(startOf(2));
    }

    function parts() external view returns (IBatchSettlement, address) {
        return (core, address(token));
    }

    function batchAt(uint64 seq) public view returns (Batch memory) {
        return abi.decode(_batches[seq], (Batch));
    }

    // ---------------------------------------------------------------------------------------- calls

    function wait_(uint32 time) external {
        vm.warp(vm.getBlockTimestamp() + bound(time, 1, 3 days));
        deepen();
    }

    function payIn(uint8 number, uint64 amount) external {
        if (core.isFrozen()) return;
        core.deposit(number % PARTICIPANTS, uint64(bound(amount, 100, 100_000)) * 10_000);
        ++done[0];
    }

    /// An honest batch, or one with a wrong number in it.
    function commitBatch(uint256 seed) external {
        Batch memory parent = batchAt(headSeq);
        uint64 pending = headSeq - core.finalSeq();
        bool isOverdue = core.snapshotAt() != 0 && vm.getBlockTimestamp() > core.snapshotAt() + 21 days;
        (,,, uint64 due) = core.sums();
        if (pending >= 32 || core.isFrozen() || isOverdue || core.bonded() < SLASH_UNIT * (pending + 1) + due) return;
        uint32 today = uint32((vm.getBlockTimestamp() - GENESIS) / DAY);
        uint32 period = parent.header.regPeriod + 1;
        bool isCorrection = parent.header.regPeriod > 0 && (seed % 3 == 0 || period >= today || period > LAST_TARIFF);
        if (isCorrection) period = 1 + uint32((seed >> 8) % parent.header.regPeriod);
        if (!isCorrection && (period >= today || period > LAST_TARIFF)) return;
        uint64 to = _inboxTo(parent.header.inboxTo);
        RecordWord[] memory records = _records(parent, to, seed >> 16, isCorrection);
        Batch memory b = build(parent, period, isCorrection ? parent.header.lastRun + 1 : 0, records, to);
        for (uint256 i = 0; i < b.leaves.length; ++i) {
            if (b.leaves[i].balanceAfter < 0 || b.leaves[i].hubAfter < 0) return;
        }
        bool isFalse = (seed >> 4) % 4 == 0;
        if (isFalse) {
            b.header.hubBalance += int64(int256(1 + seed % 1_000_000));
        }
        commit(parent, b);
        headSeq = b.header.seq;
        _batches[headSeq] = abi.encode(b);
        _isFalse[headSeq] = isFalse;
        ++done[isFalse ? 2 : 1];
    }

    /// Someone watches: a false batch falls, and no honest one does.
    function prove(uint8 which) external {
        uint64 seq = _pending(which);
        if (seq == 0) return;
        Batch memory b = batchAt(seq);
        Batch memory parent = batchAt(seq - 1);
        uint256 last = b.leaves.length - 1;
        if (!_isFalse[seq]) vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.NotFraud.selector));
        vm.prank(WATCHER);
        fraud.proveEdge(b.header, parent.header, b.leaves[last]);
        if (!_isFalse[seq]) return;
        headSeq = seq - 1;
        vm.warp(vm.getBlockTimestamp() + 1);
        ++done[3];
    }

    function demand(uint8 which, uint8 kind, uint32 index) external {
        uint64 seq = _pending(which);
        if (seq == 0) return;
        Batch memory b = batchAt(seq);
        kind %= 2;
        index %= kind == 0 ? b.header.count : b.header.accountCount;
        if (vm.getBlockTimestamp() >= b.header.committedAt + 7 days) return;
        if (demands.demandOf(hashOf(b), kind, index).state != 0) return;
        demandBonds += demands.bondFor(hashOf(b), kind);
        vm.prank(WATCHER);
        demands.demand(b.header, kind, index);
        _asked.push(Asked(seq, kind, index));
        _askedHeaders[keccak256(abi.encode(_asked.length - 1))] = abi.encode(b);
        ++done[4];
    }

    /// An open demand is answered, or expires when it is too late; a settled batch's bond is paid out.
    function answerOrExpire(uint16 which, bool isLazy) external {
        if (_asked.length == 0) return;
        uint256 i = which % _asked.length;
        Asked memory q = _asked[i];
        Batch memory b = abi.decode(_askedHeaders[keccak256(abi.encode(i))], (Batch));
        IDemandProver.Demand memory d = demands.demandOf(hashOf(b), q.kind, q.index);
        if (d.state == 3) return;
        if (!core.isPending(q.seq, hashOf(b))) {
            demands.settleDemand(b.header, q.kind, q.index);
            demandBonds -= d.bond;
            ++done[5];
        } else if (d.state == 1 && isLazy && vm.getBlockTimestamp() > d.dueAt) {
            demands.expire(b.header, batchAt(q.seq - 1).header, q.kind, q.index);
            headSeq = q.seq - 1;
            vm.warp(vm.getBlockTimestamp() + 1);
            ++done[6];
        } else if (d.state == 1) {
            RecordWord r = b.leaves[q.kind == 0 ? q.index : 0].record;
            if (q.kind == 1) demands.answerAccount(b.header, b.accounts[q.index]);
            else demands.answerRecord(b.header, b.leaves[q.index], _signatureFor(b, r));
            ++done[7];
        }
    }

    /// False batches are proved in time; what is left becomes final.
    function finalizeNext() external {
        uint64 seq = latestFinal + 1;
        if (core.isFrozen() || seq > headSeq || _isFalse[seq]) return;
        Batch memory b = batchAt(seq);
        (uint32 open, uint40 answered,) = core.demandsOn(hashOf(b));
        bool isEarly = vm.getBlockTimestamp() < b.header.committedAt + 7 days
            || (answered != 0 && vm.getBlockTimestamp() < answered + 2 days);
        if (isEarly || open > 0) {
            (bool isDone,) = address(core).call(abi.encodeCall(core.finalize, (b.header)));
            vm.assertTrue(!isDone, "too early");
            return;
        }
        core.finalize(b.header);
        latestFinal = seq;
        finalHashes[seq] = hashOf(b);
        ++done[8];
    }

    function claim(uint8 back, uint8 number) external {
        if (latestFinal == 0) return;
        uint64 seq = latestFinal - uint64(bound(back, 0, latestFinal > 20 ? 20 : latestFinal - 1));
        Batch memory b = batchAt(seq);
        IBatchSettlement.Account memory a = b.accounts[number % PARTICIPANTS];
        (, uint64 paid,) = core.payoutOf(a.participant);
        if (a.payableMicro <= paid) {
            vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.NothingToClaim.selector, a.participant));
        } else {
            ++done[9];
        }
        core.claim(b.header, a);
    }

    function publishSnapshot() external {
        if (latestFinal == 0 || vm.getBlockTimestamp() < core.snapshotAt() + 7 days) return;
        Batch memory b = batchAt(latestFinal);
        bytes memory data;
        for (uint256 i = 0; i < b.accounts.length; ++i) {
            data = abi.encodePacked(data, uint64(b.accounts[i].balance), uint56(b.accounts[i].payableMicro / 10_000));
        }
        (uint40 completedAt) = duty.snapshot().completedAt;
        if (completedAt != 0 && vm.getBlockTimestamp() < completedAt + 7 days) return;
        vm.prank(HUB);
        duty.commitSnapshot(b.header, 0, data);
        ++done[10];
    }

    function bondMore(uint64 amount) external {
        amount = uint64(bound(amount, 1, BOND));
        fund(HUB, amount);
        vm.prank(HUB);
        core.bond(amount);
    }

    /// Rarely, since nothing but the end comes after it.
    function freeze(uint8 seed) external {
        if (seed % 4 != 0 || core.isFrozen()) return;
        Batch memory latest = batchAt(latestFinal);
        uint256 since = latest.header.committedAt > startOf(2) ? latest.header.committedAt : startOf(2);
        vm.warp(since + 28 days > vm.getBlockTimestamp() ? since + 28 days : vm.getBlockTimestamp());
        bool isDone;
        if (headSeq == latestFinal) {
            core.freeze(latest.header);
            isDone = true;
        } else {
            bytes memory call = abi.encodeCall(core.freezePending, (latest.header, batchAt(latestFinal + 1).header));
            (isDone,) = address(core).call(call);
        }
        if (!isDone) return;
        headSeq = latestFinal;
        ++done[11];
    }

    function exit(uint8 number) external {
        if (!core.isFrozen() || latestFinal == 0) return;
        Batch memory b = batchAt(latestFinal);
        IBatchSettlement.Account memory a = b.accounts[number % PARTICIPANTS];
        (, uint64 paid, bool isExited) = core.payoutOf(a.participant);
        bool isNothing = isExited || (a.balance == 0 && a.payableMicro <= paid);
        if (isNothing) {
            vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.NothingToClaim.selector, a.participant));
        } else {
            ++done[12];
        }
        core.exit(b.header, a);
    }

    function reclaim(uint64 entry) external {
        if (!core.isFrozen()) return;
        entry = uint64(bound(entry, 0, core.inboxCount() - 1));
        if (entry < batchAt(latestFinal).header.inboxTo || _isReclaimed[entry]) {
            vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.BadInbox.selector, entry));
        } else {
            _isReclaimed[entry] = true;
            ++done[13];
        }
        core.reclaim(entry);
    }

    /// A flexibility record of Anna or Bert that the latest final batch left out, if that is a regular one with a gap for it.
    function force(uint256 seed) external {
        if (core.isFrozen() || latestFinal == 0) return;
        Batch memory b = batchAt(latestFinal);
        RecordWord r = rec(1 + uint32(seed % 2), FLEX, uint16(8 + seed % 80), int32(uint32(1 + seed % (1 << 24))));
        if (b.header.run != 0 || duty.forceOf(b.header.period, r.key()).state != 0) return;
        bytes memory good = meterSignature(r, b.header.period, 0);
        for (uint256 i = 0; i + 1 < b.leaves.length; ++i) {
            if (b.leaves[i].record.key() >= r.key() || r.key() >= b.leaves[i + 1].record.key()) continue;
            IBatchSettlement.Header memory h = b.header;
            duty.forceReading(h, h, h.period, b.leaves[i], b.leaves[i + 1], r, good, tableBytes);
            _forced.push(uint256(h.period) << 48 | r.key());
        }
    }

    function acceptForced(uint8 which) external {
        if (_forced.length == 0) return;
        (uint32 period, uint48 key) =
            (uint32(_forced[which % _forced.length] >> 48), uint48(_forced[which % _forced.length]));
        IDutyProver.Force memory f = duty.forceOf(period, key);
        if (f.state > 2 || vm.getBlockTimestamp() < f.openedAt + 7 days) return;
        duty.acceptForce(period, key);
        ++done[15];
    }

    function collect(bool isHub) external {
        address holder = isHub ? HUB_PAYOUT : WATCHER;
        if (core.creditOf(holder) == 0) return;
        vm.prank(holder);
        core.collect();
        ++done[14];
    }

    // ---------------------------------------------------------------------------------------- books

    function credits() public view returns (uint256) {
        return
            uint256(core.creditOf(WATCHER)) + core.creditOf(HUB_PAYOUT) + core.creditOf(address(this))
                + core.creditOf(HUB);
    }

    /// What is owed by the latest final batch: balances and payables less what was paid, and deposits not honored.
    function owed() external view returns (uint256 sum) {
        Batch memory b = batchAt(latestFinal);
        for (uint32 p = 0; p < b.accounts.length; ++p) {
            (, uint64 paid, bool isExited) = core.payoutOf(p);
            if (!isExited) sum += uint64(b.accounts[p].balance);
            sum += b.accounts[p].payableMicro;
            sum -= paid;
        }
        for (uint64 entry = b.header.inboxTo; entry < core.inboxCount(); ++entry) {
            if (!_isReclaimed[entry]) sum += core.inboxEntry(entry).amount;
        }
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _pending(uint8 which) private view returns (uint64) {
        if (headSeq == latestFinal) return 0;
        return latestFinal + 1 + which % (headSeq - latestFinal);
    }

    /// All entries that are deep enough, at most a few.
    function _inboxTo(uint64 from) private view returns (uint64 to) {
        to = from;
        while (
            to < core.inboxCount() && vm.getBlockNumber() >= core.inboxEntry(to).blockNumber + DEPTH
                && to < from + 1_000
        ) {
            ++to;
        }
    }

    /// Deposits by participant, then a few readings and withdrawals; without deposits for a correction's readings.
    function _records(Batch memory parent, uint64 to, uint256 seed, bool isCorrection)
        private
        view
        returns (RecordWord[] memory records)
    {
        uint64 from = parent.header.inboxTo;
        RecordWord[] memory all = new RecordWord[](to - from + 3 * PARTICIPANTS);
        uint256 count = 0;
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            for (uint64 entry = from; entry < to; ++entry) {
                if (core.inboxEntry(entry).participant == p) all[count++] = rec(p, 0, uint16(entry - from), 0);
            }
            if (p > 0 && p >= 1 && seed >> p & 1 == 1 && p < parent.accounts.length) {
                int32 value = int32(uint32(seed >> (8 * p) & 0xff));
                if (isCorrection) value = -value;
                all[count++] = rec(p, FEED_IN, uint16(seed % SLOTS), value);
                all[count++] = rec(p, CONSUMPTION, uint16(seed % SLOTS), value / 2);
            }
            if (seed >> (40 + p) & 1 == 1) all[count++] = rec(p, WITHDRAWAL, 0, int32(uint32(seed % 500)));
        }
        if (count == 0) all[count++] = rec(0, WITHDRAWAL, 0, 0);
        records = new RecordWord[](count);
        for (uint256 i = 0; i < count; ++i) {
            records[i] = all[i];
        }
    }

    function _signatureFor(Batch memory b, RecordWord r) private view returns (bytes memory) {
        return r.isReading() ? meterSignature(r, b.header.period, b.header.run) : bytes("");
    }
}

/// @notice What holds after every call, whatever came before.
contract BatchInvariantsTest is BatchWorld {
    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    BatchHandler private _handler;
    IBatchSettlement private _core;
    address private _token;

    function setUp() public override {
        _handler = new BatchHandler();
        (_core, _token) = _handler.parts();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[20] memory calls = [
            BatchHandler.wait_.selector,
            BatchHandler.wait_.selector,
            BatchHandler.payIn.selector,
            BatchHandler.commitBatch.selector,
            BatchHandler.commitBatch.selector,
            BatchHandler.commitBatch.selector,
            BatchHandler.prove.selector,
            BatchHandler.demand.selector,
            BatchHandler.answerOrExpire.selector,
            BatchHandler.finalizeNext.selector,
            BatchHandler.finalizeNext.selector,
            BatchHandler.claim.selector,
            BatchHandler.publishSnapshot.selector,
            BatchHandler.bondMore.selector,
            BatchHandler.freeze.selector,
            BatchHandler.exit.selector,
            BatchHandler.reclaim.selector,
            BatchHandler.collect.selector,
            BatchHandler.force.selector,
            BatchHandler.acceptForced.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0].addr = address(_handler);
        targets[0].selectors = new bytes4[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            targets[0].selectors[i] = calls[i];
        }
    }

    /// The tokens that are here are escrow, bond, bonds of demands, credits and what was burned; nothing else.
    function invariant_tokensAreConserved() external view {
        (uint64 escrow,, uint64 burned,) = _core.sums();
        uint256 sum = uint256(escrow) + _core.bonded() + _handler.demandBonds() + _handler.credits() + burned;
        (, bytes memory held) = _token.staticcall(abi.encodeWithSignature("balanceOf(address)", address(_core)));
        vm.assertEq(abi.decode(held, (uint256)), sum, "tokens");
    }

    /// The escrow is what the latest final batch owes and what no batch honored, to the last unit: so nobody was paid twice
    /// by any order of exit, claim, freeze and reclaim, and nobody lost anything.
    function invariant_escrowIsWhatIsOwed() external view {
        (uint64 escrow,,,) = _core.sums();
        vm.assertEq(escrow, _handler.owed(), "escrow");
    }

    /// What was final stays, in the ring's order, and the core agrees where the ledger stands.
    function invariant_finalRootsNeverChange() external view {
        uint64 latest = _handler.latestFinal();
        vm.assertEq(_core.finalSeq(), latest, "final");
        for (uint64 seq = latest > 31 ? latest - 31 : 1; seq <= latest; ++seq) {
            vm.assertEq(_core.headerHashAt(seq), _handler.finalHashes(seq), "root");
        }
        (uint64 headSeq,,,,,) = _core.cursor();
        vm.assertEq(headSeq, _handler.headSeq(), "head");
    }

    /// Every pending batch is covered by the bond.
    function invariant_pendingBatchesAreBonded() external view {
        uint256 pending = _handler.headSeq() - _handler.latestFinal();
        vm.assertTrue(_core.bonded() >= SLASH_UNIT * pending, "bonded");
    }

    /// The calls are no idle ones: each of them does what it is there for, and what must hold does.
    function test_callsDoAllThatTheyCan() external {
        for (uint256 i = 0; i < 200; ++i) {
            uint256 seed = uint256(keccak256(abi.encode(i)));
            _handler.wait_(uint32(seed % 1 days));
            _handler.commitBatch(seed);
            _handler.demand(uint8(seed), uint8(seed >> 8), uint32(seed >> 16));
            _handler.answerOrExpire(uint16(seed >> 24), seed % 5 == 0);
            if (seed % 3 == 0) _handler.prove(uint8(seed >> 32));
            _handler.finalizeNext();
            _handler.claim(uint8(seed >> 40), uint8(seed >> 48));
            _handler.publishSnapshot();
            if (seed % 7 == 0) _handler.payIn(uint8(seed >> 56), uint64(seed >> 64));
            if (seed % 11 == 0) _handler.bondMore(uint64(seed >> 64));
            _handler.force(seed);
            _handler.acceptForced(uint8(seed >> 88));
            if (i > 160) {
                _handler.freeze(uint8(seed));
                _handler.exit(uint8(seed >> 72));
                _handler.reclaim(uint64(seed >> 80));
            }
            _handler.collect(seed % 2 == 0);
        }
        for (uint256 i = 0; i < 16; ++i) {
            vm.assertTrue(_handler.done(i) > 0, string.concat("call ", vm.toString(i)));
        }
        this.invariant_tokensAreConserved();
        this.invariant_escrowIsWhatIsOwed();
        this.invariant_finalRootsNeverChange();
        this.invariant_pendingBatchesAreBonded();
    }
}
