//! The crate that loom compiles: some modules of a lab's crate and nothing else.
//!
//! Loom replaces what they use of the standard library under `--cfg loom`, which would change a
//! dozen dependencies of the server as well.

use std::fmt::Write as _;
use std::path::Path;

use toml_edit::TomlError;

use super::links::Links;
use super::manifest;
use crate::catalog::Models;
use crate::tree::Tree;

/// Its manifest and its library.
pub(super) fn crate_of(
    models: &Models,
    package: &str,
    course: &str,
    back: &str,
) -> Result<Tree, TomlError> {
    let mut text = format!(
        "[package]\nname = \"{package}\"\nversion = \"0.0.0\"\nedition.workspace = true\n\n\
         [dependencies]\n"
    );
    for dependency in &models.dependencies {
        let _ = writeln!(text, "{dependency}.workspace = true");
    }
    text += "\n[target.'cfg(loom)'.dependencies]\nloom.workspace = true\n\n\
             [lints]\nworkspace = true\n\n";
    // What a model leaves out may be what uses something.
    let member = manifest::Member { folder: ".", manifest: &text, allows_unused: true };
    let workspace = manifest::workspace(course, &member, back)?;
    // Most of the time goes into running models.
    let workspace = workspace.replacen("[profile.dev]\n", "[profile.dev]\nopt-level = 3\n", 1);
    let mut library = String::from("//! What is modelled.\n\n");
    for module in &models.modules {
        let _ = writeln!(library, "pub mod {module};");
    }
    Ok([("Cargo.toml", text + &workspace), ("src/lib.rs", library)].into_iter().collect())
}

/// Links to the modules in the crate of the lab, whose folder is `lab`.
pub(super) fn links(models: &Models, lab: &Path) -> Links {
    let names = models.modules.iter().flat_map(|name| [format!("{name}.rs"), name.clone()]);
    let paths = names.map(|name| Path::new("src").join(name));
    paths
        .filter(|path| lab.join(path).exists())
        .map(|path| (path.clone(), lab.join(path)))
        .collect()
}
