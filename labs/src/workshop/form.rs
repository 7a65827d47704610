//! A lab's crate as a value.
//!
//! What always holds: every form comes from the phase as it is today, so none can drift from it, and
//! what does not fit any more is an error and never a form that is nearly right.

use std::path::Path;

use cargo_metadata::Package;

use crate::anchors::{self, AnchorError};
use crate::catalog::{EditError, Lab, Mutant, Work};
use crate::tree::{ReadError, Tree};

/// One of the things that a lab's crate can be.
#[derive(Debug, Clone, Copy)]
pub enum Form<'a> {
    /// What the learner begins with.
    Starter,
    /// The phase as it is.
    Reference,
    /// What the lab asks for.
    Solution,
    /// The phase with a mistake in it.
    Mutant(&'a Mutant),
}

/// The texts of a form: its manifest, its sources, and what the learner writes beside them.
pub fn crate_of(lab: &Lab, package: &Package, form: Form<'_>) -> Result<Tree, FormError> {
    let folder = package.manifest_path.parent().unwrap_or(&package.manifest_path);
    let mut texts: Tree = Tree::read(folder.as_std_path())?
        .iter()
        .filter(|(path, _)| is_own(path))
        .map(|(path, text)| (path.to_owned(), text.to_owned()))
        .collect();
    match form {
        Form::Starter => cut_holes(lab, &mut texts)?,
        Form::Solution if matches!(lab.page.work, Work::Extend) => patch(lab, &mut texts)?,
        Form::Reference | Form::Solution => {}
        Form::Mutant(mutant) => {
            change(&mut texts, &mutant.edit.file, |text| Ok(mutant.edit.apply(text)?))?;
        }
    }
    let mut texts: Tree = texts.iter().map(|(path, text)| (path, anchors::removed(text))).collect();
    overlay(lab, "starter", &mut texts)?;
    if matches!(form, Form::Solution) {
        overlay(lab, "solution", &mut texts)?;
    }
    Ok(texts)
}

/// The texts of a lab's crate as they are now, without what it shares with the phase.
pub fn crate_in(folder: &Path) -> Result<Tree, ReadError> {
    let is_linked = |path: &str| {
        let parts = Path::new(path).ancestors().filter(|part| !part.as_os_str().is_empty());
        { parts }.any(|part| folder.join(part).is_symlink())
    };
    let texts = Tree::read(folder)?;
    Ok(texts.iter().filter(|(path, _)| !path.starts_with('.') && !is_linked(path)).collect())
}

/// What the learner may change. Tests of the phase that stand among its sources are links, too.
fn is_own(path: &str) -> bool {
    path == "Cargo.toml" || path.starts_with("src/") && !is_test(path)
}

/// Whether a file of `src` holds nothing but tests, by its name.
pub(super) fn is_test(path: &str) -> bool {
    let name = path.rsplit('/').next().unwrap_or(path);
    name == "tests.rs" || name == "models.rs" || name.ends_with("_tests.rs")
}

fn cut_holes(lab: &Lab, texts: &mut Tree) -> Result<(), FormError> {
    for hole in lab.page.work.holes() {
        change(texts, &hole.file, |text| {
            let cut = anchors::replaced(text, &hole.anchor, &hole.text);
            let cut = cut.map_err(|error| FormError::Anchors { file: hole.file.clone(), error })?;
            cut.ok_or_else(|| FormError::NoAnchor {
                file: hole.file.clone(),
                anchor: hole.anchor.clone(),
            })
        })?;
    }
    Ok(())
}

/// Applies `solution.patch`: what `cargo lab diff <id>` shows when it is done.
fn patch(lab: &Lab, texts: &mut Tree) -> Result<(), FormError> {
    let does_not_fit = |reason: String| FormError::Patch { lab: lab.id.clone(), reason };
    for text in file_patches(&file_of(lab, "solution.patch")?) {
        let parsed =
            diffy::Patch::from_str(&text).map_err(|error| does_not_fit(error.to_string()))?;
        let file = parsed.modified().and_then(|path| path.strip_prefix("b/"));
        let file = file.ok_or_else(|| does_not_fit("a path does not begin with b/".into()))?;
        change(texts, file, |text| {
            // A learner sees no anchors, so neither does who makes a patch.
            diffy::apply(&anchors::removed(text), &parsed)
                .map_err(|error| does_not_fit(format!("{file}: {error}")))
        })?;
    }
    Ok(())
}

/// Each file's part of a unified diff.
fn file_patches(diff: &str) -> Vec<String> {
    let lines: Vec<&str> = diff.split_inclusive('\n').collect();
    let begins = |at: &usize| {
        lines[*at].starts_with("--- ") && lines.get(at + 1).is_some_and(|it| it.starts_with("+++ "))
    };
    let starts: Vec<usize> = (0..lines.len()).filter(begins).chain([lines.len()]).collect();
    starts
        .windows(2)
        .map(|pair| lines[pair[0]..pair[1]].concat().trim_end().to_owned() + "\n")
        .collect()
}

fn change(
    texts: &mut Tree,
    path: &str,
    edit: impl FnOnce(&str) -> Result<String, FormError>,
) -> Result<(), FormError> {
    let text = texts.get(path).ok_or_else(|| FormError::NoFile { file: path.to_owned() })?;
    let text = edit(text)?;
    texts.insert(path, text);
    Ok(())
}

/// Lays a folder of the catalog over the crate.
fn overlay(lab: &Lab, name: &str, texts: &mut Tree) -> Result<(), FormError> {
    let folder = lab.folder.join(name);
    if folder.is_dir() {
        for (path, text) in Tree::read(&folder)?.iter() {
            texts.insert(path, text);
        }
    }
    Ok(())
}

fn file_of(lab: &Lab, name: &str) -> Result<String, FormError> {
    let path = lab.folder.join(name);
    std::fs::read_to_string(&path).map_err(|error| ReadError::File { path, error }.into())
}

/// Why a lab has no such form.
#[derive(Debug, thiserror::Error)]
pub enum FormError {
    /// A file cannot be read.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The lab names a file that the phase does not have.
    #[error("{file}: the phase has no such file")]
    NoFile {
        /// Which.
        file: String,
    },
    /// The anchors of a file make no regions.
    #[error("{file}: {error}")]
    Anchors {
        /// Which.
        file: String,
        /// Why not.
        error: AnchorError,
    },
    /// The lab names a region that the file does not have.
    #[error("{file}: there is no anchor {anchor}")]
    NoAnchor {
        /// Where.
        file: String,
        /// Which.
        anchor: String,
    },
    /// The solution of a lab that extends was made for another phase than this.
    #[error("{lab}: solution.patch does not apply: {reason}")]
    Patch {
        /// Which lab.
        lab: String,
        /// Why not.
        reason: String,
    },
    /// A mutant was made for another file than this.
    #[error(transparent)]
    Edit(#[from] EditError),
}
