//! How much memory a server and its children have taken at most, which only Linux tells.

use std::fs;

/// Kibibytes of all processes in the group of `pid`; nothing where the system does not tell.
pub fn peak_kib(pid: u32) -> Option<u64> {
    let mut total = None;
    for process in fs::read_dir("/proc").ok()?.flatten() {
        let folder = process.path();
        let Ok(stat) = fs::read_to_string(folder.join("stat")) else { continue };
        if group_of(&stat) == Some(pid) {
            let status = fs::read_to_string(folder.join("status")).unwrap_or_default();
            total = Some(total.unwrap_or(0) + peak_of(&status).unwrap_or(0));
        }
    }
    total
}

/// As `proc_pid_stat(5)` says, the state, the parent and the group stand behind the name, which is in
/// parentheses and may contain anything.
fn group_of(stat: &str) -> Option<u32> {
    stat.rsplit_once(')')?.1.split_whitespace().nth(2)?.parse().ok()
}

fn peak_of(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_group_and_the_peak_are_read_from_what_linux_says() {
        assert_eq!(group_of("17 (a b) c) S 1 4711 17 0 -1"), Some(4711));
        assert_eq!(group_of("nonsense"), None);
        assert_eq!(peak_of("Name:\tx\nVmHWM:\t    1234 kB\nVmRSS:\t 1 kB\n"), Some(1234));
        assert_eq!(peak_of("Name:\tx\n"), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_process_takes_something_and_nobody_takes_nothing() {
        let server = testkit::Server::spawn(std::process::Command::new("sleep").arg("60")).unwrap();
        testkit::wait_until("it has begun", || peak_kib(server.pid()) > Some(100));
        assert_eq!(peak_kib(u32::MAX), None);
    }
}
