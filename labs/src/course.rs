//! Which phases there are: what cargo says is in the workspace, in the order of the course.
//!
//! A phase is a crate of the workspace that is called `craft1-phaseN` or `craft1-final`. Nothing
//! else says so, so a new one is found by being there.

use std::path::{Path, PathBuf};

use cargo_metadata::{Metadata, MetadataCommand, Package};

/// What the crates of the phases begin with. The name of a snapshot's library is what stands before
/// the hyphen, so that it is the same in every phase.
pub const CRAFT: &str = "craft1-";

/// The crate that stands before the crafts: the whole system in one file.
const PROLOGUE: &str = "phase0";

/// The phases of a craft, and the workspace that they stand in.
#[derive(Debug, Clone)]
pub struct Course {
    /// The folder of the workspace.
    pub root: PathBuf,
    /// Where cargo puts what it compiles.
    pub target: PathBuf,
    phases: Vec<Phase>,
    /// What stands before the crafts, where it is there.
    prologue: Option<Package>,
}

/// One step of a craft.
#[derive(Debug, Clone)]
pub struct Phase {
    /// What it is called on the command line: `1`, `2`, … or `final`.
    pub id: String,
    /// Its crate.
    pub package: Package,
}

impl Course {
    /// Asks cargo about this workspace.
    pub fn of_workspace() -> Result<Self, cargo_metadata::Error> {
        Ok(Self::of(workspace()?))
    }

    fn of(metadata: Metadata) -> Self {
        let (root, target) = (metadata.workspace_root.into(), metadata.target_directory.into());
        let prologue = metadata.packages.iter().find(|it| *it.name == PROLOGUE).cloned();
        let mut phases: Vec<Phase> = metadata.packages.into_iter().filter_map(Phase::of).collect();
        phases.sort_by_key(Phase::order);
        Self { root, target, phases, prologue }
    }

    /// The crates that labs are about, in the order of the course.
    pub fn packages(&self) -> impl Iterator<Item = &Package> {
        self.prologue.iter().chain(self.phases.iter().map(|phase| &phase.package))
    }

    /// All phases, the first one first.
    pub fn phases(&self) -> &[Phase] {
        &self.phases
    }

    /// The phases up to the one that is called `id`, itself the last.
    pub fn up_to(&self, id: &str) -> Result<&[Phase], UnknownPhase> {
        let position = self.phases.iter().position(|phase| phase.id == id);
        position.map(|last| &self.phases[..=last]).ok_or_else(|| UnknownPhase {
            id: id.to_owned(),
            known: self.phases.iter().map(|phase| &*phase.id).collect::<Vec<_>>().join(", "),
        })
    }
}

impl Phase {
    fn of(package: Package) -> Option<Self> {
        let id = id_of(&package.name)?.to_owned();
        Some(Self { id, package })
    }

    /// What its crate is called in Rust.
    pub fn crate_name(&self) -> String {
        self.package.name.replace('-', "_")
    }

    /// The folder of its crate.
    pub fn folder(&self) -> &Path {
        let manifest = self.package.manifest_path.as_std_path();
        manifest.parent().unwrap_or(manifest)
    }

    fn order(&self) -> u32 {
        self.id.parse().unwrap_or(u32::MAX)
    }
}

/// There is no such phase.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("there is no phase {id:?}; there are {known}")]
pub struct UnknownPhase {
    id: String,
    known: String,
}

/// What cargo says about this workspace and the crates in it, without those of others.
pub fn workspace() -> Result<Metadata, cargo_metadata::Error> {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().exec()
}

/// `1` of `craft1-phase1`, and `final` of `craft1-final`.
fn id_of(package: &str) -> Option<&str> {
    let step = package.strip_prefix(CRAFT)?;
    let number = step.strip_prefix("phase").filter(|number| number.parse::<u32>().is_ok());
    number.or((step == "final").then_some(step))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_phase_is_known_by_the_name_of_its_crate() {
        for (package, id) in [
            ("craft1-phase1", Some("1")),
            ("craft1-phase12", Some("12")),
            ("craft1-final", Some("final")),
            ("craft1-phasex", None),
            ("craft2-queue", None),
            ("phase0", None),
        ] {
            assert_eq!(id_of(package), id, "{package}");
        }
    }

    #[test]
    fn phases_stand_in_the_order_of_the_course_and_the_final_one_is_last() {
        let package = Course::of_workspace().unwrap().phases[0].package.clone();
        let phase = |id: &str| Phase { id: id.into(), package: package.clone() };
        let mut phases = ["final", "10", "2", "1"].map(phase);
        phases.sort_by_key(Phase::order);
        assert_eq!(phases.map(|phase| phase.id), ["1", "2", "10", "final"]);
    }

    #[test]
    fn an_unknown_phase_is_refused_with_the_known_ones() {
        let course = Course::of_workspace().unwrap();
        let error = course.up_to("phase9").unwrap_err().to_string();
        assert!(error.starts_with("there is no phase \"phase9\"; there are 1"), "{error}");
        assert_eq!(course.up_to("1").unwrap().len(), 1);
    }
}
