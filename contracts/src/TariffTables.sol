// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "./IDirectSettlement.sol";

/// @title Published prices
/// @notice Eight int32 prices in a word, in the byte order of the published table: slot `s` lies in word `s / 8`, counted
/// from the most significant end. A word that is zero may hold eight prices of zero or nothing: the set of codes tells.
library TariffTables {
    uint256 internal constant MAX_LENGTH = 49_152;
    uint8 internal constant MAX_CODE = 62;

    uint256 private constant PRICE_LENGTH = 4;
    uint256 private constant WORD_LENGTH = 32;

    struct Store {
        mapping(uint32 period => bytes32) hashes;
        /// Bit `c` is set when code `c` has prices.
        mapping(uint32 period => uint64) codes;
        /// By `key(period, code, slot)`.
        mapping(uint256 => uint256) prices;
    }

    /// @notice Checks a table and stores its prices, its codes and its hash.
    function publish(Store storage store, uint32 period, bytes calldata table, uint16 slotsPerPeriod)
        internal
        returns (bytes32 hash)
    {
        uint256 rowLength = 1 + PRICE_LENGTH * slotsPerPeriod;
        if (table.length == 0 || table.length > MAX_LENGTH || table.length % rowLength != 0) {
            revert IDirectSettlement.TariffLengthInvalid(table.length, rowLength);
        }

        uint8 previous = 0;
        uint64 codes = 0;
        for (uint256 start = 0; start < table.length; start += rowLength) {
            uint8 code = uint8(table[start]);
            if (code <= previous || code > MAX_CODE) revert IDirectSettlement.TariffCodeInvalid(code, previous);
            _storeRow(store, key(period, code, 0), table[start + 1:start + rowLength]);
            codes |= uint64(1) << code;
            previous = code;
        }

        hash = keccak256(table);
        store.codes[period] = codes;
        store.hashes[period] = hash;
    }

    /// @notice Returns whether prices exist, given the word in which the price would lie.
    /// @dev The set of codes is read only when the word cannot tell.
    function isKnown(Store storage store, uint32 period, uint8 code, uint256 word) internal view returns (bool) {
        return word != 0 || (code <= MAX_CODE && store.codes[period] >> code & 1 == 1);
    }

    /// @notice Returns the key of the word in which the price of a slot lies.
    function key(uint32 period, uint8 code, uint16 slot) internal pure returns (uint256) {
        return uint256(period) << 24 | uint256(code) << 16 | slot / 8;
    }

    /// @notice Returns the price of a slot out of its word.
    function price(uint256 word, uint16 slot) internal pure returns (int32) {
        return int32(uint32(word >> (224 - 32 * uint256(slot % 8))));
    }

    /// @dev A last word that is not full is padded with zeros, which no slot in range reads.
    function _storeRow(Store storage store, uint256 firstKey, bytes calldata row) private {
        uint256 words = (row.length + WORD_LENGTH - 1) / WORD_LENGTH;
        for (uint256 i = 0; i < words; ++i) {
            uint256 start = i * WORD_LENGTH;
            uint256 end = start + WORD_LENGTH < row.length ? start + WORD_LENGTH : row.length;
            uint256 word = uint256(bytes32(row[start:end]));
            if (word != 0) store.prices[firstKey + i] = word;
        }
    }
}
