//! What numbers and series of a problem may be.

use crate::refusal::{ProblemReason, ProblemRefused};

/// Largest power, energy, price, fee, temperature: beyond it a number is a mistake of units.
pub(crate) const MAGNITUDE_MAX: f64 = 1e6;

/// Nothing, or the first field that cannot be.
pub(crate) type Checked = Result<(), ProblemRefused>;

/// Names reach terminals and pictures.
pub(crate) fn name(path: &str, found: &str) -> Checked {
    let is_shown =
        (1..=100).contains(&found.chars().count()) && !found.chars().any(char::is_control);
    if is_shown {
        return Ok(());
    }
    let found = found.chars().take(100).collect();
    Err(ProblemRefused::new(path, ProblemReason::Name { found }))
}

/// Efficiencies below a hundredth are a mistake, and zero would divide by nothing.
pub(crate) fn efficiency(path: &str, value: f64) -> Checked {
    within(path, value, 0.01, 1.0)
}

pub(crate) fn within(path: &str, found: f64, least: f64, most: f64) -> Checked {
    // Not a number is nowhere.
    if found >= least && found <= most {
        return Ok(());
    }
    Err(ProblemRefused::new(path, ProblemReason::Range { found, least, most }))
}

pub(crate) fn within_each(path: &str, values: &[f64], least: f64, most: f64) -> Checked {
    let is_outside = |value: &f64| within("", *value, least, most).is_err();
    values
        .iter()
        .position(is_outside)
        .map_or(Ok(()), |t| within(&format!("{path}[{t}]"), values[t], least, most))
}

#[expect(clippy::cast_precision_loss, reason = "numbers of steps; larger ones are refused anyway")]
pub(crate) fn within_count(path: &str, found: usize, least: usize, most: usize) -> Checked {
    within(path, found as f64, least as f64, most as f64)
}

pub(crate) fn not_below(path: &str, found: f64, other: f64, of: &'static str) -> Checked {
    if found < other {
        return Err(ProblemRefused::new(path, ProblemReason::Order { found, other, of }));
    }
    Ok(())
}

pub(crate) fn length(path: &str, found: usize, expected: usize) -> Checked {
    if found == expected {
        return Ok(());
    }
    Err(ProblemRefused::new(path, ProblemReason::Length { found, expected }))
}
