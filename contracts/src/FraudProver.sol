// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { BatchLeaf } from "./BatchLeaf.sol";
import { IBatchSettlement } from "./IBatchSettlement.sol";
import { IFraudProver } from "./IFraudProver.sol";
import { PointEvaluation } from "./PointEvaluation.sol";
import { PositionalTree } from "./PositionalTree.sol";
import { Prover } from "./Prover.sol";
import { RecordWord, RecordWords } from "./RecordWord.sol";
import { TariffTable } from "./TariffTable.sol";

// slither-disable-start timestamp,incorrect-equality

/// @title Proofs of fraud that need one transaction
/// @notice Holds no state and no money.
contract FraudProver is Prover, IFraudProver {
    using BatchLeaf for IBatchSettlement.Header;
    using BatchLeaf for IBatchSettlement.Leaf;
    using BatchLeaf for IBatchSettlement.Account;

    uint8 private constant RECORD = 1;
    uint8 private constant PAIR = 2;
    uint8 private constant EDGE = 3;
    uint8 private constant OPENING = 4;
    uint8 private constant ACCOUNT = 5;
    uint8 private constant DATA = 6;
    uint8 private constant DEPOSIT_OMITTED = 8;
    uint8 private constant EXIT_IGNORED = 9;

    uint8 private constant CALLDATA = 0;
    uint8 private constant BLOBS = 1;
    uint8 private constant ENTRY_EXIT = 1;
    uint256 private constant RECORD_LENGTH = 10;
    uint256 private constant RECORDS_PER_ELEMENT = 3;
    uint256 private constant RECORDS_PER_BLOB = 12_288;
    uint256 private constant ELEMENTS_PER_BLOB = 4_096;
    /// An exit is honored when less than this is left, in micro-units.
    int256 private constant HUNDREDTH = 10_000;
    int256 private constant LARGEST_WITHDRAWAL = int256(type(int32).max) * HUNDREDTH;

    uint256 private immutable _slotsPerPeriod;

    constructor(IBatchSettlement core_) Prover(core_) {
        _slotsPerPeriod = core_.slotsPerPeriod();
    }

    /// @inheritdoc IFraudProver
    function proveRecord(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        bytes calldata table
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        l.checkIn(h);
        if (keccak256(table) != h.tariffHash) revert IBatchSettlement.BadTable(table.length, 0);
        if (!_isRecordWrong(h, parent, l, table)) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, RECORD);
    }

    /// @inheritdoc IFraudProver
    function provePair(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata a,
        IBatchSettlement.Leaf calldata b
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        a.checkIn(h);
        b.checkIn(h);
        if (uint256(a.index) + 1 != b.index) revert IBatchSettlement.BadPath(b.index);

        bool isOrderWrong = b.record.key() <= a.record.key();
        bool isHubWrong = b.hubAfter != int256(a.hubAfter) + b.record.hubDelta(b.amount);
        bool isBalanceWrong = a.record.participant() == b.record.participant()
            && b.balanceAfter != int256(a.balanceAfter) + int256(b.amount);
        if (!isOrderWrong && !isHubWrong && !isBalanceWrong) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, PAIR);
    }

    /// @inheritdoc IFraudProver
    function proveEdge(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        l.checkIn(h);
        bool isFirstWrong = l.index == 0
            && (l.record.key() != h.firstKey || l.hubAfter != int256(parent.hubBalance) + l.record.hubDelta(l.amount));
        bool isLastWrong =
            uint256(l.index) + 1 == h.count && (l.record.key() != h.lastKey || l.hubAfter != h.hubBalance);
        if (!isFirstWrong && !isLastWrong) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, EDGE);
    }

    /// @inheritdoc IFraudProver
    function proveOpening(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        IBatchSettlement.Leaf calldata previous,
        IBatchSettlement.Account calldata old
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        BatchLeaf.checkNeighbours(previous, l, h);
        uint32 participant = l.record.participant();
        if (l.isNone() || (!previous.isNone() && previous.record.participant() == participant)) {
            revert IBatchSettlement.BadPath(previous.index);
        }
        (int256 opening,) = _before(parent, old, participant);
        if (l.balanceAfter == opening + int256(l.amount)) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, OPENING);
    }

    /// @inheritdoc IFraudProver
    function proveAccount(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Account calldata current,
        IBatchSettlement.Account calldata old,
        IBatchSettlement.Leaf calldata last,
        IBatchSettlement.Leaf calldata next
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        current.checkIn(h);
        BatchLeaf.checkNeighbours(last, next, h);
        if (!_isAccountWrong(h, parent, current, old, last, next)) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, ACCOUNT);
    }

    /// @inheritdoc IFraudProver
    function proveBlob(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        bytes32[] calldata versionedHashes,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        l.checkIn(h);
        if (h.dataKind != BLOBS || keccak256(abi.encodePacked(versionedHashes)) != h.dataHash) {
            revert IBatchSettlement.BadOpening(l.index);
        }
        uint256 inBlob = l.index % RECORDS_PER_BLOB;
        PointEvaluation.check(
            versionedHashes[l.index / RECORDS_PER_BLOB], inBlob / RECORDS_PER_ELEMENT, element, commitment, proof
        );
        // Two zero bytes, then three records.
        uint256 shift = 160 - 80 * (inBlob % RECORDS_PER_ELEMENT);
        bool isPublished =
            uint256(element) >> 240 == 0 && uint80(uint256(element) >> shift) == uint80(RecordWord.unwrap(l.record));
        if (isPublished) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, DATA);
    }

    /// @inheritdoc IFraudProver
    function proveSealedAccount(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint32 participant,
        bytes32 leaf,
        bytes32[] calldata path,
        bytes32[] calldata versionedHashes,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        if (!PositionalTree.isAt(leaf, participant, h.accountCount, path, h.accountRoot)) {
            revert IBatchSettlement.BadPath(participant);
        }
        if (h.dataKind != BatchLeaf.SEALED || keccak256(abi.encodePacked(versionedHashes)) != h.dataHash) {
            revert IBatchSettlement.BadOpening(participant);
        }
        uint256 index = uint256(h.accountCount) + participant;
        PointEvaluation.check(
            versionedHashes[index / ELEMENTS_PER_BLOB], index % ELEMENTS_PER_BLOB, element, commitment, proof
        );
        if (element == leaf && BatchLeaf.isElement(leaf)) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, DATA);
    }

    /// @inheritdoc IFraudProver
    function proveCalldata(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        bytes calldata data
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        l.checkIn(h);
        if (h.dataKind != CALLDATA || keccak256(data) != h.dataHash) revert IBatchSettlement.BadOpening(l.index);
        uint256 first = RECORD_LENGTH * l.index;
        if (bytes10(data[first:first + RECORD_LENGTH]) == RecordWord.unwrap(l.record)) {
            revert IBatchSettlement.NotFraud();
        }
        _cancel(h, hash, parent, msg.sender, DATA);
    }

    /// @inheritdoc IFraudProver
    function proveDepositOmitted(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint64 entry,
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        BatchLeaf.checkNeighbours(left, right, h);
        IBatchSettlement.InboxEntry memory e = _consumed(h, parent, entry);
        if (e.kind == ENTRY_EXIT) revert IBatchSettlement.BadInbox(entry);
        uint48 key = RecordWords.depositKey(e.participant, entry - parent.inboxTo);
        bool isGap = (left.isNone() || left.record.key() < key) && (right.isNone() || key < right.record.key());
        if (!isGap) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, DEPOSIT_OMITTED);
    }

    /// @inheritdoc IFraudProver
    function proveExitIgnored(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint64 entry,
        IBatchSettlement.Account calldata a,
        IBatchSettlement.Account calldata old
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        a.checkIn(h);
        IBatchSettlement.InboxEntry memory e = _consumed(h, parent, entry);
        if (e.kind != ENTRY_EXIT) revert IBatchSettlement.BadInbox(entry);
        if (e.participant != a.participant) revert IBatchSettlement.BadPath(a.participant);
        (, int256 payableBefore) = _before(parent, old, a.participant);
        bool isIgnored = a.balance >= HUNDREDTH && int256(uint256(a.payableMicro)) - payableBefore < LARGEST_WITHDRAWAL;
        if (!isIgnored) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, EXIT_IGNORED);
    }

    // ------------------------------------------------------------------------------------------------ rules

    /// @dev Rules R2 to R5.
    function _isRecordWrong(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        bytes calldata table
    ) private view returns (bool) {
        RecordWord record = l.record;
        if (l.balanceAfter < 0 || l.hubAfter < 0) return true;
        if (record.participant() >= h.accountCount) return true;
        if (record.code() == RecordWords.DEPOSIT) return _isDepositWrong(h, parent, l);
        if (record.code() == RecordWords.WITHDRAWAL) {
            return record.slot() != 0 || record.value() < 0 || l.amount != -record.withdrawn();
        }
        return _isReadingWrong(h, l, table);
    }

    function _isReadingWrong(IBatchSettlement.Header calldata h, IBatchSettlement.Leaf calldata l, bytes calldata table)
        private
        view
        returns (bool)
    {
        RecordWord record = l.record;
        if (record.participant() == 0 || record.slot() >= _slotsPerPeriod) return true;
        if (h.run == 0 && record.value() < 0) return true;
        IBatchSettlement.Participant memory p = core.participant(record.participant());
        if (h.period < p.firstPeriod || h.period > p.lastPeriod) return true;
        (bool isKnown, int32 price) = TariffTable.priceOf(table, record.code(), record.slot(), _slotsPerPeriod);
        return !isKnown || l.amount != record.readingAmountTruncated(price);
    }

    function _isDepositWrong(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l
    ) private view returns (bool) {
        uint64 entry = parent.inboxTo + l.record.slot();
        if (l.record.value() != 0 || entry >= h.inboxTo) return true;
        IBatchSettlement.InboxEntry memory e = core.inboxEntry(entry);
        return e.kind == ENTRY_EXIT || e.participant != l.record.participant() || l.amount != int256(uint256(e.amount));
    }

    /// @dev Rule R8. `last` and `next` enclose all records of the participant.
    function _isAccountWrong(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Account calldata current,
        IBatchSettlement.Account calldata old,
        IBatchSettlement.Leaf calldata last,
        IBatchSettlement.Leaf calldata next
    ) private pure returns (bool) {
        uint32 participant = current.participant;
        if (!last.isNone() && last.record.participant() > participant) revert IBatchSettlement.BadPath(last.index);
        if (!next.isNone() && next.record.participant() <= participant) revert IBatchSettlement.BadPath(next.index);

        (int256 balance, int256 payable_) = _before(parent, old, participant);
        if (!last.isNone() && last.record.participant() == participant) {
            balance = last.balanceAfter;
            if (last.record.code() == RecordWords.WITHDRAWAL) payable_ += last.record.withdrawn();
        }
        if (participant == 0) balance = h.hubBalance;
        return current.balance != balance || int256(uint256(current.payableMicro)) != payable_;
    }
}

// slither-disable-end timestamp,incorrect-equality
