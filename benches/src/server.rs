//! A subject as a running process: started fresh for each run, stopped cleanly, and checked.
//!
//! What always holds: every server listens on 127.0.0.1 on a port of its own and writes to a
//! temporary directory of its own; it stands in a process group of its own, so that Ctrl-C reaches
//! us and not it; it ends with the [`Server`] that started it, or with [`kill_all`].

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Mutex, PoisonError, mpsc},
    thread,
    time::{Duration, Instant},
};

use load_gen::{MachineError, pin_current_thread};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use tempfile::TempDir;
use thiserror::Error;

use crate::{
    record::SubjectKind,
    subject::{Program, Subject},
};

/// From the start to the address line. Under valgrind a start takes seconds.
const START_TIME_MAX: Duration = Duration::from_secs(30);
/// From the signal to the end: a server may have a queue of a hundred thousand metrics to write.
const STOP_TIME_MAX: Duration = Duration::from_secs(30);
/// What phases call the number of syncs: a counter, or that of a histogram of their durations.
const SYNCS: [&str; 2] = ["ingest_syncs_total ", "ingest_sync_duration_seconds_count "];
/// A server that is as good as dead does not hold up a comparison.
const TELEMETRY_TIME_MAX: Duration = Duration::from_secs(2);
/// How often a process is asked whether it has ended, and nginx whether it has begun.
const POLL_INTERVAL: Duration = Duration::from_millis(5);
/// As much of a failed server's last words as fits into an error.
const LAST_WORDS_LEN: usize = 400;

const NGINX_TEMPLATE: &str = include_str!("../rivals/nginx.conf.template");

/// Leaders of the process groups that are alive, for [`kill_all`].
static RUNNING: Mutex<Vec<Pid>> = Mutex::new(Vec::new());

/// How a server is started.
#[derive(Debug, Clone, Default)]
pub struct Launch {
    /// A program and its options that the server runs under, such as valgrind; usually nothing.
    pub under: Vec<String>,
    /// The core that the server is kept on; nothing leaves it to the operating system.
    pub core: Option<usize>,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    process: Child,
    address: SocketAddr,
    directory: TempDir,
    subject: Subject,
}

/// What a server left behind.
#[derive(Debug, PartialEq, Eq)]
pub struct Remains {
    /// Whether it ended by itself with status 0, or what happened instead.
    pub end: Result<(), String>,
    /// Lines in its data file.
    pub stored: u64,
}

