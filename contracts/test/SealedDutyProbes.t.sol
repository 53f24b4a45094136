// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { SealedWorld } from "./base/SealedWorld.sol";
import { Trees } from "./base/Trees.sol";
import { vm } from "./base/Vm.sol";

/// @notice An honest sealed ledger with a final batch, its snapshot, and a pending batch with open demands: no proof about the snapshot,
/// no false answer, no demand without a right, no early end of a demand and no reading that was settled before succeeds. A run makes 35 probes.
contract SealedDutyProbesTest is SealedWorld {
    address private constant STRANGER = address(0x5001);
    uint256 private constant PROBES = 35;
    uint256 private constant KINDS = 7;
    uint8 private constant RECORD = 0;
    uint8 private constant RECORD_ROW = 2;
    uint8 private constant ACCOUNT_ROW = 3;
    uint8 private constant RECORD_GROUP = 4;
    uint8 private constant ACCOUNT_GROUP = 5;
    /// A refused point evaluation burns the gas that it was given.
    uint256 private constant GAS = 3_000_000;

    bytes private _final;
    bytes private _pending;
    bytes private _snapshot;
    bytes32 private _state;
    uint256 private _seed;

    function setUp() public override {
        super.setUp();
        fund(STRANGER, 1 << 50);
        fund(AUDITOR, 1 << 50);
        for (uint32 p = 1; p < DORA; ++p) {
            fund(payoutOf(p), 1 << 50);
        }
        (, Batch memory a, Blob memory blobA) = firstSealed();
        showSection(a, blobA, ANNA);
        showSection(a, blobA, BERT);
        vm.warp(a.header.committedAt + 9 days);
        core.finalize(a.header);
        vm.warp(vm.getBlockTimestamp() + 10 days);
        Blob memory snapshot = blobOf(accountHashes(a));
        vm.blobhashes(snapshot.versionedHashes);
        vm.prank(HUB);
        duty.commitSnapshot(a.header, 0, "");
        Batch memory b = salted(build(a, 2, 0, nextRecords(), a.header.inboxTo));
        Blob memory blobB = commitSealed(a, b);
        showSection(b, blobB, ANNA);
        vm.startPrank(STRANGER);
        for (uint8 kind = RECORD_ROW; kind <= ACCOUNT_GROUP; ++kind) {
            demands.demand(b.header, kind, 0);
        }
        vm.stopPrank();
        (_final, _pending, _snapshot) = (abi.encode(a), abi.encode(b), abi.encode(snapshot));
        _state = _stateNow();
    }

    function test_sealedDutyProbes_noneSucceeds(uint256 seed) public {
        _seed = seed;
        for (uint256 i = 0; i < PROBES; ++i) {
            _probe(_random(KINDS));
        }
        vm.assertEq(_stateNow(), _state, "nothing changed");
    }

    /// Proofs about the snapshot are judged by the rule, and not refused before it.
    function test_sealedDutyProbes_areJudged() public {
        uint256 judged = 0;
        for (uint256 i = 0; i < 100; ++i) {
            if (_probe(0) == IBatchSettlement.NotFraud.selector) ++judged;
        }
        vm.assertTrue(judged > 25, "idle probes");
    }

    function _probe(uint256 kind) private returns (bytes4) {
        Batch memory b = abi.decode(_pending, (Batch));
        address caller = STRANGER;
        address to = kind == 0 || kind == 5 ? address(duty) : address(demands);
        bytes memory call;
        if (kind == 0) call = _ofSnapshot();
        else if (kind == 1) call = _group(b);
        else if (kind == 2) call = _row(b);
        else if (kind == 3) (caller, call) = _recordOf(b);
        else if (kind == 4) call = _ended(b);
        else if (kind == 5) call = _forced();
        else call = _sectionOf(b);
        vm.prank(caller);
        (bool isDone, bytes memory answer) = to.call{ gas: GAS }(call);
        vm.assertTrue(!isDone, "a probe succeeded");
        return bytes4(answer);
    }

    function _ofSnapshot() private returns (bytes memory) {
        Batch memory b = abi.decode(_random(8) == 0 ? _pending : _final, (Batch));
        Blob memory blob = abi.decode(_snapshot, (Blob));
        uint32 number = uint32(_random(PARTICIPANTS));
        bytes32 leaf = accountHashes(b)[_random(8) == 0 ? _random(PARTICIPANTS) : number];
        if (_random(8) > 0) return _opened(b, blob, number, leaf);
        bytes memory data = abi.encodePacked(_random(2) == 0 ? blob.versionedHashes : blob.elements);
        return abi.encodeCall(
            duty.proveSealedSnapshotCalldata, (b.header, _part(), number, leaf, b.accounts[number].path, data)
        );
    }

    function _opened(Batch memory b, Blob memory blob, uint32 number, bytes32 leaf) private returns (bytes memory) {
        uint256 e = _random(8) == 0 ? _random(PARTICIPANTS) : number;
        if (_random(10) == 0) blob.elements[e] ^= bytes32(1 << _random(256));
        return abi.encodeCall(
            duty.proveSealedSnapshot,
            (
                b.header,
                _part(),
                number,
                leaf,
                b.accounts[number].path,
                blob.versionedHashes,
                blob.elements[e],
                blob.commitment,
                blob.proofs[e]
            )
        );
    }

    /// The snapshot has one part.
    function _part() private returns (uint8) {
        return _random(10) == 0 ? uint8(_random(256)) : 0;
    }

    /// Leaves of a group that are not all that it has, or not where they are.
    function _group(Batch memory b) private returns (bytes memory) {
        bool isRecords = _random(2) == 0;
        uint8 kind = isRecords ? RECORD_GROUP : ACCOUNT_GROUP;
        bytes32[] memory hashes = isRecords ? leafHashes(b) : accountHashes(b);
        bytes32[] memory path = new bytes32[](0);
        uint32 group = 0;
        uint256 way = _random(5);
        if (way == 0) hashes[_random(hashes.length)] ^= bytes32(1 << _random(256));
        else if (way == 1) hashes = _cut(hashes, hashes.length - 1);
        else if (way == 2) (path = new bytes32[](1))[0] = hashes[0];
        else if (way == 3) hashes = isRecords ? accountHashes(b) : leafHashes(b);
        else group = 1 + uint32(_random(1 << 24));
        return abi.encodeCall(demands.answerSealedGroup, (b.header, kind, group, hashes, path));
    }

    function _row(Batch memory b) private returns (bytes memory) {
        bool isRecords = _random(2) == 0;
        bytes32[] memory row = Trees.row(isRecords ? leafHashes(b) : accountHashes(b));
        uint256 way = _random(3);
        if (way == 0) row[0] ^= bytes32(1 << _random(256));
        else if (way == 1) row = new bytes32[](0);
        else row = isRecords ? accountHashes(b) : leafHashes(b);
        return abi.encodeCall(demands.answerRow, (b.header, isRecords ? RECORD_ROW : ACCOUNT_ROW, row));
    }

    /// Somebody else asks for a record of Anna, or Anna for one that is not hers, or of a section that nobody showed.
    function _recordOf(Batch memory b) private returns (address caller, bytes memory call) {
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        uint32 index = from + uint32(_random(count));
        uint32 number = ANNA;
        caller = payoutOf(ANNA);
        uint256 way = _random(3);
        if (way == 0) caller = [STRANGER, HUB, payoutOf(BERT), payoutOf(CARL)][_random(4)];
        else if (way == 1) index = from + count + uint32(_random(1 << 20));
        else (number, caller) = (2 + uint32(_random(3)), AUDITOR);
        call = abi.encodeCall(demands.demandRecordOf, (b.header, number, index));
    }

    /// No demand has ended: neither for who asked nor for the hub.
    function _ended(Batch memory b) private returns (bytes memory) {
        uint8 kind = uint8(_random(8));
        uint32 index = _random(4) == 0 ? uint32(_random(1 << 20)) : 0;
        if (_random(2) == 0) return abi.encodeCall(demands.settleDemand, (b.header, kind, index));
        Batch memory a = abi.decode(_final, (Batch));
        return abi.encodeCall(demands.expire, (b.header, _random(8) == 0 ? b.header : a.header, kind, index));
    }

    /// A reading that the final batch has, whatever is shown beside it.
    function _forced() private returns (bytes memory) {
        Batch memory a = abi.decode(_final, (Batch));
        uint32[5] memory readings = [uint32(2), 3, 4, 7, 8];
        RecordWord r = a.leaves[readings[_random(5)]].record;
        IBatchSettlement.Leaf memory left = _random(5) == 0 ? noLeaf() : a.leaves[_random(a.leaves.length)];
        IBatchSettlement.Leaf memory right = _random(5) == 0 ? noLeaf() : a.leaves[_random(a.leaves.length)];
        if (_random(2) == 0 && left.index < a.leaves.length - 1) right = a.leaves[left.index + 1];
        IBatchSettlement.Header memory parent;
        return
            abi.encodeCall(
                duty.forceReading, (a.header, parent, 1, left, right, r, meterSignature(r, 1, 0), tableBytes)
            );
    }

    /// The section of Bert was never shown: an answer to it, or a proof about it, has nothing to stand on.
    function _sectionOf(Batch memory b) private returns (bytes memory) {
        Blob memory blob = abi.decode(_snapshot, (Blob));
        (uint32 from, uint32 count) = rangeOf(b, BERT);
        if (_random(2) == 0) {
            uint32 other = uint32(_random(PARTICIPANTS + 2));
            return
                abi.encodeCall(demands.proveSectionsApart, (b.header, abi.decode(_final, (Batch)).header, BERT, other));
        }
        return abi.encodeCall(
            demands.answerSection,
            (
                b.header,
                BERT,
                from,
                hashesIn(b, from, count),
                rangePath(leafHashes(b), from, count),
                blob.versionedHashes,
                blob.commitment,
                blob.proofs[BERT]
            )
        );
    }

    function _cut(bytes32[] memory hashes, uint256 length) private pure returns (bytes32[] memory cut) {
        cut = new bytes32[](length);
        for (uint256 i = 0; i < length; ++i) {
            cut[i] = hashes[i];
        }
    }

    function _random(uint256 below) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % below;
    }

    function _stateNow() private view returns (bytes32) {
        (uint64 headSeq, uint64 inboxTo,,,,) = core.cursor();
        bytes32 duties = keccak256(abi.encode(duty.snapshot(), core.snapshotAt(), core.openForcedCount()));
        return keccak256(abi.encode(headSeq, inboxTo, core.bonded(), core.headerHashAt(headSeq), duties));
    }
}
