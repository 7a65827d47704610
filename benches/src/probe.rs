//! What a server process uses, as the operating system counts it: processor time, memory, threads.
//!
//! Read before and after the measured part, so that start, warm-up and end are in no figure. The
//! children count too: nginx serves in one. Linux keeps all of it under `/proc` (proc(5)); elsewhere
//! there is no figure, and tables say so.

use rustix::process::Pid;

/// The state of a process and its children at one moment. Differences of two are what a run used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reading {
    /// Processor time since the start, in nanoseconds, ended threads included.
    pub cpu_ns: u64,
    /// The part of it in user mode, in ticks of the kernel's accounting.
    pub user_ticks: u64,
    /// The part of it in kernel mode, in the same ticks.
    pub kernel_ticks: u64,
    /// The most memory that was ever resident, in bytes.
    pub peak_memory_bytes: u64,
    /// Threads now.
    pub threads: u32,
}

impl Reading {
    /// Of the process and its children, or nothing where the operating system does not tell.
    pub fn of(leader: Pid) -> Option<Self> {
        imp::family(leader).into_iter().map(imp::one).sum()
    }

    /// Processor time since an earlier reading, in microseconds.
    pub fn cpu_us_since(self, earlier: Self) -> f64 {
        self.cpu_ns.saturating_sub(earlier.cpu_ns) as f64 / 1e3
    }

    /// The kernel's part of it, 0 to 1; nothing below one tick.
    pub fn kernel_share_since(self, earlier: Self) -> Option<f64> {
        let kernel = self.kernel_ticks.saturating_sub(earlier.kernel_ticks);
        let all = kernel + self.user_ticks.saturating_sub(earlier.user_ticks);
        (all > 0).then(|| kernel as f64 / all as f64)
    }
}

impl std::iter::Sum for Reading {
    fn sum<I: Iterator<Item = Self>>(readings: I) -> Self {
        readings.fold(Self::default(), |sum, one| Self {
            cpu_ns: sum.cpu_ns + one.cpu_ns,
            user_ticks: sum.user_ticks + one.user_ticks,
            kernel_ticks: sum.kernel_ticks + one.kernel_ticks,
            peak_memory_bytes: sum.peak_memory_bytes + one.peak_memory_bytes,
            threads: sum.threads + one.threads,
        })
    }
}

/// The process and everything it has started.
pub(crate) fn family(leader: Pid) -> Vec<Pid> {
    imp::family(leader)
}

#[cfg(target_os = "linux")]
mod imp {
    use std::{fs, time::Duration};

    use nix::time::clock_getcpuclockid;
    use rustix::process::Pid;

    use super::Reading;

    pub(super) fn one(pid: Pid) -> Option<Reading> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
        let fields = Stat::parse(&stat)?;
        Some(Reading {
            cpu_ns: cpu_ns(pid)?,
            user_ticks: fields.user_ticks,
            kernel_ticks: fields.kernel_ticks,
            peak_memory_bytes: peak_memory_bytes(&status)?,
            threads: fields.threads,
        })
    }

    /// `stat` counts processor time in ticks of 10 ms; the clock of the process has nanoseconds
    /// (`clock_getcpuclockid(3)`).
    fn cpu_ns(pid: Pid) -> Option<u64> {
        let pid = nix::unistd::Pid::from_raw(pid.as_raw_nonzero().get());
        let time = Duration::from(clock_getcpuclockid(pid).ok()?.now().ok()?);
        u64::try_from(time.as_nanos()).ok()
    }

    pub(super) fn family(leader: Pid) -> Vec<Pid> {
        let mut family = vec![leader];
        let mut next = 0;
        while next < family.len() {
            let children = children(family[next]);
            family.extend(children);
            next += 1;
        }
        family
    }

    fn children(parent: Pid) -> Vec<Pid> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let numbers = entries.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
        let is_child = |pid: &Pid| {
            fs::read_to_string(format!("/proc/{pid}/stat"))
                .is_ok_and(|stat| Stat::parse(&stat).is_some_and(|stat| stat.parent == parent))
        };
        numbers.filter_map(Pid::from_raw).filter(is_child).collect()
    }

    #[derive(Debug, PartialEq, Eq)]
    pub(super) struct Stat {
        pub(super) parent: Pid,
        pub(super) user_ticks: u64,
        pub(super) kernel_ticks: u64,
        pub(super) threads: u32,
    }

    impl Stat {
        /// The second field is a name in parentheses that may hold anything, so fields are counted
        /// from its end: the first after it is field 3 of proc(5).
        pub(super) fn parse(line: &str) -> Option<Self> {
            let (_, rest) = line.rsplit_once(')')?;
            let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
            let field = |number: usize| fields.get(number - 3).copied();
            Some(Self {
                parent: Pid::from_raw(field(4)?.parse().ok()?)?,
                user_ticks: field(14)?.parse().ok()?,
                kernel_ticks: field(15)?.parse().ok()?,
                threads: field(20)?.parse().ok()?,
            })
        }
    }

    pub(super) fn peak_memory_bytes(status: &str) -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
        let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kib * 1_024)
    }
}

