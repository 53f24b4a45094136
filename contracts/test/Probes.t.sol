// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { BatchWorld } from "./base/BatchWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice Every proof against honest batches, with leaves, accounts, entries and headers taken at random from any of
/// them, right and wrong paths, right and wrong neighbours: none succeeds. A run makes 40 probes.
contract ProbesTest is BatchWorld {
    uint256 private constant PROBES = 40;
    uint256 private constant BATCHES = 5;

    bytes[] private _batches;
    bytes32 private _cursor;
    uint256 private _seed;

    function setUp() public override {
        super.setUp();
        (Batch memory parent, Batch memory a) = first();
        vm.prank(payoutOf(ANNA));
        core.requestExit(ANNA);
        core.deposit(BERT, FUNDS);
        core.deposit(0, FUNDS);
        deepen();
        vm.warp(startOf(3));
        RecordWord[] memory r = new RecordWord[](6);
        r[0] = rec(0, 0, 2, 0);
        r[1] = rec(0, WITHDRAWAL, 0, 77);
        r[2] = rec(ANNA, FEED_IN, 3, 900);
        r[3] = rec(ANNA, WITHDRAWAL, 0, int32((a.accounts[ANNA].balance + 90_000) / 10_000));
        r[4] = rec(BERT, 0, 1, 0);
        r[5] = rec(BERT, CONSUMPTION, NEGATIVE_SLOT, 4_000);
        Batch memory b = build(a, 2, 0, r, 8);
        vm.assertTrue(b.accounts[ANNA].balance >= 0 && b.accounts[ANNA].balance < 10_000, "the exit is honored");
        commit(a, b);
        Batch memory c = next(b, 3);
        Batch memory d = correction(c, 1);
        _keep(parent);
        _keep(a);
        _keep(b);
        _keep(c);
        _keep(d);
        _cursor = _stateOfCore();
    }

    function test_probes_noneSucceeds(uint256 seed) public {
        _seed = seed;
        for (uint256 i = 0; i < PROBES; ++i) {
            _probe();
        }
        vm.assertEq(_stateOfCore(), _cursor, "nothing changed");
    }

    /// The same probes are no idle ones: with one number changed, the right one of them does succeed.
    function test_probes_canSucceed() public {
        Batch memory d = _kept(4);
        Batch memory e = build(d, 4, 0, nextRecords(), d.header.inboxTo);
        vm.warp(startOf(5));
        e.leaves[1].amount += 1;
        seal(e);
        commit(d, e);
        fraud.proveRecord(e.header, d.header, e.leaves[1], tableBytes);
    }

    function _probe() private {
        uint256 index = 1 + _random(BATCHES - 1);
        Batch memory b = _kept(index);
        Batch memory parent = _kept(_random(8) == 0 ? _random(BATCHES) : index - 1);
        bytes memory call = _call(b, parent, _random(11));
        address prover = bytes4(call) == duty.proveForced.selector ? address(duty) : address(fraud);
        (bool isDone,) = prover.call(call);
        vm.assertTrue(!isDone, "an honest batch fell");
    }

    function _call(Batch memory b, Batch memory parent, uint256 kind) private returns (bytes memory) {
        IBatchSettlement.Header memory h = b.header;
        IBatchSettlement.Header memory p = parent.header;
        IBatchSettlement.Leaf memory l = _leaf(b);
        if (kind == 0) return abi.encodeCall(fraud.proveRecord, (h, p, l, tableBytes));
        if (kind == 1) return abi.encodeCall(fraud.provePair, (h, p, l, _after(b, l)));
        if (kind == 2) return abi.encodeCall(fraud.proveEdge, (h, p, l));
        if (kind == 3) {
            IBatchSettlement.Account memory old = _account(parent, l.record.participant());
            return abi.encodeCall(fraud.proveOpening, (h, p, l, _before(b, l), old));
        }
        if (kind == 4 || kind == 5) {
            uint32 number = uint32(_random(PARTICIPANTS));
            (IBatchSettlement.Leaf memory last, IBatchSettlement.Leaf memory after_) = around(b, number);
            if (kind == 5) (last, after_) = (l, _after(b, l));
            return
                abi.encodeCall(fraud.proveAccount, (h, p, _account(b, number), _account(parent, number), last, after_));
        }
        if (kind == 6) return abi.encodeCall(fraud.proveCalldata, (h, p, l, b.data));
        if (kind == 7) {
            return abi.encodeCall(
                fraud.proveBlob, (h, p, l, new bytes32[](1), bytes32(_random(type(uint256).max)), new bytes(48), "")
            );
        }
        uint64 entry = uint64(_random(9));
        if (kind == 8) return abi.encodeCall(fraud.proveDepositOmitted, (h, p, entry, _before(b, l), l));
        if (kind == 9) {
            uint32 number = uint32(_random(PARTICIPANTS));
            return abi.encodeCall(fraud.proveExitIgnored, (h, p, entry, _account(b, number), _account(parent, number)));
        }
        return abi.encodeCall(duty.proveForced, (h, p, l));
    }

    /// Mostly a leaf of the batch; else one of another, one moved, none, or one with a number changed.
    function _leaf(Batch memory b) private returns (IBatchSettlement.Leaf memory l) {
        uint256 way = _random(12);
        if (way == 0) return noLeaf();
        if (way == 1) b = _kept(1 + _random(BATCHES - 1));
        l = b.leaves[_random(b.leaves.length)];
        if (way == 2) l.index = uint32(_random(b.leaves.length + 2));
        if (way == 3) l.amount = int64(uint64(_random(type(uint64).max)));
        if (way == 4) l.hubAfter = int64(uint64(_random(type(uint64).max)));
        if (way == 5) l.path = new bytes32[](_random(6));
    }

    function _after(Batch memory b, IBatchSettlement.Leaf memory l) private returns (IBatchSettlement.Leaf memory) {
        if (_random(6) == 0) return _leaf(b);
        return uint256(l.index) + 1 < b.leaves.length ? b.leaves[l.index + 1] : noLeaf();
    }

    function _before(Batch memory b, IBatchSettlement.Leaf memory l) private returns (IBatchSettlement.Leaf memory) {
        if (_random(6) == 0) return _leaf(b);
        return l.index > 0 && l.index < b.leaves.length ? b.leaves[l.index - 1] : noLeaf();
    }

    function _account(Batch memory b, uint32 number) private returns (IBatchSettlement.Account memory a) {
        if (_random(8) == 0) b = _kept(_random(BATCHES));
        if (_random(8) == 0) number = uint32(_random(PARTICIPANTS));
        a = accountIn(b, number);
        if (_random(8) == 0) a.balance = int64(uint64(_random(type(uint64).max)));
    }

    function _random(uint256 below) private returns (uint256) {
        _seed = uint256(keccak256(abi.encode(_seed)));
        return _seed % below;
    }

    function _keep(Batch memory b) private {
        _batches.push(abi.encode(b));
    }

    function _kept(uint256 i) private view returns (Batch memory) {
        return abi.decode(_batches[i], (Batch));
    }

    function _stateOfCore() private view returns (bytes32) {
        (uint64 headSeq, uint64 inboxTo,,,,) = core.cursor();
        return keccak256(abi.encode(headSeq, inboxTo, core.bonded(), core.headerHashAt(headSeq)));
    }
}
