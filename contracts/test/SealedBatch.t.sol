// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../src/IBatchSettlement.sol";
import { IDemandProver } from "../src/IDemandProver.sol";
import { LowDegreeBlob } from "./base/LowDegreeBlob.sol";
import { SealedWorld } from "./base/SealedWorld.sol";
import { Trees } from "./base/Trees.sol";
import { vm } from "./base/Vm.sol";

/// @notice Sealed batches from commit to claim and exit, and the proofs that open batches have too.
contract SealedBatchTest is SealedWorld {
    address private constant WATCHER = address(0x5001);

    // ---------------------------------------------------------------------------------------- commit

    function test_commitSealed_revertsInOrder() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        IBatchSettlement.BatchIn memory x = batchIn(b, hashOf(parent));
        expect(IBatchSettlement.NotHub.selector, address(this));
        core.commitSealed(x);
        // Without blobs there is no room for anything.
        vm.blobhashes(new bytes32[](0));
        vm.prank(HUB);
        expect(IBatchSettlement.BadCount.selector, PARTICIPANTS, 0);
        core.commitSealed(x);
        // Two elements an account.
        vm.blobhashes(new bytes32[](2));
        bytes32[] memory two = new bytes32[](2);
        (two[0], two[1]) = (bytes32(uint256(1)), bytes32(uint256(2)));
        vm.blobhashes(two);
        x.accountCount = 4_097;
        vm.prank(HUB);
        expect(IBatchSettlement.BadCount.selector, 4_097, 4_096);
        core.commitSealed(x);
        x.accountCount = 4_096;
        vm.prank(HUB);
        expect(IBatchSettlement.BadAccountCount.selector, 4_096, 0, PARTICIPANTS);
        core.commitSealed(x);
    }

    /// Nobody would see what an invented participant is given.
    function test_commitSealed_revertsWithoutAuditor() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        bytes32[] memory one = new bytes32[](1);
        one[0] = bytes32(uint256(1));
        vm.blobhashes(one);
        IDemandProver without = IDemandProver(_withoutAuditor());
        vm.assertEq(without.auditor(), address(0), "no auditor");
        vm.assertEq(demands.auditor(), AUDITOR, "auditor");
        IBatchSettlement.BatchIn memory x = batchIn(b, hashOf(parent));
        IBatchSettlement bare = without.core();
        vm.prank(HUB);
        expect(IBatchSettlement.DataKindUnsupported.selector, 2);
        bare.commitSealed(x);
    }

    function _withoutAuditor() private returns (address) {
        IBatchSettlement.Config memory c = worldConfig();
        uint64 nonce = vm.getNonce(address(this));
        c.fraudProver = address(1);
        c.dutyProver = address(2);
        c.demandProver = vm.computeCreateAddress(address(this), nonce + 1);
        address bare = create(bytes.concat(vm.getCode("artifacts/BatchSettlement.json"), abi.encode(c)));
        return create(bytes.concat(vm.getCode("artifacts/DemandProver.json"), abi.encode(bare, address(0))));
    }

    /// A chain of open and sealed batches: what a proof reads of the parent is hashed as the parent's kind says.
    function test_commitSealed_betweenOpenBatches() public {
        (, Batch memory a) = first();
        Batch memory b = salted(build(a, 2, 0, nextRecords(), a.header.inboxTo));
        vm.warp(startOf(3));
        b.leaves[0].balanceAfter += 1;
        salted(b);
        commitSealed(a, b);
        fraud.proveOpening(b.header, a.header, b.leaves[0], noLeaf(), a.accounts[ANNA]);
        assertCancelled(a, BOND, address(this));
        vm.warp(startOf(3) + 1);
        b = salted(build(a, 2, 0, nextRecords(), a.header.inboxTo));
        commitSealed(a, b);
        expect(IBatchSettlement.NotFraud.selector);
        fraud.proveOpening(b.header, a.header, b.leaves[0], noLeaf(), a.accounts[ANNA]);
        Batch memory c = next(b, 3);
        c.accounts[CARL].balance += 1;
        expect(IBatchSettlement.BadPath.selector, CARL);
        fraud.proveAccount(c.header, b.header, c.accounts[CARL], b.accounts[CARL], c.leaves[4], noLeaf());
        c.accounts[CARL].balance -= 1;
        expect(IBatchSettlement.NotFraud.selector);
        fraud.proveAccount(c.header, b.header, c.accounts[CARL], b.accounts[CARL], c.leaves[4], noLeaf());
    }

    // ---------------------------------------------------------------------------------------- leaves

    function test_leaves_needTheirSalt(uint128 salt) public {
        (, Batch memory b,) = firstSealed();
        Batch memory x = copy(b);
        vm.assume(bytes16(salt) != b.accounts[ANNA].salt && bytes16(salt) != b.leaves[2].salt);
        (x.accounts[ANNA].salt, x.leaves[2].salt) = (bytes16(salt), bytes16(salt));
        finalizeAfterWindow(b);
        expect(IBatchSettlement.BadPath.selector, ANNA);
        core.claim(b.header, x.accounts[ANNA]);
        IBatchSettlement.Header[] memory chain = new IBatchSettlement.Header[](1);
        chain[0] = b.header;
        expect(IBatchSettlement.BadPath.selector, 2);
        core.verifyRecord(chain, x.leaves[2]);
        vm.assertEq(core.verifyRecord(chain, b.leaves[2]), hashOf(b), "verified");
        core.claim(b.header, b.accounts[ANNA]);
        vm.assertEq(token.balanceOf(payoutOf(ANNA)), 12_340_000, "claimed");
    }

    /// In an open batch it says nothing.
    function test_leaves_ignoreTheSaltOfAnOpenBatch(bytes16 salt) public {
        (, Batch memory b) = first();
        b.accounts[ANNA].salt = salt;
        finalizeAfterWindow(b);
        core.claim(b.header, b.accounts[ANNA]);
        vm.assertEq(token.balanceOf(payoutOf(ANNA)), 12_340_000, "claimed");
    }

    /// A participant leaves with its own salt and what is in the blobs.
    function test_exit_withPublishedLeaves() public {
        (, Batch memory b, Blob memory blob) = firstSealed();
        finalizeAfterWindow(b);
        vm.warp(vm.getBlockTimestamp() + 28 days);
        core.freeze(b.header);
        bytes32[] memory published = new bytes32[](PARTICIPANTS);
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            (published[p],) = LowDegreeBlob.open(blob.coefficients, PARTICIPANTS + p);
        }
        IBatchSettlement.Account memory a = b.accounts[BERT];
        a.path = Trees.path(published, BERT);
        core.exit(b.header, a);
        vm.assertEq(token.balanceOf(payoutOf(BERT)), uint64(a.balance), "all of it");
    }

    // ---------------------------------------------------------------------------------------- published accounts

    /// Anybody sees that the tree has another leaf than the blob, and needs no salt to prove it.
    function test_proveSealedAccount() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        bytes32[] memory elements = elementsOf(b);
        elements[PARTICIPANTS + BERT] ^= bytes32(uint256(1));
        Blob memory blob = commitSealed(parent, b, elements);
        _refusedAccount(parent, b, blob, ANNA);
        (bytes32 leaf, bytes memory proof) = _opened(b, blob, BERT);
        vm.prank(WATCHER);
        fraud.proveSealedAccount(
            b.header,
            parent.header,
            BERT,
            leaf,
            b.accounts[BERT].path,
            blob.versionedHashes,
            elements[PARTICIPANTS + BERT],
            blob.commitment,
            proof
        );
        assertCancelled(parent, BOND, WATCHER);
    }

    /// A leaf that no account can have: nobody could ever open it.
    function test_proveSealedAccount_form() public {
        (Batch memory parent, Batch memory b) = firstSalted();
        bytes32[] memory hashes = accountHashes(b);
        bytes32[] memory elements = elementsOf(b);
        hashes[BERT] |= bytes32(uint256(1) << 248);
        elements[PARTICIPANTS + BERT] = hashes[BERT];
        b.header.accountRoot = Trees.root(hashes);
        Blob memory blob = commitSealed(parent, b, elements);
        (, bytes memory proof) = LowDegreeBlob.open(blob.coefficients, PARTICIPANTS + BERT);
        fraud.proveSealedAccount(
            b.header,
            parent.header,
            BERT,
            hashes[BERT],
            Trees.path(hashes, BERT),
            blob.versionedHashes,
            hashes[BERT],
            blob.commitment,
            proof
        );
        assertCancelled(parent, BOND, address(this));
    }

    function test_proveSealedAccount_reverts() public {
        (Batch memory parent, Batch memory b, Blob memory blob) = firstSealed();
        for (uint32 p = 0; p < PARTICIPANTS; ++p) {
            _refusedAccount(parent, b, blob, p);
        }
        (bytes32 leaf, bytes memory proof) = _opened(b, blob, ANNA);
        // Another leaf, another element, another blob.
        expect(IBatchSettlement.BadPath.selector, ANNA);
        _prove(b, parent, ANNA, bytes32(uint256(leaf) ^ 1), leaf, blob, proof);
        expect(IBatchSettlement.BadOpening.selector, PARTICIPANTS + ANNA);
        _prove(b, parent, ANNA, leaf, bytes32(uint256(leaf) ^ 1), blob, proof);
        expect(IBatchSettlement.BadOpening.selector, PARTICIPANTS + BERT);
        _prove(b, parent, BERT, accountHashes(b)[BERT], leaf, blob, proof);
        blob.versionedHashes[0] ^= bytes32(uint256(1));
        expect(IBatchSettlement.BadOpening.selector, ANNA);
        _prove(b, parent, ANNA, leaf, leaf, blob, proof);
    }

    /// Open data is not proved as sealed, and sealed data not as open.
    function test_proveSealedAccount_kinds() public {
        (Batch memory parent, Batch memory b, Blob memory blob) = firstSealed();
        expect(IBatchSettlement.BadOpening.selector, 2);
        fraud.proveBlob(
            b.header, parent.header, b.leaves[2], blob.versionedHashes, bytes32(0), blob.commitment, blob.commitment
        );
        expect(IBatchSettlement.BadOpening.selector, 2);
        fraud.proveCalldata(b.header, parent.header, b.leaves[2], "");
        Batch memory c = next(b, 2);
        expect(IBatchSettlement.BadOpening.selector, ANNA);
        _prove(c, b, ANNA, accountHashes(c)[ANNA], 0, blob, blob.commitment);
    }

    function _opened(Batch memory b, Blob memory blob, uint32 p)
        private
        view
        returns (bytes32 leaf, bytes memory proof)
    {
        leaf = accountHashes(b)[p];
        (, proof) = LowDegreeBlob.open(blob.coefficients, PARTICIPANTS + p);
    }

    function _refusedAccount(Batch memory parent, Batch memory b, Blob memory blob, uint32 p) private {
        (bytes32 leaf, bytes memory proof) = _opened(b, blob, p);
        expect(IBatchSettlement.NotFraud.selector);
        _prove(b, parent, p, leaf, leaf, blob, proof);
    }

    function _prove(
        Batch memory b,
        Batch memory parent,
        uint32 p,
        bytes32 leaf,
        bytes32 element,
        Blob memory blob,
        bytes memory proof
    ) private {
        fraud.proveSealedAccount(
            b.header, parent.header, p, leaf, b.accounts[p].path, blob.versionedHashes, element, blob.commitment, proof
        );
    }

    // ---------------------------------------------------------------------------------------- proofs of all kinds

    /// Whoever knows the leaves proves on them what it would prove in the open.
    function test_proofs_onSealedLeaves() public {
        (Batch memory parent, Batch memory honest) = firstSalted();
        for (uint256 i = 0; i < 6; ++i) {
            Batch memory b = copy(honest);
            if (i == 0) b.leaves[2].amount += 1;
            if (i == 1) b.leaves[3].hubAfter += 1;
            if (i == 2) b.leaves[12].hubAfter += 1;
            if (i == 3) b.leaves[6].balanceAfter += 1;
            if (i == 4) b.accounts[CARL].payableMicro += 10_000;
            if (i == 5) b.header.hubBalance += 1;
            salted(b);
            vm.warp(vm.getBlockTimestamp() + 1);
            commitSealed(parent, b);
            uint256 rewarded = core.creditOf(WATCHER);
            vm.startPrank(WATCHER);
            if (i == 0) fraud.proveRecord(b.header, parent.header, b.leaves[2], tableBytes);
            if (i == 1) fraud.provePair(b.header, parent.header, b.leaves[2], b.leaves[3]);
            if (i == 2) fraud.proveEdge(b.header, parent.header, b.leaves[12]);
            if (i == 3) fraud.proveOpening(b.header, parent.header, b.leaves[6], b.leaves[5], noAccount());
            if (i == 4) {
                fraud.proveAccount(b.header, parent.header, b.accounts[CARL], noAccount(), b.leaves[11], b.leaves[12]);
            }
            if (i == 5) fraud.proveEdge(b.header, parent.header, b.leaves[12]);
            vm.stopPrank();
            vm.assertEq(core.creditOf(WATCHER), rewarded + SLASH_UNIT / 2, "slashed");
        }
    }
}
