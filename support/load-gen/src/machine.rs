//! What the generator asks of the operating system beside sockets: file descriptors, cores, and how
//! much processor time its own threads took.

use std::io;

use rustix::{
    process::{Resource, Rlimit, getrlimit, setrlimit},
    time::{ClockId, clock_gettime},
};
use thiserror::Error;

/// Descriptors that are not connections: standard streams, epoll, timers, the JSON file.
const OTHER_FILES: u64 = 64;

/// Raises the soft limit of open files to the hard one, where `connections` need it.
pub(crate) fn allow_connections(connections: usize) -> Result<(), MachineError> {
    let needed = connections as u64 + OTHER_FILES;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    if let Some(limit) = limit.maximum.filter(|maximum| *maximum < needed) {
        return Err(MachineError::TooFewFiles { needed, limit });
    }
    let raised = Rlimit { current: Some(needed), maximum: limit.maximum };
    setrlimit(Resource::Nofile, raised).map_err(|error| MachineError::RaiseFiles(error.into()))
}

/// Keeps the calling thread, and the threads it starts from now on, on these cores.
#[cfg(target_os = "linux")]
pub fn pin_current_thread(cores: &[usize]) -> Result<(), MachineError> {
    use rustix::thread::{CpuSet, sched_setaffinity};

    let mut set = CpuSet::new();
    for &core in cores {
        if core >= CpuSet::MAX_CPU {
            return Err(MachineError::NoSuchCore { cores: cores.to_vec() });
        }
        set.set(core);
    }
    sched_setaffinity(None, &set).map_err(|_| MachineError::NoSuchCore { cores: cores.to_vec() })
}

/// Only Linux keeps a thread on a core.
#[cfg(not(target_os = "linux"))]
pub fn pin_current_thread(_cores: &[usize]) -> Result<(), MachineError> {
    Err(MachineError::CannotPin)
}

/// What the calling thread has used since it began.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct ThreadUse {
    /// Processor time, in user and kernel mode.
    pub(crate) cpu_ns: u64,
    /// Time in which it could have run and no core was free. Only Linux tells.
    pub(crate) waited_ns: Option<u64>,
}

impl ThreadUse {
    pub(crate) fn now() -> Self {
        let time = clock_gettime(ClockId::ThreadCPUTime);
        let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
        let nanoseconds = u64::try_from(time.tv_nsec).unwrap_or_default();
        Self { cpu_ns: seconds * 1_000_000_000 + nanoseconds, waited_ns: run_queue_wait_ns() }
    }

    /// What was used since an earlier reading.
    pub(crate) fn since(self, earlier: Self) -> Self {
        let waited = self.waited_ns.zip(earlier.waited_ns);
        Self {
            cpu_ns: self.cpu_ns.saturating_sub(earlier.cpu_ns),
            waited_ns: waited.map(|(now, then)| now.saturating_sub(then)),
        }
    }
}

/// The second number of `schedstat`: time spent waiting on a run queue
/// (Documentation/scheduler/sched-stats.rst). No such file, or no numbers in it, means not known.
fn run_queue_wait_ns() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    parse_schedstat(&text)
}

fn parse_schedstat(text: &str) -> Option<u64> {
    text.split_ascii_whitespace().nth(1)?.parse().ok()
}

/// What this machine does not give us.
#[derive(Debug, Error)]
pub enum MachineError {
    /// More connections than the process may have open.
    #[error(
        "the run needs {needed} open files and this shell allows {limit}: raise it with `ulimit -n`, or lower --connections"
    )]
    TooFewFiles {
        /// Connections and the rest.
        needed: u64,
        /// The hard limit.
        limit: u64,
    },
    /// The limit may be raised and could not be.
    #[error("cannot raise the limit of open files")]
    RaiseFiles(#[source] io::Error),
    /// The machine has no such core, or the process may not use it.
    #[error("cannot run on core {cores:?}: this machine has no such core, or it is not allowed")]
    NoSuchCore {
        /// What was asked for.
        cores: Vec<usize>,
    },
    /// The operating system has no way to do it.
    #[error("only Linux can keep a thread on a core: leave --pin out on this machine")]
    CannotPin,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_a_few_connections_and_refuses_more_than_any_machine_has() {
        allow_connections(10).unwrap();
        if getrlimit(Resource::Nofile).maximum.is_none() {
            eprintln!("SKIPPED: this machine sets no limit of open files");
            return;
        }
        let error = allow_connections(usize::MAX >> 8).unwrap_err();
        assert!(matches!(error, MachineError::TooFewFiles { .. }), "{error}");
    }

    #[test]
    fn counts_the_processor_time_of_this_thread_alone() {
        let before = ThreadUse::now();
        let mut sum = 0_u64;
        while ThreadUse::now().since(before).cpu_ns < 5_000_000 {
            sum = sum.wrapping_mul(31).wrapping_add(1);
        }
        std::hint::black_box(sum);
        let other = std::thread::spawn(ThreadUse::now).join().unwrap();
        assert!(other.cpu_ns < ThreadUse::now().cpu_ns);
    }

    #[test]
    fn reads_the_wait_and_nothing_where_there_is_none() {
        assert_eq!(parse_schedstat("123 456 7\n"), Some(456));
        assert_eq!(parse_schedstat(""), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn pins_to_a_core_that_exists_and_refuses_one_that_does_not() {
        std::thread::spawn(|| {
            let allowed = rustix::thread::sched_getaffinity(None).unwrap();
            let core = (0..1_024).find(|core| allowed.is_set(*core)).unwrap();
            pin_current_thread(&[core]).unwrap();
            assert_eq!(rustix::thread::sched_getcpu(), core);
            assert!(pin_current_thread(&[1_023]).is_err() || allowed.is_set(1_023));
            assert!(pin_current_thread(&[1 << 20]).is_err());
        })
        .join()
        .unwrap();
    }
}
