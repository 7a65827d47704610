//! The marked regions of a Markdown file: what they ask for, and where they are.
//!
//! ```text
//! <!-- record: NAME table=staircase workload=single --> … <!-- /record -->
//! ```
//!
//! Found by a Markdown parser and not by searching the text, because a marker inside a code block is
//! an example of a marker.

use std::{collections::BTreeMap, ops::Range};

use pulldown_cmark::{Event, Options, Parser};

const OPEN: &str = "<!-- record:";
const CLOSE: &str = "<!-- /record -->";
/// Says that a line states a limit or a setting, not a measurement.
pub(crate) const EXEMPTION: &str = "<!-- not a measurement -->";

/// What a marker asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Marker {
    /// The record's name.
    pub(crate) record: String,
    /// `table`, `workload` and so on.
    pub(crate) fields: BTreeMap<String, String>,
}

/// A marker, and the text that it owns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Region {
    pub(crate) marker: Marker,
    /// Between the two comments.
    pub(crate) content: Range<usize>,
    /// From the first byte of the opening comment to the last of the closing one.
    pub(crate) whole: Range<usize>,
    /// Whether Markdown takes the opening line for HTML, as it does where a comment begins a line.
    pub(crate) begins_line: bool,
}

/// Something wrong at a byte of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Mistake {
    pub(crate) offset: usize,
    pub(crate) what: String,
}

impl Mistake {
    pub(crate) fn new(offset: usize, what: impl Into<String>) -> Self {
        Self { offset, what: what.into() }
    }
}

/// The Markdown that GitHub and mdBook share.
pub(crate) fn parser(text: &str) -> Parser<'_> {
    Parser::new_ext(text, Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH)
}

/// Every region of a file, in order, and what is wrong with the others.
pub(crate) fn regions(text: &str) -> (Vec<Region>, Vec<Mistake>) {
    let (mut regions, mut mistakes) = (Vec::new(), Vec::new());
    let mut open: Option<Comment> = None;
    for comment in comments(text) {
        match (comment.kind, &open) {
            (Kind::Open, None) => open = Some(comment),
            (Kind::Open, Some(_)) => {
                mistakes.push(Mistake::new(comment.range.start, "a marker inside a marked region"));
            }
            (Kind::Close, None) => {
                mistakes
                    .push(Mistake::new(comment.range.start, "nothing is open here to be closed"));
            }
            (Kind::Close, Some(start)) => {
                match Marker::parse(&text[start.range.clone()]) {
                    Ok(marker) => regions.push(Region {
                        marker,
                        content: start.range.end..comment.range.start,
                        whole: start.range.start..comment.range.end,
                        begins_line: start.begins_line,
                    }),
                    Err(what) => mistakes.push(Mistake::new(start.range.start, what)),
                }
                open = None;
            }
        }
    }
    if let Some(start) = open {
        mistakes.push(Mistake::new(start.range.start, format!("never closed by {CLOSE}")));
    }
    (regions, mistakes)
}

#[derive(Debug, Clone)]
struct Comment {
    kind: Kind,
    range: Range<usize>,
    begins_line: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Open,
    Close,
}

fn comments(text: &str) -> Vec<Comment> {
    let mut found = Vec::new();
    for (event, range) in parser(text).into_offset_iter() {
        let is_block = match event {
            Event::Html(_) => true,
            Event::InlineHtml(_) => false,
            _ => continue,
        };
        found.extend(comments_in(text, range, is_block));
    }
    found
}

fn comments_in(text: &str, html: Range<usize>, is_block: bool) -> Vec<Comment> {
    let mut found = Vec::new();
    let mut at = html.start;
    while let Some(begin) = text[at..html.end].find("<!--").map(|begin| at + begin) {
        let Some(len) = text[begin..html.end].find("-->") else { break };
        at = begin + len + "-->".len();
        let comment = &text[begin..at];
        let kind = if comment.starts_with(OPEN) {
            Kind::Open
        } else if comment == CLOSE {
            Kind::Close
        } else {
            continue;
        };
        found.push(Comment { kind, range: begin..at, begins_line: is_block });
    }
    found
}

impl Marker {
    /// Reads the opening comment.
    fn parse(comment: &str) -> Result<Self, String> {
        let inside = comment.strip_prefix(OPEN).and_then(|rest| rest.strip_suffix("-->"));
        let mut words = inside.unwrap_or_default().split_whitespace();
        let record = words.next().ok_or("the marker names no record")?.to_owned();
        let mut fields = BTreeMap::new();
        for word in words {
            let (key, value) = word
                .split_once('=')
                .ok_or_else(|| format!("{word:?} is not of the form key=value"))?;
            if fields.insert(key.to_owned(), value.to_owned()).is_some() {
                return Err(format!("{key} stands there twice"));
            }
        }
        Ok(Self { record, fields })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_region_is_what_stands_between_its_comments() {
        let text = "It needs <!-- record: a figure=x subject=b -->12<!-- /record --> of them.\n";
        let (regions, mistakes) = regions(text);
        assert_eq!(mistakes, []);
        let [region] = regions.as_slice() else { panic!("{regions:?}") };
        assert_eq!(&text[region.content.clone()], "12");
        assert!(text[region.whole.clone()].ends_with(CLOSE));
        assert_eq!(region.marker.record, "a");
        assert_eq!(region.marker.fields["subject"], "b");
        assert!(!region.begins_line);
    }

    #[test]
    fn a_marker_in_code_is_an_example() {
        for text in ["```html\n<!-- record: a table=b -->\n```\n", "Write `<!-- record: a -->`.\n"]
        {
            assert_eq!(regions(text), (Vec::new(), Vec::new()), "{text}");
        }
    }

    #[test]
    fn says_what_is_wrong_with_a_marker() {
        for (text, expected) in [
            ("<!-- record: a table=b -->\n", "never closed by <!-- /record -->"),
            ("<!-- /record -->\n", "nothing is open here to be closed"),
            ("a <!-- record: --><!-- /record -->", "the marker names no record"),
            ("a <!-- record: a b --><!-- /record -->", "\"b\" is not of the form key=value"),
            ("a <!-- record: a b=1 b=2 --><!-- /record -->", "b stands there twice"),
            (
                "<!-- record: a b=1 -->\n\n<!-- record: c d=1 -->\n\n<!-- /record -->\n",
                "a marker inside a marked region",
            ),
        ] {
            let (_, mistakes) = regions(text);
            assert_eq!(mistakes[0].what, expected, "{text}");
        }
    }
}
