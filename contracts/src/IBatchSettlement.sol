// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { CursorWord } from "./CursorWord.sol";
import { RecordWord } from "./RecordWord.sol";

/// @title Batch settlement: thousands of records in one transaction, each public, provable and enforceable
/// @notice The hub commits batches of settlement records under a bond. A batch is pending for seven days; during that time
/// anybody can prove with one transaction that it breaks a rule, whereupon it and all later batches are cancelled and the
/// hub loses a part of its bond. What nobody disproves becomes final, and only what is final counts.
///
/// This contract holds the money, the registry, the tariffs, the inbox and the ring of the last 64 header hashes. What is
/// proved is proved in `IFraudProver` (one transaction), `IDemandProver` (the hub must open what it committed) and
/// `IDutyProver` (account snapshots and forced readings); these three contracts alone may cancel. Nothing is behind a proxy.
///
/// Units: energy in watt-hours, prices in micro-units of the currency per kilowatt-hour, money in micro-units (10^-6).
/// All times are in seconds since 1970, UTC. Period `p` covers
/// `[genesisTime + p * periodLength, genesisTime + (p + 1) * periodLength)`. Period 0 is never settled.
///
/// Assumptions:
/// - The token has 6 decimals, moves exactly the amount that it is asked to move and calls nobody back.
/// - At least one honest watcher with the published data acts within each window. A wrong batch that nobody disproves in
///   seven days becomes final and can move all escrow (never the bond, demand bonds or credits).
/// - The three provers were deployed with this contract's address; they check that, this contract cannot.
///
/// Warnings:
/// - The records of open batches are public and name a participant, a time and an amount of energy. For a household that
///   is personal data: its batches are sealed. Whatever a demand, a claim or a proof shows is public as well.
/// - *Pending* is not *final*: do not hand out goods for a pending payment.
/// - Proofs, answers, `finalize`, `freeze` and the settling of demands call no token: they credit, and `collect` pays.
///
/// Every function checks in the order in which its errors are declared below: the first one that applies is reported.
interface IBatchSettlement {
    /// @notice What is fixed for ever when the contract is deployed.
    /// @param token The ERC-20 that is held and paid, with 6 decimals.
    /// @param hub Commits batches and bonds.
    /// @param hubPayout First payout of participant 0: receives the bond back and the hub's share of demand bonds.
    /// @param registrar Registers participants and retires them.
    /// @param tariffAuthority Publishes prices.
    /// @param meteringOperator Signs corrections beside the meters.
    /// @param guardian Pauses and resumes commits; nothing else.
    /// @param genesisTime Start of period 0.
    /// @param periodLength Seconds in a period, 1 to 7 days.
    /// @param slotsPerPeriod 1 to 1024.
    /// @param slashUnit What a cancellation costs the hub: half to the challenger, half burned.
    /// @param demandBond Bond of a demand for one leaf; eight times as much for a row or a group.
    struct Config {
        IERC20 token;
        address hub;
        address hubPayout;
        address registrar;
        address tariffAuthority;
        address meteringOperator;
        address guardian;
        address fraudProver;
        address demandProver;
        address dutyProver;
        uint64 genesisTime;
        uint32 periodLength;
        uint16 slotsPerPeriod;
        uint64 slashUnit;
        uint64 demandBond;
    }

    /// @notice A batch: what was committed, and the cursor after it. Its hash is `keccak256(abi.encode(header))`.
    /// @param run 0 for a regular batch, R for the R-th correction run.
    /// @param part Informative in regular batches, 0 in correction runs.
    /// @param inboxTo First inbox entry that this batch and those before it did not honor.
    /// @param dataHash Hash of the calldata, or of the concatenated versioned hashes of the blobs.
    /// @param dataKind 0 calldata, 1 open blobs, 2 sealed blobs: leaves are salted, and their hashes are published.
    struct Header {
        uint64 seq;
        bytes32 parent;
        uint32 period;
        uint32 run;
        uint16 part;
        uint32 count;
        uint48 firstKey;
        uint48 lastKey;
        uint32 regPeriod;
        uint48 regLastKey;
        uint32 lastRun;
        bytes32 recordRoot;
        bytes32 accountRoot;
        uint32 accountCount;
        int64 hubBalance;
        uint64 inboxTo;
        bytes32 tariffHash;
        bytes32 dataHash;
        uint8 dataKind;
        uint64 committedAt;
    }

