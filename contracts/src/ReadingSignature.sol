// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { IBatchSettlement } from "./IBatchSettlement.sol";
import { RecordWord } from "./RecordWord.sol";

/// @title Signatures of readings
/// @notice EIP-712 over `Reading(uint32 participant,uint32 period,uint32 run,uint8 code,uint16 slot,int32 value)` in the
/// domain of the core contract, by the participant's meter, or for a correction run by the metering operator.
library ReadingSignature {
    bytes32 private constant DOMAIN_TYPEHASH =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");
    bytes32 private constant READING_TYPEHASH =
        keccak256("Reading(uint32 participant,uint32 period,uint32 run,uint8 code,uint16 slot,int32 value)");
    bytes32 private constant NAME_HASH = keccak256("gridtally");
    bytes32 private constant VERSION_HASH = keccak256("1");
    /// P-256 verification (EIP-7951).
    address private constant P256_VERIFY = address(0x100);
    uint256 private constant P256_LENGTH = 64;
    uint8 private constant P256 = 1;

    function domainSeparator(address core) internal view returns (bytes32) {
        return keccak256(abi.encode(DOMAIN_TYPEHASH, NAME_HASH, VERSION_HASH, block.chainid, core));
    }

    function digest(IBatchSettlement core, RecordWord record, uint32 period, uint32 run)
        internal
        view
        returns (bytes32)
    {
        bytes32 reading = keccak256(
            abi.encode(
                READING_TYPEHASH, record.participant(), period, run, record.code(), record.slot(), record.value()
            )
        );
        return keccak256(abi.encodePacked("\x19\x01", domainSeparator(address(core)), reading));
    }

    /// @notice Reverts unless a key that counts signed the reading. secp256k1: 65 bytes with a low `s`; P-256: 64 bytes,
    /// either `s`. The metering operator has a secp256k1 key.
    function check(IBatchSettlement core, RecordWord record, uint32 period, uint32 run, bytes calldata signature)
        internal
        view
    {
        bytes32 hash = digest(core, record, period, run);
        IBatchSettlement.Participant memory p = core.participant(record.participant());
        if (signature.length == P256_LENGTH && p.flags & P256 != 0) {
            (bytes32 x, bytes32 y) = core.p256KeyOf(record.participant());
            bytes32 r = bytes32(signature[:32]);
            bytes32 s = bytes32(signature[32:]);
            if (!_isP256(hash, r, s, x, y)) revert IBatchSettlement.BadSignature();
            return;
        }
        // slither-disable-next-line unused-return
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(hash, signature);
        // A zero address is recovered with a failure only, so that a participant without a meter has no signer.
        if (failure != ECDSA.RecoverError.NoError) revert IBatchSettlement.BadSignature();
        bool isOperator = run > 0 && signer == core.meteringOperator();
        if (signer != p.meter && !isOperator) revert IBatchSettlement.BadSignature();
    }

    /// @notice Returns whether the chain verifies a signature that is known to be right: a key and a signature made for
    /// this, over sha256("gridtally").
    function isP256Supported() internal view returns (bool) {
        return _isP256(
            0x4b8ab22c30f7927a83899a89d396b6545e978bf8407b31e3486b25dff4512768,
            0xf1cf3e69f45977544b8341d2e2b723d048747c33ba48d4bbb46a8267368b30b1,
            0xf87e7b747954c96e45523e3afe687fffc47177fb396b5503c2f2237715cb476b,
            0x67865138d32c62c613654fadc7b06cdeb54d0097263a40251d294d812ebeaa37,
            0x05a8c01f559e64a834a4ce1929bbee7ba77acb1cbc335cd11defd5f2e3fce27a
        );
    }

    function _isP256(bytes32 hash, bytes32 r, bytes32 s, bytes32 x, bytes32 y) private view returns (bool) {
        // slither-disable-next-line low-level-calls
        (bool isDone, bytes memory answer) = P256_VERIFY.staticcall(abi.encode(hash, r, s, x, y));
        return isDone && answer.length == 32 && abi.decode(answer, (uint256)) == 1;
    }
}
