// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "../src/IDirectSettlement.sol";
import { vm } from "./base/Vm.sol";
import { World } from "./base/World.sol";

/// @notice Records that carry a signature: whose counts, and that it counts once, here, for exactly this.
contract SettleSignedTest is World {
    uint256 private constant CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141;

    function test_settleSigned_revertsIfSignatureInvalid(bytes calldata garbage) public {
        vm.assume(garbage.length != 65);
        _refused(consumed(), garbage, abi.encodeWithSelector(IDirectSettlement.SignatureInvalid.selector));
    }

    function test_settleSigned_revertsIfNothingIsRecovered(bytes32 r, uint8 v) public {
        bytes memory invalid = abi.encodeWithSelector(IDirectSettlement.SignatureInvalid.selector);
        // Hub and strangers have the zero address for a meter: recovering nothing must not count as theirs.
        IDirectSettlement.Record memory record = consumed();
        (record.from, record.to) = (0, ANNA);
        _refused(record, abi.encodePacked(r, bytes32(0), v), invalid);
        record.from = 99;
        _refused(record, abi.encodePacked(bytes32(0), r, v), invalid);
        vm.assume(v != 27 && v != 28);
        _refused(record, abi.encodePacked(r, bytes32(uint256(1)), v), invalid);
    }

    function test_settleSigned_revertsIfSIsHigh() public {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(meterKeyOf(ANNA), direct.settlementDigest(consumed()));
        bytes32 high = bytes32(CURVE_ORDER - uint256(s));
        _refused(
            consumed(),
            abi.encodePacked(r, high, v == 27 ? uint8(28) : uint8(27)),
            abi.encodeWithSelector(IDirectSettlement.SignatureInvalid.selector)
        );
    }

    function test_settleSigned_revertsIfSignerRefused(uint256 key, uint8 code) public {
        key = bound(key, 1, CURVE_ORDER - 1);
        IDirectSettlement.Record memory r = consumed();
        (r.to, r.code) = (BERT, code);
        uint32 metered = code < 32 ? BERT : ANNA;
        vm.assume(key != meterKeyOf(metered));
        _refused(
            r,
            signed(key, r),
            abi.encodeWithSelector(IDirectSettlement.SignerRefused.selector, vm.addr(key), meterOf(metered))
        );
    }

    /// The other party's meter, the operator in run 0, and the hub never count.
    function test_settleSigned_revertsIfSignedByTheOtherSide() public {
        IDirectSettlement.Record memory r = consumed();
        r.to = BERT;
        _refusedSigner(r, meterKeyOf(BERT), meterOf(ANNA));
        _refusedSigner(r, OPERATOR_KEY, meterOf(ANNA));
        r.code = FEED_IN;
        _refusedSigner(r, meterKeyOf(ANNA), meterOf(BERT));
        r.to = 0;
        _refusedSigner(r, meterKeyOf(ANNA), address(0));
    }

    function test_settleSigned_revertsIfRecordChanged(uint256 field) public {
        IDirectSettlement.Record memory r = consumed();
        bytes memory signature = signed(meterKeyOf(ANNA), r);
        bytes32 before = direct.settlementDigest(r);
        field = field % 7;
        if (field == 0) r.from = BERT;
        if (field == 1) r.to = BERT;
        if (field == 2) r.period += 1;
        if (field == 3) r.run += 1;
        if (field == 4) r.slot += 1;
        if (field == 5) r.code += 1;
        if (field == 6) r.energy += 1;
        assertTrue(direct.settlementDigest(r) != before, "digest");
        vm.expectRevert();
        direct.settleSigned(r, signature);
    }

    function test_settleSigned_revertsOnAnotherContractOrChain() public {
        IDirectSettlement.Record memory r = consumed();
        bytes memory signature = signed(meterKeyOf(ANNA), r);
        IDirectSettlement first = direct;
        setUp();
        vm.expectRevert();
        direct.settleSigned(r, signature);
        vm.chainId(4242);
        vm.expectRevert();
        first.settleSigned(r, signature);
    }

    function test_settleSigned_revertsIfRepeated() public {
        IDirectSettlement.Record memory r = consumed();
        bytes memory signature = signed(meterKeyOf(ANNA), r);
        direct.settleSigned(r, signature);
        _refused(
            r,
            signature,
            abi.encodeWithSelector(
                IDirectSettlement.AlreadySettled.selector, r.from, r.to, r.period, r.run, r.slot, r.code
            )
        );
    }

    function test_settleSigned_revertsIfInactive() public {
        setState(ANNA, IDirectSettlement.State.Retired);
        _refused(
            consumed(),
            signed(meterKeyOf(ANNA), consumed()),
            abi.encodeWithSelector(
                IDirectSettlement.ParticipantInactive.selector, ANNA, IDirectSettlement.State.Retired
            )
        );
    }

    function test_settleSigned_byAnybody(address sender, bool isDelivered) public {
        IDirectSettlement.Record memory r = consumed();
        if (isDelivered) (r.from, r.to, r.code) = (0, ANNA, FEED_IN);
        bytes memory signature = signed(meterKeyOf(ANNA), r);
        vm.prank(sender);
        direct.settleSigned(r, signature);
        assertEq(direct.balanceOf(ANNA), isDelivered ? FUNDS + 81_234 : FUNDS - 123_400, "Anna");
    }

    function test_settleSigned_correctionByTheOperator(uint16 run, bool isDelivered) public {
        IDirectSettlement.Record memory r = consumed();
        r.run = uint16(bound(run, 1, type(uint16).max));
        r.energy = -1_000;
        if (isDelivered) (r.from, r.to, r.code) = (0, ANNA, FEED_IN);
        direct.settleSigned(r, signed(OPERATOR_KEY, r));
        assertEq(direct.balanceOf(ANNA), isDelivered ? FUNDS - 81_234 : FUNDS + 123_400, "Anna");
    }

    function test_settleSigned_correctionByTheMeter() public {
        IDirectSettlement.Record memory r = consumed();
        (r.run, r.energy) = (1, -1_000);
        direct.settleSigned(r, signed(meterKeyOf(ANNA), r));
        assertEq(direct.balanceOf(ANNA), FUNDS + 123_400, "Anna");
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _refusedSigner(IDirectSettlement.Record memory r, uint256 key, address meter) private {
        _refused(
            r, signed(key, r), abi.encodeWithSelector(IDirectSettlement.SignerRefused.selector, vm.addr(key), meter)
        );
    }

    function _refused(IDirectSettlement.Record memory r, bytes memory signature, bytes memory reason) private {
        vm.expectRevert(reason);
        direct.settleSigned(r, signature);
    }
}
