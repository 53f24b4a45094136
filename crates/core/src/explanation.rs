//! What an error means and what helps, declared once beside the error: `docs/reference/refusals.md` is written from it.
//!
//! [`Reason`](crate::rejection::Reason) does the same for input that is refused.

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
    /// What the errors of this type say themselves, in order of precedence. What one passes on stands with the error that it
    /// passes on.
    const EXPLANATIONS: &'static [Explanation];

    /// Returns what this error says.
    fn explanation(&self) -> Explanation;
}

/// Declares what each variant of an error says: its code, meaning and remedy, or which of its fields says it. A variant
/// without an entry does not compile.
///
/// An error of another crate is explained through a reference, here `Said`:
///
/// ```
/// use gridtally_core::explanation::Explained;
/// use gridtally_core::explanations;
///
/// enum Inner {
///     Lost,
/// }
/// enum Outer {
///     Late { by_s: u64 },
///     Inner(Inner),
/// }
/// explanations! { Inner { Lost: "letter-lost" "the letter is lost" "write it again"; } }
/// explanations! {
///     Said(&Outer) {
///         Late: "letter-late" "the letter comes late" "wait";
///         Inner(error);
///     }
/// }
/// assert_eq!(Said(&Outer::Inner(Inner::Lost)).explanation().code, "letter-lost");
/// assert_eq!(Said(&Outer::Late { by_s: 1 }).explanation().remedy, "wait");
/// assert_eq!(Said::EXPLANATIONS.len(), 1);
/// ```
#[macro_export]
macro_rules! explanations {
    ($type:ident { $($entries:tt)* }) => {
        impl $crate::explanation::Explained for $type {
            const EXPLANATIONS: &'static [$crate::explanation::Explanation] =
                $crate::explanations!(@list $($entries)*);

            fn explanation(&self) -> $crate::explanation::Explanation {
                $crate::explanations!(@of self, $type, $($entries)*)
            }
        }
    };
    ($said:ident(&$type:ident) { $($entries:tt)* }) => {
        struct $said<'a>(&'a $type);

        impl $crate::explanation::Explained for $said<'_> {
            const EXPLANATIONS: &'static [$crate::explanation::Explanation] =
                $crate::explanations!(@list $($entries)*);

            fn explanation(&self) -> $crate::explanation::Explanation {
                $crate::explanations!(@of self.0, $type, $($entries)*)
            }
        }
    };
    (@list $(
        $variant:ident $(($inner:ident $(as $said:ident)?))? $({ $field:ident $(as $said_field:ident)? })?
        $(: $code:literal $meaning:literal $remedy:literal)? ;
    )*) => {
        &[$($($crate::explanation::Explanation { code: $code, meaning: $meaning, remedy: $remedy },)?)*]
    };
    (@of $error:expr, $type:ident, $(
        $variant:ident $(($inner:ident $(as $said:ident)?))? $({ $field:ident $(as $said_field:ident)? })?
        $(: $code:literal $meaning:literal $remedy:literal)? ;
    )*) => {
        match $error {
            $($($type::$variant { .. } => {
                $crate::explanation::Explanation { code: $code, meaning: $meaning, remedy: $remedy }
            })?)*
            $($($type::$variant($inner) => $crate::explanations!(@passed $inner $($said)?),)?)*
            $($($type::$variant { $field, .. } => $crate::explanations!(@passed $field $($said_field)?),)?)*
        }
    };
    (@passed $error:ident) => {
        {
            use $crate::explanation::Explained as _;
            $error.explanation()
        }
    };
    (@passed $error:ident $said:ident) => {
        $crate::explanation::Explained::explanation(&$said($error))
    };
}
