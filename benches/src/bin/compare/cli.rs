//! The command line: options in the words of the help text, turned into a request.

use std::{path::PathBuf, time::Duration};

use anyhow::{Result, bail};
use benches::{
    ablation,
    comparison::{Contest, ROUNDS_MAX, Request},
    record::{AblationRecord, check_name},
    subject::{self, PHASES, RIVALS, Subject},
    workload::{self, FULL, MEDIUM, Preset, QUICK, Workload},
};
use clap::{ArgAction, Parser, Subcommand};

const EXAMPLES: &str = "\
Examples:
  cargo compare --quick                      all phases, in less than two minutes
  cargo compare phase0 --rival limit --pin   one phase and the floor that the kernel sets
  cargo compare --workload batch,close       all phases under two loads
  cargo compare --full --rival all --save phases-and-rivals
  cargo compare --toggle parser              one layer exchanged: what does it cost?
  cargo compare list                         everything that can be named
  cargo compare layers craft1-phase3         layers by themselves, without a server
  cargo compare profile craft1-phase4        where its time goes: flame.svg
  cargo compare budget                       costs of a request against benches/budgets.toml
  cargo compare report phases-and-rivals     a stored record as a page
  cargo compare render                       stored records into the documents

How to read it:
  Every round runs all servers once, and the first of them twice. What that one differs from itself
  by is noise. A ratio with × is beyond the noise and shows in the rounds; one with ~ is not.

Exit status:
  0    measured
  1    something measured is wrong: a server lost metrics, or failed where none should
  2    the command line is wrong
  3    the comparison was not possible: no cargo, a failed build, no second core
  130  ended by Ctrl-C, after printing what there was";

/// Compares servers under the same load, in interleaved rounds, with the noise beside the result.
#[derive(Debug, Parser)]
#[command(name = "compare", bin_name = "cargo compare", version, max_term_width = 100)]
#[command(after_help = EXAMPLES, args_conflicts_with_subcommands = true)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) compare: Compare,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Names of phases, rivals, workloads and toggles
    List,
    /// Counts what a request costs and checks it against benches/budgets.toml
    Budget {
        /// Phases to check [default: all that have a budget]
        #[arg(value_name = "SUBJECT")]
        subjects: Vec<String>,
    },
    /// Samples a server under load: a flame graph, its hottest functions, what a request costs
    Profile {
        /// The server
        #[arg(value_name = "SUBJECT")]
        subject: String,
        /// The load
        #[arg(long, value_name = "WORKLOAD", default_value = "single")]
        workload: String,
        /// How long samples are taken
        #[arg(long, value_name = "DURATION", default_value = "5s", value_parser = humantime::parse_duration)]
        duration: Duration,
        /// The image to write
        #[arg(long, value_name = "PATH", default_value = "flame.svg")]
        file: PathBuf,
        /// Leave out system calls, allocations and instructions
        #[arg(long)]
        no_costs: bool,
    },
    /// Times layers by themselves with criterion, round by round
    Layers {
        /// Crates whose benchmarks run
        #[arg(value_name = "PACKAGE", default_value = "benches")]
        packages: Vec<String>,
        /// Only benchmarks whose name matches this regular expression
        #[arg(long, value_name = "PATTERN")]
        filter: Option<String>,
        /// How often they run
        #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=i64::from(ROUNDS_MAX)))]
        rounds: u32,
        /// Leave out the instructions
        #[arg(long)]
        no_costs: bool,
        /// Keep the record in benches/results
        #[arg(long, value_name = "NAME")]
        save: Option<String>,
        /// Print the record as JSON instead of tables
        #[arg(long)]
        json: bool,
    },
    /// Writes stored records as one HTML page
    Report {
        /// Names of records in benches/results [default: all]
        #[arg(value_name = "RECORD")]
        records: Vec<String>,
        /// The page to write
        #[arg(long, value_name = "PATH", default_value = REPORT_FILE)]
        file: PathBuf,
    },
    /// Fills the marked regions of the documents from records
    Render {
        /// Change nothing; fail where a region is stale or a figure has no record
        #[arg(long)]
        check: bool,
    },
}

