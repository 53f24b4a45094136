// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import { IERC20 } from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import { IERC20Metadata } from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import { SafeERC20 } from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import { BatchLeaf } from "./BatchLeaf.sol";
import { CursorWord, CursorWords } from "./CursorWord.sol";
import { IBatchSettlement } from "./IBatchSettlement.sol";
import { IDemandProver } from "./IDemandProver.sol";
import { ReadingSignature } from "./ReadingSignature.sol";
import { TariffTable } from "./TariffTable.sol";

// Words hold times beside other fields, which slither takes for times as well; a ring is no random number (SECURITY.md).
// slither-disable-start timestamp,incorrect-equality,weak-prng

/// @title Batch settlement
/// @notice Implements `IBatchSettlement`. A batch leaves one word in a ring: its header's hash. Whoever calls brings the
/// header itself, and everything in it counts because the hash does.
contract BatchSettlement is IBatchSettlement {
    using SafeERC20 for IERC20;
    using BatchLeaf for Header;
    using BatchLeaf for Account;
    using BatchLeaf for Leaf;

    /// @notice What finality and claims read, in one word.
    struct State {
        uint48 finalSeq;
        uint64 escrow;
        uint40 inboxCount;
        uint24 participantCount;
        uint32 snapshotAt;
        uint32 cancelledAt;
        uint16 flags;
    }

    /// @notice The purses beside escrow and credits, in one word, and what is owed out of the bond.
    struct Sums {
        uint64 bond;
        uint64 deposited;
        uint64 burned;
        uint64 forcedDue;
    }

    /// @notice Where a participant's money goes and what of it has gone, in one word.
    struct Owner {
        address payout;
        uint64 paid;
        bool isExited;
    }

    /// @notice The demands on one batch, by its header's hash: a sequence number would survive a cancellation.
    struct Demands {
        uint32 open;
        uint40 lastAnswerAt;
        bool isFinal;
    }

    uint32 private constant HUB = 0;
    uint256 private constant RING = 64;
    uint256 private constant MAX_PENDING = 32;
    uint256 private constant MAX_LEAVES = 1 << 18;
    uint16 private constant MAX_SLOTS = 1024;
    uint32 private constant MAX_PERIOD_LENGTH = 7 days;
    uint8 private constant DECIMALS = 6;

    // slither-disable-next-line unused-state
    uint256 private constant SELECTOR_LENGTH = 4;
    // slither-disable-next-line unused-state
    uint256 private constant HEADER_LENGTH = 640;
    uint8 private constant CALLDATA = 0;
    uint8 private constant BLOBS = 1;
    uint256 private constant RECORD_LENGTH = 10;
    /// A longer batch could be committed past the clients' limit of 128 KB, but no watcher could send it back as proof.
    uint256 private constant MAX_CALLDATA_RECORDS = 12_000;
    uint256 private constant RECORDS_PER_BLOB = 12_288;
    uint256 private constant SEALED_ACCOUNTS_PER_BLOB = 2_048;

    uint8 private constant DEPOSIT = 0;
    uint8 private constant EXIT = 1;
    uint8 private constant FORCED = 2;
    uint8 private constant RECLAIMED = 3;
    uint256 private constant MAX_ENTRIES = 1024;
    uint256 private constant ENTRY_DEPTH = 64;
    uint256 private constant ENTRY_OVERDUE = 3 days;
    uint64 private constant HUNDREDTH = 10_000;
    uint64 private constant MIN_DEPOSIT = 1_000_000;
    uint64 private constant MAX_DEPOSITED = 1 << 62;

    uint256 private constant WINDOW = 7 days;
    uint256 private constant GRACE = 2 days;
    /// Above the window and the 15 days that demands can hold up an honest batch.
    uint256 private constant FREEZE = 28 days;
    /// A snapshot every 14 days, and 7 days more.
    uint256 private constant SNAPSHOT = 21 days;

    uint16 private constant FROZEN = 1;
    uint16 private constant PAUSED = 2;
    uint8 private constant P256 = 1;

    /// @inheritdoc IBatchSettlement
    IERC20 public immutable token;
    /// @inheritdoc IBatchSettlement
    address public immutable hub;
    /// @inheritdoc IBatchSettlement
    address public immutable registrar;
    /// @inheritdoc IBatchSettlement
    address public immutable tariffAuthority;
    /// @inheritdoc IBatchSettlement
    address public immutable meteringOperator;
    /// @inheritdoc IBatchSettlement
    address public immutable guardian;
    /// @inheritdoc IBatchSettlement
    address public immutable fraudProver;
    /// @inheritdoc IBatchSettlement
    address public immutable demandProver;
    /// @inheritdoc IBatchSettlement
    address public immutable dutyProver;
    /// @inheritdoc IBatchSettlement
    uint64 public immutable genesisTime;
    /// @inheritdoc IBatchSettlement
    uint32 public immutable periodLength;
    /// @inheritdoc IBatchSettlement
    uint16 public immutable slotsPerPeriod;
    /// @inheritdoc IBatchSettlement
    uint64 public immutable slashUnit;
    /// @inheritdoc IBatchSettlement
    uint64 public immutable demandBond;
    uint256 private immutable _constructedAt;

    CursorWord private _cursor;
    State private _state;
    Sums private _sums;
    /// @inheritdoc IBatchSettlement
    uint64 public openForcedCount;
    /// Header hashes by `seq % 64`. A place may hold a cancelled header until it is committed again.
    bytes32[64] private _ring;
    mapping(bytes32 headerHash => Demands) private _demands;
    mapping(uint32 number => Participant) private _participants;
    mapping(uint32 number => Owner) private _owners;
    mapping(uint32 number => bytes32[2]) private _p256Keys;
    /// @inheritdoc IBatchSettlement
    mapping(uint32 period => bytes32) public tariffHash;
    mapping(uint64 entry => InboxEntry) private _inbox;
    /// The entry after a participant's last exit request.
    mapping(uint32 number => uint64) private _exitRequests;
    /// @inheritdoc IBatchSettlement
    mapping(address holder => uint64) public creditOf;

    modifier onlyHub() {
        _checkHub();
        _;
    }

    modifier onlyRole(address holder) {
        _checkRole(holder);
        _;
    }

    constructor(Config memory config) {
        _checkConfig(config);
        token = config.token;
        hub = config.hub;
        registrar = config.registrar;
        tariffAuthority = config.tariffAuthority;
        meteringOperator = config.meteringOperator;
        guardian = config.guardian;
        fraudProver = config.fraudProver;
        demandProver = config.demandProver;
        dutyProver = config.dutyProver;
        genesisTime = config.genesisTime;
        periodLength = config.periodLength;
        slotsPerPeriod = config.slotsPerPeriod;
        slashUnit = config.slashUnit;
        demandBond = config.demandBond;
        _constructedAt = block.timestamp;

        // The hub has no meter: nothing is ever settled on its own signature.
        // slither-disable-next-line uninitialized-local
        Header memory genesis;
        _ring[0] = keccak256(abi.encode(genesis));
        _owners[HUB].payout = config.hubPayout;
        _cursor = CursorWords.create(0, 0, 0, 0, 0, 0);
        _state.participantCount = uint24(HUB + 1);
        emit Registered(HUB, address(0), config.hubPayout, 0, 0);
    }

    // ------------------------------------------------------------------------------------------------ participants

    /// @inheritdoc IBatchSettlement
    function register(address meter, address payout, uint32 fromPeriod, uint32 flags)
        external
        onlyRole(registrar)
        returns (uint32 number)
    {
        number = _state.participantCount;
        if (flags > P256 || (meter == address(0)) != (flags == P256)) revert BadKey(number);
        _register(number, meter, payout, fromPeriod, uint8(flags));
        _state.participantCount = uint24(number + 1);
    }

    /// @inheritdoc IBatchSettlement
    function registerMany(address[] calldata meters, uint32 fromPeriod)
        external
        onlyRole(registrar)
        returns (uint32 first)
    {
        if (meters.length == 0) revert NothingToRegister();
        first = _state.participantCount;
        uint32 number = first;
        for (uint256 i = 0; i < meters.length; ++i) {
            if (meters[i] == address(0)) revert BadKey(number);
            _register(number, meters[i], address(0), fromPeriod, 0);
            ++number;
        }
        _state.participantCount = uint24(number);
    }

    /// @inheritdoc IBatchSettlement
    function setPayout(uint32 number, address payout) external {
        _checkKnown(number);
        address present = _owners[number].payout;
        if (msg.sender != (present == address(0) ? registrar : present)) revert NotRole(msg.sender);
        if (payout == address(0)) revert BadKey(number);
        _owners[number].payout = payout;
        emit PayoutSet(number, payout);
    }

    /// @inheritdoc IBatchSettlement
    function setP256(uint32 number, bytes32 x, bytes32 y) external onlyRole(registrar) {
        _checkKnown(number);
        if (_participants[number].flags != P256 || _p256Keys[number][0] != 0 || x == 0) revert BadKey(number);
        if (!ReadingSignature.isP256Supported()) revert P256Unsupported();
        _p256Keys[number] = [x, y];
        emit P256Set(number, x, y);
    }

    /// @inheritdoc IBatchSettlement
    function retire(uint32 number, uint32 lastPeriod) external onlyRole(registrar) {
        _checkKnown(number);
        uint256 current = _currentPeriod();
        uint32 present = _participants[number].lastPeriod;
        if (number == HUB || lastPeriod < current + 2 || lastPeriod >= present) {
            revert BadPeriod(number, lastPeriod);
        }
        _participants[number].lastPeriod = lastPeriod;
        emit Retired(number, lastPeriod);
    }

    /// @inheritdoc IBatchSettlement
    function publishTariff(uint32 period, bytes calldata table) external onlyRole(tariffAuthority) {
        if (period == 0 || block.timestamp >= _startOf(period) || tariffHash[period] != 0) {
            revert TariffRefused(period);
        }
        TariffTable.check(table, slotsPerPeriod);
        bytes32 hash = keccak256(table);
        tariffHash[period] = hash;
        emit TariffPublished(period, hash, table);
    }

    // ------------------------------------------------------------------------------------------------ inbox and bond

    /// @inheritdoc IBatchSettlement
    function deposit(uint32 number, uint64 amount) external {
        _checkNotFrozen();
        _checkKnown(number);
        uint256 deposited = uint256(_sums.deposited) + amount;
        if (amount < MIN_DEPOSIT || amount % HUNDREDTH != 0 || deposited > MAX_DEPOSITED) revert BadAmount(amount);
        _sums.deposited = uint64(deposited);
        _state.escrow += amount;
        _addEntry(DEPOSIT, number, amount);
        token.safeTransferFrom(msg.sender, address(this), amount);
    }

    /// @inheritdoc IBatchSettlement
    function requestExit(uint32 number) external {
        if (number == HUB || msg.sender != _owners[number].payout) revert NotRole(msg.sender);
        _checkNotFrozen();
        uint64 after_ = _exitRequests[number];
        if (after_ > _cursor.inboxTo()) revert BadInbox(after_ - 1);
        _exitRequests[number] = uint64(_state.inboxCount) + 1;
        _addEntry(EXIT, number, 0);
    }

    /// @inheritdoc IBatchSettlement
    function bond(uint64 amount) external onlyHub {
        uint64 sum = _sums.bond + amount;
        _sums.bond = sum;
        emit BondChanged(sum);
        _take(msg.sender, amount);
    }

    /// @inheritdoc IBatchSettlement
    function unbond(uint64 amount) external onlyHub {
        uint64 held = _sums.bond;
        _checkNothingPending();
        if (openForcedCount > 0) revert OpenForced(openForcedCount);
        if (amount > held) revert Underbonded(held, amount);
        uint256 until = _state.snapshotAt + WINDOW;
        if (block.timestamp < until) revert TooEarly(until);
        _sums.bond = held - amount;
        emit BondChanged(held - amount);
        token.safeTransfer(_owners[HUB].payout, amount);
    }

    /// @inheritdoc IBatchSettlement
    function collect() external {
        uint64 amount = creditOf[msg.sender];
        if (amount == 0) revert NothingToClaim(HUB);
        creditOf[msg.sender] = 0;
        emit Collected(msg.sender, amount);
        token.safeTransfer(msg.sender, amount);
    }

    // ------------------------------------------------------------------------------------------------ commit

    /// @inheritdoc IBatchSettlement
    function commitBlobs(BatchIn calldata batch) external onlyHub returns (bytes32) {
        return _commitBlobs(batch, batch.count, RECORDS_PER_BLOB, BLOBS);
    }

    /// @inheritdoc IBatchSettlement
    function commitCalldata(BatchIn calldata batch, bytes calldata data) external onlyHub returns (bytes32) {
        uint256 capacity = data.length / RECORD_LENGTH;
        if (batch.count > MAX_CALLDATA_RECORDS || data.length != RECORD_LENGTH * batch.count) {
            revert BadCount(batch.count, capacity);
        }
        return _commit(batch, keccak256(data), CALLDATA);
    }

    /// @inheritdoc IBatchSettlement
    function commitSealed(BatchIn calldata batch) external onlyHub returns (bytes32) {
        if (IDemandProver(demandProver).auditor() == address(0)) revert DataKindUnsupported(BatchLeaf.SEALED);
        return _commitBlobs(batch, batch.accountCount, SEALED_ACCOUNTS_PER_BLOB, BatchLeaf.SEALED);
    }

    /// @dev The blobs of this transaction must hold `count` of what the kind publishes.
    function _commitBlobs(BatchIn calldata batch, uint32 count, uint256 perBlob, uint8 dataKind)
        private
        returns (bytes32)
    {
        // slither-disable-next-line uninitialized-local
        bytes memory hashes;
        uint256 blobs = 0;
        for (bytes32 hash = blobhash(0); hash != 0; hash = blobhash(blobs)) {
            hashes = bytes.concat(hashes, hash);
            ++blobs;
        }
        uint256 capacity = perBlob * blobs;
        if (count > capacity) revert BadCount(count, capacity);
        return _commit(batch, keccak256(hashes), dataKind);
    }

    function _commit(BatchIn memory b, bytes32 dataHash, uint8 dataKind) private returns (bytes32 hash) {
        State memory s = _state;
        CursorWord c = _cursor;
        if (s.flags & FROZEN != 0) revert IsFrozen();
        if (s.flags & PAUSED != 0) revert Paused();

        // slither-disable-next-line uninitialized-local
        Header memory h;
        h.tariffHash = _checkPeriod(b.period);
        (h.regPeriod, h.regLastKey, h.lastRun) = _checkOrder(b, c);
        _checkSizes(b, c, s);
        _checkInbox(b.inboxTo, c.inboxTo(), s.inboxCount);
        h.parent = _ring[c.headSeq() % RING];
        if (b.expectedParent != h.parent) revert Reorg(b.expectedParent, h.parent);
        _checkStanding(c.headSeq() - s.finalSeq, s);

        h.seq = c.headSeq() + 1;
        h.period = b.period;
        h.run = b.run;
        h.part = b.part;
        h.count = b.count;
        h.firstKey = b.firstKey;
        h.lastKey = b.lastKey;
        h.recordRoot = b.recordRoot;
        h.accountRoot = b.accountRoot;
        h.accountCount = b.accountCount;
        h.hubBalance = b.hubBalance;
        h.inboxTo = b.inboxTo;
        h.dataHash = dataHash;
        h.dataKind = dataKind;
        h.committedAt = uint64(block.timestamp);
        hash = keccak256(abi.encode(h));

        _ring[h.seq % RING] = hash;
        _cursor = CursorWords.create(h.seq, h.inboxTo, h.regPeriod, h.regLastKey, h.lastRun, h.accountCount);
        emit Committed(h.seq, h.period, hash, h);
    }

    function _checkPeriod(uint32 period) private view returns (bytes32 tariff) {
        uint256 endsAt = _startOf(uint256(period) + 1);
        if (period == 0 || block.timestamp < endsAt) revert NotClosed(period, endsAt);
        tariff = tariffHash[period];
        if (tariff == 0) revert NoTariff(period);
    }

    /// @dev Returns the cursor's regular part after this batch.
    function _checkOrder(BatchIn memory b, CursorWord c)
        private
        pure
        returns (uint32 regPeriod, uint48 regLastKey, uint32 lastRun)
    {
        (regPeriod, regLastKey, lastRun) = (c.regPeriod(), c.regLastKey(), c.lastRun());
        bool isAfter = b.run != 0 || b.period > regPeriod || (b.period == regPeriod && b.firstKey > regLastKey);
        if (b.firstKey > b.lastKey || !isAfter) revert BadOrder(b.period, b.firstKey, b.lastKey);
        if (b.run == 0) return (b.period, b.lastKey, lastRun);
        if (b.run != uint256(lastRun) + 1 || b.part != 0 || b.period > regPeriod) revert BadRun(b.run, lastRun + 1);
        lastRun = b.run;
    }

    function _checkSizes(BatchIn memory b, CursorWord c, State memory s) private pure {
        if (b.count == 0 || b.count > MAX_LEAVES) revert BadCount(b.count, MAX_LEAVES);
        if (b.accountCount == 0 || b.accountCount < c.accountCount() || b.accountCount > s.participantCount) {
            revert BadAccountCount(b.accountCount, c.accountCount(), s.participantCount);
        }
        if (b.hubBalance < 0) revert BadHubBalance(b.hubBalance);
    }

    /// @dev Entries are in order of time and block, so one look at either end is enough.
    function _checkInbox(uint64 to, uint64 from, uint64 count) private view {
        if (to < from || to > count || to - from > MAX_ENTRIES) revert BadInbox(to);
        if (to > from && !_isDeep(_inbox[to - 1])) revert BadInbox(to - 1);
        if (to == count || to - from == MAX_ENTRIES) return;
        InboxEntry storage next = _inbox[to];
        if (block.timestamp >= next.addedAt + ENTRY_OVERDUE && _isDeep(next)) revert InboxOverdue(to);
    }

    function _isDeep(InboxEntry storage entry) private view returns (bool) {
        return block.number >= entry.blockNumber + ENTRY_DEPTH;
    }

    /// @dev Whether the hub may commit one more: bond, pending batches, snapshot. Not in the second of a cancellation: the
    /// same header could come back, and with it the demands of the cancelled one.
    function _checkStanding(uint256 pending, State memory s) private view {
        if (pending >= MAX_PENDING) revert TooManyPending(uint64(pending));
        if (s.snapshotAt != 0 && block.timestamp > s.snapshotAt + SNAPSHOT) revert SnapshotOverdue(s.snapshotAt);
        if (block.timestamp == s.cancelledAt) revert TooEarly(block.timestamp + 1);
        uint64 held = _sums.bond;
        uint256 needed = slashUnit * (pending + 1) + _sums.forcedDue;
        if (held < needed) revert Underbonded(held, needed);
    }

    // ------------------------------------------------------------------------------------------------ final or cancelled

    /// @inheritdoc IBatchSettlement
    function finalize(Header calldata h) external {
        _checkNotFrozen();
        bytes32 hash = h.hash();
        if (h.seq != uint64(_state.finalSeq) + 1 || !_isPending(h.seq, hash)) revert NotPending(h.seq);
        Demands memory d = _demands[hash];
        uint256 from = _finalizableFrom(h, d);
        if (block.timestamp < from) revert TooEarly(from);
        if (d.open > 0) revert OpenDemands(d.open);

        _state.finalSeq = uint48(h.seq);
        // The duty to publish snapshots begins with the first final batch.
        if (_state.snapshotAt == 0) _state.snapshotAt = uint32(block.timestamp);
        if (d.lastAnswerAt != 0) _demands[hash].isFinal = true;
        emit Finalized(h.seq, hash);
    }

    /// @inheritdoc IBatchSettlement
    function cancel(uint64 seq, bytes32 headerHash, CursorWord parentCursor, address challenger, uint8 reason)
        external
    {
        if (msg.sender != fraudProver && msg.sender != demandProver && msg.sender != dutyProver) {
            revert NotRole(msg.sender);
        }
        checkPending(seq, headerHash);
        _cursor = parentCursor;
        _state.cancelledAt = uint32(block.timestamp);
        emit Cancelled(seq, challenger, reason);
        _slash(challenger);
    }

    /// @dev One unit, or what is left of the bond: half to the challenger, the rest burned.
    function _slash(address challenger) private {
        uint64 held = _sums.bond;
        uint64 slashed = held < slashUnit ? held : slashUnit;
        _sums.bond = held - slashed;
        _sums.burned += slashed - slashed / 2;
        emit BondChanged(held - slashed);
        _credit(challenger, slashed / 2);
    }

    /// @dev Without the demands that are still open.
    function _finalizableFrom(Header calldata h, Demands memory d) private pure returns (uint256) {
        uint256 afterWindow = h.committedAt + WINDOW;
        uint256 afterGrace = d.lastAnswerAt == 0 ? 0 : d.lastAnswerAt + GRACE;
        return afterWindow > afterGrace ? afterWindow : afterGrace;
    }

    // ------------------------------------------------------------------------------------------------ claims

    /// @inheritdoc IBatchSettlement
    function claim(Header calldata last, Account calldata a) external {
        _checkFirstArgumentFinal(last);
        if (!_claim(last, a)) revert NothingToClaim(a.participant);
    }

    /// @inheritdoc IBatchSettlement
    function claimMany(Header calldata last, Account[] calldata accounts) external {
        _checkFirstArgumentFinal(last);
        bool isAnyPaid = false;
        for (uint256 i = 0; i < accounts.length; ++i) {
            if (_claim(last, accounts[i])) isAnyPaid = true;
        }
        if (!isAnyPaid) revert NothingToClaim(accounts.length == 0 ? HUB : accounts[0].participant);
    }

    function _claim(Header calldata last, Account calldata a) private returns (bool isPaid) {
        a.checkIn(last);
        uint32 number = a.participant;
        uint64 cumulative = a.payableMicro;
        Owner storage owner = _owners[number];
        (address payout, uint64 paid) = (owner.payout, owner.paid);
        if (cumulative <= paid) return false;
        _checkPayout(number, payout);
        uint64 amount;
        unchecked {
            amount = cumulative - paid;
        }
        owner.paid = cumulative;
        _state.escrow -= amount;
        emit Claimed(number, amount, cumulative);
        token.safeTransfer(payout, amount);
        return true;
    }

    // ------------------------------------------------------------------------------------------------ the end of the ledger

    /// @inheritdoc IBatchSettlement
    function pause() external onlyRole(guardian) {
        _state.flags |= PAUSED;
        emit CommitsPaused();
    }

    /// @inheritdoc IBatchSettlement
    function resume() external onlyRole(guardian) {
        _state.flags &= ~PAUSED;
        emit CommitsResumed();
    }

    /// @inheritdoc IBatchSettlement
    function freeze(Header calldata latest) external {
        _checkFreezable(latest);
        _checkNothingPending();
        _freeze(latest);
    }

    /// @inheritdoc IBatchSettlement
    function freezePending(Header calldata latest, Header calldata next) external {
        _checkFreezable(latest);
        bytes32 hash = next.hash();
        if (next.seq != latest.seq + 1 || !_isPending(next.seq, hash)) revert NotPending(next.seq);
        Demands memory d = _demands[hash];
        if (d.open == 0 && block.timestamp >= _finalizableFrom(next, d)) revert Finalizable(next.seq);
        _freeze(latest);
    }

    /// @inheritdoc IBatchSettlement
    function exit(Header calldata latest, Account calldata a) external {
        _checkEnded();
        _checkLatest(latest);
        a.checkIn(latest);
        Owner memory owner = _owners[a.participant];
        if (owner.isExited) revert NothingToClaim(a.participant);
        _checkPayout(a.participant, owner.payout);

        uint64 amount = a.balance > 0 ? uint64(a.balance) : 0;
        if (a.payableMicro > owner.paid) {
            amount += a.payableMicro - owner.paid;
            owner.paid = a.payableMicro;
        }
        if (amount == 0) revert NothingToClaim(a.participant);
        owner.isExited = true;
        _owners[a.participant] = owner;
        _state.escrow -= amount;
        emit Exited(a.participant, amount);
        token.safeTransfer(owner.payout, amount);
    }

    /// @inheritdoc IBatchSettlement
    function reclaim(uint64 entry) external {
        _checkEnded();
        InboxEntry memory e = _inbox[entry];
        bool isDeposit = e.kind == DEPOSIT || e.kind == FORCED;
        if (!isDeposit || e.amount == 0 || entry < _cursor.inboxTo()) revert BadInbox(entry);
        address payout = _owners[e.participant].payout;
        _checkPayout(e.participant, payout);

        _inbox[entry].kind = RECLAIMED;
        _state.escrow -= e.amount;
        emit Reclaimed(entry, e.participant, e.amount);
        token.safeTransfer(payout, e.amount);
    }

    function _checkFreezable(Header calldata latest) private view {
        _checkNotFrozen();
        _checkLatest(latest);
        uint256 since = latest.committedAt;
        if (since < _constructedAt) since = _constructedAt;
        if (since < _startOf(2)) since = _startOf(2);
        if (block.timestamp < since + FREEZE) revert TooEarly(since + FREEZE);
    }

    /// @dev The cursor goes back to the last final batch: what only pending ones honored can be reclaimed.
    function _freeze(Header calldata latest) private {
        _state.flags |= FROZEN;
        _cursor = CursorWords.after_(latest);
        emit Frozen(latest.seq, latest.hash());
    }

    // ------------------------------------------------------------------------------------------------ what the provers call

    /// @inheritdoc IBatchSettlement
    function openDemand(bytes32 headerHash, address challenger, uint64 amount) external onlyRole(demandProver) {
        ++_demands[headerHash].open;
        _take(challenger, amount);
    }

    /// @inheritdoc IBatchSettlement
    function closeDemand(bytes32 headerHash) external onlyRole(demandProver) {
        --_demands[headerHash].open;
        _demands[headerHash].lastAnswerAt = uint40(block.timestamp);
    }

    /// @inheritdoc IBatchSettlement
    function releaseDemand(address challenger, uint64 amount, bool isFinal_) external onlyRole(demandProver) {
        if (!isFinal_) {
            _credit(challenger, amount);
            return;
        }
        uint64 burned = amount / 5;
        _sums.burned += burned;
        _credit(_owners[HUB].payout, amount - burned);
    }

    /// @inheritdoc IBatchSettlement
    function noteSnapshot() external onlyRole(dutyProver) {
        _state.snapshotAt = uint32(block.timestamp);
    }

    /// @inheritdoc IBatchSettlement
    function cancelSnapshot(address challenger, uint32 previousAt) external onlyRole(dutyProver) {
        _state.snapshotAt = previousAt;
        emit SnapshotCancelled(challenger, previousAt);
        _slash(challenger);
    }

    /// @inheritdoc IBatchSettlement
    function openForced() external onlyRole(dutyProver) {
        ++openForcedCount;
    }

    /// @inheritdoc IBatchSettlement
    function closeForced() external onlyRole(dutyProver) {
        --openForcedCount;
    }

    /// @inheritdoc IBatchSettlement
    function payForced(uint32 number, uint64 amount, bool isDue) external onlyRole(dutyProver) returns (bool) {
        uint64 held = _sums.bond;
        bool isFrozen_ = _state.flags & FROZEN != 0;
        if (!isFrozen_ && held < uint256(amount) + uint256(slashUnit) * _pendingCount()) {
            if (!isDue) _sums.forcedDue += amount;
            return false;
        }
        if (isDue) _sums.forcedDue -= amount;
        uint64 paid = held < amount ? held : amount;
        --openForcedCount;
        _sums.bond = held - paid;
        _state.escrow += paid;
        _sums.deposited += paid;
        emit BondChanged(held - paid);
        _addEntry(FORCED, number, paid);
        return true;
    }

    // ------------------------------------------------------------------------------------------------ views

    /// @inheritdoc IBatchSettlement
    function verifyRecord(Header[] calldata chain, Leaf calldata l) external view returns (bytes32 headerHash) {
        if (chain.length == 0) revert NotFinal(0);
        _checkFinal(chain[0]);
        for (uint256 i = 1; i < chain.length; ++i) {
            if (chain[i].hash() != chain[i - 1].parent) revert BadParent(chain[i - 1].parent);
        }
        Header calldata last = chain[chain.length - 1];
        l.checkIn(last);
        return last.hash();
    }

    /// @inheritdoc IBatchSettlement
    function checkPending(uint64 seq, bytes32 headerHash) public view {
        if (!_isPending(seq, headerHash)) revert NotPending(seq);
    }

    /// @inheritdoc IBatchSettlement
    function isPending(uint64 seq, bytes32 headerHash) external view returns (bool) {
        return _isPending(seq, headerHash);
    }

    /// @inheritdoc IBatchSettlement
    function isFinal(uint64 seq, bytes32 headerHash) external view returns (bool) {
        return _isFinal(seq, headerHash);
    }

    /// @inheritdoc IBatchSettlement
    function headerHashAt(uint64 seq) external view returns (bytes32) {
        return _ring[seq % RING];
    }

    /// @inheritdoc IBatchSettlement
    function finalSeq() external view returns (uint64) {
        return _state.finalSeq;
    }

    /// @inheritdoc IBatchSettlement
    function cursor() external view returns (uint64, uint64, uint32, uint48, uint32, uint32) {
        CursorWord c = _cursor;
        return (c.headSeq(), c.inboxTo(), c.regPeriod(), c.regLastKey(), c.lastRun(), c.accountCount());
    }

    /// @inheritdoc IBatchSettlement
    function demandsOn(bytes32 headerHash) external view returns (uint32, uint40, bool) {
        Demands storage d = _demands[headerHash];
        return (d.open, d.lastAnswerAt, d.isFinal);
    }

    /// @inheritdoc IBatchSettlement
    function participant(uint32 number) external view returns (Participant memory) {
        return _participants[number];
    }

    /// @inheritdoc IBatchSettlement
    function payoutOf(uint32 number) external view returns (address, uint64, bool) {
        Owner storage owner = _owners[number];
        return (owner.payout, owner.paid, owner.isExited);
    }

    /// @inheritdoc IBatchSettlement
    function p256KeyOf(uint32 number) external view returns (bytes32, bytes32) {
        return (_p256Keys[number][0], _p256Keys[number][1]);
    }

    /// @inheritdoc IBatchSettlement
    function participantCount() external view returns (uint32) {
        return _state.participantCount;
    }

    /// @inheritdoc IBatchSettlement
    function inboxEntry(uint64 entry) external view returns (InboxEntry memory) {
        return _inbox[entry];
    }

    /// @inheritdoc IBatchSettlement
    function inboxCount() external view returns (uint64) {
        return _state.inboxCount;
    }

    /// @inheritdoc IBatchSettlement
    function bonded() external view returns (uint64) {
        return _sums.bond;
    }

    /// @inheritdoc IBatchSettlement
    function sums() external view returns (uint64, uint64, uint64, uint64) {
        Sums storage s = _sums;
        return (_state.escrow, s.deposited, s.burned, s.forcedDue);
    }

    /// @inheritdoc IBatchSettlement
    function snapshotAt() external view returns (uint32) {
        return _state.snapshotAt;
    }

    /// @inheritdoc IBatchSettlement
    function isFrozen() external view returns (bool) {
        return _state.flags & FROZEN != 0;
    }

    /// @inheritdoc IBatchSettlement
    function isPaused() external view returns (bool) {
        return _state.flags & PAUSED != 0;
    }

    /// @inheritdoc IBatchSettlement
    function domainSeparator() external view returns (bytes32) {
        return ReadingSignature.domainSeparator(address(this));
    }

    // ------------------------------------------------------------------------------------------------ helpers

    function _register(uint32 number, address meter, address payout, uint32 fromPeriod, uint8 flags) private {
        if (number >= MAX_LEAVES) revert RegistryFull();
        if (fromPeriod <= _currentPeriod()) revert BadPeriod(number, fromPeriod);
        _participants[number] = Participant(meter, fromPeriod, type(uint32).max, flags);
        if (payout != address(0)) _owners[number].payout = payout;
        emit Registered(number, meter, payout, fromPeriod, flags);
    }

    function _addEntry(uint8 kind, uint32 number, uint64 amount) private {
        uint40 entry = _state.inboxCount;
        _inbox[entry] = InboxEntry(kind, number, amount, uint40(block.timestamp), uint40(block.number));
        _state.inboxCount = entry + 1;
        emit InboxAdded(entry, kind, number, amount);
    }

    /// @dev The two modifiers' checks, here because a modifier's body is copied to every function that has it.
    function _checkHub() private view {
        if (msg.sender != hub) revert NotHub(msg.sender);
    }

    function _checkRole(address holder) private view {
        if (msg.sender != holder) revert NotRole(msg.sender);
    }

    function _credit(address to, uint64 amount) private {
        creditOf[to] += amount;
        emit Credited(to, amount);
    }

    /// @dev Takes from the payer's credit first. Last in every call, since it calls the token.
    function _take(address payer, uint64 amount) private {
        uint64 credit = creditOf[payer];
        uint64 used = credit < amount ? credit : amount;
        if (used > 0) creditOf[payer] = credit - used;
        // Only the hub, or a challenger through the demand prover, which passes on who called it.
        // slither-disable-next-line arbitrary-send-erc20
        if (amount > used) token.safeTransferFrom(payer, address(this), amount - used);
    }

    function _pendingCount() private view returns (uint64) {
        return _cursor.headSeq() - _state.finalSeq;
    }

    function _checkNothingPending() private view {
        uint64 pending = _pendingCount();
        if (pending > 0) revert TooManyPending(pending);
    }

    function _isPending(uint64 seq, bytes32 hash) private view returns (bool) {
        return seq > _state.finalSeq && seq <= _cursor.headSeq() && _ring[seq % RING] == hash;
    }

    function _isFinal(uint64 seq, bytes32 hash) private view returns (bool) {
        return seq <= _state.finalSeq && _ring[seq % RING] == hash;
    }

    function _checkFinal(Header calldata h) private view {
        _checkFinal(h.seq, h.hash());
    }

    function _checkFinal(uint64 seq, bytes32 hash) private view {
        if (!_isFinal(seq, hash)) revert NotFinal(seq);
    }

    /// @dev The same for a header that is the call's first argument: its encoding is what was hashed, and hashing it where
    /// it lies is cheaper than encoding it again. Bits outside a field's range give another hash.
    function _checkFirstArgumentFinal(Header calldata h) private view {
        _checkFinal(h.seq, keccak256(msg.data[SELECTOR_LENGTH:SELECTOR_LENGTH + HEADER_LENGTH]));
    }

    function _checkLatest(Header calldata h) private view {
        if (h.seq != _state.finalSeq || !_isFinal(h.seq, h.hash())) revert NotFinal(h.seq);
    }

    function _checkNotFrozen() private view {
        if (_state.flags & FROZEN != 0) revert IsFrozen();
    }

    function _checkPayout(uint32 number, address payout) private pure {
        if (payout == address(0)) revert NoPayout(number);
    }

    function _checkEnded() private view {
        if (_state.flags & FROZEN == 0) revert NotFrozen();
    }

    function _checkKnown(uint32 number) private view {
        if (number >= _state.participantCount) revert ParticipantUnknown(number);
    }

    function _startOf(uint256 period) private view returns (uint256) {
        return genesisTime + period * periodLength;
    }

    function _currentPeriod() private view returns (uint256) {
        return block.timestamp < genesisTime ? 0 : (block.timestamp - genesisTime) / periodLength;
    }

    // slither-disable-next-line cyclomatic-complexity
    function _checkConfig(Config memory config) private view {
        if (address(config.token) == address(0)) revert BadConfig("token");
        if (config.hub == address(0)) revert BadConfig("hub");
        if (config.hubPayout == address(0)) revert BadConfig("hubPayout");
        if (config.registrar == address(0)) revert BadConfig("registrar");
        if (config.tariffAuthority == address(0)) revert BadConfig("tariffAuthority");
        if (config.meteringOperator == address(0)) revert BadConfig("meteringOperator");
        if (config.guardian == address(0)) revert BadConfig("guardian");
        if (config.fraudProver == address(0)) revert BadConfig("fraudProver");
        if (config.demandProver == address(0)) revert BadConfig("demandProver");
        if (config.dutyProver == address(0)) revert BadConfig("dutyProver");
        if (config.slotsPerPeriod == 0 || config.slotsPerPeriod > MAX_SLOTS) revert BadConfig("slotsPerPeriod");
        if (config.periodLength == 0 || config.periodLength > MAX_PERIOD_LENGTH) revert BadConfig("periodLength");
        if (config.slashUnit == 0) revert BadConfig("slashUnit");
        if (config.demandBond == 0) revert BadConfig("demandBond");
        uint8 decimals = IERC20Metadata(address(config.token)).decimals();
        if (decimals != DECIMALS) revert TokenDecimalsUnsupported(decimals);
    }
}

// slither-disable-end timestamp,incorrect-equality,weak-prng
