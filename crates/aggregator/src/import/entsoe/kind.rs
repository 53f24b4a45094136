//! Which kind of market document it is.

use gridtally_core::rejection::{Reason, Rejection};

use super::document::{Document, Field};

/// Refuses all but price documents, by their names.
pub(super) fn check_kind(document: &Document<'_>) -> Result<(), Rejection> {
    const ROOT: &str = "Publication_MarketDocument";
    const NAMESPACE: &str = "urn:iec62325.351:tc57wg16:451-3:publicationdocument:7:";
    let refuse = |detail: String| {
        Err(Rejection::new(Reason::DocumentKind, &document.root)
            .at_line(document.line)
            .because(detail)
            .with_remedy("give a Publication_MarketDocument of type A44"))
    };
    let code = |field: &Option<Field<'_>>| {
        let code = field.as_ref().map_or("none", |field| &*field.text);
        code.chars().take(40).collect::<String>()
    };
    if document.root != ROOT {
        let kind = code(&document.kind);
        return refuse(match document.root.as_str() {
            "Acknowledgement_MarketDocument" => {
                let reason = document.reason_text.as_ref().map_or("", |field| &*field.text);
                let reason: String = reason.chars().take(200).collect();
                format!("an answer without data, reason {}: {reason}", code(&document.reason_code))
            }
            "GL_MarketDocument" => {
                let what = match kind.as_str() {
                    "A65" => "load",
                    "A69" | "A70" | "A71" => "generation forecast",
                    _ => "generation or load",
                };
                let when = match code(&document.process).as_str() {
                    "A01" => ", day ahead",
                    "A16" => ", realised",
                    _ => "",
                };
                format!("{what}{when} (type {kind})")
            }
            "Balancing_MarketDocument" => format!("balancing (type {kind})"),
            _ => "not a document that gridtally knows".to_owned(),
        });
    }
    if !document.namespace.starts_with(NAMESPACE) {
        let namespace: String = document.namespace.chars().take(100).collect();
        return refuse(format!("the namespace {namespace:?} instead of {NAMESPACE}0 to 3"));
    }
    match &document.kind {
        Some(kind) if kind.text == "A44" => {}
        kind => return refuse(format!("type {} instead of A44, prices", code(kind))),
    }
    if document.series.is_empty() {
        let empty = Rejection::new(Reason::DocumentMalformed, "").at_line(document.line);
        return Err(empty.in_column("TimeSeries").because("the element is missing"));
    }
    Ok(())
}
