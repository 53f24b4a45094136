// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { SealedWorld } from "./base/SealedWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice Every proof, and false answers, against honest sealed batches whose sections were shown, with leaves, accounts, sections, entries and
/// openings taken at random from any of them, right ones and changed ones: none succeeds. A run makes 34 probes.
contract SealedProbesTest is SealedWorld {
    uint256 private constant PROBES = 34;
    uint256 private constant KINDS = 17;
    uint256 private constant BATCHES = 4;
    /// A refused point evaluation burns the gas that it was given.
    uint256 private constant GAS = 3_000_000;

    bytes[] private _batches;
    bytes[] private _blobs;
    bytes32 private _state;
    uint256 private _seed;

    function setUp() public override {
        super.setUp();
        fund(AUDITOR, 1 << 50);
        for (uint32 p = 1; p < DORA; ++p) {
            fund(payoutOf(p), 1 << 50);
        }
        (Batch memory parent, Batch memory a, Blob memory blobA) = firstSealed();
        vm.prank(payoutOf(ANNA));
        core.requestExit(ANNA);
        core.deposit(BERT, FUNDS);
        deepen();
        vm.warp(startOf(3));
        RecordWord[] memory r = new RecordWord[](5);
        r[0] = rec(0, WITHDRAWAL, 0, 77);
        r[1] = rec(ANNA, FEED_IN, 3, 900);
        r[2] = rec(ANNA, WITHDRAWAL, 0, int32((a.accounts[ANNA].balance + 90_000) / 10_000));
        r[3] = rec(BERT, 0, 1, 0);
        r[4] = rec(BERT, CONSUMPTION, NEGATIVE_SLOT, 4_000);
        Batch memory b = salted(build(a, 2, 0, r, 7));
        vm.assertTrue(b.accounts[ANNA].balance >= 0 && b.accounts[ANNA].balance < 10_000, "the exit is honored");
        Blob memory blobB = commitSealed(a, b);
        r = new RecordWord[](2);
        r[0] = rec(ANNA, FEED_IN, 0, 30);
        r[1] = rec(BERT, CONSUMPTION, 95, -20);
        Batch memory c = salted(build(b, 1, 1, r, 7));
        Blob memory blobC = commitSealed(b, c);
        _keep(parent, blobA);
        _keep(a, blobA);
        _keep(b, blobB);
        _keep(c, blobC);
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            showSection(a, blobA, p);
            showSection(b, blobB, p);
            // Of the last one not all are known.
            if (p != CARL) showSection(c, blobC, p);
        }
        demandSection(c, CARL);
        _state = _stateOfCore();
    }

    function test_sealedProbes_noneSucceeds(uint256 seed) public {
        _seed = seed;
        for (uint256 i = 0; i < PROBES; ++i) {
            _probe(_random(KINDS));
        }
        vm.assertEq(_stateOfCore(), _state, "nothing changed");
    }

    /// Most probes are judged by the rule, and not refused before it.
    function test_sealedProbes_areJudged() public {
        uint256 judged = 0;
        for (uint256 i = 0; i < 20 * KINDS; ++i) {
            if (_probe(i % KINDS) == IBatchSettlement.NotFraud.selector) ++judged;
        }
        vm.assertTrue(judged > 5 * KINDS, "idle probes");
    }

    function _probe(uint256 kind) private returns (bytes4) {
        uint256 index = 1 + _random(BATCHES - 1);
        Batch memory b = _kept(index);
        Batch memory parent = _kept(_random(10) == 0 ? _random(BATCHES) : index - 1);
        (address to, bytes memory call) = kind < 10 ? _ofBatch(b, parent, kind) : _ofSections(b, parent, index, kind);
        (bool isDone, bytes memory answer) = to.call{ gas: GAS }(call);
        vm.assertTrue(!isDone, "an honest batch fell");
        return bytes4(answer);
    }

    function _ofBatch(Batch memory b, Batch memory parent, uint256 kind) private returns (address, bytes memory) {
        if (kind == 8) return (address(duty), abi.encodeCall(duty.proveForced, (b.header, parent.header, _leaf(b))));
        if (kind < 4) return (address(fraud), _ofRecords(b, parent, kind));
        uint32 number = uint32(_random(PARTICIPANTS));
        if (kind == 4) return (address(fraud), _accountOf(b, parent, number));
        if (kind == 5) return (address(fraud), _depositOmitted(b, parent));
        if (kind == 6) return (address(fraud), _exitIgnored(b, parent, number));
        if (kind == 9) return (address(fraud), _openBlob(b, parent));
        return (address(fraud), abi.encodeCall(fraud.proveCalldata, (b.header, parent.header, _leaf(b), b.data)));
    }

    function _ofRecords(Batch memory b, Batch memory parent, uint256 kind) private returns (bytes memory) {
        IBatchSettlement.Leaf memory l = _leaf(b);
        if (kind == 0) return abi.encodeCall(fraud.proveRecord, (b.header, parent.header, l, tableBytes));
        if (kind == 1) return abi.encodeCall(fraud.provePair, (b.header, parent.header, l, _after(b, l)));
        if (kind == 2) return abi.encodeCall(fraud.proveEdge, (b.header, parent.header, l));
        IBatchSettlement.Leaf memory previous = _before(b, l);
        IBatchSettlement.Account memory old = _account(parent, l.record.participant());
        return abi.encodeCall(fraud.proveOpening, (b.header, parent.header, l, previous, old));
    }

    function _depositOmitted(Batch memory b, Batch memory parent) private returns (bytes memory) {
        IBatchSettlement.Leaf memory l = _leaf(b);
        IBatchSettlement.Leaf memory previous = _before(b, l);
        return abi.encodeCall(fraud.proveDepositOmitted, (b.header, parent.header, uint64(_random(8)), previous, l));
    }

    function _exitIgnored(Batch memory b, Batch memory parent, uint32 number) private returns (bytes memory) {
        uint64 entry = uint64(_random(8));
        if (_random(2) == 0) (number, entry) = (ANNA, PARTICIPANTS);
        IBatchSettlement.Account memory current = _account(b, number);
        IBatchSettlement.Account memory old = _account(parent, number);
        return abi.encodeCall(fraud.proveExitIgnored, (b.header, parent.header, entry, current, old));
    }

    /// What an open batch publishes is no evidence against a sealed one.
    function _openBlob(Batch memory b, Batch memory parent) private returns (bytes memory) {
        Blob memory blob = _blob(1 + _random(BATCHES - 1));
        uint256 e = _random(blob.elements.length);
        IBatchSettlement.Leaf memory l = _leaf(b);
        return abi.encodeCall(
            fraud.proveBlob,
            (b.header, parent.header, l, blob.versionedHashes, blob.elements[e], blob.commitment, blob.proofs[e])
        );
    }

    function _ofSections(Batch memory b, Batch memory parent, uint256 index, uint256 kind)
        private
        returns (address, bytes memory)
    {
        uint32 number = uint32(_random(PARTICIPANTS));
        if (kind == 10) return (address(fraud), _sealedAccount(b, parent.header, index, number));
        if (kind == 11) return (address(demands), _sectionOpening(b, parent, number));
        if (kind == 12) return (address(demands), _sectionAccount(b, parent, number));
        if (kind == 13) {
            IBatchSettlement.Leaf memory l = _leaf(b);
            return (address(demands), abi.encodeCall(demands.proveSectionForeign, (b.header, parent.header, number, l)));
        }
        if (kind == 14) return (address(demands), _apart(b, parent, number));
        if (kind == 16) return (address(demands), _falseSection(_kept(3), _blob(3)));
        return (address(demands), _sectionDeposit(b, parent));
    }

    function _sectionOpening(Batch memory b, Batch memory parent, uint32 number) private returns (bytes memory) {
        (uint32 from, uint32 count) = rangeOf(b, number);
        IBatchSettlement.Leaf memory l = count > 0 && _random(4) > 0 ? b.leaves[from] : _leaf(b);
        IBatchSettlement.Account memory old = _account(parent, l.record.participant());
        return abi.encodeCall(demands.proveSectionOpening, (b.header, parent.header, l, old));
    }

    /// Carl has no record in the last batch: whatever is shown as his section is not.
    function _falseSection(Batch memory c, Blob memory blob) private returns (bytes memory) {
        uint32 from = uint32(_random(c.leaves.length));
        uint32 count = 1 + uint32(_random(c.leaves.length - from));
        bytes32[] memory hashes = hashesIn(c, from, count);
        bytes32[] memory path = rangePath(leafHashes(c), from, count);
        uint256 e = _random(3) == 0 ? _random(blob.elements.length) : CARL;
        return abi.encodeCall(
            demands.answerSection,
            (c.header, CARL, from, hashes, path, blob.versionedHashes, blob.commitment, blob.proofs[e])
        );
    }

    function _apart(Batch memory b, Batch memory parent, uint32 number) private returns (bytes memory) {
        uint32 left = _random(4) == 0 ? NONE : number;
        uint32 right = uint32(_random(PARTICIPANTS + 2));
        return abi.encodeCall(demands.proveSectionsApart, (b.header, parent.header, left, right));
    }

    function _sectionDeposit(Batch memory b, Batch memory parent) private returns (bytes memory) {
        IBatchSettlement.Leaf memory l = _leaf(b);
        IBatchSettlement.Leaf memory previous = _before(b, l);
        if (_random(4) == 0) (previous, l) = (l, noLeaf());
        return abi.encodeCall(demands.proveSectionDeposit, (b.header, parent.header, uint64(_random(8)), previous, l));
    }

    function _accountOf(Batch memory b, Batch memory parent, uint32 number) private returns (bytes memory) {
        (IBatchSettlement.Leaf memory last, IBatchSettlement.Leaf memory after_) = around(b, number);
        IBatchSettlement.Account memory current = _account(b, number);
        IBatchSettlement.Account memory old = _account(parent, number);
        return abi.encodeCall(fraud.proveAccount, (b.header, parent.header, current, old, last, after_));
    }

    function _sectionAccount(Batch memory b, Batch memory parent, uint32 number) private returns (bytes memory) {
        (uint32 from, uint32 count) = rangeOf(b, number);
        IBatchSettlement.Leaf memory last = count == 0 ? noLeaf() : b.leaves[from + count - 1];
        if (_random(6) == 0) last = _leaf(b);
        IBatchSettlement.Account memory current = _account(b, number);
        IBatchSettlement.Account memory old = _account(parent, number);
        return abi.encodeCall(demands.proveSectionAccount, (b.header, parent.header, current, old, last));
    }

    function _sealedAccount(Batch memory b, IBatchSettlement.Header memory parent, uint256 index, uint32 number)
        private
        returns (bytes memory)
    {
        Blob memory blob = _blob(_random(8) == 0 ? 1 + _random(BATCHES - 1) : index);
        uint256 e = _random(8) == 0 ? _random(blob.elements.length) : PARTICIPANTS + number;
        bytes32 element = _random(10) == 0 ? bytes32(uint256(blob.elements[e]) ^ 1) : blob.elements[e];
        bytes32 leaf = _random(10) == 0 ? blob.elements[e] : accountHashes(b)[number];
        return abi.encodeCall(
            fraud.proveSealedAccount,
            (
                b.header,
                parent,
                number,
                leaf,
                b.accounts[number].path,
                blob.versionedHashes,
                element,
                blob.commitment,
                blob.proofs[e]
            )
        );
    }

    /// Mostly a leaf of the batch; else one of another, one moved, none, or one with a number or the salt changed.
    function _leaf(Batch memory b) private returns (IBatchSettlement.Leaf memory l) {
        uint256 way = _random(20);
        if (way == 0) return noLeaf();
        if (way == 1) b = _kept(1 + _random(BATCHES - 1));
        l = b.leaves[_random(b.leaves.length)];
        if (way == 2) l.index = uint32(_random(b.leaves.length + 2));
        if (way == 3) l.amount = int64(uint64(_random(type(uint64).max)));
        if (way == 4) l.hubAfter = int64(uint64(_random(type(uint64).max)));
        if (way == 5) l.path = new bytes32[](_random(6));
        if (way == 6) l.salt = bytes16(uint128(_random(type(uint128).max)));
    }

    function _after(Batch memory b, IBatchSettlement.Leaf memory l) private returns (IBatchSettlement.Leaf memory) {
        if (_random(10) == 0) return _leaf(b);
        return uint256(l.index) + 1 < b.leaves.length ? b.leaves[l.index + 1] : noLeaf();
    }

    function _before(Batch memory b, IBatchSettlement.Leaf memory l) private returns (IBatchSettlement.Leaf memory) {
        if (_random(10) == 0) return _leaf(b);
        return l.index > 0 && l.index < b.leaves.length ? b.leaves[l.index - 1] : noLeaf();
    }

    function _account(Batch memory b, uint32 number) private returns (IBatchSettlement.Account memory a) {
        if (_random(12) == 0) b = _kept(_random(BATCHES));
        if (_random(12) == 0) number = uint32(_random(PARTICIPANTS));
        a = accountIn(b, number);
        if (_random(12) == 0) a.balance = int64(uint64(_random(type(uint64).max)));
        if (_random(12) == 0) a.salt = bytes16(uint128(_random(type(uint128).max)));
    }

    function _random(uint256 below) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % below;
    }

    function _keep(Batch memory b, Blob memory blob) private {
        _batches.push(abi.encode(b));
        _blobs.push(abi.encode(blob));
    }

    function _kept(uint256 i) private view returns (Batch memory) {
        return abi.decode(_batches[i], (Batch));
    }

    function _blob(uint256 i) private view returns (Blob memory) {
        return abi.decode(_blobs[i], (Blob));
    }

    function _stateOfCore() private view returns (bytes32) {
        (uint64 headSeq, uint64 inboxTo,,,,) = core.cursor();
        return keccak256(abi.encode(headSeq, inboxTo, core.bonded(), core.headerHashAt(headSeq)));
    }
}
