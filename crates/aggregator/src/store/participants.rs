//! Who takes part, and where their exchange with the grid is metered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use alloy_primitives::Address;
use gridtally_core::meter::{Channel, MeteringPointId};
use gridtally_core::party::{ParticipantNumber, PartyId, Role};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::toml_text::Step;

/// Parties and metering points, as of one line of the journal.
///
/// As TOML:
///
/// ```
/// # let text = r#"
/// [[party]]
/// id = "home_01"
/// role = "prosumer"
/// participant = 1
///
/// [[metering_point]]
/// id = "707057500000000018"
/// party = "home_01"
/// metering = "import_export"
/// # "#;
/// # let book: gridtally_aggregator::store::ParticipantBook = toml::from_str(text)?;
/// # assert_eq!(book.parties().len(), 1);
/// # Ok::<(), toml::de::Error>(())
/// ```
///
/// Holds: the participants have the numbers 1, 2, ... in order; names are unique; each point belongs to a party.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(try_from = "UncheckedBook")]
pub struct ParticipantBook {
    #[serde(rename = "party")]
    parties: Vec<PartyEntry>,
    #[serde(rename = "metering_point")]
    points: Vec<PointEntry>,
}

/// The same fields before they were checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UncheckedBook {
    #[serde(default, rename = "party")]
    pub(super) parties: Vec<PartyEntry>,
    #[serde(default, rename = "metering_point")]
    pub(super) points: Vec<PointEntry>,
}

/// A party and what the contract's registry is to know of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PartyEntry {
    /// Short name.
    pub id: PartyId,
    /// What it does.
    pub role: Role,
    /// Number in the contract's registry, from 1.
    pub participant: ParticipantNumber,
    /// Address of the key that signs its readings; where it has none yet, the hub's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub meter: Option<Address>,
    /// Who may withdraw its money; where nobody is named, the hub holds it in trust.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<Address>,
}

/// A metering point.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PointEntry {
    /// Its identifier.
    pub id: MeteringPointId,
    /// Whose exchange is metered.
    pub party: PartyId,
    /// What its channels are.
    pub metering: Metering,
    /// First instant from which it counts: before, nothing is expected of it. Left out, it always counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
}

/// What the channels of a metering point are, and so how the exchange with the grid follows from them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metering {
    /// The import register alone.
    Import,
    /// Both registers of the exchange with the grid.
    ImportExport,
    /// Consumption (as the import channel) and generation (as the export channel) behind the connection. The exchange is
    /// derived for each period: import = max(0, consumption - generation), export = max(0, generation - consumption).
    Gross,
}

impl fmt::Display for Metering {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Import => "import",
            Self::ImportExport => "import_export",
            Self::Gross => "gross",
        })
    }
}

impl Metering {
    /// Returns whether readings of a channel belong to it.
    #[must_use]
    pub const fn has(self, channel: Channel) -> bool {
        match channel {
            Channel::Import => true,
            Channel::Export => !matches!(self, Self::Import),
        }
    }
}

/// Why there is no such book. In order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParticipantError {
    /// More than anybody needs.
    #[error("{actual} parties and metering points are more than {max}", max = ParticipantBook::ENTRIES_MAX)]
    TooMany {
        /// As given.
        actual: usize,
    },
    /// The numbers do not count from 1.
    #[error("party {party} has participant number {actual}, the next one is {expected}")]
    Number {
        /// The party.
        party: PartyId,
        /// The number that comes next.
        expected: u32,
        /// As given.
        actual: u32,
    },
    /// Two parties have one name.
    #[error("party {party} is named twice")]
    PartyTwice {
        /// The party.
        party: PartyId,
    },
    /// Two metering points have one identifier.
    #[error("metering point {point} is named twice")]
    PointTwice {
        /// The metering point.
        point: MeteringPointId,
    },
    /// A metering point of nobody.
    #[error("metering point {point} belongs to {party}, which is no party here")]
    PartyUnknown {
        /// The metering point.
        point: MeteringPointId,
        /// The party as given.
        party: PartyId,
    },
    /// The contract refuses the zero address.
    #[error("the {what} of party {party} is the zero address")]
    AddressZero {
        /// The party.
        party: PartyId,
        /// Which of its addresses.
        what: &'static str,
    },
    /// The book before had this party, and what stands in the contract's registry stays.
    #[error("party {party} is missing: a later list may add parties, and leaves none out")]
    PartyMissing {
        /// The party.
        party: PartyId,
    },
    /// The book before had this party as something else.
    #[error("party {party} was registered with another {key}: a party stays what it is")]
    PartyChanged {
        /// The party.
        party: PartyId,
        /// What of it changed.
        key: &'static str,
    },
    /// The book before had this metering point, and readings are understood by it.
    #[error(
        "metering point {point} is missing: a later list may add metering points, and leaves none out"
    )]
    PointMissing {
        /// The metering point.
        point: MeteringPointId,
    },
    /// The book before had this metering point as something else.
    #[error(
        "metering point {point} was registered with another {key}: what readings mean does not change"
    )]
    PointChanged {
        /// The metering point.
        point: MeteringPointId,
        /// What of it changed.
        key: &'static str,
    },
}

