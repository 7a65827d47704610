//! A table of texts that becomes HTML in the report and Markdown in the book, so that both say the
//! same.

use std::fmt::Write as _;

use maud::{Markup, html};

/// What the columns after the first hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Columns {
    /// Figures, one below the other at the right.
    Figures,
    /// Words, which begin at the left.
    Words,
}

/// A head and rows of the same length. The first column names the row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// What it shows: its accessible name.
    pub caption: String,
    /// What the columns hold.
    pub columns: Columns,
    /// One name for each column.
    pub head: Vec<String>,
    /// As many cells as names.
    pub rows: Vec<Vec<Cell>>,
}

/// A figure, and what must be known to read it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cell {
    /// The figure or word.
    pub text: String,
    /// Its range, its ratio, a reason: a line each, below it.
    pub notes: Vec<String>,
    /// Whether something is wrong there.
    pub is_bad: bool,
}

impl Cell {
    /// A cell with a second, smaller line.
    pub fn with_note(text: impl Into<String>, note: impl Into<String>) -> Self {
        Self { text: text.into(), notes: vec![note.into()], is_bad: false }
    }

    /// A dash for a figure that there is not.
    pub fn absent() -> Self {
        Self::from("–")
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), ..Self::default() }
    }
}

impl Table {
    /// In a box that scrolls by itself where the table is wider than the page. The box can be
    /// reached by keyboard, so that who has no pointer can scroll it too.
    pub fn html(&self) -> Markup {
        html! {
            div.scroll tabindex="0" role="region" aria-label=(self.caption) {
                table.words[self.columns == Columns::Words] {
                    caption.unseen { (self.caption) }
                    thead { tr { @for name in &self.head { th scope="col" { (name) } } } }
                    tbody {
                        @for row in &self.rows {
                            tr {
                                @for (column, cell) in row.iter().enumerate() {
                                    @if column == 0 {
                                        th scope="row" { (cell_html(cell)) }
                                    } @else {
                                        td.bad[cell.is_bad] { (cell_html(cell)) }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// As a pipe table with a line end after each row.
    pub fn markdown(&self) -> String {
        let mut out = markdown_row(self.head.iter().map(|name| escaped(name)));
        let other = match self.columns {
            Columns::Figures => "---:",
            Columns::Words => "---",
        };
        let rules = (0..self.head.len()).map(|column| if column == 0 { "---" } else { other });
        out.push_str(&markdown_row(rules.map(str::to_owned)));
        for row in &self.rows {
            out.push_str(&markdown_row(row.iter().map(cell_markdown)));
        }
        out
    }
}

fn cell_html(cell: &Cell) -> Markup {
    html! {
        (cell.text)
        @for note in &cell.notes { span.note { (note) } }
    }
}

fn cell_markdown(cell: &Cell) -> String {
    let text = escaped(&cell.text);
    let text = if cell.is_bad { format!("**{text}**") } else { text };
    let notes = cell.notes.iter().map(|note| escaped(note));
    [text].into_iter().chain(notes).collect::<Vec<_>>().join("<br>")
}

fn markdown_row(cells: impl Iterator<Item = String>) -> String {
    let mut row = String::from("|");
    for cell in cells {
        write!(row, " {cell} |").expect("a String takes every character");
    }
    row.push('\n');
    row
}

/// Text stays text: a bar would begin a cell, the others markup.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' => {
                out.push('\\');
                out.push(character);
            }
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(text: &str) -> Table {
        Table {
            caption: "a table".to_owned(),
            columns: Columns::Figures,
            head: vec!["name".to_owned(), "figure".to_owned()],
            rows: vec![vec![Cell::from(text), Cell::with_note("1", "0 to 2")]],
        }
    }

    #[test]
    fn markdown_keeps_figures_and_notes_in_their_cells() {
        assert_eq!(
            table("a").markdown(),
            "| name | figure |\n| --- | ---: |\n| a | 1<br>0 to 2 |\n"
        );
    }

    #[test]
    fn text_never_becomes_markup_nor_a_cell() {
        let hostile = table("a|b <b>*c*</b>\n| d");
        assert_eq!(
            hostile.markdown().lines().nth(2).unwrap(),
            r"| a\|b &lt;b&gt;\*c\*&lt;/b&gt; \| d | 1<br>0 to 2 |"
        );
        assert!(!hostile.html().into_string().contains("<b>"));
    }
}
