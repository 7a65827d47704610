//! What the user sees while the run goes on: a bar on a terminal, a line now and then elsewhere.
//! All of it goes to standard error, so that standard output holds the result alone.

use std::{
    io::IsTerminal,
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressStyle};
use load_gen::{
    Phase, Progress,
    table::{decimal, grouped, time},
};

/// Between two lines in a log.
const LINE_INTERVAL: Duration = Duration::from_secs(3);
/// Steps of the bar.
const BAR_STEPS: u64 = 1_000;

pub(crate) enum Display {
    Bar(ProgressBar),
    Lines { last: Instant },
    Silent,
}

impl Display {
    pub(crate) fn new(quiet: bool) -> Self {
        if quiet {
            Self::Silent
        } else if std::io::stderr().is_terminal() {
            let style = ProgressStyle::with_template("{bar:24} {msg}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
            Self::Bar(ProgressBar::new(BAR_STEPS).with_style(style))
        } else {
            Self::Lines { last: Instant::now() }
        }
    }

    pub(crate) fn show(&mut self, progress: &Progress) {
        match self {
            Self::Bar(bar) => {
                bar.set_message(describe(progress));
                bar.set_position(steps(progress.done));
            }
            Self::Lines { last } if last.elapsed() >= LINE_INTERVAL => {
                *last = Instant::now();
                eprintln!("{:5.1} s  {}", progress.elapsed.as_secs_f64(), describe(progress));
            }
            Self::Lines { .. } | Self::Silent => {}
        }
    }

    /// Leaves nothing of the bar behind.
    pub(crate) fn finish(self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "done is a number from 0 to 1"
)]
fn steps(done: f64) -> u64 {
    (done * BAR_STEPS as f64) as u64
}

fn describe(progress: &Progress) -> String {
    let phase = match progress.phase {
        Phase::Connecting { opened, wanted } => {
            let (opened, wanted) = (grouped(opened as u64), grouped(wanted as u64));
            return format!("connecting, {opened} of {wanted} open");
        }
        Phase::WarmUp => return format!("warming up{}", left(progress)),
        Phase::Measuring => "",
        Phase::Draining => ", waiting for the last answers",
    };
    let (rate, failed) = (decimal(progress.rate), grouped(progress.failed));
    let p99 = time(progress.p99.as_secs_f64() * 1e6);
    format!("{rate} requests/s, p99 {p99}, {failed} failed{}{phase}", left(progress))
}

fn left(progress: &Progress) -> String {
    match progress.left {
        Some(left) if !left.is_zero() => format!(", {:.0} s left", left.as_secs_f64()),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROGRESS: Progress = Progress {
        phase: Phase::Measuring,
        elapsed: Duration::from_secs(4),
        left: Some(Duration::from_secs(6)),
        done: 0.4,
        rate: 12_345.6,
        succeeded: 50_000,
        failed: 3,
        p99: Duration::from_micros(1_234),
    };

    #[test]
    fn says_rate_latency_failures_and_time_left() {
        assert_eq!(describe(&PROGRESS), "12,346 requests/s, p99 1.23 ms, 3 failed, 6 s left");
    }

    #[test]
    fn says_what_it_waits_for() {
        let phase = Phase::Connecting { opened: 64, wanted: 10_000 };
        assert_eq!(describe(&Progress { phase, ..PROGRESS }), "connecting, 64 of 10,000 open");
        let warm_up = Progress { phase: Phase::WarmUp, ..PROGRESS };
        assert_eq!(describe(&warm_up), "warming up, 6 s left");
        let draining = Progress { phase: Phase::Draining, left: None, ..PROGRESS };
        assert!(describe(&draining).ends_with("3 failed, waiting for the last answers"));
    }
}
