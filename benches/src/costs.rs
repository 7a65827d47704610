//! What one request costs, counted and not timed: system calls, allocations, instructions.
//!
//! Counts do not depend on how busy the machine is, so a budget can rest on them. They come from
//! runs of their own, with one client that waits for each answer, and with programs that were built
//! like any other:
//!
//! - **System calls**: `strace -c -f` attached to the running server. `futex` is counted by itself:
//!   how often threads put each other to sleep is the scheduler's doing and differs from run to run,
//!   all other calls are the program's.
//! - **Instructions** in user mode, and **allocations**: `valgrind --tool=callgrind`, which executes
//!   the program itself and knows every call (Weidendorfer, Kowarschik and Trinitis, 2004). A call of
//!   an allocator's function from outside the allocator is an allocation, and so is a call that
//!   grows one. This works for every allocator with symbols (glibc's, mimalloc) without a special
//!   build; what a program carves out of memory that it already has is not seen, as it should be.
//!
//! Each count is made twice, over N and over 2 N requests. The difference is what N requests cost:
//! start, connection and end are in both and cancel out. What stays is work that depends on time and
//! not on requests, such as a timer, and under valgrind a server has fifty times as much of it for
//! each request; a writer that gathers lines for a millisecond finds fewer of them.

use std::{
    fs::{self, File},
    io,
    path::Path,
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    build::find_program,
    probe,
    record::{Cost, Costs},
    rounds::{Candidate, Observer, RunError, Setting, load},
    server::{Launch, Server},
    subject::Program,
    workload::Workload,
};

/// Requests of the shorter count under strace.
const REQUESTS_TRACED: u64 = 500;
/// Requests of the shorter count under valgrind, for one metric each.
const REQUESTS_EXECUTED: u64 = 300;
/// For a hundred metrics each, so that counting a batch takes no longer.
const REQUESTS_EXECUTED_BATCH: u64 = 30;
/// Before strace is attached, so that nothing is counted that happens once.
const REQUESTS_FIRST: u64 = 100;
/// For strace to say that it is attached, and to end.
const STRACE_TIME_MAX: Duration = Duration::from_secs(10);
const POLL_INTERVAL: Duration = Duration::from_millis(5);

/// Counts all costs of a subject. What cannot be counted says why.
pub fn count(
    candidate: &Candidate,
    workload: &Workload,
    setting: &Setting,
    observer: &mut dyn Observer,
) -> Result<Costs, RunError> {
    let mut counting = Counting { candidate, workload, setting, observer };
    let syscalls = counting.syscalls();
    let executed = counting.executed();
    let failed = |error: &Uncounted| Cost::NotCounted { reason: error.to_string() };
    let of = |result: &Result<(u64, f64), Uncounted>| match result {
        Ok((requests, per_request)) => {
            Cost::Counted { per_request: *per_request, requests: *requests }
        }
        Err(error) => failed(error),
    };
    let part = |which: fn(&Executed) -> f64| match &executed {
        Ok((requests, executed)) => Ok((*requests, which(executed))),
        Err(error) => Err(error.clone()),
    };
    let (allocations, instructions) =
        (part(|executed| executed.allocations), part(|executed| executed.instructions));
    if [syscalls.as_ref().err(), executed.as_ref().err()].contains(&Some(&Uncounted::Interrupted)) {
        return Err(RunError::Interrupted);
    }
    let futex_per_request = syscalls.as_ref().ok().map(|(_, calls)| calls.futex);
    Ok(Costs {
        subject: candidate.subject.id.to_owned(),
        syscalls: of(&syscalls.map(|(requests, calls)| (requests, calls.others))),
        futex_per_request,
        allocations: of(&allocations),
        instructions: of(&instructions),
    })
}

struct Counting<'a> {
    candidate: &'a Candidate,
    workload: &'a Workload,
    setting: &'a Setting,
    observer: &'a mut dyn Observer,
}

/// For each request.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Calls {
    futex: f64,
    others: f64,
}

/// For each request.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Executed {
    allocations: f64,
    instructions: f64,
}

