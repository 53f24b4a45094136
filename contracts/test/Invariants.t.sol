// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice Calls everything in any order with values that mostly succeed, and keeps its own books beside the contract.
/// Each call says what must happen and fails when something else does, so a refusal cannot hide.
contract Handler is World {
    uint8 private constant CODES = 4;
    uint32 private constant MAX_PARTICIPANTS = 8;
    uint16 private constant SLOTS_USED = 4;

    /// The books: what the contract must hold.
    mapping(uint32 number => uint64) public balances;
    mapping(uint32 number => IDirectSettlement.State) public states;
    mapping(uint32 number => uint64) public balanceWhenRetired;
    mapping(bytes32 key => bool) public isBooked;
    mapping(uint32 period => bytes) private _tables;
    uint32[] private _published;
    uint32 public count = 3;
    uint256 public settledCount;

    constructor() {
        setUp();
        for (uint32 number = 0; number < count; ++number) {
            balances[number] = FUNDS;
            states[number] = IDirectSettlement.State.Active;
        }
        _tables[PERIOD] = table();
        _published.push(PERIOD);
    }

    function contracts() external view returns (IDirectSettlement, address) {
        return (direct, address(token));
    }

    function published() external view returns (uint32[] memory) {
        return _published;
    }

    function pricesOf(uint32 period) external view returns (bytes memory) {
        return _tables[period];
    }

    // ---------------------------------------------------------------------------------------- calls

    function registerOne() external {
        if (count == MAX_PARTICIPANTS) return;
        register(count);
        states[count] = IDirectSettlement.State.Active;
        ++count;
    }

    function changeState(uint32 number, uint8 state) external {
        number = _someone(number);
        IDirectSettlement.State next = IDirectSettlement.State(state % 4);
        IDirectSettlement.State current = states[number];
        // Retiring is rare, so that somebody is left to settle with.
        if (next == IDirectSettlement.State.Retired && state < 224) next = IDirectSettlement.State.Active;
        bool isAllowed = number != 0 && current != IDirectSettlement.State.Retired
            && next != IDirectSettlement.State.None && next != current;
        if (!isAllowed) {
            vm.expectRevert(
                abi.encodeWithSelector(IDirectSettlement.StateChangeRefused.selector, number, current, next)
            );
            setState(number, next);
            return;
        }
        setState(number, next);
        states[number] = next;
        if (next == IDirectSettlement.State.Retired) balanceWhenRetired[number] = balances[number];
    }

    function payIn(uint32 number, uint64 amount) external {
        number = _someone(number);
        amount = uint64(bound(amount, 1, 1_000_000));
        if (states[number] == IDirectSettlement.State.Retired) {
            vm.expectRevert(
                abi.encodeWithSelector(
                    IDirectSettlement.ParticipantInactive.selector, number, IDirectSettlement.State.Retired
                )
            );
            direct.deposit(number, amount);
            return;
        }
        direct.deposit(number, amount);
        balances[number] += amount;
    }

    function takeOut(uint32 number, uint64 amount) external {
        number = _someone(number);
        amount = uint64(bound(amount, 1, 2 * FUNDS));
        uint64 held = balances[number];
        vm.startPrank(ownerOf(number));
        if (amount > held) {
            vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.FundsInsufficient.selector, number, held, amount));
            direct.withdraw(number, amount);
        } else {
            direct.withdraw(number, amount);
            balances[number] -= amount;
            if (states[number] == IDirectSettlement.State.Retired) balanceWhenRetired[number] -= amount;
        }
        vm.stopPrank();
    }

    function publish(uint32 period, int32 price) external {
        period = uint32(bound(period, 0, 6));
        bytes memory prices = bytes.concat(row(FEED_IN, price), row(CONSUMPTION, price / -3));
        vm.startPrank(TARIFF_AUTHORITY);
        if (period == 0 || block.timestamp >= startOf(period) || _tables[period].length > 0) {
            vm.expectRevert();
            direct.publishTariff(period, prices);
        } else {
            direct.publishTariff(period, prices);
            _tables[period] = prices;
            _published.push(period);
        }
        vm.stopPrank();
    }

    function wait_(uint32 time) external {
        vm.warp(block.timestamp + bound(time, 1, DAY / 4));
    }

    function settleOne(uint256 seed) external {
        IDirectSettlement.Record memory r = _record(seed);
        bytes memory reason = _book(r);
        uint256 way = (seed >> 128) % 3;
        bool isMetered = way == 1 && r.from != 0 && r.to != 0;
        bytes memory signature = isMetered ? _signature(r) : bytes("");
        if (reason.length > 0) vm.expectRevert(reason);
        if (isMetered) {
            direct.settleSigned(r, signature);
        } else if (way == 0) {
            vm.prank(HUB);
            direct.settle(r);
        } else {
            vm.prank(OPERATOR);
            direct.settlePacked(pack(r));
        }
    }

    /// A few at once: all or none.
    function settleSome(uint256 seed, uint8 size, bool isPacked) external {
        IDirectSettlement.Record[] memory records = new IDirectSettlement.Record[](bound(size, 1, 6));
        bytes memory packed;
        for (uint256 i = 0; i < records.length; ++i) {
            records[i] = _record(uint256(keccak256(abi.encode(seed, i))));
            packed = bytes.concat(packed, pack(records[i]));
        }
        bytes memory reason = this.bookAll(records, true);
        if (reason.length == 0) this.bookAll(records, false);
        if (reason.length > 0) vm.expectRevert(reason);
        vm.prank(HUB);
        if (isPacked) direct.settlePacked(packed);
        else direct.settleMany(records);
    }

    // ---------------------------------------------------------------------------------------- the books

    error Tried(bytes reason);

    /// Books all records, or, as a trial, books nothing and returns the first reason.
    function bookAll(IDirectSettlement.Record[] memory records, bool isTrial) external returns (bytes memory reason) {
        if (isTrial) {
            try this.tryAll(records) { }
            catch (bytes memory error_) {
                bytes memory inner = new bytes(error_.length - 4);
                for (uint256 i = 0; i < inner.length; ++i) {
                    inner[i] = error_[i + 4];
                }
                return abi.decode(inner, (bytes));
            }
        }
        for (uint256 i = 0; i < records.length; ++i) {
            _book(records[i]);
        }
    }

    function tryAll(IDirectSettlement.Record[] memory records) external {
        for (uint256 i = 0; i < records.length; ++i) {
            bytes memory reason = _book(records[i]);
            if (reason.length > 0) revert Tried(reason);
        }
        revert Tried("");
    }

    /// The rules once more, from the specification: returns why a record is refused, or books it.
    function _book(IDirectSettlement.Record memory r) private returns (bytes memory) {
        uint32[2] memory parties = [r.from, r.to];
        for (uint256 i = 0; i < 2; ++i) {
            if (states[parties[i]] != IDirectSettlement.State.Active) {
                return abi.encodeWithSelector(
                    IDirectSettlement.ParticipantInactive.selector, parties[i], states[parties[i]]
                );
            }
        }
        if (r.from == r.to) return abi.encodeWithSelector(IDirectSettlement.PartiesEqual.selector, r.from);
        uint256 endsAt = startOf(r.period) + (uint256(r.slot) + 1) * (DAY / SLOTS);
        if (block.timestamp < endsAt) {
            return abi.encodeWithSelector(IDirectSettlement.SlotNotOver.selector, r.period, r.slot, endsAt);
        }
        if (r.run == 0 && r.energy < 0) {
            return abi.encodeWithSelector(IDirectSettlement.EnergyNegative.selector, r.energy);
        }
        bytes32 key = keccak256(abi.encode(r.from, r.to, r.period, r.run, r.slot, r.code));
        if (isBooked[key]) {
            return abi.encodeWithSelector(
                IDirectSettlement.AlreadySettled.selector, r.from, r.to, r.period, r.run, r.slot, r.code
            );
        }
        (bool isKnown, int32 price) = priceIn(r.period, r.code, r.slot);
        if (!isKnown) return abi.encodeWithSelector(IDirectSettlement.TariffUnknown.selector, r.period, r.code);

        int256 amount = int256(r.energy) * price / 1_000;
        (uint32 payer, uint32 payee) = amount < 0 ? (r.to, r.from) : (r.from, r.to);
        uint64 size = uint64(uint256(amount < 0 ? -amount : amount));
        if (balances[payer] < size) {
            return abi.encodeWithSelector(IDirectSettlement.FundsInsufficient.selector, payer, balances[payer], size);
        }
        balances[payer] -= size;
        balances[payee] += size;
        isBooked[key] = true;
        ++settledCount;
        return "";
    }

    /// The price out of the table that was published, read byte by byte.
    function priceIn(uint32 period, uint8 code, uint16 slot) public view returns (bool isKnown, int32 price) {
        bytes memory prices = _tables[period];
        uint256 rowLength = 1 + 4 * uint256(SLOTS);
        for (uint256 start = 0; start < prices.length; start += rowLength) {
            if (uint8(prices[start]) != code) continue;
            uint32 value;
            for (uint256 i = 0; i < 4; ++i) {
                value = value << 8 | uint8(prices[start + 1 + 4 * uint256(slot) + i]);
            }
            return (true, int32(value));
        }
    }

    function _record(uint256 seed) private view returns (IDirectSettlement.Record memory r) {
        r.from = _someone(uint32(seed));
        r.to = _someone(uint32(seed >> 32));
        uint32 today = uint32((block.timestamp - GENESIS) / DAY);
        // Mostly the first day, which is over and has prices; else about now.
        r.period = (seed >> 64) % 4 != 0 ? PERIOD : today + uint32((seed >> 66) % 3) - 1;
        r.run = uint16((seed >> 72) % 2);
        r.slot = uint16((seed >> 80) % SLOTS_USED) * (SLOTS / SLOTS_USED);
        r.code = (seed >> 88) % 16 == 0 ? 40 : [FEED_IN, FREE, CONSUMPTION, EXTREME][(seed >> 96) % CODES];
        r.energy = int32(uint32((seed >> 100) % 5_000_000));
        if ((seed >> 120) % 4 == 0) r.energy = -r.energy;
    }

    function _signature(IDirectSettlement.Record memory r) private view returns (bytes memory) {
        return signed(meterKeyOf(r.code < 32 ? r.to : r.from), r);
    }

    function _someone(uint32 seed) private view returns (uint32) {
        return seed % count;
    }
}

