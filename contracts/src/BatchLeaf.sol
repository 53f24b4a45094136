// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";
import { PositionalTree } from "./PositionalTree.sol";

/// @title Headers, record leaves and account leaves, and whether a leaf is in its batch
library BatchLeaf {
    bytes1 private constant RECORD_TAG = 0x00;
    bytes1 private constant ACCOUNT_TAG = 0x02;
    /// "No leaf": the end of the batch on either side.
    uint32 internal constant NONE = type(uint32).max;

    function hash(IBatchSettlement.Header calldata h) internal pure returns (bytes32) {
        return keccak256(abi.encode(h));
    }

    function hash(IBatchSettlement.Leaf calldata l) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(RECORD_TAG, l.record, l.amount, l.balanceAfter, l.hubAfter));
    }

    function hash(IBatchSettlement.Account calldata a) internal pure returns (bytes32) {
        return keccak256(abi.encodePacked(ACCOUNT_TAG, a.participant, a.balance, a.payableMicro));
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
        if (!PositionalTree.isAt(hash(l), l.index, h.count, l.path, h.recordRoot)) {
            revert IBatchSettlement.BadPath(l.index);
        }
    }

    /// @notice Reverts unless the account leaf is in the batch at its participant's number.
    function checkIn(IBatchSettlement.Account calldata a, IBatchSettlement.Header calldata h) internal pure {
        if (!PositionalTree.isAt(hash(a), a.participant, h.accountCount, a.path, h.accountRoot)) {
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
