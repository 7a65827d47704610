//! Names of the phases' crates turned into those of the snapshot's own.
//!
//! Inside the library, `craft1_phase1::http` becomes `crate::http`. From outside, which is the
//! program and the examples in the documentation, it becomes `craft1::http`. Prose keeps its names
//! with a hyphen: they are not Rust.
//!
//! It works on words and not on syntax, so that comments, links and macros are reached as well and
//! everything else stays as it was written.

use super::{ComposeError, grouping};

/// What the names of crates turn into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Imports<'a> {
    /// The crates that the snapshot is made of.
    pub(super) crates: &'a [String],
    /// What its library is called.
    pub(super) library: &'a str,
}

/// From where a file sees the library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    /// From inside.
    Library,
    /// From outside.
    Program,
}

impl Imports<'_> {
    /// The file `path` as it stands in the snapshot.
    pub(super) fn rewrite(
        self,
        side: Side,
        path: &str,
        text: &str,
    ) -> Result<String, ComposeError> {
        let renamed = self.rename(side, text);
        if renamed == text {
            return Ok(renamed);
        }
        let grouped = match side {
            Side::Library => grouping::regroup(&renamed, "crate", grouping::Place::Last),
            Side::Program => grouping::regroup(&renamed, self.library, grouping::Place::First),
        };
        grouped.map_err(|error| ComposeError::syntax(path, error))
    }

    fn rename(self, side: Side, text: &str) -> String {
        let mut in_example = false;
        let mut renamed = String::with_capacity(text.len());
        for line in text.split_inclusive('\n') {
            match documentation(line) {
                Some(words) => in_example ^= words.trim_start().starts_with("```"),
                None => in_example = false,
            }
            let from_inside = side == Side::Library && !in_example;
            let name = if from_inside { "crate" } else { self.library };
            self.push_line(&mut renamed, &self.without_links_to_crates(line), name);
        }
        renamed
    }

    /// A sentence about a whole phase goes on to name it, as there is no crate to link to.
    fn without_links_to_crates(self, line: &str) -> String {
        self.crates.iter().fold(line.to_owned(), |line, name| {
            line.replace(&format!("[`{name}`]"), &format!("`{}`", name.replace('_', "-")))
        })
    }

    fn push_line(self, renamed: &mut String, line: &str, name: &str) {
        let is_word = |it: char| it.is_alphanumeric() || it == '_';
        let mut rest = line;
        while let Some(start) = rest.find(is_word) {
            let (between, from_word) = rest.split_at(start);
            let end = from_word.find(|it| !is_word(it)).unwrap_or(from_word.len());
            let (word, behind) = from_word.split_at(end);
            renamed.push_str(between);
            renamed.push_str(if self.crates.iter().any(|it| it == word) { name } else { word });
            rest = behind;
        }
        renamed.push_str(rest);
    }
}

/// What a line of documentation says.
fn documentation(line: &str) -> Option<&str> {
    let line = line.trim_start();
    line.strip_prefix("///").or_else(|| line.strip_prefix("//!"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rewrite(side: Side, text: &str) -> String {
        let crates = ["craft1_phase1", "craft1_phase2"].map(String::from);
        let imports = Imports { crates: &crates, library: "craft1" };
        imports.rewrite(side, "file.rs", text).unwrap()
    }

    #[test]
    fn a_crate_becomes_ones_own_inside_the_library() {
        let text = "//! Unlike [`craft1_phase1::server`], craft1-phase1 said so.\n\
                    fn load() -> craft1_phase2::Load { craft1_phase1::load!() }\n";
        assert_eq!(
            rewrite(Side::Library, text),
            "//! Unlike [`crate::server`], craft1-phase1 said so.\n\
             fn load() -> crate::Load { crate::load!() }\n"
        );
    }

    #[test]
    fn a_crate_becomes_the_library_in_the_program() {
        assert_eq!(rewrite(Side::Program, "use craft1_phase1::json;\n"), "use craft1::json;\n");
    }

    #[test]
    fn an_example_sees_the_library_from_outside_and_the_words_around_it_do_not() {
        let text = "/// With [`craft1_phase1::a`]:\n/// ```\n/// craft1_phase1::a();\n/// ```\n\
                    /// [b]: craft1_phase1::b\nfn c() {}\n";
        assert_eq!(
            rewrite(Side::Library, text),
            "/// With [`crate::a`]:\n/// ```\n/// craft1::a();\n/// ```\n\
             /// [b]: crate::b\nfn c() {}\n"
        );
    }

    #[test]
    fn a_phase_as_a_whole_keeps_its_name() {
        let text = "//! All else is [`craft1_phase1`], unchanged.\n";
        let expected = "//! All else is `craft1-phase1`, unchanged.\n";
        assert_eq!(rewrite(Side::Library, text), expected);
    }

    #[test]
    fn a_longer_name_is_another_name() {
        let text = "use craft1_phase10::a;\nfn my_craft1_phase1() {}\n";
        assert_eq!(rewrite(Side::Library, text), text);
    }
}
