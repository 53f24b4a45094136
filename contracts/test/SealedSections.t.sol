// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { ISealedSections } from "../src/ISealedSections.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { SealedWorld } from "./base/SealedWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice What a participant proves with its own section alone, and what sections prove together.
contract SealedSectionsTest is SealedWorld {
    address private constant WATCHER = address(0x5001);

    function setUp() public override {
        super.setUp();
        fund(AUDITOR, 1 << 50);
        for (uint32 p = 1; p < DORA; ++p) {
            fund(payoutOf(p), 1 << 50);
        }
    }

    // ---------------------------------------------------------------------------------------- opening

    function test_proveSectionOpening(int64 wrong) public {
        (Batch memory parent, Batch memory b) = firstSalted();
        (uint32 from,) = rangeOf(b, BERT);
        vm.assume(wrong != b.leaves[from].balanceAfter);
        b.leaves[from].balanceAfter = wrong;
        Blob memory blob = commitSealed(parent, salted(b));
        expect(ISealedSections.NoSection.selector, BERT);
        demands.proveSectionOpening(b.header, parent.header, b.leaves[from], noAccount());
        showSection(b, blob, BERT);
        expect(IBatchSettlement.BadPath.selector, from + 1);
        demands.proveSectionOpening(b.header, parent.header, b.leaves[from + 1], noAccount());
        vm.prank(WATCHER);
        demands.proveSectionOpening(b.header, parent.header, b.leaves[from], noAccount());
        assertCancelled(parent, BOND, WATCHER);
    }

    function test_proveSectionOpening_ofAnOldAccount() public {
        (, Batch memory a,) = firstSealed();
        vm.warp(startOf(3));
        Batch memory b = build(a, 2, 0, nextRecords(), a.header.inboxTo);
        b.leaves[2].balanceAfter -= 1;
        Blob memory blob = commitSealed(a, salted(b));
        showSection(b, blob, BERT);
        showSection(b, blob, ANNA);
        expect(IBatchSettlement.BadPath.selector, ANNA);
        demands.proveSectionOpening(b.header, a.header, b.leaves[2], a.accounts[ANNA]);
        expect(IBatchSettlement.NotFraud.selector);
        demands.proveSectionOpening(b.header, a.header, b.leaves[0], a.accounts[ANNA]);
        demands.proveSectionOpening(b.header, a.header, b.leaves[2], a.accounts[BERT]);
        assertCancelled(a, BOND, address(this));
    }

    // ---------------------------------------------------------------------------------------- account

    function test_proveSectionAccount_lastRecord(int64 balance, uint64 payableMicro) public {
        (Batch memory parent, Batch memory b) = firstSalted();
        IBatchSettlement.Account memory a = b.accounts[ANNA];
        vm.assume(balance != a.balance || payableMicro != a.payableMicro);
        (a.balance, a.payableMicro) = (balance, payableMicro);
        Blob memory blob = commitSealed(parent, salted(b));
        expect(ISealedSections.NoSection.selector, ANNA);
        demands.proveSectionAccount(b.header, parent.header, a, noAccount(), b.leaves[5]);
        showSection(b, blob, ANNA);
        // Not the last one, and none.
        expect(IBatchSettlement.BadPath.selector, 4);
        demands.proveSectionAccount(b.header, parent.header, a, noAccount(), b.leaves[4]);
        expect(IBatchSettlement.BadPath.selector, NONE);
        demands.proveSectionAccount(b.header, parent.header, a, noAccount(), noLeaf());
        demands.proveSectionAccount(b.header, parent.header, a, noAccount(), b.leaves[5]);
        assertCancelled(parent, BOND, address(this));
    }

    function test_proveSectionAccount_withoutRecords() public {
        (, Batch memory a,) = firstSealed();
        vm.warp(startOf(3));
        Batch memory b = build(a, 2, 0, nextRecords(), a.header.inboxTo);
        b.accounts[CARL].balance -= 1;
        Blob memory blob = commitSealed(a, salted(b));
        showSection(b, blob, CARL);
        expect(IBatchSettlement.BadPath.selector, 4);
        demands.proveSectionAccount(b.header, a.header, b.accounts[CARL], a.accounts[CARL], b.leaves[4]);
        expect(IBatchSettlement.BadPath.selector, BERT);
        demands.proveSectionAccount(b.header, a.header, b.accounts[CARL], a.accounts[BERT], noLeaf());
        demands.proveSectionAccount(b.header, a.header, b.accounts[CARL], a.accounts[CARL], noLeaf());
        assertCancelled(a, BOND, address(this));
    }

    /// The auditor stops a participant whom the hub invented and gives money: three demands, no data from the hub.
    function test_proveSectionAccount_invented() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        b.accounts[CARL].payableMicro = 1_000_000_000;
        Blob memory blob = commitSealed(parent, salted(b));
        (uint32 from, uint32 count) = rangeOf(b, CARL);
        vm.startPrank(AUDITOR);
        demands.demand(b.header, 6, CARL);
        demands.demand(b.header, 1, CARL);
        answerSection(b, blob, CARL);
        demands.demandRecordOf(b.header, CARL, from + count - 1);
        RecordWord r = b.leaves[from + count - 1].record;
        demands.answerAccount(b.header, b.accounts[CARL]);
        vm.stopPrank();
        demands.answerRecord(b.header, b.leaves[from + count - 1], meterSignature(r, 1, 0));
        vm.prank(AUDITOR);
        demands.proveSectionAccount(b.header, parent.header, b.accounts[CARL], noAccount(), b.leaves[from + count - 1]);
        assertCancelled(parent, BOND, AUDITOR);
    }

    // ---------------------------------------------------------------------------------------- foreign leaves

    function test_proveSectionForeign_inside() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        bytes32[] memory elements = elementsOf(b);
        elements[ANNA] = digest(hashesIn(b, from, count + 1));
        Blob memory blob = commitSealed(parent, b, elements);
        expect(ISealedSections.NoSection.selector, ANNA);
        demands.proveSectionForeign(b.header, parent.header, ANNA, b.leaves[from + count]);
        demandSection(b, ANNA);
        answerSection(b, blob, ANNA, from, count + 1);
        demands.proveSectionForeign(b.header, parent.header, ANNA, b.leaves[from + count]);
        assertCancelled(parent, BOND, address(this));
    }

    /// A debit that the hub keeps out of the section that it shows.
    function test_proveSectionForeign_outside() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        bytes32[] memory elements = elementsOf(b);
        elements[ANNA] = digest(hashesIn(b, from, count - 1));
        Blob memory blob = commitSealed(parent, b, elements);
        demandSection(b, ANNA);
        answerSection(b, blob, ANNA, from, count - 1);
        demands.proveSectionForeign(b.header, parent.header, ANNA, b.leaves[from + count - 1]);
        assertCancelled(parent, BOND, address(this));
    }

    // ---------------------------------------------------------------------------------------- sections apart

    function test_proveSectionsApart_gap() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        bytes32[] memory elements = elementsOf(b);
        elements[ANNA] = digest(hashesIn(b, from, count - 1));
        Blob memory blob = commitSealed(parent, b, elements);
        demandSection(b, ANNA);
        answerSection(b, blob, ANNA, from, count - 1);
        expect(ISealedSections.NoSection.selector, BERT);
        demands.proveSectionsApart(b.header, parent.header, ANNA, BERT);
        showSection(b, blob, BERT);
        vm.prank(WATCHER);
        demands.proveSectionsApart(b.header, parent.header, ANNA, BERT);
        assertCancelled(parent, BOND, WATCHER);
    }

    function test_proveSectionsApart_overlap() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        bytes32[] memory elements = elementsOf(b);
        elements[ANNA] = digest(hashesIn(b, from, count + 1));
        Blob memory blob = commitSealed(parent, b, elements);
        demandSection(b, ANNA);
        answerSection(b, blob, ANNA, from, count + 1);
        showSection(b, blob, CARL);
        // Bert's section is not known: between Anna and Carl there may be anything.
        expect(ISealedSections.NoSection.selector, BERT);
        demands.proveSectionsApart(b.header, parent.header, ANNA, CARL);
        showSection(b, blob, BERT);
        expect(IBatchSettlement.NotFraud.selector);
        demands.proveSectionsApart(b.header, parent.header, ANNA, CARL);
        demands.proveSectionsApart(b.header, parent.header, ANNA, BERT);
        assertCancelled(parent, BOND, address(this));
    }

    /// A record that no section has: all sections together show it, and nobody says what it is.
    function test_proveSectionsApart_ends() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        bytes32[] memory elements = elementsOf(b);
        elements[DORA] = digest(new bytes32[](0));
        elements[0] = elements[DORA];
        Blob memory blob = commitSealed(parent, b, elements);
        demandSection(b, 0);
        answerSection(b, blob, 0, 0, 0);
        demandSection(b, DORA);
        answerSection(b, blob, DORA, 0, 0);
        showSection(b, blob, ANNA);
        showSection(b, blob, CARL);
        expect(ISealedSections.NoSection.selector, 0);
        demands.proveSectionsApart(b.header, parent.header, 0, ANNA);
        uint256 id = vm.snapshotState();
        demands.proveSectionsApart(b.header, parent.header, NONE, ANNA);
        assertCancelled(parent, BOND, address(this));
        vm.revertToState(id);
        demands.proveSectionsApart(b.header, parent.header, CARL, PARTICIPANTS);
        assertCancelled(parent, BOND, address(this));
    }

    function test_proveSectionsApart_honest() public {
        (, Batch memory a,) = firstSealed();
        vm.warp(startOf(3));
        Batch memory b = salted(build(a, 2, 0, nextRecords(), a.header.inboxTo));
        Blob memory blob = commitSealed(a, b);
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            showSection(b, blob, p);
        }
        uint32[4] memory lefts = [NONE, ANNA, BERT, CARL];
        for (uint256 i = 0; i < lefts.length; ++i) {
            for (uint32 right = 0; right <= PARTICIPANTS + 1; ++right) {
                vm.expectRevert();
                demands.proveSectionsApart(b.header, a.header, lefts[i], right);
            }
        }
        // Backwards says nothing.
        expect(IBatchSettlement.BadPath.selector, ANNA);
        demands.proveSectionsApart(b.header, a.header, BERT, ANNA);
        expect(IBatchSettlement.BadPath.selector, ANNA);
        demands.proveSectionsApart(b.header, a.header, ANNA, ANNA);
    }

    // ---------------------------------------------------------------------------------------- deposits

    function test_proveSectionDeposit() public {
        vm.warp(startOf(2) - 1 days);
        depositAll();
        vm.warp(startOf(2));
        Batch memory parent = genesis();
        // Bert's and Carl's deposits are passed over; Carl has no record at all.
        RecordWord[] memory all = firstRecords();
        RecordWord[] memory r = new RecordWord[](9);
        for (uint256 i = 0; i < 6; ++i) {
            r[i] = all[i];
        }
        (r[6], r[7], r[8]) = (all[7], rec(BERT, FEED_IN, 6, 10), all[12]);
        Batch memory b = build(parent, 1, 0, r, PARTICIPANTS);
        Blob memory blob = commitSealed(parent, salted(b));
        expect(ISealedSections.NoSection.selector, BERT);
        demands.proveSectionDeposit(b.header, parent.header, 2, noLeaf(), b.leaves[6]);
        showSection(b, blob, BERT);
        showSection(b, blob, CARL);
        showSection(b, blob, ANNA);
        expect(IBatchSettlement.BadInbox.selector, 5);
        demands.proveSectionDeposit(b.header, parent.header, 5, noLeaf(), b.leaves[6]);
        // Not the edge, a foreign neighbour, not neighbours.
        expect(IBatchSettlement.BadPath.selector, 7);
        demands.proveSectionDeposit(b.header, parent.header, 2, noLeaf(), b.leaves[7]);
        expect(IBatchSettlement.BadPath.selector, 5);
        demands.proveSectionDeposit(b.header, parent.header, 2, b.leaves[5], b.leaves[6]);
        expect(IBatchSettlement.BadPath.selector, 8);
        demands.proveSectionDeposit(b.header, parent.header, 2, b.leaves[7], b.leaves[8]);
        expect(IBatchSettlement.BadPath.selector, NONE);
        demands.proveSectionDeposit(b.header, parent.header, 2, b.leaves[6], noLeaf());
        // The gap after Bert's records is not where a deposit would be.
        expect(IBatchSettlement.NotFraud.selector);
        demands.proveSectionDeposit(b.header, parent.header, 2, b.leaves[7], noLeaf());
        // Anna's is there.
        expect(IBatchSettlement.NotFraud.selector);
        demands.proveSectionDeposit(b.header, parent.header, 1, noLeaf(), b.leaves[1]);
        expect(IBatchSettlement.NotFraud.selector);
        demands.proveSectionDeposit(b.header, parent.header, 1, b.leaves[1], b.leaves[2]);
        uint256 id = vm.snapshotState();
        demands.proveSectionDeposit(b.header, parent.header, 2, noLeaf(), b.leaves[6]);
        assertCancelled(parent, BOND, address(this));
        vm.revertToState(id);
        demands.proveSectionDeposit(b.header, parent.header, 3, noLeaf(), noLeaf());
        assertCancelled(parent, BOND, address(this));
    }

    // ---------------------------------------------------------------------------------------- the honest hub

    /// Every proof with everything that fits, against an honest batch.
    function test_proofs_honest() public {
        (Batch memory parent, Batch memory b, Blob memory blob) = firstSealed();
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            showSection(b, blob, p);
        }
        for (uint32 i = 0; i < b.leaves.length; ++i) {
            vm.expectRevert();
            demands.proveSectionOpening(b.header, parent.header, b.leaves[i], noAccount());
            for (uint32 p = 0; p < PARTICIPANTS; ++p) {
                expect(IBatchSettlement.NotFraud.selector);
                demands.proveSectionForeign(b.header, parent.header, p, b.leaves[i]);
                vm.expectRevert();
                demands.proveSectionAccount(b.header, parent.header, b.accounts[p], noAccount(), b.leaves[i]);
                vm.expectRevert();
                demands.proveSectionDeposit(b.header, parent.header, p, leafBefore(b, i), b.leaves[i]);
            }
        }
        finalizeAfterWindow(b);
        expect(IBatchSettlement.NotPending.selector, 1);
        demands.proveSectionForeign(b.header, parent.header, ANNA, b.leaves[0]);
    }
}
