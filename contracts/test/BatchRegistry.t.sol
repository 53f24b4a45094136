// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { CursorWord } from "../src/CursorWord.sol";
import { IProver } from "../src/IProver.sol";
import { RecordWord } from "../src/RecordWord.sol";
import { BatchWorld } from "./base/BatchWorld.sol";
import { vm } from "./base/Vm.sol";

/// @notice Deployment, offices, registry, tariffs, inbox and bond.
contract BatchRegistryTest is BatchWorld {
    address private constant STRANGER = address(0x7001);
    /// What `decimals()` of this contract answers when it plays the token.
    uint8 public decimals = 6;

    // ---------------------------------------------------------------------------------------- deployment

    function test_deploy_revertsIfConfigIsBad() public {
        string[14] memory fields = [
            "token",
            "hub",
            "hubPayout",
            "registrar",
            "tariffAuthority",
            "meteringOperator",
            "guardian",
            "fraudProver",
            "demandProver",
            "dutyProver",
            "slotsPerPeriod",
            "periodLength",
            "slashUnit",
            "demandBond"
        ];
        // From the last to the first, so that each is reported before those that are bad as well.
        IBatchSettlement.Config memory c = _complete();
        for (uint256 i = fields.length; i > 0; --i) {
            if (i == 14) c.demandBond = 0;
            if (i == 13) c.slashUnit = 0;
            if (i == 12) c.periodLength = 7 days + 1;
            if (i == 11) c.slotsPerPeriod = 1_025;
            if (i == 10) c.dutyProver = address(0);
            if (i == 9) c.demandProver = address(0);
            if (i == 8) c.fraudProver = address(0);
            if (i == 7) c.guardian = address(0);
            if (i == 6) c.meteringOperator = address(0);
            if (i == 5) c.tariffAuthority = address(0);
            if (i == 4) c.registrar = address(0);
            if (i == 3) c.hubPayout = address(0);
            if (i == 2) c.hub = address(0);
            if (i == 1) c.token = IERC20(address(0));
            _refused(c, abi.encodeWithSelector(IBatchSettlement.BadConfig.selector, fields[i - 1]));
        }
    }

    function test_deploy_revertsIfPeriodIsZero() public {
        IBatchSettlement.Config memory c = _complete();
        c.periodLength = 0;
        _refused(c, abi.encodeWithSelector(IBatchSettlement.BadConfig.selector, "periodLength"));
        c.slotsPerPeriod = 0;
        _refused(c, abi.encodeWithSelector(IBatchSettlement.BadConfig.selector, "slotsPerPeriod"));
    }

    function test_deploy_revertsIfDecimalsUnsupported(uint8 decimals_) public {
        decimals = decimals_ == 6 ? 18 : decimals_;
        IBatchSettlement.Config memory c = _complete();
        c.token = IERC20(address(this));
        _refused(c, abi.encodeWithSelector(IBatchSettlement.TokenDecimalsUnsupported.selector, decimals));
    }

    function test_deploy_proverRefusesAnotherCore() public {
        bytes memory creation = bytes.concat(vm.getCode("artifacts/FraudProver.json"), abi.encode(core));
        (address created, bytes memory answer) = this.tryCreate(creation);
        vm.assertEq(created, address(0), "refused");
        vm.assertEq(answer, abi.encodeWithSelector(IProver.NotProverOf.selector, core), "reason");
    }

    function test_deploy() public view {
        vm.assertEq(address(core.token()), address(token), "token");
        vm.assertEq(core.hub(), HUB, "hub");
        vm.assertEq(core.registrar(), REGISTRAR, "registrar");
        vm.assertEq(core.tariffAuthority(), TARIFF_AUTHORITY, "tariff authority");
        vm.assertEq(core.meteringOperator(), OPERATOR, "operator");
        vm.assertEq(core.guardian(), GUARDIAN, "guardian");
        vm.assertEq(core.fraudProver(), address(fraud), "fraud prover");
        vm.assertEq(core.demandProver(), address(demands), "demand prover");
        vm.assertEq(core.dutyProver(), address(duty), "duty prover");
        vm.assertEq(core.genesisTime(), GENESIS, "genesis");
        vm.assertEq(core.periodLength(), DAY, "period");
        vm.assertEq(core.slotsPerPeriod(), SLOTS, "slots");
        vm.assertEq(core.slashUnit(), SLASH_UNIT, "slash unit");
        vm.assertEq(core.demandBond(), DEMAND_BOND, "demand bond");
        (address payout, uint64 paid, bool isExited) = core.payoutOf(0);
        vm.assertEq(payout, HUB_PAYOUT, "payout");
        vm.assertEq(paid, 0, "paid");
        vm.assertTrue(!isExited, "exited");
        vm.assertEq(core.participantCount(), PARTICIPANTS, "participants");
        vm.assertEq(core.snapshotAt(), 0, "no snapshot yet");
        vm.assertEq(core.finalSeq(), 0, "nothing final");
    }

    /// What only the provers may do, nobody else may.
    function test_provers_revertIfAnybodyElse(address caller) public {
        vm.assume(caller != address(fraud) && caller != address(demands) && caller != address(duty));
        bytes[9] memory calls = [
            abi.encodeCall(core.cancel, (1, 0, CursorWord.wrap(0), caller, 1)),
            abi.encodeCall(core.openDemand, (0, caller, 0)),
            abi.encodeCall(core.closeDemand, (0)),
            abi.encodeCall(core.releaseDemand, (caller, 1_000, false)),
            abi.encodeCall(core.noteSnapshot, ()),
            abi.encodeCall(core.cancelSnapshot, (caller, 0)),
            abi.encodeCall(core.openForced, ()),
            abi.encodeCall(core.closeForced, ()),
            abi.encodeCall(core.payForced, (1, 1, false))
        ];
        for (uint256 i = 0; i < calls.length; ++i) {
            vm.prank(caller);
            (bool isDone, bytes memory answer) = address(core).call(calls[i]);
            vm.assertTrue(!isDone, "refused");
            vm.assertEq(answer, abi.encodeWithSelector(IBatchSettlement.NotRole.selector, caller), "reason");
        }
    }

    function test_cancel_revertsIfNotPending() public {
        vm.prank(address(fraud));
        expect(IBatchSettlement.NotPending.selector, 1);
        core.cancel(1, 0, CursorWord.wrap(0), STRANGER, 1);
    }

    // ---------------------------------------------------------------------------------------- registry

    function test_register_reverts() public {
        expect(IBatchSettlement.NotRole.selector, address(this));
        core.register(meterOf(5), payoutOf(5), 1, 0);
        vm.startPrank(REGISTRAR);
        uint32[4] memory flags = [uint32(0), 1, 2, type(uint32).max];
        for (uint256 i = 0; i < flags.length; ++i) {
            expect(IBatchSettlement.BadKey.selector, 5);
            core.register(i == 0 ? address(0) : meterOf(5), payoutOf(5), 1, flags[i]);
        }
        vm.warp(startOf(3));
        expect(IBatchSettlement.BadPeriod.selector, 5, 3);
        core.register(meterOf(5), payoutOf(5), 3, 0);
        vm.stopPrank();
    }

    function test_register(address meter, address payout, uint32 from) public {
        vm.assume(meter != address(0));
        from = uint32(bound(from, 1, type(uint32).max));
        vm.prank(REGISTRAR);
        vm.expectEmit(address(core));
        emit IBatchSettlement.Registered(5, meter, payout, from, 0);
        vm.assertEq(core.register(meter, payout, from, 0), 5, "number");
        IBatchSettlement.Participant memory p = core.participant(5);
        vm.assertEq(p.meter, meter, "meter");
        vm.assertEq(p.firstPeriod, from, "from");
        vm.assertEq(p.lastPeriod, type(uint32).max, "to");
        (address present,,) = core.payoutOf(5);
        vm.assertEq(present, payout, "payout");
    }

    function test_registerMany_reverts() public {
        address[] memory meters = new address[](2);
        expect(IBatchSettlement.NotRole.selector, address(this));
        core.registerMany(meters, 1);
        vm.startPrank(REGISTRAR);
        expect(IBatchSettlement.NothingToRegister.selector);
        core.registerMany(new address[](0), 1);
        meters[0] = meterOf(5);
        expect(IBatchSettlement.BadKey.selector, 6);
        core.registerMany(meters, 1);
        meters[1] = meterOf(6);
        expect(IBatchSettlement.BadPeriod.selector, 5, 0);
        core.registerMany(meters, 0);
        vm.assertEq(core.registerMany(meters, 1), 5, "first");
        vm.assertEq(core.participantCount(), 7, "count");
        vm.stopPrank();
    }

    function test_register_revertsIfFull() public {
        setParticipantCount(1 << 18);
        vm.startPrank(REGISTRAR);
        expect(IBatchSettlement.RegistryFull.selector);
        core.register(meterOf(5), payoutOf(5), 1, 0);
        address[] memory meters = new address[](1);
        meters[0] = meterOf(5);
        expect(IBatchSettlement.RegistryFull.selector);
        core.registerMany(meters, 1);
        vm.stopPrank();
    }

    function test_setPayout_reverts() public {
        expect(IBatchSettlement.ParticipantUnknown.selector, PARTICIPANTS);
        core.setPayout(PARTICIPANTS, STRANGER);
        vm.prank(REGISTRAR);
        expect(IBatchSettlement.NotRole.selector, REGISTRAR);
        core.setPayout(ANNA, STRANGER);
        expect(IBatchSettlement.NotRole.selector, address(this));
        core.setPayout(DORA, STRANGER);
        vm.prank(payoutOf(ANNA));
        expect(IBatchSettlement.BadKey.selector, ANNA);
        core.setPayout(ANNA, address(0));
    }

    /// The registrar sets it while there is none; from then on only its owner.
    function test_setPayout() public {
        vm.prank(REGISTRAR);
        vm.expectEmit(address(core));
        emit IBatchSettlement.PayoutSet(DORA, STRANGER);
        core.setPayout(DORA, STRANGER);
        vm.prank(REGISTRAR);
        expect(IBatchSettlement.NotRole.selector, REGISTRAR);
        core.setPayout(DORA, address(1));
        vm.prank(STRANGER);
        core.setPayout(DORA, address(1));
        (address present,,) = core.payoutOf(DORA);
        vm.assertEq(present, address(1), "payout");
    }

    function test_setP256_reverts() public {
        expect(IBatchSettlement.NotRole.selector, address(this));
        core.setP256(CARL, bytes32(uint256(1)), bytes32(uint256(2)));
        vm.startPrank(REGISTRAR);
        expect(IBatchSettlement.ParticipantUnknown.selector, PARTICIPANTS);
        core.setP256(PARTICIPANTS, bytes32(uint256(1)), bytes32(uint256(2)));
        // Written before, or another kind of key.
        expect(IBatchSettlement.BadKey.selector, CARL);
        core.setP256(CARL, bytes32(uint256(1)), bytes32(uint256(2)));
        expect(IBatchSettlement.BadKey.selector, ANNA);
        core.setP256(ANNA, bytes32(uint256(1)), bytes32(uint256(2)));
        uint32 number = core.register(address(0), address(0), 1, 1);
        expect(IBatchSettlement.BadKey.selector, number);
        core.setP256(number, 0, bytes32(uint256(2)));
        // A chain without EIP-7951 answers with nothing.
        vm.mockCallRevert(address(0x100), "", "");
        expect(IBatchSettlement.P256Unsupported.selector);
        core.setP256(number, bytes32(uint256(1)), bytes32(uint256(2)));
        vm.stopPrank();
    }

    function test_retire_reverts() public {
        expect(IBatchSettlement.NotRole.selector, address(this));
        core.retire(ANNA, 100);
        vm.warp(startOf(10));
        vm.startPrank(REGISTRAR);
        expect(IBatchSettlement.ParticipantUnknown.selector, PARTICIPANTS);
        core.retire(PARTICIPANTS, 100);
        expect(IBatchSettlement.BadPeriod.selector, 0, 100);
        core.retire(0, 100);
        expect(IBatchSettlement.BadPeriod.selector, ANNA, 11);
        core.retire(ANNA, 11);
        core.retire(ANNA, 20);
        expect(IBatchSettlement.BadPeriod.selector, ANNA, 20);
        core.retire(ANNA, 20);
        expect(IBatchSettlement.BadPeriod.selector, ANNA, 21);
        core.retire(ANNA, 21);
        core.retire(ANNA, 12);
        // Passed.
        vm.warp(startOf(13));
        expect(IBatchSettlement.BadPeriod.selector, ANNA, 15);
        core.retire(ANNA, 15);
        vm.stopPrank();
        vm.assertEq(core.participant(ANNA).lastPeriod, 12, "last");
    }

    // ---------------------------------------------------------------------------------------- tariffs

    function test_publishTariff_reverts() public {
        expect(IBatchSettlement.NotRole.selector, address(this));
        core.publishTariff(40, tableBytes);
        vm.startPrank(TARIFF_AUTHORITY);
        expect(IBatchSettlement.TariffRefused.selector, 0);
        core.publishTariff(0, tableBytes);
        expect(IBatchSettlement.TariffRefused.selector, 1);
        core.publishTariff(1, tableBytes);
        vm.warp(startOf(40));
        expect(IBatchSettlement.TariffRefused.selector, 40);
        core.publishTariff(40, tableBytes);
        expect(IBatchSettlement.BadTable.selector, 0, 385);
        core.publishTariff(41, "");
        expect(IBatchSettlement.BadTable.selector, 386, 385);
        core.publishTariff(41, new bytes(386));
        expect(IBatchSettlement.BadTable.selector, 385 * 128, 385);
        core.publishTariff(41, new bytes(385 * 128));
        expect(IBatchSettlement.BadTable.selector, 0, 385);
        core.publishTariff(41, row(0));
        expect(IBatchSettlement.BadTable.selector, 0, 385);
        core.publishTariff(41, row(63));
        expect(IBatchSettlement.BadTable.selector, 385, 385);
        core.publishTariff(41, bytes.concat(row(2), row(2)));
        expect(IBatchSettlement.BadTable.selector, 385, 385);
        core.publishTariff(41, bytes.concat(row(2), row(1)));
        vm.stopPrank();
    }

    function test_publishTariff_allCodes() public {
        bytes memory all;
        for (uint8 code = 1; code <= 62; ++code) {
            all = bytes.concat(all, row(code));
        }
        vm.prank(TARIFF_AUTHORITY);
        vm.expectEmit(address(core));
        emit IBatchSettlement.TariffPublished(31, keccak256(all), all);
        core.publishTariff(31, all);
        vm.assertEq(core.tariffHash(31), keccak256(all), "hash");
    }

    // ---------------------------------------------------------------------------------------- inbox

    function test_deposit_reverts(uint64 amount) public {
        expect(IBatchSettlement.ParticipantUnknown.selector, PARTICIPANTS);
        core.deposit(PARTICIPANTS, FUNDS);
        expect(IBatchSettlement.BadAmount.selector, 990_000);
        core.deposit(ANNA, 990_000);
        amount = uint64(bound(amount, 100, 1 << 60)) / 10_000 * 10_000 + 1;
        expect(IBatchSettlement.BadAmount.selector, amount);
        core.deposit(ANNA, amount);
        uint64 most = uint64(1 << 62) / 10_000 * 10_000;
        core.deposit(ANNA, most);
        expect(IBatchSettlement.BadAmount.selector, 1_000_000);
        core.deposit(ANNA, 1_000_000);
    }

    function test_deposit(uint8 number, uint64 amount) public {
        uint32 p = number % PARTICIPANTS;
        amount = uint64(bound(amount, 100, 1 << 40)) * 10_000;
        vm.roll(2_000);
        vm.expectEmit(address(core));
        emit IBatchSettlement.InboxAdded(0, 0, p, amount);
        core.deposit(p, amount);
        IBatchSettlement.InboxEntry memory e = core.inboxEntry(0);
        vm.assertEq(
            abi.encode(e), abi.encode(IBatchSettlement.InboxEntry(0, p, amount, uint40(GENESIS), 2_000)), "entry"
        );
        (uint64 escrow, uint64 deposited,,) = core.sums();
        vm.assertEq(escrow, amount, "escrow");
        vm.assertEq(deposited, amount, "deposited");
        vm.assertEq(token.balanceOf(address(core)), BOND + uint256(amount), "token");
    }

    function test_requestExit_reverts() public {
        vm.prank(HUB_PAYOUT);
        expect(IBatchSettlement.NotRole.selector, HUB_PAYOUT);
        core.requestExit(0);
        expect(IBatchSettlement.NotRole.selector, address(this));
        core.requestExit(ANNA);
        vm.startPrank(address(0));
        expect(IBatchSettlement.NotRole.selector, address(0));
        core.requestExit(0);
        vm.stopPrank();
        vm.startPrank(payoutOf(ANNA));
        core.requestExit(ANNA);
        expect(IBatchSettlement.BadInbox.selector, 0);
        core.requestExit(ANNA);
        vm.stopPrank();
    }

    /// Once a batch has honored the request, there can be another one.
    function test_requestExit() public {
        vm.prank(payoutOf(ANNA));
        vm.expectEmit(address(core));
        emit IBatchSettlement.InboxAdded(0, 1, ANNA, 0);
        core.requestExit(ANNA);
        deepen();
        vm.warp(startOf(2));
        Batch memory parent = genesis();
        RecordWord[] memory r = new RecordWord[](1);
        r[0] = rec(0, WITHDRAWAL, 0, 0);
        Batch memory b = build(parent, 1, 0, r, 1);
        commit(parent, b);
        vm.prank(payoutOf(ANNA));
        core.requestExit(ANNA);
        vm.assertEq(core.inboxCount(), 2, "entries");
    }

    // ---------------------------------------------------------------------------------------- bond and credit

    function test_bond_reverts() public {
        expect(IBatchSettlement.NotHub.selector, address(this));
        core.bond(1);
        expect(IBatchSettlement.NotHub.selector, address(this));
        core.unbond(1);
        vm.prank(HUB);
        expect(IBatchSettlement.Underbonded.selector, BOND, uint256(BOND) + 1);
        core.unbond(BOND + 1);
        expect(IBatchSettlement.NothingToClaim.selector, 0);
        core.collect();
        (, Batch memory b) = first();
        vm.prank(HUB);
        expect(IBatchSettlement.TooManyPending.selector, 1);
        core.unbond(1);
        finalizeAfterWindow(b);
        // The first final batch starts the clock of the snapshots, whose window must be over.
        vm.prank(HUB);
        expect(IBatchSettlement.TooEarly.selector, vm.getBlockTimestamp() + 7 days);
        core.unbond(1);
    }

    function test_bond(uint64 more, uint64 less) public {
        more = uint64(bound(more, 1, 1 << 60));
        less = uint64(bound(less, 1, BOND + more));
        fund(HUB, more);
        vm.startPrank(HUB);
        vm.expectEmit(address(core));
        emit IBatchSettlement.BondChanged(BOND + more);
        core.bond(more);
        vm.expectEmit(address(core));
        emit IBatchSettlement.BondChanged(BOND + more - less);
        core.unbond(less);
        vm.stopPrank();
        vm.assertEq(token.balanceOf(HUB_PAYOUT), less, "paid");
        vm.assertEq(core.bonded(), BOND + more - less, "bond");
        vm.assertEq(token.balanceOf(address(core)), BOND + more - less, "token");
    }

    function test_pause() public {
        expect(IBatchSettlement.NotRole.selector, address(this));
        core.pause();
        expect(IBatchSettlement.NotRole.selector, address(this));
        core.resume();
        vm.startPrank(GUARDIAN);
        core.pause();
        vm.assertTrue(core.isPaused(), "paused");
        core.resume();
        vm.assertTrue(!core.isPaused(), "resumed");
        vm.stopPrank();
    }

    // ---------------------------------------------------------------------------------------- helpers

    function _complete() private view returns (IBatchSettlement.Config memory c) {
        c = worldConfig();
        (c.fraudProver, c.demandProver, c.dutyProver) = (address(1), address(2), address(3));
    }

    function _refused(IBatchSettlement.Config memory c, bytes memory reason) private {
        bytes memory creation = bytes.concat(vm.getCode("artifacts/BatchSettlement.json"), abi.encode(c));
        (address created, bytes memory answer) = this.tryCreate(creation);
        vm.assertEq(created, address(0), "refused");
        vm.assertEq(answer, reason, "reason");
    }

    /// Creates a contract and returns its address, or zero and the reason why not.
    function tryCreate(bytes memory creation) external returns (address created, bytes memory answer) {
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
