// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice Prices: published once, before their period, in exactly one form.
contract TariffTest is World {
    uint32 private constant NEXT = PERIOD + 2;
    uint256 private constant ROW = 1 + 4 * uint256(SLOTS);
    uint256 private constant MAX_LENGTH = 49_152;

    function test_publishTariff_revertsIfCallerRefused(address caller) public {
        vm.assume(caller != TARIFF_AUTHORITY);
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.CallerRefused.selector, caller));
        vm.prank(caller);
        direct.publishTariff(0, "");
    }

    function test_publishTariff_revertsIfPeriodZero() public {
        _refused(0, "", abi.encodeWithSelector(IDirectSettlement.PeriodZero.selector));
    }

    function test_publishTariff_revertsIfPeriodStarted(uint32 period, uint64 late) public {
        period = uint32(bound(period, 1, type(uint32).max));
        vm.warp(startOf(period) + bound(late, 0, 1e9));
        _refused(period, "", abi.encodeWithSelector(IDirectSettlement.PeriodStarted.selector, period, startOf(period)));
    }

    function test_publishTariff_revertsIfAlreadyPublished() public {
        bytes memory prices = row(1, 1);
        _publish(NEXT, prices);
        bytes memory reason =
            abi.encodeWithSelector(IDirectSettlement.TariffAlreadyPublished.selector, NEXT, keccak256(prices));
        _refused(NEXT, prices, reason);
        _refused(NEXT, "", reason);
    }

    function test_publishTariff_revertsIfLengthInvalid(uint256 length) public {
        length = bound(length, 0, 4 * ROW);
        if (length != 0 && length % ROW == 0) ++length;
        // The first code is wrong as well; the length is reported.
        _refused(
            NEXT, new bytes(length), abi.encodeWithSelector(IDirectSettlement.TariffLengthInvalid.selector, length, ROW)
        );
    }

    function test_publishTariff_revertsIfTooLong() public {
        // One slot: rows of 5 bytes, 9,830 of them fit into 49,152 bytes.
        _deployWith(1);
        uint256 length = (MAX_LENGTH / 5 + 1) * 5;
        _refused(
            NEXT,
            new bytes(length),
            abi.encodeWithSelector(IDirectSettlement.TariffLengthInvalid.selector, length, uint256(5))
        );
        _refused(
            NEXT,
            new bytes(length - 5),
            abi.encodeWithSelector(IDirectSettlement.TariffCodeInvalid.selector, uint8(0), uint8(0))
        );
    }

    function test_publishTariff_revertsIfCodeInvalid(uint8 first, uint8 second) public {
        if (first == 0 || first > 62) {
            _refused(
                NEXT,
                bytes.concat(row(first, 1), row(second, 1)),
                abi.encodeWithSelector(IDirectSettlement.TariffCodeInvalid.selector, first, uint8(0))
            );
        } else {
            if (second > first && second <= 62) second = first;
            _refused(
                NEXT,
                bytes.concat(row(first, 1), row(second, 1)),
                abi.encodeWithSelector(IDirectSettlement.TariffCodeInvalid.selector, second, first)
            );
        }
        assertEq(uint256(direct.tariffHash(NEXT)), 0, "nothing was published");
    }

    function test_price_revertsIfSlotOutOfRange(uint16 slot) public {
        slot = uint16(bound(slot, SLOTS, type(uint16).max));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.SlotOutOfRange.selector, slot, SLOTS));
        direct.price(0, 0, slot);
    }

    function test_price_revertsIfTariffUnknown(uint32 period, uint8 code) public {
        if (period == PERIOD) vm.assume(code != FEED_IN && code != FREE && code != CONSUMPTION && code != EXTREME);
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.TariffUnknown.selector, period, code));
        direct.price(period, code, 0);
    }

    function test_publishTariff_lastSecond() public {
        vm.warp(startOf(NEXT) - 1);
        _publish(NEXT, row(1, 1));
        assertEq(uint32(direct.price(NEXT, 1, 0)), 1, "price");
    }

    function test_publishTariff_zeroIsAPrice() public view {
        assertEq(uint32(direct.price(PERIOD, FREE, 95)), 0, "free");
        assertEq(uint32(direct.price(PERIOD, CONSUMPTION, ZERO_SLOT)), 0, "one free slot");
    }

    /// Any prices, any number of slots (full words or not), any ascending codes come back as they went in.
    function test_publishTariff(uint16 slots, uint64 codes, uint256 seed) public {
        slots = uint16(bound(slots, 1, 40));
        _deployWith(slots);
        codes &= 0x7ffffffffffffffe; // codes 1 to 62
        vm.assume(codes != 0);
        bytes memory prices;
        for (uint8 code = 1; code <= 62; ++code) {
            if (codes >> code & 1 == 0) continue;
            prices = bytes.concat(prices, bytes1(code));
            for (uint16 slot = 0; slot < slots; ++slot) {
                prices = bytes.concat(prices, bytes4(uint32(_random(seed, code, slot))));
            }
        }
        vm.expectEmit(address(direct));
        emit IDirectSettlement.TariffPublished(NEXT, keccak256(prices), prices);
        _publish(NEXT, prices);

        vm.assertEq(direct.tariffHash(NEXT), keccak256(prices), "hash");
        for (uint8 code = 0; code <= 63; ++code) {
            if (codes >> code & 1 == 1) {
                for (uint16 slot = 0; slot < slots; ++slot) {
                    vm.assertEq(direct.price(NEXT, code, slot), _random(seed, code, slot), "price");
                }
            } else {
                vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.TariffUnknown.selector, NEXT, code));
                direct.price(NEXT, code, 0);
            }
        }
    }

    function test_publishTariff_longestRow() public {
        _deployWith(1024);
        bytes memory prices = hex"3e";
        for (uint16 slot = 0; slot < 1024; ++slot) {
            prices = bytes.concat(prices, bytes4(uint32(_random(1, 62, slot))));
        }
        _publish(NEXT, prices);
        for (uint16 slot = 0; slot < 1024; ++slot) {
            vm.assertEq(direct.price(NEXT, 62, slot), _random(1, 62, slot), "price");
        }
    }

    function _random(uint256 seed, uint8 code, uint16 slot) private pure returns (int32) {
        uint256 random = uint256(keccak256(abi.encode(seed, code, slot)));
        if (random % 4 == 0) return 0;
        return random % 7 == 0 ? type(int32).min : int32(uint32(random >> 8));
    }

    function _deployWith(uint16 slots) private {
        IDirectSettlement.Config memory c = config();
        c.slotsPerPeriod = slots;
        c.periodLength = DAY / slots * slots;
        // Period NEXT must not have begun with periods that are a little shorter.
        c.genesisTime = uint64(block.timestamp);
        direct = deploy(c);
    }

    function _publish(uint32 period, bytes memory prices) private {
        vm.prank(TARIFF_AUTHORITY);
        direct.publishTariff(period, prices);
    }

    function _refused(uint32 period, bytes memory prices, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(TARIFF_AUTHORITY);
        direct.publishTariff(period, prices);
    }
}
