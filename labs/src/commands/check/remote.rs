//! `cargo lab check --exec` and `--url`: grades a server in any language over its sockets.

use std::env;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::commands::{Usage, Verdict};
use crate::grader::interrupt::Interrupt;
use crate::grader::phase::Phase;
use crate::grader::report::{Report, Telling};
use crate::grader::runner::{Request, grade};
use crate::grader::target::Target;

/// Which server to grade, and as what.
#[derive(Debug, clap::Args)]
#[group(skip)]
pub(super) struct Arguments {
    /// Grade the server that this command starts. {port} stands for a free port, {data} for its
    /// data file; {limit}, {workers}, {backlog}, {connections} and {timeout} let it be graded at
    /// its limits
    #[arg(long, value_name = "CMD", help_heading = HEADING, group = "server")]
    exec: Option<String>,
    /// Grade the server that answers here
    #[arg(long, value_name = "URL", help_heading = HEADING, group = "server")]
    url: Option<String>,
    /// Grade it as this phase: with all that the phases up to it demand [default: 0]
    #[arg(long, value_enum, help_heading = HEADING, requires = "server")]
    phase: Option<Phase>,
}

const HEADING: &str = "Servers in any language";

/// What is random is the same every time, unless somebody wants something else.
const SEED: u64 = 1;

impl Arguments {
    /// Whether a server is to be graded, and not a lab checked.
    pub(super) fn is_asked(&self) -> bool {
        self.exec.is_some() || self.url.is_some()
    }

    fn target(&self) -> Result<Target> {
        let target = match (&self.exec, &self.url) {
            (Some(command), _) => Target::exec(command),
            (None, Some(url)) => Target::url(url),
            (None, None) => bail!(Usage::new(&"name a server with --exec or --url")),
        };
        Ok(target.map_err(|error| Usage::new(&error))?)
    }
}

/// Grades the server; `only` chooses checks, `seed` decides what is random, `json` who reads it.
pub(super) fn run(
    arguments: &Arguments,
    only: &[String],
    seed: Option<u64>,
    json: bool,
    out: &mut impl Write,
) -> Result<Verdict> {
    let request = Request {
        target: arguments.target()?,
        phase: arguments.phase.unwrap_or(Phase::Zero),
        only: only.to_vec(),
        seed: seed.unwrap_or(SEED),
    };
    if let Target::Exec(template) = &request.target {
        let program = template.program();
        let is_there = is_program(program, env::var_os("PATH").as_deref().unwrap_or_default());
        if !is_there {
            bail!("there is no program {program}: install it, or give its path in --exec");
        }
    }
    let interrupt = Interrupt::listen().context("cannot listen for Ctrl-C")?;
    let passed = if json {
        with_json(&request, &interrupt, out)
    } else {
        with_text(&request, &interrupt, out)
    };
    Ok(if passed? { Verdict::Passed } else { Verdict::Failed })
}

fn with_json(request: &Request, interrupt: &Interrupt, out: &mut impl Write) -> Result<bool> {
    let results = grade(request, interrupt, |_| ()).map_err(|error| Usage::new(&error))?;
    let report = Report::new(request, &results);
    report.write_json(out)?;
    Ok(report.has_passed())
}

/// Who stops reading ends the grading, after the check that runs.
fn with_text(request: &Request, interrupt: &Interrupt, out: &mut impl Write) -> Result<bool> {
    let mut telling = Telling::begin(&mut *out, request)?;
    let mut told: io::Result<()> = Ok(());
    let results = grade(request, interrupt, |result| {
        if told.is_ok() {
            told = telling.tell(result);
        }
        if told.is_err() {
            interrupt.ask();
        }
    });
    let results = results.map_err(|error| Usage::new(&error))?;
    told?;
    telling.end()?;
    let report = Report::new(request, &results);
    report.write_end(out)?;
    Ok(report.has_passed())
}

/// Whether a shell would find it: a path, or a name in one of the folders.
fn is_program(program: &str, folders: &std::ffi::OsStr) -> bool {
    if program.contains('/') {
        return Path::new(program).is_file();
    }
    env::split_paths(folders).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;

    use super::*;

    #[test]
    fn a_program_is_a_path_or_a_name_in_a_folder() {
        let manifest = env!("CARGO_MANIFEST_DIR");
        let folders = format!("/no-such-folder:{manifest}");
        assert!(is_program("Cargo.toml", OsStr::new(&folders)));
        assert!(is_program(&format!("{manifest}/Cargo.toml"), OsStr::new("")));
        assert!(!is_program("src", OsStr::new(&folders)), "a folder is none");
        assert!(!is_program("no-such-program", OsStr::new(&folders)));
    }
}
