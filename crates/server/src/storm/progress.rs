//! A line that moves while a run lasts.

use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Requests between two looks at the bar, which costs more than counting.
const EVERY: u64 = 64;

/// Counts and shows; drawn on standard error, and not at all when that is no terminal.
#[derive(Clone, Debug)]
pub(crate) struct Progress {
    bar: ProgressBar,
    count: std::rc::Rc<std::cell::Cell<u64>>,
}

impl Progress {
    /// A progress that shows itself, or does not.
    pub(crate) fn new(visible: bool) -> Self {
        let bar = if visible { ProgressBar::new_spinner() } else { ProgressBar::hidden() };
        if let Ok(style) = ProgressStyle::with_template("{spinner} {msg}  {human_pos}  {per_sec}  {elapsed}") {
            bar.set_style(style);
        }
        Self { bar, count: std::rc::Rc::default() }
    }

    /// Begins something new.
    pub(crate) fn begin(&self, what: &str) {
        self.count.set(0);
        self.bar.reset();
        self.bar.set_message(what.to_owned());
        self.bar.tick();
    }

    /// Counts one.
    pub(crate) fn one(&self) {
        let count = self.count.get() + 1;
        self.count.set(count);
        if count.is_multiple_of(EVERY) {
            self.bar.set_position(count);
        }
    }

    /// Takes the line away.
    pub(crate) fn end(&self) {
        self.bar.finish_and_clear();
    }

    /// Keeps the line moving while nothing is counted.
    pub(crate) fn keep_moving(&self) {
        self.bar.enable_steady_tick(Duration::from_millis(200));
    }
}
