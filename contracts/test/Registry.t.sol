// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice Who is registered, in which state, owned by whom.
contract RegistryTest is World {
    function test_register_revertsIfCallerRefused(address caller) public {
        vm.assume(caller != REGISTRAR);
        bytes memory reason = abi.encodeWithSelector(IDirectSettlement.CallerRefused.selector, caller);
        vm.expectRevert(reason);
        vm.prank(caller);
        direct.register(address(0), address(0), IDirectSettlement.Role.None);
        vm.expectRevert(reason);
        vm.prank(caller);
        direct.registerMany(new address[](0), new address[](1), IDirectSettlement.Role.None);
        vm.expectRevert(reason);
        vm.prank(caller);
        direct.setState(99, IDirectSettlement.State.None);
    }

    function test_registerMany_revertsIfEmpty() public {
        _refusedMany(
            new address[](0),
            new address[](1),
            IDirectSettlement.Role.Hub,
            abi.encodeWithSelector(IDirectSettlement.BatchEmpty.selector)
        );
    }

    function test_registerMany_revertsIfLengthsDiffer(uint8 meters, uint8 owners) public {
        vm.assume(meters != owners && meters > 0);
        _refusedMany(
            new address[](meters),
            new address[](owners),
            IDirectSettlement.Role.Hub,
            abi.encodeWithSelector(IDirectSettlement.BatchLengthsDiffer.selector, uint256(meters), uint256(owners))
        );
    }

    function test_register_revertsIfRoleRefused() public {
        for (uint8 i = 0; i < 2; ++i) {
            IDirectSettlement.Role role = IDirectSettlement.Role(i);
            bytes memory reason = abi.encodeWithSelector(IDirectSettlement.RoleRefused.selector, role);
            _refused(address(0), address(0), role, reason);
            _refusedMany(new address[](1), new address[](1), role, reason);
        }
    }

    function test_register_revertsIfRegistryFull() public {
        // The number of participants shares its word with the escrow; only the number is moved.
        vm.record();
        direct.participantCount();
        (bytes32[] memory reads,) = vm.accesses(address(direct));
        bytes32 word = vm.load(address(direct), reads[0]);
        vm.store(address(direct), reads[0], word | bytes32(uint256(type(uint32).max)));
        assertEq(direct.participantCount(), type(uint32).max, "moved");
        _refused(
            address(0),
            address(0),
            IDirectSettlement.Role.Dso,
            abi.encodeWithSelector(IDirectSettlement.RegistryFull.selector)
        );
    }

    function test_register_revertsIfMeterZero() public {
        _refused(
            address(0),
            address(0),
            IDirectSettlement.Role.Dso,
            abi.encodeWithSelector(IDirectSettlement.MeterZero.selector, uint32(3))
        );
    }

    function test_register_revertsIfOwnerZero(address meter) public {
        vm.assume(meter != address(0));
        _refused(
            meter,
            address(0),
            IDirectSettlement.Role.Dso,
            abi.encodeWithSelector(IDirectSettlement.OwnerZero.selector, uint32(3))
        );
    }

    function test_setState_revertsIfUnknown(uint32 number) public {
        number = uint32(bound(number, 3, type(uint32).max));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.ParticipantUnknown.selector, number));
        setState(number, IDirectSettlement.State.None);
    }

    function test_setState_revertsIfRefused() public {
        _refusedState(0, IDirectSettlement.State.Active, IDirectSettlement.State.Suspended);
        _refusedState(0, IDirectSettlement.State.Active, IDirectSettlement.State.Retired);
        _refusedState(ANNA, IDirectSettlement.State.Active, IDirectSettlement.State.None);
        _refusedState(ANNA, IDirectSettlement.State.Active, IDirectSettlement.State.Active);
        setState(ANNA, IDirectSettlement.State.Suspended);
        _refusedState(ANNA, IDirectSettlement.State.Suspended, IDirectSettlement.State.Suspended);
        setState(ANNA, IDirectSettlement.State.Retired);
        for (uint8 i = 0; i < 4; ++i) {
            _refusedState(ANNA, IDirectSettlement.State.Retired, IDirectSettlement.State(i));
        }
    }

    function test_proposeOwner_revertsIfUnknown(uint32 number) public {
        number = uint32(bound(number, 3, type(uint32).max));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.ParticipantUnknown.selector, number));
        direct.proposeOwner(number, address(this));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.ParticipantUnknown.selector, number));
        direct.acceptOwner(number);
    }

    function test_proposeOwner_revertsIfCallerNotOwner(address caller) public {
        vm.assume(caller != ownerOf(ANNA));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.CallerNotOwner.selector, ANNA, caller));
        vm.prank(caller);
        direct.proposeOwner(ANNA, caller);
    }

    function test_acceptOwner_revertsIfCallerNotProposed(address caller, address proposed) public {
        vm.assume(caller != proposed);
        vm.prank(ownerOf(ANNA));
        direct.proposeOwner(ANNA, proposed);
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.CallerNotProposed.selector, ANNA, caller));
        vm.prank(caller);
        direct.acceptOwner(ANNA);
    }

    function test_acceptOwner_revertsIfTakenBackOrUsed() public {
        vm.startPrank(ownerOf(ANNA));
        direct.proposeOwner(ANNA, address(this));
        direct.proposeOwner(ANNA, address(0));
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.CallerNotProposed.selector, ANNA, address(this)));
        direct.acceptOwner(ANNA);

        vm.prank(ownerOf(ANNA));
        direct.proposeOwner(ANNA, address(this));
        direct.acceptOwner(ANNA);
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.CallerNotProposed.selector, ANNA, address(this)));
        direct.acceptOwner(ANNA);
    }

    function test_participant_revertsIfUnknown(uint32 number) public {
        number = uint32(bound(number, 3, type(uint32).max));
        assertEq(direct.balanceOf(number), 0, "balance");
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.ParticipantUnknown.selector, number));
        direct.participant(number);
    }

    function test_register(address meter, address owner, uint8 role) public {
        vm.assume(meter != address(0) && owner != address(0));
        IDirectSettlement.Role expected = IDirectSettlement.Role(uint8(bound(role, 2, 5)));
        vm.expectEmit(address(direct));
        emit IDirectSettlement.Registered(3, meter, owner, expected);
        vm.prank(REGISTRAR);
        assertEq(direct.register(meter, owner, expected), 3, "number");
        assertEq(direct.participantCount(), 4, "count");
        _is(3, meter, owner, expected, IDirectSettlement.State.Active, 0);
    }

    function test_registerMany(uint8 count) public {
        count = uint8(bound(count, 1, 40));
        address[] memory meters = new address[](count);
        address[] memory owners = new address[](count);
        for (uint32 i = 0; i < count; ++i) {
            (meters[i], owners[i]) = (address(uint160(5_000 + i)), address(uint160(6_000 + i)));
        }
        vm.prank(REGISTRAR);
        assertEq(direct.registerMany(meters, owners, IDirectSettlement.Role.Supplier), 3, "first");
        assertEq(direct.participantCount(), 3 + uint256(count), "count");
        for (uint32 i = 0; i < count; ++i) {
            _is(3 + i, meters[i], owners[i], IDirectSettlement.Role.Supplier, IDirectSettlement.State.Active, 0);
        }
    }

    /// What else lies in the word stays as it is.
    function test_setState_keepsTheRest() public {
        vm.expectEmit(address(direct));
        emit IDirectSettlement.StateChanged(ANNA, IDirectSettlement.State.Active, IDirectSettlement.State.Suspended);
        setState(ANNA, IDirectSettlement.State.Suspended);
        _is(
            ANNA,
            meterOf(ANNA),
            ownerOf(ANNA),
            IDirectSettlement.Role.Prosumer,
            IDirectSettlement.State.Suspended,
            FUNDS
        );
        setState(ANNA, IDirectSettlement.State.Active);
        setState(ANNA, IDirectSettlement.State.Retired);
        _is(ANNA, meterOf(ANNA), ownerOf(ANNA), IDirectSettlement.Role.Prosumer, IDirectSettlement.State.Retired, FUNDS);
    }

    function test_acceptOwner(address proposed) public {
        vm.assume(proposed != address(0));
        vm.expectEmit(address(direct));
        emit IDirectSettlement.OwnerProposed(ANNA, ownerOf(ANNA), proposed);
        vm.prank(ownerOf(ANNA));
        direct.proposeOwner(ANNA, proposed);
        vm.assertEq(direct.proposedOwner(ANNA), proposed, "proposed");
        _is(ANNA, meterOf(ANNA), ownerOf(ANNA), IDirectSettlement.Role.Prosumer, IDirectSettlement.State.Active, FUNDS);

        vm.expectEmit(address(direct));
        emit IDirectSettlement.OwnerChanged(ANNA, ownerOf(ANNA), proposed);
        vm.prank(proposed);
        direct.acceptOwner(ANNA);
        _is(ANNA, meterOf(ANNA), proposed, IDirectSettlement.Role.Prosumer, IDirectSettlement.State.Active, FUNDS);
    }

    /// The hub's money can change hands; who settles does not.
    function test_acceptOwner_ofTheHub() public {
        vm.prank(HUB);
        direct.proposeOwner(0, address(this));
        direct.acceptOwner(0);
        direct.withdraw(0, FUNDS);
        vm.prank(HUB);
        direct.settle(consumed());
        assertEq(direct.balanceOf(0), 123_400, "hub");
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _is(
        uint32 number,
        address meter,
        address owner,
        IDirectSettlement.Role role,
        IDirectSettlement.State state,
        uint64 balance
    ) private view {
        (address m, address o, IDirectSettlement.Role r, IDirectSettlement.State s, uint64 b) =
            direct.participant(number);
        vm.assertEq(m, meter, "meter");
        vm.assertEq(o, owner, "owner");
        assertEq(uint8(r), uint8(role), "role");
        assertEq(uint8(s), uint8(state), "state");
        assertEq(b, balance, "balance");
    }

    function _refused(address meter, address owner, IDirectSettlement.Role role, bytes memory reason) private {
        vm.expectRevert(reason);
        vm.prank(REGISTRAR);
        direct.register(meter, owner, role);
    }

    function _refusedMany(
        address[] memory meters,
        address[] memory owners,
        IDirectSettlement.Role role,
        bytes memory reason
    ) private {
        vm.expectRevert(reason);
        vm.prank(REGISTRAR);
        direct.registerMany(meters, owners, role);
    }

    function _refusedState(uint32 number, IDirectSettlement.State current, IDirectSettlement.State requested) private {
        vm.expectRevert(
            abi.encodeWithSelector(IDirectSettlement.StateChangeRefused.selector, number, current, requested)
        );
        setState(number, requested);
    }
}
