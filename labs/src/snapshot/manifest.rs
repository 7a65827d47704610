//! One `Cargo.toml` for a snapshot, with what its phases depend on.
//!
//! Versions and features come from cargo, which has read the workspace's table for us. Lints and
//! profiles are copied from the workspace's manifest, comments included.
//!
//! What always holds: a dependency is there because the sources name it. What only a benchmark or
//! an integration test of a phase needs, or a file that was replaced, is left out, and so are the
//! earlier phases, whose names are gone by now.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use cargo_metadata::{Dependency, DependencyKind, Package};
use toml_edit::{DocumentMut, Item, TableLike, TomlError};

use super::library_name;
use crate::course::Phase;
use crate::tree::Tree;

/// The workspace, as a snapshot sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Workspace<'a> {
    /// Its folder.
    pub(super) root: &'a Path,
    /// The way there from the snapshot's folder.
    pub(super) root_from_there: &'a str,
    /// The text of its manifest.
    pub(super) manifest: &'a str,
}

impl Workspace<'_> {
    /// The manifest of the last phase's snapshot.
    pub(super) fn compose(self, phases: &[Phase], sources: &Tree) -> Result<String, TomlError> {
        let mut text = phases.last().map(|phase| header(&phase.package)).unwrap_or_default();
        let dependencies = phases.iter().flat_map(|phase| &phase.package.dependencies);
        let needed = dependencies.filter(|it| is_named(it, sources));
        for (section, rows) in sections(needed) {
            let _ = writeln!(text, "\n[{section}]");
            for (name, row) in rows {
                let _ = writeln!(text, "{name} = {}", row.render(self));
            }
        }
        let shared = shared_tables(self.manifest)?.to_string();
        let _ = write!(text, "\n{}\n{OWN_WORKSPACE}", shared.trim_start());
        Ok(text)
    }

    /// The way from the snapshot's folder to one in the workspace.
    fn path_to(self, folder: &str) -> String {
        let inside = Path::new(folder).strip_prefix(self.root);
        inside.map_or(folder.to_owned(), |path| {
            format!("{}/{}", self.root_from_there, path.display())
        })
    }
}

const OWN_WORKSPACE: &str = "# A workspace of its own, wherever this folder stands.\n[workspace]\n";

fn header(package: &Package) -> String {
    let mut text =
        String::from("# Written by `cargo lab snapshot`, as README.md tells.\n\n[package]\n");
    for (key, value) in [
        ("name", Some(package.name.to_string())),
        ("description", package.description.clone()),
        ("version", Some(package.version.to_string())),
        ("edition", Some(package.edition.to_string())),
        ("rust-version", package.rust_version.as_ref().map(ToString::to_string)),
        ("license", package.license.clone()),
    ] {
        if let Some(value) = value {
            let _ = writeln!(text, "{key} = {}", quoted(&value));
        }
    }
    let _ = writeln!(text, "publish = false\n\n[lib]\nname = {}", quoted(library_name()));
    text
}

/// What cargo must know of a dependency, put together from all phases that have it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Row {
    /// As it is published, where it is called otherwise here.
    package: Option<String>,
    /// For a crate of the workspace: its folder.
    path: Option<String>,
    version: String,
    default_features: bool,
    features: BTreeSet<String>,
}

impl Row {
    fn add(&mut self, dependency: &Dependency) {
        self.package = dependency.rename.as_ref().map(|_| dependency.name.clone());
        self.path = dependency.path.as_ref().map(ToString::to_string);
        // A caret is what cargo assumes.
        self.version = dependency.req.to_string().replace('^', "");
        self.default_features |= dependency.uses_default_features;
        self.features.extend(dependency.features.iter().cloned());
    }

