// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IBatchSettlement } from "../../src/IBatchSettlement.sol";

/// @notice The parts of a file of settlement vectors, as `scripts/settlement-vectors.js` encodes them.
library SettlementInput {
    struct Params {
        uint256 chainId;
        address core;
        uint64 genesisTime;
        uint32 periodLength;
        uint16 slotsPerPeriod;
        bytes32 genesisHeaderHash;
        bytes32 domainSeparator;
        bytes32 domainTypeHash;
        bytes32 readingTypeHash;
    }

    struct Codec {
        uint32 participant;
        uint8 code;
        uint16 slot;
        int32 value;
        uint48 key;
        bytes10 record;
    }

    struct Amount {
        uint8 code;
        int32 value;
        int32 price;
        int256 amount;
    }

    struct Tree {
        bytes32[] leaves;
        bytes32 root;
        uint256[] indices;
        bytes32[][] paths;
    }

    struct Meter {
        uint32 participant;
        uint256 key;
        address meter;
    }

    struct Tariff {
        uint32 period;
        bytes table;
        bytes32 hash;
        uint8[] codes;
        int32[][] prices;
    }

    struct Entry {
        uint32 participant;
        uint8 kind;
        uint64 amount;
    }

    struct Opening {
        uint256 element;
        bytes32 z;
        bytes32 y;
        bytes proof;
    }

    struct Batch {
        IBatchSettlement.Header header;
        bytes headerAbi;
        bytes32 headerHash;
        IBatchSettlement.Leaf[] leaves;
        bytes[] preimages;
        bytes32[] hashes;
        bytes32[] digests;
        bytes[] signatures;
        IBatchSettlement.Account[] accounts;
        bytes[] accountPreimages;
        bytes32[] accountHashes;
        bytes data;
        bytes32[] versionedHashes;
        bytes[] commitments;
        bytes32[] elements;
        Opening[] openings;
    }

    struct Variant {
        string name;
        string proof;
        uint32 count;
        bytes32 recordRoot;
        bytes32 accountRoot;
        int64 hubBalance;
        IBatchSettlement.Leaf leaf;
        IBatchSettlement.Leaf next;
        IBatchSettlement.Account account;
        bytes32[] versionedHashes;
        bytes32 element;
        bytes commitment;
        bytes opening;
    }

    struct Sealed {
        bytes32 sectionKey;
        uint32 participant;
        uint32[] indices;
        bytes16[] salts;
        bytes32[] hashes;
        bytes31 digest;
    }

    struct P256 {
        bytes32 x;
        bytes32 y;
        uint32 participant;
        uint32 period;
        uint32 run;
        uint8 code;
        uint16 slot;
        int32 value;
        bytes32 digest;
        bytes32 r;
        bytes32 s;
    }
}
