//! Where a server's time goes: samples of its stacks under load, as a flame graph and as a list.
//!
//! What always holds: the program is the one that is compared, built in the same way, with the same
//! options, under the same load; and a machine that cannot sample says what is missing.
//!
//! `perf` samples the stacks and unwinds them by the debug information that release builds have. The
//! flame graph is Brendan Gregg's ("The Flame Graph", 2016), drawn by inferno.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufReader, BufWriter},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use inferno::{
    collapse::{Collapse, perf::Folder},
    flamegraph::{self, Options},
};
use rustix::process::{Pid, Signal, kill_process};
use thiserror::Error;

use crate::{
    build::{self, BuildError, find_program},
    rounds::{Observer, RunError, Setting, Step, load},
    server::{Launch, Server, ServerError},
    subject::Subject,
    workload::{self, Workload},
};

/// A number without a simple ratio to the timers of a server, so that none hides between samples.
const SAMPLES_PER_S: &str = "--freq=499";
/// Frame pointers are left out of release builds. This much of each stack is kept for unwinding.
const CALL_GRAPH: &str = "--call-graph=dwarf,16384";
/// Before the samples begin, so that none is of the start.
const WARM_UP: Duration = Duration::from_secs(1);
/// For perf to say that it samples, and to write its file.
const PERF_TIME_MAX: Duration = Duration::from_mins(1);
const POLL_INTERVAL: Duration = Duration::from_millis(10);
/// As many functions as a person reads.
const HOTTEST_MAX: usize = 20;

/// What to look at.
#[derive(Debug, Clone)]
pub struct Request {
    /// The server.
    pub subject: Subject,
    /// The load.
    pub workload: Workload,
    /// How long samples are taken.
    pub duration: Duration,
    /// Decides every random choice of the generator.
    pub seed: u64,
    /// Where the flame graph goes, an SVG that a browser lets you search and zoom.
    pub file: PathBuf,
}

/// Functions that were running, and their share of the time, 0 to 1.
pub type Hottest = Vec<(String, f64)>;

/// Loads the server, samples it, draws the flame graph and lists what was running most.
pub fn run(request: &Request, observer: &mut dyn Observer) -> Result<Hottest, ProfileError> {
    let perf = find_program("perf").map_err(|_| ProfileError::NoPerf)?;
    let subject = &request.subject;
    observer.begins(&Step::Build { subject: subject.id });
    let program = build::executable(subject)?;
    let server = Server::start(subject, &program, &Launch::default())?;
    let setting = Setting {
        preset: workload::QUICK,
        rounds: 1,
        seed: request.seed,
        cores: None,
        connections_max: workload::connections_within(None),
    };
    let on = setting.circumstances(subject, &server);
    observer.begins(&Step::Profile { workload: request.workload.id, subject: subject.id });
    load(&request.workload.closed(WARM_UP, &on), observer, &mut || {})?;
    let sampling = Sampling::of(&perf, server.pid())?;
    load(&request.workload.closed(request.duration, &on), observer, &mut || {})?;
    let stacks = sampling.end()?;
    drop(server);
    draw(&stacks, request)?;
    Ok(hottest(&stacks))
}

/// A running `perf record`.
struct Sampling<'a> {
    perf: &'a Path,
    process: Child,
    folder: tempfile::TempDir,
}

