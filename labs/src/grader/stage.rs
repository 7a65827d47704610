//! Where servers are started and ended, and how they end is told.
//!
//! What always holds: a server runs in a process group of its own, is given up at a deadline, and
//! whatever becomes of the check, it and its children are gone before the next one is started.

use std::net::TcpListener;
use std::ops::Range;
use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;
use std::{io, process};

use rustix::process::Signal;
use testkit::server::NotListening;
use testkit::{DataFolder, Exit, Server};

use super::check::Failure;
use super::interrupt::Interrupt;
use super::phase::Phase;
use super::session::{Session, get};
use super::template::{Placeholder, Setting, Template};

/// How long a server may take to listen: some commands compile first.
pub const START_MAX: Duration = Duration::from_secs(20);

/// How long a server may take to end once it was told to.
pub const STOP_MAX: Duration = Duration::from_secs(15);

/// Lines of a server that are shown: the first say what happened, the last where.
const LINES_SHOWN: usize = 12;

/// What checks that start servers are given.
#[derive(Debug)]
pub struct Stage<'g> {
    /// The command.
    pub template: &'g Template,
    /// What the server is graded as.
    pub phase: Phase,
    /// Decides everything random.
    pub seed: u64,
    /// Who has to know what runs.
    pub interrupt: &'g Interrupt,
}

impl Stage<'_> {
    /// Starts a server that stores in `folder`.
    ///
    /// # Errors
    /// Where it does not come to listen.
    pub fn start(&self, folder: &DataFolder, setting: Setting) -> Result<Server, Failure> {
        self.launch(folder, setting).map_err(|reason| {
            let expected = "a line \"listening on http://127.0.0.1:PORT\", or {port} open";
            Failure::new(format!("started {}", self.template.text()), reason.to_string(), expected)
        })
    }

    /// As [`Stage::start`], where a server may have its reasons not to.
    ///
    /// # Errors
    /// Where it does not come to listen.
    pub fn launch(&self, folder: &DataFolder, setting: Setting) -> Result<Server, NotStarted> {
        let port = free_port().map_err(NotStarted::NoPort)?;
        let mut command = self.template.command(port, &folder.data_file(), setting);
        let server = Server::spawn(&mut command).map_err(NotStarted::NoProgram)?;
        self.interrupt.watch(Some(server.pid()));
        let told = self.template.has(Placeholder::Port).then_some(port);
        let server = server.until_it_listens(told, START_MAX).map_err(|reason| {
            self.interrupt.watch(None);
            NotStarted::NotListening(reason)
        })?;
        // A port opens before its server is ready. What it answers, a check will ask.
        let _ = self.session(&server).exchange(&get("/health"));
        Ok(server)
    }

    /// A session with a server that this stage has started.
    pub fn session(&self, server: &Server) -> Session {
        Session {
            address: server.address(),
            phase: self.phase,
            seed: self.seed,
            pid: Some(server.pid()),
            impatience: self.template.has(Placeholder::Timeout),
        }
    }

    /// Asks the server to end, as an operator does, and waits until it has.
    ///
    /// # Errors
    /// Where it does not end, or ends with anything but exit code 0.
    pub fn stop(&self, server: Server) -> Result<Exit, Failure> {
        let expected = "the end, with exit code 0, once what was accepted is in the file";
        if server.try_signal(Signal::TERM).is_err() {
            self.interrupt.watch(None);
            return Err(Failure::new("SIGTERM", "nothing: the server had ended already", expected));
        }
        let exit = self.ended(server, "SIGTERM", expected)?;
        if exit.status.success() {
            return Ok(exit);
        }
        let failure = Failure::new("SIGTERM", how_it_ended(exit.status), expected);
        Err(Failure { server: Some(said(&exit.stdout, &exit.stderr)), ..failure })
    }

    /// Kills it and its children, as `kill -9` does.
    ///
    /// # Errors
    /// Where it is still there.
    pub fn kill(&self, server: Server) -> Result<Exit, Failure> {
        server.kill_group();
        self.ended(server, "SIGKILL", "the end: nothing survives kill -9")
    }

    fn ended(&self, server: Server, sent: &str, expected: &str) -> Result<Exit, Failure> {
        let ended = server.ended_within(STOP_MAX);
        let ended = ended.map_err(|server| {
            let came_back = format!("nothing: after {} s it still runs", STOP_MAX.as_secs());
            let its_words = said(&server.stdout(), &server.stderr());
            Failure { server: Some(its_words), ..Failure::new(sent, came_back, expected) }
        });
        self.interrupt.watch(None);
        ended
    }
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum NotStarted {
    /// No port is free.
    #[error("there is no free port: {0}")]
    NoPort(io::Error),
    /// The system does not run it.
    #[error("it cannot be run: {0}")]
    NoProgram(io::Error),
    /// It runs or ran, and does not listen.
    #[error("{}", describe(.0))]
    NotListening(NotListening),
}

impl NotStarted {
    /// All that it has said.
    pub fn output(&self) -> String {
        match self {
            Self::NoPort(_) | Self::NoProgram(_) => String::new(),
            Self::NotListening(NotListening::Ended(exit)) => words_of(exit),
            Self::NotListening(NotListening::Silent { stdout, stderr }) => {
                [&stdout[..], stderr].concat().join("\n")
            }
        }
    }
}