#[cfg(not(target_os = "linux"))]
mod imp {
    use rustix::process::Pid;

    use super::Reading;

    pub(super) fn one(_: Pid) -> Option<Reading> {
        None
    }

    pub(super) fn family(leader: Pid) -> Vec<Pid> {
        vec![leader]
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use std::{
        process::{Child, Command},
        thread,
        time::{Duration, Instant},
    };

    struct Killed(Child);

    impl Drop for Killed {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }

    fn shell(script: &str) -> Killed {
        Killed(Command::new("/bin/sh").args(["-c", script]).spawn().unwrap())
    }

    #[test]
    fn counts_the_processor_time_of_another_process() {
        let busy = shell("while :; do :; done");
        let pid = Pid::from_child(&busy.0);
        let begin = Instant::now();
        let before = Reading::of(pid).unwrap();
        let mut after = before;
        while after.cpu_us_since(before) < 20_000.0 {
            assert!(begin.elapsed() < Duration::from_secs(30), "it gets no processor time");
            thread::sleep(Duration::from_millis(5));
            after = Reading::of(pid).unwrap();
        }
        // One thread cannot use more than the time that passes; the kernel counts it in ticks.
        let tick_us = 10_000.0;
        assert!(after.cpu_us_since(before) <= begin.elapsed().as_secs_f64() * 1e6 + tick_us);
        assert_eq!(after.threads, 1);
        assert!(after.peak_memory_bytes > 0);
    }

    #[test]
    fn a_sleeping_process_uses_nothing() {
        let idle = shell("exec sleep 100");
        let pid = Pid::from_child(&idle.0);
        thread::sleep(Duration::from_millis(100));
        let before = Reading::of(pid).unwrap();
        thread::sleep(Duration::from_millis(200));
        let after = Reading::of(pid).unwrap();
        assert!(after.cpu_us_since(before) < 1_000.0);
    }

    #[test]
    fn children_count_with_their_parent() {
        let parent = shell("sleep 100 & sleep 100 & wait");
        let pid = Pid::from_child(&parent.0);
        let begin = Instant::now();
        while family(pid).len() < 3 {
            assert!(begin.elapsed() < Duration::from_secs(30), "the children are not found");
            thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(Reading::of(pid).unwrap().threads, 3);
        for child in &family(pid)[1..] {
            let _ = rustix::process::kill_process(*child, rustix::process::Signal::KILL);
        }
    }

    #[test]
    fn a_process_that_is_gone_has_no_reading() {
        let mut gone = shell("exit 0");
        let pid = Pid::from_child(&gone.0);
        gone.0.wait().unwrap();
        assert_eq!(Reading::of(pid), None);
    }

    #[test]
    fn a_name_with_a_parenthesis_does_not_shift_the_fields() {
        let line = "7 (a) b) S 3 7 7 0 -1 0 1 2 3 4 50 60 0 0 20 0 9 0 100";
        let stat = imp::Stat::parse(line).unwrap();
        let expected = imp::Stat {
            parent: Pid::from_raw(3).unwrap(),
            user_ticks: 50,
            kernel_ticks: 60,
            threads: 9,
        };
        assert_eq!(stat, expected);
        assert_eq!(imp::peak_memory_bytes("Name:\tx\nVmHWM:\t    12 kB\n"), Some(12_288));
    }

    #[test]
    fn the_kernels_share_needs_a_tick() {
        let before = Reading { user_ticks: 10, kernel_ticks: 10, ..Reading::default() };
        let after = Reading { user_ticks: 13, kernel_ticks: 11, ..Reading::default() };
        assert_eq!(after.kernel_share_since(before), Some(0.25));
        assert_eq!(before.kernel_share_since(before), None);
    }
}