    /// @notice What the hub says about a batch; the contract adds the rest of the header.
    /// @param expectedParent Hash of the newest header that the hub built on: after a reorganisation the commit fails.
    struct BatchIn {
        uint32 period;
        uint32 run;
        uint16 part;
        uint32 count;
        uint48 firstKey;
        uint48 lastKey;
        bytes32 recordRoot;
        bytes32 accountRoot;
        uint32 accountCount;
        int64 hubBalance;
        uint64 inboxTo;
        bytes32 expectedParent;
    }

    /// @notice A record with what it moved, and its path. "No leaf" is index 2^32 - 1 with an empty path.
    /// @param amount What the record moves on the participant's side.
    /// @param balanceAfter The participant's balance after it.
    /// @param hubAfter The hub's balance after it.
    /// @param salt What the leaf of a sealed batch is salted with; ignored in an open one.
    struct Leaf {
        uint32 index;
        RecordWord record;
        int64 amount;
        int64 balanceAfter;
        int64 hubAfter;
        bytes16 salt;
        bytes32[] path;
    }

    /// @notice A participant's account after a batch, and its path.
    /// @param payableMicro All withdrawals so far; what was claimed of it is not subtracted.
    /// @param salt What the leaf of a sealed batch is salted with; ignored in an open one.
    struct Account {
        uint32 participant;
        int64 balance;
        uint64 payableMicro;
        bytes16 salt;
        bytes32[] path;
    }

    /// @notice Who signs for a participant, and in which periods it takes part.
    /// @param meter Address of the secp256k1 key; zero with a P-256 key.
    /// @param lastPeriod Last period in which it is active.
    /// @param flags Bit 0: the key is on P-256.
    struct Participant {
        address meter;
        uint32 firstPeriod;
        uint32 lastPeriod;
        uint8 flags;
    }

    /// @notice Something that the hub must honor with a record. Kind 0: deposit; 1: exit; 2: forced reading, honored
    /// as a deposit.
    struct InboxEntry {
        uint8 kind;
        uint32 participant;
        uint64 amount;
        uint40 addedAt;
        uint40 blockNumber;
    }

    // ------------------------------------------------------------------------------------------------ events

    /// @notice A batch is pending.
    event Committed(uint64 indexed seq, uint32 indexed period, bytes32 indexed headerHash, Header header);

    /// @notice A batch is final, for ever.
    event Finalized(uint64 indexed seq, bytes32 indexed headerHash);

    /// @notice A batch, and all that were pending after it, are cancelled. Reasons: 1 record, 2 pair, 3 edge, 4 opening,
    /// 5 account, 6 published data, 7 no answer, 8 deposit omitted, 9 exit ignored, 10 correction of a forced reading.
    event Cancelled(uint64 indexed seq, address indexed challenger, uint8 reason);

    /// @notice An account snapshot was false and no longer counts.
    event SnapshotCancelled(address indexed challenger, uint32 previousAt);

    /// @notice A participant was paid what batches made payable. `cumulative` is all that it was paid so far.
    event Claimed(uint32 indexed participant, uint64 amount, uint64 cumulative);

    /// @notice After a freeze a participant took everything.
    event Exited(uint32 indexed participant, uint64 amount);

    /// @notice After a freeze a deposit that no final batch honored went back.
    event Reclaimed(uint64 indexed entry, uint32 indexed participant, uint64 amount);

