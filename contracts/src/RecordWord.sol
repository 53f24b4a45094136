// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice One published record: `participant u32 | code u6 | slot u10 | value i32`, ten bytes, big-endian.
type RecordWord is bytes10;

using RecordWords for RecordWord global;

/// @title A record taken apart
/// @notice The code says what the record means: 0 a deposit, 1 to 31 energy that the hub pays for, 32 to 62 energy that
/// the participant pays for, 63 a withdrawal. The first six bytes are the key by which records are ordered.
library RecordWords {
    uint8 internal constant DEPOSIT = 0;
    uint8 internal constant FIRST_DEBIT = 32;
    uint8 internal constant WITHDRAWAL = 63;
    /// Records of one period per participant, code and slot: the lowest and the highest reading code.
    uint8 internal constant FIRST_READING = 1;
    uint8 internal constant LAST_READING = 62;

    int256 internal constant WH_PER_KWH = 1000;
    /// Micro-units in a hundredth, the unit of a withdrawal.
    int256 internal constant MICRO_PER_HUNDREDTH = 10_000;

    function participant(RecordWord record) internal pure returns (uint32) {
        return uint32(_bits(record) >> 48);
    }

    function code(RecordWord record) internal pure returns (uint8) {
        return uint8(_bits(record) >> 42 & 0x3f);
    }

    function slot(RecordWord record) internal pure returns (uint16) {
        return uint16(_bits(record) >> 32 & 0x3ff);
    }

    function value(RecordWord record) internal pure returns (int32) {
        return int32(uint32(_bits(record)));
    }

    function key(RecordWord record) internal pure returns (uint48) {
        return uint48(_bits(record) >> 32);
    }

    /// @notice Returns the key of the deposit record that honours the inbox entry at `offset`.
    function depositKey(uint32 participant_, uint64 offset) internal pure returns (uint48) {
        return uint48(participant_) << 16 | uint48(offset);
    }

    function isReading(RecordWord record) internal pure returns (bool) {
        uint8 code_ = record.code();
        return code_ != DEPOSIT && code_ != WITHDRAWAL;
    }

    /// @notice Returns what a reading moves on the participant's side in micro-units, truncated toward zero.
    function readingAmountTruncated(RecordWord record, int32 priceMicroPerKwh) internal pure returns (int256) {
        int256 amount = int256(record.value()) * int256(priceMicroPerKwh) / WH_PER_KWH;
        return record.code() < FIRST_DEBIT ? amount : -amount;
    }

    /// @notice Returns what a withdrawal adds to what is payable, in micro-units; negative for a hostile value.
    function withdrawn(RecordWord record) internal pure returns (int256) {
        return int256(record.value()) * MICRO_PER_HUNDREDTH;
    }

    /// @notice Returns what a record with this amount does to the hub's balance: the opposite of a reading; nothing for
    /// money that comes in or goes out, unless it is the hub's own.
    function hubDelta(RecordWord record, int64 amount) internal pure returns (int256) {
        if (record.isReading()) return -int256(amount);
        return record.participant() == 0 ? int256(amount) : int256(0);
    }

    function _bits(RecordWord record) private pure returns (uint80) {
        return uint80(RecordWord.unwrap(record));
    }
}
