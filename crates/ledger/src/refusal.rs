//! Why a contract refuses a call: its custom errors with their values, as one documented list.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{Panic, Revert, SolError, SolInterface};
use gridtally_core::explanation::{Explained, Explanation};
use gridtally_core::explanations;
use serde::{Deserialize, Serialize};

use crate::abi::DemoToken::DemoTokenErrors;
use crate::abi::DirectSettlement::DirectSettlementErrors;
use crate::abi::batch::BatchSettlement::BatchSettlementErrors;
use crate::abi::demand::DemandProver::DemandProverErrors;
use crate::abi::duty::DutyProver::DutyProverErrors;
use crate::abi::fraud::FraudProver::FraudProverErrors;
use crate::endpoint::RpcFailure;

/// Why a call is refused, in the order in which the contract checks.
///
/// JSON output carries the variant as `reason`, in snake case, beside its values.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Refusal {
    /// An address of the configuration is zero.
    #[error("the address {field} of the configuration is zero")]
    ConfigAddressZero {
        /// Which one.
        field: String,
    },
    /// A period has 1 to 1024 slots.
    #[error("{slots_per_period} slots per period, 1 to 1024 are possible")]
    SlotsPerPeriodOutOfRange {
        /// What was asked for.
        slots_per_period: u16,
    },
    /// A period lasts 1 s to 7 days, and its slots have whole seconds.
    #[error("a period of {period_length_s} s cannot be cut into {slots_per_period} slots")]
    PeriodLengthInvalid {
        /// Length of a period, s.
        period_length_s: u32,
        /// Slots of a period.
        slots_per_period: u16,
    },
    /// The token does not count in micro-units.
    #[error("the token has {decimals} decimals, 6 are needed")]
    TokenDecimalsUnsupported {
        /// What the token has.
        decimals: u8,
    },
    /// The sender does not hold the office that this call belongs to.
    #[error("{caller} does not hold the office for this call")]
    CallerRefused {
        /// Who sent.
        caller: Address,
    },
    /// The signature is not one, or has a high s.
    #[error("the signature is invalid")]
    SignatureInvalid,
    /// The signature is sound, but not of the right meter.
    #[error("signed by {signer}, the meter is {meter}")]
    SignerRefused {
        /// Who signed.
        signer: Address,
        /// Whose word counts.
        meter: Address,
    },
    /// The call carries nothing.
    #[error("the call carries no record and no participant")]
    BatchEmpty,
    /// There is not one owner for each meter.
    #[error("{meters} meters with {owners} owners")]
    BatchLengthsDiffer {
        /// How many meters.
        meters: U256,
        /// How many owners.
        owners: U256,
    },
    /// There is one hub only, and everybody has a role.
    #[error("the role with number {role} cannot be given")]
    RoleRefused {
        /// The contract's number of the role.
        role: u8,
    },
    /// Participant numbers are used up.
    #[error("all participant numbers are used")]
    RegistryFull,
    /// A meter key is never zero.
    #[error("the meter of participant {participant} is zero")]
    MeterZero {
        /// The number it would have got.
        participant: u32,
    },
    /// An owner is never zero.
    #[error("the owner of participant {participant} is zero")]
    OwnerZero {
        /// The number it would have got.
        participant: u32,
    },
    /// Nobody has this number.
    #[error("participant {participant} does not exist")]
    ParticipantUnknown {
        /// The number.
        participant: u32,
    },
    /// The participant is suspended or retired.
    #[error("participant {participant} is not active (state {state})")]
    ParticipantInactive {
        /// The number.
        participant: u32,
        /// The contract's number of its state: 2 suspended, 3 retired.
        state: u8,
    },
    /// The change is none, or leads from retired, or concerns the hub.
    #[error("participant {participant} cannot go from state {current} to {requested}")]
    StateChangeRefused {
        /// The number.
        participant: u32,
        /// State now.
        current: u8,
        /// State asked for.
        requested: u8,
    },
    /// Only the owner may.
    #[error("{caller} does not own participant {participant}")]
    CallerNotOwner {
        /// The number.
        participant: u32,
        /// Who sent.
        caller: Address,
    },
    /// Only the proposed owner may.
    #[error("{caller} is not proposed as owner of participant {participant}")]
    CallerNotProposed {
        /// The number.
        participant: u32,
        /// Who sent.
        caller: Address,
    },
    /// An amount of zero changes nothing.
    #[error("the amount is zero")]
    AmountZero,
    /// All balances together stay below 2^64 micro-units.
    #[error("{amount_micro} micro-units more than {escrow_micro} are too many")]
    EscrowOverflow {
        /// What is held.
        escrow_micro: u64,
        /// What was to be added.
        amount_micro: u64,
    },
    /// Period 0 has no tariff.
    #[error("period 0 is never settled")]
    PeriodZero,
    /// Prices are fixed before their period starts.
    #[error("period {period} started at {starts_at_s}, its prices can no longer be set")]
    PeriodStarted {
        /// The period.
        period: u32,
        /// Its start, Unix time, s.
        starts_at_s: U256,
    },
    /// The prices of this period are fixed already.
    #[error("the prices of period {period} are fixed already (hash {hash})")]
    TariffAlreadyPublished {
        /// The period.
        period: u32,
        /// Hash of the published table.
        hash: B256,
    },
    /// The table is not a whole number of rows, or too long.
    #[error("a table of {length} bytes is not made of rows of {row_length}, or too long")]
    TariffLengthInvalid {
        /// Length of the table, bytes.
        length: U256,
        /// Length of a row, bytes.
        row_length: U256,
    },
    /// Codes ascend within 1 to 62.
    #[error("code {code} does not follow {previous} within 1 to 62")]
    TariffCodeInvalid {
        /// The code.
        code: u8,
        /// The code of the row before, or 0.
        previous: u8,
    },
    /// Packed records have 21 bytes each.
    #[error("{length} bytes are not packed records of 21")]
    PackedLengthInvalid {
        /// Length, bytes.
        length: U256,
    },
    /// A participant cannot pay itself.
    #[error("participant {participant} would pay itself")]
    PartiesEqual {
        /// The number.
        participant: u32,
    },
    /// The period has fewer slots.
    #[error("slot {slot}, a period has {slots_per_period}")]
    SlotOutOfRange {
        /// The slot.
        slot: u16,
        /// Slots of a period.
        slots_per_period: u16,
    },
    /// The slot has not ended.
    #[error("slot {slot} of period {period} ends at {ends_at_s}, it cannot be metered yet")]
    SlotNotOver {
        /// The period.
        period: u32,
        /// The slot.
        slot: u16,
        /// Its end, Unix time, s.
        ends_at_s: U256,
    },
    /// A first settlement is never negative.
    #[error("{energy_wh} Wh in a first settlement")]
    EnergyNegative {
        /// The energy.
        energy_wh: i32,
    },
    /// A record with these values was settled before.
    #[error(
        "{from} to {to}, period {period}, run {run}, slot {slot}, code {code} is settled already"
    )]
    AlreadySettled {
        /// Payer.
        from: u32,
        /// Payee.
        to: u32,
        /// Period.
        period: u32,
        /// Run.
        run: u16,
        /// Slot.
        slot: u16,
        /// Tariff code.
        code: u8,
    },
    /// No price was published.
    #[error("code {code} has no price in period {period}")]
    TariffUnknown {
        /// The period.
        period: u32,
        /// Tariff code.
        code: u8,
    },
    /// The side that pays holds too little.
    #[error("participant {participant} holds {balance_micro} micro-units, {amount_micro} are due")]
    FundsInsufficient {
        /// Who pays.
        participant: u32,
        /// What it holds.
        balance_micro: u64,
        /// What is due.
        amount_micro: u64,
    },
    /// The token refused to move.
    #[error("the token {token} refused to move")]
    TokenFailed {
        /// The token.
        token: Address,
    },
    /// The token's holder has too little.
    #[error("{holder} holds {balance} micro-units of the token, {needed} are due")]
    TokenFundsInsufficient {
        /// Who pays.
        holder: Address,
        /// What it holds.
        balance: U256,
        /// What is due.
        needed: U256,
    },
    /// The token's holder allowed too little.
    #[error("{spender} may draw {allowance} micro-units of the token, {needed} are due")]
    TokenAllowanceInsufficient {
        /// Who draws.
        spender: Address,
        /// What is allowed.
        allowance: U256,
        /// What is due.
        needed: U256,
    },
    /// Only the demonstration token's owner may issue.
    #[error("{caller} may not issue the token")]
    TokenOwnerOnly {
        /// Who sent.
        caller: Address,
    },
    /// The token refuses an address, usually zero.
    #[error("the token refuses the address {address}")]
    TokenAddressRefused {
        /// The address.
        address: Address,
    },
    /// The contract's name, a constant, does not fit where it is kept.
    #[error("the contract's name is too long")]
    NameTooLong,
    /// The transaction used all gas that it was given.
    #[error("it used up its {gas} gas")]
    OutOfGas {
        /// What it was given.
        gas: u64,
    },
    /// A contract of batch settlement refuses.
    #[error("{error}")]
    Batch {
        /// Name and values of its error.
        error: String,
    },
    /// None of the contract's reasons: the endpoint's own words, or another contract's data.
    #[error("{message}")]
    Unknown {
        /// What is known.
        message: String,
    },
}