    /// @notice A participant exists.
    event Registered(
        uint32 indexed participant, address indexed meter, address payout, uint32 fromPeriod, uint32 flags
    );

    /// @notice A participant's payout address changed.
    event PayoutSet(uint32 indexed participant, address indexed payout);

    /// @notice A participant's P-256 key is fixed.
    event P256Set(uint32 indexed participant, bytes32 x, bytes32 y);

    /// @notice A participant takes part up to and with this period.
    event Retired(uint32 indexed participant, uint32 lastPeriod);

    /// @notice The prices of a period are fixed. `table` is what was hashed.
    event TariffPublished(uint32 indexed period, bytes32 hash, bytes table);

    /// @notice The hub must honor this entry with a record.
    event InboxAdded(uint64 indexed entry, uint8 kind, uint32 indexed participant, uint64 amount);

    /// @notice The bond after the hub added to it or took from it.
    event BondChanged(uint64 bond);

    /// @notice An address may collect `amount` more.
    event Credited(address indexed to, uint64 amount);

    /// @notice An address collected its credit.
    event Collected(address indexed to, uint64 amount);

    /// @notice The guardian stopped the commits.
    event CommitsPaused();

    /// @notice The guardian lets commits go on.
    event CommitsResumed();

    /// @notice The ledger ended with this final batch: exits and reclaims from now on.
    event Frozen(uint64 indexed seq, bytes32 indexed headerHash);

    // ------------------------------------------------------------------------------------------------ errors: deployment

    /// @notice The field of `Config` is zero, or out of its range.
    error BadConfig(string field);

    /// @notice The token does not count in micro-units.
    error TokenDecimalsUnsupported(uint8 decimals);

    // ------------------------------------------------------------------------------------------------ errors: who may

    /// @notice Only the hub may.
    error NotHub(address caller);

    /// @notice Only the holder of another office, or of the participant's payout address, may.
    error NotRole(address caller);

    /// @notice After the freeze nothing is committed, finalized, deposited or forced.
    error IsFrozen();

    /// @notice Possible only after the freeze.
    error NotFrozen();

    /// @notice The guardian stopped the commits.
    error Paused();

    // ------------------------------------------------------------------------------------------------ errors: registry, tariffs and money

    /// @notice Nobody is registered under this number.
    error ParticipantUnknown(uint32 participant);

    /// @notice The registry holds 2^18 participants.
    error RegistryFull();

    /// @notice The call names no participant.
    error NothingToRegister();

    /// @notice A meter key is zero, a payout is zero, a flag is unknown, or a key was written before.
    error BadKey(uint32 participant);

    /// @notice The first period is over or running, or the last one is sooner than two periods ahead, passed or not lower.
    error BadPeriod(uint32 participant, uint32 period);

    /// @notice The chain does not verify P-256 signatures (EIP-7951).
    error P256Unsupported();

    /// @notice The period has begun, is 0, or has a tariff.
    error TariffRefused(uint32 period);

    /// @notice A table is not whole rows of `rowLength` bytes up to 49,152, its codes do not ascend in 1 to 62, or it is
    /// not the one with this length that was published. `position` is the length, or where the bad row starts.
    error BadTable(uint256 position, uint256 rowLength);

    /// @notice A deposit is at least 1.00 in hundredths; all deposits together stay up to 2^62.
    error BadAmount(uint64 amount);

    /// @notice The participant has no payout address yet.
    error NoPayout(uint32 participant);

    // ------------------------------------------------------------------------------------------------ errors: commit

    /// @notice The period is 0 or not over before `endsAt`.
    error NotClosed(uint32 period, uint256 endsAt);

    /// @notice No tariff was published for the period.
    error NoTariff(uint32 period);

    /// @notice First key above the last, or a regular batch that does not come after the last regular key.
    error BadOrder(uint32 period, uint48 firstKey, uint48 lastKey);

    /// @notice A correction run has part 0, the next run number and a period that regular batches have reached; a forced
    /// reading concerns regular batches.
    error BadRun(uint32 run, uint32 expected);

