// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { BatchWorld } from "./base/BatchWorld.sol";
import { Trees } from "./base/Trees.sol";
import { vm } from "./base/Vm.sol";

/// @notice The attacks that the settlement protocol tells of (its table 0, rows 17 to 21, and section 1), each of which
/// fails for the attacker. Those that a single check refuses stand with that check's other tests.
contract BatchAttacksTest is BatchWorld {
    address private constant WATCHER = address(0x5001);
    uint32 private constant MANY = 20_000;
    uint32 private constant HIDDEN = 12_345;

    /// Row 17: the hub hides a leaf, answers at the last moment and wants to finalize and claim in the same block.
    function test_attack_answerFinalizeAndClaimInOneBlock() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.leaves[5].record = rec(ANNA, WITHDRAWAL, 0, 50_000);
        b.accounts[ANNA].payableMicro = 500_000_000;
        seal(b);
        commit(parent, b);
        fund(WATCHER, DEMAND_BOND);
        vm.warp(b.header.committedAt + 7 days - 1);
        vm.prank(WATCHER);
        demands.demand(b.header, 0, 5);
        vm.warp(b.header.committedAt + 9 days);
        demands.answerRecord(b.header, b.leaves[5], "");
        expect(IBatchSettlement.TooEarly.selector, b.header.committedAt + 11 days);
        core.finalize(b.header);
        // What the answer revealed is used within the two days.
        vm.warp(b.header.committedAt + 11 days - 1);
        vm.prank(WATCHER);
        fraud.proveRecord(b.header, parent.header, b.leaves[5], tableBytes);
        assertCancelled(parent, BOND, WATCHER);
    }

    /// Row 18: one false account among 20,000 with unknown content is found in two rounds.
    function test_attack_oneHiddenAccountAmong20000() public {
        setParticipantCount(uint24(MANY));
        vm.warp(startOf(2));
        bytes32[] memory hashes = new bytes32[](MANY);
        for (uint32 p = 0; p < MANY; ++p) {
            hashes[p] = _accountHash(p, 0, 0);
        }
        bytes32[] memory honestRow = Trees.row(hashes);
        hashes[HIDDEN] = _accountHash(HIDDEN, 0, 1_000_000);
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(0, WITHDRAWAL, 0, 0);
        Batch memory parent = genesis();
        Batch memory b = build(parent, 1, 0, r, 0);
        b.header.accountCount = MANY;
        b.header.accountRoot = Trees.root(hashes);
        commit(parent, b);
        fund(WATCHER, 1 << 40);

        // First round: the row shows which group differs from what everybody can compute.
        vm.prank(WATCHER);
        demands.demand(b.header, 3, 0);
        bytes32[] memory row_ = Trees.row(hashes);
        demands.answerRow(b.header, 3, row_);
        uint32 group = 0;
        while (row_[group] == honestRow[group]) ++group;
        vm.assertEq(group, HIDDEN / 256, "found");
        // Second round: its leaves.
        vm.prank(WATCHER);
        demands.demand(b.header, 5, group);
        bytes memory leaves;
        for (uint32 p = 256 * group; p < 256 * (group + 1); ++p) {
            leaves = abi.encodePacked(leaves, int64(0), p == HIDDEN ? uint64(1_000_000) : uint64(0));
        }
        demands.answerGroup(b.header, 5, group, leaves, Trees.path(row_, group));

        IBatchSettlement.Account memory a;
        (a.participant, a.payableMicro, a.path) = (HIDDEN, 1_000_000, Trees.path(hashes, HIDDEN));
        vm.prank(WATCHER);
        fraud.proveAccount(b.header, parent.header, a, noAccount(), b.leaves[0], noLeaf());
        assertCancelled(parent, BOND, WATCHER);
        demands.settleDemand(b.header, 3, 0);
        demands.settleDemand(b.header, 5, group);
        vm.assertEq(core.creditOf(WATCHER), SLASH_UNIT / 2 + 16 * DEMAND_BOND, "all bonds come back");
    }

    /// Row 19: 1,025 entries that are overdue do not stop the ledger: 1,024 are honored, then the rest.
    function test_attack_floodedInbox() public {
        vm.warp(startOf(1));
        for (uint256 i = 0; i < 1_025; ++i) {
            core.deposit(0, 1_000_000);
        }
        deepen();
        vm.warp(startOf(10));
        Batch memory parent = genesis();
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(0, 0, 0, 0);
        Batch memory b = build(parent, 1, 0, r, 1_023);
        IBatchSettlement.BatchIn memory x = batchIn(b, hashOf(parent));
        vm.prank(HUB);
        expect(IBatchSettlement.InboxOverdue.selector, 1_023);
        core.commitCalldata(x, b.data);
        x.inboxTo = 1_025;
        vm.prank(HUB);
        expect(IBatchSettlement.BadInbox.selector, 1_025);
        core.commitCalldata(x, b.data);
        // The records of 1,024 deposits; their trees are not what this is about.
        bytes memory data;
        for (uint16 i = 0; i < 1_024; ++i) {
            data = abi.encodePacked(data, rec(0, 0, i, 0));
        }
        (x.inboxTo, x.count) = (1_024, 1_024);
        vm.prank(HUB);
        x.expectedParent = core.commitCalldata(x, data);
        (x.period, x.inboxTo, x.count) = (2, 1_025, 1);
        vm.prank(HUB);
        core.commitCalldata(x, b.data);
    }

    /// Row 21: a token that refuses everything stops no proof, answer, expiry, freeze or end of a batch.
    function test_attack_tokenRefusesEverything() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.header.hubBalance += 1;
        commit(parent, b);
        fund(WATCHER, 10 * DEMAND_BOND);
        vm.startPrank(WATCHER);
        demands.demand(b.header, 1, 0);
        demands.demand(b.header, 1, 1);
        vm.stopPrank();
        _breakToken();
        demands.answerAccount(b.header, b.accounts[1]);
        vm.prank(WATCHER);
        fraud.proveEdge(b.header, parent.header, b.leaves[12]);
        demands.settleDemand(b.header, 1, 0);
        demands.settleDemand(b.header, 1, 1);
        vm.prank(WATCHER);
        (bool isPaid,) = address(core).call(abi.encodeCall(core.collect, ()));
        vm.assertTrue(!isPaid, "paid later");
        vm.assertEq(core.creditOf(WATCHER), SLASH_UNIT / 2 + 2 * DEMAND_BOND, "credited");

        // A demand is paid out of the credit, and expires.
        vm.warp(vm.getBlockTimestamp() + 1);
        b = build(parent, 1, 0, firstRecords(), PARTICIPANTS);
        commit(parent, b);
        vm.prank(WATCHER);
        demands.demand(b.header, 0, 0);
        vm.warp(vm.getBlockTimestamp() + 2 days + 1);
        demands.expire(b.header, parent.header, 0, 0);
        vm.warp(vm.getBlockTimestamp() + 1);
        b = build(parent, 1, 0, firstRecords(), PARTICIPANTS);
        commit(parent, b);
        finalizeAfterWindow(b);
        vm.warp(b.header.committedAt + 28 days);
        core.freeze(b.header);
        vm.clearMockedCalls();
        core.exit(b.header, b.accounts[ANNA]);
        vm.prank(WATCHER);
        core.collect();
    }

    /// Section 1: the hub slashes itself before anybody else does: half of it is burned.
    function test_attack_hubSlashesItself() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.header.hubBalance += 1;
        commit(parent, b);
        vm.startPrank(HUB);
        fraud.proveEdge(b.header, parent.header, b.leaves[12]);
        // The reward is bonded again, and a hundred units of tokens beside it.
        vm.stopPrank();
        fund(HUB, 100_000_000);
        vm.startPrank(HUB);
        core.bond(SLASH_UNIT / 2 + 100_000_000);
        vm.assertEq(token.balanceOf(HUB), 0, "credit first, then tokens");
        vm.assertEq(core.creditOf(HUB), 0, "credit first, then tokens");
        core.unbond(core.bonded());
        vm.stopPrank();
        vm.assertEq(token.balanceOf(HUB_PAYOUT), BOND + 100_000_000 - SLASH_UNIT / 2, "half is lost");
    }

    /// Section 1: guardian and tariff authority do nothing for ever. The ledger ends, the money comes out.
    function test_attack_pausedForEver() public {
        (, Batch memory a) = first();
        vm.prank(GUARDIAN);
        core.pause();
        finalizeAfterWindow(a);
        core.claim(a.header, a.accounts[ANNA]);
        vm.warp(a.header.committedAt + 28 days);
        core.freeze(a.header);
        core.exit(a.header, a.accounts[BERT]);
        vm.assertEq(token.balanceOf(payoutOf(BERT)), uint64(a.accounts[BERT].balance), "out");
    }

    /// Section 1: the hub commits nonsense and takes it back for ever. Its own cancellations do not move the freeze.
    function test_attack_hubCancelsItselfForEver() public {
        (Batch memory parent, Batch memory b) = firstBuilt();
        b.header.hubBalance += 1;
        for (uint256 i = 0; i < 5; ++i) {
            vm.warp(vm.getBlockTimestamp() + 6 days);
            commit(parent, b);
            vm.prank(HUB);
            fraud.proveEdge(b.header, parent.header, b.leaves[12]);
        }
        core.freeze(parent.header);
        core.reclaim(1);
        vm.assertEq(token.balanceOf(payoutOf(ANNA)), FUNDS, "back");
    }

    /// Finding 7: after a reorganisation the hub's commit meets another parent and fails instead of being a fraud.
    function test_attack_reorganisation() public {
        (, Batch memory a) = first();
        Batch memory elsewhere = copy(a);
        elsewhere.header.committedAt += 12;
        vm.warp(startOf(3));
        Batch memory b = build(elsewhere, 2, 0, nextRecords(), PARTICIPANTS);
        IBatchSettlement.BatchIn memory x = batchIn(b, hashOf(elsewhere));
        vm.prank(HUB);
        vm.expectRevert(abi.encodeWithSelector(IBatchSettlement.Reorg.selector, hashOf(elsewhere), hashOf(a)));
        core.commitCalldata(x, b.data);
    }

    function _breakToken() private {
        vm.mockCallRevert(address(token), abi.encodeWithSelector(token.transfer.selector), "blocked");
        vm.mockCallRevert(address(token), abi.encodeWithSelector(token.transferFrom.selector), "blocked");
    }

    function _accountHash(uint32 p, int64 balance, uint64 payableMicro) private pure returns (bytes32) {
        return keccak256(abi.encodePacked(bytes1(0x02), p, balance, payableMicro));
    }
}
