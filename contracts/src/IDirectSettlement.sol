// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";

/// @title Direct settlement: one metered amount of energy, one payment
/// @notice Participants hold money in this contract. A settlement record says that `from` pays `to` for the energy of
/// one slot at the price that was published before the slot's period began. The contract checks both parties, the slot,
/// duplicates, the tariff and the payer's funds, computes the amount itself and moves the money.
///
/// Units: energy in watt-hours, prices in micro-units of the currency per kilowatt-hour, money in micro-units (10^-6).
/// An amount is `energy * price / 1000`, truncated toward zero. A negative amount (a negative price or a downward
/// correction) moves the money the other way; the roles `from` and `to` stay.
///
/// Time: period `p` covers `[genesisTime + p * periodLength, genesisTime + (p + 1) * periodLength)` in UTC seconds and
/// is cut into `slotsPerPeriod` slots of equal length. Period 0 has no tariff and is never settled.
///
/// Assumptions:
/// - The token has 6 decimals, moves exactly the amount that it is asked to move and calls nobody back. A token with
///   transfer fees or rebasing balances would leave the contract with less than it owes. Tokens that are sent here
///   without `deposit` belong to nobody and stay.
/// - The hub and the metering operator are trusted to settle what was metered. What they cannot do: settle twice, settle
///   the future, choose a price, touch a participant that is not active, or spend more than the payer holds.
/// - The block time is right to within seconds.
///
/// Warnings:
/// - Records are public and name a participant, a time and an amount of energy. For a household that is personal data.
/// - A settled record is never edited. A mistake is corrected by a record with `run >= 1` that carries the difference.
/// - A participant that withdraws everything cannot be charged a later correction: that is the hub's credit risk.
///
/// Every function checks in the order in which its errors are declared below: the first one that applies is reported.
interface IDirectSettlement {
    /// @notice What a participant is. The contract treats all of them alike; only participant 0 is the hub.
    enum Role {
        None,
        Hub,
        Prosumer,
        Dso,
        Aggregator,
        Supplier
    }

    /// @notice Whether a participant can pay and be paid. `Retired` is final. In every state the owner can withdraw.
    enum State {
        None,
        Active,
        Suspended,
        Retired
    }

    /// @notice What is fixed for ever when the contract is deployed.
    /// @param token The ERC-20 that is held and paid, with 6 decimals.
    /// @param hub Owns participant 0 and may settle.
    /// @param registrar Registers participants and changes their states.
    /// @param tariffAuthority Publishes prices.
    /// @param meteringOperator May settle, and signs corrections.
    /// @param genesisTime Start of period 0 in seconds since 1970, UTC.
    /// @param periodLength Seconds in a period: at most 7 days, a multiple of `slotsPerPeriod`.
    /// @param slotsPerPeriod 1 to 1024; 96 for quarter-hours of a day.
    struct Config {
        IERC20 token;
        address hub;
        address registrar;
        address tariffAuthority;
        address meteringOperator;
        uint64 genesisTime;
        uint32 periodLength;
        uint16 slotsPerPeriod;
    }

    /// @notice One settlement: `from` pays `to` for `energy` in one slot.
    /// @param from Participant that pays while the price is positive.
    /// @param to Participant that is paid.
    /// @param period Settlement period, 1 or later.
    /// @param run 0 for the first settlement; 1 and later for corrections.
    /// @param slot Slot inside the period, from 0.
    /// @param code Row of the tariff: 1 to 31 for energy that `to` delivered, 32 to 62 for energy that `from` consumed.
    /// @param energy Watt-hours; not negative in run 0; in a correction the signed difference.
    struct Record {
        uint32 from;
        uint32 to;
        uint32 period;
        uint16 run;
        uint16 slot;
        uint8 code;
        int32 energy;
    }

    // ------------------------------------------------------------------------------------------------ events

    /// @notice A participant exists from now on, active, with this meter key for ever.
    event Registered(uint32 indexed participant, address indexed meter, address indexed owner, Role role);

    /// @notice The registrar changed whether a participant can pay and be paid.
    event StateChanged(uint32 indexed participant, State previous, State current);

    /// @notice The owner named its successor; zero takes the proposal back.
    event OwnerProposed(uint32 indexed participant, address indexed owner, address indexed proposed);

    /// @notice The successor accepted and may withdraw from now on.
    event OwnerChanged(uint32 indexed participant, address indexed previous, address indexed current);

    /// @notice The prices of a period are fixed. `table` is what was hashed.
    event TariffPublished(uint32 indexed period, bytes32 hash, bytes table);

    /// @notice `payer` put `amount` micro-units into a participant's balance.
    event Deposited(uint32 indexed participant, address indexed payer, uint64 amount);

    /// @notice A participant's owner took out `amount` micro-units.
    event Withdrawn(uint32 indexed participant, address indexed owner, uint64 amount);

    /// @notice A record was settled: `amount` micro-units went from `from` to `to`, or back when negative.
    event Settled(
        uint32 indexed from,
        uint32 indexed to,
        uint32 indexed period,
        uint16 run,
        uint16 slot,
        uint8 code,
        int32 energy,
        int64 amount
    );