/// @notice What holds after every call, whatever came before.
contract InvariantsTest is World {
    Handler private _handler;
    IDirectSettlement private _direct;
    address private _token;

    function setUp() public override {
        _handler = new Handler();
        (_direct, _token) = _handler.contracts();
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_handler);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[9] memory calls = [
            Handler.registerOne.selector,
            Handler.changeState.selector,
            Handler.payIn.selector,
            Handler.takeOut.selector,
            Handler.publish.selector,
            Handler.wait_.selector,
            Handler.settleOne.selector,
            Handler.settleSome.selector,
            Handler.settleOne.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0].addr = address(_handler);
        targets[0].selectors = new bytes4[](calls.length);
        for (uint256 i = 0; i < calls.length; ++i) {
            targets[0].selectors[i] = calls[i];
        }
    }

    /// The calls are no idle ones: of a hundred, many settle and many are refused.
    function test_callsSettleAndAreRefused() external {
        for (uint256 i = 0; i < 100; ++i) {
            _handler.settleOne(uint256(keccak256(abi.encode(i))));
        }
        uint256 count = _handler.settledCount();
        assertTrue(count >= 20 && count <= 80, vm.toString(count));
    }

    /// Token of the contract = escrow = sum of balances; each balance is what the books say, so none is below zero,
    /// no record was settled twice, and all rules were applied in order.
    function invariant_moneyIsConserved() external view {
        uint256 sum = 0;
        for (uint32 number = 0; number < _handler.count(); ++number) {
            uint64 balance = _direct.balanceOf(number);
            assertEq(balance, _handler.balances(number), "balance as in the books");
            sum += balance;
        }
        assertEq(_direct.escrow(), sum, "escrow");
        (, bytes memory held) = _token.staticcall(abi.encodeWithSignature("balanceOf(address)", address(_direct)));
        assertEq(abi.decode(held, (uint256)), sum, "token");
    }

    /// Prices and hash of a period are for ever what was published.
    function invariant_tariffsNeverChange() external view {
        uint32[] memory periods = _handler.published();
        for (uint256 i = 0; i < periods.length; ++i) {
            vm.assertEq(_direct.tariffHash(periods[i]), keccak256(_handler.pricesOf(periods[i])), "hash");
            uint8[3] memory codes = [FEED_IN, FREE, CONSUMPTION];
            for (uint256 j = 0; j < codes.length; ++j) {
                (bool isKnown, int32 price) = _handler.priceIn(periods[i], codes[j], 24);
                if (isKnown) vm.assertEq(_direct.price(periods[i], codes[j], 24), price, "price");
            }
        }
    }

    /// Once retired, only the owner's withdrawals change a balance; meter and role are for ever.
    function invariant_retiredNeverMovesMoney() external view {
        for (uint32 number = 1; number < _handler.count(); ++number) {
            (address meter, address owner, IDirectSettlement.Role role, IDirectSettlement.State state, uint64 balance) =
                _direct.participant(number);
            vm.assertEq(meter, meterOf(number), "meter");
            vm.assertEq(owner, ownerOf(number), "owner");
            assertEq(uint8(role), uint8(IDirectSettlement.Role.Prosumer), "role");
            assertEq(uint8(state), uint8(_handler.states(number)), "state");
            if (state == IDirectSettlement.State.Retired) {
                assertEq(balance, _handler.balanceWhenRetired(number), "retired");
            }
        }
    }
}
