//! The complete crate of a phase, from the crates of all phases up to it.
//!
//! Birthplace composition: a layer stands in the phase that brought it, and a file that a later
//! phase replaces has the same path there. So the sources of phases 1 to N, laid over each other
//! with the later file on top, are all that phase N runs.
//!
//! What always holds: nothing of a phase's sources is lost in silence. A file that no module
//! declares is an error, unless it belonged to a module that a later phase replaced.
//!
//! | file | what it makes |
//! |---|---|
//! | `modules` | which files belong to a crate, by its `mod` declarations |
//! | `library` | one `lib.rs`, with the modules of all phases |
//! | `imports` | `craft1_phase1::` into `crate::` |
//! | `grouping` | the imports in the order that rustfmt gives to a file written by hand |
//! | `manifest` | one `Cargo.toml`, with the dependencies of all phases |

mod grouping;
mod imports;
mod library;
mod manifest;
mod modules;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;

use crate::anchors;
use crate::course::{CRAFT, Course, Phase};
use crate::rust::NotRust;
use crate::tree::{ReadError, Tree, is_rust};
use imports::{Imports, Side};
use manifest::Workspace;

/// What the library of every snapshot is called, so that two snapshots differ in what they do and
/// not in a name.
fn library_name() -> &'static str {
    CRAFT.trim_end_matches('-')
}

/// The complete crate of a phase.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Snapshot {
    /// What its package and its program are called: as the phase.
    pub name: String,
    /// All of its files but `Cargo.lock`.
    pub files: Tree,
}

impl Snapshot {
    /// Composes the last of `phases` from all of them.
    ///
    /// `root_from_there` is the way from the snapshot's folder to the workspace, for the crates in
    /// `support` that it goes on using.
    pub fn compose(
        course: &Course,
        phases: &[Phase],
        root_from_there: &str,
    ) -> Result<Self, SnapshotError> {
        let layers: Vec<Layer> = phases.iter().map(Layer::read).collect::<Result<_, _>>()?;
        let Some(newest) = phases.last() else {
            return Err(ComposeError::missing("lib.rs").into());
        };
        let Sources { files: sources, birthplaces } = compose(&layers)?;
        let manifest = course.root.join("Cargo.toml");
        let workspace = fs::read_to_string(&manifest)
            .map_err(|error| ReadError::File { path: manifest, error })?;
        let workspace = Workspace { root: &course.root, root_from_there, manifest: &workspace };
        let manifest = workspace.compose(phases, &sources)?;
        let mut files: Tree =
            sources.iter().map(|(path, text)| (format!("src/{path}"), text)).collect();
        files.insert("Cargo.toml", manifest);
        files.insert("README.md", readme(newest, &birthplaces));
        Ok(Self { name: newest.package.name.to_string(), files })
    }
}

/// What one phase adds and replaces.
#[derive(Debug, Clone)]
struct Layer {
    /// The crate, as cargo calls it.
    name: String,
    /// What is in its `src`.
    sources: Tree,
}

impl Layer {
    fn read(phase: &Phase) -> Result<Self, ReadError> {
        let sources = Tree::read(&phase.folder().join("src"))?;
        // Anchors are for the book and the labs.
        let sources = sources.iter().map(|(path, text)| (path, anchors::removed(text))).collect();
        Ok(Self { name: phase.package.name.to_string(), sources })
    }
}

/// The sources of a snapshot, and which crate each file stands in.
#[derive(Debug, Default)]
struct Sources {
    files: Tree,
    birthplaces: BTreeMap<String, String>,
}

