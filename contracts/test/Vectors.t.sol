// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice The contract against `vectors/direct.json`, which was computed without it (`scripts/vectors.js`): domain,
/// packed form, digests, signatures, amounts, tariff table.
contract VectorsTest is World {
    /// Its first contract has the address in the vectors' domain.
    address private constant DEPLOYER = 0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266;
    uint16 private constant LONGEST = 1024;
    uint32 private constant LATE = 365;

    string private _json;
    bytes private _early;
    bytes private _late;

    function setUp() public override {
        super.setUp();
        _json = vm.readFile("test/vectors/direct.json");
    }

    function test_vectors_digestsAndSignatures() public {
        _deployAtVectorAddress(LONGEST);
        vm.assertEq(direct.domainSeparator(), vm.parseJsonBytes32(_json, ".domainSeparator"), "domain");
        uint256 count = 0;
        for (; _exists(count); ++count) {
            IDirectSettlement.Record memory r = _record(count);
            bytes32 digest = vm.parseJsonBytes32(_json, _key(count, "digest"));
            vm.assertEq(pack(r), vm.parseJsonBytes(_json, _key(count, "packed")), "packed");
            vm.assertEq(direct.settlementDigest(r), digest, "digest");
            vm.assertEq(
                ECDSA.recover(digest, vm.parseJsonBytes(_json, _key(count, "signature"))),
                vm.parseJsonAddress(_json, _key(count, "signer")),
                "signer"
            );
        }
        assertTrue(count >= 13, "vectors were read");
    }

    /// Every vector that names a possible record is settled on its own signature.
    function test_vectors_amounts() public {
        _deployAtVectorAddress(LONGEST);
        address meter = vm.parseJsonAddress(_json, ".meter.address");
        vm.startPrank(REGISTRAR);
        direct.register(meter, HUB, IDirectSettlement.Role.Prosumer);
        direct.register(meter, HUB, IDirectSettlement.Role.Prosumer);
        vm.stopPrank();
        token.approve(address(direct), type(uint256).max);
        for (uint32 number = 0; number < 3; ++number) {
            direct.deposit(number, 3 * FUNDS);
        }
        _publish();
        uint256 settled = 0;
        for (uint256 i = 0; _exists(i); ++i) {
            IDirectSettlement.Record memory r = _record(i);
            if (r.code > 62) continue;
            int64 amount = int64(vm.parseJsonInt(_json, _key(i, "amount")));
            vm.expectEmit(address(direct));
            emit IDirectSettlement.Settled(r.from, r.to, r.period, r.run, r.slot, r.code, r.energy, amount);
            direct.settleSigned(r, vm.parseJsonBytes(_json, _key(i, "signature")));
            ++settled;
        }
        assertEq(settled, 12, "settled");
    }

    function test_vectors_tariff() public {
        _deployAtVectorAddress(6);
        bytes memory prices = vm.parseJsonBytes(_json, ".tariff.table");
        vm.prank(TARIFF_AUTHORITY);
        direct.publishTariff(1, prices);
        vm.assertEq(direct.tariffHash(1), vm.parseJsonBytes32(_json, ".tariff.tariffHash"), "hash");
        for (uint256 row_ = 0; row_ < 3; ++row_) {
            string memory path = string.concat(".tariff.prices[", vm.toString(row_), "]");
            uint8 code = uint8(vm.parseJsonUint(_json, string.concat(path, ".code")));
            for (uint16 slot = 0; slot < 6; ++slot) {
                int256 price = vm.parseJsonInt(_json, string.concat(path, ".prices[", vm.toString(slot), "]"));
                vm.assertEq(direct.price(1, code, slot), price, "price");
            }
        }
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _deployAtVectorAddress(uint16 slots) private {
        vm.warp(GENESIS);
        IDirectSettlement.Config memory c = config();
        c.slotsPerPeriod = slots;
        c.periodLength = DAY / slots * slots;
        c.meteringOperator = vm.parseJsonAddress(_json, ".operator.address");
        vm.startPrank(DEPLOYER);
        direct = deploy(c);
        vm.stopPrank();
        vm.assertEq(address(direct), vm.parseJsonAddress(_json, ".domain.verifyingContract"), "address");
    }

    /// Tables of the two periods that hold each vector's price in its slot and zero elsewhere.
    function _publish() private {
        for (uint8 code = 1; code <= 32; ++code) {
            if (code == 1 || code == 2 || code == 31 || code == 32) _early = bytes.concat(_early, _emptyRow(code));
        }
        _late = _emptyRow(62);
        for (uint256 i = 0; _exists(i); ++i) {
            IDirectSettlement.Record memory r = _record(i);
            if (r.code > 62) continue;
            bytes4 price = bytes4(uint32(int32(vm.parseJsonInt(_json, _key(i, "price")))));
            bytes storage prices = r.period == LATE ? _late : _early;
            uint256 start = 0;
            while (uint8(prices[start]) != r.code) start += 1 + 4 * uint256(LONGEST);
            for (uint256 j = 0; j < 4; ++j) {
                prices[start + 1 + 4 * uint256(r.slot) + j] = price[j];
            }
        }
        vm.startPrank(TARIFF_AUTHORITY);
        direct.publishTariff(1, _early);
        direct.publishTariff(LATE, _late);
        vm.stopPrank();
        vm.warp(startOf(LATE + 1));
    }

    function _emptyRow(uint8 code) private pure returns (bytes memory) {
        return bytes.concat(bytes1(code), new bytes(4 * uint256(LONGEST)));
    }

    function _exists(uint256 i) private view returns (bool) {
        return vm.keyExistsJson(_json, string.concat(".records[", vm.toString(i), "]"));
    }

    function _key(uint256 i, string memory field) private pure returns (string memory) {
        return string.concat(".records[", vm.toString(i), "].", field);
    }

    function _record(uint256 i) private view returns (IDirectSettlement.Record memory) {
        return IDirectSettlement.Record({
            from: uint32(vm.parseJsonUint(_json, _key(i, "from"))),
            to: uint32(vm.parseJsonUint(_json, _key(i, "to"))),
            period: uint32(vm.parseJsonUint(_json, _key(i, "period"))),
            run: uint16(vm.parseJsonUint(_json, _key(i, "run"))),
            slot: uint16(vm.parseJsonUint(_json, _key(i, "slot"))),
            code: uint8(vm.parseJsonUint(_json, _key(i, "code"))),
            energy: int32(vm.parseJsonInt(_json, _key(i, "energy")))
        });
    }
}
