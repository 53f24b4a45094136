//! temporary
use serde::{Deserialize, Serialize};
/// Record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct DirectRecord {
    /// Payer.
    pub from: u32,
    /// Payee.
    pub to: u32,
    /// Period.
    pub period: u32,
    /// Run.
    pub run: u16,
    /// Slot.
    pub slot: u16,
    /// Code.
    pub code: u8,
    /// Energy.
    pub energy_wh: i32,
}