explanations! {
    Refusal {
        ConfigAddressZero: "contract-config-address-zero" "an address of the configuration is zero"
            "name an address for each office and for the token";
        SlotsPerPeriodOutOfRange: "contract-slots-per-period-out-of-range" "a period has 1 to 1024 slots"
            "correct settlement.slots_per_period";
        PeriodLengthInvalid: "contract-period-length-invalid" "a period lasts 1 s to 7 days and is cut into slots of whole seconds"
            "correct settlement.period_length_s";
        TokenDecimalsUnsupported: "contract-token-decimals-unsupported" "the token does not have 6 decimals"
            "use a token that counts in micro-units";
        CallerRefused: "contract-caller-refused" "the sender does not hold the office that the call belongs to"
            "send with the key of who holds it";
        SignatureInvalid: "contract-signature-invalid" "the signature is none, or has a high s"
            "sign the record's EIP-712 digest again, with low s";
        SignerRefused: "contract-signer-refused" "the signature is sound, but not of the right meter"
            "sign with the key of the participant's meter";
        BatchEmpty: "contract-batch-empty" "the call carries no record and no participant"
            "leave it out";
        BatchLengthsDiffer: "contract-batch-lengths-differ" "there is not one owner for each meter"
            "give as many owners as meters";
        RoleRefused: "contract-role-refused" "the role cannot be given: there is one hub only, and everybody has a role"
            "give one of the other roles";
        RegistryFull: "contract-registry-full" "participant numbers are used up"
            "deploy another contract";
        MeterZero: "contract-meter-zero" "the key of a meter is zero"
            "give the address of the meter's key";
        OwnerZero: "contract-owner-zero" "the owner of a participant is zero"
            "give the owner's address";
        ParticipantUnknown: "contract-participant-unknown" "nobody has this participant number"
            "register the participant first";
        ParticipantInactive: "contract-participant-inactive" "the participant is suspended or retired"
            "ask the registrar to activate it, or leave its records out";
        StateChangeRefused: "contract-state-change-refused" "the change is none, leads from retired, or concerns the hub"
            "look at the participant's state; register a retired one anew";
        CallerNotOwner: "contract-caller-not-owner" "only the participant's owner may"
            "send with the owner's key";
        CallerNotProposed: "contract-caller-not-proposed" "only the proposed owner may"
            "let the owner propose first, then send with the proposed owner's key";
        AmountZero: "contract-amount-zero" "an amount of zero changes nothing"
            "give the amount in micro-units";
        EscrowOverflow: "contract-escrow-overflow" "all balances together would reach 2^64 micro-units"
            "pay in less";
        PeriodZero: "contract-period-zero" "period 0 is never settled"
            "begin with period 1";
        PeriodStarted: "contract-period-started" "prices are fixed before their period starts, and it has started"
            "publish the prices of later periods";
        TariffAlreadyPublished: "contract-tariff-already-published" "the prices of the period are fixed already"
            "settle with them: prices that were published never change";
        TariffLengthInvalid: "contract-tariff-length-invalid" "the table is not a whole number of rows, or too long"
            "give rows of a code and a price for each slot";
        TariffCodeInvalid: "contract-tariff-code-invalid" "the codes of a table do not ascend within 1 to 62"
            "sort the rows by code";
        PackedLengthInvalid: "contract-packed-length-invalid" "packed records have 21 bytes each"
            "pack whole records";
        PartiesEqual: "contract-parties-equal" "a participant would pay itself"
            "correct the record's parties";
        SlotOutOfRange: "contract-slot-out-of-range" "the period has fewer slots"
            "count slots from 0";
        SlotNotOver: "contract-slot-not-over" "the slot has not ended"
            "wait until it is over on the chain";
        EnergyNegative: "contract-energy-negative" "the energy of a first settlement is negative"
            "give feed-in under its own code";
        AlreadySettled: "contract-already-settled" "a record with these parties, period, run, slot and code was settled before"
            "leave it out: nothing is settled twice";
        TariffUnknown: "contract-tariff-unknown" "no price was published for the code in this period"
            "publish the tariff before its period starts";
        FundsInsufficient: "contract-funds-insufficient" "the side that pays holds too little"
            "deposit for the participant: docs/guides/endpoint.md shows how";
        TokenFailed: "contract-token-failed" "the token refused to move"
            "look at the token: it may be paused, or block an address";
        TokenFundsInsufficient: "contract-token-funds-insufficient" "the token's holder has too little"
            "send the holder tokens";
        TokenAllowanceInsufficient: "contract-token-allowance-insufficient" "the token's holder allowed too little"
            "approve the amount for the contract first";
        TokenOwnerOnly: "contract-token-owner-only" "only the demonstration token's owner may issue"
            "send with the owner's key";
        TokenAddressRefused: "contract-token-address-refused" "the token refuses an address, usually zero"
            "name another address";
        NameTooLong: "contract-name-too-long" "the contract's name, a constant, does not fit where it is kept"
            "use the contract as it was released";
        OutOfGas: "contract-out-of-gas" "the transaction used all gas that it was given"
            "send less in one transaction, or let the endpoint estimate the gas";
        Batch: "contract-batch" "a contract of batch settlement refuses, with its error and the values"
            "see what the error means in IBatchSettlement.sol, IDemandProver.sol, ISealedSections.sol or IDutyProver.sol";
        Unknown: "contract-unknown" "none of the contract's reasons: the endpoint's own words, or another contract's data"
            "do as the words say; make sure that the address is that of a settlement contract";
    }
}

