// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IERC20Errors } from "@openzeppelin/contracts/interfaces/draft-IERC6093.sol";
import { DemoToken } from "../src/DemoToken.sol";
import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice Money in and out.
contract MoneyTest is World {
    function test_deposit_revertsIfUnknown(uint32 number) public {
        number = uint32(bound(number, 3, type(uint32).max));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.ParticipantUnknown.selector, number));
        direct.deposit(number, 0);
    }

    function test_deposit_revertsIfRetired() public {
        setState(ANNA, IDirectSettlement.State.Retired);
        vm.expectRevert(
            abi.encodeWithSelector(
                IDirectSettlement.ParticipantInactive.selector, ANNA, IDirectSettlement.State.Retired
            )
        );
        direct.deposit(ANNA, 0);
    }

    function test_deposit_revertsIfAmountZero() public {
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.AmountZero.selector));
        direct.deposit(ANNA, 0);
    }

    function test_deposit_revertsIfEscrowOverflows(uint64 excess) public {
        token.mint(address(this), type(uint64).max);
        uint64 held = 3 * FUNDS;
        uint64 amount = uint64(bound(excess, type(uint64).max - held + 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.EscrowOverflow.selector, held, amount));
        direct.deposit(ANNA, amount);
        direct.deposit(ANNA, type(uint64).max - held);
        assertEq(direct.escrow(), type(uint64).max, "just full");
    }

    function test_deposit_revertsIfNotApproved(uint64 amount) public {
        amount = uint64(bound(amount, 1, FUNDS));
        vm.expectRevert(
            abi.encodeWithSelector(
                IERC20Errors.ERC20InsufficientAllowance.selector, address(direct), 0, uint256(amount)
            )
        );
        vm.prank(ownerOf(ANNA));
        direct.deposit(ANNA, amount);
        assertEq(direct.balanceOf(ANNA), FUNDS, "Anna");
    }

    function test_withdraw_revertsIfUnknown(uint32 number) public {
        number = uint32(bound(number, 3, type(uint32).max));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.ParticipantUnknown.selector, number));
        vm.prank(address(0));
        direct.withdraw(number, 0);
    }

    function test_withdraw_revertsIfCallerNotOwner(address caller, uint64 amount) public {
        vm.assume(caller != ownerOf(ANNA));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.CallerNotOwner.selector, ANNA, caller));
        vm.prank(caller);
        direct.withdraw(ANNA, amount);
    }

    function test_withdraw_revertsIfAmountZero() public {
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.AmountZero.selector));
        vm.prank(ownerOf(ANNA));
        direct.withdraw(ANNA, 0);
    }

    function test_withdraw_revertsIfFundsInsufficient(uint64 amount) public {
        amount = uint64(bound(amount, FUNDS + 1, type(uint64).max));
        vm.expectRevert(abi.encodeWithSelector(IDirectSettlement.FundsInsufficient.selector, ANNA, FUNDS, amount));
        vm.prank(ownerOf(ANNA));
        direct.withdraw(ANNA, amount);
    }

    function test_receive_revertsIfEtherIsSent(uint64 amount) public {
        vm.assume(amount > 0);
        vm.deal(address(this), amount);
        (bool isAccepted,) = address(direct).call{ value: amount }("");
        assertTrue(!isAccepted, "no ether is held");
        (isAccepted,) = address(direct).call{ value: amount }(abi.encodeCall(direct.deposit, (ANNA, 1)));
        assertTrue(!isAccepted, "with a call neither");
    }

    function test_mint_revertsIfCallerIsNotOwner(address caller) public {
        vm.assume(caller != address(this));
        vm.expectRevert();
        vm.prank(caller);
        token.mint(caller, 1);
    }

    function test_deposit(uint64 amount, bool isSuspended) public {
        amount = uint64(bound(amount, 1, FUNDS));
        if (isSuspended) setState(ANNA, IDirectSettlement.State.Suspended);
        uint256 before = token.balanceOf(address(this));
        vm.expectEmit(address(direct));
        emit IDirectSettlement.Deposited(ANNA, address(this), amount);
        direct.deposit(ANNA, amount);
        assertEq(direct.balanceOf(ANNA), FUNDS + amount, "Anna");
        assertEq(token.balanceOf(address(this)), before - amount, "payer");
        _holdsWhatItOwes();
    }

    /// Money can be taken out in every state.
    function test_withdraw(uint64 amount, uint8 state) public {
        amount = uint64(bound(amount, 1, FUNDS));
        state = uint8(bound(state, 1, 3));
        if (state != 1) setState(ANNA, IDirectSettlement.State(state));
        vm.expectEmit(address(direct));
        emit IDirectSettlement.Withdrawn(ANNA, ownerOf(ANNA), amount);
        vm.prank(ownerOf(ANNA));
        direct.withdraw(ANNA, amount);
        assertEq(direct.balanceOf(ANNA), FUNDS - amount, "Anna");
        assertEq(token.balanceOf(ownerOf(ANNA)), amount, "owner");
        _holdsWhatItOwes();
    }

    function _holdsWhatItOwes() private view {
        uint256 sum = uint256(direct.balanceOf(0)) + direct.balanceOf(ANNA) + direct.balanceOf(BERT);
        assertEq(direct.escrow(), sum, "escrow");
        assertEq(token.balanceOf(address(direct)), sum, "token");
    }
}
