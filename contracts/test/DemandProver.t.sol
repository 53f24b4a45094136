// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { IDemandProver } from "../src/IDemandProver.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { BatchWorld } from "./base/BatchWorld.sol";
import { Trees } from "./base/Trees.sol";
import { vm } from "./base/Vm.sol";

/// @notice Demands, their answers, and what happens without.
contract DemandProverTest is BatchWorld {
    address private constant WATCHER = address(0x5001);
    uint8 private constant RECORD = 0;
    uint8 private constant ACCOUNT = 1;
    uint8 private constant RECORD_ROW = 2;
    uint8 private constant ACCOUNT_ROW = 3;
    uint8 private constant RECORD_GROUP = 4;
    uint8 private constant ACCOUNT_GROUP = 5;

    function setUp() public override {
        super.setUp();
        fund(WATCHER, 1 << 60);
    }

    // ---------------------------------------------------------------------------------------- demand

    function test_demand_reverts() public {
        (, Batch memory b) = first();
        Batch memory other = copy(b);
        other.header.part = 1;
        expect(IBatchSettlement.NotPending.selector, 1);
        demands.demand(other.header, RECORD, 0);
        _demand(b, RECORD, 3);
        expect(IDemandProver.AlreadyDemanded.selector, RECORD, 3);
        demands.demand(b.header, RECORD, 3);
        vm.warp(b.header.committedAt + 7 days - 1);
        _demand(b, RECORD, 4);
        vm.warp(b.header.committedAt + 7 days);
        expect(IDemandProver.DemandClosed.selector, b.header.committedAt + 7 days);
        demands.demand(b.header, RECORD, 5);
    }

    /// A demand that nobody could answer cannot be made.
    function test_demand_revertsIfKindOrIndexIsUnknown(uint8 kind, uint32 index) public {
        (, Batch memory b) = first();
        uint32[6] memory sizes = [uint32(13), PARTICIPANTS, 1, 1, 1, 1];
        if (kind < 6) index = uint32(bound(index, sizes[kind], type(uint32).max));
        expect(IDemandProver.BadDemand.selector, kind, index);
        demands.demand(b.header, kind, index);
    }

    function test_demand_bonds() public {
        (, Batch memory b) = first();
        vm.assertEq(demands.bondFor(hashOf(b), RECORD), DEMAND_BOND, "leaf");
        vm.assertEq(demands.bondFor(hashOf(b), RECORD_ROW), 8 * DEMAND_BOND, "row");
        for (uint32 i = 0; i < 13; ++i) {
            _demand(b, RECORD, i);
        }
        for (uint32 i = 0; i < 3; ++i) {
            _demand(b, ACCOUNT, i);
        }
        vm.assertEq(token.balanceOf(address(core)), BOND + 5 * FUNDS + 16 * DEMAND_BOND, "bonds");
        vm.assertEq(demands.bondFor(hashOf(b), ACCOUNT), 2 * DEMAND_BOND, "doubled");
        vm.assertEq(demands.bondFor(hashOf(b), ACCOUNT_GROUP), 16 * DEMAND_BOND, "doubled");
        (uint32 open,,) = core.demandsOn(hashOf(b));
        vm.assertEq(open, 16, "open");
    }

    /// The reward of one proof pays the next demand.
    function test_demand_drawsOnCreditFirst() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        Batch memory wrong = copy(b);
        wrong.header.hubBalance += 1;
        commit(parent, wrong);
        vm.prank(WATCHER);
        fraud.proveEdge(wrong.header, parent.header, wrong.leaves[12]);
        vm.warp(vm.getBlockTimestamp() + 1);
        commit(parent, b);
        uint256 before = token.balanceOf(WATCHER);
        _demand(b, RECORD, 0);
        vm.assertEq(token.balanceOf(WATCHER), before, "no token moved");
        vm.assertEq(core.creditOf(WATCHER), SLASH_UNIT / 2 - DEMAND_BOND, "credit");
    }

    // ---------------------------------------------------------------------------------------- answers

    function test_answer_revertsWithoutDemand() public {
        (, Batch memory b) = first();
        expect(IDemandProver.NoDemand.selector, RECORD, 2);
        demands.answerRecord(b.header, b.leaves[2], "");
        expect(IDemandProver.NoDemand.selector, ACCOUNT, 2);
        demands.answerAccount(b.header, b.accounts[2]);
        expect(IDemandProver.NoDemand.selector, RECORD_ROW, 0);
        demands.answerRow(b.header, RECORD_ROW, new bytes32[](1));
        expect(IDemandProver.NoDemand.selector, RECORD_GROUP, 0);
        demands.answerGroup(b.header, RECORD_GROUP, 0, "", new bytes32[](0));
        expect(IDemandProver.BadDemand.selector, RECORD, 0);
        demands.answerRow(b.header, RECORD, new bytes32[](1));
        expect(IDemandProver.BadDemand.selector, RECORD_ROW, 0);
        demands.answerGroup(b.header, RECORD_ROW, 0, "", new bytes32[](0));
        vm.prank(address(this));
        expect(IDemandProver.NoDemand.selector, RECORD, 2);
        demands.expire(b.header, genesis().header, RECORD, 2);
    }

    function test_answerRecord_meters() public {
        (, Batch memory b) = first();
        for (uint32 i = 0; i < b.leaves.length; ++i) {
            _demand(b, RECORD, i);
        }
        for (uint32 i = 0; i < b.leaves.length; ++i) {
            RecordWord r = b.leaves[i].record;
            bytes memory proof = r.isReading() ? meterSignature(r, 1, 0) : bytes("");
            vm.expectEmit(address(demands));
            emit IDemandProver.Answered(1, RECORD, i);
            demands.answerRecord(b.header, b.leaves[i], proof);
            expect(IDemandProver.NoDemand.selector, RECORD, i);
            demands.answerRecord(b.header, b.leaves[i], proof);
            // An answered demand cannot be opened again.
            expect(IDemandProver.AlreadyDemanded.selector, RECORD, i);
            demands.demand(b.header, RECORD, i);
        }
        (uint32 open, uint40 lastAnswerAt,) = core.demandsOn(hashOf(b));
        vm.assertEq(open, 0, "open");
        vm.assertEq(lastAnswerAt, vm.getBlockTimestamp(), "answered");
    }

    function test_answerRecord_revertsIfSignatureIsWrong() public {
        (, Batch memory b) = first();
        _demand(b, RECORD, 2);
        _demand(b, RECORD, 10);
        RecordWord r = b.leaves[2].record;
        bytes memory good = meterSignature(r, 1, 0);
        bytes memory high = _highS(good);
        bytes[6] memory bad = [
            bytes(""),
            signature(METER_KEY + BERT, r, 1, 0),
            signature(OPERATOR_KEY, r, 1, 0),
            signature(METER_KEY + ANNA, r, 2, 0),
            high,
            bytes.concat(good, hex"00")
        ];
        for (uint256 i = 0; i < bad.length; ++i) {
            expect(IBatchSettlement.BadSignature.selector);
            demands.answerRecord(b.header, b.leaves[2], bad[i]);
        }
        // Carl's key is on P-256: one of another reading, one on the other curve.
        bytes memory another = meterSignature(b.leaves[11].record, 1, 0);
        expect(IBatchSettlement.BadSignature.selector);
        demands.answerRecord(b.header, b.leaves[10], another);
        another = signature(METER_KEY + CARL, b.leaves[10].record, 1, 0);
        expect(IBatchSettlement.BadSignature.selector);
        demands.answerRecord(b.header, b.leaves[10], another);
        IBatchSettlement.Leaf memory l = copy(b).leaves[2];
        l.amount += 1;
        expect(IBatchSettlement.BadPath.selector, 2);
        demands.answerRecord(b.header, l, good);
        demands.answerRecord(b.header, b.leaves[2], good);
    }

    /// In a correction run the operator's word counts, and the meter's with the run in it.
    function test_answerRecord_correction() public {
        (, Batch memory a) = first();
        Batch memory b = correction(a, 1);
        _demand(b, RECORD, 0);
        _demand(b, RECORD, 1);
        bytes memory ofRunZero = meterSignature(b.leaves[0].record, 1, 0);
        expect(IBatchSettlement.BadSignature.selector);
        demands.answerRecord(b.header, b.leaves[0], ofRunZero);
        demands.answerRecord(b.header, b.leaves[0], meterSignature(b.leaves[0].record, 1, 1));
        demands.answerRecord(b.header, b.leaves[1], signature(OPERATOR_KEY, b.leaves[1].record, 1, 1));
    }

    function test_answerAccount() public {
        (, Batch memory b) = first();
        _demand(b, ACCOUNT, ANNA);
        expect(IBatchSettlement.BadPath.selector, ANNA);
        IBatchSettlement.Account memory a = copy(b).accounts[ANNA];
        a.balance += 1;
        demands.answerAccount(b.header, a);
        demands.answerAccount(b.header, b.accounts[ANNA]);
    }

    /// Trees of any size, rows and groups of both, to the last short group.
    function test_answerRowAndGroups(uint16 count) public {
        count = uint16(bound(count, 1, 1_100));
        Batch memory b = _large(count);
        bytes32[] memory hashes = leafHashes(b);
        bytes32[] memory row_ = Trees.row(hashes);
        _demand(b, RECORD_ROW, 0);
        bytes32[] memory longer = new bytes32[](row_.length + 1);
        expect(IBatchSettlement.BadPath.selector, 0);
        demands.answerRow(b.header, RECORD_ROW, longer);
        row_[0] ^= bytes32(uint256(1));
        expect(IBatchSettlement.BadPath.selector, 0);
        demands.answerRow(b.header, RECORD_ROW, row_);
        row_[0] ^= bytes32(uint256(1));
        demands.answerRow(b.header, RECORD_ROW, row_);
        _demand(b, ACCOUNT_ROW, 0);
        demands.answerRow(b.header, ACCOUNT_ROW, Trees.row(accountHashes(b)));

        for (uint32 g = 0; g < row_.length; ++g) {
            _demand(b, RECORD_GROUP, g);
            bytes memory leaves = groupOf(b, g);
            bytes32[] memory path = Trees.path(row_, g);
            expect(IBatchSettlement.BadPath.selector, g);
            demands.answerGroup(b.header, RECORD_GROUP, g, bytes.concat(leaves, new bytes(34)), path);
            leaves[leaves.length - 1] ^= 0x01;
            expect(IBatchSettlement.BadPath.selector, g);
            demands.answerGroup(b.header, RECORD_GROUP, g, leaves, path);
            leaves[leaves.length - 1] ^= 0x01;
            demands.answerGroup(b.header, RECORD_GROUP, g, leaves, path);
        }
        _demand(b, ACCOUNT_GROUP, 0);
        bytes memory accounts;
        for (uint256 i = 0; i < b.accounts.length; ++i) {
            accounts = abi.encodePacked(accounts, b.accounts[i].balance, b.accounts[i].payableMicro);
        }
        demands.answerGroup(b.header, ACCOUNT_GROUP, 0, accounts, new bytes32[](0));
        (uint32 open,,) = core.demandsOn(hashOf(b));
        vm.assertEq(open, 0, "all answered");
    }

    /// A group may be demanded for two days after its row was shown, also when the window is over by then.
    function test_demand_groupAfterRow() public {
        (, Batch memory b) = first();
        vm.warp(b.header.committedAt + 7 days - 1);
        _demand(b, RECORD_ROW, 0);
        vm.warp(b.header.committedAt + 9 days - 1);
        expect(IDemandProver.DemandClosed.selector, b.header.committedAt + 7 days);
        demands.demand(b.header, RECORD_GROUP, 0);
        demands.answerRow(b.header, RECORD_ROW, Trees.row(leafHashes(b)));
        expect(IDemandProver.DemandClosed.selector, b.header.committedAt + 7 days);
        demands.demand(b.header, ACCOUNT_GROUP, 0);
        vm.warp(b.header.committedAt + 11 days - 2);
        _demand(b, RECORD_GROUP, 0);
        vm.warp(b.header.committedAt + 13 days - 3);
        demands.answerGroup(b.header, RECORD_GROUP, 0, groupOf(b, 0), new bytes32[](0));
        // The longest way of an honest batch: 15 days.
        vm.warp(b.header.committedAt + 15 days - 4);
        expect(IBatchSettlement.TooEarly.selector, b.header.committedAt + 15 days - 3);
        core.finalize(b.header);
        vm.warp(b.header.committedAt + 15 days - 3);
        core.finalize(b.header);
    }

    // ---------------------------------------------------------------------------------------- expire and settle

    function test_expire_reverts() public {
        (Batch memory parent, Batch memory b) = first();
        _demand(b, RECORD, 2);
        vm.warp(b.header.committedAt + 2 days);
        expect(IBatchSettlement.TooEarly.selector, b.header.committedAt + 2 days + 1);
        demands.expire(b.header, parent.header, RECORD, 2);
        vm.warp(b.header.committedAt + 2 days + 1);
        vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.BadParent.selector, b.header.parent));
        demands.expire(b.header, b.header, RECORD, 2);
        // Late, but before anybody expired it.
        demands.answerRecord(b.header, b.leaves[2], meterSignature(b.leaves[2].record, 1, 0));
        expect(IDemandProver.NoDemand.selector, RECORD, 2);
        demands.expire(b.header, parent.header, RECORD, 2);
    }

    function test_expire_rewardsTheDemander() public {
        (Batch memory parent, Batch memory b) = first();
        _demand(b, RECORD, 2);
        vm.warp(b.header.committedAt + 3 days - 1);
        demands.expire(b.header, parent.header, RECORD, 2);
        assertCancelled(parent, BOND, WATCHER);
        demands.settleDemand(b.header, RECORD, 2);
        vm.assertEq(core.creditOf(WATCHER), SLASH_UNIT / 2 + DEMAND_BOND, "bond comes back");
        expect(IDemandProver.NoDemand.selector, RECORD, 2);
        demands.settleDemand(b.header, RECORD, 2);
    }

    function test_expire_rewardsTheCallerLater() public {
        (Batch memory parent, Batch memory b) = first();
        _demand(b, ACCOUNT, 2);
        vm.warp(b.header.committedAt + 3 days);
        demands.expire(b.header, parent.header, ACCOUNT, 2);
        assertCancelled(parent, BOND, address(this));
    }

    function test_settleDemand_final() public {
        (, Batch memory b) = first();
        _demand(b, ACCOUNT, 2);
        expect(IDemandProver.NotEnded.selector, 1);
        demands.settleDemand(b.header, ACCOUNT, 2);
        demands.answerAccount(b.header, b.accounts[2]);
        expect(IDemandProver.NotEnded.selector, 1);
        demands.settleDemand(b.header, ACCOUNT, 2);
        finalizeAfterWindow(b);
        expect(IDemandProver.NoDemand.selector, ACCOUNT, 3);
        demands.settleDemand(b.header, ACCOUNT, 3);
        demands.settleDemand(b.header, ACCOUNT, 2);
        vm.assertEq(core.creditOf(HUB_PAYOUT), DEMAND_BOND / 5 * 4, "80 % to the hub");
        (,, uint64 burned,) = core.sums();
        vm.assertEq(burned, DEMAND_BOND / 5, "20 % burned");
        expect(IDemandProver.NoDemand.selector, ACCOUNT, 2);
        demands.settleDemand(b.header, ACCOUNT, 2);
    }

    /// Demands on batches that fall with another, answered or not, cost their challengers nothing.
    function test_settleDemand_fallen() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.header.hubBalance += 1;
        commit(parent, b);
        Batch memory c = next(b, 2);
        _demand(c, ACCOUNT, 1);
        _demand(c, ACCOUNT, 2);
        demands.answerAccount(c.header, c.accounts[1]);
        fraud.proveEdge(b.header, parent.header, b.leaves[12]);
        demands.settleDemand(c.header, ACCOUNT, 1);
        demands.settleDemand(c.header, ACCOUNT, 2);
        vm.assertEq(core.creditOf(WATCHER), 2 * DEMAND_BOND, "all back");
    }

    function test_settleDemand_frozen() public {
        (, Batch memory a) = first();
        finalizeAfterWindow(a);
        vm.warp(a.header.committedAt + 28 days - 1);
        Batch memory b = next(a, 2);
        _demand(b, ACCOUNT, 1);
        vm.warp(a.header.committedAt + 28 days);
        core.freezePending(a.header, b.header);
        demands.settleDemand(b.header, ACCOUNT, 1);
        vm.assertEq(core.creditOf(WATCHER), DEMAND_BOND, "all back");
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _demand(Batch memory b, uint8 kind, uint32 index) private {
        vm.prank(WATCHER);
        demands.demand(b.header, kind, index);
    }

    /// A batch with many records, of which the tree alone matters.
    function _large(uint256 count) private returns (Batch memory b) {
        vm.warp(startOf(2));
        Batch memory parent = genesis();
        b.header.period = 1;
        b.leaves = new IBatchSettlement.Leaf[](count);
        for (uint32 i = 0; i < count; ++i) {
            b.leaves[i].index = i;
            b.leaves[i].record = rec(1 + i / 96, FEED_IN, uint16(i % 96), int32(i));
            b.leaves[i].amount = int64(uint64(i)) * 77;
        }
        b.accounts = build(parent, 1, 0, _nothing(), 0).accounts;
        b.header.count = uint32(count);
        b.header.accountCount = PARTICIPANTS;
        b.header.recordRoot = Trees.root(leafHashes(b));
        sealAccounts(b);
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = bytes32(uint256(1) << 248);
        commitInBlobs(parent, b, hashes);
    }

    function _nothing() private pure returns (RecordWord[] memory r) {
        r = new RecordWord[](1);
        r[0] = rec(0, WITHDRAWAL, 0, 0);
    }

    function groupOf(Batch memory b, uint256 g) internal pure returns (bytes memory leaves) {
        for (uint256 i = 256 * g; i < b.leaves.length && i < 256 * (g + 1); ++i) {
            IBatchSettlement.Leaf memory l = b.leaves[i];
            leaves = abi.encodePacked(leaves, l.record, l.amount, l.balanceAfter, l.hubAfter);
        }
    }

    /// The same signature with the other `s`.
    function _highS(bytes memory good) private pure returns (bytes memory) {
        uint256 order = 0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141;
        (bytes32 r, bytes32 s, uint8 v) = (0, 0, uint8(good[64]));
        assembly ("memory-safe") {
            r := mload(add(good, 0x20))
            s := mload(add(good, 0x40))
        }
        return abi.encodePacked(r, bytes32(order - uint256(s)), v == 27 ? 28 : 27);
    }
}