    fn render(&self, workspace: Workspace<'_>) -> String {
        let mut pairs = Vec::new();
        if let Some(package) = &self.package {
            pairs.push(format!("package = {}", quoted(package)));
        }
        match &self.path {
            Some(path) => pairs.push(format!("path = {}", quoted(&workspace.path_to(path)))),
            None => pairs.push(format!("version = {}", quoted(&self.version))),
        }
        if !self.default_features {
            pairs.push("default-features = false".to_owned());
        }
        if !self.features.is_empty() {
            let features: Vec<String> = self.features.iter().map(|it| quoted(it)).collect();
            pairs.push(format!("features = [{}]", features.join(", ")));
        }
        match &pairs[..] {
            [_] if self.path.is_none() => quoted(&self.version),
            _ => format!("{{ {} }}", pairs.join(", ")),
        }
    }
}

/// The tables of dependencies with their rows, both in the order of their names.
fn sections<'a>(
    dependencies: impl Iterator<Item = &'a Dependency>,
) -> BTreeMap<String, BTreeMap<String, Row>> {
    let mut sections: BTreeMap<String, BTreeMap<String, Row>> = BTreeMap::new();
    for dependency in dependencies {
        let name = dependency.rename.as_ref().unwrap_or(&dependency.name).clone();
        sections.entry(section(dependency)).or_default().entry(name).or_default().add(dependency);
    }
    // What one phase needs for its tests, another may need to run.
    let always = sections.get("dependencies").cloned().unwrap_or_default();
    if let Some(in_tests) = sections.get_mut("dev-dependencies") {
        in_tests.retain(|name, row| always.get(name) != Some(row));
    }
    sections.retain(|_, rows| !rows.is_empty());
    sections
}

fn section(dependency: &Dependency) -> String {
    let kind = match dependency.kind {
        DependencyKind::Development => "dev-dependencies",
        DependencyKind::Build => "build-dependencies",
        _ => "dependencies",
    };
    match &dependency.target {
        None => kind.to_owned(),
        Some(platform) => format!("target.'{platform}'.{kind}"),
    }
}

fn is_named(dependency: &Dependency, sources: &Tree) -> bool {
    let name = dependency.rename.as_ref().unwrap_or(&dependency.name).replace('-', "_");
    let is_part = |it: char| it.is_alphanumeric() || it == '_';
    sources.rust().any(|(_, text)| text.split(|it| !is_part(it)).any(|word| word == name))
}

/// What every crate of the workspace has in common: its lints and its profiles.
fn shared_tables(workspace: &str) -> Result<DocumentMut, TomlError> {
    let workspace: DocumentMut = workspace.parse()?;
    let mut shared = DocumentMut::new();
    if let Some(lints) = workspace.get("workspace").and_then(|table| table.get("lints")) {
        shared.insert("lints", lints.clone());
    }
    if let Some(profiles) = workspace.get("profile") {
        shared.insert("profile", profiles.clone());
    }
    let profiles = shared.get_mut("profile").and_then(Item::as_table_like_mut);
    for (_, profile) in profiles.into_iter().flat_map(TableLike::iter_mut) {
        if let Some(packages) = profile.get_mut("package").and_then(Item::as_table_mut) {
            // Cargo warns of one that is not there, and of tests it often is not.
            packages.retain(|name, _| name == "*");
        }
    }
    Ok(shared)
}

