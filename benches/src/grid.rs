//! Cells in columns as plain text: aligned, and coloured only where somebody reads it on a terminal.

use anstyle::{AnsiColor, Style};

/// Between two columns.
const GAP: &str = "   ";

/// One cell: a text, and a smaller one on the line below.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) below: String,
    pub(crate) tone: Tone,
}

/// What a colour says.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Better,
    Worse,
    Faint,
}

/// Whether colours are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Colour {
    /// For a terminal.
    Ansi,
    /// For everything else.
    Never,
}

impl Cell {
    pub(crate) fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), ..Self::default() }
    }

    pub(crate) fn faint(text: impl Into<String>) -> Self {
        Self { tone: Tone::Faint, ..Self::new(text) }
    }

    fn width(&self) -> usize {
        width(&self.text).max(width(&self.below))
    }
}

/// Writes rows of equal length; the first column stands left, the others right.
pub(crate) fn render(rows: &[Vec<Cell>], colour: Colour) -> String {
    let columns = rows.first().map_or(0, Vec::len);
    let column_width = |column: usize| rows.iter().map(|row| row[column].width()).max();
    let widths: Vec<usize> = (0..columns).map(|column| column_width(column).unwrap_or(0)).collect();
    let mut out = String::new();
    for row in rows {
        let upper = row.iter().map(|cell| (cell.text.as_str(), cell.tone));
        out += &line(upper, &widths, colour);
        if row.iter().any(|cell| !cell.below.is_empty()) {
            let lower = row.iter().map(|cell| (cell.below.as_str(), Tone::Faint));
            out += &line(lower, &widths, colour);
        }
    }
    out
}

fn line<'a>(
    cells: impl Iterator<Item = (&'a str, Tone)>,
    widths: &[usize],
    colour: Colour,
) -> String {
    let mut line = String::from("  ");
    for (column, (text, tone)) in cells.enumerate() {
        let space = " ".repeat(widths[column] - width(text));
        let text = paint(text, tone, colour);
        // Names stand on the left, figures on the right.
        let cell = if column == 0 { [&text, &space, ""] } else { [GAP, &space, &text] };
        line.extend(cell);
    }
    format!("{}\n", line.trim_end())
}

pub(crate) fn paint(text: &str, tone: Tone, colour: Colour) -> String {
    let style = match tone {
        Tone::Plain => Style::new(),
        Tone::Better => AnsiColor::Green.on_default(),
        Tone::Worse => AnsiColor::Red.on_default(),
        Tone::Faint => Style::new().dimmed(),
    };
    if colour == Colour::Never || text.is_empty() || style.is_plain() {
        text.to_owned()
    } else {
        format!("{style}{text}{style:#}")
    }
}

/// In characters: all that we write are as wide as a digit.
fn width(text: &str) -> usize {
    text.chars().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows() -> Vec<Vec<Cell>> {
        let head = vec![Cell::new(""), Cell::faint("requests/s")];
        let figure = Cell {
            text: "1,000 2.00×".to_owned(),
            below: "990 … 1,010".to_owned(),
            tone: Tone::Better,
        };
        vec![head, vec![Cell::new("phase0"), figure]]
    }

    #[test]
    fn the_first_column_stands_left_and_figures_right() {
        let expected = concat!(
            "            requests/s\n",
            "  phase0   1,000 2.00×\n",
            "           990 … 1,010\n",
        );
        assert_eq!(render(&rows(), Colour::Never), expected);
    }

    #[test]
    fn colour_changes_no_column() {
        let coloured = render(&rows(), Colour::Ansi);
        assert!(coloured.contains("\u{1b}[32m1,000 2.00×\u{1b}[0m"), "{coloured:?}");
        let mut plain = coloured;
        for code in ["\u{1b}[32m", "\u{1b}[2m", "\u{1b}[0m"] {
            plain = plain.replace(code, "");
        }
        assert_eq!(plain, render(&rows(), Colour::Never));
    }
}
