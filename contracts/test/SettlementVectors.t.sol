// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { Deployment } from "./base/Deployment.sol";
import { SettlementInput } from "./base/SettlementInput.sol";
import { Trees } from "./base/Trees.sol";
import { vm } from "./base/Vm.sol";

/// @notice The contracts against the vectors of batch settlement, which an independent model computed: every value, the
/// three batches through the contract at the vectors' address, and each invalid variant slashed by the proof it names.
/// `npm run conformance -- PATH` runs another file.
contract SettlementVectorsTest is Deployment {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant READING_TYPEHASH =
        keccak256("Reading(uint32 participant,uint32 period,uint32 run,uint8 code,uint16 slot,int32 value)");
    uint256 private constant DEPTH = 64;
    uint64 private constant BOND = 100_000_000_000;

    string private _json;
    SettlementInput.Params private _params;

    function setUp() public {
        _json = vm.readFile(vm.envOr("SETTLEMENT_VECTORS", "test/vectors/settlement-a.json"));
        _params = abi.decode(_part("params"), (SettlementInput.Params));
        vm.chainId(_params.chainId);
        vm.warp(_params.genesisTime);
        vm.roll(1_000);
        deployToken();
        IBatchSettlement.Config memory c = config();
        c.genesisTime = _params.genesisTime;
        c.periodLength = _params.periodLength;
        c.slotsPerPeriod = _params.slotsPerPeriod;
        deploy(c, _params.core);

        SettlementInput.Meter[] memory meters = _meters();
        for (uint256 i = 0; i < meters.length; ++i) {
            vm.prank(REGISTRAR);
            uint32 number = core.register(meters[i].meter, _payoutOf(meters[i].participant), 1, 0);
            vm.assertEq(number, meters[i].participant, "number");
        }
        token.mint(address(this), 1 << 62);
        token.approve(address(core), 1 << 62);
        token.mint(HUB, BOND);
        vm.startPrank(HUB);
        token.approve(address(core), BOND);
        core.bond(BOND);
        vm.stopPrank();
    }

    function test_settlementVectors_codec() public view {
        SettlementInput.Codec[] memory cases = abi.decode(_part("codec"), (SettlementInput.Codec[]));
        for (uint256 i = 0; i < cases.length; ++i) {
            SettlementInput.Codec memory c = cases[i];
            (uint32 participant, uint8 code, uint16 slot, int32 value, uint48 key) =
                libraries.takenApart(RecordWord.wrap(c.record));
            vm.assertEq(participant, c.participant, "participant");
            vm.assertEq(code, c.code, "code");
            vm.assertEq(slot, c.slot, "slot");
            vm.assertEq(value, c.value, "value");
            vm.assertEq(key, c.key, "key");
            vm.assertEq(_record(c.participant, c.code, c.slot, c.value), c.record, "record");
        }
        vm.assertTrue(cases.length > 0, "read");
    }

    function test_settlementVectors_amounts() public view {
        SettlementInput.Amount[] memory cases = abi.decode(_part("amounts"), (SettlementInput.Amount[]));
        for (uint256 i = 0; i < cases.length; ++i) {
            RecordWord r = RecordWord.wrap(_record(1, cases[i].code, 0, cases[i].value));
            vm.assertEq(libraries.amountTruncated(r, cases[i].price), cases[i].amount, "amount");
        }
        vm.assertTrue(cases.length > 0, "read");
    }

    function test_settlementVectors_trees() public view {
        SettlementInput.Tree[] memory cases = abi.decode(_part("trees"), (SettlementInput.Tree[]));
        for (uint256 i = 0; i < cases.length; ++i) {
            SettlementInput.Tree memory t = cases[i];
            uint256 count = t.leaves.length;
            vm.assertEq(Trees.root(t.leaves), t.root, "root");
            vm.assertEq(libraries.fold(t.leaves), t.root, "folded");
            for (uint256 j = 0; j < t.paths.length; ++j) {
                uint256 index = t.indices[j];
                vm.assertTrue(libraries.isAt(t.leaves[index], index, count, t.paths[j], t.root), "path");
                vm.assertTrue(!libraries.isAt(t.leaves[index], index + 1, count, t.paths[j], t.root), "shifted");
                vm.assertEq(abi.encode(Trees.path(t.leaves, index)), abi.encode(t.paths[j]), "the same path");
            }
        }
        vm.assertTrue(cases.length > 0, "read");
    }

    function test_settlementVectors_metersAndConstants() public view {
        SettlementInput.Meter[] memory meters = _meters();
        for (uint256 i = 0; i < meters.length; ++i) {
            vm.assertEq(vm.addr(meters[i].key), meters[i].meter, "meter");
            vm.assertEq(core.participant(meters[i].participant).meter, meters[i].meter, "registered");
        }
        vm.assertEq(core.headerHashAt(0), _params.genesisHeaderHash, "genesis");
        vm.assertEq(core.domainSeparator(), _params.domainSeparator, "domain");
        vm.assertEq(DOMAIN_TYPEHASH, _params.domainTypeHash, "domain type");
        vm.assertEq(READING_TYPEHASH, _params.readingTypeHash, "reading type");
    }

    function test_settlementVectors_tariffs() public {
        _publishTariffs();
        SettlementInput.Tariff[] memory tariffs = _tariffs();
        for (uint256 i = 0; i < tariffs.length; ++i) {
            SettlementInput.Tariff memory t = tariffs[i];
            vm.assertEq(core.tariffHash(t.period), t.hash, "hash");
            for (uint256 c = 0; c < t.codes.length; ++c) {
                for (uint16 slot = 0; slot < _params.slotsPerPeriod; ++slot) {
                    (bool isKnown, int32 price) = libraries.priceOf(t.table, t.codes[c], slot, _params.slotsPerPeriod);
                    vm.assertTrue(isKnown, "known");
                    vm.assertEq(price, t.prices[c][slot], "price");
                }
            }
        }
    }

    function test_settlementVectors_headersLeavesAndAccounts() public view {
        SettlementInput.Batch[] memory batches = _batches();
        for (uint256 i = 0; i < batches.length; ++i) {
            SettlementInput.Batch memory b = batches[i];
            vm.assertEq(abi.encode(b.header), b.headerAbi, "abi");
            vm.assertEq(libraries.headerHash(b.header), b.headerHash, "hash");
            for (uint256 j = 0; j < b.leaves.length; ++j) {
                IBatchSettlement.Leaf memory l = b.leaves[j];
                vm.assertEq(keccak256(b.preimages[j]), b.hashes[j], "preimage");
                vm.assertEq(libraries.leafHash(l, b.header.dataKind), b.hashes[j], "leaf");
                vm.assertTrue(libraries.isAt(b.hashes[j], l.index, b.header.count, l.path, b.header.recordRoot), "path");
            }
            for (uint256 j = 0; j < b.accounts.length; ++j) {
                IBatchSettlement.Account memory a = b.accounts[j];
                vm.assertEq(keccak256(b.accountPreimages[j]), b.accountHashes[j], "account preimage");
                vm.assertEq(libraries.accountHash(a, b.header.dataKind), b.accountHashes[j], "account");
                vm.assertTrue(
                    libraries.isAt(
                        b.accountHashes[j], a.participant, b.header.accountCount, a.path, b.header.accountRoot
                    ),
                    "account path"
                );
            }
        }
        vm.assertEq(batches.length, 3, "batches");
    }

    function test_settlementVectors_digestsAndSignatures() public view {
        SettlementInput.Batch[] memory batches = _batches();
        SettlementInput.Meter[] memory meters = _meters();
        uint256 signed = 0;
        for (uint256 i = 0; i < batches.length; ++i) {
            SettlementInput.Batch memory b = batches[i];
            for (uint256 j = 0; j < b.leaves.length; ++j) {
                if (b.digests[j] == 0) continue;
                RecordWord r = b.leaves[j].record;
                bytes32 digest = libraries.digest(core, r, b.header.period, b.header.run);
                vm.assertEq(digest, b.digests[j], "digest");
                libraries.checkSignature(core, r, b.header.period, b.header.run, b.signatures[j]);
                (uint8 v, bytes32 r_, bytes32 s) = vm.sign(meters[r.participant() - 1].key, digest);
                vm.assertEq(abi.encodePacked(r_, s, v), b.signatures[j], "signature");
                ++signed;
            }
        }
        vm.assertTrue(signed > 0, "read");
    }

    function test_settlementVectors_publishedData() public view {
        SettlementInput.Batch[] memory batches = _batches();
        for (uint256 i = 0; i < batches.length; ++i) {
            SettlementInput.Batch memory b = batches[i];
            if (b.header.dataKind == 0) {
                bytes memory joined;
                for (uint256 j = 0; j < b.leaves.length; ++j) {
                    joined = bytes.concat(joined, RecordWord.unwrap(b.leaves[j].record));
                }
                vm.assertEq(joined, b.data, "calldata");
                vm.assertEq(keccak256(b.data), b.header.dataHash, "data hash");
                continue;
            }
            vm.assertEq(keccak256(abi.encodePacked(b.versionedHashes)), b.header.dataHash, "versioned hashes");
            for (uint256 j = 0; j < b.leaves.length; ++j) {
                uint256 shift = 160 - 80 * (j % 3);
                bytes10 published = bytes10(uint80(uint256(b.elements[j / 3]) >> shift));
                vm.assertEq(published, RecordWord.unwrap(b.leaves[j].record), "published");
            }
            for (uint256 j = 0; j < b.openings.length; ++j) {
                SettlementInput.Opening memory o = b.openings[j];
                uint256 blob = o.element / 4096;
                vm.assertEq(bytes32(libraries.point(o.element % 4096)), o.z, "point");
                vm.assertEq(b.elements[o.element], o.y, "element");
                libraries.checkPoint(b.versionedHashes[blob], o.element % 4096, o.y, b.commitments[blob], o.proof);
            }
            for (uint256 j = 0; j < b.commitments.length; ++j) {
                uint256 hash = uint256(sha256(b.commitments[j]));
                vm.assertEq(bytes32(hash << 8 >> 8 | 1 << 248), b.versionedHashes[j], "versioned hash");
            }
        }
    }

    function test_settlementVectors_p256() public {
        SettlementInput.P256 memory p = abi.decode(_part("p256"), (SettlementInput.P256));
        RecordWord r = RecordWord.wrap(_record(p.participant, p.code, p.slot, p.value));
        vm.assertEq(libraries.digest(core, r, p.period, p.run), p.digest, "digest");
        (bool isDone, bytes memory answer) = address(0x100).staticcall(abi.encode(p.digest, p.r, p.s, p.x, p.y));
        vm.assertTrue(isDone && abi.decode(answer, (uint256)) == 1, "signature");

        // The registry has no participant with this number and a P-256 key, so the next one shows that the key is taken.
        vm.startPrank(REGISTRAR);
        uint32 number = core.register(address(0), address(1), 1, 1);
        core.setP256(number, p.x, p.y);
        vm.stopPrank();
        (bytes32 x, bytes32 y) = core.p256KeyOf(number);
        vm.assertEq(abi.encode(x, y), abi.encode(p.x, p.y), "key");
    }

    function test_settlementVectors_sealed() public view {
        SettlementInput.Sealed memory s = abi.decode(_part("sealed"), (SettlementInput.Sealed));
        SettlementInput.Batch memory b = _batches()[1];
        bytes memory joined = hex"04";
        for (uint256 i = 0; i < s.indices.length; ++i) {
            bytes16 salt = bytes16(keccak256(abi.encodePacked(bytes1(0x10), s.sectionKey, s.indices[i])));
            vm.assertEq(salt, s.salts[i], "salt");
            IBatchSettlement.Leaf memory l = b.leaves[s.indices[i]];
            vm.assertEq(l.record.participant(), s.participant, "participant");
            bytes32 hash =
                keccak256(abi.encodePacked(bytes1(0x03), salt, l.record, l.amount, l.balanceAfter, l.hubAfter));
            vm.assertEq(hash, s.hashes[i], "sealed leaf");
            joined = bytes.concat(joined, hash);
        }
        vm.assertEq(bytes31(keccak256(joined)), s.digest, "digest");
    }

    function test_settlementVectors_replay() public {
        _publishTariffs();
        SettlementInput.Batch[] memory batches = _batches();
        for (uint256 i = 0; i < batches.length; ++i) {
            _commit(batches[i]);
        }
        for (uint256 i = 0; i < batches.length; ++i) {
            vm.warp(batches[i].header.committedAt + 7 days);
            core.finalize(batches[i].header);
        }
        for (uint256 i = 0; i < batches.length; ++i) {
            for (uint256 j = 0; j < batches[i].leaves.length; ++j) {
                _verify(batches, i, batches[i].leaves[j]);
            }
        }
        SettlementInput.Batch memory last = batches[batches.length - 1];
        for (uint256 j = 0; j < last.accounts.length; ++j) {
            if (last.accounts[j].payableMicro > 0) core.claim(last.header, last.accounts[j]);
        }
        (uint64 escrow,,,) = core.sums();
        uint256 owed = 0;
        for (uint256 j = 0; j < last.accounts.length; ++j) {
            owed += uint64(last.accounts[j].balance);
        }
        vm.assertEq(escrow, owed, "what is left is what the accounts say");
    }

    function test_settlementVectors_invalidVariants() public {
        _publishTariffs();
        SettlementInput.Batch[] memory batches = _batches();
        SettlementInput.Variant[] memory variants = abi.decode(_part("variants"), (SettlementInput.Variant[]));
        _commit(batches[0]);
        for (uint256 i = 0; i < variants.length; ++i) {
            uint256 id = vm.snapshotState();
            _slash(batches, variants[i]);
            vm.revertToState(id);
        }
        vm.assertEq(variants.length, 8, "variants");
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _slash(SettlementInput.Batch[] memory batches, SettlementInput.Variant memory v) private {
        SettlementInput.Batch memory honest = batches[1];
        IBatchSettlement.Header memory h = honest.header;
        h = abi.decode(abi.encode(h), (IBatchSettlement.Header));
        (h.count, h.recordRoot, h.accountRoot, h.hubBalance) = (v.count, v.recordRoot, v.accountRoot, v.hubBalance);
        h.dataHash = keccak256(abi.encodePacked(v.versionedHashes));
        _warpBefore(h.committedAt);
        _enter(h.inboxTo);
        vm.warp(h.committedAt);
        vm.blobhashes(v.versionedHashes);
        vm.prank(HUB);
        vm.assertEq(core.commitBlobs(_in(h)), keccak256(abi.encode(h)), v.name);
        uint64 before = core.bonded();

        _prove(batches, h, v);
        (uint64 headSeq, uint64 inboxTo,,,,) = core.cursor();
        vm.assertEq(headSeq, 1, "cancelled");
        vm.assertEq(inboxTo, batches[0].header.inboxTo, "cursor");
        vm.assertEq(core.bonded(), before - SLASH_UNIT, "slashed");
        vm.assertEq(core.creditOf(address(this)), SLASH_UNIT / 2, "reward");

        // The honest batch follows.
        vm.warp(batches[2].header.committedAt);
        vm.blobhashes(honest.versionedHashes);
        vm.prank(HUB);
        core.commitBlobs(_in(honest.header));
    }

    function _prove(
        SettlementInput.Batch[] memory batches,
        IBatchSettlement.Header memory h,
        SettlementInput.Variant memory v
    ) private {
        IBatchSettlement.Header memory parent = batches[0].header;
        bytes32 name = keccak256(bytes(v.proof));
        if (name == keccak256("proveRecord")) {
            fraud.proveRecord(h, parent, v.leaf, _tableOf(h.period));
        } else if (name == keccak256("provePair")) {
            fraud.provePair(h, parent, v.leaf, v.next);
        } else if (name == keccak256("proveEdge")) {
            fraud.proveEdge(h, parent, v.leaf);
        } else if (name == keccak256("proveBlob")) {
            fraud.proveBlob(h, parent, v.leaf, v.versionedHashes, v.element, v.commitment, v.opening);
        } else if (name == keccak256("proveAccount")) {
            (IBatchSettlement.Leaf memory last, IBatchSettlement.Leaf memory next) =
                _around(batches[1].leaves, v.account.participant);
            IBatchSettlement.Account memory old;
            if (v.account.participant < parent.accountCount) old = batches[0].accounts[v.account.participant];
            fraud.proveAccount(h, parent, v.account, old, last, next);
        } else {
            vm.assertTrue(false, v.proof);
        }
    }

    function _around(IBatchSettlement.Leaf[] memory leaves, uint32 participant)
        private
        pure
        returns (IBatchSettlement.Leaf memory last, IBatchSettlement.Leaf memory next)
    {
        (last.index, next.index) = (type(uint32).max, type(uint32).max);
        for (uint256 i = 0; i < leaves.length; ++i) {
            if (leaves[i].record.participant() <= participant) last = leaves[i];
            else return (last, leaves[i]);
        }
    }

    /// The deposits and exits that a batch honors, an hour and 64 blocks before it.
    function _enter(uint64 to) private {
        SettlementInput.Entry[] memory entries = abi.decode(_part("inbox"), (SettlementInput.Entry[]));
        for (uint64 i = core.inboxCount(); i < to; ++i) {
            if (entries[i].kind == 0) {
                core.deposit(entries[i].participant, entries[i].amount);
            } else {
                vm.prank(_payoutOf(entries[i].participant));
                core.requestExit(entries[i].participant);
            }
            vm.assertEq(core.inboxEntry(i).amount, entries[i].amount, "amount");
        }
        vm.roll(vm.getBlockNumber() + DEPTH);
    }

    function _warpBefore(uint64 time) private {
        if (vm.getBlockTimestamp() < time - 1 hours) vm.warp(time - 1 hours);
    }

    function _commit(SettlementInput.Batch memory b) private {
        _warpBefore(b.header.committedAt);
        _enter(b.header.inboxTo);
        vm.warp(b.header.committedAt);
        bytes32 hash;
        if (b.header.dataKind == 0) {
            vm.prank(HUB);
            hash = core.commitCalldata(_in(b.header), b.data);
        } else {
            vm.blobhashes(b.versionedHashes);
            vm.prank(HUB);
            hash = core.commitBlobs(_in(b.header));
        }
        vm.assertEq(hash, b.headerHash, "committed");
    }

    function _verify(SettlementInput.Batch[] memory batches, uint256 i, IBatchSettlement.Leaf memory l) private view {
        IBatchSettlement.Header[] memory chain = new IBatchSettlement.Header[](batches.length - i);
        for (uint256 j = 0; j < chain.length; ++j) {
            chain[j] = batches[batches.length - 1 - j].header;
        }
        vm.assertEq(core.verifyRecord(chain, l), batches[i].headerHash, "verified");
    }

    function _in(IBatchSettlement.Header memory h) private pure returns (IBatchSettlement.BatchIn memory) {
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
            expectedParent: h.parent
        });
    }

    function _publishTariffs() private {
        SettlementInput.Tariff[] memory tariffs = _tariffs();
        for (uint256 i = 0; i < tariffs.length; ++i) {
            vm.prank(TARIFF_AUTHORITY);
            core.publishTariff(tariffs[i].period, tariffs[i].table);
        }
    }

    function _tableOf(uint32 period) private view returns (bytes memory) {
        SettlementInput.Tariff[] memory tariffs = _tariffs();
        for (uint256 i = 0; i < tariffs.length; ++i) {
            if (tariffs[i].period == period) return tariffs[i].table;
        }
        return "";
    }

    function _record(uint32 participant, uint8 code, uint16 slot, int32 value) private pure returns (bytes10) {
        uint80 bits = uint80(participant) << 48 | uint80(code) << 42 | uint80(slot) << 32 | uint32(value);
        return bytes10(bits);
    }

    function _payoutOf(uint32 participant) private pure returns (address) {
        return participant == 0 ? HUB_PAYOUT : address(uint160(0x2000 + participant));
    }

    function _part(string memory name) private view returns (bytes memory) {
        return vm.parseJsonBytes(_json, string.concat(".", name));
    }

    function _meters() private view returns (SettlementInput.Meter[] memory) {
        return abi.decode(_part("meters"), (SettlementInput.Meter[]));
    }

    function _tariffs() private view returns (SettlementInput.Tariff[] memory) {
        return abi.decode(_part("tariffs"), (SettlementInput.Tariff[]));
    }

    function _batches() private view returns (SettlementInput.Batch[] memory) {
        return abi.decode(_part("batches"), (SettlementInput.Batch[]));
    }
}