impl<'a> Sampling<'a> {
    fn of(perf: &'a Path, server: Pid) -> Result<Self, ProfileError> {
        let folder = tempfile::tempdir()?;
        let process = Command::new(perf)
            .args(["record", SAMPLES_PER_S, CALL_GRAPH, "--output"])
            .arg(folder.path().join("samples"))
            .args(["--pid", &server.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(folder.path().join("said"))?)
            .spawn()?;
        Ok(Self { perf, process, folder })
    }

    /// Stops sampling and gives the stacks in their folded form: a line for each different one,
    /// `outermost;…;innermost count`.
    fn end(mut self) -> Result<String, ProfileError> {
        let samples = self.folder.path().join("samples");
        // Where it has ended by itself, its last words say why.
        let _ = kill_process(Pid::from_child(&self.process), Signal::INT);
        let begin = Instant::now();
        while self.process.try_wait()?.is_none() {
            if begin.elapsed() > PERF_TIME_MAX {
                return Err(ProfileError::NoSamples { said: "perf does not end".to_owned() });
            }
            thread::sleep(POLL_INTERVAL);
        }
        let said = fs::read_to_string(self.folder.path().join("said")).unwrap_or_default();
        if fs::metadata(&samples).map_or(0, |file| file.len()) == 0 {
            return Err(ProfileError::NoSamples { said });
        }
        let mut script = Command::new(self.perf)
            .args(["script", "--no-inline", "--input"])
            .arg(&samples)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let output = script.stdout.take().expect("it was piped");
        let mut stacks = Vec::new();
        Folder::default().collapse(BufReader::new(output), &mut stacks)?;
        script.wait()?;
        let stacks = String::from_utf8_lossy(&stacks).into_owned();
        if stacks.is_empty() { Err(ProfileError::NoSamples { said }) } else { Ok(stacks) }
    }
}

impl Drop for Sampling<'_> {
    fn drop(&mut self) {
        // After `end` it is gone, which is what an error here says.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn draw(
    stacks: &str,
    Request { subject, workload, file, .. }: &Request,
) -> Result<(), ProfileError> {
    let mut options = Options::default();
    options.title = format!("{} under {}", subject.id, workload.id);
    options.subtitle = Some("the width is the share of the time".to_owned());
    let image = BufWriter::new(File::create(file)?);
    Ok(flamegraph::from_lines(&mut options, stacks.lines(), image)?)
}

/// A sample counts for the time, or the cycles, since the one before.
fn hottest(stacks: &str) -> Hottest {
    let mut by_function: BTreeMap<&str, u64> = BTreeMap::new();
    for (stack, count) in stacks.lines().filter_map(|line| line.rsplit_once(' ')) {
        let innermost = stack.rsplit(';').next().unwrap_or(stack);
        *by_function.entry(innermost).or_default() += count.parse::<u64>().unwrap_or(0);
    }
    let total: u64 = by_function.values().sum();
    let mut functions: Vec<_> = by_function.into_iter().collect();
    functions.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let share =
        |(function, count): (&str, u64)| (function.to_owned(), count as f64 / total.max(1) as f64);
    functions.into_iter().take(HOTTEST_MAX).map(share).collect()
}

/// Why there is no flame graph.
#[derive(Debug, Error)]
pub enum ProfileError {
    /// The program that samples is missing.
    #[error(
        "perf is not installed: on Debian, apt-get install linux-perf; other systems than Linux have none"
    )]
    NoPerf,
    /// It is there and may not, or cannot on this machine.
    #[error(
        "perf took no samples; as root, or after `sysctl kernel.perf_event_paranoid=1`, it may: {said}"
    )]
    NoSamples {
        /// What perf said.
        said: String,
    },
    /// The server's program is not there.
    #[error(transparent)]
    Build(#[from] BuildError),
    /// The server did not start.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// There could be no load.
    #[error(transparent)]
    Run(#[from] RunError),
    /// A file could not be read or written.
    #[error("the operating system refused")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    const STACKS: &str = "server;main;read 6\nserver;main;parse;number 3\nserver;other;read 1\n";

    #[test]
    fn the_hottest_functions_are_those_on_top_of_most_stacks() {
        assert_eq!(hottest(STACKS), [("read".to_owned(), 0.7), ("number".to_owned(), 0.3)]);
        assert_eq!(hottest(""), []);
    }

    #[test]
    fn a_flame_graph_names_the_server_the_load_and_every_function() {
        let folder = tempfile::tempdir().unwrap();
        let request = Request {
            subject: *crate::subject::find("phase0").unwrap(),
            workload: *workload::find("single").unwrap(),
            duration: WARM_UP,
            seed: 1,
            file: folder.path().join("flame.svg"),
        };
        draw(STACKS, &request).unwrap();
        let image = fs::read_to_string(&request.file).unwrap();
        for text in ["phase0 under single", "parse", "number"] {
            assert!(image.contains(text), "{text}");
        }
    }
}
