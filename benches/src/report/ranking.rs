//! Who is ahead in a measure, in a sentence or two.
//!
//! What always holds: whoever is not told apart from the best by the verdicts of
//! [`crate::analysis`] leads together with it, and where nobody is told apart nobody leads.

use std::fmt;

use super::{listed, tables};
use crate::{
    measure::{Better, Measure},
    record::{Record, WorkloadRecord},
    statistics::Verdict,
};

/// The servers of a workload by their place in a measure.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranking<'a> {
    measure: Measure,
    /// The server with the best median, and that median.
    best: (&'a str, f64),
    /// Inside the noise of the best, with their medians.
    tied: Vec<(&'a str, f64)>,
    /// Told apart from the best, with the multiple of its figure.
    behind: Vec<(&'a str, f64)>,
    /// Rounds were too few to tell.
    unknown: Vec<&'a str>,
}

impl<'a> Ranking<'a> {
    /// Nothing where no server has the measure.
    pub(crate) fn of(
        record: &'a Record,
        workload: &WorkloadRecord,
        measure: Measure,
    ) -> Option<Self> {
        let mut medians: Vec<(&str, f64)> = tables::subjects_of(record, workload)
            .into_iter()
            .filter_map(|id| Some((id, workload.cell(id, id, measure)?.spread.median)))
            .collect();
        medians.sort_by(|one, other| match measure.better() {
            Better::Lower => one.1.total_cmp(&other.1),
            Better::Higher => other.1.total_cmp(&one.1),
        });
        let (best, others) = medians.split_first()?;
        let (tied, behind, unknown) = (Vec::new(), Vec::new(), Vec::new());
        let mut ranking = Self { measure, best: *best, tied, behind, unknown };
        for (id, median) in others {
            let versus = workload.cell(id, best.0, measure).and_then(|cell| cell.versus);
            match versus.map(|versus| (versus.verdict, versus.ratio)) {
                Some((Verdict::Significant, ratio)) => ranking.behind.push((id, ratio)),
                Some((Verdict::InsideNoise, _)) => ranking.tied.push((id, *median)),
                Some((Verdict::TooFewRounds, _)) | None => ranking.unknown.push(id),
            }
        }
        Some(ranking)
    }

    /// What the measure is about.
    pub(crate) fn topic(&self) -> &'static str {
        match self.measure {
            Measure::CpuPerRequest => "Processor time",
            Measure::RequestsPerSecond | Measure::MetricsPerSecond => "Throughput",
            _ => "Latency",
        }
    }

    fn lead(&self) -> String {
        let (best, median) = self.best;
        let figure = with_unit(self.measure, median);
        let leaders: Vec<&str> =
            [best].into_iter().chain(self.tied.iter().map(|one| one.0)).collect();
        match (self.tied.last(), self.behind.is_empty(), self.unknown.is_empty()) {
            (None, true, true) => format!("{best}: {figure}."),
            (None, true, false) => format!("{best} has the best median: {figure}."),
            (None, false, _) => format!("{best} is ahead with {figure}."),
            (Some((_, last)), true, _) => {
                let last = self.measure.format(*last);
                let leaders = listed(&leaders);
                format!(
                    "Nobody is ahead. The medians of {leaders} go from {figure} to {last}, and what \
                     they differ by is inside the noise."
                )
            }
            (Some(_), false, _) => {
                let leaders = listed(&leaders);
                format!(
                    "{leaders} are ahead at about {figure}; what they differ by is inside the noise."
                )
            }
        }
    }
}

impl fmt::Display for Ranking<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}{}", self.lead(), distances(self.measure, &self.behind))?;
        if !self.unknown.is_empty() {
            write!(out, " There are too few rounds to place {}.", listed(&self.unknown))?;
        }
        Ok(())
    }
}

fn with_unit(measure: Measure, median: f64) -> String {
    let figure = measure.format(median);
    match measure {
        Measure::CpuPerRequest => format!("{figure} CPU-µs a request"),
        Measure::RequestsPerSecond => format!("{figure} requests/s"),
        Measure::LatencyP99 => format!("a 99th percentile of {figure}"),
        other => format!("{figure} ({})", other.label()),
    }
}

/// ` phase0 needs 5.55 times as much, axum 6.10 times.`; empty where nobody is behind.
fn distances(measure: Measure, behind: &[(&str, f64)]) -> String {
    let distance = |ratio: f64| match measure.better() {
        Better::Lower => format!("{} times", tables::ratio(ratio)),
        Better::Higher => format!("{:.0}\u{a0}%", ratio * 100.0),
    };
    let Some(((nearest, ratio), others)) = behind.split_first() else { return String::new() };
    let (verb, of_that) = match measure {
        Measure::CpuPerRequest => ("needs", "as much"),
        Measure::RequestsPerSecond | Measure::MetricsPerSecond => ("reaches", "of that"),
        _ => ("takes", "as long"),
    };
    let others = others.iter().map(|(id, ratio)| format!(", {id} {}", distance(*ratio)));
    format!(" {nearest} {verb} {} {of_that}{}.", distance(*ratio), others.collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{record::Series, sample};

    fn cpu(record: &Record) -> String {
        let workload = &record.workloads[0];
        Ranking::of(record, workload, Measure::CpuPerRequest).unwrap().to_string()
    }

    /// The sample with a third server like another one.
    fn with_third(like_requests_per_s: f64) -> Record {
        let mut record = sample::record();
        let mut third = record.subjects[1].clone();
        third.id = "third".to_owned();
        record.subjects.push(third);
        for round in 1..=sample::ROUNDS {
            let run = sample::run(round, "third", Series::First, like_requests_per_s);
            record.workloads[0].runs.push(run);
        }
        record
    }

    #[test]
    fn the_best_is_ahead_and_the_others_are_multiples_of_it() {
        let expected = "fast is ahead with 49.50 CPU-µs a request. slow needs 2.00 times as much, third 4.00 times.";
        assert_eq!(cpu(&with_third(5_000.0)), expected);
    }

    #[test]
    fn servers_inside_the_noise_lead_together() {
        let expected = "third and fast are ahead at about 49.48 CPU-µs a request; what they differ by \
                        is inside the noise. slow needs 2.00 times as much.";
        assert_eq!(cpu(&with_third(20_010.0)), expected);
    }

    #[test]
    fn nobody_is_ahead_where_nobody_is_told_apart() {
        let mut record = with_third(10_010.0);
        record.workloads[0].runs.retain(|run| run.subject != "fast");
        let expected = "Nobody is ahead. The medians of third and slow go from 98.91 CPU-µs a request \
                        to 99.01, and what they differ by is inside the noise.";
        assert_eq!(cpu(&record), expected);
    }

    #[test]
    fn too_few_rounds_place_nobody() {
        let mut record = sample::record();
        record.workloads[0].runs.retain(|run| run.round <= 3);
        let expected = "fast has the best median: 49.50 CPU-µs a request. There are too few rounds to \
                        place slow.";
        assert_eq!(cpu(&record), expected);
    }

    #[test]
    fn a_server_alone_is_ahead_of_nobody() {
        let mut record = sample::record();
        record.workloads[0].runs.retain(|run| run.subject == "slow");
        assert_eq!(cpu(&record), "slow: 99.01 CPU-µs a request.");
    }
}
