// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";
import { IProver } from "./IProver.sol";

/// @title Sections of sealed batches: what a participant can prove about itself alone
/// @notice A section is what one participant has in one batch: neighbouring leaves of the record tree, or none. Once a demand
/// (`IDemandProver`, kind 6) was answered, this contract knows where it lies; the proofs here rest on that and show no leaf
/// of anybody else.
///
/// Only a participant's payout address and the **auditor** can demand a section, and then what is in it. The auditor
/// receives all sections off the chain and polices what crosses participants.
interface ISealedSections is IProver {
    /// @notice Where a section lies.
    /// @param first Index of its first leaf; 0 for a section without leaves.
    /// @param isKnown Whether it was shown.
    struct Section {
        uint32 first;
        uint32 count;
        bool isKnown;
    }

    /// @notice A section was shown: `count` leaves from `first` on, or none.
    event SectionShown(uint64 indexed seq, uint32 indexed participant, uint32 first, uint32 count);

    /// @notice The section was not shown, or it is empty where the call is about its leaves.
    error NoSection(uint32 participant);

    /// @notice Reason 4: the section's first record does not start from the participant's balance after the parent.
    /// @param l The first leaf.
    /// @param old The participant's account after the parent; ignored for an account that is new.
    function proveSectionOpening(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Leaf calldata l,
        IBatchSettlement.Account calldata old
    ) external;

    /// @notice Reason 5: the participant's account is not what its section makes of it.
    /// @param current The account after the batch.
    /// @param old The account after the parent; ignored for an account that is new.
    /// @param last The section's last leaf; no leaf for an empty section.
    function proveSectionAccount(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        IBatchSettlement.Account calldata current,
        IBatchSettlement.Account calldata old,
        IBatchSettlement.Leaf calldata last
    ) external;

    /// @notice Reason 6: a leaf lies in the participant's section and is another's, or is the participant's and lies
    /// elsewhere.
    function proveSectionForeign(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint32 participant,
        IBatchSettlement.Leaf calldata l
    ) external;

    /// @notice Reason 6: two sections that were shown overlap, or leave leaves between them, all sections between having
    /// been shown and being empty. Shows nothing new.
    /// @param left 2^32 - 1 for the beginning of the batch.
    /// @param right `accountCount` for its end.
    function proveSectionsApart(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint32 left,
        uint32 right
    ) external;

    /// @notice Reason 8: a deposit that the batch passed has no record in its participant's section.
    /// @param left The leaf of the section before the deposit's key; no leaf if that is before the whole section.
    /// @param right The leaf after it; no leaf if the key is after the whole section.
    function proveSectionDeposit(
        IBatchSettlement.Header calldata h,
        IBatchSettlement.Header calldata parent,
        uint64 entry,
        IBatchSettlement.Leaf calldata left,
        IBatchSettlement.Leaf calldata right
    ) external;

    /// @notice Returns who may demand sections beside their participants; zero where no batch is sealed.
    function auditor() external view returns (address);

    function sectionOf(bytes32 headerHash, uint32 participant) external view returns (Section memory);
}
