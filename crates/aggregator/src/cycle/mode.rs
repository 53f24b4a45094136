//! How a store settles: record by record, or in batches.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::store::StoreView;

/// How a store settles. It keeps to the mode of its first deployment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SettlementMode {
    /// Every record moves money by itself; nothing replaces it.
    Direct,
    /// Thousands of records in one transaction, final after a week; later runs correct earlier ones.
    Batch,
}

/// A store settles in another mode than was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the store settles in mode {found}, not {asked}")]
pub struct ModeDiffers {
    /// The mode of the store.
    pub found: SettlementMode,
    /// The one that was asked for.
    pub asked: SettlementMode,
}

/// A text that names no mode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("give direct or batch")]
pub struct NoMode;

impl SettlementMode {
    /// Returns the mode in which a store settles: its own, or before its first deployment the one that is asked for, direct
    /// where none is.
    ///
    /// # Errors
    ///
    /// Returns [`ModeDiffers`] where the store settles in another one.
    pub fn of(view: &StoreView, asked: Option<Self>) -> Result<Self, ModeDiffers> {
        match (view.mode(), asked) {
            (Some(found), Some(asked)) if found != asked => Err(ModeDiffers { found, asked }),
            (found, asked) => Ok(found.or(asked).unwrap_or(Self::Direct)),
        }
    }

    /// Makes sure that a store settles in this mode, or in none yet.
    pub(super) fn check(self, view: &StoreView) -> Result<(), ModeDiffers> {
        Self::of(view, Some(self)).map(drop)
    }
}

impl fmt::Display for SettlementMode {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Direct => "direct",
            Self::Batch => "batch",
        })
    }
}

impl FromStr for SettlementMode {
    type Err = NoMode;

    fn from_str(text: &str) -> Result<Self, NoMode> {
        match text {
            "direct" => Ok(Self::Direct),
            "batch" => Ok(Self::Batch),
            _ => Err(NoMode),
        }
    }
}