fn quoted(text: &str) -> String {
    toml_edit::Value::from(text).to_string()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn dependency(name: &str, changes: &Value) -> Dependency {
        let mut fields = json!({
            "name": name, "source": null, "req": "^1.2.3", "kind": null, "rename": null,
            "optional": false, "uses_default_features": true, "features": [], "target": null,
        });
        for (key, value) in changes.as_object().unwrap() {
            fields[key] = value.clone();
        }
        serde_json::from_value(fields).unwrap()
    }

    fn rows(dependencies: &[Dependency]) -> Vec<String> {
        let workspace =
            Workspace { root: Path::new("/course"), root_from_there: "../..", manifest: "" };
        let sections = sections(dependencies.iter()).into_iter();
        let lines = sections.flat_map(|(section, rows)| {
            rows.into_iter()
                .map(move |(name, row)| format!("[{section}] {name} = {}", row.render(workspace)))
        });
        lines.collect()
    }

    #[test]
    fn a_dependency_of_two_phases_has_the_features_of_both() {
        let slim = json!({ "features": ["net"], "uses_default_features": false });
        let slim_too = json!({ "features": ["event"], "uses_default_features": false });
        assert_eq!(
            rows(&[dependency("rustix", &slim), dependency("rustix", &slim_too)]),
            ["[dependencies] rustix = { version = \"1.2.3\", default-features = false, \
              features = [\"event\", \"net\"] }"]
        );
        let (slim, full) = (dependency("rustix", &slim), dependency("rustix", &json!({})));
        for both in [[slim.clone(), full.clone()], [full, slim]] {
            let expected = "[dependencies] rustix = { version = \"1.2.3\", features = [\"net\"] }";
            assert_eq!(rows(&both), [expected]);
        }
    }

    #[test]
    fn a_row_says_no_more_than_it_must() {
        assert_eq!(
            rows(&[
                dependency("anyhow", &json!({})),
                dependency(
                    "metrics-model",
                    &json!({ "path": "/course/support/metrics-model", "req": "*" })
                ),
                dependency("rand", &json!({ "rename": "rand10" })),
            ]),
            [
                "[dependencies] anyhow = \"1.2.3\"",
                "[dependencies] metrics-model = { path = \"../../support/metrics-model\" }",
                "[dependencies] rand10 = { package = \"rand\", version = \"1.2.3\" }",
            ]
        );
    }

    #[test]
    fn a_row_stands_in_the_table_of_its_kind_and_platform() {
        assert_eq!(
            rows(&[
                dependency("nix", &json!({ "target": "cfg(target_os = \"linux\")" })),
                dependency("testkit", &json!({ "kind": "dev" })),
            ]),
            [
                "[dev-dependencies] testkit = \"1.2.3\"",
                "[target.'cfg(target_os = \"linux\")'.dependencies] nix = \"1.2.3\"",
            ]
        );
    }

    #[test]
    fn a_dependency_of_tests_is_left_out_where_the_program_has_the_same() {
        let dev = |features: &[&str]| {
            dependency("serde_json", &json!({ "kind": "dev", "features": features }))
        };
        let always = dependency("serde_json", &json!({}));
        let expected = "[dependencies] serde_json = \"1.2.3\"";
        assert_eq!(rows(&[always.clone(), dev(&[])]), [expected]);
        assert_eq!(rows(&[always, dev(&["raw_value"])]).len(), 2);
    }

    #[test]
    fn a_dependency_that_no_source_names_is_left_out() {
        let sources = [("lib.rs", "use signal_hook::iterator;"), ("a.txt", "criterion")];
        let sources = sources.into_iter().collect();
        assert!(is_named(&dependency("signal-hook", &json!({})), &sources));
        assert!(!is_named(&dependency("signal", &json!({})), &sources));
        assert!(!is_named(&dependency("criterion", &json!({})), &sources));
    }

    #[test]
    fn lints_and_profiles_are_those_of_the_workspace_with_their_reasons() {
        let workspace = "[workspace]\nmembers = []\n\n[workspace.lints.rust]\n# Why.\n\
                         unsafe_code = \"deny\"\n\n[profile.dev]\ndebug = 1\n\n\
                         [profile.dev.package.\"*\"]\ndebug = 2\n\n\
                         [profile.dev.package.dhat]\nopt-level = 3\n";
        assert_eq!(
            shared_tables(workspace).unwrap().to_string().trim_start(),
            "[lints.rust]\n# Why.\nunsafe_code = \"deny\"\n\n[profile.dev]\ndebug = 1\n\n\
             [profile.dev.package.\"*\"]\ndebug = 2\n"
        );
        assert!(shared_tables("[workspace").is_err());
    }
}
