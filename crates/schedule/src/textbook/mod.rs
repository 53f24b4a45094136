//! Problems as textbooks write them: one mixed-integer program each, with every choice an integer from the start.
//!
//! They are here to disagree with. Nothing is shared with the formulation or the methods that plans come from; `HiGHS` solves them as a whole,
//! in tests as a second opinion and in benchmarks as the usual way.

mod household;

use crate::fleet::Fleet;
use crate::solver::Model;

pub use household::household;

/// Returns a fleet as one program: each device with its own columns in each step, each program with its starts.
#[must_use]
pub fn fleet(fleet: &Fleet) -> Model {
    crate::fleet::as_one_program(fleet)
}