/// A custom error of a contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SolidityError {
    /// Its signature, such as `PeriodZero()`.
    pub signature: &'static str,
    /// The first bytes of its revert data.
    pub selector: [u8; 4],
    /// What it says here.
    pub explanation: Explanation,
}

impl Refusal {
    /// Reads the reason from the revert data of an endpoint's answer, or keeps its message.
    #[must_use]
    pub fn of(failure: &RpcFailure) -> Self {
        let data = failure.data.as_deref().map_or(&[][..], |data| data);
        if let Ok(error) = DirectSettlementErrors::abi_decode(data) {
            return Self::of_settlement(error);
        }
        if let Ok(error) = DemoTokenErrors::abi_decode(data) {
            return Self::of_token(error);
        }
        if let Some(error) = batch_error(data) {
            return Self::Batch { error };
        }
        if let Ok(revert) = Revert::abi_decode(data) {
            return Self::Unknown { message: cut(&revert.reason) };
        }
        if let Ok(panic) = Panic::abi_decode(data) {
            return Self::Unknown { message: format!("the contract panics: {panic}") };
        }
        Self::Unknown { message: failure.message.clone() }
    }

    fn of_settlement(error: DirectSettlementErrors) -> Self {
        use DirectSettlementErrors as Error;
        match error {
            Error::ConfigAddressZero(error) => Self::ConfigAddressZero { field: cut(&error.field) },
            Error::SlotsPerPeriodOutOfRange(error) => {
                Self::SlotsPerPeriodOutOfRange { slots_per_period: error.slotsPerPeriod }
            }
            Error::PeriodLengthInvalid(error) => Self::PeriodLengthInvalid {
                period_length_s: error.periodLength,
                slots_per_period: error.slotsPerPeriod,
            },
            Error::TokenDecimalsUnsupported(error) => {
                Self::TokenDecimalsUnsupported { decimals: error.decimals }
            }
            Error::CallerRefused(error) => Self::CallerRefused { caller: error.caller },
            Error::SignatureInvalid(_) => Self::SignatureInvalid,
            Error::SignerRefused(error) => {
                Self::SignerRefused { signer: error.signer, meter: error.meter }
            }
            Error::BatchEmpty(_) => Self::BatchEmpty,
            Error::BatchLengthsDiffer(error) => {
                Self::BatchLengthsDiffer { meters: error.meters, owners: error.owners }
            }
            Error::RoleRefused(error) => Self::RoleRefused { role: error.role },
            Error::RegistryFull(_) => Self::RegistryFull,
            Error::MeterZero(error) => Self::MeterZero { participant: error.participant },
            Error::OwnerZero(error) => Self::OwnerZero { participant: error.participant },
            Error::ParticipantUnknown(error) => {
                Self::ParticipantUnknown { participant: error.participant }
            }
            Error::ParticipantInactive(error) => {
                Self::ParticipantInactive { participant: error.participant, state: error.state }
            }
            Error::StateChangeRefused(error) => Self::StateChangeRefused {
                participant: error.participant,
                current: error.current,
                requested: error.requested,
            },
            Error::CallerNotOwner(error) => {
                Self::CallerNotOwner { participant: error.participant, caller: error.caller }
            }
            Error::CallerNotProposed(error) => {
                Self::CallerNotProposed { participant: error.participant, caller: error.caller }
            }
            Error::AmountZero(_) => Self::AmountZero,
            Error::EscrowOverflow(error) => {
                Self::EscrowOverflow { escrow_micro: error.escrow, amount_micro: error.amount }
            }
            Error::PeriodZero(_) => Self::PeriodZero,
            Error::PeriodStarted(error) => {
                Self::PeriodStarted { period: error.period, starts_at_s: error.startsAt }
            }
            Error::TariffAlreadyPublished(error) => {
                Self::TariffAlreadyPublished { period: error.period, hash: error.hash }
            }
            Error::TariffLengthInvalid(error) => {
                Self::TariffLengthInvalid { length: error.length, row_length: error.rowLength }
            }
            Error::TariffCodeInvalid(error) => {
                Self::TariffCodeInvalid { code: error.code, previous: error.previous }
            }
            Error::PackedLengthInvalid(error) => Self::PackedLengthInvalid { length: error.length },
            Error::PartiesEqual(error) => Self::PartiesEqual { participant: error.participant },
            Error::SlotOutOfRange(error) => {
                Self::SlotOutOfRange { slot: error.slot, slots_per_period: error.slotsPerPeriod }
            }
            Error::SlotNotOver(error) => Self::SlotNotOver {
                period: error.period,
                slot: error.slot,
                ends_at_s: error.endsAt,
            },
            Error::EnergyNegative(error) => Self::EnergyNegative { energy_wh: error.energy },
            Error::AlreadySettled(error) => Self::AlreadySettled {
                from: error.from,
                to: error.to,
                period: error.period,
                run: error.run,
                slot: error.slot,
                code: error.code,
            },
            Error::TariffUnknown(error) => {
                Self::TariffUnknown { period: error.period, code: error.code }
            }
            Error::FundsInsufficient(error) => Self::FundsInsufficient {
                participant: error.participant,
                balance_micro: error.balance,
                amount_micro: error.amount,
            },
            Error::SafeERC20FailedOperation(error) => Self::TokenFailed { token: error.token },
            Error::InvalidShortString(_) | Error::StringTooLong(_) => Self::NameTooLong,
        }
    }

