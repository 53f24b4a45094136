//! How far a set-point is: planned, told, answered, over.

use std::fmt;

/// The status of a set-point.
///
/// ```text
/// planned -> sent -> acknowledged -> completed
///    |         |          |
///    |         |          +-> failed       the device does something else
///    |         +-> refused                 the device says no
///    |         +-> failed
///    +---------+-> expired                 no answer while it was valid
///    +---------+----------+-> superseded   a newer version covers all of its steps
/// ```
///
/// # Source
///
/// The terms are those of the responses to a control in IEEE 2030.5 (received, completed, superseded, rejected) and of the acknowledgements of
/// UFTP messages, in the words that both share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// It is to be sent.
    Planned,
    /// It is on its way, and not answered.
    Sent,
    /// The device has said that it will follow.
    Acknowledged,
    /// The device has followed it to its end.
    Completed,
    /// The device has said that it will not follow.
    Refused,
    /// Nothing was heard of the device while the set-point was valid.
    Expired,
    /// The device does something else, or nothing.
    Failed,
    /// A newer version is in force in all of its steps.
    Superseded,
}

impl Status {
    /// All, in the order of the life of a set-point.
    pub const ALL: [Self; 8] = [
        Self::Planned,
        Self::Sent,
        Self::Acknowledged,
        Self::Completed,
        Self::Refused,
        Self::Expired,
        Self::Failed,
        Self::Superseded,
    ];

    /// Returns the word for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Sent => "sent",
            Self::Acknowledged => "acknowledged",
            Self::Completed => "completed",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }

    /// Returns the status of a word.
    #[must_use]
    pub fn of_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.word() == word)
    }

    /// Returns whether a set-point may go from this status to another in one step.
    #[must_use]
    pub const fn may_become(self, next: Self) -> bool {
        use Status::{
            Acknowledged, Completed, Expired, Failed, Planned, Refused, Sent, Superseded,
        };
        matches!(
            (self, next),
            (Planned, Sent | Expired | Superseded)
                | (Sent, Acknowledged | Refused | Expired | Failed | Superseded)
                | (Acknowledged, Completed | Failed | Superseded)
        )
    }

    /// Returns whether the device does not follow it: nothing may be built on it.
    #[must_use]
    pub const fn is_out(self) -> bool {
        matches!(self, Self::Refused | Self::Expired | Self::Failed)
    }

    /// Returns what it becomes when a device is reported: a set-point that was planned has been sent then. What has ended stays as it is.
    #[must_use]
    pub(super) const fn reported(self, next: Self) -> Self {
        let from = if matches!(self, Self::Planned) { Self::Sent } else { self };
        let is_refused_late =
            matches!((from, next), (Self::Acknowledged, Self::Refused | Self::Expired));
        // Who goes back on its word has failed.
        if is_refused_late {
            return Self::Failed;
        }
        if from.may_become(next) { next } else { self }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_has_ended_stays_as_it_is() {
        for from in Status::ALL {
            let is_end = Status::ALL.into_iter().all(|next| !from.may_become(next));
            let ends = [
                Status::Completed,
                Status::Refused,
                Status::Expired,
                Status::Failed,
                Status::Superseded,
            ];
            assert_eq!(is_end, ends.contains(&from), "{from}");
            if is_end {
                assert!(Status::ALL.into_iter().all(|next| from.reported(next) == from));
            }
            assert_eq!(Status::of_word(from.word()), Some(from));
        }
    }

    #[test]
    fn who_goes_back_on_its_word_has_failed() {
        assert_eq!(Status::Acknowledged.reported(Status::Refused), Status::Failed);
        assert_eq!(Status::Planned.reported(Status::Refused), Status::Refused);
        assert_eq!(Status::Sent.reported(Status::Expired), Status::Expired);
    }
}
