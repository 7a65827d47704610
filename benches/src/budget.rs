//! What a request may cost each phase, and whether it does.
//!
//! Times on a shared machine cannot fail a build, counts can: system calls, allocations and
//! instructions are the same on a busy machine. `benches/budgets.toml` states them; a phase that
//! exceeds one by more than the tolerance has got worse, and one that stays as far below has a
//! budget that should be lowered, or the next regression would hide in the slack.

use std::{collections::BTreeMap, fmt};

use serde::Deserialize;
use thiserror::Error;

use crate::{
    measure::CostMeasure,
    record::{Cost, Costs},
};

/// The file's contents: the budgets of all phases, by phase and workload.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Budgets {
    tolerance: Counts,
    budget: BTreeMap<String, BTreeMap<String, Counts>>,
}

/// A number for each measure.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Counts {
    syscalls: f64,
    allocations: f64,
    instructions: f64,
}

impl Counts {
    fn of(&self, measure: CostMeasure) -> f64 {
        match measure {
            CostMeasure::Syscalls => self.syscalls,
            CostMeasure::Allocations => self.allocations,
            CostMeasure::Instructions => self.instructions,
        }
    }
}

impl Budgets {
    /// Those of this workspace, as they were when this program was compiled.
    pub fn of_workspace() -> Result<Self, BudgetError> {
        Self::parse(include_str!("../budgets.toml"))
    }

    /// Reads the file's contents.
    pub fn parse(text: &str) -> Result<Self, BudgetError> {
        Ok(toml::from_str(text)?)
    }

    /// The workloads that a phase has budgets for.
    pub fn workloads(&self, phase: &str) -> Result<Vec<&str>, BudgetError> {
        let budget = self.budget.get(phase);
        let budget = budget.ok_or_else(|| BudgetError::NoBudget { phase: phase.to_owned() })?;
        Ok(budget.keys().map(String::as_str).collect())
    }

    /// Compares what was counted with what is allowed.
    pub fn check(&self, workload: &str, costs: &Costs) -> Vec<Finding> {
        let budget = self.budget.get(&costs.subject).and_then(|budget| budget.get(workload));
        let Some(budget) = budget else { return Vec::new() };
        let finding = |measure: CostMeasure| Finding {
            subject: costs.subject.clone(),
            workload: workload.to_owned(),
            measure,
            allowed: budget.of(measure),
            outcome: outcome(measure.of(costs), budget.of(measure), self.tolerance.of(measure)),
        };
        CostMeasure::ALL.map(finding).to_vec()
    }
}

/// One number of a budget against what was counted.
#[derive(Debug, Clone, PartialEq)]
pub struct Finding {
    subject: String,
    workload: String,
    measure: CostMeasure,
    allowed: f64,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// As stated, give or take the tolerance.
    Within(f64),
    /// A regression: this many.
    Over(f64),
    /// An improvement that the budget does not know yet: this many.
    Under(f64),
    /// It could not be counted, so nothing was checked.
    Skipped(String),
}

fn outcome(cost: &Cost, allowed: f64, tolerance: f64) -> Outcome {
    match cost {
        Cost::NotCounted { reason } => Outcome::Skipped(reason.clone()),
        Cost::Counted { per_request, .. } if *per_request > allowed * (1.0 + tolerance) => {
            Outcome::Over(*per_request)
        }
        Cost::Counted { per_request, .. } if *per_request < allowed * (1.0 - tolerance) => {
            Outcome::Under(*per_request)
        }
        Cost::Counted { per_request, .. } => Outcome::Within(*per_request),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { subject, workload, measure, allowed, outcome } = self;
        let what = format!("{subject} {workload}: {}", measure.label());
        let allowed = measure.format(*allowed);
        match outcome {
            Outcome::Within(count) => {
                write!(out, "ok       {what}: {}, budget {allowed}", measure.format(*count))
            }
            Outcome::Over(count) => {
                write!(out, "OVER     {what}: {}, budget {allowed}", measure.format(*count))
            }
            Outcome::Under(count) => write!(
                out,
                "lower it {what}: {}, budget {allowed}: state the new number in budgets.toml",
                measure.format(*count)
            ),
            Outcome::Skipped(reason) => write!(out, "SKIPPED  {what}: {reason}"),
        }
    }
}

/// Why nothing can be checked.
#[derive(Debug, Error)]
pub enum BudgetError {
    /// The file is not in the form of budgets.
    #[error("benches/budgets.toml: {0}")]
    Format(#[from] toml::de::Error),
    /// A phase that nobody has stated a budget for.
    #[error("benches/budgets.toml has no budget for {phase}")]
    NoBudget {
        /// The phase.
        phase: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{subject::PHASES, workload};

    const TEXT: &str = "
        [tolerance]
        syscalls = 0.1
        allocations = 0.0
        instructions = 0.1

        [budget.phase0.single]
        syscalls = 10.0
        allocations = 28.0
        instructions = 40000.0
    ";

    fn checked(syscalls: f64) -> Vec<Finding> {
        let counted = |per_request| Cost::Counted { per_request, requests: 500 };
        let costs = Costs {
            subject: "phase0".to_owned(),
            syscalls: counted(syscalls),
            futex_per_request: None,
            allocations: counted(28.0),
            instructions: Cost::NotCounted { reason: "valgrind is not installed".to_owned() },
        };
        Budgets::parse(TEXT).unwrap().check("single", &costs)
    }

    #[test]
    fn a_regression_is_told_with_both_numbers() {
        let findings = checked(11.01);
        assert_eq!(findings[0].outcome, Outcome::Over(11.01));
        let text = findings[0].to_string();
        assert_eq!(text, "OVER     phase0 single: syscalls/request: 11.01, budget 10.00");
    }

    #[test]
    fn the_tolerance_is_allowed_both_ways() {
        for count in [9.01, 10.0, 10.99] {
            assert_eq!(checked(count)[0].outcome, Outcome::Within(count));
        }
    }

    #[test]
    fn an_improvement_asks_for_a_lower_budget() {
        let findings = checked(8.9);
        assert_eq!(findings[0].outcome, Outcome::Under(8.9));
        assert!(findings[0].to_string().ends_with("state the new number in budgets.toml"));
    }

    #[test]
    fn what_was_not_counted_is_skipped_and_not_passed() {
        let findings = checked(10.0);
        assert_eq!(findings[1].outcome, Outcome::Within(28.0));
        assert_eq!(findings[2].outcome, Outcome::Skipped("valgrind is not installed".to_owned()));
        assert!(findings[2].to_string().starts_with("SKIPPED"));
    }

    #[test]
    fn every_phase_has_a_budget_for_workloads_that_exist() {
        let budgets = Budgets::of_workspace().unwrap();
        for phase in PHASES {
            let workloads = budgets.workloads(phase.id).unwrap();
            assert!(!workloads.is_empty(), "{}", phase.id);
            for id in workloads {
                workload::find(id).unwrap();
            }
        }
        assert!(budgets.workloads("phase9").is_err());
    }
}
