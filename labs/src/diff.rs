//! Two trees, file by file and line by line.
//!
//! What always holds: what is equal is not shown, and the counts are those of the lines that are.
//! The line-by-line comparison is Myers' (An O(ND) Difference Algorithm, 1986), by the crate
//! `similar`; the form is that of `diff -u`, which patches take.

use std::collections::BTreeSet;
use std::io::{self, Write};

use anstyle::{AnsiColor, Style};
use serde::Serialize;
use similar::{ChangeTag, TextDiff};

use crate::tree::Tree;

/// What has to be done to one tree to get the other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diff {
    /// The name of the one.
    pub from: String,
    /// The name of the other.
    pub to: String,
    /// Lines that are only in the other.
    pub added: usize,
    /// Lines that are only in the one.
    pub removed: usize,
    /// Every file that is not the same in both, in the order of the paths.
    pub files: Vec<FileDiff>,
}

/// One file that is not the same in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FileDiff {
    /// Its path.
    pub path: String,
    /// What became of it.
    pub change: Change,
    /// Lines that are new.
    pub added: usize,
    /// Lines that are gone.
    pub removed: usize,
    /// The lines, as `diff -u` shows them. Empty where only the counts are wanted.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub unified: String,
}

/// What became of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the other tree has it.
    Added,
    /// Only the one tree has it.
    Removed,
    /// Both have it, and not the same.
    Changed,
}

/// A tree with the name that stands above its side.
pub type Named<'a> = (&'a str, &'a Tree);

impl Diff {
    /// Compares two trees.
    pub fn between(from: Named<'_>, to: Named<'_>) -> Self {
        let paths: BTreeSet<&str> =
            from.1.iter().chain(to.1.iter()).map(|(path, _)| path).collect();
        let files: Vec<FileDiff> =
            paths.into_iter().filter_map(|path| FileDiff::between(path, from, to)).collect();
        Self {
            from: from.0.to_owned(),
            to: to.0.to_owned(),
            added: files.iter().map(|file| file.added).sum(),
            removed: files.iter().map(|file| file.removed).sum(),
            files,
        }
    }

    /// The counts without the lines.
    #[must_use]
    pub fn without_lines(mut self) -> Self {
        self.files.iter_mut().for_each(|file| file.unified.clear());
        self
    }

    /// Writes it for a person: a summary, and then the lines where there are any.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, out: &mut dyn Write, has_colour: bool) -> io::Result<()> {
        let paint = Paint { has_colour };
        self.write_summary(out, paint)?;
        for file in self.files.iter().filter(|file| !file.unified.is_empty()) {
            writeln!(out)?;
            file.unified.lines().try_for_each(|line| paint.line(out, line))?;
        }
        Ok(())
    }

    fn write_summary(&self, out: &mut dyn Write, paint: Paint) -> io::Result<()> {
        let Self { from, to, added, removed, files } = self;
        if files.is_empty() {
            return writeln!(out, "{from} and {to} are the same");
        }
        let count = |change| files.iter().filter(|file| file.change == change).count();
        writeln!(
            out,
            "{from} → {to}: {} added, {} changed, {} removed, +{added} -{removed} lines\n",
            count(Change::Added),
            count(Change::Changed),
            count(Change::Removed),
        )?;
        let width = files.iter().map(|file| file.path.chars().count()).max().unwrap_or_default();
        for FileDiff { path, change, added, removed, .. } in files {
            let (sign, style) = change.sign();
            let line = format!("{sign} {path:<width$}  {added:>+5} {:>5}", format!("-{removed}"));
            writeln!(out, "{}", paint.text(&line, style))?;
        }
        Ok(())
    }
}

impl FileDiff {
    fn between(path: &str, from: Named<'_>, to: Named<'_>) -> Option<Self> {
        let (old, new) = (from.1.get(path), to.1.get(path));
        let change = match (old, new) {
            (None, _) => Change::Added,
            (_, None) => Change::Removed,
            (old, new) if old == new => return None,
            _ => Change::Changed,
        };
        let diff = TextDiff::from_lines(old.unwrap_or_default(), new.unwrap_or_default());
        let count = |tag| diff.iter_all_changes().filter(|change| change.tag() == tag).count();
        let name = |(name, tree): Named<'_>| {
            tree.get(path).map_or_else(|| "/dev/null".to_owned(), |_| format!("{name}/{path}"))
        };
        Some(Self {
            path: path.to_owned(),
            change,
            added: count(ChangeTag::Insert),
            removed: count(ChangeTag::Delete),
            unified: diff.unified_diff().header(&name(from), &name(to)).to_string(),
        })
    }
}

