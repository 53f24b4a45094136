// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { DemoToken } from "../../src/DemoToken.sol";
import { IDirectSettlement } from "../../src/IDirectSettlement.sol";
import { Vm, vm } from "./Vm.sol";

/// @notice A small neighborhood to test in: a day of 96 quarter-hours, a hub, two prosumers with money, and prices for
/// period 1 that include zero, a negative one and both extremes.
abstract contract World {
    uint64 internal constant GENESIS = 1_700_000_000;
    uint32 internal constant DAY = 1 days;
    uint16 internal constant SLOTS = 96;
    uint32 internal constant PERIOD = 1;

    /// Codes that period 1 has; all others have no price.
    uint8 internal constant FEED_IN = 1;
    uint8 internal constant FREE = 2;
    uint8 internal constant CONSUMPTION = 32;
    uint8 internal constant EXTREME = 62;
    int32 internal constant FEED_IN_PRICE = 81_234;
    int32 internal constant CONSUMPTION_PRICE = 123_400;
    /// Slots of `CONSUMPTION` with another price.
    uint16 internal constant NEGATIVE_SLOT = 7;
    int32 internal constant NEGATIVE_PRICE = -12_345;
    uint16 internal constant ZERO_SLOT = 8;
    /// Slots of `EXTREME`: even ones have the lowest price, odd ones the highest.
    int32 internal constant LOWEST = type(int32).min;
    int32 internal constant HIGHEST = type(int32).max;

    uint64 internal constant FUNDS = 10_000_000_000_000_000;

    address internal constant HUB = address(0x1001);
    address internal constant REGISTRAR = address(0x1002);
    address internal constant TARIFF_AUTHORITY = address(0x1003);
    uint256 internal constant OPERATOR_KEY = 0x0b;
    uint256 internal constant METER_KEY = 0xa0;
    uint32 internal constant ANNA = 1;
    uint32 internal constant BERT = 2;

    address internal immutable OPERATOR = vm.addr(OPERATOR_KEY);

    DemoToken internal token;
    IDirectSettlement internal direct;

    function setUp() public virtual {
        vm.warp(GENESIS);
        token = DemoToken(vm.deployCode("artifacts/DemoToken.json", abi.encode(address(this))));
        direct = deploy(config());
        register(ANNA);
        register(BERT);
        vm.prank(TARIFF_AUTHORITY);
        direct.publishTariff(PERIOD, table());
        token.mint(address(this), 1_000 * uint256(FUNDS));
        token.approve(address(direct), type(uint256).max);
        direct.deposit(0, FUNDS);
        direct.deposit(ANNA, FUNDS);
        direct.deposit(BERT, FUNDS);
        vm.warp(startOf(PERIOD + 1));
    }

    // ---------------------------------------------------------------------------------------- building

    /// The committed bytecode: what is tested is what is shipped.
    function deploy(IDirectSettlement.Config memory config_) internal returns (IDirectSettlement) {
        return IDirectSettlement(vm.deployCode("artifacts/DirectSettlement.json", abi.encode(config_)));
    }

    function config() internal view returns (IDirectSettlement.Config memory) {
        return IDirectSettlement.Config({
            token: token,
            hub: HUB,
            registrar: REGISTRAR,
            tariffAuthority: TARIFF_AUTHORITY,
            meteringOperator: OPERATOR,
            genesisTime: GENESIS,
            periodLength: DAY,
            slotsPerPeriod: SLOTS
        });
    }

    function register(uint32 expected) internal {
        vm.prank(REGISTRAR);
        uint32 number = direct.register(meterOf(expected), ownerOf(expected), IDirectSettlement.Role.Prosumer);
        assertEq(number, expected, "number");
    }

    function setState(uint32 number, IDirectSettlement.State state) internal {
        vm.prank(REGISTRAR);
        direct.setState(number, state);
    }

    function meterKeyOf(uint32 number) internal pure returns (uint256) {
        return METER_KEY + number;
    }

    function meterOf(uint32 number) internal pure returns (address) {
        return vm.addr(meterKeyOf(number));
    }

    function ownerOf(uint32 number) internal pure returns (address) {
        return number == 0 ? HUB : address(uint160(0x2000 + number));
    }

    function startOf(uint32 period) internal pure returns (uint256) {
        return uint256(GENESIS) + uint256(period) * DAY;
    }

    function table() internal pure returns (bytes memory) {
        bytes memory consumption;
        bytes memory extreme;
        for (uint16 slot = 0; slot < SLOTS; ++slot) {
            consumption = bytes.concat(consumption, bytes4(uint32(consumptionPrice(slot))));
            extreme = bytes.concat(extreme, bytes4(uint32(slot % 2 == 0 ? LOWEST : HIGHEST)));
        }
        return bytes.concat(
            row(FEED_IN, FEED_IN_PRICE), row(FREE, 0), bytes1(CONSUMPTION), consumption, bytes1(EXTREME), extreme
        );
    }

    function consumptionPrice(uint16 slot) internal pure returns (int32) {
        if (slot == NEGATIVE_SLOT) return NEGATIVE_PRICE;
        return slot == ZERO_SLOT ? int32(0) : CONSUMPTION_PRICE + int32(uint32(slot));
    }

    /// One row of a table with the same price in all slots.
    function row(uint8 code, int32 price) internal pure returns (bytes memory result) {
        result = abi.encodePacked(code);
        for (uint16 slot = 0; slot < SLOTS; ++slot) {
            result = bytes.concat(result, bytes4(uint32(price)));
        }
    }

    /// Anna pays the hub for a kilowatt-hour consumed in the first slot.
    function consumed() internal pure returns (IDirectSettlement.Record memory) {
        return IDirectSettlement.Record({
            from: ANNA, to: 0, period: PERIOD, run: 0, slot: 0, code: CONSUMPTION, energy: 1_000
        });
    }

    function pack(IDirectSettlement.Record memory r) internal pure returns (bytes memory) {
        return abi.encodePacked(r.from, r.to, r.period, r.run, r.slot, r.code, r.energy);
    }

    function signed(uint256 key, IDirectSettlement.Record memory r) internal view returns (bytes memory) {
        (uint8 v, bytes32 r_, bytes32 s) = vm.sign(key, direct.settlementDigest(r));
        return abi.encodePacked(r_, s, v);
    }

    // ---------------------------------------------------------------------------------------- asserting

    function bound(uint256 value, uint256 min, uint256 max) internal pure returns (uint256) {
        return value >= min && value <= max ? value : min + value % (max - min + 1);
    }

    function assertEq(uint256 left, uint256 right, string memory message) internal pure {
        vm.assertEq(left, right, message);
    }

    function assertTrue(bool condition, string memory message) internal pure {
        vm.assertTrue(condition, message);
    }
}
