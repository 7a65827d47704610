//! What holds the book together. Each rule is a function from the book to findings, and the tests here
//! run them on this book.
//!
//! | file | rules |
//! |---|---|
//! | `page` | the pages, and their parts as a Markdown parser sees them |
//! | `links` | every link leads to a file, and to a heading that is there |
//! | `snippets` | every snippet is a region of a file, and says of which |
//! | `regions` | tables that are made from something else are up to date |
//! | `tasks` | every lab stands in its chapter, with its kind and its minutes |
//! | `help` | what the last phase says of its options is what its page shows |
//! | `telemetry` | what servers tell of themselves is what its page says |
//! | `commands` | every command is one that its program understands; what stands behind `$` is run |
//! | `programs` | where the programs are that commands are for |
//! | `website` | mdBook makes a website of it whose links lead somewhere |
//!
//! That every figure has its record is held by `benches/tests/figures.rs`, for all documents.

mod commands;
mod help;
mod links;
mod page;
mod programs;
mod regions;
mod snippets;
mod tasks;
mod telemetry;
mod website;

use page::Book;

/// Fails with everything that was found, each in a line of its own.
#[track_caller]
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}\n", findings.join("\n"));
}

#[test]
fn the_table_of_contents_has_every_page_once() {
    assert_none(&links::contents(&Book::read()));
}

#[test]
fn every_link_leads_somewhere() {
    assert_none(&links::dead(&Book::read()));
}

#[test]
fn every_snippet_is_a_region_of_a_file_and_says_of_which() {
    assert_none(&snippets::wrong(&Book::read()));
}

/// `UPDATE_EXPECT=1 cargo test -p book` writes the tables anew.
#[test]
fn every_chapter_has_the_table_of_its_labs() {
    assert_none(&tasks::stale(&Book::read()));
}

/// `UPDATE_EXPECT=1 cargo test -p book` writes the table anew.
#[test]
fn the_page_about_telemetry_says_what_the_servers_say() {
    assert_none(&telemetry::stale(&Book::read()));
}

/// `UPDATE_EXPECT=1 cargo test -p book` writes the text anew.
#[test]
fn the_page_about_options_shows_what_the_program_says() {
    assert_none(&help::stale(&Book::read()));
}

#[test]
fn every_lab_that_a_page_names_exists() {
    assert_none(&tasks::unknown(&Book::read()));
}

#[test]
fn every_command_is_one_that_its_program_understands() {
    assert_none(&commands::misunderstood(&Book::read()));
}

#[test]
fn every_example_prints_what_the_page_shows() {
    let count = commands::run_examples(&Book::read());
    assert!(count >= 20, "only {count} examples");
}

#[test]
#[ignore = "needs mdbook: cargo install mdbook --version 0.5.4 --locked"]
fn mdbook_makes_a_website_whose_links_lead_somewhere() {
    assert_none(&website::dead_links());
}
