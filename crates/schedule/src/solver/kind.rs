//! Which solvers there are, and which of them this build has.

use std::fmt;
use std::str::FromStr;

#[cfg(feature = "highs")]
use super::Highs;
use super::{Microlp, Solver};

/// A solver by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SolverKind {
    /// `microlp`, in Rust: always there.
    Microlp,
    /// `HiGHS`, in C++: where the feature `highs` is built.
    Highs,
}

impl SolverKind {
    /// All of them, the default first.
    pub const ALL: [Self; 2] = [Self::Microlp, Self::Highs];

    /// Returns the solver, if this build has it.
    #[must_use]
    pub const fn solver(self) -> Option<&'static dyn Solver> {
        match self {
            Self::Microlp => Some(&Microlp),
            #[cfg(feature = "highs")]
            Self::Highs => Some(&Highs),
            #[cfg(not(feature = "highs"))]
            Self::Highs => None,
        }
    }

    /// Returns this solver, then the others that this build has: each is tried when the one before it fails.
    #[must_use]
    pub fn first(self) -> Vec<&'static dyn Solver> {
        let others = Self::ALL.into_iter().filter(|&other| other != self);
        [self].into_iter().chain(others).filter_map(Self::solver).collect()
    }
}

impl fmt::Display for SolverKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Microlp => "microlp",
            Self::Highs => "highs",
        })
    }
}

/// A solver that cannot be used, in order of precedence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SolverUnavailable {
    /// There is none of this name.
    #[error("there is no solver {found:?}; there are {}", names(&SolverKind::ALL))]
    Unknown {
        /// What was asked for.
        found: String,
    },
    /// This build is without it.
    #[error("this build is without {kind}: build with `--features {kind}`, or use {}", names(&available()))]
    NotBuilt {
        /// What was asked for.
        kind: SolverKind,
    },
}

impl FromStr for SolverKind {
    type Err = SolverUnavailable;

    fn from_str(text: &str) -> Result<Self, SolverUnavailable> {
        let known = Self::ALL.into_iter().find(|kind| kind.to_string() == text);
        let kind = known.ok_or_else(|| SolverUnavailable::Unknown { found: text.to_owned() })?;
        if kind.solver().is_none() {
            return Err(SolverUnavailable::NotBuilt { kind });
        }
        Ok(kind)
    }
}

fn available() -> Vec<SolverKind> {
    SolverKind::ALL.into_iter().filter(|kind| kind.solver().is_some()).collect()
}

fn names(kinds: &[SolverKind]) -> String {
    kinds.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solver_is_there_or_says_how_to_get_it() {
        assert_eq!("microlp".parse(), Ok(SolverKind::Microlp));
        let unknown = "cplex".parse::<SolverKind>().unwrap_err();
        assert_eq!(unknown.to_string(), "there is no solver \"cplex\"; there are microlp, highs");
        let highs = "highs".parse::<SolverKind>();
        if cfg!(feature = "highs") {
            assert_eq!(highs, Ok(SolverKind::Highs));
            assert_eq!(SolverKind::Highs.first().len(), 2);
        } else {
            assert_eq!(
                highs.unwrap_err().to_string(),
                "this build is without highs: build with `--features highs`, or use microlp"
            );
        }
    }
}
