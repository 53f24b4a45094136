// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { BatchWorld } from "./base/BatchWorld.sol";
import { Trees } from "./base/Trees.sol";
import { vm } from "./base/Vm.sol";

/// @notice Gas of batch settlement as whole transactions (see `GasTest`), with the table of 1,540 bytes, a record tree of
/// 8,192 leaves (13 levels) and 768 accounts (10 levels). The ceilings are those that were promised.
///
/// forge-config: default.isolate = true
/// forge-config: test.isolate = true
contract BatchGasTest is BatchWorld {
    uint256 private constant LEAVES = 8_192;
    uint32 private constant ACCOUNTS = 768;
    uint256 private constant COMMIT = 80_000;
    uint256 private constant FINALIZE = 45_000;
    uint256 private constant PROOF = 180_000;
    uint256 private constant GROUP_ANSWER = 480_000;
    uint256 private constant CLAIM_FIRST = 110_000;
    uint256 private constant CLAIM_LATER = 70_000;

    function setUp() public override {
        super.setUp();
        address[] memory meters = new address[](ACCOUNTS - PARTICIPANTS);
        for (uint32 i = 0; i < meters.length; ++i) {
            meters[i] = meterOf(PARTICIPANTS + i);
        }
        vm.prank(REGISTRAR);
        core.registerMany(meters, 1);
        _note("batch registerMany x 763", 0);
    }

    function test_gas_finalize() public {
        Batch memory b = _large(LEAVES, 0);
        vm.warp(b.header.committedAt + 7 days);
        core.finalize(b.header);
        _note("finalize first", FINALIZE);
        Batch memory c = _after(b, 2);
        _note("commitCalldata x 5", COMMIT);
        vm.warp(c.header.committedAt + 7 days);
        core.finalize(c.header);
        _note("finalize", FINALIZE);
    }

    function test_gas_records() public {
        Batch memory b = _large(LEAVES, 0);
        Batch memory parent = genesis();
        fraud.proveRecord(b.header, parent.header, _leaf(b, 4_000), tableBytes);
        _note("proveRecord", PROOF);
    }

    function test_gas_pair() public {
        Batch memory b = _large(LEAVES, 0);
        fraud.provePair(b.header, genesis().header, _leaf(b, 4_000), _leaf(b, 4_001));
        _note("provePair", PROOF);
    }

    function test_gas_edge() public {
        Batch memory b = _large(LEAVES, 0);
        fraud.proveEdge(b.header, genesis().header, _leaf(b, uint32(LEAVES) - 1));
        _note("proveEdge", PROOF);
    }

    function test_gas_accountAndOpening() public {
        Batch memory a = _large(LEAVES, 0);
        Batch memory b = _secondLarge(a);
        uint256 id = vm.snapshotState();
        fraud.proveAccount(b.header, a.header, _account(b, 40), _account(a, 40), _leaf(b, 3_839), _leaf(b, 3_840));
        _note("proveAccount", PROOF);
        vm.revertToState(id);
        fraud.proveOpening(b.header, a.header, _leaf(b, 3_840), _leaf(b, 3_839), _account(a, 41));
        _note("proveOpening", PROOF);
    }

    function test_gas_inbox() public {
        vm.warp(startOf(1));
        depositAll();
        vm.prank(payoutOf(ANNA));
        core.requestExit(ANNA);
        _note("requestExit", 0);
        deepen();
        Batch memory b = _large(LEAVES, 6);
        uint256 id = vm.snapshotState();
        fraud.proveDepositOmitted(b.header, genesis().header, 2, _leaf(b, 95), _leaf(b, 96));
        _note("proveDepositOmitted", PROOF);
        vm.revertToState(id);
        fraud.proveExitIgnored(b.header, genesis().header, 5, _account(b, ANNA), noAccount());
        _note("proveExitIgnored", PROOF);
    }

    function test_gas_calldata() public {
        Batch memory parent = genesis();
        Batch memory b = _largeBuilt(12_000, 0);
        commit(parent, b);
        _note("commitCalldata x 12000", 0);
        fraud.proveCalldata(b.header, parent.header, _leaf(b, 11_999), b.data);
        _note("proveCalldata x 12000", 0);
    }

    /// A record tree of 288 groups, as six blobs fill it, of which one has leaves.
    function test_gas_demands() public {
        Batch memory b = _largeBuilt(256, 0);
        bytes32[] memory row_ = new bytes32[](288);
        for (uint256 g = 0; g < row_.length; ++g) {
            row_[g] = g == 100 ? Trees.root(leafHashes(b)) : keccak256(abi.encode(g));
        }
        b.header.recordRoot = Trees.root(row_);
        b.header.count = 73_728;
        _pretendBlobs(b);
        demands.demand(b.header, 2, 0);
        _note("demand row", 0);
        demands.answerRow(b.header, 2, row_);
        _note("answerRow x 288", 0);
        demands.demand(b.header, 4, 100);
        _note("demand group", 0);
        bytes memory leaves;
        for (uint256 i = 0; i < 256; ++i) {
            IBatchSettlement.Leaf memory l = b.leaves[i];
            leaves = abi.encodePacked(leaves, l.record, l.amount, l.balanceAfter, l.hubAfter);
        }
        demands.answerGroup(b.header, 4, 100, leaves, Trees.path(row_, 100));
        _note("answerGroup 256 records", GROUP_ANSWER);
        demands.demand(b.header, 5, 1);
        leaves = "";
        for (uint256 i = 256; i < 512; ++i) {
            leaves = abi.encodePacked(leaves, b.accounts[i].balance, b.accounts[i].payableMicro);
        }
        demands.answerGroup(b.header, 5, 1, leaves, Trees.path(Trees.row(accountHashes(b)), 1));
        _note("answerGroup 256 accounts", GROUP_ANSWER);
        demands.demand(b.header, 0, 25_602);
        IBatchSettlement.Leaf memory one = _leaf(b, 2);
        (one.index, one.path) = (25_602, _joined(one.path, Trees.path(row_, 100)));
        bytes memory good = meterSignature(one.record, 1, 0);
        demands.answerRecord(b.header, one, good);
        _note("answerRecord secp256k1", 0);
        demands.demand(b.header, 1, 2);
        demands.answerAccount(b.header, _account(b, 2));
        _note("answerAccount", 0);
        demands.demand(b.header, 0, 3);
        vm.warp(b.header.committedAt + 2 days + 1);
        demands.expire(b.header, genesis().header, 0, 3);
        _note("expire", 0);
    }

    function test_gas_claims() public {
        Batch memory a = _largeBuilt(LEAVES, 0);
        vm.warp(startOf(1));
        core.deposit(ANNA, FUNDS);
        _note("batch deposit", 0);
        vm.warp(startOf(2));
        a.accounts[ANNA].payableMicro = 10_000_000;
        a.header.accountRoot = Trees.root(accountHashes(a));
        commit(genesis(), a);
        vm.warp(startOf(10));
        core.finalize(a.header);
        core.claim(a.header, _account(a, ANNA));
        _note("claim first", CLAIM_FIRST);
        Batch memory b = copyHeader(a);
        b.accounts[ANNA].payableMicro = 20_000_000;
        b.header.accountRoot = Trees.root(accountHashes(b));
        b.header.period = 2;
        commit(a, b);
        vm.warp(startOf(18));
        core.finalize(b.header);
        core.claim(b.header, _account(b, ANNA));
        _note("claim later", CLAIM_LATER);
    }

    // ---------------------------------------------------------------------------------------- batches

    /// A batch of which sizes, trees and the place in the ring count, and of which nothing is right.
    function _large(uint256 count, uint64 inboxTo) private returns (Batch memory b) {
        b = _largeBuilt(count, inboxTo);
        commit(genesis(), b);
    }

    /// Puts a header with six blobs into the ring: transactions with blobs cannot be isolated (see `BatchBlobGasTest`).
    function _pretendBlobs(Batch memory b) private {
        bytes32 key = _ringPlace(b);
        complete(genesis(), b, keccak256("six blobs"), 1);
        vm.store(address(core), key, hashOf(b));
    }

    /// Commits as many records as calldata holds, and returns where the hash lies.
    function _ringPlace(Batch memory b) private returns (bytes32) {
        Batch memory small = copyHeader(b);
        small.header.count = 256;
        small.data = new bytes(2_560);
        commit(genesis(), small);
        for (uint256 slot = 0; slot < 80; ++slot) {
            if (vm.load(address(core), bytes32(slot)) == hashOf(small)) return bytes32(slot);
        }
        return 0;
    }

    function _joined(bytes32[] memory lower, bytes32[] memory upper) private pure returns (bytes32[] memory path) {
        path = new bytes32[](lower.length + upper.length);
        for (uint256 i = 0; i < path.length; ++i) {
            path[i] = i < lower.length ? lower[i] : upper[i - lower.length];
        }
    }

    function _largeBuilt(uint256 count, uint64 inboxTo) private returns (Batch memory b) {
        if (vm.getBlockTimestamp() < startOf(2)) vm.warp(startOf(2));
        b.header.period = 1;
        b.header.inboxTo = inboxTo;
        b.leaves = new IBatchSettlement.Leaf[](count);
        for (uint32 i = 0; i < count; ++i) {
            IBatchSettlement.Leaf memory l = b.leaves[i];
            (l.index, l.record) = (i, rec(1 + i / 96, FEED_IN, uint16(i % 96), 500 + int32(i % 700)));
            (l.amount, l.balanceAfter, l.hubAfter) = (45_678, 54_698_131 + int64(uint64(i)), 5_127_209_356);
        }
        b.accounts = new IBatchSettlement.Account[](ACCOUNTS);
        for (uint32 p = 0; p < ACCOUNTS; ++p) {
            (b.accounts[p].participant, b.accounts[p].balance) = (p, 54_698_131 + int64(uint64(p)));
        }
        b.header.hubBalance = 5_127_209_356 + 1;
        b.header.count = uint32(count);
        b.header.accountCount = ACCOUNTS;
        b.header.lastKey = b.leaves[count - 1].record.key();
        b.header.firstKey = b.leaves[0].record.key();
        b.header.recordRoot = Trees.root(leafHashes(b));
        b.header.accountRoot = Trees.root(accountHashes(b));
        b.data = new bytes(10 * count);
    }

    function copyHeader(Batch memory b) internal pure returns (Batch memory c) {
        (c.header, c.leaves, c.accounts) =
        (abi.decode(abi.encode(b.header), (IBatchSettlement.Header)), b.leaves, b.accounts);
        c.data = b.data;
    }

    function _secondLarge(Batch memory a) private returns (Batch memory b) {
        b = copyHeader(a);
        b.header.period = 2;
        vm.warp(startOf(3));
        commit(a, b);
    }

    function _after(Batch memory a, uint32 period) private returns (Batch memory b) {
        b = copyHeader(a);
        RecordWord[] memory r = nextRecords();
        b.data = "";
        b.leaves = new IBatchSettlement.Leaf[](r.length);
        for (uint256 i = 0; i < r.length; ++i) {
            b.data = bytes.concat(b.data, RecordWord.unwrap(r[i]));
        }
        b.header.period = period;
        b.header.count = uint32(r.length);
        commit(a, b);
    }

    function _leaf(Batch memory b, uint32 i) private pure returns (IBatchSettlement.Leaf memory l) {
        l = b.leaves[i];
        l.path = Trees.path(leafHashes(b), i);
    }

    function _account(Batch memory b, uint32 p) private pure returns (IBatchSettlement.Account memory a) {
        a = b.accounts[p];
        a.path = Trees.path(accountHashes(b), p);
    }

    /// Records the gas of the last transaction; a ceiling of 0 is none.
    function _note(string memory name, uint256 ceiling) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        vm.snapshotValue("batch-gas", name, gas);
        vm.assertTrue(ceiling == 0 || gas <= ceiling, string.concat(name, ": ", vm.toString(gas)));
    }
}

