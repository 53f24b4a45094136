//! Why a problem is refused.

use std::fmt;

use gridtally_core::explanations;
use jiff::civil::{Date, DateTime, Time};

/// A problem that cannot be planned because it says something that cannot be: where, and what.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{path}{}: {reason}", line.map_or_else(String::new, |line| format!(" (line {line})")))]
pub struct ProblemRefused {
    /// The field, such as `devices[2].sessions[0].departure`; a dot where the document as a whole is meant.
    pub path: String,
    /// Where it stands in a form that people write, from 1.
    pub line: Option<usize>,
    /// What is wrong with it.
    pub reason: ProblemReason,
}

/// What is wrong with a field, in order of precedence.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ProblemReason {
    /// It is not written as the schema says.
    #[error("{message}")]
    Malformed {
        /// What the reader met.
        message: String,
    },
    /// A name or currency that cannot be shown.
    #[error("{found:?} is not between 1 and 100 characters that can be shown")]
    Name {
        /// What it says.
        found: String,
    },
    /// The document has another schema.
    #[error("the schema is {found:?}, expected {expected:?}")]
    Schema {
        /// What it says.
        found: String,
        /// What is read here.
        expected: &'static str,
    },
    /// A kind that is not known.
    #[error("{found:?} is not known, expected one of {known}")]
    Unknown {
        /// What it says.
        found: String,
        /// What is known, separated by commas.
        known: &'static str,
    },
    /// A series has another length than the horizon, or a column than there are devices.
    #[error("{found} values where {expected} are needed")]
    Length {
        /// How many it has.
        found: usize,
        /// How many it must have.
        expected: usize,
    },
    /// A number is outside of what is possible.
    #[error("{found} is not between {least} and {most}")]
    Range {
        /// The number.
        found: f64,
        /// The least that is possible.
        least: f64,
        /// The most that is possible.
        most: f64,
    },
    /// Two numbers are in the wrong order.
    #[error("{found} comes before {other} {of}")]
    Order {
        /// The number that should not be smaller.
        found: f64,
        /// The one that it is compared with.
        other: f64,
        /// What that one is.
        of: &'static str,
    },
    /// A name stands twice.
    #[error("{name:?} is the name of an earlier device")]
    Duplicate {
        /// The name.
        name: String,
    },
    /// A name is not that of a device of the right kind.
    #[error("no earlier or later cycle is called {name:?}")]
    NoSuchCycle {
        /// The name.
        name: String,
    },
    /// A device is on a feeder that is not written down.
    #[error("no feeder is called {name:?}")]
    NoSuchFeeder {
        /// The name.
        name: String,
    },
    /// A table beside the document cannot be used.
    #[error("{file}: {message}")]
    Table {
        /// Its name.
        file: String,
        /// What is wrong with it.
        message: String,
    },
    /// A wish is for a device that does not exist, or that it cannot be asked of.
    #[error("no device called {name:?} can be asked for this")]
    NoSuchDevice {
        /// The name.
        name: String,
    },
    /// A clock time at which no step begins.
    #[error("no step begins at {time} between {first} and {last}")]
    NoSuchTime {
        /// The time.
        time: Time,
        /// What clocks show at the first step that it could be.
        first: DateTime,
        /// What they show at the end.
        last: DateTime,
    },
    /// A clock time that clocks never show, because they go forward over it.
    #[error("clocks go forward over {time} on {date}")]
    Skipped {
        /// The time.
        time: Time,
        /// The day of 23 hours.
        date: Date,
    },
    /// A clock time that clocks show twice, because they go back.
    #[error("clocks show {time} twice on {date}")]
    ShownTwice {
        /// The time.
        time: Time,
        /// The day of 25 hours.
        date: Date,
    },
    /// Something does not fit into its window.
    #[error("{needed} steps do not fit into {room}")]
    NoRoom {
        /// How many steps are needed.
        needed: usize,
        /// How many there are.
        room: usize,
    },
}

explanations! {
    ProblemReason {
        Malformed: "problem-malformed" "the problem is not written as its schema says"
            "compare the field with the schema; unknown fields are not ignored";
        Name: "problem-name" "a name or currency is empty, too long, or has characters that cannot be shown"
            "give a short name without control characters";
        Schema: "problem-schema" "the document has another schema"
            "plan households with gridtally schedule, fleets with gridtally dispatch";
        Unknown: "problem-kind-unknown" "the document names a kind that is not known"
            "take one of the kinds that are listed";
        Length: "problem-length" "a series does not have a value for each step, or a column one for each device"
            "give one value for each step or device; a local day of 23 or 25 hours has fewer or more steps";
        Range: "problem-range" "a number is outside of what is possible"
            "correct the number, and check its unit";
        Order: "problem-order" "two numbers are in the wrong order"
            "exchange or correct them";
        Duplicate: "problem-duplicate" "two devices have the same name"
            "give each device a name of its own";
        NoSuchCycle: "problem-no-such-cycle" "a program is to run after one that does not exist"
            "name a cycle of the same household";
        NoSuchFeeder: "problem-no-such-feeder" "a device is on a feeder that is not written down"
            "name one of the feeders, or write this one down as [[feeder]]";
        Table: "problem-table" "a table beside the problem cannot be used"
            "give a CSV file beside the problem, with a header and a number in each row for each hour or step";
        NoSuchDevice: "problem-no-such-device" "a wish or a state is for a device that does not exist, or that cannot have it"
            "name a device of the household that can do this";
        NoSuchTime: "problem-no-such-time" "no step begins at a clock time"
            "give a time at which a step begins, after the one that it follows and before the end";
        Skipped: "problem-time-skipped" "a clock time is one that clocks go forward over"
            "give a time before or after the hour that is left out";
        ShownTwice: "problem-time-twice" "a clock time is shown twice because clocks go back"
            "give a time before or after the hour that comes twice";
        NoRoom: "problem-no-room" "what must run does not fit into its window"
            "widen the window or shorten the run";
    }
}

impl ProblemRefused {
    pub(crate) fn new(path: impl fmt::Display, reason: ProblemReason) -> Self {
        Self { path: path.to_string(), line: None, reason }
    }
}