impl ParticipantError {
    /// Returns what the error is about, as a file writes it.
    pub(super) fn subject(&self) -> String {
        match self {
            Self::TooMany { .. } => String::new(),
            Self::Number { party, .. }
            | Self::PartyTwice { party }
            | Self::AddressZero { party, .. }
            | Self::PartyMissing { party }
            | Self::PartyChanged { party, .. } => party.to_string(),
            Self::PointTwice { point }
            | Self::PartyUnknown { point, .. }
            | Self::PointMissing { point }
            | Self::PointChanged { point, .. } => point.to_string(),
        }
    }

    /// Returns where the error stands in the TOML of these parties and metering points, if it stands anywhere.
    pub(super) fn place(
        &self,
        parties: &[PartyEntry],
        points: &[PointEntry],
    ) -> Option<Vec<Step<'static>>> {
        let of_party = |id: &PartyId, key| {
            let entry = parties.iter().rposition(|party| party.id == *id)?;
            Some(vec![Step::Key("party"), Step::Entry(entry), Step::Key(key)])
        };
        let of_point = |id: &MeteringPointId, key| {
            let entry = points.iter().rposition(|point| point.id == *id)?;
            Some(vec![Step::Key("metering_point"), Step::Entry(entry), Step::Key(key)])
        };
        match self {
            Self::TooMany { .. } | Self::PartyMissing { .. } | Self::PointMissing { .. } => None,
            Self::Number { expected, .. } => {
                let entry = usize::try_from(expected.saturating_sub(1)).ok()?;
                Some(vec![Step::Key("party"), Step::Entry(entry), Step::Key("participant")])
            }
            Self::PartyTwice { party } => of_party(party, "id"),
            Self::AddressZero { party, what } => of_party(party, what),
            Self::PartyChanged { party, key } => of_party(party, key),
            Self::PointTwice { point } => of_point(point, "id"),
            Self::PartyUnknown { point, .. } => of_point(point, "party"),
            Self::PointChanged { point, key } => of_point(point, key),
        }
    }
}

impl ParticipantBook {
    /// Most parties and metering points together.
    pub const ENTRIES_MAX: usize = 1_000_000;

    /// Returns the book of these parties and metering points.
    ///
    /// # Errors
    ///
    /// The first six of [`ParticipantError`], in their order.
    pub fn new(
        parties: Vec<PartyEntry>,
        points: Vec<PointEntry>,
    ) -> Result<Self, ParticipantError> {
        let actual = parties.len() + points.len();
        if actual > Self::ENTRIES_MAX {
            return Err(ParticipantError::TooMany { actual });
        }
        for (expected, party) in (1..).zip(&parties) {
            let actual = party.participant.0;
            if actual != expected {
                let party = party.id.clone();
                return Err(ParticipantError::Number { party, expected, actual });
            }
        }
        let mut names = BTreeSet::new();
        for party in &parties {
            if !names.insert(&party.id) {
                return Err(ParticipantError::PartyTwice { party: party.id.clone() });
            }
        }
        let mut ids = BTreeSet::new();
        for point in &points {
            if !ids.insert(&point.id) {
                return Err(ParticipantError::PointTwice { point: point.id.clone() });
            }
        }
        for point in &points {
            if !names.contains(&point.party) {
                let (point, party) = (point.id.clone(), point.party.clone());
                return Err(ParticipantError::PartyUnknown { point, party });
            }
        }
        for party in &parties {
            let addresses = [("meter", party.meter), ("owner", party.owner)];
            if let Some((what, _)) =
                addresses.iter().find(|(_, address)| *address == Some(Address::ZERO))
            {
                return Err(ParticipantError::AddressZero { party: party.id.clone(), what });
            }
        }
        Ok(Self { parties, points })
    }

    /// Checks that this book can follow another: parties and metering points stay what they are.
    ///
    /// # Errors
    ///
    /// The last four of [`ParticipantError`], for each entry of the book before.
    pub fn check_follows(&self, before: &Self) -> Result<(), ParticipantError> {
        let parties: BTreeMap<_, _> = self.parties.iter().map(|party| (&party.id, party)).collect();
        for was in &before.parties {
            let party = was.id.clone();
            let Some(is) = parties.get(&was.id) else {
                return Err(ParticipantError::PartyMissing { party });
            };
            let same = [
                ("role", is.role == was.role),
                ("participant", is.participant == was.participant),
                ("meter", is.meter == was.meter),
                ("owner", is.owner == was.owner),
            ];
            if let Some((key, _)) = same.into_iter().find(|(_, is_same)| !is_same) {
                return Err(ParticipantError::PartyChanged { party, key });
            }
        }
        let points: BTreeMap<_, _> = self.points.iter().map(|point| (&point.id, point)).collect();
        for was in &before.points {
            let point = was.id.clone();
            let Some(is) = points.get(&was.id) else {
                return Err(ParticipantError::PointMissing { point });
            };
            let same = [
                ("party", is.party == was.party),
                ("metering", is.metering == was.metering),
                ("since", is.since == was.since),
            ];
            if let Some((key, _)) = same.into_iter().find(|(_, is_same)| !is_same) {
                return Err(ParticipantError::PointChanged { point, key });
            }
        }
        Ok(())
    }

