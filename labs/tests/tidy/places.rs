//! No file names a place that only one machine has, and no dependency comes from a registry that not
//! everybody can reach.

use labs::tree::Tree;

use crate::finding::Finding;

/// Folders at the root of a file system that hold what belongs to one machine or one person.
const ROOTS: [&str; 5] = ["work", "tmp", "root", "home", "Users"];

/// Files that name such a place on purpose, each with its reason.
pub(crate) const MEANT: [(&str, &str); 1] =
    [("benches/src/provenance.rs", "its test gives it a path to see it left out")];

/// No absolute path into one of the roots.
pub(crate) fn machine_paths(tree: &Tree, meant: &[(&str, &str)]) -> Vec<Finding> {
    let is_meant = |path: &str| meant.iter().any(|(it, _)| *it == path);
    let mut findings = Vec::new();
    for (path, text) in tree.iter().filter(|(path, _)| !is_meant(path)) {
        for (index, line) in text.lines().enumerate() {
            if let Some(root) = ROOTS.iter().find(|root| has_path(line, root)) {
                let what = format!("names a place in /{root}: use a path of the repository");
                findings.push(Finding::at(path, index + 1, what));
            }
        }
    }
    let has_any = |text: &str| ROOTS.iter().any(|root| has_path(text, root));
    let idle = meant.iter().filter(|(path, _)| !tree.get(path).is_some_and(has_any));
    findings.extend(idle.map(|(path, _)| Finding::on(path, "names no place any more")));
    findings
}

/// Whether a path into `root` begins somewhere in a text; in the middle of another it is none.
fn has_path(text: &str, root: &str) -> bool {
    let start = format!("/{root}/");
    text.match_indices(&start).any(|(index, _)| {
        let before = text[..index].chars().next_back();
        !before.is_some_and(|it| it.is_alphanumeric() || "._-/}*".contains(it))
    })
}

/// Cargo's name of the registry that everybody has.
const OFFICIAL: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Every locked dependency is ours or from the official registry, and cargo is not told to go
/// elsewhere.
pub(crate) fn registries(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in tree.iter() {
        let is_wrong = |line: &str| match path.rsplit('/').next() {
            Some("Cargo.lock") => line
                .strip_prefix("source = ")
                .is_some_and(|source| source.trim_matches('"') != OFFICIAL),
            Some("config.toml") => line.starts_with("[source") || line.starts_with("[registr"),
            _ => false,
        };
        let lines = text.lines().enumerate().filter(|(_, line)| is_wrong(line));
        findings.extend(lines.map(|(index, line)| {
            Finding::at(path, index + 1, format!("{line}: only the official registry"))
        }));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    /// A path into `root`, which cannot be written here.
    fn inside(root: &str) -> String {
        format!("/{root}/x")
    }

    #[test]
    fn a_path_of_a_machine_is_found_in_any_file() {
        for root in ROOTS {
            let text = format!("see\n`{}`", inside(root));
            let tree = [("README.md", text)].into_iter().collect();
            let expected =
                format!("README.md:2: names a place in /{root}: use a path of the repository");
            assert_eq!(texts(&machine_paths(&tree, &[])), [expected]);
        }
    }

    #[test]
    fn a_path_inside_another_is_allowed() {
        let starts = ["target", "https://host", "..", "{folder}"];
        let tree = starts.map(|start| (start, format!("{start}{}", inside("tmp"))));
        assert_eq!(machine_paths(&tree.into_iter().collect(), &[]), []);
        let tree = [("README.md", "/workshop/x and work/tmp")].into_iter().collect();
        assert_eq!(machine_paths(&tree, &[]), []);
    }

    #[test]
    fn a_path_that_is_meant_is_allowed_as_long_as_it_is_there() {
        let meant = [("a.rs", "why"), ("b.rs", "why")];
        let tree = [("a.rs", inside("home")), ("b.rs", String::new())].into_iter().collect();
        assert_eq!(texts(&machine_paths(&tree, &meant)), ["b.rs: names no place any more"]);
    }

    #[test]
    fn a_dependency_from_elsewhere_is_found() {
        let lock = format!("source = \"{OFFICIAL}\"\nsource = \"git+https://host/a\"\n");
        let config = "[alias]\n[source.crates-io]\n[registries.mine]\n";
        let tree = [("Cargo.lock", lock.as_str()), (".cargo/config.toml", config)];
        let findings = registries(&tree.into_iter().collect());
        let places: Vec<_> = findings.iter().map(|it| (&*it.place, it.line)).collect();
        assert_eq!(
            places,
            [(".cargo/config.toml", 2), (".cargo/config.toml", 3), ("Cargo.lock", 2)]
        );
    }
}
