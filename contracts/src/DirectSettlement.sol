// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IERC20Metadata } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { ECDSA } from "@openzeppelin/contracts/utils/cryptography/ECDSA.sol";
import { EIP712 } from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";

import { IDirectSettlement } from "./IDirectSettlement.sol";
import { PackedRecord, PackedRecords } from "./PackedRecord.sol";
import { RegistryWord, RegistryWords } from "./RegistryWord.sol";
import { TariffTables } from "./TariffTables.sol";

/// @title Direct settlement
/// @notice See `IDirectSettlement`, which is the specification.
contract DirectSettlement is IDirectSettlement, EIP712 {
    using SafeERC20 for IERC20;
    using TariffTables for TariffTables.Store;

    /// The storage words that consecutive records share: read when first needed, written once when left.
    struct OpenWords {
        // `from 32 | to 32`
        uint256 parties;
        RegistryWord from;
        RegistryWord to;
        uint256 guardKey;
        uint256 guard;
        uint256 pricesKey;
        uint256 prices;
    }

    bytes32 private constant SETTLEMENT_TYPEHASH =
        keccak256("Settlement(uint32 from,uint32 to,uint32 period,uint16 run,uint16 slot,uint8 code,int32 energy)");
    uint256 private constant MAX_SLOTS = 1024;
    uint256 private constant MAX_PERIOD_LENGTH = 7 days;
    uint8 private constant MIN_CODE_CONSUMED = 32;
    int256 private constant WH_PER_KWH = 1000;
    /// A key that no record has.
    uint256 private constant NOTHING_OPEN = type(uint256).max;
    uint32 private constant HUB = 0;

    /// @inheritdoc IDirectSettlement
    IERC20 public immutable token;
    /// @inheritdoc IDirectSettlement
    address public immutable hub;
    /// @inheritdoc IDirectSettlement
    address public immutable registrar;
    /// @inheritdoc IDirectSettlement
    address public immutable tariffAuthority;
    /// @inheritdoc IDirectSettlement
    address public immutable meteringOperator;
    /// @inheritdoc IDirectSettlement
    uint64 public immutable genesisTime;
    /// @inheritdoc IDirectSettlement
    uint32 public immutable periodLength;
    /// @inheritdoc IDirectSettlement
    uint16 public immutable slotsPerPeriod;

    /// @inheritdoc IDirectSettlement
    uint32 public participantCount;
    /// @inheritdoc IDirectSettlement
    uint64 public escrow;
    mapping(uint32 number => RegistryWord) private _registry;
    mapping(uint32 number => address) private _owners;
    /// @inheritdoc IDirectSettlement
    mapping(uint32 number => address) public proposedOwner;
    TariffTables.Store private _tariffs;
    /// One bit for each settled slot, by `PackedRecord.guardKey`.
    mapping(uint256 => uint256) private _settledSlots;

    modifier onlyHolder(address office) {
        if (msg.sender != office) revert CallerRefused(msg.sender);
        _;
    }

    modifier onlySettler() {
        if (msg.sender != hub && msg.sender != meteringOperator) revert CallerRefused(msg.sender);
        _;
    }

    constructor(Config memory config) EIP712("gridtally", "1") {
        _checkConfig(config);
        token = config.token;
        hub = config.hub;
        registrar = config.registrar;
        tariffAuthority = config.tariffAuthority;
        meteringOperator = config.meteringOperator;
        genesisTime = config.genesisTime;
        periodLength = config.periodLength;
        slotsPerPeriod = config.slotsPerPeriod;

        // The hub has no meter: nothing is ever settled on its own signature.
        _registry[HUB] = RegistryWords.create(address(0), Role.Hub);
        _owners[HUB] = config.hub;
        participantCount = HUB + 1;
        emit Registered(HUB, address(0), config.hub, Role.Hub);
    }

    // ------------------------------------------------------------------------------------------------ participants

    /// @inheritdoc IDirectSettlement
    function register(address meter, address owner, Role role) external onlyHolder(registrar) returns (uint32 number) {
        _checkRole(role);
        number = participantCount;
        _register(number, meter, owner, role);
        participantCount = number + 1;
    }

    /// @inheritdoc IDirectSettlement
    function registerMany(address[] calldata meters, address[] calldata owners, Role role)
        external
        onlyHolder(registrar)
        returns (uint32 first)
    {
        if (meters.length == 0) revert BatchEmpty();
        if (meters.length != owners.length) revert BatchLengthsDiffer(meters.length, owners.length);
        _checkRole(role);
        first = participantCount;
        uint32 number = first;
        for (uint256 i = 0; i < meters.length; ++i) {
            _register(number, meters[i], owners[i], role);
            ++number;
        }
        participantCount = number;
    }

    /// @inheritdoc IDirectSettlement
    function setState(uint32 number, State state) external onlyHolder(registrar) {
        RegistryWord word = _known(number);
        State current = word.state();
        if (number == HUB || current == State.Retired || state == State.None || state == current) {
            revert StateChangeRefused(number, current, state);
        }
        _registry[number] = word.withState(state);
        emit StateChanged(number, current, state);
    }

    /// @inheritdoc IDirectSettlement
    function proposeOwner(uint32 number, address proposed) external {
        _known(number);
        _checkOwner(number);
        proposedOwner[number] = proposed;
        emit OwnerProposed(number, msg.sender, proposed);
    }

    /// @inheritdoc IDirectSettlement
    function acceptOwner(uint32 number) external {
        _known(number);
        if (msg.sender != proposedOwner[number]) revert CallerNotProposed(number, msg.sender);
        address previous = _owners[number];
        _owners[number] = msg.sender;
        delete proposedOwner[number];
        emit OwnerChanged(number, previous, msg.sender);
    }

    // ------------------------------------------------------------------------------------------------ money

    /// @inheritdoc IDirectSettlement
    function deposit(uint32 number, uint64 amount) external {
        RegistryWord word = _known(number);
        if (word.state() == State.Retired) revert ParticipantInactive(number, State.Retired);
        if (amount == 0) revert AmountZero();
        uint64 held = escrow;
        if (amount > type(uint64).max - held) revert EscrowOverflow(held, amount);

        escrow = held + amount;
        _registry[number] = word.plus(amount);
        emit Deposited(number, msg.sender, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IDirectSettlement
    function withdraw(uint32 number, uint64 amount) external {
        RegistryWord word = _known(number);
        _checkOwner(number);
        if (amount == 0) revert AmountZero();
        if (amount > word.balance()) revert FundsInsufficient(number, word.balance(), amount);

        escrow -= amount;
        _registry[number] = word.minus(amount);
        emit Withdrawn(number, msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------------------------------------ tariffs

    /// @inheritdoc IDirectSettlement
    function publishTariff(uint32 period, bytes calldata table) external onlyHolder(tariffAuthority) {
        if (period == 0) revert PeriodZero();
        uint256 startsAt = _startOf(period);
        // slither-disable-next-line timestamp
        if (block.timestamp >= startsAt) revert PeriodStarted(period, startsAt);
        bytes32 published = _tariffs.hashes[period];
        if (published != 0) revert TariffAlreadyPublished(period, published);

        bytes32 hash = _tariffs.publish(period, table, slotsPerPeriod);
        emit TariffPublished(period, hash, table);
    }

    // ------------------------------------------------------------------------------------------------ settlement

    /// @inheritdoc IDirectSettlement
    function settle(Record calldata record) external onlySettler {
        _settleOne(PackedRecords.pack(record));
    }

    /// @inheritdoc IDirectSettlement
    function settleMany(Record[] calldata records) external onlySettler {
        if (records.length == 0) revert BatchEmpty();
        OpenWords memory open = _nothingOpen();
        for (uint256 i = 0; i < records.length; ++i) {
            _settle(open, PackedRecords.pack(records[i]));
        }
        _close(open);
    }

    /// @inheritdoc IDirectSettlement
    function settlePacked(bytes calldata records) external onlySettler {
        if (records.length == 0) revert BatchEmpty();
        if (records.length % PackedRecords.LENGTH != 0) revert PackedLengthInvalid(records.length);
        OpenWords memory open = _nothingOpen();
        for (uint256 start = 0; start < records.length; start += PackedRecords.LENGTH) {
            _settle(open, PackedRecords.unpackAt(records, start));
        }
        _close(open);
    }

    /// @inheritdoc IDirectSettlement
    function settleSigned(Record calldata record, bytes calldata signature) external {
        // slither-disable-next-line unused-return
        (address signer, ECDSA.RecoverError failure,) = ECDSA.tryRecover(settlementDigest(record), signature);
        if (failure != ECDSA.RecoverError.NoError) revert SignatureInvalid();
        address meter = _registry[record.code < MIN_CODE_CONSUMED ? record.to : record.from].meter();
        if (signer != meter && (record.run == 0 || signer != meteringOperator)) revert SignerRefused(signer, meter);
        _settleOne(PackedRecords.pack(record));
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @inheritdoc IDirectSettlement
    function participant(uint32 number)
        external
        view
        returns (address meter, address owner, Role role, State state, uint64 balance)
    {
        RegistryWord word = _known(number);
        return (word.meter(), _owners[number], word.role(), word.state(), word.balance());
    }

    /// @inheritdoc IDirectSettlement
    function balanceOf(uint32 number) external view returns (uint64) {
        return _registry[number].balance();
    }

    /// @inheritdoc IDirectSettlement
    function price(uint32 period, uint8 code, uint16 slot) external view returns (int32) {
        if (slot >= slotsPerPeriod) revert SlotOutOfRange(slot, slotsPerPeriod);
        uint256 word = _tariffs.prices[TariffTables.key(period, code, slot)];
        if (!_tariffs.isKnown(period, code, word)) revert TariffUnknown(period, code);
        return TariffTables.price(word, slot);
    }

    /// @inheritdoc IDirectSettlement
    function tariffHash(uint32 period) external view returns (bytes32) {
        return _tariffs.hashes[period];
    }

    /// @inheritdoc IDirectSettlement
    function isSettled(Record calldata record) external view returns (bool) {
        PackedRecord packed = PackedRecords.pack(record);
        return _settledSlots[packed.guardKey()] & packed.guardBit() != 0;
    }

    /// @inheritdoc IDirectSettlement
    function domainSeparator() external view returns (bytes32) {
        return _domainSeparatorV4();
    }

    /// @inheritdoc IDirectSettlement
    function settlementDigest(Record calldata record) public view returns (bytes32) {
        return _hashTypedDataV4(keccak256(abi.encode(SETTLEMENT_TYPEHASH, record)));
    }

    // ------------------------------------------------------------------------------------------------ one record

    function _settleOne(PackedRecord record) private {
        OpenWords memory open = _nothingOpen();
        _settle(open, record);
        _close(open);
    }

    /// @dev Checks in the order of the errors, moves the money inside `open`, emits. Calls nobody.
    function _settle(OpenWords memory open, PackedRecord record) private {
        if (record.parties() != open.parties) _openParties(open, record);
        _checkSlot(record);
        if (record.energy() < 0 && record.run() == 0) revert EnergyNegative(record.energy());
        _guardOnce(open, record);
        int64 amount = _amountTruncated(record.energy(), _price(open, record));
        _move(open, record, amount);
        emit Settled(
            record.from(),
            record.to(),
            record.period(),
            record.run(),
            record.slot(),
            record.code(),
            record.energy(),
            amount
        );
    }

    function _checkSlot(PackedRecord record) private view {
        uint256 slot = record.slot();
        if (slot >= slotsPerPeriod) revert SlotOutOfRange(record.slot(), slotsPerPeriod);
        unchecked {
            // At most 2^64 + 2^32 * 2^20 + 2^20: no overflow. The constructor refuses zero slots.
            uint256 endsAt = _startOf(record.period()) + (slot + 1) * uint256(periodLength / slotsPerPeriod);
            // slither-disable-next-line timestamp
            if (block.timestamp < endsAt) revert SlotNotOver(record.period(), record.slot(), endsAt);
        }
    }

    /// @dev Marks the slot as settled.
    function _guardOnce(OpenWords memory open, PackedRecord record) private {
        uint256 key = record.guardKey();
        if (key != open.guardKey) {
            _closeGuard(open);
            open.guardKey = key;
            open.guard = _settledSlots[key];
        }
        uint256 bit = record.guardBit();
        uint256 guard = open.guard;
        if (guard & bit != 0) {
            revert AlreadySettled(
                record.from(), record.to(), record.period(), record.run(), record.slot(), record.code()
            );
        }
        open.guard = guard | bit;
    }

    function _price(OpenWords memory open, PackedRecord record) private view returns (int32) {
        uint256 key = TariffTables.key(record.period(), record.code(), record.slot());
        if (key != open.pricesKey) {
            uint256 word = _tariffs.prices[key];
            if (!_tariffs.isKnown(record.period(), record.code(), word)) {
                revert TariffUnknown(record.period(), record.code());
            }
            open.pricesKey = key;
            open.prices = word;
        }
        return TariffTables.price(open.prices, record.slot());
    }

    /// @dev At most 2^62 / 1000 in size, so neither the product nor the result can overflow.
    function _amountTruncated(int32 energyWh, int32 priceMicroPerKwh) private pure returns (int64) {
        unchecked {
            return int64(int256(energyWh) * int256(priceMicroPerKwh) / WH_PER_KWH);
        }
    }

    function _move(OpenWords memory open, PackedRecord record, int64 amount) private pure {
        RegistryWord from = open.from;
        RegistryWord to = open.to;
        if (amount < 0) {
            // No overflow: an amount is never the lowest int64.
            uint64 back = uint64(-amount);
            if (back > to.balance()) revert FundsInsufficient(record.to(), to.balance(), back);
            open.to = to.minus(back);
            open.from = from.plus(back);
        } else {
            uint64 forth = uint64(amount);
            if (forth > from.balance()) revert FundsInsufficient(record.from(), from.balance(), forth);
            open.from = from.minus(forth);
            open.to = to.plus(forth);
        }
    }

    // ------------------------------------------------------------------------------------------------ open words

    function _nothingOpen() private pure returns (OpenWords memory open) {
        open.parties = NOTHING_OPEN;
        open.guardKey = NOTHING_OPEN;
        open.pricesKey = NOTHING_OPEN;
    }

    /// @dev Only the side that changes is written and read; a party that changes sides is written before it is read.
    /// States cannot change within a call, so parties are checked when their words are read.
    function _openParties(OpenWords memory open, PackedRecord record) private {
        uint256 before = open.parties;
        (uint32 from, uint32 to) = (record.from(), record.to());
        bool isFromNew = before == NOTHING_OPEN || from != uint32(before >> 32);
        bool isToNew = before == NOTHING_OPEN || to != uint32(before);
        if (before != NOTHING_OPEN) {
            if (isFromNew) _registry[uint32(before >> 32)] = open.from;
            if (isToNew) _registry[uint32(before)] = open.to;
        }
        if (isFromNew) open.from = _active(from);
        if (isToNew) open.to = _active(to);
        if (from == to) revert PartiesEqual(from);
        open.parties = record.parties();
    }

    function _closeParties(OpenWords memory open) private {
        if (open.parties == NOTHING_OPEN) return;
        _registry[uint32(open.parties >> 32)] = open.from;
        _registry[uint32(open.parties)] = open.to;
    }

    function _closeGuard(OpenWords memory open) private {
        if (open.guardKey == NOTHING_OPEN) return;
        _settledSlots[open.guardKey] = open.guard;
    }

    function _close(OpenWords memory open) private {
        _closeGuard(open);
        _closeParties(open);
    }

    // ------------------------------------------------------------------------------------------------ helpers

    function _startOf(uint32 period) private view returns (uint256) {
        return uint256(genesisTime) + uint256(period) * periodLength;
    }

    function _known(uint32 number) private view returns (RegistryWord word) {
        word = _registry[number];
        if (!word.isKnown()) revert ParticipantUnknown(number);
    }

    function _active(uint32 number) private view returns (RegistryWord word) {
        word = _registry[number];
        if (!word.isActive()) {
            if (!word.isKnown()) revert ParticipantUnknown(number);
            revert ParticipantInactive(number, word.state());
        }
    }

    function _checkOwner(uint32 number) private view {
        if (msg.sender != _owners[number]) revert CallerNotOwner(number, msg.sender);
    }

    function _checkRole(Role role) private pure {
        if (role == Role.None || role == Role.Hub) revert RoleRefused(role);
    }

    function _register(uint32 number, address meter, address owner, Role role) private {
        if (number == type(uint32).max) revert RegistryFull();
        if (meter == address(0)) revert MeterZero(number);
        if (owner == address(0)) revert OwnerZero(number);
        _registry[number] = RegistryWords.create(meter, role);
        _owners[number] = owner;
        emit Registered(number, meter, owner, role);
    }

    function _checkConfig(Config memory config) private view {
        if (address(config.token) == address(0)) revert ConfigAddressZero("token");
        if (config.hub == address(0)) revert ConfigAddressZero("hub");
        if (config.registrar == address(0)) revert ConfigAddressZero("registrar");
        if (config.tariffAuthority == address(0)) revert ConfigAddressZero("tariffAuthority");
        if (config.meteringOperator == address(0)) revert ConfigAddressZero("meteringOperator");
        if (config.slotsPerPeriod == 0 || config.slotsPerPeriod > MAX_SLOTS) {
            revert SlotsPerPeriodOutOfRange(config.slotsPerPeriod);
        }
        if (
            config.periodLength == 0 || config.periodLength > MAX_PERIOD_LENGTH
                || config.periodLength % config.slotsPerPeriod != 0
        ) revert PeriodLengthInvalid(config.periodLength, config.slotsPerPeriod);
        uint8 decimals = IERC20Metadata(address(config.token)).decimals();
        if (decimals != 6) revert TokenDecimalsUnsupported(decimals);
    }
}
