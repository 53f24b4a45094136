//! What an error means and what helps, declared once beside the error: `docs/reference/refusals.md` is written from it.
//!
//! The chain stands alone, so it does not share `gridtally_core::explanation`, which does the same for the other crates.

use crate::{
    archive::ArchiveError,
    blob::BlobError,
    blob_store::BlobStoreError,
    block_log::LogError,
    engine::EngineError,
    open::OpenError,
    pool::PoolError,
    rpc::subscribe::Unsubscribed,
    sealer::SealError,
    server::{ServeError, guard},
    state::{StateError, checkpoint::WriteError},
    submit::SubmitError,
};

/// What an error says to programs and to people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Explanation {
    /// A stable word for programs.
    pub code: &'static str,
    /// What has happened, lower case and without a full stop.
    pub meaning: &'static str,
    /// What usually helps, lower case and without a full stop.
    pub remedy: &'static str,
}

/// An error of the documented list.
pub trait Explained {
    /// What the errors of this type say themselves, in order of precedence. What one passes on stands with the error that
    /// it passes on.
    const EXPLANATIONS: &'static [Explanation];

    /// Returns what this error says.
    fn explanation(&self) -> Explanation;
}

/// Returns what every error of the crate says, with the name of its type.
#[must_use]
pub fn explained() -> Vec<(&'static str, &'static [Explanation])> {
    vec![
        ("OpenError", OpenError::EXPLANATIONS),
        ("LogError", LogError::EXPLANATIONS),
        ("ArchiveError", ArchiveError::EXPLANATIONS),
        ("ServeError", ServeError::EXPLANATIONS),
        ("Refusal", guard::Refusal::EXPLANATIONS),
        ("SubmitError", SubmitError::EXPLANATIONS),
        ("BlobError", BlobError::EXPLANATIONS),
        ("BlobStoreError", BlobStoreError::EXPLANATIONS),
        ("PoolError", PoolError::EXPLANATIONS),
        ("SealError", SealError::EXPLANATIONS),
        ("StateError", StateError::EXPLANATIONS),
        ("EngineError", EngineError::EXPLANATIONS),
        ("WriteError", WriteError::EXPLANATIONS),
        ("Unsubscribed", Unsubscribed::EXPLANATIONS),
    ]
}

/// Declares what each variant of an error says: its code, meaning and remedy, or that the error in it says it. A variant
/// without an entry does not compile.
macro_rules! explanations {
    ($type:ident { $($variant:ident $(($inner:ident))? $(: $code:literal $meaning:literal $remedy:literal)?;)* }) => {
        impl $crate::explanation::Explained for $type {
            const EXPLANATIONS: &'static [$crate::explanation::Explanation] = &[
                $($($crate::explanation::Explanation { code: $code, meaning: $meaning, remedy: $remedy },)?)*
            ];

            fn explanation(&self) -> $crate::explanation::Explanation {
                match self {
                    $($(Self::$variant { .. } => {
                        $crate::explanation::Explanation { code: $code, meaning: $meaning, remedy: $remedy }
                    })?)*
                    $($(Self::$variant($inner) => $inner.explanation(),)?)*
                }
            }
        }
    };
}
pub(crate) use explanations;
