// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "./IBatchSettlement.sol";

/// @title The packed prices of a period
/// @notice For each code in use, ascending in 1 to 62: `code u8`, then an int32 price in micro-units per kWh for every slot.
library TariffTable {
    uint256 internal constant MAX_LENGTH = 49_152;
    uint8 private constant MAX_CODE = 62;
    uint256 private constant PRICE_LENGTH = 4;

    function check(bytes calldata table, uint256 slotsPerPeriod) internal pure {
        uint256 row = 1 + PRICE_LENGTH * slotsPerPeriod;
        if (table.length == 0 || table.length > MAX_LENGTH || table.length % row != 0) {
            revert IBatchSettlement.BadTable(table.length, row);
        }
        uint8 previous = 0;
        for (uint256 start = 0; start < table.length; start += row) {
            uint8 code = uint8(table[start]);
            if (code <= previous || code > MAX_CODE) revert IBatchSettlement.BadTable(start, row);
            previous = code;
        }
    }

    /// @notice Returns the price of a slot, or false when the code has none. `slot` is below `slotsPerPeriod`.
    function priceOf(bytes calldata table, uint8 code, uint16 slot, uint256 slotsPerPeriod)
        internal
        pure
        returns (bool isKnown, int32 price)
    {
        uint256 row = 1 + PRICE_LENGTH * slotsPerPeriod;
        for (uint256 start = 0; start < table.length; start += row) {
            if (uint8(table[start]) != code) continue;
            uint256 first = start + 1 + PRICE_LENGTH * slot;
            return (true, int32(uint32(bytes4(table[first:first + PRICE_LENGTH]))));
        }
    }
}
