//! Who may depend on whom: the design's staircase, as cargo sees it.
//!
//! `support` imports no lesson, phase 0 nothing of ours, a phase of a craft only the metric model
//! and earlier phases. Tests may also use `support`. Comparisons and labs import across, and nobody
//! imports them. The test kit is for tests; the grader in `labs` is one, for everybody's servers.

use cargo_metadata::{DependencyKind, Metadata};
use labs::course::CRAFT;

use crate::finding::Finding;

/// A crate of ours and the crates of ours that it depends on.
#[derive(Debug, Clone)]
pub(crate) struct Crate {
    pub(crate) name: String,
    /// Its folder, from the workspace's.
    pub(crate) folder: String,
    pub(crate) imports: Vec<Import>,
}

/// A dependency between crates of ours.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) name: String,
    /// Whether only tests and benchmarks have it.
    pub(crate) for_tests: bool,
}

/// The crates of the workspace, the phases in the order of the course.
pub(crate) fn crates(metadata: &Metadata) -> Vec<Crate> {
    let ours = |name: &str| metadata.packages.iter().any(|package| *package.name == name);
    let one = |package: &cargo_metadata::Package| {
        let folder = package.manifest_path.parent().expect("a manifest is in a folder");
        let folder = folder.strip_prefix(&metadata.workspace_root).unwrap_or(folder);
        let imports = package.dependencies.iter().filter(|it| ours(&it.name)).map(|it| Import {
            name: it.name.clone(),
            for_tests: it.kind == DependencyKind::Development,
        });
        Crate {
            name: package.name.to_string(),
            folder: folder.as_str().replace('\\', "/"),
            imports: imports.collect(),
        }
    };
    metadata.packages.iter().map(one).collect()
}

/// Where a crate stands, and so what it may import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Step {
    Support,
    Phase0,
    /// A phase of a craft; a later one has a larger number.
    Phase(u32),
    /// It imports across, and nobody imports it.
    Across,
}

impl Step {
    fn of(it: &Crate) -> Option<Self> {
        let phase = it.name.strip_prefix(CRAFT);
        match (&*it.folder, phase) {
            ("benches" | "docs" | "labs", _) => Some(Self::Across),
            (folder, _) if folder.starts_with("benches/") => Some(Self::Across),
            ("phase0", _) => Some(Self::Phase0),
            (_, Some("final")) => Some(Self::Phase(u32::MAX)),
            (_, Some(phase)) => phase.strip_prefix("phase")?.parse().ok().map(Self::Phase),
            (folder, None) => folder.starts_with("support/").then_some(Self::Support),
        }
    }

    /// Whether a crate on this step may import `import`, which stands on `other`.
    fn may_import(self, import: &Import, other: Self) -> bool {
        let is_model = import.name == "metrics-model";
        let is_test_kit = import.name == "testkit";
        match (self, other) {
            (_, Self::Across) => false,
            (Self::Across | Self::Support, Self::Support) if is_test_kit => import.for_tests,
            (Self::Across, _) | (Self::Support, Self::Support) => true,
            (Self::Phase(_), Self::Support) => is_model || import.for_tests,
            (Self::Phase0, Self::Support) => import.for_tests,
            (Self::Phase(later), Self::Phase(earlier)) => earlier < later,
            (Self::Support | Self::Phase0, _) | (Self::Phase(_), Self::Phase0) => false,
        }
    }
}

/// The one crate that has the test kit in its program, because its program tests servers.
const GRADER: (&str, &str) = ("labs", "testkit");

/// The rule.
pub(crate) fn check(crates: &[Crate]) -> Vec<Finding> {
    let step = |name: &str| crates.iter().find(|it| it.name == name).and_then(Step::of);
    let mut findings = Vec::new();
    for it in crates {
        let Some(own) = Step::of(it) else {
            findings.push(Finding::on(
                &it.folder,
                "no rule says what this crate may import: add its step to labs/tests/tidy/direction.rs",
            ));
            continue;
        };
        for import in &it.imports {
            if (&*it.name, &*import.name) == GRADER {
                continue;
            }
            if step(&import.name).is_some_and(|other| !own.may_import(import, other)) {
                let place = format!("{}/Cargo.toml", it.folder);
                let what = format!(
                    "{} may not import {}: see DESIGN.md, section 3, rule 1",
                    it.name, import.name
                );
                findings.push(Finding::on(&place, what));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `name` in its folder, importing `imports`; one that begins with `dev:` is for tests.
    fn one(folder: &str, imports: &[&str]) -> Crate {
        let imports = imports.iter().map(|import| Import {
            name: import.trim_start_matches("dev:").to_owned(),
            for_tests: import.starts_with("dev:"),
        });
        let name = folder.rsplit('/').next().unwrap_or(folder).to_owned();
        Crate { name, folder: folder.to_owned(), imports: imports.collect() }
    }

    /// Who may not import whom, as `importer > imported`.
    fn refused(crates: &[Crate]) -> Vec<String> {
        let words = |finding: Finding| {
            let words: Vec<&str> = finding.what.split([' ', ':']).collect();
            format!("{} > {}", words[0], words[4])
        };
        check(crates).into_iter().map(words).collect()
    }

    fn course() -> Vec<Crate> {
        vec![
            one("support/metrics-model", &[]),
            one("support/testkit", &["metrics-model"]),
            one("phase0", &["dev:testkit"]),
            one("craft1-phase1", &["metrics-model", "dev:testkit"]),
            one("craft1-phase2", &["craft1-phase1", "dev:testkit"]),
            one("craft1-phase10", &["craft1-phase2", "craft1-phase1"]),
            one("craft1-final", &["craft1-phase10", "metrics-model"]),
            one("benches", &["craft1-phase1", "dev:testkit"]),
            one("benches/rivals", &["metrics-model"]),
            one("labs", &["craft1-phase2", "phase0", "testkit"]),
        ]
    }

    #[test]
    fn the_staircase_itself_is_allowed() {
        assert_eq!(refused(&course()), [""; 0]);
    }

    #[test]
    fn every_step_up_down_or_across_that_is_forbidden_is_refused() {
        for (folder, import) in [
            ("support/testkit", "phase0"),
            ("support/metrics-model", "craft1-phase1"),
            ("phase0", "metrics-model"),
            ("phase0", "testkit"),
            ("benches", "testkit"),
            ("support/metrics-model", "testkit"),
            ("phase0", "dev:craft1-phase1"),
            ("craft1-phase1", "testkit"),
            ("craft1-phase1", "craft1-phase2"),
            ("craft1-phase2", "dev:craft1-phase10"),
            ("craft1-phase10", "craft1-final"),
            ("craft1-phase2", "phase0"),
            ("craft1-final", "dev:labs"),
            ("labs", "benches"),
            ("benches", "rivals"),
            ("support/testkit", "dev:benches"),
        ] {
            let mut crates = course();
            let at = crates.iter().position(|it| it.folder == folder).unwrap();
            crates[at] = one(folder, &[import]);
            let expected = format!("{} > {}", crates[at].name, import.trim_start_matches("dev:"));
            assert_eq!(refused(&crates), [expected]);
        }
    }

    #[test]
    fn a_crate_without_a_step_is_asked_for_one() {
        let findings = check(&[one("craft2-queue", &[]), one("craft1-phaseless", &[])]);
        assert_eq!(findings.len(), 2);
        assert!(findings[0].to_string().starts_with("craft2-queue: no rule says"));
    }
}
