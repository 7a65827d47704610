//! Charts as SVG text: plain figures in, markup out, nothing measured and nothing read here.
//!
//! A chart is drawn once and shown in two ways. Inside the report it is as wide as its box: places
//! along the x axis are percentages and text has a fixed size, so that it is readable on a phone
//! without a script. For the book it is a file of its own ([`Chart::standalone`]), which brings its
//! colours along for light and dark, because an `<img>` inherits none.
//!
//! What always holds: colour is never the only sign; every text is escaped (the markup is
//! [`maud`]'s); equal figures give equal bytes, so that a stored file can be compared.

pub mod curve;
pub mod measures;
pub mod outcome;
mod scale;
pub mod strip;
pub mod waterfall;

use maud::{Markup, PreEscaped, html};

/// Colours for both schemes, as custom properties. The report uses the same.
pub(crate) const THEME: &str = include_str!("chart/theme.css");

/// How the parts of a chart look.
pub(crate) const STYLE: &str = include_str!("chart/chart.css");

/// Colours and dash patterns in the style; a ninth subject repeats the first.
const SLOTS: usize = 8;

/// A file for the book: as wide as the text column of mdBook.
const FILE_WIDTH_PX: u32 = 760;
const FILE_PADDING_PX: u32 = 18;
/// The lines of title and note in a file; in the report the figure's caption stands there.
const FILE_TITLE_PX: u32 = 50;

/// A drawn chart.
#[derive(Debug, Clone)]
pub struct Chart {
    /// What it shows, in a few words.
    pub title: String,
    /// What its signs mean, in a line.
    pub note: String,
    /// What is to be seen, in words and figures: for readers who do not see it.
    pub description: String,
    height_px: u32,
    body: Markup,
}

impl Chart {
    /// For the report, which has the theme and the style: as wide as its box, and never scaled.
    pub fn inline(&self) -> Markup {
        html! {
            svg.chart role="img" aria-label=(self.accessible_name())
                width="100%" height=(self.height_px) { (self.body) }
        }
    }

    /// A complete SVG file, readable in light and dark wherever it is shown.
    pub fn standalone(&self) -> String {
        let height_px = self.height_px + FILE_TITLE_PX + 2 * FILE_PADDING_PX;
        let inner_px = FILE_WIDTH_PX - 2 * FILE_PADDING_PX;
        let markup = html! {
            svg.chart xmlns="http://www.w3.org/2000/svg" role="img"
                aria-label=(self.accessible_name())
                width=(FILE_WIDTH_PX) height=(height_px)
                viewBox=(format!("0 0 {FILE_WIDTH_PX} {height_px}")) {
                style { (PreEscaped(THEME)) (PreEscaped(STYLE)) }
                rect.ground width="100%" height="100%" rx="8" {}
                text.title x=(FILE_PADDING_PX) y=(FILE_PADDING_PX + 14) { (self.title) }
                text.dim x=(FILE_PADDING_PX) y=(FILE_PADDING_PX + 33) { (self.note) }
                svg x=(FILE_PADDING_PX) y=(FILE_PADDING_PX + FILE_TITLE_PX)
                    width=(inner_px) height=(self.height_px) { (self.body) }
            }
        };
        format!("{}\n", markup.into_string())
    }

    fn accessible_name(&self) -> String {
        format!("{}. {}", self.title, self.description)
    }
}

/// A place along the x axis, from a share of the width.
fn percent(share: f64) -> String {
    format!("{:.2}%", share * 100.0)
}

/// The class that gives a subject its colour and its dash pattern.
fn slot_class(slot: usize) -> String {
    format!("slot-{}", slot % SLOTS)
}

/// A text beside a place, on the side where there is room.
fn anchor(share: f64) -> &'static str {
    match share {
        share if share < 0.04 => "start",
        share if share > 0.94 => "end",
        _ => "middle",
    }
}

/// A text in lines of at most `len_max` characters, broken between words: SVG does not wrap.
fn wrapped(text: &str, len_max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= len_max => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chart(title: &str) -> Chart {
        Chart {
            title: title.to_owned(),
            note: "no sign".to_owned(),
            description: "Nothing is drawn.".to_owned(),
            height_px: 40,
            body: html! { text { (title) } },
        }
    }

    #[test]
    fn text_never_becomes_markup() {
        let hostile = chart(r#"<script>alert("x")</script>"#);
        for svg in [hostile.standalone(), hostile.inline().into_string()] {
            assert!(!svg.contains("<script"), "{svg}");
        }
    }

    #[test]
    fn a_file_brings_the_colours_of_both_schemes() {
        let svg = chart("a").standalone();
        assert!(svg.contains("prefers-color-scheme: dark") && svg.contains("xmlns="), "{svg}");
        assert!(!chart("a").inline().into_string().contains("prefers-color-scheme"));
    }

    #[test]
    fn wraps_between_words_and_keeps_long_ones_whole() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("unbreakable", 3), ["unbreakable"]);
        assert_eq!(wrapped("", 3), Vec::<String>::new());
    }
}