    fn of_token(error: DemoTokenErrors) -> Self {
        use DemoTokenErrors as Error;
        let refused = |address| Self::TokenAddressRefused { address };
        match error {
            Error::ERC20InsufficientBalance(error) => Self::TokenFundsInsufficient {
                holder: error.sender,
                balance: error.balance,
                needed: error.needed,
            },
            Error::ERC20InsufficientAllowance(error) => Self::TokenAllowanceInsufficient {
                spender: error.spender,
                allowance: error.allowance,
                needed: error.needed,
            },
            Error::OwnableUnauthorizedAccount(error) => {
                Self::TokenOwnerOnly { caller: error.account }
            }
            Error::ERC20InvalidApprover(error) => refused(error.approver),
            Error::ERC20InvalidReceiver(error) => refused(error.receiver),
            Error::ERC20InvalidSender(error) => refused(error.sender),
            Error::ERC20InvalidSpender(error) => refused(error.spender),
            Error::OwnableInvalidOwner(error) => refused(error.owner),
        }
    }

    /// Returns every custom error that the contract and the demonstration token declare, with what it says here.
    #[must_use]
    pub fn solidity_errors() -> Vec<SolidityError> {
        let settlement = DirectSettlementErrors::SELECTORS.iter();
        let settlement = settlement.zip(DirectSettlementErrors::SIGNATURES);
        let token = DemoTokenErrors::SELECTORS.iter().zip(DemoTokenErrors::SIGNATURES);
        let error = |(&selector, &signature): (&[u8; 4], &&'static str)| {
            // Read as from a chain, with zero for each value.
            let data = [&selector[..], &[0; 10 * 32]].concat().into();
            let failure = RpcFailure { code: 3, message: String::new(), data: Some(data) };
            let explanation = Self::of(&failure).explanation();
            SolidityError { signature, selector, explanation }
        };
        settlement.chain(token).map(error).collect()
    }

