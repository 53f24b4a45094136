// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "./IDirectSettlement.sol";

/// @notice A record in the low 21 bytes of a word, in the order in which it travels:
/// `from u32 | to u32 | period u32 | run u16 | slot u16 | code u8 | energy i32`.
type PackedRecord is uint256;

using PackedRecords for PackedRecord global;

/// @title Records as words
library PackedRecords {
    uint256 internal constant LENGTH = 21;

    function pack(IDirectSettlement.Record calldata record) internal pure returns (PackedRecord) {
        return PackedRecord.wrap(
            uint256(record.from) << 136 | uint256(record.to) << 104 | uint256(record.period) << 72 | uint256(record.run)
                << 56 | uint256(record.slot) << 40 | uint256(record.code) << 32 | uint32(record.energy)
        );
    }

    /// @notice Returns the record that starts at a byte. The caller has checked that all its bytes are there.
    function unpackAt(bytes calldata records, uint256 start) internal pure returns (PackedRecord) {
        unchecked {
            return PackedRecord.wrap(uint168(bytes21(records[start:start + LENGTH])));
        }
    }

    function from(PackedRecord record) internal pure returns (uint32) {
        return uint32(PackedRecord.unwrap(record) >> 136);
    }

    function to(PackedRecord record) internal pure returns (uint32) {
        return uint32(PackedRecord.unwrap(record) >> 104);
    }

    function period(PackedRecord record) internal pure returns (uint32) {
        return uint32(PackedRecord.unwrap(record) >> 72);
    }

    function run(PackedRecord record) internal pure returns (uint16) {
        return uint16(PackedRecord.unwrap(record) >> 56);
    }

    function slot(PackedRecord record) internal pure returns (uint16) {
        return uint16(PackedRecord.unwrap(record) >> 40);
    }

    function code(PackedRecord record) internal pure returns (uint8) {
        return uint8(PackedRecord.unwrap(record) >> 32);
    }

    function energy(PackedRecord record) internal pure returns (int32) {
        return int32(uint32(PackedRecord.unwrap(record)));
    }

    /// @notice Returns `from 32 | to 32`.
    function parties(PackedRecord record) internal pure returns (uint256) {
        return PackedRecord.unwrap(record) >> 104;
    }

    /// @notice Returns the key of the duplicate guard, `from 32 | to 32 | period 32 | run 16 | code 8 | slot / 256`.
    function guardKey(PackedRecord record) internal pure returns (uint256) {
        return PackedRecord.unwrap(record) >> 56 << 16 | uint256(record.code()) << 8 | record.slot() >> 8;
    }

    /// @notice Returns the bit of the slot in the word of the duplicate guard.
    function guardBit(PackedRecord record) internal pure returns (uint256) {
        return 1 << uint256(record.slot() & 0xff);
    }
}