    /// Returns the parties, ascending by participant number from 1.
    #[must_use]
    pub fn parties(&self) -> &[PartyEntry] {
        &self.parties
    }

    /// Returns the metering points, in the order of the file.
    #[must_use]
    pub fn metering_points(&self) -> &[PointEntry] {
        &self.points
    }

    /// Returns the party of a participant number; nothing for the hub and for numbers that nobody has.
    #[must_use]
    pub fn party(&self, participant: ParticipantNumber) -> Option<&PartyEntry> {
        self.parties.get(usize::try_from(participant.0.checked_sub(1)?).ok()?)
    }

    /// Returns the participant whose exchange each metering point measures, in the order of the metering points.
    ///
    /// # Panics
    ///
    /// Never: the constructor checks that each point belongs to a party.
    #[must_use]
    pub fn owners(&self) -> Vec<ParticipantNumber> {
        let parties: BTreeMap<&PartyId, ParticipantNumber> =
            self.parties.iter().map(|party| (&party.id, party.participant)).collect();
        self.points.iter().map(|point| parties[&point.party]).collect()
    }
}

impl TryFrom<UncheckedBook> for ParticipantBook {
    type Error = ParticipantError;

    fn try_from(unchecked: UncheckedBook) -> Result<Self, Self::Error> {
        Self::new(unchecked.parties, unchecked.points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn party(id: &str, participant: u32) -> PartyEntry {
        PartyEntry {
            id: id.parse().unwrap(),
            role: Role::Prosumer,
            participant: ParticipantNumber(participant),
            meter: None,
            owner: None,
        }
    }

    fn point(id: &str, party: &str) -> PointEntry {
        let metering = Metering::Import;
        let (id, party) = (id.parse().unwrap(), party.parse().unwrap());
        PointEntry { id, party, metering, since: None }
    }

    #[test]
    fn refusals_come_in_order() {
        let refused = |parties: &[(&str, u32)], points: &[(&str, &str)]| {
            let parties = parties.iter().map(|&(id, number)| party(id, number)).collect();
            let points = points.iter().map(|&(id, owner)| point(id, owner)).collect();
            ParticipantBook::new(parties, points).unwrap_err().to_string()
        };
        assert_eq!(
            refused(&[("a", 1), ("a", 3)], &[]),
            "party a has participant number 3, the next one is 2"
        );
        assert_eq!(
            refused(&[("a", 1), ("a", 2)], &[("p", "x"), ("p", "x")]),
            "party a is named twice"
        );
        assert_eq!(
            refused(&[("a", 1)], &[("p", "x"), ("p", "x")]),
            "metering point p is named twice"
        );
        assert_eq!(
            refused(&[("a", 1)], &[("p", "x")]),
            "metering point p belongs to x, which is no party here"
        );
    }

    #[test]
    fn a_later_book_only_adds() {
        let book = |parties, points| ParticipantBook::new(parties, points).unwrap();
        let before = book(vec![party("a", 1)], vec![point("p", "a")]);
        let more = book(vec![party("a", 1), party("b", 2)], vec![point("q", "b"), point("p", "a")]);
        assert_eq!(more.check_follows(&before), Ok(()));
        let party_changed = book(vec![party("b", 1), party("a", 2)], vec![point("p", "a")]);
        let error =
            ParticipantError::PartyChanged { party: "a".parse().unwrap(), key: "participant" };
        assert_eq!(party_changed.check_follows(&before), Err(error));
        let party_lost = book(vec![party("b", 1)], vec![point("p", "b")]);
        let error = ParticipantError::PartyMissing { party: "a".parse().unwrap() };
        assert_eq!(party_lost.check_follows(&before), Err(error));
        let point_lost = book(vec![party("a", 1)], vec![]);
        let error = ParticipantError::PointMissing { point: "p".parse().unwrap() };
        assert_eq!(point_lost.check_follows(&before), Err(error));
    }

    #[test]
    fn books_come_back_from_toml() {
        let book = ParticipantBook::new(vec![party("a", 1)], vec![point("p", "a")]).unwrap();
        let text = toml::to_string(&book).unwrap();
        assert_eq!(toml::from_str::<ParticipantBook>(&text).unwrap(), book);
        assert!(toml::from_str::<ParticipantBook>(&(text + "\n[extra]\n")).is_err());
    }
}
