//! Why a contract refuses a call: its custom errors with their values, as one documented list.

use alloy_primitives::{Address, B256, U256};
use alloy_sol_types::{Panic, Revert, SolError, SolInterface};
use serde::{Deserialize, Serialize};

use crate::abi::DemoToken::DemoTokenErrors;
use crate::abi::DirectSettlement::DirectSettlementErrors;
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
    /// The transaction used all gas that it was given.
    #[error("it used up its {gas} gas")]
    OutOfGas {
        /// What it was given.
        gas: u64,
    },
    /// None of the contract's reasons: the endpoint's own words, or another contract's data.
    #[error("{message}")]
    Unknown {
        /// What is known.
        message: String,
    },
}

impl Refusal {
    /// Reads the reason from the revert data of an endpoint's answer, or keeps its message.
    #[must_use]
    pub fn of(failure: &RpcFailure) -> Self {
        let data = failure.data.as_deref().map_or(&[][..], |data| data);
        if let Ok(error) = DirectSettlementErrors::abi_decode(data) {
            return Self::of_settlement(error);
        }
        if let Ok(error) = DemoTokenErrors::abi_decode(data)
            && let Some(refusal) = Self::of_token(error)
        {
            return refusal;
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
            Error::InvalidShortString(_) | Error::StringTooLong(_) => {
                Self::Unknown { message: "the contract's name is too long".into() }
            }
        }
    }

    fn of_token(error: DemoTokenErrors) -> Option<Self> {
        use DemoTokenErrors as Error;
        Some(match error {
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
            _ => return None,
        })
    }

    /// Returns true where the record was settled before, by an earlier process perhaps.
    #[must_use]
    pub fn is_already_settled(&self) -> bool {
        matches!(self, Self::AlreadySettled { .. })
    }
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
        // The other two concern the name of the contract, which is a constant.
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
    fn json_names_the_reason() {
        let refusal = Refusal::TariffUnknown { period: 3, code: 32 };
        let json = serde_json::to_string(&refusal).expect("plain data");
        assert_eq!(json, r#"{"reason":"tariff_unknown","period":3,"code":32}"#);
    }
}
