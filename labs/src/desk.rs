//! All that a command needs: the course, the catalog, the workshop, and what was done so far.

use std::path::PathBuf;
use std::time::SystemTime;

use anyhow::{Context, Result, anyhow};
use cargo_metadata::Package;
use chrono::{DateTime, SecondsFormat, Utc};

use crate::catalog::{Catalog, Lab};
use crate::commands::Usage;
use crate::course::Course;
use crate::folder::Changes;
use crate::progress::{Progress, State};
use crate::workshop::{Form, Workshop};

/// What lies on it.
#[derive(Debug)]
pub struct Desk {
    /// The crates.
    pub course: Course,
    /// The labs.
    pub catalog: Catalog,
    /// Where the learner works.
    pub workshop: Workshop,
    /// What was done.
    pub progress: Progress,
    /// RFC 3339 in UTC.
    pub now: String,
}

impl Desk {
    /// Lays everything out.
    pub fn open(now: SystemTime) -> Result<Self> {
        let course = Course::of_workspace().context("cannot ask cargo about the workspace")?;
        let catalog = Catalog::read(&course.root.join("labs/catalog"))?;
        let workshop = Workshop::of_learner(&course);
        let progress = Progress::read(&workshop.folder.join(FILE))?;
        let now = DateTime::<Utc>::from(now).to_rfc3339_opts(SecondsFormat::Secs, true);
        Ok(Self { course, catalog, workshop, progress, now })
    }

    /// The lab of this name, or the one that was started last.
    pub fn lab(&self, id: Option<&str>) -> Result<&Lab> {
        let id = id.or(self.progress.current.as_deref());
        let id = id.ok_or_else(|| Usage::new(&"no lab was started yet: cargo lab start ID"))?;
        Ok(self.catalog.find(id).map_err(|error| Usage::new(&error))?)
    }

    /// As [`Desk::lab`], and it was started.
    pub fn started(&self, id: Option<&str>) -> Result<&Lab> {
        let lab = self.lab(id)?;
        if self.progress.state(&lab.id) == State::New || !self.folder(lab).exists() {
            let start = format!("{} was not started here: cargo lab start {0}", lab.id);
            return Err(Usage::new(&start).into());
        }
        Ok(lab)
    }

    /// Where a lab is done.
    pub fn folder(&self, lab: &Lab) -> PathBuf {
        self.workshop.lab(&lab.id)
    }

    /// The crate that a lab is about.
    pub fn package(&self, lab: &Lab) -> Result<&Package> {
        let mut packages = self.course.packages();
        let package = packages.find(|package| *package.name == lab.page.package);
        package.ok_or_else(|| anyhow!("{}: there is no crate {}", lab.id, lab.page.package))
    }

    /// All labs in the order of the course.
    pub fn labs(&self) -> Vec<&Lab> {
        let packages: Vec<String> = self.course.packages().map(|it| it.name.to_string()).collect();
        self.catalog.in_order(&packages)
    }

    /// The first lab that is not done, behind this one and then from the start.
    pub fn next(&self, behind: Option<&str>) -> Option<&Lab> {
        let labs = self.labs();
        let here = labs.iter().position(|lab| Some(&*lab.id) == behind).map_or(0, |at| at + 1);
        let (before, after) = labs.split_at(here);
        let mut round = after.iter().chain(before);
        round.find(|lab| self.progress.state(&lab.id) != State::Passed).copied()
    }

    /// Puts the starter of a lab into the workshop, without touching what was changed there.
    pub fn put_starter(&self, lab: &Lab) -> Result<()> {
        let package = self.package(lab)?;
        Ok(self.workshop.put(lab, package, Form::Starter, (&lab.id, Changes::Kept))?)
    }

    /// Where lab tries are made that nobody is to see.
    pub fn trials(&self) -> Workshop {
        Workshop::of_trials(&self.course)
    }

    /// Keeps what was done.
    pub fn save(&self) -> Result<()> {
        Ok(self.progress.write(&self.workshop.folder.join(FILE))?)
    }
}

/// In the learner's workspace.
const FILE: &str = "progress.toml";
