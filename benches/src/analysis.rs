//! From the runs of a record to what is printed: medians, ratios, verdicts, waterfalls.
//!
//! Nothing here is stored. Whoever shows a record (the table, the report, the book) asks these
//! functions, so all of them say the same.

use std::collections::{BTreeMap, BTreeSet};

use load_gen::Failure;

use crate::{
    measure::{CostMeasure, Measure},
    record::{AblationRecord, Cost, LayerGroup, Record, Series, WorkloadRecord},
    statistics::{Noise, Spread, Verdict, verdict},
};

/// One subject's figure for one measure.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cell {
    /// Over the rounds.
    pub spread: Spread,
    /// Against the baseline; nothing for the baseline itself.
    pub versus: Option<Versus>,
}

/// A figure against another.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Versus {
    /// As a multiple of the other's in the same round: the median of the rounds.
    pub ratio: f64,
    /// Whether that means anything.
    pub verdict: Verdict,
}

/// One step of a waterfall.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// The subject's id.
    pub subject: String,
    /// What differs from the step before.
    pub change: String,
    /// Its figure.
    pub spread: Spread,
    /// The median minus that of the step before, in the measure's unit; nothing for the first step.
    pub delta: Option<f64>,
    /// Against the step before.
    pub versus: Option<Versus>,
}

/// What one element costs a layer, against another layer of its group.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerCell {
    /// Nanoseconds, over the rounds.
    pub time_ns: Spread,
    /// As a multiple of the other's in the same round; nothing for the other itself.
    pub ratio: Option<Spread>,
    /// Counted.
    pub instructions: Option<f64>,
}

impl LayerGroup {
    /// A layer's figures for one element.
    pub fn cell(&self, id: &str, baseline: &str) -> Option<LayerCell> {
        let find = |id: &str| self.benchmarks.iter().find(|benchmark| benchmark.id == id);
        let (benchmark, baseline) = (find(id)?, find(baseline)?);
        let elements = self.elements as f64;
        let times: Vec<f64> = benchmark.rounds_ns.iter().map(|ns| ns / elements).collect();
        let pairs = benchmark.rounds_ns.iter().zip(&baseline.rounds_ns);
        let ratios: Vec<f64> = pairs.map(|(one, other)| one / other).collect();
        Some(LayerCell {
            time_ns: Spread::of(&times)?,
            ratio: if benchmark.id == baseline.id { None } else { Spread::of(&ratios) },
            instructions: benchmark.instructions.map(|count| count / elements),
        })
    }
}

/// What became of a subject's requests in all of its runs. The second run of a twin is there for the
/// noise, but a request that failed in it has failed.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Outcome {
    /// Requests that were answered as they should be.
    pub succeeded: u64,
    /// The others, by kind.
    pub failed: BTreeMap<Failure, u64>,
}

impl Outcome {
    /// Requests that failed, of every kind.
    pub fn failed_count(&self) -> u64 {
        self.failed.values().sum()
    }

    /// All requests.
    pub fn total(&self) -> u64 {
        self.succeeded + self.failed_count()
    }

    /// Of 100 requests, how many failed.
    pub fn failed_percent(&self) -> f64 {
        self.failed_count() as f64 / self.total() as f64 * 100.0
    }
}

impl WorkloadRecord {
    /// What became of a subject's requests.
    pub fn outcome(&self, subject: &str) -> Outcome {
        let mut outcome = Outcome::default();
        for run in self.runs.iter().filter(|run| run.subject == subject) {
            outcome.succeeded += run.load.requests.succeeded;
            for (kind, count) in &run.load.failures {
                *outcome.failed.entry(*kind).or_default() += count;
            }
        }
        outcome
    }

    /// Every kind of failure that occurred.
    pub fn failure_kinds(&self) -> BTreeSet<Failure> {
        self.runs.iter().flat_map(|run| run.load.failures.keys().copied()).collect()
    }

    /// A measure over the rounds of one subject, in the order of the rounds.
    pub fn values(&self, subject: &str, series: Series, measure: Measure) -> Vec<f64> {
        let runs = self.runs.iter().filter(|run| run.subject == subject && run.series == series);
        runs.filter_map(|run| measure.of(run)).collect()
    }

    /// What the twin differs from itself by.
    pub fn noise(&self, measure: Measure) -> Option<Noise> {
        Noise::of(&self.twin_ratios(measure))
    }

    /// A subject's figure, compared with that of `baseline` in the same rounds.
    pub fn cell(&self, subject: &str, baseline: &str, measure: Measure) -> Option<Cell> {
        let values = self.values(subject, Series::First, measure);
        let spread = Spread::of(&values)?;
        let versus = (subject != baseline).then(|| self.versus(subject, baseline, measure));
        Some(Cell { spread, versus: versus.flatten() })
    }

    /// A subject's counted cost, where its costs were looked at.
    pub fn cost(&self, subject: &str, measure: CostMeasure) -> Option<&Cost> {
        let costs = self.costs.iter().find(|costs| costs.subject == subject)?;
        Some(measure.of(costs))
    }

