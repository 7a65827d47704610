//! A program with a deadline.
//!
//! What always holds: when a run is over, so is everything that the program started, also what has
//! put itself into a group of its own. So no port stays taken and no test waits for a server that
//! nobody ends.

use std::io::{self, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill, killpg};
use nix::unistd::Pid;
use sysinfo::{Process, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// A program that is to be run.
#[derive(Debug)]
pub struct Program(Command);

/// How a run went.
#[derive(Debug)]
pub struct End {
    /// How it ended.
    pub how: How,
    /// What it printed, on both ways.
    pub said: String,
}

/// How a program ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    /// By itself, with this status.
    Code(i32),
    /// By this signal.
    Signal(i32),
    /// It was killed, because its time was over.
    TimeIsOver,
}

/// Between two looks at a program that runs.
const LOOK: Duration = Duration::from_millis(10);

/// What is kept of what a program prints.
const SAID_LEN_MAX: u64 = 4 * 1024 * 1024;

impl Program {
    /// What this command starts.
    pub fn new(command: Command) -> Self {
        Self(command)
    }

    /// Tests of a compiled test program, one after the other. All of them where `names` is empty.
    pub fn of_tests(program: &Path, folder: &Path, names: &[&str], seed: u64) -> Self {
        let mut command = Command::new(program);
        command.args(names).args(["--test-threads=1", "--include-ignored", "--color=never"]);
        command.args((!names.is_empty()).then_some("--exact"));
        command.current_dir(folder).env("CARGO_MANIFEST_DIR", folder);
        command.env("RUST_BACKTRACE", "0").env("LAB_SEED", seed.to_string());
        // What proptest begins with, and what it tells to replay.
        command.env("PROPTEST_RNG_SEED", seed.to_string());
        // Nobody is there to accept a changed snapshot.
        command.env("INSTA_UPDATE", "no").env("INSTA_FORCE_PASS", "0");
        Self(command)
    }

    /// Runs it.
    pub fn run(mut self, deadline: Duration) -> End {
        let mark = new_mark();
        let child = self
            .0
            .env(MARK, &mark)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn();
        let mut child = match child {
            Ok(child) => child,
            Err(error) => {
                return End { how: How::Code(-1), said: format!("cannot start: {error}") };
            }
        };
        let said = Arc::new(Mutex::new(Vec::new()));
        let readers = [
            child.stdout.take().map(|pipe| listen(pipe, &said)),
            child.stderr.take().map(|pipe| listen(pipe, &said)),
        ];
        let status = wait(&mut child, Instant::now() + deadline);
        let _ = killpg(Pid::from_raw(child.id().cast_signed()), Signal::SIGKILL);
        // Until this is done, what a test left behind may hold the pipes open.
        end_marked(&mark);
        let _ = child.wait();
        for reader in readers.into_iter().flatten() {
            let _ = reader.join();
        }
        let said = said.lock().unwrap_or_else(PoisonError::into_inner);
        End { how: how(status), said: String::from_utf8_lossy(&said).into_owned() }
    }
}

fn listen(pipe: impl Read + Send + 'static, said: &Arc<Mutex<Vec<u8>>>) -> JoinHandle<()> {
    let said = Arc::clone(said);
    thread::spawn(move || {
        let (mut pipe, mut chunk) = (pipe.take(SAID_LEN_MAX), [0; 4096]);
        while let Ok(len @ 1..) = pipe.read(&mut chunk) {
            said.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(&chunk[..len]);
        }
        // More would fill the pipe, and the program would wait for ever.
        let _ = io::copy(pipe.get_mut(), &mut io::sink());
    })
}

/// How it ended by itself, or nothing where its time is over.
fn wait(child: &mut Child, until: Instant) -> Option<ExitStatus> {
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < until => thread::sleep(LOOK),
            Ok(None) | Err(_) => return None,
        }
    }
}

/// Ends everything that carries the mark. A server under test is in a group of its own and outlives
/// a test program that crashes, but it has inherited the environment.
fn end_marked(mark: &str) {
    let environment = ProcessRefreshKind::nothing().with_environ(UpdateKind::Always);
    let Ok(mut system) = System::new() else { return };
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, environment);
    let wanted = format!("{MARK}={mark}");
    let is_marked = |process: &Process| process.environ().iter().any(|it| *it == *wanted);
    for (pid, _) in system.processes().iter().filter(|(_, process)| is_marked(process)) {
        let _ = kill(Pid::from_raw(pid.as_u32().cast_signed()), Signal::SIGKILL);
    }
}

/// The variable that says which run a process belongs to.
const MARK: &str = "LAB_RUN";

/// No two runs have the same.
fn new_mark() -> String {
    static RUNS: AtomicU64 = AtomicU64::new(0);
    format!("{}-{}", std::process::id(), RUNS.fetch_add(1, Relaxed))
}

fn how(status: Option<ExitStatus>) -> How {
    match status {
        None => How::TimeIsOver,
        Some(status) => match (status.code(), status.signal()) {
            (Some(code), _) => How::Code(code),
            (None, signal) => How::Signal(signal.unwrap_or_default()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str, deadline: Duration) -> End {
        let mut command = Command::new("bash");
        command.args(["-c", script]);
        Program::new(command).run(deadline)
    }

    const LONG: Duration = Duration::from_mins(1);

    #[test]
    fn a_program_ends_in_one_of_three_ways() {
        let end = shell("echo out; echo err >&2; exit 3", LONG);
        assert_eq!(end.how, How::Code(3));
        assert!(end.said.contains("out") && end.said.contains("err"), "{}", end.said);
        assert_eq!(shell("kill -9 $$", LONG).how, How::Signal(9));
        assert_eq!(shell("sleep 600", Duration::from_millis(50)).how, How::TimeIsOver);
    }

    #[test]
    fn what_is_in_a_group_of_its_own_ends_with_it() {
        // `set -m` gives each job a group of its own, as the test kit does with a server.
        for (then, how) in [("wait", How::TimeIsOver), ("kill -6 $$", How::Signal(6))] {
            let script = format!("set -m; sleep 600 >&- 2>&- & echo $!; {then}");
            let end = shell(&script, Duration::from_millis(500));
            assert_eq!(end.how, how);
            let pid: i32 = end.said.trim().parse().unwrap();
            let until = Instant::now() + LONG;
            while kill(Pid::from_raw(pid), None).is_ok() {
                assert!(Instant::now() < until, "{pid} is still there");
                thread::sleep(LOOK);
            }
        }
    }

    #[test]
    fn what_holds_the_pipes_open_is_not_waited_for() {
        let end = shell("sleep 600 & echo done", LONG);
        assert_eq!((end.how, end.said.trim()), (How::Code(0), "done"));
    }
}
