//! What a lab's crate shares with the phase and the catalog: symbolic links to their files.
//!
//! What always holds: a link is relative, so that the repository can be moved, and a file of the
//! learner's that is in its place stays.

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::{fs, io};

use cargo_metadata::Package;

use super::WorkshopError;
use super::form::is_test;
use crate::catalog::Lab;
use crate::place::way_back;

/// Links by where they stand in the crate.
pub(super) type Links = BTreeMap<PathBuf, PathBuf>;

/// Folders whose files are linked one by one, so that the learner can put others beside them.
const OPEN: [&str; 3] = ["tests", "benches", "examples"];

/// All links of a lab's crate.
pub(super) fn wanted(lab: &Lab, package: &Package) -> Links {
    let phase = package.manifest_path.as_std_path().parent().unwrap_or(Path::new("."));
    let mut links = Links::new();
    for name in names(phase) {
        match &*name {
            "Cargo.toml" | "target" => {}
            "src" => tests_among_sources(phase, Path::new("src"), &mut links),
            open if OPEN.contains(&open) => all_of(&phase.join(open), open, &mut links),
            _ => drop(links.insert(PathBuf::from(&name), phase.join(&name))),
        }
    }
    for open in OPEN {
        all_of(&lab.folder.join(open), open, &mut links);
    }
    links
}

fn all_of(folder: &Path, place: &str, links: &mut Links) {
    for name in names(folder) {
        links.insert(Path::new(place).join(&name), folder.join(&name));
    }
}

fn tests_among_sources(phase: &Path, folder: &Path, links: &mut Links) {
    for name in names(&phase.join(folder)) {
        let path = folder.join(&name);
        if phase.join(&path).is_dir() {
            tests_among_sources(phase, &path, links);
        } else if is_test(&name) {
            links.insert(path.clone(), phase.join(path));
        }
    }
}

/// What is in a folder, without what is hidden. Nothing where there is none.
fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name().to_string_lossy().into_owned());
    names.filter(|name| !name.starts_with('.')).collect()
}

/// Makes `folder` have these links. Those that lead nowhere go.
pub(super) fn make(root: &Path, folder: &Path, links: &Links) -> Result<(), WorkshopError> {
    for place in OPEN.iter().map(|open| folder.join(open)).chain([folder.to_owned()]) {
        for name in names(&place) {
            let path = place.join(name);
            if path.is_symlink() && !path.exists() {
                fs::remove_file(&path).map_err(WorkshopError::at(&path))?;
            }
        }
    }
    for (place, file) in links {
        let path = folder.join(place);
        link(root, &path, file).map_err(WorkshopError::at(&path))?;
    }
    Ok(())
}

fn link(root: &Path, path: &Path, file: &Path) -> io::Result<()> {
    let parent = path.parent().unwrap_or(path);
    let target = match file.strip_prefix(root) {
        Ok(inside) => Path::new(&way_back(root, parent)).join(inside),
        Err(_) => file.to_owned(),
    };
    match fs::read_link(path) {
        Ok(there) if there == target => return Ok(()),
        Ok(_) => fs::remove_file(path)?,
        // A file of the learner's own.
        Err(_) if path.exists() => return Ok(()),
        Err(_) => fs::create_dir_all(parent)?,
    }
    symlink(target, path)
}
