//! Where figures come from: the state of the working tree and the kind of machine.
//!
//! What identifies one machine (its name, its folders) is never read, so it cannot get into a
//! record.

use std::{env, fs, process::Command, thread};

use crate::{build::workspace_directory, record::Machine};

/// What the release profile of this workspace is, as far as it decides speed.
const PROFILE: &str = "profile release: opt-level 3, one codegen unit, thin LTO";

/// The commit of the working tree and whether the tree differs from it. A commit of nothing is what
/// a folder outside a repository has, or a repository before its first commit.
pub fn commit() -> (Option<String>, bool) {
    let commit = first_line("git", &["rev-parse", "--verify", "HEAD"]);
    // Records themselves change with every comparison and with no program.
    let changes = ["status", "--porcelain", "--", ".", ":!benches/results"];
    let dirty = output("git", &changes).is_none_or(|changes| !changes.is_empty());
    (commit, dirty)
}

/// The kind of machine that this is.
pub fn machine() -> Machine {
    let cpu_info = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let memory_info = fs::read_to_string("/proc/meminfo").unwrap_or_default();
    let unknown = || "unknown".to_owned();
    Machine {
        cpu: field(&cpu_info, "model name").unwrap_or_else(unknown),
        cores: thread::available_parallelism().map_or(1, usize::from),
        memory_bytes: field(&memory_info, "MemTotal").and_then(|text| kib(&text)).unwrap_or(0),
        is_virtual: field(&cpu_info, "flags")
            .is_some_and(|flags| flags.split(' ').any(|flag| flag == "hypervisor")),
        kernel: first_line("uname", &["-sr"]).unwrap_or_else(unknown),
        architecture: env::consts::ARCH.to_owned(),
        rustc: first_line("rustc", &["--version"]).unwrap_or_else(unknown),
        flags: flags(env::var("RUSTFLAGS").ok().as_deref()),
    }
}

/// A flag with a path in it would name a folder of this machine.
fn flags(rustflags: Option<&str>) -> String {
    match rustflags.map(str::trim) {
        None | Some("") => PROFILE.to_owned(),
        Some(flags) if flags.contains('/') => format!("{PROFILE}; RUSTFLAGS that hold a path"),
        Some(flags) => format!("{PROFILE}; RUSTFLAGS {flags}"),
    }
}

/// The value after `key :` in the files under /proc.
fn field(text: &str, key: &str) -> Option<String> {
    let values = text.lines().filter_map(|line| line.split_once(':'));
    let mut found = values.filter(|(name, _)| name.trim() == key);
    found.next().map(|(_, value)| value.trim().to_owned())
}

fn kib(text: &str) -> Option<u64> {
    text.strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib * 1_024)
}

fn first_line(program: &str, arguments: &[&str]) -> Option<String> {
    let text = output(program, arguments)?;
    text.lines().next().map(str::to_owned)
}

fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program);
    let output = command.args(arguments).current_dir(workspace_directory()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_a_field_of_the_files_under_proc() {
        let text = "processor\t: 0\nmodel name\t: A CPU @ 3 GHz: fast\nmodel name\t: B\n";
        assert_eq!(field(text, "model name").as_deref(), Some("A CPU @ 3 GHz: fast"));
        assert_eq!(field(text, "flags"), None);
        assert_eq!(kib("8 kB"), Some(8_192));
    }

    #[test]
    fn a_flag_with_a_path_is_left_out() {
        assert_eq!(flags(None), PROFILE);
        assert!(flags(Some("-C target-cpu=native")).ends_with("RUSTFLAGS -C target-cpu=native"));
        assert!(!flags(Some("-L /home/somebody/lib")).contains("somebody"));
    }

    #[test]
    fn nothing_identifies_the_machine() {
        let text = serde_json::to_string(&machine()).unwrap();
        let directory = workspace_directory().to_string_lossy().into_owned();
        assert!(!text.contains(&directory), "{text}");
        if let Some(name) = first_line("uname", &["-n"]).filter(|name| name.len() > 3) {
            assert!(!text.contains(&name), "{text}");
        }
        assert_eq!(machine(), machine());
    }
}
