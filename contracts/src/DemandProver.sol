// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { BatchLeaf } from "./BatchLeaf.sol";
import { IBatchSettlement } from "./IBatchSettlement.sol";
import { IDemandProver } from "./IDemandProver.sol";
import { PositionalTree } from "./PositionalTree.sol";
import { Prover } from "./Prover.sol";
import { ReadingSignature } from "./ReadingSignature.sol";
import { SealedSections } from "./SealedSections.sol";

// slither-disable-start timestamp,incorrect-equality

/// @title Demands: the hub must open what it committed
/// @notice Holds the demands; their bonds lie in the core.
contract DemandProver is SealedSections, IDemandProver {
    using BatchLeaf for IBatchSettlement.Header;
    using BatchLeaf for IBatchSettlement.Leaf;
    using BatchLeaf for IBatchSettlement.Account;

    uint8 private constant RECORD = 0;
    uint8 private constant ACCOUNT = 1;
    uint8 private constant RECORD_ROW = 2;
    uint8 private constant ACCOUNT_ROW = 3;
    uint8 private constant RECORD_GROUP = 4;
    uint8 private constant ACCOUNT_GROUP = 5;
    uint8 private constant SECTION = 6;

    uint8 private constant NONE = 0;
    uint8 private constant OPEN = 1;
    uint8 private constant ANSWERED = 2;
    uint8 private constant SETTLED = 3;

    uint8 private constant REASON = 7;
    uint256 private constant WINDOW = 7 days;
    uint256 private constant ANSWER = 2 days;
    /// A group after its row, a sealed record after its section.
    uint256 private constant PART_AFTER_WHOLE = 2 days;
    uint256 private constant REWARD_KEPT = 1 days;
    uint256 private constant GROUP = 256;
    uint256 private constant RECORD_BYTES = 34;
    uint256 private constant ACCOUNT_BYTES = 16;
    uint256 private constant LARGE = 8;
    uint256 private constant DOUBLES_EVERY = 16;
    uint256 private constant MAX_DOUBLINGS = 64;

    uint256 private immutable _demandBond;

    mapping(bytes32 headerHash => mapping(uint256 kindAndIndex => Demand)) private _demands;

    /// The participant whose record a demand in a sealed batch is about.
    mapping(bytes32 headerHash => mapping(uint32 index => uint32 participant)) private _ownerOf;

    constructor(IBatchSettlement core_, address auditor_) Prover(core_) SealedSections(auditor_) {
        _demandBond = core_.demandBond();
    }

    /// @inheritdoc IDemandProver
    function demand(IBatchSettlement.Header calldata h, uint8 kind, uint32 index) external {
        bytes32 hash = _checkPending(h);
        if (kind > SECTION || index >= _size(h, kind)) revert BadDemand(kind, index);
        if (_isSealed(h)) {
            if (kind == RECORD) revert BadDemand(kind, index);
            if (kind == ACCOUNT || kind == SECTION) _checkParty(index);
        }
        _demand(h, hash, kind, index, _closesAt(h, hash, kind));
    }

    /// @inheritdoc IDemandProver
    function demandRecordOf(IBatchSettlement.Header calldata h, uint32 participant, uint32 index) external {
        bytes32 hash = _checkPending(h);
        _checkParty(participant);
        // Open batches have no sections.
        if (!_isInside(_known(hash, participant), index)) revert BadDemand(RECORD, index);
        _ownerOf[hash][index] = participant;
        uint256 closesAt = _closesAfter(h, _demands[hash][_key(SECTION, participant)]);
        _demand(h, hash, RECORD, index, closesAt);
    }

    function _demand(IBatchSettlement.Header calldata h, bytes32 hash, uint8 kind, uint32 index, uint256 closesAt)
        private
    {
        Demand storage d = _demands[hash][_key(kind, index)];
        if (d.state != NONE) revert AlreadyDemanded(kind, index);
        if (block.timestamp >= closesAt) revert DemandClosed(closesAt);
        uint256 amount = bondFor(hash, kind);
        if (amount > type(uint48).max) revert IBatchSettlement.BadAmount(type(uint64).max);

        uint40 deadline = uint40(block.timestamp + ANSWER);
        (d.challenger, d.bond, d.dueAt, d.state) = (msg.sender, uint48(amount), deadline, OPEN);
        emit Demanded(h.seq, kind, index, msg.sender, deadline);
        core.openDemand(hash, msg.sender, uint64(amount));
    }

    /// @inheritdoc IDemandProver
    function answerRecord(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Leaf calldata l,
        bytes calldata signature
    ) external {
        bytes32 hash = _checkOpen(h, RECORD, l.index);
        l.checkIn(h);
        bool isOwn = !_isSealed(h) || l.record.participant() == _ownerOf[hash][l.index];
        if (!isOwn) revert IBatchSettlement.BadPath(l.index);
        if (l.record.isReading()) ReadingSignature.check(core, l.record, h.period, h.run, signature);
        _answer(h, hash, RECORD, l.index);
    }

    /// @inheritdoc IDemandProver
    function answerAccount(IBatchSettlement.Header calldata h, IBatchSettlement.Account calldata a) external {
        bytes32 hash = _checkOpen(h, ACCOUNT, a.participant);
        a.checkIn(h);
        _answer(h, hash, ACCOUNT, a.participant);
    }

    /// @inheritdoc IDemandProver
    function answerRow(IBatchSettlement.Header calldata h, uint8 kind, bytes32[] calldata row) external {
        if (kind != RECORD_ROW && kind != ACCOUNT_ROW) revert BadDemand(kind, 0);
        bytes32 hash = _checkOpen(h, kind, 0);
        bool isRecords = kind == RECORD_ROW;
        if (row.length != _groups(_leaves(h, isRecords))) revert IBatchSettlement.BadPath(0);
        if (PositionalTree.fold(row) != _root(h, isRecords)) revert IBatchSettlement.BadPath(0);
        _answer(h, hash, kind, 0);
    }

    /// @inheritdoc IDemandProver
    function answerGroup(
        IBatchSettlement.Header calldata h,
        uint8 kind,
        uint32 group,
        bytes calldata leaves,
        bytes32[] calldata path
    ) external {
        if (_isSealed(h)) revert BadDemand(kind, group);
        (bytes32 hash, uint256 size) = _checkGroup(h, kind, group);
        bool isRecords = kind == RECORD_GROUP;
        if (leaves.length != size * (isRecords ? RECORD_BYTES : ACCOUNT_BYTES)) revert IBatchSettlement.BadPath(group);
        _answerGroup(h, hash, kind, group, _hashes(isRecords, uint32(GROUP * group), size, leaves), path);
    }

    /// @inheritdoc IDemandProver
    function answerSealedGroup(
        IBatchSettlement.Header calldata h,
        uint8 kind,
        uint32 group,
        bytes32[] calldata hashes,
        bytes32[] calldata path
    ) external {
        if (!_isSealed(h)) revert BadDemand(kind, group);
        (bytes32 hash, uint256 size) = _checkGroup(h, kind, group);
        if (hashes.length != size) revert IBatchSettlement.BadPath(group);
        _answerGroup(h, hash, kind, group, hashes, path);
    }

    /// @inheritdoc IDemandProver
    function answerSection(
        IBatchSettlement.Header calldata h,
        uint32 participant,
        uint32 first,
        bytes32[] calldata hashes,
        bytes32[] calldata path,
        bytes32[] calldata versionedHashes,
        bytes calldata commitment,
        bytes calldata proof
    ) external {
        bytes32 hash = _checkOpen(h, SECTION, participant);
        _checkDigest(h, participant, hashes, versionedHashes, commitment, proof);
        _show(h, hash, participant, first, hashes, path);
        _answer(h, hash, SECTION, participant);
    }

    /// @inheritdoc IDemandProver
    function expire(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint8 kind,
        uint32 index
    ) external {
        bytes32 hash = _checkOpen(h, kind, index);
        _checkParent(h, parent);
        Demand memory d = _demands[hash][_key(kind, index)];
        if (block.timestamp <= d.dueAt) revert IBatchSettlement.TooEarly(uint256(d.dueAt) + 1);
        address challenger = block.timestamp < d.dueAt + REWARD_KEPT ? d.challenger : msg.sender;
        _cancel(h, hash, parent, challenger, REASON);
    }

    /// @inheritdoc IDemandProver
    function settleDemand(IBatchSettlement.Header calldata h, uint8 kind, uint32 index) external {
        bytes32 hash = h.hash();
        Demand storage d = _demands[hash][_key(kind, index)];
        if (d.state == NONE || d.state == SETTLED) revert NoDemand(kind, index);
        // slither-disable-next-line unused-return
        (,, bool isFinal) = core.demandsOn(hash);
        if (!isFinal && core.isPending(h.seq, hash)) revert NotEnded(h.seq);
        d.state = SETTLED;
        emit DemandSettled(h.seq, kind, index, isFinal);
        core.releaseDemand(d.challenger, d.bond, isFinal);
    }

    /// @inheritdoc IDemandProver
    function bondFor(bytes32 headerHash, uint8 kind) public view returns (uint256) {
        // slither-disable-next-line unused-return
        (uint32 open,,) = core.demandsOn(headerHash);
        uint256 doublings = open / DOUBLES_EVERY;
        // More than anybody can pay, and no overflow.
        if (doublings > MAX_DOUBLINGS) doublings = MAX_DOUBLINGS;
        return (kind > ACCOUNT ? LARGE * _demandBond : _demandBond) << doublings;
    }

    /// @inheritdoc IDemandProver
    function demandOf(bytes32 headerHash, uint8 kind, uint32 index) external view returns (Demand memory) {
        return _demands[headerHash][_key(kind, index)];
    }

    // ------------------------------------------------------------------------------------------------ helpers

    /// @dev The batch is pending and the demand is open.
    function _checkOpen(IBatchSettlement.Header calldata h, uint8 kind, uint32 index)
        private
        view
        returns (bytes32 hash)
    {
        hash = _checkPending(h);
        if (_demands[hash][_key(kind, index)].state != OPEN) revert NoDemand(kind, index);
    }

    function _answer(IBatchSettlement.Header calldata h, bytes32 hash, uint8 kind, uint32 index) private {
        Demand storage d = _demands[hash][_key(kind, index)];
        (d.dueAt, d.state) = (uint40(block.timestamp), ANSWERED);
        emit Answered(h.seq, kind, index);
        core.closeDemand(hash);
    }

    function _closesAt(IBatchSettlement.Header calldata h, bytes32 hash, uint8 kind) private view returns (uint256) {
        if (kind != RECORD_GROUP && kind != ACCOUNT_GROUP) return h.committedAt + WINDOW;
        return _closesAfter(h, _demands[hash][_key(kind - RECORD_GROUP + RECORD_ROW, 0)]);
    }

    /// @dev When a part can no longer be demanded, given the demand for the whole.
    function _closesAfter(IBatchSettlement.Header calldata h, Demand memory whole) private pure returns (uint256) {
        uint256 windowEnd = h.committedAt + WINDOW;
        if (whole.state != ANSWERED) return windowEnd;
        uint256 afterWhole = whole.dueAt + PART_AFTER_WHOLE;
        return afterWhole > windowEnd ? afterWhole : windowEnd;
    }

    /// @dev In a sealed batch content is shown only when its participant or the auditor wants that.
    function _checkParty(uint32 participant) private view {
        // slither-disable-next-line unused-return
        (address payout,,) = core.payoutOf(participant);
        if (msg.sender != payout && msg.sender != auditor) revert IBatchSettlement.NotRole(msg.sender);
    }

    /// @dev The demand for a group is open. Returns how many leaves it has.
    function _checkGroup(IBatchSettlement.Header calldata h, uint8 kind, uint32 group)
        private
        view
        returns (bytes32 hash, uint256 size)
    {
        if (kind != RECORD_GROUP && kind != ACCOUNT_GROUP) revert BadDemand(kind, group);
        hash = _checkOpen(h, kind, group);
        uint256 left = _leaves(h, kind == RECORD_GROUP) - GROUP * group;
        size = left < GROUP ? left : GROUP;
    }

    function _answerGroup(
        IBatchSettlement.Header calldata h,
        bytes32 hash,
        uint8 kind,
        uint32 group,
        bytes32[] memory hashes,
        bytes32[] calldata path
    ) private {
        bool isRecords = kind == RECORD_GROUP;
        uint256 groups = _groups(_leaves(h, isRecords));
        if (!PositionalTree.isAt(PositionalTree.fold(hashes), group, groups, path, _root(h, isRecords))) {
            revert IBatchSettlement.BadPath(group);
        }
        _answer(h, hash, kind, group);
    }

    function _hashes(bool isRecords, uint32 first, uint256 size, bytes calldata leaves)
        private
        pure
        returns (bytes32[] memory hashes)
    {
        hashes = new bytes32[](size);
        unchecked {
            // At most 256 leaves, whose length was compared with that of the bytes.
            for (uint256 i = 0; i < size; ++i) {
                if (isRecords) {
                    uint256 start = RECORD_BYTES * i;
                    hashes[i] = BatchLeaf.hashRecordBytes(leaves[start:start + RECORD_BYTES]);
                } else {
                    uint256 start = ACCOUNT_BYTES * i;
                    hashes[i] = BatchLeaf.hashAccountBytes(first + uint32(i), leaves[start:start + ACCOUNT_BYTES]);
                }
            }
        }
    }

    /// @dev How many indices a kind has in this batch.
    function _size(IBatchSettlement.Header calldata h, uint8 kind) private pure returns (uint256) {
        if (kind == RECORD_ROW || kind == ACCOUNT_ROW) return 1;
        if (kind == SECTION) return _isSealed(h) ? h.accountCount : 0;
        uint256 count = _leaves(h, kind == RECORD || kind == RECORD_GROUP);
        return kind < RECORD_ROW ? count : _groups(count);
    }

    function _isSealed(IBatchSettlement.Header calldata h) private pure returns (bool) {
        return h.dataKind == BatchLeaf.SEALED;
    }

    function _leaves(IBatchSettlement.Header calldata h, bool isRecords) private pure returns (uint256) {
        return isRecords ? h.count : h.accountCount;
    }

    function _root(IBatchSettlement.Header calldata h, bool isRecords) private pure returns (bytes32) {
        return isRecords ? h.recordRoot : h.accountRoot;
    }

    function _groups(uint256 leaves) private pure returns (uint256) {
        return (leaves + GROUP - 1) / GROUP;
    }

    function _key(uint8 kind, uint32 index) private pure returns (uint256) {
        return uint256(kind) << 32 | index;
    }
}

// slither-disable-end timestamp,incorrect-equality
