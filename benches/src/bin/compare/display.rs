//! What the user sees while a comparison goes on: a bar on a terminal, a line for each run
//! elsewhere. All of it goes to standard error, so that standard output holds the result alone.

use std::{
    io::IsTerminal,
    ops::ControlFlow,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use benches::{
    measure::Measure,
    record::Run,
    rounds::{Observer, Step},
    table::complaint,
};
use indicatif::{ProgressBar, ProgressStyle};
use load_gen::{Progress, table::decimal};

pub(crate) struct Display {
    /// Set by Ctrl-C.
    stop: Arc<AtomicBool>,
    /// Only on a terminal.
    bar: Option<ProgressBar>,
    rounds: u32,
    /// What goes on, as the bar says it.
    now: String,
}

impl Display {
    /// For so many runs in so many rounds.
    pub(crate) fn new(runs: u64, rounds: u32, stop: Arc<AtomicBool>) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{bar:24} {pos}/{len} runs  {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            ProgressBar::new(runs).with_style(style)
        });
        Self { stop, bar, rounds, now: String::new() }
    }

    /// A line that stays.
    pub(crate) fn say(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| eprintln!("{text}")),
            None => eprintln!("{text}"),
        }
    }

    /// Leaves nothing of the bar behind.
    pub(crate) fn finish(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}

impl Observer for Display {
    fn begins(&mut self, step: &Step<'_>) {
        self.now = match step {
            Step::Build { subject } => format!("building {subject}"),
            Step::Capacity { workload, subject } => {
                format!("{workload}: what can {subject} do at most?")
            }
            Step::Round { workload, subject, round } => {
                format!("{workload}, round {round} of {}: {subject}", self.rounds)
            }
            Step::Profile { workload, subject } => {
                format!("{workload}: where does the time of {subject} go?")
            }
            Step::Costs { workload, subject } => {
                format!("{workload}: what does a request cost {subject}?")
            }
        };
        match (&self.bar, step) {
            // Cargo shows progress of its own.
            (Some(bar), Step::Build { .. }) => bar.suspend(|| eprintln!("{}", self.now)),
            (Some(bar), _) => bar.set_message(self.now.clone()),
            // A round is told when it is over, with its result.
            (None, Step::Round { .. }) => {}
            (None, _) => eprintln!("{}", self.now),
        }
    }

    fn load(&mut self, progress: &Progress) -> ControlFlow<()> {
        if let Some(bar) = &self.bar {
            bar.set_message(format!("{}  {} requests/s", self.now, decimal(progress.rate)));
        }
        if self.stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn ran(&mut self, run: &Run) {
        let figure = |measure: Measure| {
            measure.of(run).map_or_else(|| "–".to_owned(), |value| measure.format(value))
        };
        let line = format!(
            "{}: {} requests/s, {} CPU-µs each, {} failed",
            self.now,
            figure(Measure::RequestsPerSecond),
            figure(Measure::CpuPerRequest),
            run.load.requests.failed
        );
        match &self.bar {
            Some(bar) => bar.inc(1),
            None => eprintln!("{line}"),
        }
        if !run.integrity.is_fine() {
            self.say(&format!("{}: {}", self.now, complaint(&run.integrity)));
        }
    }
}
