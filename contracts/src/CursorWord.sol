// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";

/// @notice Where the ledger stands, in one storage word, so that a commit reads and writes it at once:
/// `headSeq 48 | inboxTo 64 | regPeriod 32 | regLastKey 48 | lastRun 32 | 1 | accountCount 31`. The bit that is always set
/// keeps the word from being zero, so that the first commit costs no more than any other.
type CursorWord is uint256;

using CursorWords for CursorWord global;

/// @title The ledger's cursor
/// @notice All of it stands in the header of the newest batch, so that a cancellation restores it from the parent.
library CursorWords {
    uint256 private constant NEVER_ZERO = 1 << 31;

    function create(
        uint64 headSeq_,
        uint64 inboxTo_,
        uint32 regPeriod_,
        uint48 regLastKey_,
        uint32 lastRun_,
        uint32 accountCount_
    ) internal pure returns (CursorWord) {
        return CursorWord.wrap(
            uint256(headSeq_) << 208 | uint256(inboxTo_) << 144 | uint256(regPeriod_) << 112 | uint256(regLastKey_)
                << 64 | uint256(lastRun_) << 32 | NEVER_ZERO | accountCount_
        );
    }

    /// @notice Returns the cursor after this batch.
    function after_(IBatchSettlement.Header calldata h) internal pure returns (CursorWord) {
        return create(h.seq, h.inboxTo, h.regPeriod, h.regLastKey, h.lastRun, h.accountCount);
    }

    function headSeq(CursorWord word) internal pure returns (uint64) {
        return uint64(CursorWord.unwrap(word) >> 208);
    }

    function inboxTo(CursorWord word) internal pure returns (uint64) {
        return uint64(CursorWord.unwrap(word) >> 144);
    }

    function regPeriod(CursorWord word) internal pure returns (uint32) {
        return uint32(CursorWord.unwrap(word) >> 112);
    }

    function regLastKey(CursorWord word) internal pure returns (uint48) {
        return uint48(CursorWord.unwrap(word) >> 64);
    }

    function lastRun(CursorWord word) internal pure returns (uint32) {
        return uint32(CursorWord.unwrap(word) >> 32);
    }

    function accountCount(CursorWord word) internal pure returns (uint32) {
        return uint32(CursorWord.unwrap(word) & (NEVER_ZERO - 1));
    }
}
