// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { Vm, vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice Many records in one call: all or none, and exactly what one by one gives.
contract SettleManyTest is World {
    function test_settleMany_revertsIfEmpty() public {
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.BatchEmpty.selector));
        vm.prank(HUB);
        direct.settleMany(new IDirectSettlement.Record[](0));
    }

    function test_settlePacked_revertsIfEmpty() public {
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.BatchEmpty.selector));
        vm.prank(HUB);
        direct.settlePacked("");
    }

    function test_settlePacked_revertsIfLengthInvalid(bytes calldata garbage) public {
        bytes memory records = garbage.length % 21 == 0 ? bytes.concat(garbage, hex"00") : garbage;
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.PackedLengthInvalid.selector, records.length));
        vm.prank(HUB);
        direct.settlePacked(records);
    }

    function test_settlePacked_revertsIfGarbage(bytes32 seed) public {
        // Random parties are unknown: nothing of it can be settled, nothing reverts without a reason.
        bytes memory records = bytes.concat(seed, bytes10(seed));
        vm.assume(uint32(bytes4(seed)) > BERT);
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.ParticipantUnknown.selector, uint32(bytes4(seed))));
        vm.prank(HUB);
        direct.settlePacked(records);
    }

    function test_settleMany_revertsIfRepeatedInside(uint8 distance) public {
        uint256 count = bound(distance, 1, 20);
        IDirectSettlement.Record[] memory records = _sequence(uint256(keccak256(abi.encode(distance))), count + 1);
        records[count] = records[0];
        bytes memory reason = abi.encodeWithSelector(
            IDirectSettlement.AlreadySettled.selector,
            records[0].from,
            records[0].to,
            records[0].period,
            records[0].run,
            records[0].slot,
            records[0].code
        );
        _refused(records, reason);
    }

    function test_settleMany_revertsAsAWhole() public {
        IDirectSettlement.Record[] memory records = _sequence(1, 5);
        records[4].code = 40;
        _refused(records, abi.encodeWithSelector(IDirectSettlement.TariffUnknown.selector, PERIOD, uint8(40)));
        assertTrue(!direct.isSettled(records[0]), "nothing was settled");
        assertEq(direct.balanceOf(ANNA), FUNDS, "Anna");
    }

    function test_settleMany_revertsIfEqualPartiesFollowOpenOnes() public {
        // The hub's word is open when it is asked to pay itself.
        IDirectSettlement.Record[] memory records = new IDirectSettlement.Record[](2);
        records[0] = consumed();
        records[1] = consumed();
        records[1].from = 0;
        _refused(records, abi.encodeWithSelector(IDirectSettlement.PartiesEqual.selector, uint32(0)));
        records[1].from = ANNA;
        records[1].to = ANNA;
        _refused(records, abi.encodeWithSelector(IDirectSettlement.PartiesEqual.selector, ANNA));
    }

    function test_settleMany_spendsWhatCameInBefore() public {
        // Anna has nothing, is paid first and pays then: the order inside the call counts.
        vm.prank(ownerOf(ANNA));
        direct.withdraw(ANNA, FUNDS);
        IDirectSettlement.Record[] memory records = new IDirectSettlement.Record[](2);
        records[0] = consumed();
        (records[0].from, records[0].to) = (BERT, ANNA);
        records[1] = consumed();
        (records[1].from, records[1].to) = (ANNA, 0);
        vm.prank(HUB);
        direct.settleMany(records);
        assertEq(direct.balanceOf(ANNA), 0, "Anna");
        assertEq(direct.balanceOf(BERT), FUNDS - 123_400, "Bert");
        assertEq(direct.balanceOf(0), FUNDS + 123_400, "hub");
    }

    /// Parties that change sides, stay or go in any order: the words held in memory never go stale.
    function test_settleMany_givesWhatOneByOneGives(uint256 seed, uint8 count) public {
        IDirectSettlement.Record[] memory records = _sequence(seed, bound(count, 1, 40));
        _sameAsOneByOne(records);
    }

    function test_settlePacked_readsEveryField() public {
        IDirectSettlement.Record memory r = IDirectSettlement.Record({
            from: BERT, to: ANNA, period: PERIOD, run: 0xabcd, slot: 0x5e, code: EXTREME, energy: -0x01020304
        });
        vm.expectEmit(address(direct));
        emit IDirectSettlement.Settled(
            BERT, ANNA, PERIOD, 0xabcd, 0x5e, EXTREME, -0x01020304, 0x01020304 * int64(2 ** 31) / 1_000
        );
        vm.prank(HUB);
        direct.settlePacked(hex"0000000200000001000000" hex"01abcd005e3efefdfcfc");
        assertTrue(direct.isSettled(r), "settled");
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _sameAsOneByOne(IDirectSettlement.Record[] memory records) private {
        bytes memory packed;
        for (uint256 i = 0; i < records.length; ++i) {
            packed = bytes.concat(packed, pack(records[i]));
        }
        vm.recordLogs();
        vm.prank(HUB);
        direct.settlePacked(packed);
        bytes32 fromPacked = _outcome();
        setUp();
        vm.recordLogs();
        vm.prank(HUB);
        direct.settleMany(records);
        bytes32 fromMany = _outcome();
        setUp();
        vm.recordLogs();
        for (uint256 i = 0; i < records.length; ++i) {
            vm.prank(HUB);
            direct.settle(records[i]);
        }
        bytes32 fromSingle = _outcome();
        vm.assertEq(fromPacked, fromSingle, "packed");
        vm.assertEq(fromMany, fromSingle, "many");
        for (uint256 i = 0; i < records.length; ++i) {
            assertTrue(direct.isSettled(records[i]), vm.toString(i));
        }
    }

    /// Balances and events, whoever emitted them.
    function _outcome() private returns (bytes32) {
        bytes memory events;
        Vm.Log[] memory logs = vm.getRecordedLogs();
        for (uint256 i = 0; i < logs.length; ++i) {
            events = bytes.concat(events, abi.encode(logs[i].topics, logs[i].data));
        }
        assertEq(direct.balanceOf(0) + direct.balanceOf(ANNA) + direct.balanceOf(BERT), direct.escrow(), "escrow");
        return keccak256(abi.encode(direct.balanceOf(0), direct.balanceOf(ANNA), direct.balanceOf(BERT), events));
    }

    /// Records between any two of the three parties, each in a slot of its own, with prices of both signs.
    function _sequence(uint256 seed, uint256 count) private pure returns (IDirectSettlement.Record[] memory records) {
        records = new IDirectSettlement.Record[](count);
        for (uint256 i = 0; i < count; ++i) {
            uint256 random = uint256(keccak256(abi.encode(seed, i)));
            uint32 from = uint32(random % 3);
            records[i] = IDirectSettlement.Record({
                from: from,
                to: uint32((from + 1 + (random >> 8) % 2) % 3),
                period: PERIOD,
                run: uint16((random >> 16) % 2),
                slot: uint16(i),
                code: [FEED_IN, FREE, CONSUMPTION, EXTREME][(random >> 32) % 4],
                energy: int32(uint32((random >> 40) % 100_000))
            });
            if (records[i].run == 1 && (random >> 64) % 2 == 1) records[i].energy *= -1;
        }
    }

    function _refused(IDirectSettlement.Record[] memory records, bytes memory reason) private {
        bytes memory packed;
        for (uint256 i = 0; i < records.length; ++i) {
            packed = bytes.concat(packed, pack(records[i]));
        }
        vm.expectRevert(reason);
        vm.prank(HUB);
        direct.settleMany(records);
        vm.expectRevert(reason);
        vm.prank(HUB);
        direct.settlePacked(packed);
    }
}