    /// @notice 1 to 2^18 records, at most what the data can hold. Calldata is exactly ten bytes a record;
    /// sealed blobs hold two elements an account, and then `count` is that of the accounts.
    error BadCount(uint32 count, uint256 capacity);

    /// @notice Accounts never get fewer, and never more than are registered.
    error BadAccountCount(uint32 accountCount, uint32 atLeast, uint32 atMost);

    /// @notice The hub cannot owe.
    error BadHubBalance(int64 hubBalance);

    /// @notice Sealed batches need an auditor, and the demand prover names none.
    error DataKindUnsupported(uint8 dataKind);

    /// @notice The batch honors entries that do not exist, are not 64 blocks deep, or are more than 1,024; an exit was
    /// requested while the last request is open; or the entry is not one of the kind that the call is about.
    error BadInbox(uint64 entry);

    /// @notice The batch leaves out an entry that is three days old and 64 blocks deep.
    error InboxOverdue(uint64 entry);

    /// @notice The header's parent is another one.
    error BadParent(bytes32 parent);

    /// @notice The newest header is not the one that the hub built on.
    error Reorg(bytes32 expected, bytes32 head);

    /// @notice At most 32 batches are pending.
    error TooManyPending(uint64 pending);

    /// @notice The last true account snapshot is older than 21 days.
    error SnapshotOverdue(uint32 snapshotAt);

    // ------------------------------------------------------------------------------------------------ errors: life of a batch

    /// @notice The batch is not pending, or not the next to become final.
    error NotPending(uint64 seq);

    /// @notice The batch is not final, or not the latest final one where that is needed, or no longer in the ring.
    error NotFinal(uint64 seq);

    /// @notice The leaf is not at this index of the batch, or not the one that the call is about.
    error BadPath(uint32 index);

    /// @notice The batch does not break the rule that the call is about.
    error NotFraud();

    /// @notice The bond must be at least `needed`.
    error Underbonded(uint64 bond, uint256 needed);

    /// @notice Possible from `from` on.
    error TooEarly(uint256 from);

    /// @notice Demands on the batch are not answered.
    error OpenDemands(uint32 open);

    /// @notice Forced readings are open or due.
    error OpenForced(uint64 open);

    /// @notice The next batch can be finalized: do that instead.
    error Finalizable(uint64 seq);

    /// @notice Nothing is left to pay.
    error NothingToClaim(uint32 participant);

    /// @notice The signature is malformed or not by a key that counts.
    error BadSignature();

    /// @notice The chain does not confirm this element of the blob, or the data is not what was committed.
    error BadOpening(uint256 index);

    // ------------------------------------------------------------------------------------------------ participants

    /// @notice Registers one participant, active from `fromPeriod`, which has not begun. Registrar.
    /// @param meter Address of the meter's key; zero with a P-256 key, which `setP256` writes.
    /// @param payout Where its money goes; zero to set it later.
    /// @param flags Bit 0: P-256 key.
    function register(address meter, address payout, uint32 fromPeriod, uint32 flags) external returns (uint32 number);

    /// @notice Registers several with secp256k1 keys and no payout. Registrar.
    function registerMany(address[] calldata meters, uint32 fromPeriod) external returns (uint32 first);

    /// @notice Sets where a participant's money goes. Its present payout address, or the registrar while there is none.
    function setPayout(uint32 number, address payout) external;

    /// @notice Writes a P-256 key, once. Registrar. Refused where the chain does not verify P-256 signatures.
    function setP256(uint32 number, bytes32 x, bytes32 y) external;

    /// @notice Ends a participant's activity after `lastPeriod`, at least two periods ahead. Registrar. Only lowers what
    /// was set, and nothing once the last period is over. Deposits and withdrawals go on.
    function retire(uint32 number, uint32 lastPeriod) external;

    /// @notice Fixes the prices of a period that has not begun. Tariff authority.
    function publishTariff(uint32 period, bytes calldata table) external;

