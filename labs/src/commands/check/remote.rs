//! `cargo lab check --exec` and `--url`: grades a server in any language over its sockets.

use std::io::Write;

use anyhow::Result;

use crate::commands::{Usage, Verdict};

/// Which server to grade, and how.
#[derive(Debug, clap::Args)]
#[group(multiple = false)]
pub(super) struct Arguments {
    /// Grade the server that this command starts; {port} stands for a free port
    #[arg(long, value_name = "CMD", help_heading = "Servers in any language")]
    exec: Option<String>,
    /// Grade the server that answers here
    #[arg(long, value_name = "URL", help_heading = "Servers in any language")]
    url: Option<String>,
}

impl Arguments {
    /// Whether a server is to be graded, and not a lab checked.
    pub(super) fn is_asked(&self) -> bool {
        self.exec.is_some() || self.url.is_some()
    }
}

/// Grades the server; `seed` decides what is random, `json` who reads the result.
pub(super) fn run(
    arguments: &Arguments,
    _seed: Option<u64>,
    _json: bool,
    _out: &mut impl Write,
) -> Result<Verdict> {
    let asked = arguments.exec.as_ref().or(arguments.url.as_ref());
    Err(Usage::new(&format_args!("no grader knows {asked:?} yet")).into())
}
