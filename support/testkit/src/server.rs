//! A server process under test.
//!
//! The contract it relies on is the one all phases keep: `--port 0` picks a free port, and the first
//! line of standard output is `listening on http://ADDRESS`. The process runs in a group of its own,
//! so that a kill reaches its children too.

use std::io::{self, BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::DEADLINE;

/// A running server. Dropping it kills it.
#[derive(Debug)]
pub struct Server {
    child: Child,
    address: SocketAddr,
    stdout: Lines,
    stderr: Lines,
}

/// How a server ended, and all that it wrote.
#[derive(Debug)]
pub struct Exit {
    /// Its status: a code, or the signal that ended it.
    pub status: ExitStatus,
    /// Lines of standard output, the address line included.
    pub stdout: Vec<String>,
    /// Lines of standard error.
    pub stderr: Vec<String>,
}

/// Why a program that was started is no server.
#[derive(Debug, thiserror::Error)]
pub enum NotListening {
    /// It ended before it listened.
    #[error("it ended before it listened")]
    Ended(Exit),
    /// It runs, and nobody knows where it listens.
    #[error("it printed no address and opened no port")]
    Silent {
        /// Lines of standard output so far.
        stdout: Vec<String>,
        /// Lines of standard error so far.
        stderr: Vec<String>,
    },
}

impl NotListening {
    fn silent(server: &Server) -> Self {
        Self::Silent { stdout: server.stdout(), stderr: server.stderr() }
    }
}

/// Time between two looks at whether a port is open.
const POLL: Duration = Duration::from_millis(20);

impl Server {
    /// Starts `command`, which must say the address it listens on in its first line.
    ///
    /// # Panics
    /// If it cannot be started, ends, or does not say so within [`DEADLINE`].
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let mut server = Self::must_spawn(command);
        let first = server.stdout.wait_for(|_| true, DEADLINE);
        match first.as_deref().and_then(address_in) {
            Some(address) => server.address = address,
            None => panic!("{command:?} did not say where it listens: {server}"),
        }
        server
    }

    /// Starts `command`, which may be any program. Where it listens, [`Server::until_it_listens`]
    /// finds out.
    ///
    /// # Errors
    /// Where the system does not run it.
    pub fn spawn(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let stdout = child.stdout.take().map(Lines::collect).unwrap_or_default();
        let stderr = child.stderr.take().map(Lines::collect).unwrap_or_default();
        Ok(Self { child, address: SocketAddr::from(([0, 0, 0, 0], 0)), stdout, stderr })
    }

    /// Waits until it says in some line where it listens, or listens on `port`, which it was told.
    ///
    /// # Errors
    /// Where it ends, or does neither within `deadline`. Nothing of it is left then.
    pub fn until_it_listens(
        mut self,
        port: Option<u16>,
        deadline: Duration,
    ) -> Result<Self, NotListening> {
        let until = Instant::now() + deadline;
        let told = port.map(|port| SocketAddr::from(([127, 0, 0, 1], port)));
        loop {
            let said = self.stdout.wait_for(|line| address_in(line).is_some(), Duration::ZERO);
            let opened = || told.filter(|address| TcpStream::connect(address).is_ok());
            if let Some(address) = said.as_deref().and_then(address_in).or_else(opened) {
                self.address = address;
                return Ok(self);
            }
            if !self.is_running() {
                return Err(match self.ended_within(DEADLINE) {
                    Ok(exit) => NotListening::Ended(exit),
                    Err(server) => NotListening::silent(&server),
                });
            }
            if Instant::now() >= until {
                return Err(NotListening::silent(&self));
            }
            thread::sleep(POLL);
        }
    }

    /// Runs `command`, which is to end by itself: a refused option, a port in use.
    ///
    /// # Panics
    /// If it cannot be started or does not end within [`DEADLINE`].
    #[track_caller]
    pub fn run(command: &mut Command) -> Exit {
        Self::must_spawn(command).wait()
    }

    /// The guard exists before anything is waited for, so that a failed start kills the process too.
    #[track_caller]
    fn must_spawn(command: &mut Command) -> Self {
        Self::spawn(command).unwrap_or_else(|error| panic!("cannot start {command:?}: {error}"))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// `http://ADDRESS` with `path` behind it.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    /// Its process id, to look it up in `/proc`.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal to the server process alone, as an operator would.
    ///
    /// # Panics
    /// If the process is gone.
    #[track_caller]
    pub fn signal(&self, signal: Signal) {
        self.try_signal(signal)
            .unwrap_or_else(|error| panic!("cannot signal the server: {error}: {self}"));
    }

    /// As [`Server::signal`].
    ///
    /// # Errors
    /// Where the process is gone.
    pub fn try_signal(&self, signal: Signal) -> io::Result<()> {
        Ok(kill_process(self.group(), signal)?)
    }

    /// Waits for a line of standard output that contains `text`, also among those already written.
    ///
    /// # Panics
    /// If none comes within [`DEADLINE`].
    #[track_caller]
    pub fn wait_for_line(&self, text: &str) -> String {
        self.stdout
            .wait_for(|line| line.contains(text), DEADLINE)
            .unwrap_or_else(|| panic!("no line with {text:?}: {self}"))
    }

    /// As [`Server::wait_for_line`], of standard error.
    ///
    /// # Panics
    /// If none comes within [`DEADLINE`].
    #[track_caller]
    pub fn wait_for_error(&self, text: &str) -> String {
        self.stderr
            .wait_for(|line| line.contains(text), DEADLINE)
            .unwrap_or_else(|| panic!("no error with {text:?}: {self}"))
    }

    /// Standard output so far.
    pub fn stdout(&self) -> Vec<String> {
        self.stdout.so_far()
    }

    /// Standard error so far.
    pub fn stderr(&self) -> Vec<String> {
        self.stderr.so_far()
    }

    /// Whether it has not ended yet.
    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// SIGKILL to the server and to all that it has started.
    pub fn kill_group(&self) {
        // Where nobody is left, there is nobody to kill.
        let _ = kill_process_group(self.group(), Signal::KILL);
    }

    /// SIGTERM, then waits for the end.
    ///
    /// # Panics
    /// If it does not end within [`DEADLINE`].
    #[track_caller]
    pub fn stop(self) -> Exit {
        self.signal(Signal::TERM);
        self.wait()
    }

    /// SIGKILL, as `kill -9`: nothing is drained, flushed or said.
    ///
    /// # Panics
    /// If it does not end within [`DEADLINE`].
    #[track_caller]
    pub fn kill(self) -> Exit {
        self.signal(Signal::KILL);
        self.wait()
    }

    /// Waits for the end, whatever causes it.
    ///
    /// # Panics
    /// If it does not end within [`DEADLINE`].
    #[track_caller]
    pub fn wait(self) -> Exit {
        self.ended_within(DEADLINE).unwrap_or_else(|server| panic!("the server hangs: {server}"))
    }

    /// Waits for the end until `deadline`.
    ///
    /// # Errors
    /// With the server itself, which still runs.
    pub fn ended_within(mut self, deadline: Duration) -> Result<Exit, Self> {
        let until = Instant::now() + deadline;
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(5)),
                Ok(None) | Err(_) => return Err(self),
            }
        };
        let (stdout, stderr) = (self.stdout.to_the_end(until), self.stderr.to_the_end(until));
        Ok(Exit { status, stdout, stderr })
    }

    fn group(&self) -> Pid {
        Pid::from_child(&self.child)
    }
}

