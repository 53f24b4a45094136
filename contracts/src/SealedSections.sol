// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { BatchLeaf } from "./BatchLeaf.sol";
import { IBatchSettlement } from "./IBatchSettlement.sol";
import { ISealedSections } from "./ISealedSections.sol";
import { PointEvaluation } from "./PointEvaluation.sol";
import { PositionalTree } from "./PositionalTree.sol";
import { Prover } from "./Prover.sol";
import { RecordWords } from "./RecordWord.sol";

// slither-disable-start timestamp,incorrect-equality

/// @title Sections of sealed batches: what a participant can prove about itself alone
abstract contract SealedSections is Prover, ISealedSections {
    using BatchLeaf for IBatchSettlement.Leaf;
    using BatchLeaf for IBatchSettlement.Account;

    uint8 private constant OPENING_WRONG = 4;
    uint8 private constant ACCOUNT_WRONG = 5;
    uint8 private constant DATA_WRONG = 6;
    uint8 private constant DEPOSIT_LEFT_OUT = 8;
    uint8 private constant ENTRY_EXIT = 1;
    uint256 private constant ELEMENTS_PER_BLOB = 4_096;

    /// @inheritdoc ISealedSections
    address public immutable auditor;

    mapping(bytes32 headerHash => mapping(uint32 participant => Section)) private _sections;

    constructor(address auditor_) {
        // Zero is a choice: then nothing is sealed.
        // slither-disable-next-line missing-zero-check
        auditor = auditor_;
    }

    /// @inheritdoc ISealedSections
    function proveSectionOpening(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        IBatchSettlement.Account calldata old
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        l.checkIn(h);
        uint32 participant = l.record.participant();
        Section memory s = _known(hash, participant);
        if (s.count == 0) revert NoSection(participant);
        if (l.index != s.first) revert IBatchSettlement.BadPath(l.index);
        (int256 opening,) = _before(parent, old, participant);
        if (l.balanceAfter == opening + int256(l.amount)) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, OPENING_WRONG);
    }

    /// @inheritdoc ISealedSections
    function proveSectionAccount(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Account calldata current,
        IBatchSettlement.Account calldata old,
        IBatchSettlement.Leaf calldata last
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        current.checkIn(h);
        uint32 participant = current.participant;
        Section memory s = _known(hash, participant);
        (int256 balance, int256 payable_) = _before(parent, old, participant);
        if (s.count == 0) {
            if (!last.isNone()) revert IBatchSettlement.BadPath(last.index);
        } else {
            last.checkIn(h);
            bool isLast = last.index == s.first + s.count - 1 && last.record.participant() == participant;
            if (!isLast) revert IBatchSettlement.BadPath(last.index);
            balance = last.balanceAfter;
            if (last.record.code() == RecordWords.WITHDRAWAL) payable_ += last.record.withdrawn();
        }
        if (participant == 0) balance = h.hubBalance;
        bool isRight = current.balance == balance && int256(uint256(current.payableMicro)) == payable_;
        if (isRight) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, ACCOUNT_WRONG);
    }

    /// @inheritdoc ISealedSections
    function proveSectionForeign(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint32 participant,
        IBatchSettlement.Leaf calldata l
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        l.checkIn(h);
        bool isInside = _isInside(_known(hash, participant), l.index);
        if (isInside == (l.record.participant() == participant)) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, DATA_WRONG);
    }

    /// @inheritdoc ISealedSections
    function proveSectionsApart(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint32 left,
        uint32 right
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        uint256 end = 0;
        uint32 between = 0;
        if (left != BatchLeaf.NONE) {
            Section memory s = _filled(hash, left);
            end = uint256(s.first) + s.count;
            between = left + 1;
        }
        uint256 start = right == h.accountCount ? h.count : _filled(hash, right).first;
        if (between > right) revert IBatchSettlement.BadPath(right);
        if (end == start) revert IBatchSettlement.NotFraud();
        if (end < start) {
            for (; between < right; ++between) {
                if (_known(hash, between).count > 0) revert IBatchSettlement.NotFraud();
            }
        }
        _cancel(h, hash, parent, msg.sender, DATA_WRONG);
    }

    /// @inheritdoc ISealedSections
    function proveSectionDeposit(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint64 entry,
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right
    ) external {
        bytes32 hash = _checkFrame(h, parent);
        IBatchSettlement.InboxEntry memory e = _consumed(h, parent, entry);
        if (e.kind == ENTRY_EXIT) revert IBatchSettlement.BadInbox(entry);
        _checkNeighboursIn(_known(hash, e.participant), h, left, right);
        uint48 key = RecordWords.depositKey(e.participant, entry - parent.inboxTo);
        bool isGap = (left.isNone() || left.record.key() < key) && (right.isNone() || key < right.record.key());
        if (!isGap) revert IBatchSettlement.NotFraud();
        _cancel(h, hash, parent, msg.sender, DEPOSIT_LEFT_OUT);
    }

    /// @inheritdoc ISealedSections
    function sectionOf(bytes32 headerHash, uint32 participant) external view returns (Section memory) {
        return _sections[headerHash][participant];
    }

    // ------------------------------------------------------------------------------------------------ helpers

    /// @dev Neighbours inside a section; no leaf on the outer side of its ends.
    function _checkNeighboursIn(
        Section memory s,
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right
    ) private pure {
        uint256 end = uint256(s.first) + s.count;
        uint256 expected = s.first;
        if (!left.isNone()) {
            left.checkIn(h);
            if (!_isInside(s, left.index)) revert IBatchSettlement.BadPath(left.index);
            expected = uint256(left.index) + 1;
        }
        if (!right.isNone()) right.checkIn(h);
        if ((right.isNone() ? end : right.index) != expected) revert IBatchSettlement.BadPath(right.index);
        if (!right.isNone() && expected == end) revert IBatchSettlement.BadPath(right.index);
    }

    function _known(bytes32 hash, uint32 participant) internal view returns (Section memory s) {
        s = _sections[hash][participant];
        if (!s.isKnown) revert NoSection(participant);
    }

    /// @dev A section that was shown and has leaves.
    function _filled(bytes32 hash, uint32 participant) private view returns (Section memory s) {
        s = _sections[hash][participant];
        if (s.count == 0) revert NoSection(participant);
    }

    function _isInside(Section memory s, uint256 index) internal pure returns (bool) {
        return index >= s.first && index < uint256(s.first) + s.count;
    }

    /// @dev Notes where the section lies after checking that its leaves are there and that the blob has their digest.
    function _show(
        IBatchSettlement.Header calldata h,
        bytes32 hash,
        uint32 participant,
        uint32 first,
        bytes32[] calldata hashes,
        bytes32[] calldata path
    ) internal {
        bool isEmpty = hashes.length == 0;
        bool isThere = isEmpty
            ? first == 0 && path.length == 0
            : PositionalTree.isRangeAt(hashes, first, h.count, path, h.recordRoot);
        if (!isThere) revert IBatchSettlement.BadPath(first);
        _sections[hash][participant] = Section(first, uint32(hashes.length), true);
        emit SectionShown(h.seq, participant, first, uint32(hashes.length));
    }

    /// @dev Reverts unless the digest of these hashes is what the blob holds for the participant.
    function _checkDigest(
        IBatchSettlement.Header calldata h,
        uint32 participant,
        bytes32[] calldata hashes,
        bytes32[] calldata versionedHashes,
        bytes calldata commitment,
        bytes calldata proof
    ) internal view {
        if (keccak256(abi.encodePacked(versionedHashes)) != h.dataHash) {
            revert IBatchSettlement.BadOpening(participant);
        }
        PointEvaluation.check(
            versionedHashes[participant / ELEMENTS_PER_BLOB],
            participant % ELEMENTS_PER_BLOB,
            BatchLeaf.sectionElement(hashes),
            commitment,
            proof
        );
    }
}

// slither-disable-end timestamp,incorrect-equality
