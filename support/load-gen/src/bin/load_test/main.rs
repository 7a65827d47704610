//! `load_test`: sends load to a metrics server and measures what comes back.
//!
//! Standard output holds the result and nothing else; progress and errors go to standard error.

mod cli;
mod display;

use std::{
    env,
    ffi::OsString,
    fs::File,
    io::{self, Write},
    ops::ControlFlow,
    path::Path,
    process::ExitCode,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context;
use clap::Parser;
use load_gen::{Error, Summary, pin_current_thread, run};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};

use crate::{cli::Arguments, display::Display};

const SOME_FAILED: u8 = 1;
const USAGE: u8 = 2;
const NOT_POSSIBLE: u8 = 3;
/// What a shell reports for a program that Ctrl-C ended.
const INTERRUPTED_TWICE: i32 = 130;

fn main() -> ExitCode {
    let arguments = Arguments::parse_from(command_line());
    match measure_and_report(&arguments) {
        Ok(summary) if summary.is_all_fine() || arguments.output.allow_errors => ExitCode::SUCCESS,
        Ok(_) => ExitCode::from(SOME_FAILED),
        Err(error) => {
            eprintln!("load_test: {error:#}");
            let is_usage = error.downcast_ref::<Error>().is_some_and(Error::is_usage);
            ExitCode::from(if is_usage { USAGE } else { NOT_POSSIBLE })
        }
    }
}

/// `cargo load -- 8080` hands its `--` on to us, behind the one of the alias. It stands for nothing
/// here, and clap would take every option behind it for a value.
fn command_line() -> impl Iterator<Item = OsString> {
    let is_separator = |(index, argument): &(usize, OsString)| *index == 1 && argument == "--";
    let arguments = env::args_os().enumerate().filter(move |argument| !is_separator(argument));
    arguments.map(|(_, argument)| argument)
}

fn measure_and_report(arguments: &Arguments) -> anyhow::Result<Summary> {
    let plan = arguments.plan();
    let stop = stop_on_signals()?;
    if !plan.cores.is_empty() {
        // The thread that watches must not disturb the server's core either.
        pin_current_thread(&plan.cores)?;
    }
    let mut display = Display::new(arguments.output.quiet);
    let result = run(&plan, &mut |progress| {
        display.show(progress);
        if stop.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    display.finish();
    let summary = result?;
    report(&summary, arguments.output.json.as_deref())?;
    Ok(summary)
}

/// The first signal ends the run and prints what was measured; the second ends the program.
fn stop_on_signals() -> anyhow::Result<Arc<AtomicBool>> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_shutdown(signal, INTERRUPTED_TWICE, Arc::clone(&stop))
            .and_then(|_| flag::register(signal, Arc::clone(&stop)))
            .context("cannot listen for signals")?;
    }
    Ok(stop)
}

/// The table goes to standard output, unless that is where the JSON is wanted.
fn report(summary: &Summary, json: Option<&Path>) -> anyhow::Result<()> {
    match json {
        Some(path) if path == Path::new("-") => {
            eprint!("{summary}");
            write_json(summary, io::stdout().lock()).context("cannot write to standard output")
        }
        Some(path) => {
            print!("{summary}");
            File::create(path)
                .and_then(|file| write_json(summary, file))
                .with_context(|| format!("cannot write {}", path.display()))
        }
        None => {
            print!("{summary}");
            Ok(())
        }
    }
}

fn write_json(summary: &Summary, to: impl Write) -> io::Result<()> {
    let mut to = io::BufWriter::new(to);
    serde_json::to_writer_pretty(&mut to, summary)?;
    writeln!(to)?;
    to.flush()
}