/// What to type to measure layers again.
pub(crate) fn layers_command(
    packages: &[String],
    filter: Option<&str>,
    rounds: u32,
    no_costs: bool,
) -> String {
    let mut words = vec!["cargo compare layers".to_owned()];
    words.extend(packages.iter().cloned());
    words.extend(filter.map(|pattern| format!("--filter '{pattern}'")));
    words.push(format!("--rounds {rounds}"));
    words.extend(no_costs.then(|| "--no-costs".to_owned()));
    words.join(" ")
}

/// Where a report goes when nobody says where.
pub(crate) const REPORT_FILE: &str = "report.html";

#[derive(Debug, clap::Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a switch of the command line")]
pub(crate) struct Compare {
    /// Phases and rivals, the baseline first [default: all phases]
    #[arg(value_name = "SUBJECT")]
    subjects: Vec<String>,
    /// Rivals beside them, or `all`
    #[arg(long, value_name = "RIVAL", value_delimiter = ',', action = ArgAction::Append)]
    rival: Vec<String>,
    /// Loads, or `all` [default: by the length of the comparison]
    #[arg(long, value_name = "WORKLOAD", value_delimiter = ',', action = ArgAction::Append)]
    workload: Vec<String>,
    /// Exchange one layer and share everything else
    #[arg(
        long,
        value_name = "LAYER",
        value_delimiter = ',',
        action = ArgAction::Append,
        conflicts_with_all = ["subjects", "rival", "baseline"]
    )]
    toggle: Vec<String>,

    /// Under two minutes for all phases
    #[arg(long, conflicts_with = "full")]
    quick: bool,
    /// What goes into the book
    #[arg(long)]
    full: bool,
    /// Rounds; verdicts need at least 5 [default: 5, with --full 7]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=i64::from(ROUNDS_MAX)))]
    rounds: Option<u32>,
    /// Keep servers on one core and the generator on another (Linux)
    #[arg(long)]
    pin: bool,
    /// The same seed makes the same requests
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
    /// Leave out system calls, allocations and instructions
    #[arg(long)]
    no_costs: bool,

    /// What the ratios are of [default: the first subject]
    #[arg(long, value_name = "SUBJECT")]
    baseline: Option<String>,
    /// Keep the record in benches/results [default name: compare-quick and the like]
    #[arg(long, value_name = "NAME", num_args = 0..=1, default_missing_value = "")]
    save: Option<String>,
    /// Write the comparison as one HTML page
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = REPORT_FILE)]
    pub(crate) report: Option<PathBuf>,
    /// Print the record as JSON instead of tables
    #[arg(long)]
    pub(crate) json: bool,
}

impl Compare {
    /// What to compare. Fails where a name is not known or contradicts another.
    pub(crate) fn request(&self) -> Result<Request> {
        let preset = self.preset();
        let (contests, ablations) = if self.toggle.is_empty() {
            (self.contests(preset)?, Vec::new())
        } else {
            self.ablations()?
        };
        let name = self.save.clone().filter(|name| !name.is_empty());
        let name = name.unwrap_or_else(|| format!("compare-{}", preset.id));
        check_name(&name)?;
        Ok(Request {
            contests,
            ablations,
            preset,
            rounds: self.rounds.unwrap_or(preset.rounds),
            seed: self.seed,
            pin: self.pin,
            costs: !self.no_costs,
            name,
            command: self.command_line(),
        })
    }

    /// Whether the record is kept.
    pub(crate) fn is_saved(&self) -> bool {
        self.save.is_some()
    }