impl Counting<'_> {
    fn syscalls(&mut self) -> Result<(u64, Calls), Uncounted> {
        let strace = find_program("strace").map_err(|error| Uncounted::because(&error))?;
        let server = self.start(Vec::new())?;
        self.load(&server, REQUESTS_FIRST)?;
        let mut counts = [Traced::default(); 2];
        for (count, requests) in counts.iter_mut().zip([REQUESTS_TRACED, 2 * REQUESTS_TRACED]) {
            let trace = Trace::attach(&strace, &server)?;
            self.load(&server, requests)?;
            *count = trace.detach()?;
        }
        server.stop().map_err(|error| Uncounted::because(&error))?;
        let of = |part: fn(Traced) -> u64| difference(counts.map(part), REQUESTS_TRACED);
        let calls = Calls { futex: of(|traced| traced.futex), others: of(|traced| traced.others) };
        Ok((REQUESTS_TRACED, calls))
    }

    fn executed(&mut self) -> Result<(u64, Executed), Uncounted> {
        if self.candidate.subject.program == Program::Nginx {
            return Err(Uncounted::because("it serves in a child that valgrind would not follow"));
        }
        let valgrind = find_program("valgrind").map_err(|error| Uncounted::because(&error))?;
        let requests =
            if self.workload.is_batch() { REQUESTS_EXECUTED_BATCH } else { REQUESTS_EXECUTED };
        let once = self.profile(&valgrind, requests)?;
        let twice = self.profile(&valgrind, 2 * requests)?;
        let executed = Executed {
            allocations: difference([once.allocations, twice.allocations], requests),
            instructions: difference([once.instructions, twice.instructions], requests),
        };
        Ok((requests, executed))
    }

    fn profile(&mut self, valgrind: &Path, requests: u64) -> Result<Profile, Uncounted> {
        let directory = tempfile::tempdir().map_err(|error| Uncounted::because(&error))?;
        let file = directory.path().join("callgrind");
        let server = self.start(callgrind(valgrind, &file))?;
        self.load(&server, requests)?;
        let remains = server.stop().map_err(|error| Uncounted::because(&error))?;
        remains.end.map_err(|how| Uncounted::because(&how))?;
        let text = fs::read_to_string(file).map_err(|error| Uncounted::because(&error))?;
        Profile::parse(&text).ok_or_else(|| Uncounted::because("callgrind's file has no totals"))
    }

    fn start(&self, under: Vec<String>) -> Result<Server, Uncounted> {
        let core = self.setting.cores.map(|cores| cores.server);
        let launch = Launch { under, core };
        let Candidate { subject, program } = self.candidate;
        Server::start(subject, program, &launch).map_err(|error| Uncounted::because(&error))
    }

    /// Counts are for requests that succeeded; one that did not would cost something else.
    fn load(&mut self, server: &Server, requests: u64) -> Result<(), Uncounted> {
        let on = self.setting.circumstances(&self.candidate.subject, server);
        let plan = self.workload.counted(requests, &on);
        match load(&plan, self.observer, &mut || {}) {
            Ok(summary) if summary.is_all_fine() => Ok(()),
            Ok(_) => Err(Uncounted::because("some requests failed")),
            Err(RunError::Interrupted) => Err(Uncounted::Interrupted),
            Err(error) => Err(Uncounted::because(&error)),
        }
    }
}

/// What to put before a program so that callgrind writes its profile to `file`.
pub(crate) fn callgrind(valgrind: &Path, file: &Path) -> Vec<String> {
    vec![
        valgrind.to_string_lossy().into_owned(),
        "--quiet".to_owned(),
        "--tool=callgrind".to_owned(),
        "--compress-strings=no".to_owned(),
        format!("--callgrind-out-file={}", file.display()),
    ]
}

/// Why there is no count.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum Uncounted {
    #[error("interrupted")]
    Interrupted,
    #[error("{0}")]
    Because(String),
}

impl Uncounted {
    fn because(reason: &(impl ToString + ?Sized)) -> Self {
        Self::Because(reason.to_string())
    }
}

/// From counts over N and 2 N requests to the count for one.
pub(crate) fn difference([once, twice]: [u64; 2], requests: u64) -> f64 {
    // A count that barely depends on requests may come out smaller the second time.
    (twice as f64 - once as f64).max(0.0) / requests as f64
}

/// A running `strace -c`.
struct Trace {
    process: Child,
    directory: tempfile::TempDir,
}