/// All that a server has said before it ended.
pub fn words_of(exit: &Exit) -> String {
    [&exit.stdout[..], &exit.stderr].concat().join("\n")
}

/// Ports that no system gives to connections that go out, which could take one before the server does.
const PORTS: Range<u16> = 15_000..30_000;

/// Free at this moment. The process and the number of calls decide where the search begins, so that
/// two graders seldom meet.
fn free_port() -> io::Result<u16> {
    static CALLS: AtomicUsize = AtomicUsize::new(0);
    let begin = process::id() as usize * 101 + CALLS.fetch_add(1, Relaxed);
    let mut ports = PORTS.cycle().skip(begin % PORTS.len()).take(PORTS.len());
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    ports.find(is_free).ok_or_else(|| io::ErrorKind::AddrInUse.into())
}

fn describe(reason: &NotListening) -> String {
    match reason {
        NotListening::Ended(exit) => format!(
            "{} before it listened\n{}",
            how_it_ended(exit.status),
            said(&exit.stdout, &exit.stderr)
        ),
        NotListening::Silent { stdout, stderr } => format!(
            "it runs, but in {} s it printed no address and opened no port\n{}",
            START_MAX.as_secs(),
            said(stdout, stderr)
        ),
    }
}

/// `it ended with exit code 1`, or `it was ended by signal 11 (SIGSEGV)`.
pub fn how_it_ended(status: ExitStatus) -> String {
    let Some(signal) = status.signal() else {
        return format!("it ended with exit code {}", status.code().unwrap_or_default());
    };
    let name = signal_hook::low_level::signal_name(signal);
    let name = name.map_or(String::new(), |name| format!(" ({name})"));
    format!("it was ended by signal {signal}{name}")
}

/// What a server said: its errors, or where there are none, its output.
pub fn said(stdout: &[String], stderr: &[String]) -> String {
    let (stream, lines) = if stderr.is_empty() { ("output", stdout) } else { ("errors", stderr) };
    if lines.is_empty() {
        return "it said nothing".to_owned();
    }
    if lines.len() <= LINES_SHOWN {
        return format!("its {stream}:\n  {}", lines.join("\n  "));
    }
    let (first, last) = (&lines[..LINES_SHOWN / 2], &lines[lines.len() - LINES_SHOWN / 2..]);
    format!(
        "the first and last lines of its {stream}:\n  {}\n  …\n  {}",
        first.join("\n  "),
        last.join("\n  ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage<'g>(template: &'g Template, interrupt: &'g Interrupt) -> Stage<'g> {
        Stage { template, phase: Phase::Zero, seed: 1, interrupt }
    }

    fn start(command: &str) -> Result<Server, Failure> {
        let (template, interrupt) = (Template::parse(command).unwrap(), Interrupt::default());
        stage(&template, &interrupt).start(&DataFolder::new(), Setting::Roomy)
    }

    #[test]
    fn a_program_that_is_not_there_is_said() {
        let failure = start("no-such-program {port}").unwrap_err();
        assert!(failure.came_back.starts_with("it cannot be run: No such file"), "{failure:?}");
    }

    #[test]
    fn a_program_that_ends_is_said_with_its_words() {
        let failure = start("sh -c 'echo address in use >&2; exit 7'").unwrap_err();
        assert!(failure.came_back.starts_with("it ended with exit code 7 before"), "{failure:?}");
        assert!(failure.came_back.ends_with("errors:\n  address in use"), "{failure:?}");
    }

    #[test]
    fn a_server_that_does_not_stop_or_stops_in_anger_is_said() {
        let listening = "echo listening on http://127.0.0.1:4711";
        let command = format!(
            "sh -c 'trap \"echo oops >&2; exit 4\" TERM; {listening}; while :; do sleep 0.01; done'"
        );
        let (template, interrupt) = (Template::parse(&command).unwrap(), Interrupt::default());
        let stage = stage(&template, &interrupt);
        let server = stage.start(&DataFolder::new(), Setting::Roomy).unwrap();
        let failure = stage.stop(server).unwrap_err();
        assert_eq!(failure.came_back, "it ended with exit code 4");
        assert_eq!(failure.server.unwrap(), "its errors:\n  oops");
        let server = stage.start(&DataFolder::new(), Setting::Roomy).unwrap();
        let exit = stage.kill(server).unwrap();
        assert_eq!(how_it_ended(exit.status), "it was ended by signal 9 (SIGKILL)");
    }

    #[test]
    fn of_many_lines_the_ends_are_shown() {
        let lines: Vec<String> = (0..100).map(|line| line.to_string()).collect();
        let expected =
            "the first and last lines of its output:\n  0\n  1\n  2\n  3\n  4\n  5\n  …\n  94\n";
        assert!(said(&lines, &[]).starts_with(expected), "{}", said(&lines, &[]));
        assert_eq!(said(&lines[..2], &[]), "its output:\n  0\n  1");
        assert_eq!(said(&[], &[]), "it said nothing");
    }

    #[test]
    fn a_free_port_is_one_that_nobody_goes_out_from() {
        let (one, other) = (free_port().unwrap(), free_port().unwrap());
        assert!(PORTS.contains(&one) && PORTS.contains(&other));
        assert_ne!(one, other);
    }
}