fn address_in(line: &str) -> Option<SocketAddr> {
    line.strip_prefix("listening on http://")?.trim_end().parse().ok()
}

impl Drop for Server {
    fn drop(&mut self) {
        // Reaped already: its id may belong to someone else by now.
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = kill_process_group(self.group(), Signal::KILL);
            let _ = self.child.wait();
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (stdout, stderr) = (self.stdout.so_far().join("\n"), self.stderr.so_far().join("\n"));
        write!(f, "its output was\n{stdout}\nits errors were\n{stderr}")
    }
}

impl Exit {
    /// Asserts that it ended by itself with exit code 0.
    ///
    /// # Panics
    /// If it did not.
    #[track_caller]
    pub fn assert_success(&self) {
        assert!(
            self.status.success(),
            "exit code {:?}, signal {:?}\n{}\n{}",
            self.status.code(),
            self.status.signal(),
            self.stdout.join("\n"),
            self.stderr.join("\n")
        );
    }
}

/// The lines of a pipe, read by a thread so that the process never waits for its reader.
#[derive(Clone, Debug, Default)]
struct Lines(Arc<(Mutex<Output>, Condvar)>);

#[derive(Debug, Default)]
struct Output {
    lines: Vec<String>,
    ended: bool,
}

impl Lines {
    fn collect(pipe: impl Read + Send + 'static) -> Self {
        let lines = Self(Arc::default());
        let theirs = lines.clone();
        thread::spawn(move || {
            for line in BufReader::new(pipe).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line).into_owned();
                theirs.change(|output| output.lines.push(line));
            }
            theirs.change(|output| output.ended = true);
        });
        lines
    }

    fn change(&self, change: impl FnOnce(&mut Output)) {
        let (output, changed) = &*self.0;
        change(&mut output.lock().unwrap_or_else(PoisonError::into_inner));
        changed.notify_all();
    }

    fn so_far(&self) -> Vec<String> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner).lines.clone()
    }

    fn wait_for(&self, wanted: impl Fn(&str) -> bool, timeout: Duration) -> Option<String> {
        let (output, changed) = &*self.0;
        let output = output.lock().unwrap_or_else(PoisonError::into_inner);
        let find = |output: &Output| output.lines.iter().find(|line| wanted(line)).cloned();
        let missing = |output: &mut Output| find(output).is_none() && !output.ended;
        let (output, _) = changed
            .wait_timeout_while(output, timeout, missing)
            .unwrap_or_else(PoisonError::into_inner);
        find(&output)
    }

    fn to_the_end(&self, deadline: Instant) -> Vec<String> {
        let left = deadline.saturating_duration_since(Instant::now());
        self.wait_for(|_| false, left);
        self.so_far()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    const LISTENING: &str = "echo 'listening on http://127.0.0.1:4711'";

    #[test]
    fn reads_the_address_from_the_first_line() {
        let server = Server::start(&mut shell(&format!("{LISTENING}; exec sleep 60")));
        assert_eq!(server.address(), "127.0.0.1:4711".parse().unwrap());
        assert_eq!(server.url("/x"), "http://127.0.0.1:4711/x");
    }

    #[test]
    fn reports_how_a_server_ends_and_all_it_wrote() {
        let script = format!("{LISTENING}; echo to-stderr >&2; echo last; exit 3");
        let exit = Server::start(&mut shell(&script)).wait();
        assert_eq!(exit.status.code(), Some(3));
        assert_eq!(exit.stdout.last().unwrap(), "last");
        assert_eq!(exit.stderr, ["to-stderr"]);
    }

    #[test]
    fn waits_for_a_line_of_either_stream() {
        let script = format!("{LISTENING}; sleep 0.1; echo one; echo two >&2; exec sleep 60");
        let server = Server::start(&mut shell(&script));
        assert_eq!(server.wait_for_error("wo"), "two");
        assert_eq!(server.wait_for_line("ne"), "one");
    }

    #[test]
    fn runs_what_ends_by_itself() {
        let exit = Server::run(&mut shell("echo out; echo err >&2; exit 2"));
        assert_eq!(
            (exit.status.code(), exit.stdout, exit.stderr),
            (Some(2), vec!["out".into()], vec!["err".into()])
        );
    }

    #[test]
    fn stop_is_sigterm_and_kill_is_sigkill() {
        let trap =
            format!("trap 'echo drained; exit 0' TERM; {LISTENING}; while :; do sleep 0.01; done");
        let exit = Server::start(&mut shell(&trap)).stop();
        exit.assert_success();
        assert_eq!(exit.stdout.last().unwrap(), "drained");
        assert_eq!(Server::start(&mut shell(&trap)).kill().status.signal(), Some(9));
    }

    #[test]
    #[should_panic(expected = "did not say where it listens")]
    fn a_server_that_says_something_else_first_fails_its_test() {
        Server::start(&mut shell("echo hello; exec sleep 60"));
    }

    const SOON: Duration = Duration::from_millis(300);

    fn listening(
        script: &str,
        port: Option<u16>,
        deadline: Duration,
    ) -> Result<Server, NotListening> {
        Server::spawn(&mut shell(script)).unwrap().until_it_listens(port, deadline)
    }

    #[test]
    fn any_program_is_found_by_a_line_or_by_its_port() {
        let later = format!("echo hello; {LISTENING}; exec sleep 60");
        let server = listening(&later, None, DEADLINE).unwrap();
        assert_eq!(server.address(), "127.0.0.1:4711".parse().unwrap());
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let server = listening("exec sleep 60", Some(address.port()), DEADLINE).unwrap();
        assert_eq!(server.address(), address);
    }

    #[test]
    fn why_a_program_does_not_listen_is_told_apart() {
        let ended = listening("echo no >&2; exit 3", None, DEADLINE).unwrap_err();
        let NotListening::Ended(exit) = ended else { panic!("it has ended") };
        assert_eq!((exit.status.code(), exit.stderr), (Some(3), vec!["no".into()]));
        let silent = listening("echo hello; exec sleep 60", None, SOON).unwrap_err();
        let NotListening::Silent { stdout, .. } = silent else { panic!("it runs") };
        assert_eq!(stdout, ["hello"]);
    }

    #[test]
    fn who_does_not_end_is_handed_back_and_dies_with_its_group() {
        let server = Server::start(&mut shell(&format!("{LISTENING}; sleep 60 & sleep 60")));
        let mut server = server.ended_within(SOON).unwrap_err();
        assert!(server.is_running());
        server.kill_group();
        assert_eq!(server.wait().status.signal(), Some(9));
    }

    #[test]
    fn dropping_a_server_kills_its_children_too() {
        let script = format!("sleep 60 & {LISTENING}; echo child $!; wait");
        let server = Server::start(&mut shell(&script));
        let child = server.wait_for_line("child ").replace("child ", "").parse().unwrap();
        let child = Pid::from_raw(child).unwrap();
        drop(server);
        let gone = || rustix::process::test_kill_process(child).is_err();
        let deadline = Instant::now() + DEADLINE;
        while !gone() && !is_zombie(child) {
            assert!(Instant::now() < deadline, "the child outlived its server");
            thread::sleep(Duration::from_millis(5));
        }
    }

    /// Killed, and waiting for an init process that does not reap, as in some containers.
    fn is_zombie(pid: Pid) -> bool {
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        stat.is_ok_and(|stat| stat.contains(") Z "))
    }
}
