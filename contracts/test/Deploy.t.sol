// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice What a deployment is refused for, and what it fixes.
contract DeployTest is World {
    /// What `decimals()` of this contract answers when it plays the token.
    uint8 public decimals = 6;

    function test_deploy_revertsIfAddressZero() public {
        string[5] memory fields = ["token", "hub", "registrar", "tariffAuthority", "meteringOperator"];
        // From the last to the first, so that each is reported before those that are zero as well.
        IDirectSettlement.Config memory c = config();
        c.slotsPerPeriod = 0;
        for (uint256 i = fields.length; i > 0; --i) {
            if (i == 5) c.meteringOperator = address(0);
            if (i == 4) c.tariffAuthority = address(0);
            if (i == 3) c.registrar = address(0);
            if (i == 2) c.hub = address(0);
            if (i == 1) c.token = IERC20(address(0));
            _refused(c, abi.encodeWithSelector(IDirectSettlement.ConfigAddressZero.selector, fields[i - 1]));
        }
    }

    function test_deploy_revertsIfSlotsOutOfRange(uint16 slots) public {
        IDirectSettlement.Config memory c = config();
        c.slotsPerPeriod = slots <= 1024 ? 0 : slots;
        c.periodLength = 0;
        _refused(c, abi.encodeWithSelector(IDirectSettlement.SlotsPerPeriodOutOfRange.selector, c.slotsPerPeriod));
    }

    function test_deploy_revertsIfPeriodLengthInvalid(uint32 length, uint16 slots) public {
        decimals = 18;
        IDirectSettlement.Config memory c = config();
        c.token = IERC20(address(this));
        c.slotsPerPeriod = uint16(bound(slots, 1, 1024));
        if (length != 0 && length <= 7 days && length % c.slotsPerPeriod == 0) length = 7 days + 1 + length;
        c.periodLength = length;
        _refused(c, abi.encodeWithSelector(IDirectSettlement.PeriodLengthInvalid.selector, length, c.slotsPerPeriod));
    }

    function test_deploy_revertsIfDecimalsUnsupported(uint8 decimals_) public {
        decimals = decimals_ == 6 ? 18 : decimals_;
        IDirectSettlement.Config memory c = config();
        c.token = IERC20(address(this));
        _refused(c, abi.encodeWithSelector(IDirectSettlement.TokenDecimalsUnsupported.selector, decimals));
    }

    function test_deploy_revertsIfTokenIsNone(address nothing) public {
        vm.assume(nothing.code.length == 0 && uint160(nothing) > 0xffff);
        IDirectSettlement.Config memory c = config();
        c.token = IERC20(nothing);
        _refused(c, "");
    }

    function test_deploy(uint16 slots, uint32 length, uint64 genesis) public {
        IDirectSettlement.Config memory c = config();
        c.slotsPerPeriod = uint16(bound(slots, 1, 1024));
        c.periodLength = uint32(bound(length, 1, 7 days / c.slotsPerPeriod)) * c.slotsPerPeriod;
        c.genesisTime = genesis;
        IDirectSettlement d = deploy(c);

        vm.assertEq(address(d.token()), address(token), "token");
        vm.assertEq(d.hub(), HUB, "hub");
        vm.assertEq(d.registrar(), REGISTRAR, "registrar");
        vm.assertEq(d.tariffAuthority(), TARIFF_AUTHORITY, "tariff authority");
        vm.assertEq(d.meteringOperator(), OPERATOR, "metering operator");
        assertEq(d.genesisTime(), genesis, "genesis");
        assertEq(d.periodLength(), c.periodLength, "period");
        assertEq(d.slotsPerPeriod(), c.slotsPerPeriod, "slots");
        assertEq(d.participantCount(), 1, "the hub alone");
        assertEq(d.escrow(), 0, "escrow");
        (address meter, address owner, IDirectSettlement.Role role, IDirectSettlement.State state, uint64 balance) =
            d.participant(0);
        vm.assertEq(meter, address(0), "the hub has no meter");
        vm.assertEq(owner, HUB, "owner");
        assertEq(uint8(role), uint8(IDirectSettlement.Role.Hub), "role");
        assertEq(uint8(state), uint8(IDirectSettlement.State.Active), "state");
        assertEq(balance, 0, "balance");
    }

    function _refused(IDirectSettlement.Config memory c, bytes memory reason) private {
        bytes memory creation = bytes.concat(vm.getCode("artifacts/DirectSettlement.json"), abi.encode(c));
        (address created, bytes memory answer) = this.create(creation);
        vm.assertEq(created, address(0), "refused");
        vm.assertEq(answer, reason, "reason");
    }

    /// Creates a contract and returns its address, or zero and the reason why not.
    function create(bytes memory creation) external returns (address created, bytes memory answer) {
        assembly ("memory-safe") {
            created := create(0, add(creation, 0x20), mload(creation))
            answer := mload(0x40)
            mstore(answer, returndatasize())
            returndatacopy(add(answer, 0x20), 0, returndatasize())
            mstore(0x40, and(add(add(answer, 0x3f), returndatasize()), not(0x1f)))
        }
        if (created != address(0)) answer = "";
    }
}
