// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice The rules of one record: what is refused, in order of precedence, then what money moves.
contract SettleTest is World {
    function test_settle_revertsIfCallerRefused(address caller) public {
        vm.assume(caller != HUB && caller != OPERATOR);
        IDirectSettlement.Record memory r = _wrongInEveryWay();
        bytes memory reason = abi.encodeWithSelector(IDirectSettlement.CallerRefused.selector, caller);
        vm.expectRevert(reason);
        vm.prank(caller);
        direct.settle(r);

        vm.expectRevert(reason);
        vm.prank(caller);
        direct.settleMany(new IDirectSettlement.Record[](0));

        vm.expectRevert(reason);
        vm.prank(caller);
        direct.settlePacked("");
    }

    function test_settle_revertsIfFromUnknown(uint32 from, uint32 to) public {
        IDirectSettlement.Record memory r = _wrongInEveryWay();
        r.from = uint32(bound(from, BERT + 1, type(uint32).max));
        r.to = to;
        _refused(r, abi.encodeWithSelector(IDirectSettlement.ParticipantUnknown.selector, r.from));
    }

    function test_settle_revertsIfFromInactive(bool isRetired) public {
        IDirectSettlement.State state = _inactive(isRetired);
        setState(ANNA, state);
        IDirectSettlement.Record memory r = _wrongInEveryWay();
        r.to = 99;
        _refused(r, abi.encodeWithSelector(IDirectSettlement.ParticipantInactive.selector, ANNA, state));
    }

    function test_settle_revertsIfToUnknown(uint32 to) public {
        IDirectSettlement.Record memory r = _wrongInEveryWay();
        r.to = uint32(bound(to, BERT + 1, type(uint32).max));
        _refused(r, abi.encodeWithSelector(IDirectSettlement.ParticipantUnknown.selector, r.to));
    }

    function test_settle_revertsIfToInactive(bool isRetired) public {
        IDirectSettlement.State state = _inactive(isRetired);
        setState(BERT, state);
        IDirectSettlement.Record memory r = _wrongInEveryWay();
        r.to = BERT;
        _refused(r, abi.encodeWithSelector(IDirectSettlement.ParticipantInactive.selector, BERT, state));
    }

    function test_settle_revertsIfPartiesEqual() public {
        IDirectSettlement.Record memory r = _wrongInEveryWay();
        _refused(r, abi.encodeWithSelector(IDirectSettlement.PartiesEqual.selector, ANNA));
    }

    function test_settle_revertsIfSlotOutOfRange(uint16 slot) public {
        IDirectSettlement.Record memory r = _wrongInEveryWay();
        r.to = 0;
        r.slot = uint16(bound(slot, SLOTS, type(uint16).max));
        _refused(r, abi.encodeWithSelector(IDirectSettlement.SlotOutOfRange.selector, r.slot, SLOTS));
    }

    function test_settle_revertsIfSlotNotOver(uint32 period, uint16 slot, uint256 early) public {
        IDirectSettlement.Record memory r = _wrongInEveryWay();
        r.to = 0;
        r.period = period;
        r.slot = uint16(bound(slot, 0, SLOTS - 1));
        uint256 endsAt = startOf(period) + (uint256(r.slot) + 1) * (DAY / SLOTS);
        vm.warp(endsAt - bound(early, 1, endsAt));
        _refused(r, abi.encodeWithSelector(IDirectSettlement.SlotNotOver.selector, period, r.slot, endsAt));
    }

    function test_settle_revertsIfEnergyNegative(int32 energy) public {
        IDirectSettlement.Record memory r = consumed();
        r.energy = energy < 0 ? energy : -1 - energy;
        r.code = 40;
        _refused(r, abi.encodeWithSelector(IDirectSettlement.EnergyNegative.selector, r.energy));
    }

    function test_settle_revertsIfAlreadySettled(uint16 slot, uint16 run, int32 energy) public {
        IDirectSettlement.Record memory r = consumed();
        r.slot = uint16(bound(slot, 0, SLOTS - 1));
        r.run = run;
        assertTrue(!direct.isSettled(r), "not yet settled");
        _settle(r);
        assertTrue(direct.isSettled(r), "settled");

        // Whatever the energy, and before the funds are looked at.
        r.energy = run == 0 && energy < 0 ? type(int32).max : energy;
        _drain(ANNA);
        _drain(0);
        assertTrue(direct.isSettled(r), "settled with other energy");
        _refused(
            r,
            abi.encodeWithSelector(
                IDirectSettlement.AlreadySettled.selector, r.from, r.to, r.period, r.run, r.slot, r.code
            )
        );
    }

    function test_settle_revertsIfTariffUnknown(uint8 code) public {
        vm.assume(code != FEED_IN && code != FREE && code != CONSUMPTION && code != EXTREME);
        _drain(ANNA);
        IDirectSettlement.Record memory r = consumed();
        r.code = code;
        _refused(r, abi.encodeWithSelector(IDirectSettlement.TariffUnknown.selector, PERIOD, code));
    }

    function test_settle_revertsIfPeriodHasNoTariff(uint32 period) public {
        IDirectSettlement.Record memory r = consumed();
        r.period = period == PERIOD ? 0 : period;
        vm.warp(startOf(r.period + uint32(r.period < type(uint32).max ? 1 : 0)) + DAY);
        _refused(r, abi.encodeWithSelector(IDirectSettlement.TariffUnknown.selector, r.period, CONSUMPTION));
    }

    function test_settle_revertsIfFundsInsufficient(int32 energy, uint16 slot) public {
        IDirectSettlement.Record memory r = consumed();
        r.slot = uint16(bound(slot, ZERO_SLOT + 1, SLOTS - 1));
        r.energy = int32(uint32(bound(uint32(energy), 1_000, uint32(type(int32).max))));
        uint64 amount = uint64(int64(r.energy) * consumptionPrice(r.slot) / 1_000);
        _leave(ANNA, amount - 1);
        _refused(r, abi.encodeWithSelector(IDirectSettlement.FundsInsufficient.selector, ANNA, amount - 1, amount));
    }

    function test_settle_revertsIfFundsInsufficientOnTheOtherSide() public {
        // A negative price: the hub pays for what Anna consumes.
        IDirectSettlement.Record memory r = consumed();
        r.slot = NEGATIVE_SLOT;
        _leave(0, 12_344);
        _refused(
            r, abi.encodeWithSelector(IDirectSettlement.FundsInsufficient.selector, 0, uint64(12_344), uint64(12_345))
        );
        // A downward correction likewise.
        r.slot = 0;
        r.run = 1;
        r.energy = -1_000;
        _refused(
            r, abi.encodeWithSelector(IDirectSettlement.FundsInsufficient.selector, 0, uint64(12_344), uint64(123_400))
        );
    }

    function test_settle_atTheEndOfTheSlot() public {
        IDirectSettlement.Record memory r = consumed();
        r.slot = 95;
        vm.warp(startOf(PERIOD + 1) - 1);
        _refused(
            r, abi.encodeWithSelector(IDirectSettlement.SlotNotOver.selector, PERIOD, uint16(95), startOf(PERIOD + 1))
        );
        vm.warp(startOf(PERIOD + 1));
        _settle(r);
    }

    function test_settle_byTheOperator() public {
        vm.prank(OPERATOR);
        direct.settle(consumed());
        assertEq(direct.balanceOf(ANNA), FUNDS - 123_400, "Anna");
    }

    /// The whole range of energy, prices, directions and runs against arithmetic of its own.
    function test_settle_movesTheTruncatedAmount(uint256 seed, int32 energy, uint16 run) public {
        IDirectSettlement.Record memory r = IDirectSettlement.Record({
            from: uint32(seed % 3),
            to: uint32((seed % 3 + 1 + (seed >> 8) % 2) % 3),
            period: PERIOD,
            run: run,
            slot: uint16((seed >> 16) % SLOTS),
            code: [FEED_IN, FREE, CONSUMPTION, EXTREME][(seed >> 32) % 4],
            energy: run == 0 && energy < 0 ? -(energy + 1) : energy
        });
        int256 product = int256(r.energy) * _expectedPrice(r.code, r.slot);
        uint256 size = uint256(product < 0 ? -product : product) / 1_000;
        int64 amount = product < 0 ? -int64(uint64(size)) : int64(uint64(size));

        vm.expectEmit(address(direct));
        emit IDirectSettlement.Settled(r.from, r.to, r.period, r.run, r.slot, r.code, r.energy, amount);
        _settle(r);
        assertEq(direct.balanceOf(r.from), uint64(int64(FUNDS) - amount), "from");
        assertEq(direct.balanceOf(r.to), uint64(int64(FUNDS) + amount), "to");
        assertEq(direct.balanceOf(3 - r.from - r.to), FUNDS, "nobody else");
        assertEq(direct.escrow(), 3 * uint256(FUNDS), "escrow");
        assertTrue(direct.isSettled(r), "settled");
    }

    function test_settle_truncatesTowardZero() public {
        IDirectSettlement.Record memory r = consumed();
        r.slot = NEGATIVE_SLOT;
        r.energy = 328; // 328 Wh * -12,345 / 1000 = -4,049.16
        _settle(r);
        assertEq(direct.balanceOf(ANNA), FUNDS + 4_049, "toward zero, not down");
    }

    function test_settle_extremes() public {
        IDirectSettlement.Record memory r = consumed();
        r.code = EXTREME;
        r.run = 1;
        r.energy = type(int32).min;
        _settle(r); // the lowest price in slot 0: 2^62 / 1000
        assertEq(direct.balanceOf(ANNA), FUNDS - 4_611_686_018_427_387, "lowest times lowest");
        r.slot = 1;
        _settle(r); // the highest price in slot 1: -(2^31 * (2^31 - 1)) / 1000
        assertEq(direct.balanceOf(ANNA), FUNDS - 4_611_686_018_427_387 + 4_611_686_016_279_904, "and back");
    }

    /// Two records are duplicates only when every part of their key is the same.
    function test_settle_keyPartsAreDistinct() public {
        vm.warp(startOf(PERIOD + 3));
        IDirectSettlement.Record[8] memory others;
        for (uint256 i = 0; i < others.length; ++i) {
            others[i] = consumed();
        }
        (others[1].from, others[1].to) = (0, ANNA);
        others[2].from = BERT;
        others[3].to = BERT;
        others[4].run = 1;
        others[5].run = 256;
        others[6].slot = 1;
        others[7].code = FREE;
        for (uint256 i = 0; i < others.length; ++i) {
            assertTrue(!direct.isSettled(others[i]), vm.toString(i));
            _settle(others[i]);
            assertTrue(direct.isSettled(others[i]), vm.toString(i));
        }
    }

    // ---------------------------------------------------------------------------------------- helpers

    /// Every check but the one on the parties' registration would refuse this.
    function _wrongInEveryWay() private pure returns (IDirectSettlement.Record memory) {
        return IDirectSettlement.Record({
            from: ANNA,
            to: ANNA,
            period: type(uint32).max,
            run: 0,
            slot: type(uint16).max,
            code: 63,
            energy: type(int32).min
        });
    }

    function _inactive(bool isRetired) private pure returns (IDirectSettlement.State) {
        return isRetired ? IDirectSettlement.State.Retired : IDirectSettlement.State.Suspended;
    }

    function _expectedPrice(uint8 code, uint16 slot) private pure returns (int32) {
        if (code == FEED_IN) return FEED_IN_PRICE;
        if (code == FREE) return 0;
        if (code == CONSUMPTION) return consumptionPrice(slot);
        return slot % 2 == 0 ? LOWEST : HIGHEST;
    }

    function _settle(IDirectSettlement.Record memory r) private {
        vm.prank(HUB);
        direct.settle(r);
    }

    /// All three unsigned ways refuse alike.
    function _refused(IDirectSettlement.Record memory r, bytes memory reason) private {
        IDirectSettlement.Record[] memory one = new IDirectSettlement.Record[](1);
        one[0] = r;
        vm.expectRevert(reason);
        vm.prank(HUB);
        direct.settle(r);
        vm.expectRevert(reason);
        vm.prank(HUB);
        direct.settleMany(one);
        vm.expectRevert(reason);
        vm.prank(HUB);
        direct.settlePacked(pack(r));
    }

    function _drain(uint32 number) private {
        _leave(number, 0);
    }

    function _leave(uint32 number, uint64 rest) private {
        uint64 amount = direct.balanceOf(number) - rest;
        vm.prank(ownerOf(number));
        direct.withdraw(number, amount);
    }
}