    // ------------------------------------------------------------------------------------------------ errors: deployment

    /// @notice The address in this field of `Config` is zero.
    error ConfigAddressZero(string field);

    /// @notice A period has 1 to 1024 slots.
    error SlotsPerPeriodOutOfRange(uint16 slotsPerPeriod);

    /// @notice A period lasts 1 second to 7 days and its slots have whole seconds.
    error PeriodLengthInvalid(uint32 periodLength, uint16 slotsPerPeriod);

    /// @notice The token does not count in micro-units.
    error TokenDecimalsUnsupported(uint8 decimals);

    // ------------------------------------------------------------------------------------------------ errors: who may

    /// @notice The caller does not hold the office that this function belongs to.
    error CallerRefused(address caller);

    /// @notice The signature is not 65 bytes `r | s | v`, has a high `s`, or recovers no address.
    error SignatureInvalid();

    /// @notice The signature is sound, but not by the meter whose word counts (nor, for a correction, by the operator).
    error SignerRefused(address signer, address meter);

    // ------------------------------------------------------------------------------------------------ errors: batches and participants

    /// @notice The call carries no record or no participant.
    error BatchEmpty();

    /// @notice Packed records are 21 bytes each.
    error PackedLengthInvalid(uint256 length);

    /// @notice There is not one owner for each meter.
    error BatchLengthsDiffer(uint256 meters, uint256 owners);

    /// @notice `None` is no role, and there is one hub only.
    error RoleRefused(Role role);

    /// @notice Participant numbers are 32 bits wide and used up.
    error RegistryFull();

    /// @notice A meter key is never zero. The value is the number that the participant would have got.
    error MeterZero(uint32 participant);

    /// @notice An owner is never zero. The value is the number that the participant would have got.
    error OwnerZero(uint32 participant);

    /// @notice Nobody is registered under this number.
    error ParticipantUnknown(uint32 participant);

    /// @notice The participant is suspended or retired; for a deposit: retired.
    error ParticipantInactive(uint32 participant, State state);

    /// @notice The change is none, leads to `None`, starts from `Retired`, or concerns the hub, which stays active.
    error StateChangeRefused(uint32 participant, State current, State requested);

    /// @notice The caller is not the participant's owner.
    error CallerNotOwner(uint32 participant, address caller);

    /// @notice The caller is not whom the owner proposed.
    error CallerNotProposed(uint32 participant, address caller);

    // ------------------------------------------------------------------------------------------------ errors: money

    /// @notice An amount of zero changes nothing.
    error AmountZero();

    /// @notice All balances together must stay below 2^64 micro-units, so that no single one can overflow.
    error EscrowOverflow(uint64 escrow, uint64 amount);

    // ------------------------------------------------------------------------------------------------ errors: tariffs

    /// @notice Period 0 is never settled and has no tariff.
    error PeriodZero();

    /// @notice The period has begun (at `startsAt`), so its prices can no longer be set.
    error PeriodStarted(uint32 period, uint256 startsAt);

    /// @notice The prices of this period are fixed already, with this hash.
    error TariffAlreadyPublished(uint32 period, bytes32 hash);

    /// @notice The table is empty, longer than 49,152 bytes, or not a whole number of rows of `rowLength` bytes.
    error TariffLengthInvalid(uint256 length, uint256 rowLength);

    /// @notice Codes ascend strictly within 1 to 62; `previous` is 0 before the first row.
    error TariffCodeInvalid(uint8 code, uint8 previous);

    // ------------------------------------------------------------------------------------------------ errors: records

    /// @notice A participant cannot pay itself.
    error PartiesEqual(uint32 participant);

    /// @notice A period has slots 0 to `slotsPerPeriod - 1`.
    error SlotOutOfRange(uint16 slot, uint16 slotsPerPeriod);

    /// @notice The slot has not ended; nothing can have been metered.
    error SlotNotOver(uint32 period, uint16 slot, uint256 endsAt);

    /// @notice A first settlement carries what was metered, which is never negative.
    error EnergyNegative(int32 energy);

    /// @notice A record with these values, whatever its energy, was settled before.
    error AlreadySettled(uint32 from, uint32 to, uint32 period, uint16 run, uint16 slot, uint8 code);

    /// @notice No price was published for this code in this period.
    error TariffUnknown(uint32 period, uint8 code);

    /// @notice The side that would pay holds less than the amount, both in micro-units.
    error FundsInsufficient(uint32 participant, uint64 balance, uint64 amount);

    // ------------------------------------------------------------------------------------------------ participants

    /// @notice Registers a participant, active and without money, and returns its number. Only the registrar may.
    /// @param meter Address of the key that signs its readings; written once. It may serve several participants.
    /// @param owner Who may withdraw.
    /// @param role Anything but `None` and `Hub`.
    function register(address meter, address owner, Role role) external returns (uint32 number);

    /// @notice Registers participants of one role with consecutive numbers and returns the first. Only the registrar may.
    function registerMany(address[] calldata meters, address[] calldata owners, Role role)
        external
        returns (uint32 first);