    /// Whether A and A' passed for equal in throughput and in processor time, the two measures that
    /// conclusions are drawn from. Nothing where the twin has not run twice.
    pub fn is_quiet(&self) -> Option<bool> {
        let measures = [Measure::RequestsPerSecond, Measure::CpuPerRequest];
        let noises: Vec<Noise> = measures.into_iter().filter_map(|m| self.noise(m)).collect();
        (!noises.is_empty()).then(|| noises.iter().all(|noise| noise.is_quiet))
    }

    fn versus(&self, subject: &str, other: &str, measure: Measure) -> Option<Versus> {
        let ratios = self.ratios((subject, Series::First), (other, Series::First), measure);
        let verdict = verdict(&ratios, &self.twin_ratios(measure))?;
        Some(Versus { ratio: Spread::of(&ratios)?.median, verdict })
    }

    fn twin_ratios(&self, measure: Measure) -> Vec<f64> {
        self.ratios((&self.twin, Series::Again), (&self.twin, Series::First), measure)
    }

    /// One series as multiples of another, round by round. A round that lacks either of them, or in
    /// which one is zero, has no ratio.
    fn ratios(&self, of: (&str, Series), to: (&str, Series), measure: Measure) -> Vec<f64> {
        let value = |(subject, series): (&str, Series), round: u32| {
            let mut runs = self.runs.iter();
            let run = runs
                .find(|run| run.round == round && run.series == series && run.subject == subject)?;
            measure.of(run).filter(|value| *value > 0.0)
        };
        let rounds = 1..=self.rounds();
        rounds.filter_map(|round| Some(value(of, round)? / value(to, round)?)).collect()
    }

    /// How many rounds were begun.
    pub fn rounds(&self) -> u32 {
        self.runs.iter().map(|run| run.round).max().unwrap_or(0)
    }
}

/// What each change of an ablation bought in one measure. Empty where the record lacks its runs.
pub fn waterfall(record: &Record, ablation: &AblationRecord, measure: Measure) -> Vec<Step> {
    let Some(workload) = record.workload(&ablation.workload) else { return Vec::new() };
    let mut steps: Vec<Step> = Vec::new();
    for step in &ablation.steps {
        let before = steps.last();
        let before_id = before.map_or(step.subject.as_str(), |before| &before.subject);
        let Some(cell) = workload.cell(&step.subject, before_id, measure) else { continue };
        let delta = before.map(|before| cell.spread.median - before.spread.median);
        steps.push(Step {
            subject: step.subject.clone(),
            change: step.change.clone(),
            spread: cell.spread,
            delta,
            versus: cell.versus,
        });
    }
    steps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample;

    #[test]
    fn a_cell_compares_the_medians_with_the_baseline() {
        let record = sample::record();
        let workload = record.workload("single").unwrap();
        let cell = workload.cell("fast", "slow", Measure::RequestsPerSecond).unwrap();
        let versus = cell.versus.unwrap();
        assert!((versus.ratio - 2.0).abs() < 1e-9, "{versus:?}");
        assert_eq!(versus.verdict, Verdict::Significant);
        assert_eq!(cell.spread.rounds, 5);
        assert_eq!(workload.cell("slow", "slow", Measure::LatencyP50).unwrap().versus, None);
        assert_eq!(workload.cell("absent", "slow", Measure::LatencyP50), None);
    }

    #[test]
    fn a_round_that_lacks_a_run_has_no_ratio() {
        let mut workload = sample::record().workloads.remove(0);
        workload.runs.retain(|run| run.round > 1 || run.subject == "slow");
        let cell = workload.cell("fast", "slow", Measure::RequestsPerSecond).unwrap();
        assert_eq!(cell.spread.rounds, 4);
        assert_eq!(cell.versus.unwrap().verdict, Verdict::TooFewRounds);
    }

    #[test]
    fn the_second_series_of_the_twin_is_in_no_cell() {
        let record = sample::record();
        let workload = record.workload("single").unwrap();
        let with = workload.cell("slow", "slow", Measure::RequestsPerSecond);
        let mut without = workload.clone();
        without.runs.retain(|run| run.series == Series::First);
        assert_eq!(without.cell("slow", "slow", Measure::RequestsPerSecond), with);
        assert_eq!(workload.is_quiet(), Some(true));
        assert_eq!(without.is_quiet(), None);
    }

    #[test]
    fn a_waterfall_says_what_each_step_bought() {
        let record = sample::record();
        let steps = waterfall(&record, &record.ablations[0], Measure::CpuPerRequest);
        assert_eq!(steps.len(), 2);
        assert_eq!((steps[0].delta, steps[0].versus), (None, None));
        let delta = steps[1].delta.unwrap();
        assert!((delta + steps[0].spread.median / 2.0).abs() < 0.5, "{delta}");
        assert_eq!(steps[1].versus.unwrap().verdict, Verdict::Significant);
    }

    #[test]
    fn a_cost_that_was_not_counted_keeps_its_reason() {
        let record = sample::record();
        let workload = record.workload("single").unwrap();
        let cost = workload.cost("fast", CostMeasure::Instructions).unwrap();
        assert_eq!(cost, &Cost::NotCounted { reason: "valgrind is not installed".to_owned() });
    }
}
