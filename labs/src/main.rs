//! The `lab` command, which is `cargo lab`: the command line, colours, exit codes.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::Parser;
use labs::commands::{self, Command, Usage, Verdict};

const EXAMPLES: &str = "\
Examples:
  cargo lab                   where you are, and what comes next
  cargo lab start p0-queue    puts a lab into mylabs/
  cargo lab check --watch     checks it whenever you save
  cargo lab hint              a question, then a pointer, then a sketch
  cargo lab diff 1 2          what phase 2 changes

Exit status:
  0  done, passed
  1  a check failed
  2  the command line asks for what cannot be: no such phase, a folder with your changes
  3  this machine or the workspace does not let it: no cargo, no room, sources that do not fit
  4  measured, and inconclusive: the noise is as large as the difference";

/// The labs of the course: start one, check it, break it, measure it.
#[derive(Debug, Parser)]
#[command(name = "lab", bin_name = "cargo lab", version, max_term_width = 100)]
#[command(after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

/// As clap exits when it cannot read the command line.
const USAGE: u8 = 2;
const NOT_POSSIBLE: u8 = 3;

fn main() -> ExitCode {
    let mut out = io::stdout().lock();
    let done = match Arguments::parse().command {
        Some(command) => command.run(&mut out, has_colour()),
        None => commands::here(&mut out),
    };
    match done.and_then(|verdict| Ok((verdict, out.flush()?))) {
        Ok((verdict, ())) => ExitCode::from(exit_code(verdict)),
        Err(error) if is_left_alone(&error) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lab: {error:#}");
            ExitCode::from(if error.is::<Usage>() { USAGE } else { NOT_POSSIBLE })
        }
    }
}

const fn exit_code(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Passed => 0,
        Verdict::Failed => 1,
        Verdict::NotReady => NOT_POSSIBLE,
        Verdict::Inconclusive => 4,
    }
}

/// Colours for a person at a terminal who has not said otherwise (<https://no-color.org>).
fn has_colour() -> bool {
    let is_refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
    io::stdout().is_terminal() && !is_refused
}

/// Nobody reads any more, as after `cargo lab diff 1 2 | head`. They have seen what they wanted.
fn is_left_alone(error: &anyhow::Error) -> bool {
    error.downcast_ref().is_some_and(|error: &io::Error| error.kind() == io::ErrorKind::BrokenPipe)
}