    // ------------------------------------------------------------------------------------------------ inbox and bond

    /// @notice Pays in for a participant; the hub must honor it with a record.
    function deposit(uint32 number, uint64 amount) external;

    /// @notice Asks to be paid out whole. The participant's payout address, one request at a time.
    function requestExit(uint32 number) external;

    /// @notice Adds to the bond, from the hub's credit first. Hub.
    function bond(uint64 amount) external;

    /// @notice Takes from the bond, to participant 0's payout. Hub. Refused while a batch is pending, a forced reading is
    /// open, or the last snapshot can still be disproved.
    function unbond(uint64 amount) external;

    /// @notice Pays the caller's credit.
    function collect() external;

    // ------------------------------------------------------------------------------------------------ batches

    /// @notice Commits a batch whose records are in the blobs of this transaction. Hub.
    function commitBlobs(BatchIn calldata batch) external returns (bytes32 headerHash);

    /// @notice Commits a batch of up to 12,000 records in `data`. Hub.
    function commitCalldata(BatchIn calldata batch, bytes calldata data) external returns (bytes32 headerHash);

    /// @notice Commits a sealed batch: for each account, the blobs of this transaction hold a digest of the participant's
    /// leaf hashes, and after all digests each account's leaf. Hub. Only where the demand prover names an auditor.
    function commitSealed(BatchIn calldata batch) external returns (bytes32 headerHash);

    /// @notice Makes the next batch final: 7 days after its commit, 2 days after the last answer, no open demand.
    function finalize(Header calldata h) external;

    /// @notice Pays what is payable by a final batch that is still in the ring.
    function claim(Header calldata last, Account calldata a) external;

    /// @notice The same for several accounts. Those with nothing left are skipped; all of them: `NothingToClaim`.
    function claimMany(Header calldata last, Account[] calldata accounts) external;

    /// @notice Stops commits. Guardian.
    function pause() external;

    /// @notice Lets commits go on. Guardian.
    function resume() external;

    /// @notice Ends the ledger when nothing is pending and 28 days have passed since the latest final batch was
    /// committed, or since construction or the end of period 1, if later. By anybody.
    function freeze(Header calldata latest) external;

    /// @notice The same while batches are pending, of which the next cannot be finalized now. They are dropped.
    function freezePending(Header calldata latest, Header calldata next) external;

    /// @notice After the freeze: pays balance and what is payable, once, by the latest final batch.
    function exit(Header calldata latest, Account calldata a) external;

    /// @notice After the freeze: pays a deposit back that no final batch honored.
    function reclaim(uint64 entry) external;

    /// @notice Returns the hash of the last header of `chain` after checking that the first is final and in the ring, each
    /// next one is its parent, and the leaf is in the last.
    function verifyRecord(Header[] calldata chain, Leaf calldata l) external view returns (bytes32 headerHash);

    // ------------------------------------------------------------------------------------------------ what the provers call

    /// @notice Cancels a pending batch and all after it. Provers.
    /// @param parentCursor The cursor of the parent's header.
    function cancel(uint64 seq, bytes32 headerHash, CursorWord parentCursor, address challenger, uint8 reason) external;

    /// @notice Takes a demand's bond from the challenger, credit first, and counts the demand. Demand prover.
    function openDemand(bytes32 headerHash, address challenger, uint64 amount) external;

    /// @notice Counts an answer, and starts the days of grace. Demand prover.
    function closeDemand(bytes32 headerHash) external;

    /// @notice Pays a demand's bond out: to the challenger, or for a final batch 80 % to the hub, the rest burned. Demand
    /// prover.
    function releaseDemand(address challenger, uint64 amount, bool isFinal_) external;

    /// @notice Notes when an account snapshot was complete. Duty prover.
    function noteSnapshot() external;

    /// @notice Slashes for a false snapshot and restores the time of the one before. Duty prover.
    function cancelSnapshot(address challenger, uint32 previousAt) external;

