//! Parties: prosumers, the aggregator, the DSO.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{IdError, short_name};

/// A party, by a short name that says nothing about a person: 1 to 40 characters of `a-z`, `0-9`, `-`, `_` and `.`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct PartyId(Box<str>);

impl PartyId {
    /// Returns the name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for PartyId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        short_name(text, |byte| byte.is_ascii_lowercase()).map(|name| Self(name.into()))
    }
}

impl TryFrom<String> for PartyId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<PartyId> for String {
    fn from(party: PartyId) -> Self {
        party.0.into()
    }
}

impl fmt::Display for PartyId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.0)
    }
}

/// What a party does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Consumes and may produce.
    Prosumer,
    /// Bundles the flexibility of prosumers and is their counterparty.
    Aggregator,
    /// Runs the distribution grid and buys flexibility.
    Dso,
}

/// A role that is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unknown role, expected prosumer, aggregator or dso")]
pub struct RoleError;

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "prosumer" => Ok(Self::Prosumer),
            "aggregator" => Ok(Self::Aggregator),
            "dso" => Ok(Self::Dso),
            _ => Err(RoleError),
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.pad(match self {
            Self::Prosumer => "prosumer",
            Self::Aggregator => "aggregator",
            Self::Dso => "dso",
        })
    }
}

/// A party's number in the contract's registry: 0 is the hub, the others count from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ParticipantNumber(pub u32);

impl ParticipantNumber {
    /// The aggregator as counterparty of every record.
    pub const HUB: Self = Self(0);
}

impl fmt::Display for ParticipantNumber {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// A party with its role and its number on the chain.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Party {
    /// Short name.
    pub id: PartyId,
    /// What it does.
    pub role: Role,
    /// Number in the contract's registry.
    pub participant: ParticipantNumber,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_short_and_plain() {
        assert_eq!("home_03".parse::<PartyId>().unwrap().to_string(), "home_03");
        let long = "a".repeat(41);
        for (text, message) in [
            ("", "0 characters instead of 1 to 40"),
            (long.as_str(), "41 characters instead of 1 to 40"),
            ("Home", "'H' cannot stand at position 1"),
            ("a b", "' ' cannot stand at position 2"),
            ("../a", "'.' cannot stand at position 1"),
            ("7.07057500012346e+17", "scientific notation, the last digits are lost"),
        ] {
            assert_eq!(text.parse::<PartyId>().unwrap_err().to_string(), message);
        }
    }

    #[test]
    fn roles_round_trip() {
        for role in [Role::Prosumer, Role::Aggregator, Role::Dso] {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.to_string());
        }
    }
}
