//! Bars for long work, on a terminal only.

use std::io::{self, IsTerminal, Read};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

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