impl Server {
    /// Starts the program and waits until it listens.
    pub fn start(subject: &Subject, program: &Path, launch: &Launch) -> Result<Self, ServerError> {
        let directory = tempfile::Builder::new().prefix("compare-").tempdir()?;
        let mut command = command(program, &launch.under);
        let announced = match subject.program {
            Program::Workspace { options, .. } => {
                command.args(["--port", "0", "--data-file"]).arg(data_file(&directory));
                command.args(options).stdout(Stdio::piped());
                None
            }
            Program::Nginx => Some(prepare_nginx(&mut command, directory.path())?),
        };
        command.stderr(File::create(error_file(&directory))?);
        let process = spawn_on(launch.core, &mut command)?;
        running().push(Pid::from_child(&process));
        // From here on the process ends with this value, whatever goes wrong.
        let nowhere = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let mut server = Self { process, address: nowhere, directory, subject: *subject };
        server.address = match announced {
            Some(address) => server.wait_until_it_listens(address)?,
            None => server.read_address()?,
        };
        Ok(server)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where metrics are posted to.
    pub fn url(&self) -> String {
        format!("http://{}/metrics", self.address)
    }

    /// The process that was started; it may have children.
    pub fn pid(&self) -> Pid {
        Pid::from_child(&self.process)
    }

    /// How often it has synced its file, if it is a phase that counts that.
    pub fn syncs(&self) -> Option<u64> {
        if self.subject.kind != SubjectKind::Phase {
            return None;
        }
        let mut connection = TcpStream::connect(self.address).ok()?;
        connection.set_read_timeout(Some(TELEMETRY_TIME_MAX)).ok()?;
        connection
            .write_all(b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            .ok()?;
        let mut text = String::new();
        connection.read_to_string(&mut text).ok()?;
        let count =
            |line: &str| SYNCS.iter().find_map(|name| line.strip_prefix(name)?.parse().ok());
        text.lines().find_map(count)
    }

    /// Asks it to end, waits, and looks at what it stored.
    pub fn stop(mut self) -> io::Result<Remains> {
        let signal = match self.subject.program {
            Program::Workspace { .. } => Signal::TERM,
            // To nginx SIGTERM means "drop everything", and SIGQUIT means "finish first".
            Program::Nginx => Signal::QUIT,
        };
        // Fails only when it has ended by itself, which its status will tell.
        let _ = kill_process(self.pid(), signal);
        let end = match wait_at_most(&mut self.process, STOP_TIME_MAX)? {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(format!("{status}{}", self.last_words())),
            None => Err(format!("still running {} s after SIGTERM", STOP_TIME_MAX.as_secs())),
        };
        Ok(Remains { end, stored: count_stored(&self.directory)? })
    }

    fn read_address(&mut self) -> Result<SocketAddr, ServerError> {
        let output = self.process.stdout.take().expect("it was piped");
        let (sender, first_line) = mpsc::channel();
        thread::spawn(move || {
            let mut lines = BufReader::new(output);
            let mut line = String::new();
            let _ = lines.read_line(&mut line);
            let _ = sender.send(line);
            // A server must never wait for somebody to read what it says.
            let _ = io::copy(&mut lines, &mut io::sink());
        });
        let line = first_line.recv_timeout(START_TIME_MAX).unwrap_or_default();
        let address = line.trim_end().strip_prefix("listening on http://");
        address.and_then(|address| address.parse().ok()).ok_or_else(|| ServerError::NotStarted {
            id: self.subject.id,
            last_words: self.last_words(),
        })
    }

    fn wait_until_it_listens(&mut self, address: SocketAddr) -> Result<SocketAddr, ServerError> {
        let begin = Instant::now();
        while begin.elapsed() < START_TIME_MAX && self.process.try_wait()?.is_none() {
            if TcpStream::connect_timeout(&address, START_TIME_MAX).is_ok() {
                return Ok(address);
            }
            thread::sleep(POLL_INTERVAL);
        }
        Err(ServerError::NotStarted { id: self.subject.id, last_words: self.last_words() })
    }

    /// The end of its standard error, as the end of a sentence.
    fn last_words(&self) -> String {
        let bytes = std::fs::read(error_file(&self.directory)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        let text = text.trim();
        let begin = text.char_indices().rev().take(LAST_WORDS_LEN).last().map_or(0, |(at, _)| at);
        if text.is_empty() { String::new() } else { format!(": {}", &text[begin..]) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let leader = self.pid();
        // After a clean stop there is nobody left, which is what an error here says. The group
        // holds children that outlived their parent, so it is killed before the parent is reaped.
        if self.process.try_wait().is_ok_and(|status| status.is_none()) {
            let _ = kill_process_group(leader, Signal::KILL);
            let _ = self.process.wait();
        }
        running().retain(|running| *running != leader);
    }
}

/// Kills every server that this process has started and not stopped: the last resort of a program
/// that is about to exit without unwinding.
pub fn kill_all() {
    for leader in running().drain(..) {
        let _ = kill_process_group(leader, Signal::KILL);
    }
}

fn running() -> std::sync::MutexGuard<'static, Vec<Pid>> {
    // A list of numbers is whole after every step, also when somebody panicked.
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

fn command(program: &Path, under: &[String]) -> Command {
    let mut command = match under.split_first() {
        Some((wrapper, options)) => {
            let mut command = Command::new(wrapper);
            command.args(options).arg(program);
            command
        }
        None => Command::new(program),
    };
    command.process_group(0).stdin(Stdio::null()).stdout(Stdio::null());
    command
}

/// A child inherits the cores of the thread that starts it, so a thread that is pinned starts it.
fn spawn_on(core: Option<usize>, command: &mut Command) -> Result<Child, ServerError> {
    let Some(core) = core else { return Ok(command.spawn()?) };
    thread::scope(|scope| {
        let spawning = scope.spawn(|| {
            pin_current_thread(&[core])?;
            Ok(command.spawn()?)
        });
        spawning.join().expect("neither step panics")
    })
}

/// nginx cannot pick a port by itself, so a free one is looked for; that another program takes it
/// in the meantime is possible, and is reported as a failed start.
fn prepare_nginx(command: &mut Command, directory: &Path) -> io::Result<SocketAddr> {
    let address = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
    let configuration = NGINX_TEMPLATE
        .replace("@PORT@", &address.port().to_string())
        .replace("@DIR@", &directory.to_string_lossy());
    let file = directory.join("nginx.conf");
    std::fs::write(&file, configuration)?;
    command.arg("-p").arg(directory).arg("-c").arg(file);
    Ok(address)
}

fn wait_at_most(process: &mut Child, time: Duration) -> io::Result<Option<ExitStatus>> {
    let begin = Instant::now();
    while begin.elapsed() < time {
        if let Some(status) = process.try_wait()? {
            return Ok(Some(status));
        }
        thread::sleep(POLL_INTERVAL);
    }
    Ok(None)
}

/// Lines in the data file, and in the segments that were closed before it. Nothing stored may also
/// mean that there is no file.
fn count_stored(directory: &TempDir) -> io::Result<u64> {
    let mut stored = 0;
    for entry in std::fs::read_dir(directory.path())? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") {
            stored += count_lines(&path)?;
        }
    }
    Ok(stored)
}

fn count_lines(path: &Path) -> io::Result<u64> {
    let mut file = File::open(path)?;
    let mut buffer = vec![0; 1 << 18];
    let mut lines = 0;
    loop {
        let len = match file.read(&mut buffer) {
            Ok(0) => return Ok(lines),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            other => other?,
        };
        lines += memchr::memchr_iter(b'\n', &buffer[..len]).count() as u64;
    }
}

fn data_file(directory: &TempDir) -> PathBuf {
    directory.path().join("metrics.jsonl")
}

fn error_file(directory: &TempDir) -> PathBuf {
    directory.path().join("stderr")
}

/// Why there is no running server.
#[derive(Debug, Error)]
pub enum ServerError {
    /// It ended, or said something else than its address, or nothing in time.
    #[error("{id} did not start{last_words}")]
    NotStarted {
        /// The subject.
        id: &'static str,
        /// What it wrote to standard error.
        last_words: String,
    },
    /// The server cannot be kept on its core.
    #[error(transparent)]
    Pin(#[from] MachineError),
    /// The operating system refused.
    #[error("cannot start a server")]
    Io(#[from] io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::subject;
    use std::os::unix::fs::PermissionsExt;

    /// A server of three lines of shell: it gets `--port 0 --data-file FILE …` as `$1` to `$4`.
    fn fake(script: &str, run: impl FnOnce(Result<Server, ServerError>)) {
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("fake");
        std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        let phase0 = subject::find("phase0").unwrap();
        // Started under the shell: executing a file that was just written can fail with ETXTBSY
        // while another test's fork holds it open.
        let launch = Launch { under: vec!["/bin/sh".to_owned()], core: None };
        run(Server::start(phase0, &program, &launch));
    }

    const LISTEN: &str = "echo listening on http://127.0.0.1:1234";
    const WAIT: &str = "while :; do sleep 0.01; done";

    #[test]
    fn reads_the_address_and_counts_what_was_stored() {
        let script = format!("trap 'printf \"a\\nb\\n\" >\"$4\"; exit 0' TERM\n{LISTEN}\n{WAIT}");
        fake(&script, |server| {
            let server = server.unwrap();
            assert_eq!(server.url(), "http://127.0.0.1:1234/metrics");
            assert_eq!(server.stop().unwrap(), Remains { end: Ok(()), stored: 2 });
        });
    }

    #[test]
    fn a_server_that_fails_at_the_end_is_told_from_one_that_does_not() {
        let script = format!("trap 'echo disk full >&2; exit 3' TERM\n{LISTEN}\n{WAIT}");
        fake(&script, |server| {
            let remains = server.unwrap().stop().unwrap();
            assert_eq!(remains.end, Err("exit status: 3: disk full".to_owned()));
            assert_eq!(remains.stored, 0);
        });
    }

    #[test]
    fn a_server_that_does_not_start_is_quoted() {
        fake("echo port taken >&2; exit 1", |server| {
            let error = server.unwrap_err().to_string();
            assert_eq!(error, "phase0 did not start: port taken");
        });
        fake("echo hello; exit 0", |server| assert!(server.is_err()));
    }

    #[test]
    fn a_dropped_server_ends_with_its_children() {
        fake(&format!("sleep 1000 &\n{LISTEN}\n{WAIT}"), |server| {
            let server = server.unwrap();
            let leader = server.pid();
            assert!(rustix::process::test_kill_process_group(leader).is_ok());
            drop(server);
            let begin = Instant::now();
            while rustix::process::test_kill_process_group(leader).is_ok() {
                assert!(begin.elapsed() < START_TIME_MAX, "the group is still there");
                thread::sleep(POLL_INTERVAL);
            }
        });
    }
}
