// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { BatchLeaf } from "../../src/BatchLeaf.sol";
import { IBatchSettlement } from "../../src/IBatchSettlement.sol";
import { PointEvaluation } from "../../src/PointEvaluation.sol";
import { PositionalTree } from "../../src/PositionalTree.sol";
import { ReadingSignature } from "../../src/ReadingSignature.sol";
import { RecordWord, RecordWords } from "../../src/RecordWord.sol";
import { TariffTable } from "../../src/TariffTable.sol";

/// @notice The contracts' libraries behind calls, so that tests can hand them calldata and see them revert.
contract Libraries {
    function headerHash(IBatchSettlement.Header calldata h) external pure returns (bytes32) {
        return BatchLeaf.hash(h);
    }

    function leafHash(IBatchSettlement.Leaf calldata l, uint8 dataKind) external pure returns (bytes32) {
        return BatchLeaf.hash(l, dataKind);
    }

    function accountHash(IBatchSettlement.Account calldata a, uint8 dataKind) external pure returns (bytes32) {
        return BatchLeaf.hash(a, dataKind);
    }

    function sectionElement(bytes32[] calldata hashes) external pure returns (bytes32) {
        return BatchLeaf.sectionElement(hashes);
    }

    function isAt(bytes32 leaf, uint256 index, uint256 count, bytes32[] calldata path, bytes32 root)
        external
        pure
        returns (bool)
    {
        return PositionalTree.isAt(leaf, index, count, path, root);
    }

    function isRangeAt(bytes32[] memory hashes, uint256 first, uint256 count, bytes32[] calldata path, bytes32 root)
        external
        pure
        returns (bool)
    {
        return PositionalTree.isRangeAt(hashes, first, count, path, root);
    }

    function fold(bytes32[] memory nodes) external pure returns (bytes32) {
        return PositionalTree.fold(nodes);
    }

    function takenApart(RecordWord r) external pure returns (uint32, uint8, uint16, int32, uint48) {
        return (r.participant(), r.code(), r.slot(), r.value(), r.key());
    }

    function amountTruncated(RecordWord r, int32 price) external pure returns (int256) {
        return RecordWords.readingAmountTruncated(r, price);
    }

    function priceOf(bytes calldata table, uint8 code, uint16 slot, uint256 slots) external pure returns (bool, int32) {
        return TariffTable.priceOf(table, code, slot, slots);
    }

    function digest(IBatchSettlement core, RecordWord r, uint32 period, uint32 run) external view returns (bytes32) {
        return ReadingSignature.digest(core, r, period, run);
    }

    function checkSignature(IBatchSettlement core, RecordWord r, uint32 period, uint32 run, bytes calldata signature)
        external
        view
    {
        ReadingSignature.check(core, r, period, run, signature);
    }

    function point(uint256 element) external pure returns (uint256) {
        return PointEvaluation.point(element);
    }

    function checkPoint(
        bytes32 versionedHash,
        uint256 element,
        bytes32 value,
        bytes calldata commitment,
        bytes calldata proof
    ) external view {
        PointEvaluation.check(versionedHash, element, value, commitment, proof);
    }
}
