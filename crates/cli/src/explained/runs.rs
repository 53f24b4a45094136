//! What the errors of stores, runs and whole settlements say. Their crate declares none of it, so it stands here.

use gridtally_aggregator::cycle::{
    BatchError, ChainError, EmbeddedError, EraseError, ModeDiffers, RunError, SettlementError,
};
use gridtally_aggregator::demo::{BatchDemoError, DemoError};
use gridtally_aggregator::import::Refused;
use gridtally_aggregator::store::StoreError;
use gridtally_aggregator::verify::VerifyError;
use gridtally_core::explanation::{Explained, Explanation};
use gridtally_core::explanations;
use gridtally_core::rejection::Rejection;
use gridtally_core::tariff::PriceUnavailable;
use gridtally_settlement::{PeriodRefused, ReadingRefused, RecordProofError, SectionFileError};

use super::{OfChain, Said, of};

/// Returns what the errors of stores, runs and whole settlements say, with the names of their types.
pub(super) fn explained() -> Vec<(&'static str, &'static [Explanation])> {
    vec![
        ("RunError", Run::EXPLANATIONS),
        ("PriceUnavailable", Price::EXPLANATIONS),
        ("ReadingRefused", Reading::EXPLANATIONS),
        ("PeriodRefused", Period::EXPLANATIONS),
        ("ChainError", OnChain::EXPLANATIONS),
        ("BatchError", InBatches::EXPLANATIONS),
        ("EraseError", Erase::EXPLANATIONS),
        ("ModeDiffers", MODE_DIFFERS),
        ("SettlementError", Settlement::EXPLANATIONS),
        ("VerifyError", Verify::EXPLANATIONS),
        ("EmbeddedError", Embedded::EXPLANATIONS),
        ("DemoError", Demo::EXPLANATIONS),
        ("BatchDemoError", BatchDemo::EXPLANATIONS),
        ("StoreError", Store::EXPLANATIONS),
        ("RecordProofError", RecordProofError::EXPLANATIONS),
        ("SectionFileError", SectionFileError::EXPLANATIONS),
    ]
}

/// Returns what an error says if it is one of these.
pub(super) fn explanation(error: Said<'_>) -> Option<Explanation> {
    None.or_else(|| of(error, |error| Settlement(error).explanation()))
        .or_else(|| of(error, |error| OnChain(error).explanation()))
        .or_else(|| of(error, |error| InBatches(error).explanation()))
        .or_else(|| of(error, |error| Erase(error).explanation()))
        .or_else(|| of(error, |error| Mode(error).explanation()))
        .or_else(|| of(error, |error| Run(error).explanation()))
        .or_else(|| of(error, |error| Verify(error).explanation()))
        .or_else(|| of(error, |error| Embedded(error).explanation()))
        .or_else(|| of(error, |error| Demo(error).explanation()))
        .or_else(|| of(error, |error| Store(error).explanation()))
        .or_else(|| of(error, RecordProofError::explanation))
        .or_else(|| of(error, SectionFileError::explanation))
        .or_else(|| of(error, Refused::explanation))
        .or_else(|| of(error, Rejection::explanation))
}

explanations! {
    Settlement(&SettlementError) {
        Embedded(error as Embedded);
        Key(error);
        Run(error as Run);
        Chain(error as OnChain);
        Batch(error as InBatches);
        Store(error as Store);
        Verify(error as Verify);
    }
}

/// What a store says that is asked for another mode than its own.
struct Mode<'a>(&'a ModeDiffers);

const MODE_DIFFERS: &[Explanation] = &[Explanation {
    code: "settlement-mode-differs",
    meaning: "a store keeps to the mode of its first deployment, direct or batch",
    remedy: "leave --mode and settlement.mode out, or settle with a store of its own",
}];

impl Explained for Mode<'_> {
    const EXPLANATIONS: &'static [Explanation] = MODE_DIFFERS;

    fn explanation(&self) -> Explanation {
        let _always_the_same = self.0;
        MODE_DIFFERS[0]
    }
}

