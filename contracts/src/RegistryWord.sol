// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IDirectSettlement } from "./IDirectSettlement.sol";

/// @notice What a settlement needs of a participant in one storage word, so that one read and one write serve it:
/// `meter 160 | balance 64 | role 16 | state 16`. A participant exists when its word is not zero.
type RegistryWord is uint256;

using RegistryWords for RegistryWord global;

/// @title The participant's storage word
/// @notice Balances are in micro-units. `plus` and `minus` do not check: the caller has compared with the balance, and
/// the sum of all balances is kept below 2^64.
library RegistryWords {
    uint256 private constant METER_SHIFT = 96;
    uint256 private constant BALANCE_SHIFT = 32;
    uint256 private constant ROLE_SHIFT = 16;

    function create(address meter_, IDirectSettlement.Role role_) internal pure returns (RegistryWord) {
        return RegistryWord.wrap(
            uint256(uint160(meter_)) << METER_SHIFT | uint256(role_) << ROLE_SHIFT
                | uint256(IDirectSettlement.State.Active)
        );
    }

    function isKnown(RegistryWord word) internal pure returns (bool) {
        return RegistryWord.unwrap(word) != 0;
    }

    function isActive(RegistryWord word) internal pure returns (bool) {
        return uint16(RegistryWord.unwrap(word)) == uint16(IDirectSettlement.State.Active);
    }

    function meter(RegistryWord word) internal pure returns (address) {
        return address(uint160(RegistryWord.unwrap(word) >> METER_SHIFT));
    }

    function balance(RegistryWord word) internal pure returns (uint64) {
        return uint64(RegistryWord.unwrap(word) >> BALANCE_SHIFT);
    }

    function role(RegistryWord word) internal pure returns (IDirectSettlement.Role) {
        return IDirectSettlement.Role(uint16(RegistryWord.unwrap(word) >> ROLE_SHIFT));
    }

    function state(RegistryWord word) internal pure returns (IDirectSettlement.State) {
        return IDirectSettlement.State(uint16(RegistryWord.unwrap(word)));
    }

    function plus(RegistryWord word, uint64 amount) internal pure returns (RegistryWord) {
        unchecked {
            return RegistryWord.wrap(RegistryWord.unwrap(word) + (uint256(amount) << BALANCE_SHIFT));
        }
    }

    function minus(RegistryWord word, uint64 amount) internal pure returns (RegistryWord) {
        unchecked {
            return RegistryWord.wrap(RegistryWord.unwrap(word) - (uint256(amount) << BALANCE_SHIFT));
        }
    }

    function withState(RegistryWord word, IDirectSettlement.State state_) internal pure returns (RegistryWord) {
        return RegistryWord.wrap(RegistryWord.unwrap(word) & ~uint256(type(uint16).max) | uint256(state_));
    }
}
