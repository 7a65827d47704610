//! What the last phase says of its options, as a page shows it.

use std::process::{Command, Stdio};

use crate::page::Book;
use crate::{programs, regions};

/// Where it stands.
const PAGE: &str = "configuration.md";

/// The page, if it does not show what the program says.
pub(crate) fn stale(book: &Book) -> Vec<String> {
    let page = book.pages.iter().find(|page| page.path.ends_with(PAGE));
    let page = page.unwrap_or_else(|| panic!("there is no {PAGE}"));
    let program = programs::find("craft1-final").expect("a program of the workspace");
    let said = Command::new(program).arg("--help").stdin(Stdio::null()).output();
    let said = String::from_utf8(said.expect("it was just built").stdout).expect("help is text");
    let lines: Vec<&str> = said.lines().map(str::trim_end).collect();
    let block = format!("```text\n{}\n```\n", lines.join("\n"));
    match regions::filled(page, "help", &block) {
        Some(text) => regions::stale(page, &text).into_iter().collect(),
        None => vec![format!("{PAGE}: no <!-- help --> … <!-- /help -->")],
    }
}
