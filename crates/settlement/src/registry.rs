//! When each participant takes part: from one period on, until another.

use gridtally_core::party::ParticipantNumber;
use gridtally_core::period::SettlementPeriod;

/// The periods in which a participant is active, both included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activity {
    /// The first period.
    pub first: SettlementPeriod,
    /// The last period; the largest number as long as there is no end.
    pub last: SettlementPeriod,
}

impl Activity {
    /// Returns an activity without end.
    #[must_use]
    pub const fn from(first: SettlementPeriod) -> Self {
        Self { first, last: SettlementPeriod(u32::MAX) }
    }

    /// Whether the participant is active in a period.
    #[must_use]
    pub fn covers(&self, period: SettlementPeriod) -> bool {
        (self.first.0..=self.last.0).contains(&period.0)
    }
}

/// The activities of all participants, as registered on the chain. The hub has none.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Activities(Vec<Activity>);

impl Activities {
    /// Returns these activities, beginning with that of participant 1.
    #[must_use]
    pub const fn new(activities: Vec<Activity>) -> Self {
        Self(activities)
    }

    /// Returns a participant's activity, or `None` for the hub and for strangers.
    #[must_use]
    pub fn of(&self, participant: ParticipantNumber) -> Option<Activity> {
        let place = participant.0.checked_sub(1).and_then(|place| usize::try_from(place).ok())?;
        self.0.get(place).copied()
    }

    /// Whether a participant may have readings in a period: never the hub, never a stranger.
    #[must_use]
    pub fn is_active(&self, participant: ParticipantNumber, period: SettlementPeriod) -> bool {
        self.of(participant).is_some_and(|activity| activity.covers(period))
    }
}