    /// Returns true where the record was settled before, by an earlier process perhaps.
    #[must_use]
    pub fn is_already_settled(&self) -> bool {
        matches!(self, Self::AlreadySettled { .. })
    }
}

/// Returns the name and the values of an error of batch settlement.
fn batch_error(data: &[u8]) -> Option<String> {
    let core = BatchSettlementErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let fraud = || FraudProverErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let demand = || DemandProverErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let duty = || DutyProverErrors::abi_decode(data).map(|error| format!("{error:?}"));
    let named = core.or_else(|_| fraud()).or_else(|_| demand()).or_else(|_| duty()).ok()?;
    // `TooEarly(TooEarly { from: 7 })` says it twice.
    let inner = named.split_once('(').and_then(|(_, inner)| inner.strip_suffix(')'));
    Some(cut(inner.unwrap_or(&named)))
}

fn cut(text: &str) -> String {
    text.chars().filter(|character| !character.is_control()).take(300).collect()
}

#[cfg(test)]
mod tests {
    use alloy_primitives::Bytes;

    use super::*;
    use crate::abi::DirectSettlement as Contract;

    fn check(data: Vec<u8>, expected: &str) {
        let data = Some(Bytes::from(data));
        let failure = RpcFailure { code: 3, message: "execution reverted".into(), data };
        assert_eq!(Refusal::of(&failure).to_string(), expected);
    }

