//! The workspace around a lab: the course's own table of versions, lints and profiles, with the lab
//! as its only member.

use std::path::Path;

use toml_edit::{Array, DocumentMut, Item, TableLike, TomlError, value};

/// The lab.
pub(super) struct Member<'a> {
    /// The name of its folder.
    pub(super) folder: &'a str,
    /// Its manifest.
    pub(super) manifest: &'a str,
    /// Whether what nothing uses is no warning.
    pub(super) allows_unused: bool,
}

/// What complains of a crate in which something is missing: imports, arguments and helpers that nothing
/// uses, and exceptions that nothing needs.
const LINTS_OF_UNUSED: [&str; 2] = ["unused", "unfulfilled_lint_expectations"];

/// The manifest of the workspace. `back` is the way to the course.
pub(super) fn workspace(
    course: &str,
    member: &Member<'_>,
    back: &str,
) -> Result<String, TomlError> {
    let mut manifest: DocumentMut = course.parse()?;
    if let Some(workspace) = manifest.get_mut("workspace").and_then(Item::as_table_like_mut) {
        workspace.remove("exclude");
        workspace.remove("default-members");
        workspace.insert("members", value(Array::from_iter([member.folder])));
        let dependencies = workspace.get_mut("dependencies").and_then(Item::as_table_like_mut);
        for (_, dependency) in dependencies.into_iter().flat_map(TableLike::iter_mut) {
            let there = dependency.get("path").and_then(Item::as_str);
            if let Some(there) = there.map(|path| format!("{back}/{path}")) {
                dependency["path"] = value(there);
            }
        }
        let lints = workspace.get_mut("lints").and_then(|lints| lints.get_mut("rust"));
        if let Some(lints) = lints.and_then(Item::as_table_like_mut)
            && member.allows_unused
        {
            for lint in LINTS_OF_UNUSED {
                lints.insert(lint, value("allow"));
            }
        }
    }
    let profiles = manifest.get_mut("profile").and_then(Item::as_table_like_mut);
    for (_, profile) in profiles.into_iter().flat_map(TableLike::iter_mut) {
        if let Some(packages) = profile.get_mut("package").and_then(Item::as_table_mut) {
            // Cargo warns of one that is not there.
            packages
                .retain(|name, _| name == "*" || member.manifest.contains(&format!("\n{name}.")));
        }
    }
    Ok(format!(
        "# Written by `cargo lab start`: the lab is the only member.\n\n{}",
        text(&manifest)
    ))
}

/// Without the comment that opens the course's manifest.
fn text(manifest: &DocumentMut) -> String {
    let text = manifest.to_string();
    let start = text.find("[workspace]").unwrap_or_default();
    text[start..].to_owned()
}

/// Where cargo puts what it compiles: what is compiled once for all goes where the course's does,
/// programs stay here.
pub(super) fn config(root: &Path, build: &Path, back: &str) -> String {
    let build = match build.strip_prefix(root) {
        Ok(inside) => format!("{back}/{}", inside.display()),
        Err(_) => build.display().to_string(),
    };
    format!(
        "# Dependencies are compiled once, for the course and for its labs. A lab's programs stay \
         here.\n[build]\nbuild-dir = {}\ntarget-dir = \"target\"\n",
        toml_edit::Value::from(build)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const COURSE: &str = "# The course.\n[workspace]\nmembers = [\"a\", \"b\"]\n\
                          exclude = [\"mylabs\"]\n\n[workspace.dependencies]\n\
                          a = { path = \"a\" }\nserde = { version = \"1\" }\n\n[profile.dev]\ndebug = 1\n\n\
                          [profile.dev.package.\"*\"]\ndebug = 2\n\n\
                          [profile.dev.package.dhat]\nopt-level = 3\n";

    fn member(manifest: &str) -> Member<'_> {
        Member { folder: "x", manifest, allows_unused: false }
    }

    #[test]
    fn the_lab_is_the_only_member_and_other_crates_are_those_of_the_course() {
        let text =
            workspace(COURSE, &member("[dependencies]\na.workspace = true\n"), "../..").unwrap();
        assert_eq!(
            text,
            "# Written by `cargo lab start`: the lab is the only member.\n\n\
             [workspace]\nmembers = [\"x\"]\n\n[workspace.dependencies]\n\
             a = { path = \"../../a\" }\nserde = { version = \"1\" }\n\n[profile.dev]\ndebug = 1\n\n\
             [profile.dev.package.\"*\"]\ndebug = 2\n"
        );
        assert!(workspace("[", &member(""), "..").is_err());
    }

    #[test]
    fn a_profile_of_a_dependency_stays_where_the_lab_has_it() {
        let lab = "[dev-dependencies]\ndhat.workspace = true\n";
        assert!(workspace(COURSE, &member(lab), "..").unwrap().contains("package.dhat"));
    }

    #[test]
    fn what_holes_leave_unused_is_no_warning() {
        let course = "[workspace]\nmembers = []\n[workspace.lints.rust]\nmissing_docs = \"warn\"\n";
        let text = |allows_unused| {
            workspace(course, &Member { allows_unused, ..member("") }, "..").unwrap()
        };
        assert!(
            text(true).contains("missing_docs = \"warn\"\nunused = \"allow\"\n"),
            "{}",
            text(true)
        );
        assert!(!text(false).contains("unused"));
    }

    #[test]
    fn a_build_folder_inside_the_course_is_named_by_the_way_there() {
        let config = |build| config(Path::new("/course"), Path::new(build), "..");
        assert!(config("/course/target").contains("build-dir = \"../target\"\n"));
        assert!(config("/elsewhere").contains("build-dir = \"/elsewhere\"\n"));
    }
}