    /// @notice Suspends, reactivates or retires a participant. Only the registrar may. Its money stays withdrawable.
    function setState(uint32 number, State state) external;

    /// @notice Names who shall own the participant's money next; zero takes the proposal back. Only the owner may.
    /// @dev For participant 0 this moves its money only: who may settle as hub is fixed at deployment.
    function proposeOwner(uint32 number, address proposed) external;

    /// @notice Takes over a participant's money. Only the proposed owner may.
    function acceptOwner(uint32 number) external;

    // ------------------------------------------------------------------------------------------------ money

    /// @notice Moves `amount` micro-units of the token from the caller, who has approved it, into a participant's
    /// balance. Anybody may; a suspended participant can be paid in, a retired one cannot.
    function deposit(uint32 number, uint64 amount) external;

    /// @notice Pays `amount` micro-units of a participant's balance to its owner. Only the owner may, in any state.
    function withdraw(uint32 number, uint64 amount) external;

    // ------------------------------------------------------------------------------------------------ tariffs

    /// @notice Fixes the prices of a period for ever, strictly before it starts. Only the tariff authority may.
    /// @dev A word of eight new prices costs about 22,500 gas: under a cap of 2^24 gas for one transaction a table can
    /// hold about 5,700 prices (59 codes at 96 slots), fewer than the format allows.
    /// @param table Rows `code u8 | slotsPerPeriod x price int32`, big-endian, codes ascending in 1 to 62, at most
    /// 49,152 bytes.
    function publishTariff(uint32 period, bytes calldata table) external;

    // ------------------------------------------------------------------------------------------------ settlement

    /// @notice Settles one record. Only the hub and the metering operator may.
    function settle(Record calldata record) external;

    /// @notice Settles records in the given order, all or none. Only the hub and the metering operator may.
    function settleMany(Record[] calldata records) external;

    /// @notice Settles records in the given order, all or none. Only the hub and the metering operator may.
    /// @dev Cheapest when records of the same parties, period, run and code follow each other with rising slots.
    /// @param records 21 bytes each, big-endian: `from u32 | to u32 | period u32 | run u16 | slot u16 | code u8 |
    /// energy i32`.
    function settlePacked(bytes calldata records) external;

    /// @notice Settles one record that the right meter signed. Anybody may send it.
    /// @dev The code says whose meter: that of `from` for 32 and above (it consumed), that of `to` below (it delivered).
    /// For `run >= 1` the metering operator's signature counts too. The hub has no meter.
    /// @param signature 65 bytes `r | s | v` over `settlementDigest(record)`, low `s`, `v` 27 or 28.
    function settleSigned(Record calldata record, bytes calldata signature) external;

    // ------------------------------------------------------------------------------------------------ views

    /// @notice Returns what is known of a participant; reverts when nobody has this number.
    function participant(uint32 number)
        external
        view
        returns (address meter, address owner, Role role, State state, uint64 balance);

    /// @notice Returns how many participants there are, the hub included: the next number.
    function participantCount() external view returns (uint32);

    /// @notice Returns a participant's money in micro-units; 0 when nobody has this number.
    function balanceOf(uint32 number) external view returns (uint64);

    /// @notice Returns whom the owner proposed as the next owner; zero when nobody.
    function proposedOwner(uint32 number) external view returns (address);

    /// @notice Returns the sum of all balances in micro-units.
    function escrow() external view returns (uint64);

    /// @notice Returns a price in micro-units per kilowatt-hour; reverts when the slot or the tariff does not exist.
    function price(uint32 period, uint8 code, uint16 slot) external view returns (int32);

    /// @notice Returns keccak256 of the period's table; zero when none was published.
    function tariffHash(uint32 period) external view returns (bytes32);

    /// @notice Returns whether a record with these values, whatever its energy, was settled.
    function isSettled(Record calldata record) external view returns (bool);

    /// @notice Returns the EIP-712 domain separator: name "gridtally", version "1", this chain, this contract.
    function domainSeparator() external view returns (bytes32);

    /// @notice Returns what a meter signs: the EIP-712 digest of `Settlement(uint32 from,uint32 to,uint32 period,
    /// uint16 run,uint16 slot,uint8 code,int32 energy)` (written without spaces after the commas).
    function settlementDigest(Record calldata record) external view returns (bytes32);

    /// @notice Returns the ERC-20 that is held and paid.
    function token() external view returns (IERC20);

    /// @notice Returns who may settle as hub.
    function hub() external view returns (address);

    /// @notice Returns who registers participants.
    function registrar() external view returns (address);

    /// @notice Returns who publishes prices.
    function tariffAuthority() external view returns (address);

    /// @notice Returns who may settle and sign corrections besides the hub and the meters.
    function meteringOperator() external view returns (address);

    /// @notice Returns the start of period 0 in seconds since 1970, UTC.
    function genesisTime() external view returns (uint64);

    /// @notice Returns the seconds in a period.
    function periodLength() external view returns (uint32);

    /// @notice Returns the slots in a period.
    function slotsPerPeriod() external view returns (uint16);
}
