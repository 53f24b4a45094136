//! Bars for long work, on a terminal only.

use std::io::{self, IsTerminal, Read};
use std::time::Duration;

use gridtally_schedule::{Progress, Stage, Watch};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::number::money;
use crate::stopwatch::Stopwatch;

/// Returns a bar that counts to `length`; it stays invisible where standard error is no terminal.
pub(crate) fn bar(length: u64, what: &'static str) -> ProgressBar {
    with_style(length, what, "{msg} [{wide_bar}] {human_pos}/{human_len} {eta}")
}

/// Returns a bar that counts to `length` bytes.
pub(crate) fn bytes(length: u64, what: &'static str) -> ProgressBar {
    with_style(length, what, "{msg} [{wide_bar}] {bytes}/{total_bytes} {eta}")
}

fn with_style(length: u64, what: &'static str, template: &str) -> ProgressBar {
    let target = if std::io::stderr().is_terminal() {
        ProgressDrawTarget::stderr()
    } else {
        ProgressDrawTarget::hidden()
    };
    let style = ProgressStyle::with_template(template)
        .expect("the templates are constants")
        .progress_chars("=> ");
    ProgressBar::with_draw_target(Some(length), target).with_style(style).with_message(what)
}

/// Waits for a plan: shows what is being solved and the gap so far, and says how much time is left.
#[derive(Debug)]
pub(crate) struct Waiting {
    since: Stopwatch,
    limit: Option<Duration>,
    line: ProgressBar,
}

impl Waiting {
    /// Returns who waits so long from now on, before a line that moves where standard error is a terminal.
    pub(crate) fn new(limit: Option<Duration>) -> Self {
        let line = with_style(0, "", "{spinner} {msg} ({elapsed})");
        if !line.is_hidden() {
            line.enable_steady_tick(Duration::from_millis(200));
        }
        Self { since: Stopwatch::start(), limit, line }
    }

    /// Returns who waits so long from now on and looks at nothing.
    pub(crate) fn silent(limit: Option<Duration>) -> Self {
        Self { since: Stopwatch::start(), limit, line: ProgressBar::hidden() }
    }
}

impl Watch for Waiting {
    fn time_left(&self) -> Option<Duration> {
        self.limit.map(|limit| limit.saturating_sub(self.since.elapsed()))
    }

    fn told(&self, progress: &Progress) {
        self.line.set_message(told(progress));
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        self.line.finish_and_clear();
    }
}

/// Returns progress as a line: `brackets of the tariff, 2 of 4: gap 0.31 %`.
fn told(progress: &Progress) -> String {
    let what = match progress.stage {
        Stage::Brackets => "brackets of the tariff",
        Stage::Shares => "what each device saves",
        Stage::Reasons => "reasons of each device",
        Stage::Conflict => "demands in conflict",
        Stage::Nearest => "what would do instead",
        Stage::Rounds => "rounds of prices and answers",
        Stage::Programs => "rounds around the programs",
        Stage::Whole => "the fleet as a whole",
    };
    let gap = match (progress.gap(), progress.cost, progress.bound) {
        (Some(gap), ..) => format!(": gap {:.4} %", gap * 100.0),
        (None, Some(cost), _) => format!(": {} so far", money(cost)),
        (None, None, Some(bound)) => format!(": {} at least", money(bound)),
        (None, None, None) => String::new(),
    };
    format!("{what}, {} of {}{gap}", progress.done + 1, progress.total)
}

/// The steps of long work, each with a bar of its own.
#[derive(Debug, Default)]
pub(crate) struct Steps(Option<(&'static str, ProgressBar)>);

impl Steps {
    /// Moves the bar of a step; another step than before begins with a new one.
    pub(crate) fn told(&mut self, step: &'static str, done: u64, total: u64) {
        if self.0.as_ref().is_none_or(|(before, _)| *before != step) {
            self.finish();
            self.0 = Some((step, bar(total, step)));
        }
        if let Some((_, bar)) = &self.0 {
            bar.set_length(total);
            bar.set_position(done);
        }
    }

    /// Takes the last bar away.
    pub(crate) fn finish(&mut self) {
        if let Some((_, bar)) = self.0.take() {
            bar.finish_and_clear();
        }
    }
}

/// A source whose bytes move a bar.
#[derive(Debug)]
pub(crate) struct Tracked<R> {
    source: R,
    bar: ProgressBar,
}

impl<R> Tracked<R> {
    pub(crate) fn new(source: R, bar: ProgressBar) -> Self {
        Self { source, bar }
    }
}

impl<R: Read> Read for Tracked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        self.bar.inc(count as u64);
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_says_what_is_solved_and_the_gap_so_far() {
        let bare = Progress::counted(Stage::Brackets, 1, 4);
        assert_eq!(told(&bare), "brackets of the tariff, 2 of 4");
        let with = |cost, bound| Progress { cost, bound, ..bare };
        assert_eq!(
            told(&with(Some(1_250.0), None)),
            "brackets of the tariff, 2 of 4: 1,250.00 so far"
        );
        assert_eq!(
            told(&with(Some(200.0), Some(199.0))),
            "brackets of the tariff, 2 of 4: gap 0.5000 %"
        );
    }

    #[test]
    fn who_waits_no_longer_has_no_time_left() {
        assert_eq!(Waiting::silent(Some(Duration::ZERO)).time_left(), Some(Duration::ZERO));
        assert_eq!(Waiting::silent(None).time_left(), None);
    }
}