    const ONE: Address = Address::repeat_byte(1);
    const TWO: Address = Address::repeat_byte(2);

    /// Every error of the contract, with values that tell its fields apart, in the order of its
    /// interface.
    fn settlement_errors() -> Vec<(Vec<u8>, &'static str)> {
        use Contract::*;
        let one = "0x0101010101010101010101010101010101010101";
        let two = "0x0202020202020202020202020202020202020202";
        assert_eq!((ONE.to_string().as_str(), TWO.to_string().as_str()), (one, two));
        vec![
            (
                ConfigAddressZero { field: "hub".into() }.abi_encode(),
                "the address hub of the configuration is zero",
            ),
            (
                SlotsPerPeriodOutOfRange { slotsPerPeriod: 1025 }.abi_encode(),
                "1025 slots per period, 1 to 1024 are possible",
            ),
            (
                PeriodLengthInvalid { periodLength: 100, slotsPerPeriod: 96 }.abi_encode(),
                "a period of 100 s cannot be cut into 96 slots",
            ),
            (
                TokenDecimalsUnsupported { decimals: 18 }.abi_encode(),
                "the token has 18 decimals, 6 are needed",
            ),
            (
                CallerRefused { caller: ONE }.abi_encode(),
                "0x0101010101010101010101010101010101010101 does not hold the office for this call",
            ),
            (SignatureInvalid {}.abi_encode(), "the signature is invalid"),
            (
                SignerRefused { signer: ONE, meter: TWO }.abi_encode(),
                "signed by 0x0101010101010101010101010101010101010101, the meter is \
                 0x0202020202020202020202020202020202020202",
            ),
            (BatchEmpty {}.abi_encode(), "the call carries no record and no participant"),
            (
                PackedLengthInvalid { length: U256::from(22) }.abi_encode(),
                "22 bytes are not packed records of 21",
            ),
            (
                BatchLengthsDiffer { meters: U256::from(2), owners: U256::from(3) }.abi_encode(),
                "2 meters with 3 owners",
            ),
            (RoleRefused { role: 1 }.abi_encode(), "the role with number 1 cannot be given"),
            (RegistryFull {}.abi_encode(), "all participant numbers are used"),
            (MeterZero { participant: 5 }.abi_encode(), "the meter of participant 5 is zero"),
            (OwnerZero { participant: 5 }.abi_encode(), "the owner of participant 5 is zero"),
            (ParticipantUnknown { participant: 5 }.abi_encode(), "participant 5 does not exist"),
            (
                ParticipantInactive { participant: 5, state: 2 }.abi_encode(),
                "participant 5 is not active (state 2)",
            ),
            (
                StateChangeRefused { participant: 5, current: 3, requested: 1 }.abi_encode(),
                "participant 5 cannot go from state 3 to 1",
            ),
            (
                CallerNotOwner { participant: 5, caller: ONE }.abi_encode(),
                "0x0101010101010101010101010101010101010101 does not own participant 5",
            ),
            (
                CallerNotProposed { participant: 5, caller: ONE }.abi_encode(),
                "0x0101010101010101010101010101010101010101 is not proposed as owner of \
                 participant 5",
            ),
            (AmountZero {}.abi_encode(), "the amount is zero"),
            (
                EscrowOverflow { escrow: 7, amount: u64::MAX }.abi_encode(),
                "18446744073709551615 micro-units more than 7 are too many",
            ),
            (PeriodZero {}.abi_encode(), "period 0 is never settled"),
            (
                PeriodStarted { period: 3, startsAt: U256::from(99) }.abi_encode(),
                "period 3 started at 99, its prices can no longer be set",
            ),
            (
                TariffAlreadyPublished { period: 3, hash: B256::ZERO }.abi_encode(),
                "the prices of period 3 are fixed already (hash \
                 0x0000000000000000000000000000000000000000000000000000000000000000)",
            ),
            (
                TariffLengthInvalid { length: U256::from(8), rowLength: U256::from(385) }
                    .abi_encode(),
                "a table of 8 bytes is not made of rows of 385, or too long",
            ),
            (
                TariffCodeInvalid { code: 2, previous: 32 }.abi_encode(),
                "code 2 does not follow 32 within 1 to 62",
            ),
            (PartiesEqual { participant: 5 }.abi_encode(), "participant 5 would pay itself"),
            (
                SlotOutOfRange { slot: 96, slotsPerPeriod: 24 }.abi_encode(),
                "slot 96, a period has 24",
            ),
            (
                SlotNotOver { period: 3, slot: 9, endsAt: U256::from(99) }.abi_encode(),
                "slot 9 of period 3 ends at 99, it cannot be metered yet",
            ),
            (EnergyNegative { energy: -3 }.abi_encode(), "-3 Wh in a first settlement"),
            (
                AlreadySettled { from: 1, to: 2, period: 3, run: 4, slot: 5, code: 6 }.abi_encode(),
                "1 to 2, period 3, run 4, slot 5, code 6 is settled already",
            ),
            (
                TariffUnknown { period: 3, code: 32 }.abi_encode(),
                "code 32 has no price in period 3",
            ),
            (
                FundsInsufficient { participant: 7, balance: 5, amount: 9 }.abi_encode(),
                "participant 7 holds 5 micro-units, 9 are due",
            ),
            (
                SafeERC20FailedOperation { token: ONE }.abi_encode(),
                "the token 0x0101010101010101010101010101010101010101 refused to move",
            ),
        ]
    }