impl Trace {
    fn attach(strace: &Path, server: &Server) -> Result<Self, Uncounted> {
        let failed = |error: io::Error| Uncounted::because(&error);
        let directory = tempfile::tempdir().map_err(failed)?;
        let said = directory.path().join("said");
        let processes = probe::family(server.pid());
        let process = Command::new(strace)
            .args(["-c", "-f", "-o"])
            .arg(directory.path().join("summary"))
            .args(processes.iter().flat_map(|pid| ["-p".to_owned(), pid.to_string()]))
            .stdin(Stdio::null())
            .stderr(File::create(&said).map_err(failed)?)
            .spawn()
            .map_err(failed)?;
        let mut trace = Self { process, directory };
        let begin = Instant::now();
        loop {
            let text = fs::read_to_string(&said).unwrap_or_default();
            if text.matches("attached").count() >= processes.len() {
                return Ok(trace);
            }
            let has_ended = trace.process.try_wait().map_err(failed)?.is_some();
            if has_ended || begin.elapsed() > STRACE_TIME_MAX {
                return Err(Uncounted::because(text.lines().next().unwrap_or("strace is silent")));
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Lets the server run free and gives the number of system calls.
    fn detach(mut self) -> Result<Traced, Uncounted> {
        let failed = |error: io::Error| Uncounted::because(&error);
        kill_process(Pid::from_child(&self.process), Signal::INT)
            .map_err(|error| failed(error.into()))?;
        let begin = Instant::now();
        while self.process.try_wait().map_err(failed)?.is_none() {
            if begin.elapsed() > STRACE_TIME_MAX {
                return Err(Uncounted::because("strace does not end"));
            }
            thread::sleep(POLL_INTERVAL);
        }
        let text = fs::read_to_string(self.directory.path().join("summary")).map_err(failed)?;
        Traced::parse(&text).ok_or_else(|| Uncounted::because("strace's summary has no total"))
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // After `detach` it has ended, which is what an error here says.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// System calls that strace has seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Traced {
    futex: u64,
    others: u64,
}

impl Traced {
    /// Reads the table of `strace -c`: share, seconds, microseconds a call, calls, perhaps errors,
    /// name. The last line is the total.
    fn parse(summary: &str) -> Option<Self> {
        let calls = |name: &str| {
            let fields = summary.lines().map(|line| line.split_ascii_whitespace());
            let mut line = fields.rev().find(|fields| fields.clone().last() == Some(name))?;
            line.nth(3)?.parse::<u64>().ok()
        };
        let futex = calls("futex").unwrap_or(0);
        Some(Self { futex, others: calls("total")?.checked_sub(futex)? })
    }
}

/// What callgrind has seen in one run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Profile {
    pub(crate) instructions: u64,
    allocations: u64,
}

impl Profile {
    /// Reads callgrind's output without compressed names ("Callgrind Format Specification"): `fn=`
    /// begins a function, `cfn=` names one that it calls, `calls=` says how often.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (mut function, mut called) = ("", "");
        let (mut instructions, mut allocations) = (None, 0);
        for line in text.lines() {
            if let Some(name) = line.strip_prefix("fn=") {
                function = name;
            } else if let Some(name) = line.strip_prefix("cfn=") {
                called = name;
            } else if let Some(calls) = line.strip_prefix("calls=") {
                if is_allocation(called) && !is_of_allocator(function) {
                    allocations += calls.split(' ').next()?.parse::<u64>().ok()?;
                }
            } else if let Some(total) = line.strip_prefix("totals:") {
                instructions = total.trim().parse().ok();
            }
        }
        Some(Self { instructions: instructions?, allocations })
    }
}

/// The functions of the C library that give memory out (C17, section 7.22.3; POSIX).
const LIBC_ALLOCATIONS: [&str; 6] =
    ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "memalign"];
/// What mimalloc calls the same things, after `mi_`; all have variants with further words behind.
const MIMALLOC_ALLOCATIONS: [&str; 4] = ["malloc", "zalloc", "calloc", "realloc"];

fn is_allocation(function: &str) -> bool {
    let name = base_name(function);
    let is_mimalloc = name.strip_prefix("mi_").is_some_and(|rest| {
        MIMALLOC_ALLOCATIONS.iter().any(|allocation| rest.starts_with(allocation))
    });
    is_mimalloc || LIBC_ALLOCATIONS.contains(&name)
}

/// An allocator's functions call each other.
fn is_of_allocator(function: &str) -> bool {
    let name = base_name(function);
    is_allocation(name) || name.starts_with("mi_") || name.starts_with("_mi_")
}

/// Callgrind marks recursion by an apostrophe and a number behind the name.
fn base_name(function: &str) -> &str {
    function.split('\'').next().unwrap_or(function)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_the_calls_of_the_program_from_those_of_the_scheduler() {
        let summary = "\
% time     seconds  usecs/call     calls    errors syscall
------ ----------- ----------- --------- --------- ----------------
 60.00    0.000600           1       500           sendto
 40.00    0.000400           0       523        12 recvfrom
------ ----------- ----------- --------- --------- ----------------
100.00    0.001000           0      1023        12 total
";
        assert_eq!(Traced::parse(summary), Some(Traced { futex: 0, others: 1_023 }));
        let with_futex = summary.replace("sendto", "futex");
        assert_eq!(Traced::parse(&with_futex), Some(Traced { futex: 500, others: 523 }));
        assert_eq!(Traced::parse(""), None);
    }

    #[test]
    fn counts_the_calls_into_the_allocator_and_no_others() {
        let text = "\
events: Ir
fn=parse
16 400
cfn=malloc
calls=3 0
16 1200
cfn=realloc'2
calls=2 +4
16 90
cfn=malloc_usable_size
calls=9 0
16 10
fn=mi_zalloc_aligned
1 5
cfn=mi_malloc
calls=7 0
1 5
fn=serve
cfn=mi_malloc_aligned
calls=11 0
1 5
totals: 12345
";
        let expected = Profile { instructions: 12_345, allocations: 3 + 2 + 11 };
        assert_eq!(Profile::parse(text), Some(expected));
        assert_eq!(Profile::parse("fn=main\n"), None);
    }

    #[test]
    fn what_happens_once_cancels_out() {
        assert!((difference([1_000 + 500 * 3, 1_000 + 1_000 * 3], 500) - 3.0).abs() < 1e-12);
        assert!(difference([10, 9], 500).abs() < 1e-12);
    }
}
