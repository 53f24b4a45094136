// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";
import { IProver } from "./IProver.sol";

/// @title Proofs of fraud that need one transaction
/// @notice Each function takes a pending batch's header, its parent's header and the leaves that show the broken rule. If
/// they do, the batch is cancelled, the hub slashed and the caller credited; if not, the call reverts with `NotFraud`, and
/// with a reason of `IBatchSettlement` when what was shown is not in the batch. Anybody may call; nothing can pause them.
///
/// The arithmetic is in 256 bits: no leaf content makes a proof fail. Where a proof needs a neighbour and there is none,
/// the leaf is index 2^32 - 1 with an empty path.
interface IFraudProver is IProver {
    /// @notice Reason 1: the record itself is wrong. Unknown or inactive participant, slot or code out of range, a sign or
    /// field that its code forbids, an amount that is not the tariff's, the withdrawal's or the deposit's, a balance below
    /// zero.
    /// @param table The period's tariff table.
    function proveRecord(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        bytes calldata table
    ) external;

    /// @notice Reason 2: of two neighbours, the second does not come after the first, or its running balances do not
    /// continue.
    function provePair(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata a,
        IBatchSettlement.Leaf calldata b
    ) external;

    /// @notice Reason 3: the first or the last leaf is not what the headers say of it.
    function proveEdge(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l
    ) external;

    /// @notice Reason 4: a participant's first record does not start from its balance after the parent.
    /// @param previous The leaf before, of another participant; no leaf for index 0.
    /// @param old The participant's account after the parent; ignored for an account that is new.
    function proveOpening(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        IBatchSettlement.Leaf calldata previous,
        IBatchSettlement.Account calldata old
    ) external;

    /// @notice Reason 5: an account is not what its records make of it.
    /// @param current The account after the batch.
    /// @param old The account after the parent; ignored for an account that is new.
    /// @param last The participant's last record, or the last one of lower participants.
    /// @param next The leaf after it, of a higher participant.
    function proveAccount(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Account calldata current,
        IBatchSettlement.Account calldata old,
        IBatchSettlement.Leaf calldata last,
        IBatchSettlement.Leaf calldata next
    ) external;

    /// @notice Reason 6: the blob holds another record than the leaf, or an element that does not begin with two zeros.
    /// @param versionedHashes Those of all blobs of the batch.
    /// @param element The field element in which the record lies.
    function proveBlob(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        bytes32[] calldata versionedHashes,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) external;

    /// @notice Reason 6: a sealed batch publishes another leaf for an account than its account tree has, or one that does
    /// not begin with a zero byte. Discloses nothing: `leaf` is a hash.
    /// @param path From the leaf to the account root.
    /// @param versionedHashes Those of all blobs of the batch.
    /// @param element Field element `accountCount + participant`.
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
    ) external;

    /// @notice Reason 6: the calldata holds another record than the leaf.
    function proveCalldata(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        bytes calldata data
    ) external;

    /// @notice Reason 8: a deposit that the batch passed has no record: its key falls between two neighbours.
    function proveDepositOmitted(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint64 entry,
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right
    ) external;

    /// @notice Reason 9: an exit that the batch passed left 0.01 or more and was less than the largest withdrawal.
    function proveExitIgnored(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint64 entry,
        IBatchSettlement.Account calldata a,
        IBatchSettlement.Account calldata old
    ) external;
}
