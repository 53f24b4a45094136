// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { IDemandProver } from "../src/IDemandProver.sol";
import { ISealedSections } from "../src/ISealedSections.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { SealedWorld } from "./base/SealedWorld.sol";
import { Trees } from "./base/Trees.sol";
import { vm } from "./base/Vm.sol";

/// @notice Demands in sealed batches: a stranger sees hashes, a participant and the auditor see what they ask for.
contract SealedDemandsTest is SealedWorld {
    address private constant STRANGER = address(0x5001);
    uint8 private constant RECORD = 0;
    uint8 private constant ACCOUNT = 1;
    uint8 private constant RECORD_ROW = 2;
    uint8 private constant ACCOUNT_ROW = 3;
    uint8 private constant RECORD_GROUP = 4;
    uint8 private constant ACCOUNT_GROUP = 5;
    uint8 private constant SECTION = 6;

    function setUp() public override {
        super.setUp();
        fund(STRANGER, 1 << 50);
        fund(AUDITOR, 1 << 50);
        for (uint32 p = 1; p < DORA; ++p) {
            fund(payoutOf(p), 1 << 50);
        }
    }

    // ---------------------------------------------------------------------------------------- who may demand

    function test_demand_revertsForStrangers() public {
        (, Batch memory b, Blob memory blob) = firstSealed();
        address[3] memory strangers = [STRANGER, payoutOf(BERT), HUB];
        for (uint256 i = 0; i < strangers.length; ++i) {
            _refused(strangers[i], b, ACCOUNT, ANNA);
            _refused(strangers[i], b, SECTION, ANNA);
            vm.prank(strangers[i]);
            expect(IBatchSettlement.NotRole.selector, strangers[i]);
            demands.demandRecordOf(b.header, ANNA, 2);
        }
        // Nor when the section was shown.
        showSection(b, blob, ANNA);
        vm.prank(STRANGER);
        expect(IBatchSettlement.NotRole.selector, STRANGER);
        demands.demandRecordOf(b.header, ANNA, 2);
        // Who has no payout address leaves it to the auditor; address zero asks for nothing.
        _refused(STRANGER, b, SECTION, DORA);
        vm.prank(AUDITOR);
        demands.demand(b.header, SECTION, DORA);
        // Not even a participant asks for a record by index alone.
        vm.prank(payoutOf(ANNA));
        expect(IDemandProver.BadDemand.selector, RECORD, 2);
        demands.demand(b.header, RECORD, 2);
    }

    function _refused(address caller, Batch memory b, uint8 kind, uint32 index) private {
        vm.prank(caller);
        expect(IBatchSettlement.NotRole.selector, caller);
        demands.demand(b.header, kind, index);
    }

    function test_demand_sizes(uint32 index) public {
        (, Batch memory b,) = firstSealed();
        index = uint32(bound(index, PARTICIPANTS, type(uint32).max));
        expect(IDemandProver.BadDemand.selector, SECTION, index);
        demands.demand(b.header, SECTION, index);
        expect(IDemandProver.BadDemand.selector, 7, 0);
        demands.demand(b.header, 7, 0);
        vm.assertEq(demands.bondFor(hashOf(b), SECTION), 8 * DEMAND_BOND, "bond");
    }

    /// Open batches have no sections, and no answers in hashes.
    function test_demand_openBatch() public {
        (, Batch memory b) = first();
        expect(IDemandProver.BadDemand.selector, SECTION, ANNA);
        demands.demand(b.header, SECTION, ANNA);
        vm.prank(payoutOf(ANNA));
        expect(ISealedSections.NoSection.selector, ANNA);
        demands.demandRecordOf(b.header, ANNA, 2);
        demands.demand(b.header, RECORD_GROUP, 0);
        bytes32[] memory hashes = leafHashes(b);
        expect(IDemandProver.BadDemand.selector, RECORD_GROUP, 0);
        demands.answerSealedGroup(b.header, RECORD_GROUP, 0, hashes, new bytes32[](0));
        demands.answerGroup(b.header, RECORD_GROUP, 0, groupOf(b), new bytes32[](0));
    }

    function groupOf(Batch memory b) private pure returns (bytes memory packed) {
        for (uint256 i = 0; i < b.leaves.length; ++i) {
            IBatchSettlement.Leaf memory l = b.leaves[i];
            packed = bytes.concat(packed, abi.encodePacked(l.record, l.amount, l.balanceAfter, l.hubAfter));
        }
    }

    // ---------------------------------------------------------------------------------------- rows and groups

    /// Anybody makes the hub show the shape of its trees, and sees hashes.
    function test_answerSealedGroup() public {
        (, Batch memory b,) = firstSealed();
        vm.startPrank(STRANGER);
        demands.demand(b.header, RECORD_ROW, 0);
        demands.demand(b.header, ACCOUNT_ROW, 0);
        demands.demand(b.header, RECORD_GROUP, 0);
        demands.demand(b.header, ACCOUNT_GROUP, 0);
        vm.stopPrank();
        bytes32[] memory none = new bytes32[](0);
        bytes32[] memory hashes = leafHashes(b);
        bytes32[] memory accounts = accountHashes(b);
        demands.answerRow(b.header, RECORD_ROW, Trees.row(hashes));
        demands.answerRow(b.header, ACCOUNT_ROW, Trees.row(accounts));

        expect(IDemandProver.BadDemand.selector, RECORD_GROUP, 0);
        demands.answerGroup(b.header, RECORD_GROUP, 0, groupOf(b), none);
        expect(IDemandProver.BadDemand.selector, RECORD_ROW, 0);
        demands.answerSealedGroup(b.header, RECORD_ROW, 0, hashes, none);
        expect(IBatchSettlement.BadPath.selector, 0);
        demands.answerSealedGroup(b.header, RECORD_GROUP, 0, accounts, none);
        hashes[3] ^= bytes32(uint256(1));
        expect(IBatchSettlement.BadPath.selector, 0);
        demands.answerSealedGroup(b.header, RECORD_GROUP, 0, hashes, none);
        hashes[3] ^= bytes32(uint256(1));
        demands.answerSealedGroup(b.header, RECORD_GROUP, 0, hashes, none);
        demands.answerSealedGroup(b.header, ACCOUNT_GROUP, 0, accounts, none);
        expect(IDemandProver.NoDemand.selector, ACCOUNT_GROUP, 0);
        demands.answerSealedGroup(b.header, ACCOUNT_GROUP, 0, accounts, none);
    }

    // ---------------------------------------------------------------------------------------- sections

    function test_answerSection_all() public {
        (, Batch memory b,) = _nextSealed();
        Blob memory blob = blobOf(elementsOf(b));
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            (uint32 from, uint32 count) = rangeOf(b, p);
            demandSection(b, p);
            vm.expectEmit(address(demands));
            emit ISealedSections.SectionShown(b.header.seq, p, from, count);
            answerSection(b, blob, p);
            ISealedSections.Section memory s = demands.sectionOf(hashOf(b), p);
            vm.assertEq(s.first, from, "first");
            vm.assertEq(s.count, count, "count");
            vm.assertTrue(s.isKnown, "known");
            vm.prank(AUDITOR);
            expect(IDemandProver.AlreadyDemanded.selector, SECTION, p);
            demands.demand(b.header, SECTION, p);
        }
        vm.assertTrue(!demands.sectionOf(hashOf(b), PARTICIPANTS).isKnown, "no more");
    }

    /// Anna and Bert have records, the hub, Carl and Dora have none.
    function _nextSealed() private returns (Batch memory parent, Batch memory b, Blob memory blob) {
        (, parent,) = firstSealed();
        vm.warp(startOf(3));
        b = salted(build(parent, 2, 0, nextRecords(), parent.header.inboxTo));
        blob = commitSealed(parent, b);
    }

    /// What the hub may not pass off as Anna's section: somebody else's, a part of it, nothing, another blob.
    function test_answerSection_reverts() public {
        (, Batch memory b, Blob memory blob) = firstSealed();
        expect(IDemandProver.NoDemand.selector, SECTION, ANNA);
        answerSection(b, blob, ANNA);
        demandSection(b, ANNA);
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        (uint32 bertFrom, uint32 bertCount) = rangeOf(b, BERT);
        expect(IBatchSettlement.BadOpening.selector, ANNA);
        answerSection(b, blob, ANNA, bertFrom, bertCount);
        expect(IBatchSettlement.BadOpening.selector, ANNA);
        answerSection(b, blob, ANNA, from, count - 1);
        expect(IBatchSettlement.BadOpening.selector, ANNA);
        answerSection(b, blob, ANNA, from, 0);
        expect(IBatchSettlement.BadOpening.selector, ANNA);
        answerSection(b, blob, ANNA, from, count + 1);
    }

    /// The right hashes elsewhere, and blobs that are not the batch's.
    function test_answerSection_revertsIfElsewhere() public {
        (, Batch memory b, Blob memory blob) = firstSealed();
        demandSection(b, ANNA);
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        bytes32[] memory path = rangePath(leafHashes(b), from, count);
        bytes32[] memory hashes = hashesIn(b, from, count);
        expect(IBatchSettlement.BadPath.selector, from + 1);
        answerWith(b, blob, ANNA, from + 1, hashes, path);
        bytes32[] memory elements = elementsOf(b);
        elements[BERT] ^= bytes32(uint256(1));
        Blob memory another = blobOf(elements);
        expect(IBatchSettlement.BadOpening.selector, ANNA);
        answerWith(b, another, ANNA, from, hashes, path);
        // Anybody may answer.
        vm.prank(STRANGER);
        answerWith(b, blob, ANNA, from, hashes, path);
    }

    function test_answerSection_emptyLiesNowhere() public {
        (, Batch memory b, Blob memory blob) = _nextSealed();
        demandSection(b, CARL);
        bytes32[] memory none = new bytes32[](0);
        expect(IBatchSettlement.BadPath.selector, 3);
        answerWith(b, blob, CARL, 3, none, none);
        expect(IBatchSettlement.BadPath.selector, 0);
        answerWith(b, blob, CARL, 0, none, new bytes32[](1));
        answerWith(b, blob, CARL, 0, none, none);
    }

    /// A digest that is not that of the leaves (rule R9) cannot be shown, and the hub pays for it.
    function test_expire_sectionWithWrongDigest() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        bytes32[] memory elements = elementsOf(b);
        elements[ANNA] ^= bytes32(uint256(1));
        Blob memory blob = commitSealed(parent, b, elements);
        demandSection(b, ANNA);
        expect(IBatchSettlement.BadOpening.selector, ANNA);
        answerSection(b, blob, ANNA);
        vm.warp(b.header.committedAt + 2 days + 1);
        demands.expire(b.header, parent.header, SECTION, ANNA);
        assertCancelled(parent, BOND, payoutOf(ANNA));
        demands.settleDemand(b.header, SECTION, ANNA);
        vm.assertEq(core.creditOf(payoutOf(ANNA)), SLASH_UNIT / 2 + 8 * DEMAND_BOND, "bond comes back");
    }

    /// A section in the blob that is not in the tree cannot be shown either.
    function test_expire_sectionOutsideTheTree() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        bytes32[] memory elements = elementsOf(b);
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        bytes32[] memory hashes = hashesIn(b, from, count);
        hashes[1] = keccak256("another");
        elements[ANNA] = digest(hashes);
        Blob memory blob = commitSealed(parent, b, elements);
        demandSection(b, ANNA);
        bytes32[] memory path = rangePath(leafHashes(b), from, count);
        expect(IBatchSettlement.BadPath.selector, from);
        answerWith(b, blob, ANNA, from, hashes, path);
        vm.warp(b.header.committedAt + 2 days + 1);
        demands.expire(b.header, parent.header, SECTION, ANNA);
        assertCancelled(parent, BOND, payoutOf(ANNA));
    }

    // ---------------------------------------------------------------------------------------- accounts

    function test_answerAccount_salted() public {
        (, Batch memory b,) = firstSealed();
        vm.prank(payoutOf(ANNA));
        demands.demand(b.header, ACCOUNT, ANNA);
        vm.prank(AUDITOR);
        demands.demand(b.header, ACCOUNT, BERT);
        IBatchSettlement.Account memory a = copy(b).accounts[ANNA];
        a.salt = 0;
        expect(IBatchSettlement.BadPath.selector, ANNA);
        demands.answerAccount(b.header, a);
        demands.answerAccount(b.header, b.accounts[ANNA]);
        demands.answerAccount(b.header, b.accounts[BERT]);
    }

    // ---------------------------------------------------------------------------------------- records

    function test_demandRecordOf_reverts() public {
        (, Batch memory b, Blob memory blob) = firstSealed();
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        vm.prank(payoutOf(ANNA));
        expect(ISealedSections.NoSection.selector, ANNA);
        demands.demandRecordOf(b.header, ANNA, from);
        showSection(b, blob, ANNA);
        uint32[4] memory outside = [from - 1, from + count, uint32(b.leaves.length), type(uint32).max];
        for (uint256 i = 0; i < outside.length; ++i) {
            vm.prank(payoutOf(ANNA));
            expect(IDemandProver.BadDemand.selector, RECORD, outside[i]);
            demands.demandRecordOf(b.header, ANNA, outside[i]);
        }
        vm.prank(payoutOf(ANNA));
        demands.demandRecordOf(b.header, ANNA, from);
        vm.prank(AUDITOR);
        expect(IDemandProver.AlreadyDemanded.selector, RECORD, from);
        demands.demandRecordOf(b.header, ANNA, from);
    }

    /// A record can be demanded for two days after its section was shown: fifteen days stay the longest way.
    function test_demandRecordOf_afterTheWindow() public {
        (, Batch memory b, Blob memory blob) = firstSealed();
        (uint32 from,) = rangeOf(b, ANNA);
        vm.warp(b.header.committedAt + 7 days - 1);
        demandSection(b, ANNA);
        vm.warp(b.header.committedAt + 9 days - 1);
        answerSection(b, blob, ANNA);
        vm.warp(b.header.committedAt + 11 days - 2);
        vm.prank(payoutOf(ANNA));
        demands.demandRecordOf(b.header, ANNA, from + 1);
        vm.warp(b.header.committedAt + 11 days - 1);
        vm.prank(payoutOf(ANNA));
        expect(IDemandProver.DemandClosed.selector, b.header.committedAt + 11 days - 1);
        demands.demandRecordOf(b.header, ANNA, from);
        // Accounts have the plain window.
        vm.prank(payoutOf(ANNA));
        expect(IDemandProver.DemandClosed.selector, b.header.committedAt + 7 days);
        demands.demand(b.header, ACCOUNT, ANNA);
    }

    function test_answerRecord_salted() public {
        (, Batch memory b, Blob memory blob) = firstSealed();
        showSection(b, blob, ANNA);
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        for (uint32 i = from; i < from + count; ++i) {
            vm.prank(i % 2 == 0 ? AUDITOR : payoutOf(ANNA));
            demands.demandRecordOf(b.header, ANNA, i);
            RecordWord r = b.leaves[i].record;
            bytes memory proof = r.isReading() ? meterSignature(r, 1, 0) : bytes("");
            IBatchSettlement.Leaf memory unsalted = copy(b).leaves[i];
            unsalted.salt = 0;
            expect(IBatchSettlement.BadPath.selector, i);
            demands.answerRecord(b.header, unsalted, proof);
            if (r.isReading()) {
                expect(IBatchSettlement.BadSignature.selector);
                demands.answerRecord(b.header, b.leaves[i], "");
            }
            demands.answerRecord(b.header, b.leaves[i], proof);
        }
    }

    /// A leaf of Bert's in the section that the hub published for Anna: she demands it, and the hub has no answer.
    function test_expire_recordOfAnother() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        (uint32 from, uint32 count) = rangeOf(b, ANNA);
        bytes32[] memory elements = elementsOf(b);
        elements[ANNA] = digest(hashesIn(b, from, count + 1));
        Blob memory blob = commitSealed(parent, b, elements);
        demandSection(b, ANNA);
        answerSection(b, blob, ANNA, from, count + 1);
        vm.prank(payoutOf(ANNA));
        demands.demandRecordOf(b.header, ANNA, from + count);
        expect(IBatchSettlement.BadPath.selector, from + count);
        demands.answerRecord(b.header, b.leaves[from + count], "");
        vm.warp(b.header.committedAt + 2 days + 1);
        demands.expire(b.header, parent.header, RECORD, from + count);
        assertCancelled(parent, BOND, payoutOf(ANNA));
    }

    /// Nobody can be made to answer what an honest hub cannot show.
    function test_demands_honestHubAnswersAll() public {
        (, Batch memory b, Blob memory blob) = firstSealed();
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            vm.prank(AUDITOR);
            demands.demand(b.header, ACCOUNT, p);
            demands.answerAccount(b.header, b.accounts[p]);
            showSection(b, blob, p);
            (uint32 from, uint32 count) = rangeOf(b, p);
            for (uint32 i = from; i < from + count; ++i) {
                vm.prank(AUDITOR);
                demands.demandRecordOf(b.header, p, i);
                RecordWord r = b.leaves[i].record;
                demands.answerRecord(b.header, b.leaves[i], r.isReading() ? meterSignature(r, 1, 0) : bytes(""));
            }
        }
        (uint32 open,,) = core.demandsOn(hashOf(b));
        vm.assertEq(open, 0, "all answered");
        finalizeAfterWindow(b);
    }
}
