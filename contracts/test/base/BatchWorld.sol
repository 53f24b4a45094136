// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../../src/IBatchSettlement.sol";
import { RecordWord } from "../../src/RecordWord.sol";
import { Deployment } from "./Deployment.sol";
import { Trees } from "./Trees.sol";
import { vm } from "./Vm.sol";

/// @notice A hub that settles a small neighborhood honestly, and helps to do it dishonestly: batches are built from records
/// by the specification, may then be changed in any field, and are committed as they are.
///
/// Anna and Bert have secp256k1 keys, Carl a P-256 key, Dora no payout address.
abstract contract BatchWorld is Deployment {
    uint64 internal constant GENESIS = 1_700_000_000;
    uint32 internal constant DAY = 1 days;
    uint16 internal constant SLOTS = 96;
    uint32 internal constant ANNA = 1;
    uint32 internal constant BERT = 2;
    uint32 internal constant CARL = 3;
    uint32 internal constant DORA = 4;
    uint32 internal constant PARTICIPANTS = 5;
    uint32 internal constant LAST_TARIFF = 30;
    uint256 internal constant METER_KEY = 0xa0;
    uint256 internal constant P256_KEY = 0xc0;

    uint8 internal constant FEED_IN = 1;
    uint8 internal constant FLEX = 2;
    uint8 internal constant CONSUMPTION = 32;
    uint8 internal constant FEE = 33;
    uint8 internal constant WITHDRAWAL = 63;
    uint16 internal constant NEGATIVE_SLOT = 7;

    uint64 internal constant BOND = 200_000_000_000;
    uint64 internal constant FUNDS = 1_000_000_000;
    uint256 internal constant DEPTH = 64;
    uint32 internal constant NONE = type(uint32).max;

    /// @notice A batch with everything that the hub knows of it.
    struct Batch {
        IBatchSettlement.Header header;
        IBatchSettlement.Leaf[] leaves;
        IBatchSettlement.Account[] accounts;
        bytes data;
    }

    /// The first batch that was built honestly, to be changed and built again.
    bytes internal tableBytes;
    uint256 internal startBlock = 1_000;

    function setUp() public virtual {
        vm.warp(GENESIS);
        vm.roll(startBlock);
        deployToken();
        IBatchSettlement.Config memory c = worldConfig();
        deploy(c, address(0));
        tableBytes = bytes.concat(row(FEED_IN), row(FLEX), row(CONSUMPTION), row(FEE));
        vm.startPrank(TARIFF_AUTHORITY);
        for (uint32 period = 1; period <= LAST_TARIFF; ++period) {
            core.publishTariff(period, tableBytes);
        }
        vm.stopPrank();
        vm.startPrank(REGISTRAR);
        core.register(meterOf(ANNA), payoutOf(ANNA), 1, 0);
        core.register(meterOf(BERT), payoutOf(BERT), 1, 0);
        core.register(address(0), payoutOf(CARL), 1, 1);
        (uint256 x, uint256 y) = vm.publicKeyP256(P256_KEY);
        core.setP256(CARL, bytes32(x), bytes32(y));
        core.register(meterOf(DORA), address(0), 1, 0);
        vm.stopPrank();
        fund(address(this), 1 << 62);
        fund(HUB, BOND);
        vm.prank(HUB);
        core.bond(BOND);
    }

    function worldConfig() internal view returns (IBatchSettlement.Config memory c) {
        c = config();
        c.genesisTime = GENESIS;
        c.periodLength = DAY;
        c.slotsPerPeriod = SLOTS;
    }

    function fund(address holder, uint256 amount) internal {
        token.mint(holder, amount);
        vm.prank(holder);
        token.approve(address(core), type(uint256).max);
    }

    // ---------------------------------------------------------------------------------------- parties and prices

    function meterOf(uint32 number) internal pure returns (address) {
        return vm.addr(METER_KEY + number);
    }

    function payoutOf(uint32 number) internal pure returns (address) {
        return number == 0 ? HUB_PAYOUT : address(uint160(0x2000 + number));
    }

    function row(uint8 code) internal pure returns (bytes memory result) {
        result = abi.encodePacked(code);
        for (uint16 slot = 0; slot < SLOTS; ++slot) {
            result = bytes.concat(result, bytes4(uint32(priceOf(code, slot))));
        }
    }

    function priceOf(uint8 code, uint16 slot) internal pure returns (int32) {
        if (slot == NEGATIVE_SLOT) return -12_345;
        return 100_000 + int32(uint32(code)) * 100 + int32(uint32(slot));
    }

    function startOf(uint32 period) internal pure returns (uint256) {
        return uint256(GENESIS) + uint256(period) * DAY;
    }

    // ---------------------------------------------------------------------------------------- building

    function rec(uint32 participant, uint8 code, uint16 slot, int32 value) internal pure returns (RecordWord) {
        uint80 bits = uint80(participant) << 48 | uint80(code) << 42 | uint80(slot) << 32 | uint32(value);
        return RecordWord.wrap(bytes10(bits));
    }

    /// What came in the beginning: nothing.
    function genesis() internal pure returns (Batch memory b) {
        b.accounts = new IBatchSettlement.Account[](0);
    }

    /// An honest batch after `parent` that honors the inbox up to `inboxTo`. The header lacks what the commit adds.
    function build(Batch memory parent, uint32 period, uint32 run, RecordWord[] memory records, uint64 inboxTo)
        internal
        view
        returns (Batch memory b)
    {
        b.header.period = period;
        b.header.run = run;
        b.header.inboxTo = inboxTo;
        b.accounts = new IBatchSettlement.Account[](PARTICIPANTS);
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            b.accounts[p].participant = p;
            if (p >= parent.accounts.length) continue;
            (b.accounts[p].balance, b.accounts[p].payableMicro) =
            (parent.accounts[p].balance, parent.accounts[p].payableMicro);
        }
        int64 hubBalance = parent.header.hubBalance;
        b.leaves = new IBatchSettlement.Leaf[](records.length);
        for (uint32 i = 0; i < records.length; ++i) {
            RecordWord r = records[i];
            IBatchSettlement.Leaf memory l = b.leaves[i];
            (l.index, l.record, l.amount) = (i, r, amountOf(parent, r));
            IBatchSettlement.Account memory a = b.accounts[r.participant()];
            a.balance += l.amount;
            if (r.code() == WITHDRAWAL) a.payableMicro += uint64(int64(r.value()) * 10_000);
            if (r.isReading()) hubBalance -= l.amount;
            else if (r.participant() == 0) hubBalance += l.amount;
            if (r.participant() == 0) a.balance = hubBalance;
            (l.balanceAfter, l.hubAfter) = (a.balance, hubBalance);
        }
        b.accounts[0].balance = hubBalance;
        b.header.hubBalance = hubBalance;
        seal(b);
    }

    function amountOf(Batch memory parent, RecordWord r) internal view returns (int64) {
        if (r.code() == 0) return int64(core.inboxEntry(parent.header.inboxTo + r.slot()).amount);
        if (r.code() == WITHDRAWAL) return -int64(r.value()) * 10_000;
        int64 amount = int64(int256(r.value()) * priceOf(r.code(), r.slot()) / 1_000);
        return r.code() < CONSUMPTION ? amount : -amount;
    }

    /// Roots, paths, counts, first and last key and data from leaves and accounts as they are.
    function seal(Batch memory b) internal pure {
        b.header.count = uint32(b.leaves.length);
        b.header.firstKey = b.leaves[0].record.key();
        b.header.lastKey = b.leaves[b.leaves.length - 1].record.key();
        b.header.accountCount = uint32(b.accounts.length);
        sealRecords(b);
        sealAccounts(b);
        b.data = "";
        for (uint256 i = 0; i < b.leaves.length; ++i) {
            b.data = bytes.concat(b.data, RecordWord.unwrap(b.leaves[i].record));
        }
    }

    function sealRecords(Batch memory b) internal pure {
        bytes32[] memory hashes = leafHashes(b);
        b.header.recordRoot = Trees.root(hashes);
        for (uint256 i = 0; i < hashes.length; ++i) {
            b.leaves[i].path = Trees.path(hashes, i);
        }
    }

    function sealAccounts(Batch memory b) internal pure {
        bytes32[] memory hashes = accountHashes(b);
        b.header.accountRoot = Trees.root(hashes);
        for (uint256 i = 0; i < hashes.length; ++i) {
            b.accounts[i].path = Trees.path(hashes, i);
        }
    }

    function leafHashes(Batch memory b) internal pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](b.leaves.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            IBatchSettlement.Leaf memory l = b.leaves[i];
            bytes memory content = abi.encodePacked(l.record, l.amount, l.balanceAfter, l.hubAfter);
            hashes[i] = b.header.dataKind == 2
                ? keccak256(abi.encodePacked(bytes1(0x03), l.salt, content))
                : keccak256(abi.encodePacked(bytes1(0), content));
        }
    }

    function accountHashes(Batch memory b) internal pure returns (bytes32[] memory hashes) {
        hashes = new bytes32[](b.accounts.length);
        for (uint256 i = 0; i < hashes.length; ++i) {
            IBatchSettlement.Account memory a = b.accounts[i];
            bytes memory content = abi.encodePacked(a.participant, a.balance, a.payableMicro);
            hashes[i] = b.header.dataKind == 2
                ? bytes32(uint256(uint248(uint256(keccak256(abi.encodePacked(bytes1(0x05), a.salt, content))))))
                : keccak256(abi.encodePacked(bytes1(0x02), content));
        }
    }

    // ---------------------------------------------------------------------------------------- committing

    function batchIn(Batch memory b, bytes32 expectedParent) internal pure returns (IBatchSettlement.BatchIn memory) {
        IBatchSettlement.Header memory h = b.header;
        return IBatchSettlement.BatchIn({
            period: h.period,
            run: h.run,
            part: h.part,
            count: h.count,
            firstKey: h.firstKey,
            lastKey: h.lastKey,
            recordRoot: h.recordRoot,
            accountRoot: h.accountRoot,
            accountCount: h.accountCount,
            hubBalance: h.hubBalance,
            inboxTo: h.inboxTo,
            expectedParent: expectedParent
        });
    }

    /// Commits in calldata and completes the header, which must then have the hash that the contract gives.
    function commit(Batch memory parent, Batch memory b) internal {
        complete(parent, b, keccak256(b.data), 0);
        vm.prank(HUB);
        vm.assertEq(core.commitCalldata(batchIn(b, hashOf(parent)), b.data), hashOf(b), "header hash");
    }

    function commitInBlobs(Batch memory parent, Batch memory b, bytes32[] memory versionedHashes) internal {
        complete(parent, b, keccak256(abi.encodePacked(versionedHashes)), 1);
        vm.blobhashes(versionedHashes);
        vm.prank(HUB);
        vm.assertEq(core.commitBlobs(batchIn(b, hashOf(parent))), hashOf(b), "header hash");
    }

    function complete(Batch memory parent, Batch memory b, bytes32 dataHash, uint8 dataKind) internal view {
        IBatchSettlement.Header memory h = b.header;
        IBatchSettlement.Header memory p = parent.header;
        h.seq = p.seq + 1;
        h.parent = hashOf(parent);
        (h.regPeriod, h.regLastKey, h.lastRun) =
            h.run == 0 ? (h.period, h.lastKey, p.lastRun) : (p.regPeriod, p.regLastKey, h.run);
        h.tariffHash = core.tariffHash(h.period);
        h.dataHash = dataHash;
        h.dataKind = dataKind;
        h.committedAt = uint64(vm.getBlockTimestamp());
    }

    function hashOf(Batch memory b) internal pure returns (bytes32) {
        return keccak256(abi.encode(b.header));
    }

    function copy(Batch memory b) internal pure returns (Batch memory) {
        return abi.decode(abi.encode(b), (Batch));
    }

    // ---------------------------------------------------------------------------------------- usual days

    /// Deposits for the hub and all, 64 blocks deep.
    function depositAll() internal {
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            core.deposit(p, FUNDS);
        }
        deepen();
    }

    function deepen() internal {
        vm.roll(vm.getBlockNumber() + DEPTH);
    }

    /// Readings of three participants, their deposits before.
    function firstRecords() internal pure returns (RecordWord[] memory r) {
        r = new RecordWord[](13);
        r[0] = rec(0, 0, 0, 0);
        r[1] = rec(ANNA, 0, 1, 0);
        r[2] = rec(ANNA, FEED_IN, 0, 1_000);
        r[3] = rec(ANNA, FEED_IN, NEGATIVE_SLOT, 2_000);
        r[4] = rec(ANNA, CONSUMPTION, 0, 3_000);
        r[5] = rec(ANNA, WITHDRAWAL, 0, 1_234);
        r[6] = rec(BERT, 0, 2, 0);
        r[7] = rec(BERT, FEED_IN, 5, 500);
        r[8] = rec(BERT, CONSUMPTION, 95, 1_500);
        r[9] = rec(CARL, 0, 3, 0);
        r[10] = rec(CARL, FLEX, 3, 700);
        r[11] = rec(CARL, FEE, 3, 700);
        r[12] = rec(DORA, 0, 4, 0);
    }

    /// The first batch, committed the day after its period. Deposits must be in.
    function first() internal returns (Batch memory parent, Batch memory b) {
        (parent, b) = firstBuilt();
        commit(parent, b);
    }

    function firstBuilt() internal returns (Batch memory parent, Batch memory b) {
        vm.warp(startOf(2) - 1 days);
        depositAll();
        vm.warp(startOf(2));
        parent = genesis();
        b = build(parent, 1, 0, firstRecords(), PARTICIPANTS);
    }

    /// A regular batch of one day: feed-in and consumption of Anna and Bert, Bert withdraws.
    function nextRecords() internal pure returns (RecordWord[] memory r) {
        r = new RecordWord[](5);
        r[0] = rec(ANNA, FEED_IN, 10, 1_100);
        r[1] = rec(ANNA, CONSUMPTION, 10, 900);
        r[2] = rec(BERT, FEED_IN, 11, 800);
        r[3] = rec(BERT, CONSUMPTION, 12, 700);
        r[4] = rec(BERT, WITHDRAWAL, 0, 500);
    }

    function next(Batch memory parent, uint32 period) internal returns (Batch memory b) {
        if (vm.getBlockTimestamp() < startOf(period + 1)) vm.warp(startOf(period + 1));
        b = build(parent, period, 0, nextRecords(), parent.header.inboxTo);
        commit(parent, b);
    }

    /// A correction run: Anna's feed-in of period 1 was 30 Wh less, Bert's consumption 20 Wh less.
    function correction(Batch memory parent, uint32 period) internal returns (Batch memory b) {
        RecordWord[] memory r = new RecordWord[](2);
        r[0] = rec(ANNA, FEED_IN, 0, -30);
        r[1] = rec(BERT, CONSUMPTION, 95, -20);
        b = build(parent, period, parent.header.lastRun + 1, r, parent.header.inboxTo);
        commit(parent, b);
    }

    /// The smallest batch that there is.
    function heartbeat(Batch memory parent) internal returns (Batch memory b) {
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(0, WITHDRAWAL, 0, 0);
        b = build(parent, 1, parent.header.lastRun + 1, r, parent.header.inboxTo);
        commit(parent, b);
    }

    function finalizeAfterWindow(Batch memory b) internal {
        uint256 until = b.header.committedAt + 7 days;
        if (vm.getBlockTimestamp() < until) vm.warp(until);
        core.finalize(b.header);
    }

    /// The count is 24 bits of the state word, whose place is found by its value.
    function setParticipantCount(uint24 count) internal {
        for (uint256 slot = 0; slot < 8; ++slot) {
            uint256 word = uint256(vm.load(address(core), bytes32(slot)));
            uint256 changed = (word & ~(uint256(type(uint24).max) << 152)) | uint256(count) << 152;
            vm.store(address(core), bytes32(slot), bytes32(changed));
            if (core.participantCount() == count) return;
            vm.store(address(core), bytes32(slot), bytes32(word));
        }
        vm.assertTrue(false, "no such word");
    }

    // ---------------------------------------------------------------------------------------- leaves and signatures

    function noLeaf() internal pure returns (IBatchSettlement.Leaf memory l) {
        l.index = NONE;
    }

    function noAccount() internal pure returns (IBatchSettlement.Account memory a) { }

    function leafBefore(Batch memory b, uint256 i) internal pure returns (IBatchSettlement.Leaf memory) {
        return i == 0 ? noLeaf() : b.leaves[i - 1];
    }

    function accountIn(Batch memory b, uint32 p) internal pure returns (IBatchSettlement.Account memory) {
        return p < b.accounts.length ? b.accounts[p] : noAccount();
    }

    /// A participant's last leaf, or the one before the gap, and the leaf after it.
    function around(Batch memory b, uint32 p)
        internal
        pure
        returns (IBatchSettlement.Leaf memory last, IBatchSettlement.Leaf memory after_)
    {
        (last, after_) = (noLeaf(), noLeaf());
        for (uint256 i = 0; i < b.leaves.length; ++i) {
            if (b.leaves[i].record.participant() <= p) last = b.leaves[i];
            else return (last, b.leaves[i]);
        }
    }

    function signature(uint256 key, RecordWord r, uint32 period, uint32 run) internal view returns (bytes memory) {
        (uint8 v, bytes32 r_, bytes32 s) = vm.sign(key, libraries.digest(core, r, period, run));
        return abi.encodePacked(r_, s, v);
    }

    function meterSignature(RecordWord r, uint32 period, uint32 run) internal view returns (bytes memory) {
        if (r.participant() != CARL) return signature(METER_KEY + r.participant(), r, period, run);
        (bytes32 r_, bytes32 s) = vm.signP256(P256_KEY, libraries.digest(core, r, period, run));
        return abi.encodePacked(r_, s);
    }

    // ---------------------------------------------------------------------------------------- asserting

    function bound(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        return value >= min && value <= max ? value : min + value % (max - min + 1);
    }

    function expect(bytes4 selector) internal {
        vm.expectRevert(abi.encodeWithSelector(selector));
    }

    function expect(bytes4 selector, uint256 value) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, value));
    }

    function expect(bytes4 selector, uint256 a, uint256 b) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, a, b));
    }

    function expect(bytes4 selector, uint256 a, uint256 b, uint256 c) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, a, b, c));
    }

    function expect(bytes4 selector, address caller) internal {
        vm.expectRevert(abi.encodeWithSelector(selector, caller));
    }

    /// The batch fell, its parent is the head again, and the bond paid for it.
    function assertCancelled(Batch memory parent, uint64 bondBefore, address challenger) internal view {
        (uint64 headSeq, uint64 inboxTo, uint32 regPeriod, uint48 regLastKey, uint32 lastRun, uint32 accountCount) =
            core.cursor();
        IBatchSettlement.Header memory p = parent.header;
        vm.assertEq(headSeq, p.seq, "head");
        vm.assertEq(inboxTo, p.inboxTo, "inbox");
        vm.assertEq(regPeriod, p.regPeriod, "period");
        vm.assertEq(regLastKey, p.regLastKey, "key");
        vm.assertEq(lastRun, p.lastRun, "run");
        vm.assertEq(accountCount, p.accountCount, "accounts");
        vm.assertEq(core.bonded(), bondBefore - SLASH_UNIT, "bond");
        vm.assertEq(core.creditOf(challenger), SLASH_UNIT / 2, "reward");
    }
}