explanations! {
    InBatches(&BatchError) {
        Store(error as Store);
        Run(error as Run);
        Mode(error as Mode);
        Superseded: "batch-run-superseded" "a later run settles a part of the span as of a later journal line, and this one would undo it"
            "settle without --as-of: what was corrected since is a part of it";
        Deploy(error);
        NotHub: "batch-not-hub" "the key is not the one of the contract's hub"
            "settle with the key that deployed the contract: it is fixed for ever";
        Frozen: "batch-frozen" "the ledger is frozen, because its hub had stopped for four weeks"
            "let participants leave with gridtally claim --exit, and begin a new store";
        AuditorDiffers: "batch-auditor-differs" "the contract names another auditor than batch.auditor of the configuration"
            "leave batch.auditor out or name the contract's; another auditor takes contracts, and so a store, of its own";
        NoAuditor: "batch-no-auditor" "batches can be sealed only where the deployment names an auditor, which is fixed for ever"
            "name one with batch.auditor before the first settlement of a store";
        NoBlobs: "batch-no-blobs" "what is sealed is published in blobs, and the chain takes none"
            "settle on a chain with blobs (EIP-4844), or in the open where the participants agree";
        SealedBefore: "batch-sealed-before" "once a batch is sealed, all after it are: in the open, balances could be read and participants would not find their account"
            "leave --records and settlement.records out, or settle in the open with a store of its own";
        SectionsMissing: "batch-sections-missing" "what a sealed batch hides is not in the store: nobody could answer for it"
            "restore the folder sections of the store from a copy";
        Sections(error);
        Register(error);
        Publish(error);
        MeterSigns: "batch-meter-signs" "a meter signs with a key of its own, and the store has no signature of it: the hub could not show it on demand"
            "leave meter out in the file of participants before the first settlement: the metering operator signs then";
        NotActive: "batch-participant-late" "a participant has readings of periods before the chain knew it"
            "give its metering points a since, or leave these readings out";
        Published(error);
        FundsMissing: "batch-funds-missing" "participants have to pay in before they are settled"
            "let them pay in on the contract: deposit(participant, amount)";
        FundsOutOfRange: "batch-funds-out-of-range" "somebody needs more money than one deposit can bring"
            "settle a shorter span, and check the prices";
        InboxYoung: "batch-deposits-young" "what was paid in must be 64 blocks old before a batch takes it"
            "run the same command again after these blocks";
        PeriodNotOver: "batch-period-not-over" "a settlement period is not over on the chain yet"
            "wait until it is; on a development chain, --move-time moves its clock";
        WindowsOpen: "batch-windows-open" "as many batches as the contract allows wait for their window of seven days"
            "run the same command again after that time; on a development chain, --finalize moves its clock";
        Endpoint(error);
        Read(error);
        Send(error);
        Hub(error);
    }
}

explanations! {
    OnChain(&ChainError) {
        Store(error as Store);
        Run(error as Run);
        Mode(error as Mode);
        Deploy(error);
        Register(error);
        Publish(error);
        History(error);
        Read(error);
        Endpoint(error);
        Mint(error);
        FundsOutOfRange: "settlement-funds-out-of-range" "somebody needs more money than a balance can hold"
            "settle a shorter span, and check the prices";
        Fund(error);
        PeriodNotOver: "settlement-period-not-over" "a settlement period is not over on the chain yet"
            "wait until it is; on a development chain, --move-time moves its clock";
        Settle(error);
    }
}

explanations! {
    Run(&RunError) {
        EmptySpan: "run-span-empty" "the span has no slots"
            "give an --until after --from";
        NotAligned: "run-span-not-aligned" "the span does not begin or end with a slot"
            "give instants on the grid of the slots";
        Calendar: "run-outside-calendar" "the span is not inside the settlement calendar"
            "give a span after settlement.genesis_time";
        PeriodZero: "run-period-zero" "the span begins in period 0, which is never settled"
            "begin with period 1";
        TooManyPeriods: "run-too-many-periods" "the span has more settlement periods than one run"
            "settle it in parts";
        SlotLength: "run-slot-length" "no prices come in slots of this length"
            "make a store with slots of 10, 15, 30 or 60 minutes";
        Store(error as Store);
        NobodyRegistered: "run-nobody-registered" "nobody takes part"
            "import participants first: gridtally import participants";
        TariffMissing: "run-tariff-missing" "there is no tariff, or none of that name"
            "import it first: gridtally import tariff";
        TariffAmbiguous: "run-tariff-ambiguous" "there are several tariffs, and none was asked for"
            "name one with --tariff";
        Price(error as Price);
        SpotMissing: "run-spot-missing" "the spot price of a slot is not known"
            "import the prices of all slots of the settlement periods: gridtally import prices";
        Table: "run-tariff-table" "the prices of a period do not make a table of the contract"
            "correct the tariff as the words say";
        ReadingTooLong: "run-reading-too-long" "a reading is longer than a slot"
            "make a store whose slots are as long as the readings";
        Energy: "run-energy" "the energy of a slot does not fit a record"
            "check the unit of the readings, and import them again";
        Reading(error as Reading);
        SlotMissing: "run-slot-missing" "a slot has nothing that can be settled, and the policy is to refuse"
            "import the readings, or settle with --missing leave_out: a later run settles what comes late";
        Period(error as Period);
        PricesRecorded: "run-prices-recorded" "a settlement period is recorded already, at other prices"
            "repeat the earlier run with --as-of: prices that were settled never change";
        EnergyRecorded: "run-energy-recorded" "a slot is recorded already, with another energy, and the store settles record by record"
            "repeat the earlier run with --as-of: only a store that settles in batches takes corrections";
    }
}

explanations! {
    Price(&PriceUnavailable) {
        NoVersion: "price-no-version" "no version of the tariff is valid then"
            "import a tariff that is valid in all slots of the settlement periods";
        NotOffered: "price-not-offered" "the tariff has no price of this kind"
            "import a tariff with it";
        SpotMissing: "price-spot-missing" "the spot price of a slot is not known"
            "import the prices of all slots of the settlement periods: gridtally import prices";
        OutOfRange: "price-out-of-range" "the parts of a price sum to more than 32 bits hold"
            "check the unit of the prices";
    }
}