    /// The subject that ratios are of.
    pub(crate) fn baseline(&self, request: &Request) -> Result<String> {
        let subjects = || request.contests.iter().flat_map(|contest| &contest.subjects);
        let first = subjects().next().map_or("", |subject| subject.id);
        match &self.baseline {
            None => Ok(first.to_owned()),
            Some(id) if subjects().any(|subject| subject.id == id) => Ok(id.clone()),
            Some(id) => bail!("--baseline {id} is not among what is compared"),
        }
    }

    fn preset(&self) -> Preset {
        match (self.quick, self.full) {
            (true, _) => QUICK,
            (_, true) => FULL,
            (false, false) => MEDIUM,
        }
    }

    fn contests(&self, preset: Preset) -> Result<Vec<Contest>> {
        let subjects = self.subjects()?;
        let workloads = if self.workload.is_empty() {
            preset.workloads.iter().map(|id| workload::find(id)).collect::<Result<_, _>>()?
        } else {
            self.workloads()?
        };
        let contest =
            |workload: &&Workload| Contest { workload: **workload, subjects: subjects.clone() };
        Ok(workloads.iter().map(contest).collect())
    }

    fn subjects(&self) -> Result<Vec<Subject>> {
        let mut subjects: Vec<Subject> = Vec::new();
        for id in &self.subjects {
            subjects.push(*subject::find(id)?);
        }
        if subjects.is_empty() {
            subjects.extend(PHASES);
        }
        for id in &self.rival {
            match RIVALS.iter().find(|rival| rival.id == id) {
                Some(rival) => subjects.push(*rival),
                None if id == "all" => subjects.extend(RIVALS),
                None => {
                    let known = RIVALS.map(|rival| rival.id).join(", ");
                    bail!("there is no rival {id:?}; there are {known}, and all");
                }
            }
        }
        Ok(without_doubles(subjects, |subject| subject.id))
    }

    fn workloads(&self) -> Result<Vec<&'static Workload>> {
        if self.workload.iter().any(|id| id == "all") {
            return Ok(workload::WORKLOADS.iter().collect());
        }
        let found = self.workload.iter().map(|id| workload::find(id));
        Ok(without_doubles(found.collect::<Result<_, _>>()?, |workload| workload.id))
    }

    /// Toggles that want the same workload share its rounds.
    fn ablations(&self) -> Result<(Vec<Contest>, Vec<AblationRecord>)> {
        let asked = self.workloads()?;
        let mut contests: Vec<Contest> = Vec::new();
        let mut records = Vec::new();
        for id in &self.toggle {
            let toggle = ablation::find(id)?;
            let own = [workload::find(toggle.workload)?];
            for workload in if asked.is_empty() { &own[..] } else { &asked } {
                records.push(toggle.record(workload.id));
                let known = contests.iter_mut().find(|known| known.workload.id == workload.id);
                match known {
                    Some(contest) => contest.subjects.extend(toggle.subjects()),
                    None => {
                        contests
                            .push(Contest { workload: **workload, subjects: toggle.subjects() });
                    }
                }
            }
        }
        for contest in &mut contests {
            contest.subjects =
                without_doubles(std::mem::take(&mut contest.subjects), |subject| subject.id);
        }
        Ok((contests, records))
    }

    /// What to type to see it again; without names of files, which are this machine's.
    fn command_line(&self) -> String {
        let mut words = vec!["cargo compare".to_owned()];
        words.extend(self.subjects.iter().cloned());
        for (option, values) in
            [("--rival", &self.rival), ("--workload", &self.workload), ("--toggle", &self.toggle)]
        {
            if !values.is_empty() {
                words.push(format!("{option} {}", values.join(",")));
            }
        }
        let flags = [
            (self.quick, "--quick"),
            (self.full, "--full"),
            (self.pin, "--pin"),
            (self.no_costs, "--no-costs"),
        ];
        words.extend(flags.iter().filter(|(is_set, _)| *is_set).map(|(_, flag)| flag.to_string()));
        words.extend(self.rounds.map(|rounds| format!("--rounds {rounds}")));
        words.extend((self.seed != 1).then(|| format!("--seed {}", self.seed)));
        words.join(" ")
    }
}

