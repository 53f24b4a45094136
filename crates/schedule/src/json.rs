//! Strict JSON: an error names the path of its field.

use serde::Deserialize;

use crate::refusal::{ProblemReason, ProblemRefused};

/// Reads a value and nothing after it; `path` is where the text stands in its document.
///
/// # Errors
///
/// Returns the path of the field that is not as it must be.
pub(crate) fn read<'a, T: Deserialize<'a>>(path: &str, text: &'a str) -> Result<T, ProblemRefused> {
    let reader = &mut serde_json::Deserializer::from_str(text);
    let value =
        serde_path_to_error::deserialize(&mut *reader).map_err(|error| malformed(path, &error))?;
    reader.end().map_err(|error| {
        let message = error.to_string();
        ProblemRefused::new(".", ProblemReason::Malformed { message })
    })?;
    Ok(value)
}

/// Returns the refusal of a field below `path`.
pub(crate) fn malformed(
    path: &str,
    error: &serde_path_to_error::Error<serde_json::Error>,
) -> ProblemRefused {
    let inner = error.path().to_string();
    let path = match (path, inner.as_str()) {
        ("", inner) => inner.to_owned(),
        (path, ".") => path.to_owned(),
        (path, inner) => format!("{path}.{inner}"),
    };
    ProblemRefused::new(path, ProblemReason::Malformed { message: error.inner().to_string() })
}
