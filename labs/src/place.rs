//! Where a generated folder stands: the way back to the workspace, and the versions it takes from there.

use std::path::Path;
use std::process::Command;
use std::{env, fs, io};

/// The way from a folder to the workspace: relative inside it, so that both can be moved together.
pub fn way_back(root: &Path, folder: &Path) -> String {
    match folder.strip_prefix(root) {
        Ok(inside) => vec![".."; inside.components().count()].join("/"),
        Err(_) => root.display().to_string(),
    }
}

/// Gives a folder the versions of the workspace. Cargo takes out what it does not need.
pub fn lock(root: &Path, folder: &Path) -> Result<(), LockError> {
    fs::copy(root.join("Cargo.lock"), folder.join("Cargo.lock")).map_err(LockError::Copy)?;
    let output = Command::new(cargo())
        .args(["update", "--workspace", "--offline", "--quiet"])
        .current_dir(folder)
        .output()
        .map_err(LockError::Cargo)?;
    if output.status.success() {
        Ok(())
    } else {
        Err(LockError::Refused(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
    }
}

/// The cargo that runs us, or the one that is there.
pub fn cargo() -> std::ffi::OsString {
    env::var_os("CARGO").unwrap_or_else(|| "cargo".into())
}

/// Why a folder has no versions.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// The file cannot be copied.
    #[error("cannot write Cargo.lock: {0}")]
    Copy(io::Error),
    /// Cargo is not there.
    #[error("cannot run cargo: {0}")]
    Cargo(io::Error),
    /// Cargo does not agree.
    #[error("cargo cannot lock the versions: {0}")]
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_back_is_relative_inside_the_workspace_and_absolute_outside() {
        let root = Path::new("/course");
        assert_eq!(way_back(root, Path::new("/course/mylabs/snapshot-phase1")), "../..");
        assert_eq!(way_back(root, Path::new("/elsewhere/mine")), "/course");
    }
}