fn without_doubles<T>(items: Vec<T>, id: impl Fn(&T) -> &'static str) -> Vec<T> {
    let mut kept: Vec<T> = Vec::new();
    for item in items {
        if kept.iter().all(|other| id(other) != id(&item)) {
            kept.push(item);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(format!("compare {line}").split_whitespace())
    }

    fn request(line: &str) -> Result<Request> {
        parse(line)?.compare.request()
    }

    fn subjects(request: &Request) -> Vec<&'static str> {
        request.contests[0].subjects.iter().map(|subject| subject.id).collect()
    }

    fn workloads(request: &Request) -> Vec<&'static str> {
        request.contests.iter().map(|contest| contest.workload.id).collect()
    }

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn without_names_all_phases_are_compared() {
        let request = request("--quick").unwrap();
        assert_eq!(subjects(&request), PHASES.map(|phase| phase.id));
        assert_eq!(workloads(&request), ["single"]);
        assert_eq!((request.rounds, request.seed, request.pin), (5, 1, false));
        assert_eq!(request.name, "compare-quick");
    }

    #[test]
    fn rivals_stand_beside_the_subjects_once() {
        let request = request("limit phase0 --rival limit,axum --workload close,batch").unwrap();
        assert_eq!(subjects(&request), ["limit", "phase0", "axum"]);
        assert_eq!(workloads(&request), ["close", "batch"]);
        let all = self::request("--rival all --workload all").unwrap();
        assert_eq!(subjects(&all).len(), PHASES.len() + RIVALS.len());
        assert_eq!(workloads(&all).len(), workload::WORKLOADS.len());
    }

    #[test]
    fn toggles_on_the_same_workload_share_its_rounds() {
        let request = request("--toggle keep-alive,framework").unwrap();
        assert_eq!(workloads(&request), ["single"]);
        assert_eq!(subjects(&request), ["hyper-serde-close", "hyper-serde", "axum"]);
        assert_eq!(request.ablations.len(), 2);
        let two = self::request("--toggle parser --workload single,batch").unwrap();
        assert_eq!((workloads(&two), two.ablations.len()), (vec!["single", "batch"], 2));
    }

    #[test]
    fn the_command_line_of_a_record_can_be_typed() {
        let line = "phase0 --rival limit,axum --workload batch --full --pin --rounds 9 --seed 7";
        let request = request(&format!("{line} --save some-name")).unwrap();
        assert_eq!(request.command, format!("cargo compare {line}"));
        assert_eq!(self::request(line).unwrap().command, request.command);
        assert_eq!(request.name, "some-name");
    }

    #[test]
    fn unknown_names_are_refused_with_the_known_ones() {
        for (line, expected) in [
            ("phase9", "nothing here is called \"phase9\"; there are phase0, craft1-phase1"),
            ("--rival phase0", "there is no rival \"phase0\"; there are limit"),
            ("--workload huge", "there is no workload \"huge\"; there are single"),
            ("--toggle colour", "there is no toggle \"colour\"; there are parser"),
            ("--save ../x", "\"../x\" is no name for a record"),
        ] {
            let error = request(line).unwrap_err().to_string();
            assert!(error.starts_with(expected), "{line}: {error}");
        }
    }

    #[test]
    fn the_baseline_is_among_what_is_compared() {
        let baseline = |line: &str| {
            let compare = parse(line).unwrap().compare;
            compare.baseline(&compare.request().unwrap())
        };
        assert_eq!(baseline("phase0 limit").unwrap(), "phase0");
        assert_eq!(baseline("phase0 limit --baseline limit").unwrap(), "limit");
        assert!(baseline("phase0 --baseline limit").is_err());
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "--quick --full",
            "phase0 --toggle parser",
            "--toggle parser --rival limit",
            "--rounds 0",
            "--rounds 31",
            "--seed x",
            "list --quick",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
