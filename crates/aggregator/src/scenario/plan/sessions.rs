//! What chargers recorded: who came and left when, and what was charged.

use std::collections::HashMap;
use std::path::Path;

use gridtally_core::rejection::Reason;
use jiff::Timestamp;

use super::span::Span;
use crate::import::Refused;
use crate::import::csv::{Record, records};

/// One stay at a charger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Session {
    pub(super) user: String,
    pub(super) id: String,
    pub(super) plugged_in: Timestamp,
    pub(super) plugged_out: Timestamp,
    pub(super) energy_wh: u32,
    /// What the car draws at most, where the record has an estimate.
    pub(super) power_w: Option<u32>,
}

/// The columns that are read.
const COLUMNS: [&str; 7] =
    ["plugin_utc", "plugout_utc", "site", "user", "session", "energy_wh", "est_power_w"];

/// Reads the sessions for which `is_wanted` says so, of a site and a user. All others are checked as well.
///
/// # Errors
///
/// Every faulty row.
pub(super) fn sessions(
    path: &Path,
    name: &str,
    is_wanted: impl Fn(&str, &str) -> bool,
) -> Result<Vec<Session>, Refused> {
    let mut sessions = Vec::new();
    let mut lines: HashMap<(String, String), u64> = HashMap::new();
    records(path, name, &COLUMNS, |row: &Record<'_>| {
        let [site, user, id] = [2, 3, 4].map(|place| row.text(place));
        let session = Session {
            user: user.to_owned(),
            id: id.to_owned(),
            plugged_in: row.instant(0)?,
            plugged_out: row.instant(1)?,
            energy_wh: row.whole(5)?,
            power_w: row.whole_or_nothing(6)?,
        };
        if id.is_empty() {
            return Err(row.refused(4, Reason::IdLength).with_remedy("name the session"));
        }
        if session.plugged_out <= session.plugged_in {
            let reversed = row.refused(1, Reason::SessionReversed);
            return Err(reversed.because(format_args!("it began at {}", session.plugged_in)));
        }
        if let Some(earlier) = lines.insert((site.to_owned(), id.to_owned()), row.line) {
            let twice = row.refused(4, Reason::SessionTwice);
            return Err(twice.because(format_args!("also in line {earlier}")));
        }
        if is_wanted(site, user) {
            sessions.push(session);
        }
        Ok(())
    })?;
    sessions.sort_by(|a, b| (a.plugged_in, &a.id).cmp(&(b.plugged_in, &b.id)));
    Ok(sessions)
}

/// A session on the steps of a span; it may begin before them and end after them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Stay {
    /// First whole step at the charger.
    pub(super) arrival: i64,
    /// First step that is not whole.
    pub(super) departure: i64,
    /// Whether it has no whole step, and was given those that it touches.
    pub(super) is_widened: bool,
}

impl Session {
    /// Returns the steps during which the car is there from beginning to end, or those that it touches where there is none.
    pub(super) fn stay(&self, span: &Span) -> Stay {
        let start_s = span.horizon.start.as_second();
        let [first, last] = [self.plugged_in, self.plugged_out].map(|at| at.as_second() - start_s);
        let step_s = span.step_s();
        let up = |second: i64| (second + step_s - 1).div_euclid(step_s);
        let (arrival, departure) = (up(first), last.div_euclid(step_s));
        if arrival < departure {
            return Stay { arrival, departure, is_widened: false };
        }
        Stay { arrival: first.div_euclid(step_s), departure: up(last), is_widened: true }
    }
}
