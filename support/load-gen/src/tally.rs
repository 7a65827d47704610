//! Counts outcomes: successes into a histogram, failures by kind, and never the two together.
//!
//! The histogram is Gil Tene's HdrHistogram: every value to three significant digits, from a
//! nanosecond to an hour, in constant time and memory.

use std::collections::BTreeMap;

use hdrhistogram::Histogram;

use crate::{connection::Outcome, failure::Failure, pacer::Timeline, response::Malformed};

/// The longest latency that is still told apart; a longer one counts as this.
const LATENCY_MAX_NS: u64 = 3_600_000_000_000;
/// A value is off by at most one part in a thousand.
const SIGNIFICANT_DIGITS: u8 = 3;

/// What one thread has seen.
#[derive(Debug, Clone)]
pub(crate) struct Tally {
    /// From the intended time to the end of the response, of successful requests, in nanoseconds.
    pub(crate) latency: Histogram<u64>,
    /// From the intended time to the moment at which the generator saw that a request was due.
    pub(crate) lag: Histogram<u64>,
    /// Requests without success, by what went wrong.
    pub(crate) failures: BTreeMap<Failure, u64>,
    /// Successful responses that came between the end of the warm-up and the end of the run.
    pub(crate) succeeded_in_window: u64,
    /// Requests of the warm-up.
    pub(crate) warm_up: u64,
    /// Requests whose fate was still open when the run was interrupted.
    pub(crate) unfinished: u64,
    /// Connections ended because of bytes that answered no request.
    pub(crate) unsolicited: u64,
    /// What was wrong with the first malformed response.
    pub(crate) first_malformed: Option<Malformed>,
    /// Bytes written in the window.
    pub(crate) bytes_sent: u64,
    /// Bytes read in the window.
    pub(crate) bytes_received: u64,
    /// When the last outcome came.
    pub(crate) last_ns: u64,
}

impl Default for Tally {
    fn default() -> Self {
        Self {
            latency: histogram(),
            lag: histogram(),
            failures: BTreeMap::new(),
            succeeded_in_window: 0,
            warm_up: 0,
            unfinished: 0,
            unsolicited: 0,
            first_malformed: None,
            bytes_sent: 0,
            bytes_received: 0,
            last_ns: 0,
        }
    }
}

/// An empty histogram with the limits that all of ours have, so that any two can be added.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_MAX_NS, SIGNIFICANT_DIGITS)
        .expect("the limits are those of a histogram")
}

impl Tally {
    /// Counts an outcome that is known at `now_ns`.
    ///
    /// A response that is later than the timeout is a failure whether or not somebody has already
    /// given it up: otherwise the moment of looking would decide.
    pub(crate) fn record(
        &mut self,
        outcome: Outcome,
        now_ns: u64,
        timeout_ns: u64,
        timeline: &Timeline,
    ) {
        let latency_ns = now_ns.saturating_sub(outcome.intended_ns);
        let result = match outcome.result {
            Ok(_) if latency_ns > timeout_ns => Err(Failure::TimedOut),
            other => other,
        };
        if result.is_ok() && (timeline.measure_ns..timeline.end_ns).contains(&now_ns) {
            self.succeeded_in_window += 1;
        }
        if outcome.intended_ns < timeline.measure_ns {
            self.warm_up += 1;
            return;
        }
        self.last_ns = self.last_ns.max(now_ns);
        match result {
            Ok(_) => self.latency.saturating_record(latency_ns),
            Err(failure) => *self.failures.entry(failure).or_default() += 1,
        }
    }

    /// Requests that succeeded.
    pub(crate) fn succeeded(&self) -> u64 {
        self.latency.len()
    }

    /// Requests that failed, of all kinds.
    pub(crate) fn failed(&self) -> u64 {
        self.failures.values().sum()
    }

    /// Adds what another thread has seen.
    pub(crate) fn add(&mut self, other: &Self) {
        let same = "all our histograms have the same limits";
        self.latency.add(&other.latency).expect(same);
        self.lag.add(&other.lag).expect(same);
        for (failure, count) in &other.failures {
            *self.failures.entry(*failure).or_default() += count;
        }
        self.succeeded_in_window += other.succeeded_in_window;
        self.warm_up += other.warm_up;
        self.unfinished += other.unfinished;
        self.unsolicited += other.unsolicited;
        self.first_malformed = self.first_malformed.or(other.first_malformed);
        self.bytes_sent += other.bytes_sent;
        self.bytes_received += other.bytes_received;
        self.last_ns = self.last_ns.max(other.last_ns);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMELINE: Timeline = Timeline { start_ns: 0, measure_ns: 100, end_ns: 200 };
    const TIMEOUT_NS: u64 = 1_000;

    fn record(tally: &mut Tally, intended_ns: u64, result: Result<u16, Failure>, now_ns: u64) {
        tally.record(Outcome { intended_ns, result }, now_ns, TIMEOUT_NS, &TIMELINE);
    }

    #[test]
    fn only_successes_have_a_latency() {
        let mut tally = Tally::default();
        record(&mut tally, 110, Ok(202), 150);
        record(&mut tally, 110, Err(Failure::Status(503)), 111);
        record(&mut tally, 110, Err(Failure::Reset), 111);
        record(&mut tally, 120, Err(Failure::Reset), 900);
        assert_eq!((tally.succeeded(), tally.latency.max(), tally.latency.min()), (1, 40, 40));
        assert_eq!(tally.failed(), 3);
        assert_eq!(tally.failures[&Failure::Reset], 2);
    }

    #[test]
    fn an_answer_after_the_timeout_is_a_failure() {
        let mut tally = Tally::default();
        record(&mut tally, 150, Ok(202), 150 + TIMEOUT_NS);
        record(&mut tally, 150, Ok(202), 151 + TIMEOUT_NS);
        assert_eq!((tally.succeeded(), tally.failures[&Failure::TimedOut]), (1, 1));
    }

    #[test]
    fn the_warm_up_has_no_figures() {
        let mut tally = Tally::default();
        record(&mut tally, 99, Ok(202), 99);
        record(&mut tally, 99, Err(Failure::Reset), 150);
        assert_eq!((tally.warm_up, tally.succeeded(), tally.failed()), (2, 0, 0));
    }

    #[test]
    fn the_achieved_rate_counts_what_came_within_the_window() {
        let mut tally = Tally::default();
        record(&mut tally, 99, Ok(202), 100);
        record(&mut tally, 150, Ok(202), 199);
        record(&mut tally, 150, Ok(202), 200);
        assert_eq!((tally.succeeded_in_window, tally.succeeded()), (2, 2));
    }

    #[test]
    fn sums_are_the_same_as_one_tally_of_all() {
        let (mut first, mut second, mut all) =
            (Tally::default(), Tally::default(), Tally::default());
        for index in 0..1_000 {
            let result = if index % 7 == 0 { Err(Failure::ClosedEarly) } else { Ok(200) };
            let part = if index % 2 == 0 { &mut first } else { &mut second };
            record(part, 100, result, 100 + index);
            record(&mut all, 100, result, 100 + index);
        }
        first.add(&second);
        assert_eq!(first.latency, all.latency);
        assert_eq!(first.failures, all.failures);
        assert_eq!(first.succeeded_in_window, all.succeeded_in_window);
        assert_eq!(first.last_ns, all.last_ns);
    }
}
