//! A folder of text as a value: each file's path and what is in it.
//!
//! What always holds: a path is relative and has `/` between its parts, so that it can be compared
//! and shown. What works on a tree needs no disk to be tested.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// Text files by their paths, in the order of the paths.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tree(BTreeMap<String, String>);

impl Tree {
    /// Reads a folder as git would add it: hidden files with it, `.git` and all that a `.gitignore`
    /// names without. Files that are not text (UTF-8) are not part of a tree.
    pub fn read(folder: &Path) -> Result<Self, ReadError> {
        let mut walk = ignore::WalkBuilder::new(folder);
        walk.hidden(false).require_git(false).filter_entry(|entry| entry.file_name() != ".git");
        let mut tree = Self::default();
        for entry in walk.build() {
            let path = entry?.into_path();
            if !path.is_file() {
                continue;
            }
            let bytes =
                fs::read(&path).map_err(|error| ReadError::File { path: path.clone(), error })?;
            if let Ok(text) = String::from_utf8(bytes) {
                tree.insert(relative(&path, folder), text);
            }
        }
        Ok(tree)
    }

    /// The text of a file.
    pub fn get(&self, path: &str) -> Option<&str> {
        self.0.get(path).map(String::as_str)
    }

    /// Puts a file in, in place of one that has the same path.
    pub fn insert(&mut self, path: impl Into<String>, text: impl Into<String>) {
        self.0.insert(path.into(), text.into());
    }

    /// Takes a file out.
    pub fn remove(&mut self, path: &str) {
        self.0.remove(path);
    }

    /// Every path with its text.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// Every Rust file.
    pub fn rust(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(path, _)| is_rust(path))
    }

    /// What is in one folder, with paths that begin there.
    #[must_use]
    pub fn under(&self, folder: &str) -> Self {
        let inside = |path: &str| Some(path.strip_prefix(folder)?.strip_prefix('/')?.to_owned());
        self.iter().filter_map(|(path, text)| Some((inside(path)?, text))).collect()
    }
}

impl<P: Into<String>, T: Into<String>> FromIterator<(P, T)> for Tree {
    fn from_iter<I: IntoIterator<Item = (P, T)>>(files: I) -> Self {
        Self(files.into_iter().map(|(path, text)| (path.into(), text.into())).collect())
    }
}

/// Why a folder cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The folder itself, or one in it.
    #[error(transparent)]
    Folder(#[from] ignore::Error),
    /// A file in it.
    #[error("cannot read {}: {error}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Whether a path is that of a Rust file.
pub fn is_rust(path: &str) -> bool {
    Path::new(path).extension().is_some_and(|extension| extension == "rs")
}

fn relative(path: &Path, folder: &Path) -> String {
    let inside = path.strip_prefix(folder).unwrap_or(path);
    let parts: Vec<_> = inside.iter().map(|part| part.to_string_lossy()).collect();
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_read_as_git_would_add_it() {
        let folder = tempfile::tempdir().unwrap();
        for (path, bytes) in [
            (".gitignore", &b"/target\n"[..]),
            (".git/config", b""),
            (".ci/run", b"run"),
            ("target/debug", b""),
            ("src/http/head.rs", "ü".as_bytes()),
            ("picture.png", b"\x89PNG"),
        ] {
            let file = folder.path().join(path);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, bytes).unwrap();
        }
        let tree = Tree::read(folder.path()).unwrap();
        let expected = [(".ci/run", "run"), (".gitignore", "/target\n"), ("src/http/head.rs", "ü")];
        assert_eq!(tree, expected.into_iter().collect());
        assert_eq!(tree.rust().count(), 1);
    }

    #[test]
    fn a_folder_that_is_not_there_is_named() {
        let error = Tree::read(Path::new("no/such/folder")).unwrap_err().to_string();
        assert!(error.contains("no/such/folder"), "{error}");
    }

    #[test]
    fn a_folder_of_a_tree_has_paths_that_begin_there() {
        let tree: Tree = [("src/http.rs", "a"), ("src/http/head.rs", "b"), ("srcs/c.rs", "c")]
            .into_iter()
            .collect();
        let expected = [("http.rs", "a"), ("http/head.rs", "b")].into_iter().collect();
        assert_eq!(tree.under("src"), expected);
    }
}
