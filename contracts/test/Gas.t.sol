// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { NaiveSettlement } from "./base/NaiveSettlement.sol";
import { vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice Gas of whole transactions, as a receipt shows it: intrinsic gas, calldata (EIP-7623) and execution. Foundry
/// runs each call as a transaction of its own here (`isolate`), so storage is cold. The numbers are committed in
/// `snapshots/gas.json` and a drift fails; `scripts/gas-anvil.js` compares them with receipts of anvil.
///
/// Receivers hold money and have been paid before, as in everyday use. "First" is the first record of a pair, period and
/// code, "next" a later slot of it. "Receivers": each record pays another participant. "Days": the 96 slots of one
/// participant after those of another. The ceilings are what the protocol's prototype took, plus a tenth.
///
/// forge-config: default.isolate = true
/// forge-config: test.isolate = true
contract GasTest is World {
    uint32 private constant RECEIVERS = 500;
    uint8 private constant MAX_CODES_OF_96 = 59;
    uint256 private constant TRANSACTION_CAP = 1 << 24; // EIP-7825

    function setUp() public override {
        super.setUp();
        uint32 more = RECEIVERS - direct.participantCount() + 1;
        address[] memory meters = new address[](more);
        address[] memory owners = new address[](more);
        for (uint32 i = 0; i < more; ++i) {
            (meters[i], owners[i]) = (meterOf(BERT + 1 + i), ownerOf(BERT + 1 + i));
        }
        vm.prank(REGISTRAR);
        direct.registerMany(meters, owners, IDirectSettlement.Role.Prosumer);
        for (uint32 number = BERT + 1; number <= RECEIVERS; ++number) {
            direct.deposit(number, 1_000_000);
        }
    }

    /// What one would write first. It is compiled without optimization here, which costs it 3 % (164,417 for a later record).
    function test_gas_naive() public {
        NaiveSettlement naive = new NaiveSettlement();
        NaiveSettlement.Record memory r =
            NaiveSettlement.Record(meterOf(ANNA), meterOf(BERT), 1_624_000_000, 1_250, 312_500, -390_625);
        naive.settle(r);
        _note("naive first", 1, 196_085);
        r.time += 900;
        naive.settle(r);
        _note("naive next", 1, 178_985);
    }

    function test_gas_settle() public {
        IDirectSettlement.Record memory r = consumed();
        vm.prank(HUB);
        direct.settle(r);
        _note("settle first", 1, 60_636);
        r.slot = 1;
        vm.prank(HUB);
        direct.settle(r);
        _note("settle next", 1, 43_548);
    }

    function test_gas_settleSigned() public {
        IDirectSettlement.Record memory r = consumed();
        bytes memory signature = signed(meterKeyOf(ANNA), r);
        direct.settleSigned(r, signature);
        _note("settleSigned first", 1, 67_202);
        r.slot = 1;
        signature = signed(meterKeyOf(ANNA), r);
        direct.settleSigned(r, signature);
        _note("settleSigned next", 1, 50_114);
    }

    function test_gas_settleMany_receivers_10() public {
        _settleManyReceivers(10, 35_475, 18_387);
    }

    function test_gas_settleMany_receivers_100() public {
        _settleManyReceivers(100, 32_896, 15_808);
    }

    function test_gas_settleMany_receivers_500() public {
        _settleManyReceivers(500, 32_679, 15_591);
    }

    function test_gas_settleMany_days() public {
        _settleManyDays(1, 10, 11_644);
        _settleManyDays(101, 100, 6_950);
        _settleManyDays(201, 500, 6_344);
    }

    function test_gas_settlePacked_days() public {
        _settlePackedDays(1, 10, 10_759);
        _settlePackedDays(101, 100, 6_067);
        _settlePackedDays(201, 500, 5_448);
    }

    function test_gas_registrar() public {
        vm.prank(REGISTRAR);
        direct.register(meterOf(501), ownerOf(501), IDirectSettlement.Role.Prosumer);
        _note("register", 1, 73_018);

        address[] memory addresses = new address[](50);
        for (uint32 i = 0; i < 50; ++i) {
            addresses[i] = meterOf(600 + i);
        }
        vm.prank(REGISTRAR);
        direct.registerMany(addresses, addresses, IDirectSettlement.Role.Prosumer);
        _note("registerMany", 50, 0);

        vm.prank(REGISTRAR);
        direct.setState(ANNA, IDirectSettlement.State.Suspended);
        _note("setState", 1, 0);
    }

    function test_gas_money() public {
        vm.prank(REGISTRAR);
        direct.register(meterOf(501), ownerOf(501), IDirectSettlement.Role.Prosumer);
        direct.deposit(501, 1_000_000);
        _note("deposit", 1, 0);
        vm.prank(ownerOf(501));
        direct.withdraw(501, 500_000);
        _note("withdraw to a new holder", 1, 0);
    }

    function test_gas_publishTariff() public {
        bytes memory prices = table();
        vm.prank(TARIFF_AUTHORITY);
        direct.publishTariff(PERIOD + 2, prices);
        _note("publishTariff 4 codes x 96 slots, one of them free", 1, 0);

        // The largest table that fits into a transaction, as the interface warns.
        prices = "";
        for (uint8 code = 1; code <= MAX_CODES_OF_96; ++code) {
            prices = bytes.concat(prices, row(code, -int32(uint32(code)) * 1_234));
        }
        vm.prank(TARIFF_AUTHORITY);
        direct.publishTariff(PERIOD + 3, prices);
        _note("publishTariff 59 codes x 96 slots", 1, 0);
        assertTrue(vm.lastCallGas().gasTotalUsed <= TRANSACTION_CAP, "below the cap");
    }

    // ---------------------------------------------------------------------------------------- runs

    function _settleManyReceivers(uint32 count, uint256 figureFirst, uint256 figureNext) private {
        // The hub's and the receivers' prices and words are as on any day; only the slot is new.
        vm.prank(HUB);
        direct.settleMany(_toReceivers(count, 0));
        _note("settleMany receivers first", count, figureFirst);
        vm.prank(HUB);
        direct.settleMany(_toReceivers(count, 1));
        _note("settleMany receivers next", count, figureNext);
    }

    function _settleManyDays(uint32 first, uint32 count, uint256 figure) private {
        vm.prank(HUB);
        direct.settleMany(_days(first, count));
        _note("settleMany days", count, figure);
    }

    function _settlePackedDays(uint32 first, uint32 count, uint256 figure) private {
        IDirectSettlement.Record[] memory records = _days(first, count);
        bytes memory packed;
        for (uint256 i = 0; i < count; ++i) {
            packed = bytes.concat(packed, pack(records[i]));
        }
        vm.prank(HUB);
        direct.settlePacked(packed);
        _note("settlePacked days", count, figure);
    }

    function _toReceivers(uint32 count, uint16 slot) private pure returns (IDirectSettlement.Record[] memory records) {
        records = new IDirectSettlement.Record[](count);
        for (uint32 i = 0; i < count; ++i) {
            records[i] = _paid(1 + i, slot);
        }
    }

    function _days(uint32 first, uint32 count) private pure returns (IDirectSettlement.Record[] memory records) {
        records = new IDirectSettlement.Record[](count);
        for (uint32 i = 0; i < count; ++i) {
            records[i] = _paid(first + i / SLOTS, uint16(i % SLOTS));
        }
    }

    /// The hub pays a participant for about half a kilowatt-hour fed in.
    function _paid(uint32 to, uint16 slot) private pure returns (IDirectSettlement.Record memory) {
        return IDirectSettlement.Record({
            from: 0, to: to, period: PERIOD, run: 0, slot: slot, code: FEED_IN, energy: 500 + int32(uint32(slot))
        });
    }

    /// Records the gas of the last transaction; `figure` is the prototype's gas for a record, 0 where it has none.
    function _note(string memory name, uint256 count, uint256 figure) private {
        uint256 gas = vm.lastCallGas().gasTotalUsed;
        string memory full = count == 1 ? name : string.concat(name, " x ", vm.toString(count));
        vm.snapshotValue("gas", full, gas);
        assertTrue(figure == 0 || gas / count <= figure * 11 / 10, string.concat(full, ": ", vm.toString(gas / count)));
    }
}
