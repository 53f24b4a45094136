// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";
import { IProver } from "./IProver.sol";
import { RecordWord } from "./RecordWord.sol";

/// @title What the hub must do: publish accounts, settle every reading
/// @notice **Snapshots.** Every 14 days the hub publishes all accounts of the latest final batch, 15 bytes each:
/// `balance u64 | payable in hundredths u56`. In blobs two of them lie behind two zero bytes in a field element, 8,192 in a
/// blob. Of a sealed batch it publishes the account leaves: 32 bytes each, an element each, 4,096 in a blob. A
/// snapshot counts from its last part on. For 7 days anybody can show that it says something else than the header's account
/// root; then it no longer counts and the hub is slashed. When the last one that counts is 21 days old, the hub cannot
/// commit.
///
/// **Forced readings.** A participant whose signed reading was left out shows it with the gap in the final regular batches
/// that its key falls into. For 7 days anybody can refute that with a correction record of the same key that was committed
/// at most a day after the request. Otherwise the amount moves from the bond into the inbox, and the hub must honor it
/// like a deposit. A key can be forced once; no correction of it may be committed later than that day (reason 10), so the
/// same energy is never paid twice unless the hub keeps the refutation to itself.
interface IDutyProver is IProver {
    /// @notice The snapshot that was published last.
    /// @param covered How many accounts the parts so far cover.
    /// @param completedAt 0 until all parts are there.
    /// @param previousAt When the one before was complete.
    /// @param isSealed Whether it publishes account leaves.
    struct Snapshot {
        bytes32 headerHash;
        uint32 accountCount;
        uint32 covered;
        uint40 startedAt;
        uint40 completedAt;
        uint32 previousAt;
        uint8 parts;
        bool isCancelled;
        bool isSealed;
    }

    /// @notice The data of accounts `[first, end)`.
    struct SnapshotPart {
        bytes32 dataHash;
        uint32 first;
        uint32 end;
        bool isBlobs;
    }

    /// @notice A reading that a participant forces.
    /// @param state 0 none, 1 open, 2 due: not refuted, but the bond does not cover it, 3 accepted, 4 refuted by a final
    /// batch. The last two are for ever.
    struct Force {
        uint64 amount;
        uint40 openedAt;
        uint8 state;
    }

    /// @notice A part of a snapshot was published: accounts `[first, end)` as they are after this header.
    event SnapshotCommitted(
        uint64 indexed seq, bytes32 indexed headerHash, uint8 part, uint32 first, uint32 end, bytes32 dataHash
    );

    /// @notice All parts are there; it counts unless it is disproved.
    event SnapshotCompleted(uint64 indexed seq, bytes32 indexed headerHash);

    /// @notice A participant forces a reading. It can be refuted with a correction that is committed by `correctUntil`.
    event ForceRequested(
        uint32 indexed participant, uint32 indexed period, uint48 key, int32 value, uint64 amount, uint256 correctUntil
    );

    /// @notice A correction record settles the reading. By a final batch: for ever.
    event ForceRefuted(uint32 indexed period, uint48 indexed key, bool isFinal);

    /// @notice The amount was moved from the bond into the inbox: all of it, or after a freeze what the bond had left of it,
    /// as `InboxAdded` says.
    event ForceAccepted(uint32 indexed period, uint48 indexed key, uint64 amount);

    /// @notice The bond does not cover the amount: the hub cannot commit until it does.
    event ForceDue(uint32 indexed period, uint48 indexed key, uint64 amount);

    /// @notice Parts come in order, of one header, within a day, and not after the last account.
    error BadPart(uint8 part, uint8 expected);

    /// @notice 15 bytes an account, 32 of a sealed batch, at most as many accounts as are left; or 1 to 6 blobs.
    error BadSnapshotData(uint256 length);

    /// @notice There is no snapshot of this header, or none of this form, that counts and can still be disproved.
    error NoSnapshot(bytes32 headerHash);

    /// @notice The reading is not one that the hub pays: a code of 1 to 31, a slot of the period, a participant that is
    /// active in it, a value and an amount above zero.
    error NotForceable(RecordWord record);

    /// @notice The key does not lie in the gap, or the record has another key.
    error NotInGap(uint32 period, uint48 key);

    /// @notice The key was forced before, or settled by a final correction.
    error AlreadyForced(uint32 period, uint48 key);

    /// @notice There is no such request in the state that the call is about.
    error NoForce(uint32 period, uint48 key);

    /// @notice The correction was committed after `until`.
    error TooLate(uint256 until);

    /// @notice Publishes a part of a snapshot of the latest final batch: in `data`, or in the blobs of this transaction if
    /// that is empty. Hub. Part 0 begins a new one, at the earliest 7 days after the last was complete.
    function commitSnapshot(IBatchSettlement.Header calldata latest, uint8 part, bytes calldata data) external;

    /// @notice Shows that a snapshot's blob holds something else than the account leaf.
    /// @param versionedHashes Those of all blobs of the part.
    function proveSnapshot(
        IBatchSettlement.Header calldata h,
        uint8 part,
        IBatchSettlement.Account calldata a,
        bytes32[] calldata versionedHashes,
        bytes32 element,
        bytes calldata commitment,
        bytes calldata proof
    ) external;

    /// @notice Shows that a snapshot's calldata holds something else than the account leaf.
    function proveSnapshotCalldata(
        IBatchSettlement.Header calldata h,
        uint8 part,
        IBatchSettlement.Account calldata a,
        bytes calldata data
    ) external;

    /// @notice Shows that a sealed snapshot's blob holds something else than the account leaf, which is a hash.
    /// @param path From the leaf to the account root.
    /// @param versionedHashes Those of all blobs of the part.
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
    ) external;

    /// @notice Shows that a sealed snapshot's calldata holds something else than the account leaf, which is a hash.
    function proveSealedSnapshotCalldata(
        IBatchSettlement.Header calldata h,
        uint8 part,
        uint32 participant,
        bytes32 leaf,
        bytes32[] calldata path,
        bytes calldata data
    ) external;

    /// @notice Forces a reading. By anybody who has it.
    /// @param h A final regular batch that is still in the ring.
    /// @param parent Its parent, when the gap lies before `h`; else ignored.
    /// @param left The leaf of `h` before the key; with `right`, no leaf if the gap lies before `h`. In a sealed
    /// batch also no leaf where the gap lies before the participant's section, which was shown while the batch was pending;
    /// with `right`, no leaf if that section is empty.
    /// @param right The leaf of `h` after the key; no leaf where the gap lies after the participant's section.
    /// @param record The reading in run 0.
    /// @param signature Of the participant's meter.
    /// @param table The period's tariff table.
    function forceReading(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint32 period,
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right,
        RecordWord record,
        bytes calldata signature,
        bytes calldata table
    ) external;

    /// @notice Refutes an open request with a correction record of the same key.
    /// @param chain The first pending or final and in the ring, each next one its parent, the last the correction run.
    function refuteForce(uint32 period, IBatchSettlement.Header[] calldata chain, IBatchSettlement.Leaf calldata l)
        external;

    /// @notice Pays a request that was open for 7 days, or is due.
    function acceptForce(uint32 period, uint48 key) external;

    /// @notice Reason 10: a correction record of a forced key was committed too late.
    function proveForced(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l
    ) external;

    function snapshot() external view returns (Snapshot memory);

    /// @notice Returns a part of the snapshot that was published last.
    function snapshotPart(uint8 part) external view returns (SnapshotPart memory);

    function forceOf(uint32 period, uint48 key) external view returns (Force memory);
}
