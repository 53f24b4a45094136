// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { BatchLeaf } from "./BatchLeaf.sol";
import { CursorWords } from "./CursorWord.sol";
import { IBatchSettlement } from "./IBatchSettlement.sol";
import { IProver } from "./IProver.sol";

/// @title What the provers share
/// @notice Which core they serve, and the frame of every proof: the batch is pending and its parent is its parent.
abstract contract Prover is IProver {
    using BatchLeaf for IBatchSettlement.Header;
    using BatchLeaf for IBatchSettlement.Account;

    /// @inheritdoc IProver
    IBatchSettlement public immutable core;

    /// @param core_ Deployed before, with this contract's address among its provers.
    constructor(IBatchSettlement core_) {
        address self = address(this);
        if (self != core_.fraudProver() && self != core_.demandProver() && self != core_.dutyProver()) {
            revert NotProverOf(core_);
        }
        core = core_;
    }

    function _checkPending(IBatchSettlement.Header calldata h) internal view returns (bytes32 hash) {
        hash = h.hash();
        core.checkPending(h.seq, hash);
    }

    function _checkParent(IBatchSettlement.Header calldata h, IBatchSettlement.Header calldata parent) internal pure {
        if (parent.hash() != h.parent) revert IBatchSettlement.BadParent(h.parent);
    }

    function _checkFrame(IBatchSettlement.Header calldata h, IBatchSettlement.Header calldata parent)
        internal
        view
        returns (bytes32 hash)
    {
        hash = _checkPending(h);
        _checkParent(h, parent);
    }

    /// @dev Returns balance and payable after the parent: zero for an account that did not exist.
    function _before(IBatchSettlement.Header calldata parent, IBatchSettlement.Account calldata old, uint32 participant)
        internal
        pure
        returns (int256 balance, int256 payable_)
    {
        if (participant >= parent.accountCount) return (0, 0);
        if (old.participant != participant) revert IBatchSettlement.BadPath(old.participant);
        old.checkIn(parent);
        return (old.balance, int256(uint256(old.payableMicro)));
    }

    /// @dev Returns an entry that the batch passed.
    function _consumed(IBatchSettlement.Header calldata h, IBatchSettlement.Header calldata parent, uint64 entry)
        internal
        view
        returns (IBatchSettlement.InboxEntry memory)
    {
        if (entry < parent.inboxTo || entry >= h.inboxTo) revert IBatchSettlement.BadInbox(entry);
        return core.inboxEntry(entry);
    }

    /// @dev Last in every proof.
    function _cancel(
        IBatchSettlement.Header calldata h,
        bytes32 hash,
        IBatchSettlement.Header calldata parent,
        address challenger,
        uint8 reason
    ) internal {
        core.cancel(h.seq, hash, CursorWords.after_(parent), challenger, reason);
    }
}