explanations! {
    Reading(&ReadingRefused) {
        Slots: "reading-slots" "the slots are none, or go beyond what any period has"
            "check the resolution of the readings";
        ExpectedTwice: "reading-expected-twice" "two metering points would settle as one"
            "give each its own participant";
        NotExpected: "reading-not-expected" "nobody expects a value there"
            "check the metering points of the participant";
        Contradiction: "reading-contradiction" "a slot has two different values"
            "import one of them again, as the newest version";
    }
}

explanations! {
    Period(&PeriodRefused) {
        PeriodZero: "period-zero" "period 0 is never settled"
            "begin with period 1";
        Order: "period-order" "sections do not ascend by participant and code, or overlap"
            "report it: the store keeps them in order";
        Hub: "period-hub" "the hub cannot settle with itself"
            "give the metering point to a participant";
        NoPrice: "period-no-price" "the period's tariff has no price for a code"
            "import a tariff with prices of all kinds that are settled";
        TooManySlots: "period-too-many-slots" "values go beyond the period's last slot"
            "check the resolution of the readings";
        Gap: "period-gap" "a slot has nothing that can be settled, and the policy is to refuse"
            "import the missing readings, or settle the other slots with --missing leave_out";
    }
}

explanations! {
    Verify(&VerifyError) {
        Store(error as Store);
        Endpoint(error);
        Deploy(error);
        History(error);
        Read(error);
        Watch(error);
        Sections(error);
        Published(error);
    }
}

explanations! {
    Erase(&EraseError) {
        NotSealed: "erase-not-sealed" "no sealed batch has this number, and what open ones hold is public for ever"
            "name the number of a sealed batch that stands: gridtally watch --once tells them";
        NoBatch: "erase-no-batch" "the settlement period has no sealed batch"
            "check the number of the period";
        Pending: "erase-pending" "what a pending batch hides can be demanded, and a hub that does not answer loses it"
            "erase once the batch is final and another one after it";
        NewestFinal: "erase-newest-final" "participants claim by the accounts after the newest final batch, and the next ones are built on them"
            "erase once a later batch is final";
        Missing: "erase-missing" "the store does not have the batch"
            "name the store of the hub that sealed it with --store";
        Nothing: "erase-nothing" "these sections were erased before, or the participants had none"
            "check the numbers: gridtally verify says how many sections are erased";
        Sections(error);
        Store(error as Store);
    }
}

explanations! {
    Embedded(&EmbeddedError) {
        Open(error as OfChain);
        Serve(error as OfChain);
        Connect(error);
    }
}

explanations! {
    Demo(&DemoError) {
        Neighborhood: "demo-neighborhood" "there is no such neighborhood"
            "give other --households";
        Calendar: "demo-calendar" "its days are no settlement periods"
            "report it";
        Participants: "demo-participants" "its households are no participants"
            "report it";
        Store(error as Store);
        Embedded(error as Embedded);
        Settlement(error as Settlement);
        Run(error as Run);
        History(error);
        Batch(error as BatchDemo);
    }
}

explanations! {
    BatchDemo(&BatchDemoError) {
        Store(error as Store);
        Embedded(error as Embedded);
        Key(error);
        Run(error as Run);
        Settlement(error as Settlement);
        Deploy(error);
        Send(error);
        Endpoint(error);
        Watch(error);
        Batch: "demo-batch-refused" "a batch would break a rule"
            "give fewer --households: each pays in the same amount";
        Publication(error);
        FraudStands: "demo-fraud-stands" "the watcher did not strike the false batch down"
            "report it";
        NothingToForge: "demo-nothing-to-forge" "there is no record to show the fraud with"
            "give more --households";
    }
}

explanations! {
    Store(&StoreError) {
        NotAStore: "store-missing" "there is no store in the folder"
            "create a store with gridtally init, or name one with --store";
        NotEmpty: "store-not-empty" "a store or something else is in the folder already"
            "name another folder with --store: an existing store is never overwritten";
        Locked: "store-locked" "another program writes to the store"
            "wait for the other program, or end it";
        UnknownFormat: "store-unknown-format" "the store was written by a newer program"
            "use the newer release";
        Damaged: "store-damaged" "bytes of the store are not those that were recorded"
            "restore the file from a copy: gridtally verify checks all of them";
        NoSuchLine: "store-no-such-line" "there is no such line in the journal"
            "name a line up to its last one";
        Participants: "store-participants" "the parties or metering points are not valid"
            "correct them as the words say";
        Refused(refused);
        RunDiffers: "store-run-differs" "a settlement run gave other bytes than before from the same inputs"
            "use the release that recorded the run, or restore the store from a copy";
        Interrupted: "store-interrupted" "an effect failed before, so what is on disk is only known after opening the store again"
            "repeat the command";
        Io: "store-io" "a file of the store cannot be read or written"
            "check the path, the permissions and the room on the disk";
    }
}