fn compose(layers: &[Layer]) -> Result<Sources, ComposeError> {
    let mut overlaid = Sources::default();
    for layer in layers {
        overlaid.lay(layer);
    }
    overlaid.files.insert("lib.rs", library::merge(layers)?);
    overlaid.birthplaces.remove("lib.rs");
    let library = modules::reached(&overlaid.files, "lib.rs")?;
    let program = modules::reached(&overlaid.files, "main.rs")?;
    let side = |path: &str| match path {
        path if library.contains(path) => Some(Side::Library),
        path if program.contains(path) => Some(Side::Program),
        _ => None,
    };
    let newest = layers.last().into_iter().flat_map(|layer| layer.sources.rust());
    if let Some((path, _)) = { newest }.find(|(path, _)| side(path).is_none()) {
        return Err(ComposeError::Unreached { path: path.to_owned() });
    }
    let crates: Vec<String> = layers.iter().map(|layer| layer.name.replace('-', "_")).collect();
    let imports = Imports { crates: &crates, library: library_name() };
    let mut sources = Sources::default();
    for (path, text) in overlaid.files.iter() {
        let text = match side(path) {
            Some(side) => imports.rewrite(side, path, text)?,
            // A part of a module that a later phase replaced.
            None if is_rust(path) => continue,
            None => text.to_owned(),
        };
        sources.files.insert(path, text);
        sources.birthplaces.extend(overlaid.birthplaces.remove_entry(path));
    }
    Ok(sources)
}

impl Sources {
    /// Lays a phase on top of those before it.
    fn lay(&mut self, layer: &Layer) {
        for (path, text) in layer.sources.iter() {
            // A module has one of two paths. The later phase may choose the other.
            let other = match path.strip_suffix("/mod.rs") {
                Some(module) => format!("{module}.rs"),
                None => path.replace(".rs", "/mod.rs"),
            };
            self.files.remove(&other);
            self.birthplaces.remove(&other);
            self.files.insert(path, text);
            self.birthplaces.insert(path.to_owned(), layer.name.clone());
        }
    }
}

fn readme(phase: &Phase, birthplaces: &BTreeMap<String, String>) -> String {
    let (id, name) = (&phase.id, &phase.package.name);
    let mut text = format!(
        "# {name}, complete\n\n\
         All that this phase of Systems Craft runs, in one crate. `cargo lab snapshot {id}` wrote \
         it: the sources of the phases up to this one laid over each other, the later file on top, \
         with imports from an earlier crate turned into `crate::`.\n\n\
         ```sh\n\
         cargo run -- --port 8080\n\
         cargo test\n\
         ```\n\n\
         It is yours to change; nothing reads it back. `cargo lab snapshot {id}` writes it again, \
         but not over a file that you changed unless you add `--force`. `Cargo.lock` has the \
         versions of the course.\n\n\
         | file | as it stands in |\n|---|---|\n\
         | `src/lib.rs` | all of them: the modules together |\n"
    );
    for (path, birthplace) in birthplaces {
        let _ = writeln!(text, "| `src/{path}` | {birthplace} |");
    }
    text
}

/// Why there is no snapshot of a phase.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// A file of the workspace cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The sources do not fit over each other.
    #[error(transparent)]
    Compose(#[from] ComposeError),
    /// The workspace's manifest is not TOML.
    #[error("Cargo.toml: {0}")]
    Manifest(#[from] toml_edit::TomlError),
}

/// Why sources do not fit over each other. Paths are those below `src`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// Not Rust.
    #[error("{path}:{line}: {reason}")]
    Syntax {
        /// Where.
        path: String,
        /// In which line, from 1.
        line: usize,
        /// Why it cannot be cut into tokens.
        reason: String,
    },
    /// A module is declared and has no file.
    #[error("{path}: declared as a module, and no phase up to this one has the file")]
    Missing {
        /// Where it should be.
        path: String,
    },
    /// No module declares this file, so that it would get lost.
    #[error("{path}: no module declares this file")]
    Unreached {
        /// Which.
        path: String,
    },
    /// A `lib.rs` has more than file modules, which cannot be put together.
    #[error("{name}, lib.rs:{line}: only declarations like `pub mod server;` can be put together")]
    NotAModule {
        /// The crate.
        name: String,
        /// In which line, from 1.
        line: usize,
    },
}

impl ComposeError {
    fn missing(path: impl Into<String>) -> Self {
        Self::Missing { path: path.into() }
    }

    fn syntax(path: &str, error: NotRust) -> Self {
        Self::Syntax { path: path.to_owned(), line: error.line, reason: error.reason }
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