const GREEN: Style = AnsiColor::Green.on_default();
const RED: Style = AnsiColor::Red.on_default();

impl Change {
    fn sign(self) -> (char, Style) {
        match self {
            Self::Added => ('A', GREEN),
            Self::Removed => ('D', RED),
            Self::Changed => ('M', Style::new()),
        }
    }
}

/// Colours, or none.
#[derive(Debug, Clone, Copy)]
struct Paint {
    has_colour: bool,
}

impl Paint {
    fn text(self, text: &str, style: Style) -> String {
        if self.has_colour { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// A line of `diff -u`.
    fn line(self, out: &mut dyn Write, line: &str) -> io::Result<()> {
        let style = match line.as_bytes() {
            [b'+', b'+', b'+', ..] | [b'-', b'-', b'-', ..] => Style::new().bold(),
            [b'@', ..] => AnsiColor::Cyan.on_default(),
            [b'+', ..] => GREEN,
            [b'-', ..] => RED,
            _ => Style::new(),
        };
        writeln!(out, "{}", self.text(line, style))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn example() -> Diff {
        let lines = |changed: &str| {
            let line =
                |number: u32| if number == 6 { changed.to_owned() } else { number.to_string() };
            (1..=12).map(line).collect::<Vec<_>>().join("\n") + "\n"
        };
        let one = [
            ("src/server.rs", lines("a thread")),
            ("src/same.rs", "same".into()),
            ("old.rs", "gone\n".into()),
        ];
        let two = [
            ("src/server.rs", lines("a pool\nof threads")),
            ("src/same.rs", "same".into()),
            ("src/pool.rs", "new\nand more\n".into()),
        ];
        Diff::between(
            ("phase1", &one.into_iter().collect()),
            ("phase2", &two.into_iter().collect()),
        )
    }

    fn text(diff: &Diff, has_colour: bool) -> String {
        let mut out = Vec::new();
        diff.write(&mut out, has_colour).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_diff_as_text() {
        insta::assert_snapshot!(text(&example(), false));
    }

    #[test]
    fn counts_without_lines_as_text() {
        insta::assert_snapshot!(text(&example().without_lines(), false));
    }

    #[test]
    fn a_diff_as_json() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&example()).unwrap());
    }

    #[test]
    fn the_way_back_has_the_opposite_counts() {
        let diff = example();
        let (one, two): (Tree, Tree) =
            ([("a", "1\n2\n")].into_iter().collect(), [("a", "1\n")].into_iter().collect());
        let there = Diff::between(("one", &one), ("two", &two));
        let back = Diff::between(("two", &two), ("one", &one));
        assert_eq!((there.added, there.removed), (back.removed, back.added));
        assert_eq!((diff.added, diff.removed), (4, 2));
    }

    #[test]
    fn the_same_is_said_to_be_the_same() {
        let tree: Tree = [("a", "1")].into_iter().collect();
        let diff = Diff::between(("one", &tree), ("two", &tree));
        assert_eq!(text(&diff, true), "one and two are the same\n");
    }

    #[test]
    fn colours_come_only_where_they_are_wanted_and_change_nothing_else() {
        let (plain, coloured) = (text(&example(), false), text(&example(), true));
        assert!(!plain.contains('\u{1b}'));
        assert!(coloured.contains("\u{1b}[32m+a pool\u{1b}[0m\n"));
        assert!(coloured.contains("\u{1b}[31m-a thread\u{1b}[0m\n"));
        let pieces = coloured.split('\u{1b}').enumerate();
        let stripped: String = pieces
            .map(|(index, piece)| if index == 0 { piece } else { piece.split_once('m').unwrap().1 })
            .collect();
        assert_eq!(stripped, plain);
    }
}
