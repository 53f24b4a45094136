// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

/// @notice Settlement as one would write it first: the whole record is stored and told in an event, and checks nothing. It is
/// what the other ways are compared with (`gridtally cost`); nothing else uses it.
contract NaiveSettlement {
    struct Record {
        address sender;
        address receiver;
        uint256 time;
        uint256 energyWh;
        int256 priceMicroPerKwh;
        int256 amountMicro;
    }

    event Settled(uint256 indexed number, Record record);

    Record[] public records;

    function settle(Record calldata record) external {
        records.push(record);
        emit Settled(records.length - 1, record);
    }
}
