//! Times as a household reads them.

use gridtally_schedule::household::Horizon;

/// Returns the clock time of a step, with the day where it is not the first: `07:00`, `Tue 07:00`. The end of a day is its 24:00.
pub(in crate::commands) fn clock(horizon: &Horizon, step: usize) -> String {
    let local = horizon.local(step);
    let first = horizon.local(0).date();
    if local.date() == first {
        return local.strftime("%H:%M").to_string();
    }
    local.strftime("%a %H:%M").to_string()
}
