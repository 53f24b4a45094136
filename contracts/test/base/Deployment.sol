// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { DemoToken } from "../../src/DemoToken.sol";
import { IBatchSettlement } from "../../src/IBatchSettlement.sol";
import { IDemandProver } from "../../src/IDemandProver.sol";
import { IDutyProver } from "../../src/IDutyProver.sol";
import { IFraudProver } from "../../src/IFraudProver.sol";
import { Libraries } from "./Libraries.sol";
import { vm } from "./Vm.sol";

/// @notice The committed bytecode of core and provers, deployed as a user does: the core first, with the addresses that
/// the provers are going to have.
abstract contract Deployment {
    address internal constant HUB = address(0x1001);
    address internal constant HUB_PAYOUT = address(0x1011);
    address internal constant REGISTRAR = address(0x1002);
    address internal constant TARIFF_AUTHORITY = address(0x1003);
    address internal constant GUARDIAN = address(0x1004);
    address internal constant AUDITOR = address(0x1005);
    uint256 internal constant OPERATOR_KEY = 0x0b;
    uint64 internal constant SLASH_UNIT = 5_000_000_000;
    uint64 internal constant DEMAND_BOND = 25_000_000;

    address internal immutable OPERATOR = vm.addr(OPERATOR_KEY);

    DemoToken internal token;
    IBatchSettlement internal core;
    IFraudProver internal fraud;
    IDemandProver internal demands;
    IDutyProver internal duty;
    Libraries internal libraries;

    function deployToken() internal {
        token = DemoToken(vm.deployCode("artifacts/DemoToken.json", abi.encode(address(this))));
        libraries = new Libraries();
    }

    function config() internal view returns (IBatchSettlement.Config memory c) {
        c.token = token;
        c.hub = HUB;
        c.hubPayout = HUB_PAYOUT;
        c.registrar = REGISTRAR;
        c.tariffAuthority = TARIFF_AUTHORITY;
        c.meteringOperator = OPERATOR;
        c.guardian = GUARDIAN;
        c.slashUnit = SLASH_UNIT;
        c.demandBond = DEMAND_BOND;
    }

    /// Deploys all four; the core at a given address if that is not zero.
    function deploy(IBatchSettlement.Config memory c, address where) internal {
        uint64 next = vm.getNonce(address(this)) + (where == address(0) ? 1 : 0);
        c.fraudProver = vm.computeCreateAddress(address(this), next);
        c.demandProver = vm.computeCreateAddress(address(this), next + 1);
        c.dutyProver = vm.computeCreateAddress(address(this), next + 2);
        bytes memory creation = bytes.concat(vm.getCode("artifacts/BatchSettlement.json"), abi.encode(c));
        core = IBatchSettlement(where == address(0) ? create(creation) : _createAt(where, creation));
        fraud = IFraudProver(create(_creation("FraudProver")));
        demands = IDemandProver(create(bytes.concat(_creation("DemandProver"), abi.encode(AUDITOR))));
        duty = IDutyProver(create(_creation("DutyProver")));
    }

    function create(bytes memory creation) internal returns (address created) {
        assembly ("memory-safe") {
            created := create(0, add(creation, 0x20), mload(creation))
        }
        vm.assertTrue(created != address(0), "created");
    }

    function _creation(string memory name) private view returns (bytes memory) {
        return bytes.concat(vm.getCode(string.concat("artifacts/", name, ".json")), abi.encode(core));
    }

    function _createAt(address where, bytes memory creation) private returns (address) {
        vm.etch(where, creation);
        (bool isDone, bytes memory runtime) = where.call("");
        vm.assertTrue(isDone, "constructed");
        vm.etch(where, runtime);
        return where;
    }
}
