// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";
import { PositionalTree } from "./PositionalTree.sol";

/// @title Headers, record leaves and account leaves, and whether a leaf is in its batch
/// @notice A header's `dataKind` says how its leaves are hashed: plain, or in a sealed batch with their salts.
library BatchLeaf {
    bytes1 private constant RECORD_TAG = 0x00;
    bytes1 private constant ACCOUNT_TAG = 0x02;
    bytes1 private constant SEALED_RECORD_TAG = 0x03;
    bytes1 private constant SECTION_TAG = 0x04;
    bytes1 private constant SEALED_ACCOUNT_TAG = 0x05;
    /// The kind of data of a sealed batch.
    uint8 internal constant SEALED = 2;
    /// "No leaf": the end of the batch on either side.
    uint32 internal constant NONE = type(uint32).max;

    function hash(IBatchSettlement.Header calldata h) internal pure returns (bytes32) {
        return keccak256(abi.encode(h));
    }

    function hash(IBatchSettlement.Leaf calldata l, uint8 dataKind) internal pure returns (bytes32) {
        uint192 moved = uint192(uint64(l.amount)) << 128 | uint192(uint64(l.balanceAfter)) << 64 | uint64(l.hubAfter);
        if (dataKind == SEALED) return keccak256(abi.encodePacked(SEALED_RECORD_TAG, l.salt, l.record, moved));
        return keccak256(abi.encodePacked(RECORD_TAG, l.record, moved));
    }

    /// @dev A sealed one begins with a zero byte: it is published as a field element of a blob.
    function hash(IBatchSettlement.Account calldata a, uint8 dataKind) internal pure returns (bytes32) {
        uint160 content = uint160(a.participant) << 128 | uint160(uint64(a.balance)) << 64 | a.payableMicro;
        if (dataKind == SEALED) return _element(keccak256(abi.encodePacked(SEALED_ACCOUNT_TAG, a.salt, content)));
        return keccak256(abi.encodePacked(ACCOUNT_TAG, content));
    }

    /// @notice Returns the field element that a sealed batch publishes for a section, by its leaves' hashes in order.
    function sectionElement(bytes32[] calldata hashes) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(SECTION_TAG, hashes)) >> 8;
    }

    /// @notice Returns whether a word has the form of a sealed account leaf.
    function isElement(bytes32 word) internal pure returns (bool) {
        return word == _element(word);
    }

    function _element(bytes32 word) private pure returns (bytes32) {
        return word << 8 >> 8;
    }

    /// @notice Returns the leaf hash of packed leaf bytes: `record | amount | balanceAfter | hubAfter`, 34 bytes.
    function hashRecordBytes(bytes calldata packed) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(RECORD_TAG, packed));
    }

    /// @notice Returns the leaf hash of a participant's packed bytes: `balance | payable`, 16 bytes.
    function hashAccountBytes(uint32 participant, bytes calldata packed) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(ACCOUNT_TAG, participant, packed));
    }

    function isNone(IBatchSettlement.Leaf calldata l) internal pure returns (bool) {
        return l.index == NONE && l.path.length == 0;
    }

    /// @notice Reverts unless the record leaf is in the batch at its index.
    function checkIn(IBatchSettlement.Leaf calldata l, IBatchSettlement.Header calldata h) internal pure {
        if (!PositionalTree.isAt(hash(l, h.dataKind), l.index, h.count, l.path, h.recordRoot)) {
            revert IBatchSettlement.BadPath(l.index);
        }
    }

    /// @notice Reverts unless the account leaf is in the batch at its participant's number.
    function checkIn(IBatchSettlement.Account calldata a, IBatchSettlement.Header calldata h) internal pure {
        if (!PositionalTree.isAt(hash(a, h.dataKind), a.participant, h.accountCount, a.path, h.accountRoot)) {
            revert IBatchSettlement.BadPath(a.participant);
        }
    }

    /// @notice Reverts unless `left` and `right` are neighbours in the batch; either may be no leaf at its end of it.
    function checkNeighbours(
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right,
        IBatchSettlement.Header calldata h
    ) internal pure {
        if (isNone(left)) {
            if (right.index != 0) revert IBatchSettlement.BadPath(right.index);
        } else {
            checkIn(left, h);
            uint256 expected = isNone(right) ? h.count : right.index;
            if (uint256(left.index) + 1 != expected) revert IBatchSettlement.BadPath(right.index);
        }
        if (!isNone(right)) checkIn(right, h);
    }
}
