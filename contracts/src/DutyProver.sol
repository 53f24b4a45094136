// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { BatchLeaf } from "./BatchLeaf.sol";
import { IBatchSettlement } from "./IBatchSettlement.sol";
import { IDutyProver } from "./IDutyProver.sol";
import { ISealedSections } from "./ISealedSections.sol";
import { PointEvaluation } from "./PointEvaluation.sol";
import { PositionalTree } from "./PositionalTree.sol";
import { Prover } from "./Prover.sol";
import { ReadingSignature } from "./ReadingSignature.sol";
import { RecordWord, RecordWords } from "./RecordWord.sol";
import { TariffTable } from "./TariffTable.sol";

// slither-disable-start timestamp,incorrect-equality

/// @title What the hub must do: publish accounts, settle every reading
/// @notice Holds snapshots and requests; the money lies in the core.
contract DutyProver is Prover, IDutyProver {
    using BatchLeaf for IBatchSettlement.Header;
    using BatchLeaf for IBatchSettlement.Leaf;
    using BatchLeaf for IBatchSettlement.Account;

    uint256 private constant ACCOUNT_BYTES = 15;
    uint256 private constant ACCOUNTS_PER_ELEMENT = 2;
    uint256 private constant ACCOUNTS_PER_BLOB = 8_192;
    uint256 private constant SEALED_ACCOUNT_BYTES = 32;
    uint256 private constant SEALED_ACCOUNTS_PER_BLOB = 4_096;
    uint256 private constant PARTS_WITHIN = 1 days;
    uint256 private constant SNAPSHOT_WINDOW = 7 days;
    uint64 private constant HUNDREDTH = 10_000;

    uint8 private constant NONE = 0;
    uint8 private constant OPEN = 1;
    uint8 private constant DUE = 2;
    uint8 private constant ACCEPTED = 3;
    uint8 private constant REFUTED = 4;
    uint256 private constant CORRECT_WITHIN = 1 days;
    uint256 private constant REFUTE_WITHIN = 7 days;
    uint8 private constant FORCED_TWICE = 10;

    uint256 private immutable _slotsPerPeriod;
    address private immutable _hub;

    Snapshot private _snapshot;
    mapping(uint8 part => SnapshotPart) private _parts;
    mapping(uint32 period => mapping(uint48 key => Force)) private _forces;

    constructor(IBatchSettlement core_) Prover(core_) {
        _slotsPerPeriod = core_.slotsPerPeriod();
        _hub = core_.hub();
    }

    // ------------------------------------------------------------------------------------------------ snapshots

    /// @inheritdoc IDutyProver
    function commitSnapshot(IBatchSettlement.Header calldata latest, uint8 part, bytes calldata data) external {
        if (msg.sender != _hub) revert IBatchSettlement.NotHub(msg.sender);
        bytes32 hash = latest.hash();
        if (part == 0) _begin(latest, hash);
        Snapshot storage s = _snapshot;
        bool isLate = block.timestamp > s.startedAt + PARTS_WITHIN;
        if (part != s.parts || hash != s.headerHash || s.completedAt != 0 || isLate) revert BadPart(part, s.parts);

        uint32 first = s.covered;
        bool isBlobs = data.length == 0;
        (uint32 end, bytes32 dataHash) = isBlobs ? _inBlobs(first, s.isSealed) : _inCalldata(first, data, s.isSealed);
        if (end > s.accountCount) {
            if (!isBlobs) revert BadSnapshotData(data.length);
            end = s.accountCount;
        }
        _parts[part] = SnapshotPart(dataHash, first, end, isBlobs);
        (s.covered, s.parts) = (end, part + 1);
        emit SnapshotCommitted(latest.seq, hash, part, first, end, dataHash);
        if (end < s.accountCount) return;
        (s.completedAt, s.previousAt) = (uint40(block.timestamp), core.snapshotAt());
        emit SnapshotCompleted(latest.seq, hash);
        core.noteSnapshot();
    }

    /// @inheritdoc IDutyProver
    function proveSnapshot(
        IBatchSettlement.Header calldata h,
        uint8 part,
        IBatchSettlement.Account calldata a,
        bytes32[] calldata versionedHashes,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) external {
        SnapshotPart memory p = _checkSnapshot(h, part, a.participant, false);
        a.checkIn(h);
        if (!p.isBlobs || keccak256(abi.encodePacked(versionedHashes)) != p.dataHash) {
            revert IBatchSettlement.BadOpening(a.participant);
        }
        uint256 index = a.participant - p.first;
        uint256 inBlob = index % ACCOUNTS_PER_BLOB;
        PointEvaluation.check(
            versionedHashes[index / ACCOUNTS_PER_BLOB], inBlob / ACCOUNTS_PER_ELEMENT, element, commitment, proof
        );
        // Two zero bytes, then two accounts.
        uint256 shift = inBlob % ACCOUNTS_PER_ELEMENT == 0 ? 120 : 0;
        bool isTrue = uint256(element) >> 240 == 0 && uint120(uint256(element) >> shift) == _packed(a);
        if (isTrue) revert IBatchSettlement.NotFraud();
        _cancelSnapshot();
    }

    /// @inheritdoc IDutyProver
    function proveSnapshotCalldata(
        IBatchSettlement.Header calldata h,
        uint8 part,
        IBatchSettlement.Account calldata a,
        bytes calldata data
    ) external {
        SnapshotPart memory p = _checkSnapshot(h, part, a.participant, false);
        a.checkIn(h);
        if (p.isBlobs || keccak256(data) != p.dataHash) revert IBatchSettlement.BadOpening(a.participant);
        uint256 start = ACCOUNT_BYTES * (a.participant - p.first);
        if (uint120(bytes15(data[start:start + ACCOUNT_BYTES])) == _packed(a)) revert IBatchSettlement.NotFraud();
        _cancelSnapshot();
    }

    /// @inheritdoc IDutyProver
    function proveSealedSnapshot(
        IBatchSettlement.Header calldata h,
        uint8 part,
        uint32 participant,
        bytes32 leaf,
        bytes32[] calldata path,
        bytes32[] calldata versionedHashes,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) external {
        SnapshotPart memory p = _checkSnapshot(h, part, participant, true);
        _checkAccountLeaf(h, participant, leaf, path);
        if (!p.isBlobs || keccak256(abi.encodePacked(versionedHashes)) != p.dataHash) {
            revert IBatchSettlement.BadOpening(participant);
        }
        uint256 index = participant - p.first;
        PointEvaluation.check(
            versionedHashes[index / SEALED_ACCOUNTS_PER_BLOB],
            index % SEALED_ACCOUNTS_PER_BLOB,
            element,
            commitment,
            proof
        );
        if (element == leaf) revert IBatchSettlement.NotFraud();
        _cancelSnapshot();
    }

    /// @inheritdoc IDutyProver
    function proveSealedSnapshotCalldata(
        IBatchSettlement.Header calldata h,
        uint8 part,
        uint32 participant,
        bytes32 leaf,
        bytes32[] calldata path,
        bytes calldata data
    ) external {
        SnapshotPart memory p = _checkSnapshot(h, part, participant, true);
        _checkAccountLeaf(h, participant, leaf, path);
        if (p.isBlobs || keccak256(data) != p.dataHash) revert IBatchSettlement.BadOpening(participant);
        uint256 start = SEALED_ACCOUNT_BYTES * (participant - p.first);
        if (bytes32(data[start:start + SEALED_ACCOUNT_BYTES]) == leaf) revert IBatchSettlement.NotFraud();
        _cancelSnapshot();
    }

    function _checkAccountLeaf(
        IBatchSettlement.Header calldata h,
        uint32 participant,
        bytes32 leaf,
        bytes32[] calldata path
    ) private pure {
        if (!PositionalTree.isAt(leaf, participant, h.accountCount, path, h.accountRoot)) {
            revert IBatchSettlement.BadPath(participant);
        }
    }

    function _begin(IBatchSettlement.Header calldata latest, bytes32 hash) private {
        if (latest.seq == 0 || latest.seq != core.finalSeq() || !core.isFinal(latest.seq, hash)) {
            revert IBatchSettlement.NotFinal(latest.seq);
        }
        Snapshot storage s = _snapshot;
        uint256 from = s.completedAt == 0 || s.isCancelled ? 0 : s.completedAt + SNAPSHOT_WINDOW;
        if (block.timestamp < from) revert IBatchSettlement.TooEarly(from);
        _snapshot = Snapshot(hash, latest.accountCount, 0, uint40(block.timestamp), 0, 0, 0, false, _isSealed(latest));
    }

    function _inBlobs(uint32 first, bool isSealed) private view returns (uint32 end, bytes32 dataHash) {
        // slither-disable-next-line uninitialized-local
        bytes memory hashes;
        uint256 blobs = 0;
        for (bytes32 hash = blobhash(0); hash != 0; hash = blobhash(blobs)) {
            hashes = bytes.concat(hashes, hash);
            ++blobs;
        }
        if (blobs == 0) revert BadSnapshotData(0);
        uint256 perBlob = isSealed ? SEALED_ACCOUNTS_PER_BLOB : ACCOUNTS_PER_BLOB;
        return (first + uint32(perBlob * blobs), keccak256(hashes));
    }

    function _inCalldata(uint32 first, bytes calldata data, bool isSealed)
        private
        pure
        returns (uint32 end, bytes32 dataHash)
    {
        uint256 each = isSealed ? SEALED_ACCOUNT_BYTES : ACCOUNT_BYTES;
        if (data.length % each != 0) revert BadSnapshotData(data.length);
        return (first + uint32(data.length / each), keccak256(data));
    }

    /// @dev The part of a snapshot that can be disproved, of this kind, covers the participant.
    function _checkSnapshot(IBatchSettlement.Header calldata h, uint8 part, uint32 participant, bool isSealed)
        private
        view
        returns (SnapshotPart memory p)
    {
        bytes32 hash = h.hash();
        Snapshot memory s = _snapshot;
        bool isOver = s.completedAt == 0 || s.isCancelled || block.timestamp >= s.completedAt + SNAPSHOT_WINDOW;
        if (s.headerHash != hash || s.isSealed != isSealed || isOver) revert NoSnapshot(hash);
        p = _parts[part];
        if (part >= s.parts || participant < p.first || participant >= p.end) revert BadPart(part, s.parts);
    }

    function _cancelSnapshot() private {
        _snapshot.isCancelled = true;
        core.cancelSnapshot(msg.sender, _snapshot.previousAt);
    }

    /// @dev What the snapshot must say of an account: no other content of a final leaf has a form here.
    function _packed(IBatchSettlement.Account calldata a) private pure returns (uint120) {
        return uint120(uint64(a.balance)) << 56 | uint56(a.payableMicro / HUNDREDTH);
    }

    // ------------------------------------------------------------------------------------------------ forced readings

    /// @inheritdoc IDutyProver
    function forceReading(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint32 period,
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right,
        RecordWord record,
        bytes calldata signature,
        bytes calldata table
    ) external {
        if (core.isFrozen()) revert IBatchSettlement.IsFrozen();
        // The hub could not commit the correction that refutes it.
        if (core.isPaused()) revert IBatchSettlement.Paused();
        if (!core.isFinal(h.seq, h.hash())) revert IBatchSettlement.NotFinal(h.seq);
        if (h.run != 0) revert IBatchSettlement.BadRun(h.run, 0);
        _checkGap(h, parent, period, left, right, record.key());
        ReadingSignature.check(core, record, period, 0, signature);
        uint64 amount = _amount(period, record, table);
        Force storage f = _forces[period][record.key()];
        if (f.state != NONE) revert AlreadyForced(period, record.key());

        (f.amount, f.openedAt, f.state) = (amount, uint40(block.timestamp), OPEN);
        emit ForceRequested(
            record.participant(), period, record.key(), record.value(), amount, block.timestamp + CORRECT_WITHIN
        );
        core.openForced();
    }

    /// @inheritdoc IDutyProver
    function refuteForce(uint32 period, IBatchSettlement.Header[] calldata chain, IBatchSettlement.Leaf calldata l)
        external
    {
        uint48 key = l.record.key();
        Force memory f = _forces[period][key];
        if (f.state != OPEN) revert NoForce(period, key);
        bool isFinal = _checkChain(chain);
        IBatchSettlement.Header calldata h = chain[chain.length - 1];
        if (h.run == 0) revert IBatchSettlement.BadRun(0, 1);
        if (h.period != period) revert NotInGap(h.period, key);
        if (h.committedAt > f.openedAt + CORRECT_WITHIN) revert TooLate(f.openedAt + CORRECT_WITHIN);
        l.checkIn(h);

        // A pending batch may still be cancelled, and then the reading is as unsettled as before.
        if (isFinal) _forces[period][key].state = REFUTED;
        else delete _forces[period][key];
        emit ForceRefuted(period, key, isFinal);
        core.closeForced();
    }

    /// @inheritdoc IDutyProver
    function acceptForce(uint32 period, uint48 key) external {
        Force memory f = _forces[period][key];
        if (f.state != OPEN && f.state != DUE) revert NoForce(period, key);
        uint256 from = f.openedAt + REFUTE_WITHIN;
        if (block.timestamp < from) revert IBatchSettlement.TooEarly(from);
        // slither-disable-start reentrancy-events
        // Written before the call, and corrected when the bond does not cover it: the core calls nobody here.
        _forces[period][key].state = ACCEPTED;
        bool isPaid = core.payForced(uint32(key >> 16), f.amount, f.state == DUE);
        if (!isPaid) {
            // slither-disable-next-line reentrancy-no-eth
            _forces[period][key].state = DUE;
            if (f.state == OPEN) emit ForceDue(period, key, f.amount);
        } else {
            emit ForceAccepted(period, key, f.amount);
        }
        // slither-disable-end reentrancy-events
    }

    /// @inheritdoc IDutyProver
    function proveForced(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        l.checkIn(h);
        Force memory f = _forces[h.period][l.record.key()];
        bool isForced = f.state == OPEN || f.state == DUE || f.state == ACCEPTED;
        if (!isForced || h.run == 0 || h.committedAt <= f.openedAt + CORRECT_WITHIN) {
            revert IBatchSettlement.NotFraud();
        }
        _cancel(h, hash, parent, msg.sender, FORCED_TWICE);
    }

    /// @dev No final regular batch has the key: it lies between two neighbours of `h`, beside the section of its participant
    /// in `h`, or after `h`'s parent and before `h`.
    function _checkGap(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint32 period,
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right,
        uint48 key
    ) private view {
        bool isInGap;
        if (left.isNone() && right.isNone()) {
            isInGap = _hasEmptySection(h, period, key) || _isBefore(h, parent, period, key);
        } else if (_isSealed(h) && (left.isNone() || right.isNone())) {
            isInGap = period == h.period && _isBesideSection(h, left, right, key);
        } else {
            left.checkIn(h);
            right.checkIn(h);
            isInGap = period == h.period && uint256(left.index) + 1 == right.index && left.record.key() < key
                && key < right.record.key();
        }
        if (!isInGap) revert NotInGap(period, key);
    }

    function _isBefore(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint32 period,
        uint48 key
    ) private pure returns (bool) {
        _checkParent(h, parent);
        bool isAfterParent = period > parent.regPeriod || (period == parent.regPeriod && key > parent.regLastKey);
        bool isBefore = period < h.period || (period == h.period && key < h.firstKey);
        return period > 0 && isAfterParent && isBefore;
    }

    /// @dev Whether the batch, a sealed one of this period, was shown to have no record of the key's participant.
    function _hasEmptySection(IBatchSettlement.Header calldata h, uint32 period, uint48 key)
        private
        view
        returns (bool)
    {
        if (!_isSealed(h) || period != h.period || key <= h.firstKey || key >= h.lastKey) return false;
        ISealedSections.Section memory s = _sectionOf(h, key);
        return s.isKnown && s.count == 0;
    }

    /// @dev Whether the key lies before the first or after the last leaf of its participant's section, which was shown, and
    /// inside the batch: the neighbor on the other side is somebody else's leaf.
    function _isBesideSection(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right,
        uint48 key
    ) private view returns (bool) {
        if (key <= h.firstKey || key >= h.lastKey) return false;
        ISealedSections.Section memory s = _sectionOf(h, key);
        if (s.count == 0) return false;
        if (left.isNone()) {
            right.checkIn(h);
            return right.index == s.first && key < right.record.key();
        }
        left.checkIn(h);
        return uint256(left.index) + 1 == uint256(s.first) + s.count && left.record.key() < key;
    }

    function _sectionOf(IBatchSettlement.Header calldata h, uint48 key)
        private
        view
        returns (ISealedSections.Section memory)
    {
        return ISealedSections(core.demandProver()).sectionOf(h.hash(), uint32(key >> 16));
    }

    function _isSealed(IBatchSettlement.Header calldata h) private pure returns (bool) {
        return h.dataKind == BatchLeaf.SEALED;
    }

    /// @dev Returns what the hub owes for the reading, in micro-units.
    function _amount(uint32 period, RecordWord record, bytes calldata table) private view returns (uint64) {
        uint8 code = record.code();
        bool isCredit = code >= RecordWords.FIRST_READING && code < RecordWords.FIRST_DEBIT;
        if (!isCredit || record.slot() >= _slotsPerPeriod || record.value() <= 0) revert NotForceable(record);
        IBatchSettlement.Participant memory p = core.participant(record.participant());
        if (record.participant() == 0 || period < p.firstPeriod || period > p.lastPeriod) revert NotForceable(record);
        if (keccak256(table) != core.tariffHash(period)) revert IBatchSettlement.BadTable(table.length, 0);
        (bool isKnown, int32 price) = TariffTable.priceOf(table, code, record.slot(), _slotsPerPeriod);
        int256 amount = isKnown ? record.readingAmountTruncated(price) : int256(0);
        if (amount <= 0) revert NotForceable(record);
        return uint64(uint256(amount));
    }

    /// @dev Returns whether the first header is final; else it is pending. Each next one is its parent.
    function _checkChain(IBatchSettlement.Header[] calldata chain) private view returns (bool isFinal) {
        if (chain.length == 0) revert IBatchSettlement.NotFinal(0);
        bytes32 hash = chain[0].hash();
        isFinal = core.isFinal(chain[0].seq, hash);
        if (!isFinal) core.checkPending(chain[0].seq, hash);
        for (uint256 i = 1; i < chain.length; ++i) {
            if (chain[i].hash() != chain[i - 1].parent) revert IBatchSettlement.BadParent(chain[i - 1].parent);
        }
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @inheritdoc IDutyProver
    function snapshot() external view returns (Snapshot memory) {
        return _snapshot;
    }

    /// @inheritdoc IDutyProver
    function snapshotPart(uint8 part) external view returns (SnapshotPart memory) {
        return _parts[part];
    }

    /// @inheritdoc IDutyProver
    function forceOf(uint32 period, uint48 key) external view returns (Force memory) {
        return _forces[period][key];
    }
}

// slither-disable-end timestamp,incorrect-equality
