//! Anchors: the named regions of a source file.
//!
//! `// ANCHOR: push` and `// ANCHOR_END: push` stand on lines of their own around a region, as
//! mdBook reads them. The book shows regions, and a lab takes one out for the learner to write.
//!
//! What always holds: every region that begins ends, in the same file, and two regions are apart or
//! one is inside the other. A file without its anchors is the same Rust.

use std::ops::Range;

/// A region and its lines, counted from 0, without those of its anchors.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// What it is called. No two of a file are called the same.
    pub name: String,
    /// What is between its anchors.
    pub lines: Range<usize>,
}

/// Anchors that make no regions.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct AnchorError {
    /// Where, from 1.
    pub line: usize,
    /// What is wrong.
    pub reason: String,
}

impl AnchorError {
    fn new(line: usize, reason: impl Into<String>) -> Self {
        Self { line: line + 1, reason: reason.into() }
    }
}

/// One line of an anchor.
enum Anchor<'a> {
    Start(&'a str),
    End(&'a str),
}

impl<'a> Anchor<'a> {
    fn of(line: &'a str) -> Option<Self> {
        let comment = line.trim().strip_prefix("// ")?;
        let start = comment.strip_prefix("ANCHOR: ").map(Self::Start);
        start.or_else(|| comment.strip_prefix("ANCHOR_END: ").map(Self::End))
    }
}

/// The regions of a file, in the order in which they end.
pub fn regions(text: &str) -> Result<Vec<Region>, AnchorError> {
    let mut open: Vec<(&str, usize)> = Vec::new();
    let mut regions: Vec<Region> = Vec::new();
    for (line, anchor) in text.lines().enumerate() {
        match Anchor::of(anchor) {
            None => {}
            Some(Anchor::Start(name)) => {
                let is_known = |it: &Region| it.name == name;
                if open.iter().any(|(it, _)| *it == name) || regions.iter().any(is_known) {
                    return Err(AnchorError::new(line, format!("a second anchor {name}")));
                }
                open.push((name, line));
            }
            Some(Anchor::End(name)) => match open.pop() {
                Some((it, start)) if it == name => {
                    regions.push(Region { name: name.to_owned(), lines: start + 1..line });
                }
                Some((it, _)) => {
                    let reason = format!("{name} ends before {it}, which begins inside it");
                    return Err(AnchorError::new(line, reason));
                }
                None => return Err(AnchorError::new(line, format!("{name} ends and never began"))),
            },
        }
    }
    match open.pop() {
        Some((name, line)) => Err(AnchorError::new(line, format!("{name} begins and never ends"))),
        None => Ok(regions),
    }
}

/// A file without its anchors.
pub fn removed(text: &str) -> String {
    text.split_inclusive('\n').filter(|line| Anchor::of(line).is_none()).collect()
}

/// A file with other lines in a region. The anchors stay, so that further regions can be found.
/// Nothing where the file has no such region.
pub fn replaced(text: &str, name: &str, with: &str) -> Result<Option<String>, AnchorError> {
    let region = regions(text)?.into_iter().find(|region| region.name == name);
    Ok(region.map(|Region { lines, .. }| {
        let all: Vec<&str> = text.lines().collect();
        let with: Vec<&str> = with.lines().collect();
        [&all[..lines.start], &with, &all[lines.end..]].concat().join("\n") + "\n"
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = concat!(
        "//! A file.\n// ANCHOR: outer\nfn a() {\n    // ANCHOR: inner\n    b()\n",
        "    // ANCHOR_END: inner\n}\n// ANCHOR_END: outer\n",
    );

    #[test]
    fn regions_may_be_inside_each_other() {
        let region = |name: &str, lines| Region { name: name.into(), lines };
        assert_eq!(regions(FILE).unwrap(), [region("inner", 4..5), region("outer", 2..7)]);
    }

    #[test]
    fn a_file_without_its_anchors_is_the_same_rust() {
        assert_eq!(removed(FILE), "//! A file.\nfn a() {\n    b()\n}\n");
    }

    #[test]
    fn a_region_gets_other_lines_and_keeps_its_anchors() {
        let text = replaced(FILE, "inner", "    todo!()\n    // twice").unwrap().unwrap();
        assert_eq!(removed(&text), "//! A file.\nfn a() {\n    todo!()\n    // twice\n}\n");
        assert_eq!(regions(&text).unwrap()[0].lines, 4..6);
        let emptied = replaced(FILE, "outer", "").unwrap().unwrap();
        assert_eq!(removed(&emptied), "//! A file.\n");
        assert_eq!(replaced(FILE, "other", ""), Ok(None));
    }

    #[test]
    fn what_makes_no_region_is_refused_with_its_line() {
        for (text, expected) in [
            ("// ANCHOR: a\n", "line 1: a begins and never ends"),
            ("\n// ANCHOR_END: a\n", "line 2: a ends and never began"),
            (
                "// ANCHOR: a\n// ANCHOR: b\n// ANCHOR_END: a\n// ANCHOR_END: b\n",
                "line 3: a ends before b, which begins inside it",
            ),
            (
                "// ANCHOR: a\n// ANCHOR_END: a\n// ANCHOR: a\n// ANCHOR_END: a\n",
                "line 3: a second anchor a",
            ),
        ] {
            assert_eq!(regions(text).unwrap_err().to_string(), expected);
        }
    }
}