/// @notice Gas of the two calls that need blobs. Foundry cannot send a blob transaction of its own, so each test makes one
/// call, whose storage is cold, and adds what a transaction costs beside it: 21,000, and 4 or 16 gas for a byte.
contract BatchBlobGasTest is BatchWorld {
    /// Six blobs, 73,728 records, a new place of the ring.
    function test_gas_commitBlobs() public {
        vm.warp(startOf(2));
        bytes32[] memory hashes = new bytes32[](6);
        for (uint256 i = 0; i < 6; ++i) {
            hashes[i] = bytes32(uint256(1) << 248 | uint256(keccak256(abi.encode(i))) >> 8);
        }
        vm.blobhashes(hashes);
        IBatchSettlement.BatchIn memory x = IBatchSettlement.BatchIn({
            period: 1,
            run: 0,
            part: 0,
            count: 73_728,
            firstKey: 66_560,
            lastKey: 50_331_743,
            recordRoot: keccak256("records"),
            accountRoot: keccak256("accounts"),
            accountCount: PARTICIPANTS,
            hubBalance: 5_127_209_356,
            inboxTo: 0,
            expectedParent: keccak256(abi.encode(genesis().header))
        });
        bytes memory call = abi.encodeCall(core.commitBlobs, (x));
        vm.prank(HUB);
        core.commitBlobs(x);
        _note("commitBlobs x 6", call, 0, 80_000);
    }

    /// The precompile's 50,000 included, 8,192 records; the element holds other records than the leaf.
    function test_gas_proveBlob() public {
        string memory json = vm.readFile("test/vectors/snapshot.json");
        bytes32[] memory hashes = new bytes32[](1);
        hashes[0] = vm.parseJsonBytes32(json, ".versionedHash");
        vm.warp(startOf(2));
        Batch memory b;
        b.leaves = new IBatchSettlement.Leaf[](8_192);
        for (uint32 i = 0; i < b.leaves.length; ++i) {
            (b.leaves[i].index, b.leaves[i].record) = (i, rec(1 + i / 96, FEED_IN, uint16(i % 96), 500));
            (b.leaves[i].amount, b.leaves[i].balanceAfter, b.leaves[i].hubAfter) = (45_678, 54_698_131, 5_127_209_356);
        }
        b.accounts = build(genesis(), 1, 0, nextRecords(), 0).accounts;
        b.header.period = 1;
        b.header.count = 8_192;
        b.header.accountCount = PARTICIPANTS;
        b.header.hubBalance = 5_127_209_356;
        b.header.lastKey = b.leaves[8_191].record.key();
        b.header.recordRoot = Trees.root(leafHashes(b));
        b.leaves[4].path = Trees.path(leafHashes(b), 4);
        commitInBlobs(genesis(), b, hashes);
        bytes memory call = abi.encodeCall(
            fraud.proveBlob,
            (
                b.header,
                genesis().header,
                b.leaves[4],
                hashes,
                vm.parseJsonBytes32(json, ".elements[1]"),
                vm.parseJsonBytes(json, ".commitment"),
                vm.parseJsonBytes(json, ".proofs[1]")
            )
        );
        (bool isDone,) = address(fraud).call(call);
        vm.assertTrue(isDone, "proved");
        // What the commit touched is warm here and cold in a transaction: four words and two contracts.
        _note("proveBlob", call, 4 * 2_000 + 2 * 2_500, 180_000);
    }

    function _note(string memory name, bytes memory call, uint256 cold, uint256 ceiling) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed + 21_000 + cold;
        for (uint256 i = 0; i < call.length; ++i) {
            gas += call[i] == 0 ? 4 : 16;
        }
        vm.snapshotValue("batch-gas", name, gas);
        vm.assertTrue(gas <= ceiling, string.concat(name, ": ", vm.toString(gas)));
    }
}
