// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";
import { ISealedSections } from "./ISealedSections.sol";

/// @title Demands: the hub must open what it committed
/// @notice A root of which nobody knows the leaves could not be disproved. Therefore anybody may demand, under a bond, that
/// a leaf, all group roots of a tree (the row) or all leaves of a group (256 of them) are shown, for a reading together
/// with a signature. Anybody may answer. Without an answer in two days the batch is cancelled.
///
/// Kinds: 0 record, 1 account, 2 row of the record tree, 3 row of the account tree, 4 group of records, 5 group of
/// accounts. The index of a row is 0. A sealed batch also has kind 6, the section of a participant. There, groups are
/// answered with hashes, and only its participant and the auditor may demand an account, a section or, inside a
/// section that was shown, a record.
///
/// The bond is `demandBond` for kinds 0 and 1 and eight times as much for the others, doubled for every 16 demands that
/// are open on the batch. When the batch is final, the hub gets 80 % and the rest is burned; when it fell, the challenger
/// gets all of it back.
interface IDemandProver is ISealedSections {
    /// @notice What is known of a demand.
    /// @param bond What the challenger paid, in micro-units.
    /// @param dueAt When the answer is due; once it came, when it came.
    /// @param state 0 none, 1 open, 2 answered, 3 settled.
    struct Demand {
        address challenger;
        uint48 bond;
        uint40 dueAt;
        uint8 state;
    }

    /// @notice Something must be shown before `deadline`, or later but before somebody calls `expire`.
    event Demanded(uint64 indexed seq, uint8 kind, uint32 index, address indexed challenger, uint40 deadline);

    /// @notice It was shown, in the transaction of this event.
    event Answered(uint64 indexed seq, uint8 kind, uint32 index);

    /// @notice The bond was paid out.
    event DemandSettled(uint64 indexed seq, uint8 kind, uint32 index, bool isFinal);

    /// @notice There is no such kind or index in this batch or, for a sealed record, in the section.
    error BadDemand(uint8 kind, uint32 index);

    /// @notice A demand is made once; an answered one cannot be opened again.
    error AlreadyDemanded(uint8 kind, uint32 index);

    /// @notice The window closed at `closedAt`. A group can be demanded until 2 days after its row was answered,
    /// a sealed record until 2 days after its section was.
    error DemandClosed(uint256 closedAt);

    /// @notice The demand is not open, or when settling: not there or settled.
    error NoDemand(uint8 kind, uint32 index);

    /// @notice The batch has not ended: its demands are settled when it is final or fell.
    error NotEnded(uint64 seq);

    /// @notice Demands that something is shown. Takes the bond from the caller's credit, then from its tokens.
    /// In a sealed batch, kinds 1 and 6 are for the participant's payout address and the auditor, and for kind 0 there is
    /// `demandRecordOf`.
    function demand(IBatchSettlement.Header calldata h, uint8 kind, uint32 index) external;

    /// @notice Demands a record of a sealed batch, which must be the participant's and lies in its section, which was shown.
    /// The participant's payout address or the auditor.
    function demandRecordOf(IBatchSettlement.Header calldata h, uint32 participant, uint32 index) external;

    /// @notice Shows a record; codes 1 to 62 with a signature of the meter, or in correction runs of the operator.
    function answerRecord(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Leaf calldata l,
        bytes calldata signature
    ) external;

    /// @notice Shows an account.
    function answerAccount(IBatchSettlement.Header calldata h, IBatchSettlement.Account calldata a) external;

    /// @notice Shows all group roots of a tree. Kind 2 or 3.
    function answerRow(IBatchSettlement.Header calldata h, uint8 kind, bytes32[] calldata row) external;

    /// @notice Shows all leaves of a group, 34 bytes a record (`record | amount | balanceAfter | hubAfter`), 16 an account
    /// (`balance | payable`). Kind 4 or 5. `path` leads from the group's root in the row to the root.
    function answerGroup(
        IBatchSettlement.Header calldata h,
        uint8 kind,
        uint32 group,
        bytes calldata leaves,
        bytes32[] calldata path
    ) external;

    /// @notice Shows the hashes of all leaves of a group of a sealed batch. Kind 4 or 5.
    function answerSealedGroup(
        IBatchSettlement.Header calldata h,
        uint8 kind,
        uint32 group,
        bytes32[] calldata hashes,
        bytes32[] calldata path
    ) external;

    /// @notice Shows a section: its leaves' hashes, where they are, and that the blob holds their digest.
    /// @param first Index of the first leaf; 0 for an empty section.
    /// @param path The nodes beside the range, level by level, before it and then after it; none for an empty section.
    /// @param versionedHashes Those of all blobs of the batch.
    /// @param proof That field element `participant` is the digest.
    function answerSection(
        IBatchSettlement.Header calldata h,
        uint32 participant,
        uint32 first,
        bytes32[] calldata hashes,
        bytes32[] calldata path,
        bytes32[] calldata versionedHashes,
        bytes calldata commitment,
        bytes calldata proof
    ) external;

    /// @notice Reason 7: cancels the batch because of a demand that was not answered in time. The reward goes to the
    /// challenger, from a day after the deadline to the caller.
    function expire(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint8 kind,
        uint32 index
    ) external;

    /// @notice Pays a demand's bond out after the batch became final or fell.
    function settleDemand(IBatchSettlement.Header calldata h, uint8 kind, uint32 index) external;

    /// @notice Returns what the next demand of this kind on the batch costs, in micro-units.
    function bondFor(bytes32 headerHash, uint8 kind) external view returns (uint256);

    function demandOf(bytes32 headerHash, uint8 kind, uint32 index) external view returns (Demand memory);
}