    #[test]
    fn every_error_of_the_contract_is_told_with_its_values() {
        let errors = settlement_errors();
        let selectors = errors.iter().map(|(data, _)| &data[..4]);
        let distinct = selectors.collect::<std::collections::BTreeSet<_>>().len();
        // The other two have no values: `every_solidity_error_has_a_code` reads them.
        assert_eq!(distinct, DirectSettlementErrors::COUNT - 2);
        for (data, expected) in errors {
            check(data, expected);
        }
        let revert = Revert { reason: "some\nwords".into() };
        check(revert.abi_encode(), "somewords");
    }

    #[test]
    fn hostile_revert_data_are_survived() {
        let mut data = Contract::FundsInsufficient { participant: 7, balance: 5, amount: 9 };
        data.amount = u64::MAX;
        let data = data.abi_encode();
        for length in 0..data.len() {
            check(data[..length].to_vec(), "execution reverted");
        }
        check(vec![0xff; 1_000], "execution reverted");
    }

    #[test]
    fn every_solidity_error_has_a_code() {
        let errors = Refusal::solidity_errors();
        assert_eq!(errors.len(), DirectSettlementErrors::COUNT + DemoTokenErrors::COUNT);
        for error in errors {
            let hash = alloy_primitives::keccak256(error.signature);
            assert_eq!(error.selector, hash[..4], "{}", error.signature);
            assert_ne!(error.explanation.code, "contract-unknown", "{}", error.signature);
        }
    }

    #[test]
    fn json_names_the_reason() {
        let refusal = Refusal::TariffUnknown { period: 3, code: 32 };
        let json = serde_json::to_string(&refusal).expect("plain data");
        assert_eq!(json, r#"{"reason":"tariff_unknown","period":3,"code":32}"#);
        // The word in JSON and the code of the list are one word.
        for explanation in Refusal::EXPLANATIONS {
            let word = explanation.code.trim_start_matches("contract-").replace('-', "_");
            let json = format!("{{\"reason\":\"{word}\"}}");
            let error = serde_json::from_str::<Refusal>(&json).err();
            let known = error.is_none_or(|error| error.to_string().starts_with("missing field"));
            assert!(known, "{word}");
        }
    }
}