    /// @notice Counts a forced reading that may still be refuted. Duty prover.
    function openForced() external;

    /// @notice Counts a refuted one. Duty prover.
    function closeForced() external;

    /// @notice Moves a forced amount from the bond to the escrow and the inbox. Duty prover. If the bond does not cover it
    /// beside what pending batches lock, the amount is due: commits need that much more bond until it is paid.
    /// @param isDue Whether it was due before.
    /// @return isPaid Whether it was paid; after the freeze with what the bond has left.
    function payForced(uint32 number, uint64 amount, bool isDue) external returns (bool isPaid);

    // ------------------------------------------------------------------------------------------------ views

    /// @notice Reverts with `NotPending` unless the batch is pending.
    function checkPending(uint64 seq, bytes32 headerHash) external view;

    /// @notice Returns whether the batch is pending.
    function isPending(uint64 seq, bytes32 headerHash) external view returns (bool);

    /// @notice Returns whether the batch is final and in the ring.
    function isFinal(uint64 seq, bytes32 headerHash) external view returns (bool);

    /// @notice Returns the header hash that the ring holds in the place of `seq`.
    function headerHashAt(uint64 seq) external view returns (bytes32);

    /// @notice Returns the sequence number of the latest final batch.
    function finalSeq() external view returns (uint64);

    /// @notice Returns where the ledger stands, pending batches included.
    function cursor()
        external
        view
        returns (
            uint64 headSeq,
            uint64 inboxTo,
            uint32 regPeriod,
            uint48 regLastKey,
            uint32 lastRun,
            uint32 accountCount
        );

    /// @notice Returns how many demands on a batch are open, when the last was answered, and whether the batch became
    /// final after there had been demands.
    function demandsOn(bytes32 headerHash) external view returns (uint32 open, uint40 lastAnswerAt, bool isFinal_);

    function participant(uint32 number) external view returns (Participant memory);

    /// @notice Returns where a participant's money goes, what it was paid so far, and whether it exited.
    function payoutOf(uint32 number) external view returns (address payout, uint64 paid, bool isExited);

    function p256KeyOf(uint32 number) external view returns (bytes32 x, bytes32 y);

    /// @notice Returns how many are registered, the hub included.
    function participantCount() external view returns (uint32);

    function tariffHash(uint32 period) external view returns (bytes32);

    function inboxEntry(uint64 entry) external view returns (InboxEntry memory);

    function inboxCount() external view returns (uint64);

    /// @notice Returns the hub's bond.
    function bonded() external view returns (uint64);

    /// @notice Returns what is held for participants and the hub, what came in by deposits and forced readings, what was
    /// burned, and how much forced amounts are due. Burned money stays here for ever.
    function sums() external view returns (uint64 escrow, uint64 deposited, uint64 burned, uint64 forcedDue);

    /// @notice Returns how many forced readings are open or due.
    function openForcedCount() external view returns (uint64);

    function creditOf(address holder) external view returns (uint64);

    /// @notice Returns when the last true snapshot was complete; before there was one, when the first batch became final.
    function snapshotAt() external view returns (uint32);

    function isFrozen() external view returns (bool);

    function isPaused() external view returns (bool);

    function token() external view returns (IERC20);

    function hub() external view returns (address);

    function registrar() external view returns (address);

    function tariffAuthority() external view returns (address);

    function meteringOperator() external view returns (address);

    function guardian() external view returns (address);

    function fraudProver() external view returns (address);

    function demandProver() external view returns (address);

    function dutyProver() external view returns (address);

    function genesisTime() external view returns (uint64);

    function periodLength() external view returns (uint32);

    function slotsPerPeriod() external view returns (uint16);

    function slashUnit() external view returns (uint64);

    function demandBond() external view returns (uint64);

    /// @notice Returns the EIP-712 domain separator of readings.
    function domainSeparator() external view returns (bytes32);
}
