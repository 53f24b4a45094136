//! Oracles: planning problems with answers that others have found. Schedules are rarely unique, so costs are compared, and schedules are judged
//! by the checker.

mod fleet;
mod household;

use serde_json::{Value, json};

use super::document::quoted;
use super::{Failure, LISTED_MAX, Refused, Report};

/// Returns the report of an oracle, or nothing for a document of another schema.
pub(super) fn check(document: &Value, text: &str) -> Option<Result<Report, Refused>> {
    match document.get("schema")?.as_str()? {
        gridtally_schedule::household::SCHEMA => Some(household::check(document, text)),
        gridtally_schedule::fleet::SCHEMA => Some(fleet::check(document, text)),
        _ => None,
    }
}

/// The comparisons of one document.
struct Comparison<'a> {
    document: &'a Value,
    checks: usize,
    failed: Vec<Failure>,
    /// Members of `expected` that were compared.
    covered: Vec<&'static str>,
}

impl<'a> Comparison<'a> {
    fn new(document: &'a Value) -> Self {
        Self { document, checks: 0, failed: Vec::new(), covered: Vec::new() }
    }

    /// Returns a member of `expected`, and notes that it is covered.
    fn expected(&mut self, member: &'static str) -> Option<&'a Value> {
        self.covered.push(member);
        self.document.get("expected")?.get(member)
    }

    fn same(&mut self, member: &'static str, computed: Value) {
        let stated = self.expected(member);
        if let Some(stated) = stated {
            self.note(member, stated, computed.clone(), *stated == computed);
        }
    }

    /// Compares numbers as oracles ask for: `|a - b| <= absolute + 1e-6 |b|`.
    fn close_to(&mut self, member: &'static str, computed: f64, absolute: f64) {
        let Some(stated) = self.expected(member) else { return };
        let is_close = stated
            .as_f64()
            .is_some_and(|number| (computed - number).abs() <= absolute + 1e-6 * number.abs());
        self.note(member, stated, json!(computed), is_close);
    }

    fn close(&mut self, member: &'static str, computed: f64) {
        self.close_to(member, computed, 1e-4);
    }

    /// Notes a judgment that is no comparison of numbers.
    fn holds(&mut self, member: &'static str, computed: Value, is_so: bool) {
        if let Some(stated) = self.expected(member) {
            self.note(member, stated, computed, is_so);
        }
    }

    fn note(&mut self, member: &str, stated: &Value, computed: Value, is_right: bool) {
        self.checks += 1;
        if !is_right {
            let at = format!("/expected/{member}");
            self.failed.push(Failure { at, document: Some(super::shown(stated)), computed });
        }
    }

    fn report(self, kind: &'static str) -> Result<Report, Refused> {
        if self.checks == 0 {
            let expected = "an object with answers".to_owned();
            return Err(Refused::Input { at: "/expected".to_owned(), expected });
        }
        let members = self.document.get("expected").and_then(Value::as_object);
        let names = members.into_iter().flat_map(|members| members.keys());
        let others = names.filter(|name| !self.covered.contains(&name.as_str()));
        let not_checked =
            others.take(LISTED_MAX).map(|name| format!("expected.{}", quoted(name))).collect();
        let failed_count = self.failed.len();
        Ok(Report { kind, checks: self.checks, failed: self.failed, failed_count, not_checked })
    }
}
