//! The workshop: the workspace in which labs are done, and what stands in it.
//!
//! `mylabs/` is a workspace of its own. The lab that was started is its only member and has the name
//! of the phase that it is about, so an editor sees one crate, and earlier phases come from the
//! course. What was compiled for the course is used again; programs go to `mylabs/target`, so that a
//! learner's never stands where the reference's does.
//!
//! What always holds: what somebody changed stays. Tests, probes and benchmarks are links to the
//! phase's own files.
//!
//! | module | what it does |
//! |---|---|
//! | `form` | a lab's crate as a value: the starter, the solution, a mutant |
//! | `links` | what the crate shares with the phase |
//! | `manifest` | the workspace around it |
//! | `models` | the crate that loom compiles |

mod form;
mod links;
mod manifest;
mod models;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{fs, io};

use cargo_metadata::Package;

use crate::catalog::Lab;
use crate::course::Course;
use crate::folder::{self, Changes, WriteError};
use crate::place::{self, LockError};

pub use form::{Form, FormError, crate_in, crate_of};

/// A workspace with one lab in it.
#[derive(Debug, Clone)]
pub struct Workshop {
    /// The folder of the course.
    root: PathBuf,
    /// What cargo compiled for the course.
    build: PathBuf,
    /// The folder of this workspace.
    pub folder: PathBuf,
}

/// Where learners work.
const MINE: &str = "mylabs";

/// Where all forms of a lab are tried, inside of it.
const TRIALS: &str = ".trials";

impl Workshop {
    /// The learner's.
    pub fn of_learner(course: &Course) -> Self {
        let folder = course.root.join(MINE);
        Self { root: course.root.clone(), build: course.target.clone(), folder }
    }

    /// The one in which forms of a lab are tried that nobody is to see. It is overwritten each time.
    pub fn of_trials(course: &Course) -> Self {
        let mine = Self::of_learner(course);
        Self { folder: mine.folder.join(TRIALS), ..mine }
    }

    /// The folder of a lab.
    pub fn lab(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Writes a form of a lab into the folder `name` and makes it the member.
    pub fn put(
        &self,
        lab: &Lab,
        package: &Package,
        form: Form<'_>,
        (name, changes): (&str, Changes),
    ) -> Result<(), WorkshopError> {
        let folder = self.lab(name);
        let texts = crate_of(lab, package, form)?;
        folder::write(&folder, &texts, changes)?;
        links::make(&self.root, &folder, &links::wanted(lab, package))?;
        self.open(lab, name)
    }

    /// Makes the folder `name`, in which a lab is, the only member.
    pub fn open(&self, lab: &Lab, name: &str) -> Result<(), WorkshopError> {
        let read = |path: &Path| fs::read_to_string(path).map_err(WorkshopError::at(path));
        let member = manifest::Member {
            folder: name,
            manifest: &read(&self.lab(name).join("Cargo.toml"))?,
            // A function with a hole in it leaves unused what it used.
            allows_unused: !lab.page.work.holes().is_empty(),
        };
        let back = place::way_back(&self.root, &self.folder);
        let workspace = manifest::workspace(&read(&self.root.join("Cargo.toml"))?, &member, &back)?;
        let config = manifest::config(&self.root, &self.build, &back);
        let is_new =
            self.write("Cargo.toml", &workspace)? | self.write(".cargo/config.toml", &config)?;
        if is_new || !self.folder.join("Cargo.lock").exists() {
            place::lock(&self.root, &self.folder)?;
        }
        Ok(())
    }

    /// The crate with nothing but the models of the lab in the folder `name`.
    pub fn models(&self, lab: &Lab, name: &str) -> Result<Option<PathBuf>, WorkshopError> {
        let Some(wanted) = &lab.page.models else { return Ok(None) };
        let folder = self.folder.join(".models").join(name);
        let versions = fs::read_to_string(self.root.join("Cargo.toml"))
            .map_err(WorkshopError::at(&self.root))?;
        let texts = models::crate_of(
            wanted,
            &lab.page.package,
            &versions,
            &place::way_back(&self.root, &folder),
        )?;
        folder::write(&folder, &texts, Changes::Lost)?;
        links::make(&self.folder, &folder, &models::links(wanted, &self.lab(name)))?;
        if !folder.join("Cargo.lock").exists() {
            place::lock(&self.root, &folder)?;
        }
        Ok(Some(folder))
    }

    /// Cargo, for the lab in this folder, without the network, sharing what was compiled.
    pub fn cargo(&self, folder: &Path) -> Command {
        let mut cargo = Command::new(place::cargo());
        cargo.current_dir(folder);
        cargo.env("CARGO_TARGET_DIR", self.target()).env("CARGO_BUILD_BUILD_DIR", &self.build);
        cargo.env("CARGO_NET_OFFLINE", "true").env("CARGO_TERM_PROGRESS_WHEN", "never");
        cargo
    }

    /// Where what is compiled for the course is kept.
    pub fn build(&self) -> PathBuf {
        self.build.clone()
    }

    /// Where its programs go.
    pub fn target(&self) -> PathBuf {
        self.folder.join("target")
    }

    /// Whether the file was another one.
    fn write(&self, path: &str, text: &str) -> Result<bool, WorkshopError> {
        let path = self.folder.join(path);
        if fs::read_to_string(&path).is_ok_and(|there| there == text) {
            return Ok(false);
        }
        let parent = path.parent().unwrap_or(&path);
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .map_err(WorkshopError::at(&path))?;
        Ok(true)
    }
}

/// Why a lab is not in the workshop.
#[derive(Debug, thiserror::Error)]
pub enum WorkshopError {
    /// The catalog and the reference do not fit.
    #[error(transparent)]
    Form(#[from] FormError),
    /// Something else is in its folder.
    #[error(transparent)]
    Write(#[from] WriteError),
    /// Cargo does not know the versions.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// A manifest is not TOML.
    #[error("Cargo.toml: {0}")]
    Manifest(#[from] toml_edit::TomlError),
    /// The system does not let us.
    #[error("{}: {error}", path.display())]
    Io {
        /// Where.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

impl WorkshopError {
    fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        |error| Self::Io { path, error }
    }
}
