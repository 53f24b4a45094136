//! Registration of participants, and changes of their states.

use alloy_primitives::Address;
use gridtally_core::explanations;
use gridtally_core::party::ParticipantNumber;
use serde::{Deserialize, Serialize};
use tracing::info;

use crate::abi::DirectSettlement::{
    participantCall, participantCountCall, registerCall, registerManyCall, setStateCall,
};
use crate::concurrent;
use crate::deploy::{Ledger, ReadError};
use crate::event::{ParticipantRole, ParticipantState};
use crate::gas::{CallKind, GasMeasurements};
use crate::pipeline::{Pipeline, ProgressListener};
use crate::refusal::Refusal;
use crate::send_error::SendError;
use crate::sender::Sender;
use crate::wire::Receipt;

/// Most participants in one transaction: about 100,000 gas each on a first registration.
const REGISTRATIONS_MAX: usize = 100;
/// Transactions in flight at a time.
const IN_FLIGHT_MAX: usize = 8;

/// A participant to register.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Registration {
    /// Address of the key that signs its readings.
    pub meter: Address,
    /// Who may withdraw its money.
    pub owner: Address,
    /// What it is; not the hub.
    pub role: ParticipantRole,
}

/// A participant as the contract knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Participant {
    /// Its number.
    pub number: ParticipantNumber,
    /// Address of its meter's key; zero for the hub.
    pub meter: Address,
    /// Who may withdraw.
    pub owner: Address,
    /// What it is.
    pub role: ParticipantRole,
    /// Whether it can pay and be paid.
    pub state: ParticipantState,
    /// Its money, micro-units.
    pub balance_micro: u64,
}

/// Why participants are not registered, in order of precedence. Those before are.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// The contract cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// Numbers are given one after another, and the next one is another.
    #[error("participant {first} cannot be next, the contract gives out {next}")]
    NumberUnreachable {
        /// The number that was to be the first.
        first: ParticipantNumber,
        /// The number that the contract gives next.
        next: ParticipantNumber,
    },
    /// The number belongs to somebody else already.
    #[error("participant {number} is registered with another {field}")]
    Differs {
        /// The number.
        number: ParticipantNumber,
        /// Which property is another one.
        field: &'static str,
    },
    /// A transaction failed.
    #[error(transparent)]
    Send(#[from] SendError),
}

explanations! {
    RegisterError {
        Read(error);
        NumberUnreachable: "participant-number-unreachable" "numbers are given one after another, and the next one is another"
            "register the participants before it first, or settle with the store that registered the others";
        Differs: "participant-differs" "the number belongs to somebody else on the chain"
            "settle with the store that registered the participants";
        Send(error);
    }
}

impl Ledger {
    /// Returns a participant, or `None` where nobody has this number.
    ///
    /// # Errors
    ///
    /// Returns the [`ReadError`].
    pub async fn participant(
        &self,
        number: ParticipantNumber,
    ) -> Result<Option<Participant>, ReadError> {
        let question = "participant(uint32)";
        let found = match self.ask(participantCall { number: number.0 }).await {
            Ok(found) => found,
            Err(ReadError::Refused { refusal, .. })
                if matches!(*refusal, Refusal::ParticipantUnknown { .. }) =>
            {
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let unknown = |what, number| ReadError::Undecodable {
            question,
            reason: format!("{what} {number} does not exist"),
        };
        Ok(Some(Participant {
            number,
            meter: found.meter,
            owner: found.owner,
            role: ParticipantRole::of_number(found.role)
                .ok_or_else(|| unknown("role", found.role))?,
            state: ParticipantState::of_number(found.state)
                .ok_or_else(|| unknown("state", found.state))?,
            balance_micro: found.balance,
        }))
    }

    /// Returns participants in the given order, several asked for at a time; `None` where nobody has a number.
    ///
    /// # Errors
    ///
    /// Returns the first [`ReadError`].
    pub async fn participants(
        &self,
        numbers: impl IntoIterator<Item = ParticipantNumber>,
    ) -> Result<Vec<Option<Participant>>, ReadError> {
        concurrent::each(numbers, |number| self.participant(number)).await
    }

    /// Returns how many participants there are, the hub included: the next number.
    ///
    /// # Errors
    ///
    /// Returns the [`ReadError`].
    pub async fn participant_count(&self) -> Result<ParticipantNumber, ReadError> {
        Ok(ParticipantNumber(self.ask(participantCountCall {}).await?))
    }

    /// Registers participants with the numbers `first`, `first + 1`, ... and no others.
    ///
    /// Those that are registered already (by an earlier try, say) are compared and left alone, so
    /// that calling again after a crash finishes the work.
    ///
    /// # Errors
    ///
    /// Returns the first [`RegisterError`] in the order of its variants.
    pub async fn register(
        &self,
        sender: &Sender,
        first: ParticipantNumber,
        registrations: &[Registration],
        listener: &mut dyn ProgressListener,
    ) -> Result<GasMeasurements, RegisterError> {
        // What an earlier process sent must be on the chain before numbers are given out again.
        sender.wait_until_idle().await?;
        let next = self.participant_count().await?;
        let there =
            next.0.checked_sub(first.0).ok_or(RegisterError::NumberUnreachable { first, next })?;
        let there = registrations.len().min(there as usize);
        let numbers = (first.0..).take(there).map(ParticipantNumber);
        let found = self.participants(numbers.clone()).await?;
        for ((number, registration), found) in numbers.zip(registrations).zip(&found) {
            compare(number, registration, found.as_ref())?;
        }

        let mut pipeline =
            Pipeline::new(sender, IN_FLIGHT_MAX, registrations.len() as u64, listener);
        pipeline.begin_after(there as u64);
        for group in registrations[there..]
            .chunk_by(|left, right| left.role == right.role)
            .flat_map(|group| group.chunks(REGISTRATIONS_MAX))
        {
            let role = group[0].role.number();
            let call = match group {
                [one] => {
                    let call = registerCall { meter: one.meter, owner: one.owner, role };
                    self.call(CallKind::Register, 1, &call)
                }
                many => {
                    let meters = many.iter().map(|one| one.meter).collect();
                    let owners = many.iter().map(|one| one.owner).collect();
                    let call = registerManyCall { meters, owners, role };
                    self.call(CallKind::RegisterMany, many.len() as u64, &call)
                }
            };
            pipeline.send(call).await?;
        }
        pipeline.finish().await?;
        info!(first = first.0, count = registrations.len(), "participants registered");
        Ok(pipeline.measured)
    }

    /// Suspends, reactivates or retires a participant.
    ///
    /// # Errors
    ///
    /// Returns the [`SendError`].
    pub async fn set_state(
        &self,
        sender: &Sender,
        participant: ParticipantNumber,
        state: ParticipantState,
    ) -> Result<Receipt, SendError> {
        let call = setStateCall { number: participant.0, state: state.number() };
        sender.send(self.call(CallKind::RegistryChange, 1, &call)).await
    }
}

fn compare(
    number: ParticipantNumber,
    registration: &Registration,
    found: Option<&Participant>,
) -> Result<(), RegisterError> {
    let differs = |field| Err(RegisterError::Differs { number, field });
    let Some(found) = found else { return differs("number") };
    if found.meter != registration.meter {
        return differs("meter");
    }
    if found.owner != registration.owner {
        return differs("owner");
    }
    if found.role != registration.role {
        return differs("role");
    }
    Ok(())
}
