//! `cargo lab check`: runs the checks of a lab on what the learner wrote.

mod remote;

use std::io::Write;

use anyhow::Result;

use super::{Usage, Verdict};

/// What `check` takes.
#[derive(Debug, clap::Args)]
pub struct Arguments {
    /// The lab [default: the one that was started last]
    #[arg(conflicts_with_all = ["exec", "url"])]
    lab: Option<String>,
    /// Decides all that is random, so that a failure can be had again
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// As JSON
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    remote: remote::Arguments,
}

pub(super) fn run(arguments: &Arguments, out: &mut impl Write) -> Result<Verdict> {
    if arguments.remote.is_asked() {
        return remote::run(&arguments.remote, arguments.seed, arguments.json, out);
    }
    let asked = arguments.lab.as_deref().unwrap_or_default();
    Err(Usage::new(&format_args!("there is no lab {asked:?}")).into())
}
