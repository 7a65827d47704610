//! What every phase has beside its sources: a page, tests of its labs, and benchmarks.

use labs::tree::{Tree, is_rust};

use crate::finding::Finding;

/// The rule. `folders` are those of the phases.
pub(crate) fn complete(tree: &Tree, folders: &[String]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for folder in folders {
        let files = tree.under(folder);
        let has = |is_it: &dyn Fn(&str) -> bool| files.iter().any(|(path, _)| is_it(path));
        for (what, is_there) in [
            ("README.md: its page", has(&|path| path == "README.md")),
            (
                "tests/lab*.rs: its lab tests",
                has(&|path| is_rust(path) && path.starts_with("tests/lab")),
            ),
            (
                "benches/*.rs: its benchmarks",
                has(&|path| is_rust(path) && path.starts_with("benches/")),
            ),
        ] {
            if !is_there {
                findings.push(Finding::on(folder, format!("has no {what}")));
            }
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    #[test]
    fn what_a_phase_lacks_is_found() {
        let tree = [
            ("phase1/README.md", ""),
            ("phase1/tests/lab_contract.rs", ""),
            ("phase1/benches/layers.rs", ""),
            ("phase2/tests/contract.rs", ""),
            ("phase2/benches/README.md", ""),
        ];
        let folders = ["phase1", "phase2"].map(String::from);
        assert_eq!(
            texts(&complete(&tree.into_iter().collect(), &folders)),
            [
                "phase2: has no README.md: its page",
                "phase2: has no tests/lab*.rs: its lab tests",
                "phase2: has no benches/*.rs: its benchmarks",
            ]
        );
    }
}
