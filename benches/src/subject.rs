//! What can be compared: the phases of the course and the rivals, a row each.
//!
//! A row says all that differs from one server to another: how it is built, which options it needs
//! and what it can do. A new phase joins every table by adding its row.

use thiserror::Error;

use crate::record::{Abilities, SubjectKind, SubjectRecord};

/// A server that can be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Subject {
    /// What it is called on the command line and in records.
    pub id: &'static str,
    /// A phase or a rival.
    pub kind: SubjectKind,
    /// What it is, in a line.
    pub about: &'static str,
    /// Where the program comes from.
    pub program: Program,
    /// What it can do.
    pub abilities: Abilities,
}

/// Where a subject's program comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Program {
    /// A binary of this workspace that follows the wire contract: `--port`, `--data-file`, the
    /// address as the first line of output.
    Workspace {
        /// The cargo package.
        package: &'static str,
        /// The binary in it.
        binary: &'static str,
        /// Further options, so that nothing but the load is measured.
        options: &'static [&'static str],
    },
    /// The system's nginx with `benches/rivals/nginx.conf.template`.
    Nginx,
}

const KEEP_ALIVE: Abilities = Abilities { keep_alive: true, pipelining: true, stores: true };
const NO_KEEP_ALIVE: Abilities = Abilities { keep_alive: false, pipelining: false, stores: true };
const STORES_NOTHING: Abilities = Abilities { stores: false, ..KEEP_ALIVE };

/// Every phase that exists, in the order of the course.
pub const PHASES: [Subject; 6] = [
    Subject {
        id: "phase0",
        kind: SubjectKind::Phase,
        about: "one thread, one request a connection, a write for each metric",
        program: Program::Workspace {
            package: "phase0",
            binary: "phase0",
            // Sampling this machine every two seconds and reading the whole data file every five
            // would be measured along with the load, and grow with it.
            options: &["--no-self-monitor", "--check-interval", "1h"],
        },
        abilities: NO_KEEP_ALIVE,
    },
    phase(
        "craft1-phase1",
        "own HTTP/1.1, a thread for each connection, a write for each batch",
        &[],
    ),
    phase("craft1-phase2", "a fixed pool of threads, a rate limit for each client", UNREACHED),
    phase("craft1-phase3", "hand-written JSON in both directions", UNREACHED),
    keeping("craft1-phase4", "tokio and hyper, keep-alive, one writer", ACCEPTED),
    keeping("craft1-final", "an event loop a core, read in place, lock-free rings", ACCEPTED),
];

/// The limiter counts and never refuses: a load of a few clients is measured, not their limits.
const UNREACHED: &[&str] = &["--limit", "100000/10ms"];

/// As [`UNREACHED`], and a 202 means what it means to the rivals: queued.
const ACCEPTED: &[&str] = &["--limit", "100000/10ms", "--ack", "accepted"];

/// Every rival, the floor first.
pub const RIVALS: [Subject; 8] = [
    Subject {
        abilities: STORES_NOTHING,
        ..rival("limit", "the smallest epoll server: reads a request, sends a fixed answer")
    },
    rival("hyper-serde", "hyper on tokio with serde_json: what a team would write today"),
    rival("hyper-sonic", "hyper on tokio with sonic-rs"),
    rival("hyper-simd", "hyper on tokio with simd-json"),
    rival("axum", "axum on the same hyper, with serde_json"),
    rival("actix", "actix-web with serde_json"),
    rival("may", "stackful coroutines: may_minihttp with serde_json"),
    Subject {
        id: "nginx",
        kind: SubjectKind::Rival,
        about: "the system's nginx: reads a request, sends a fixed answer",
        program: Program::Nginx,
        abilities: STORES_NOTHING,
    },
];

/// The same programs with other options, under another load, or with one file exchanged, for ablations
/// alone.
pub const VARIANTS: [Subject; 14] = [
    Subject {
        id: "hyper-serde-close",
        abilities: NO_KEEP_ALIVE,
        ..rival_program("hyper-serde", "hyper-serde, given a new connection for each request")
    },
    variant_of(
        "craft1-phase4",
        "phase4-stored",
        "phase 4, 202 when it is written",
        &["--limit", "100000/10ms", "--ack", "stored"],
    ),
    variant_of(
        "craft1-phase4",
        "phase4-durable",
        "phase 4, 202 when it is synced",
        &["--limit", "100000/10ms", "--ack", "durable"],
    ),
    variant_of(
        "craft1-final",
        "final-stored",
        "the final phase, 202 when it is written",
        &["--limit", "100000/10ms", "--ack", "stored"],
    ),
    variant_of(
        "craft1-final",
        "final-durable",
        "the final phase, 202 when it is synced",
        &["--limit", "100000/10ms", "--ack", "durable"],
    ),
    variant_of(
        "craft1-final",
        "final-one-loop",
        "the final phase with one event loop",
        &["--limit", "100000/10ms", "--loops", "1"],
    ),
    keeping("phase4-in-place", "phase 4, each request writes its own lines", ACCEPTED),
    keeping("final-channel", "the final phase, joined by crossbeam's channel", ACCEPTED),
    variant("unlimited", "phase 2 without a rate limit", &["--limiter", "off"]),
    variant(
        "exact-log",
        "phase 2 with the exact log",
        &["--limiter", "log", "--limit", "100000/10ms"],
    ),
    variant("2-workers", "phase 2 with 2 workers", &["--limiter", "off", "--workers", "2"]),
    variant("16-workers", "phase 2 with 16 workers", &["--limiter", "off", "--workers", "16"]),
    variant("64-workers", "phase 2 with 64 workers", &["--limiter", "off", "--workers", "64"]),
    variant("512-workers", "phase 2 with 512 workers", &["--limiter", "off", "--workers", "512"]),
];

const fn phase(id: &'static str, about: &'static str, options: &'static [&'static str]) -> Subject {
    let program = Program::Workspace { package: id, binary: id, options };
    Subject { id, kind: SubjectKind::Phase, about, program, abilities: NO_KEEP_ALIVE }
}

/// A phase that keeps its connections.
const fn keeping(
    id: &'static str,
    about: &'static str,
    options: &'static [&'static str],
) -> Subject {
    Subject { abilities: KEEP_ALIVE, ..phase(id, about, options) }
}

const fn variant_of(
    phase_id: &'static str,
    id: &'static str,
    about: &'static str,
    options: &'static [&'static str],
) -> Subject {
    Subject { id, ..keeping(phase_id, about, options) }
}

const fn variant(
    id: &'static str,
    about: &'static str,
    options: &'static [&'static str],
) -> Subject {
    Subject { id, ..phase("craft1-phase2", about, options) }
}

const fn rival(id: &'static str, about: &'static str) -> Subject {
    Subject { id, ..rival_program(id, about) }
}

const fn rival_program(binary: &'static str, about: &'static str) -> Subject {
    Subject {
        id: binary,
        kind: SubjectKind::Rival,
        about,
        program: Program::Workspace { package: "rivals", binary, options: &[] },
        abilities: KEEP_ALIVE,
    }
}

/// Everything that can be named on the command line.
pub fn all() -> impl Iterator<Item = &'static Subject> {
    PHASES.iter().chain(&RIVALS)
}

/// The phase or rival with this name.
pub fn find(id: &str) -> Result<&'static Subject, UnknownSubject> {
    all().find(|subject| subject.id == id).ok_or_else(|| UnknownSubject {
        id: id.to_owned(),
        known: all().map(|subject| subject.id).collect::<Vec<_>>().join(", "),
    })
}

/// Nothing of that name can be compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("nothing here is called {id:?}; there are {known}")]
pub struct UnknownSubject {
    id: String,
    known: String,
}

impl Subject {
    /// The command that builds it; nothing for a program of the system.
    pub fn build_arguments(&self) -> Option<[&'static str; 7]> {
        let Program::Workspace { package, binary, .. } = self.program else { return None };
        Some(["build", "--release", "--locked", "--package", package, "--bin", binary])
    }

    /// As it stands in a record.
    pub fn record(&self) -> SubjectRecord {
        let options = match self.program {
            Program::Workspace { options, .. } => {
                ["--port 0 --data-file PATH"].iter().chain(options).copied().collect::<Vec<_>>()
            }
            Program::Nginx => vec!["-p PATH -c PATH/nginx.conf"],
        };
        SubjectRecord {
            id: self.id.to_owned(),
            kind: self.kind,
            about: self.about.to_owned(),
            build: self.build_arguments().map(|arguments| format!("cargo {}", arguments.join(" "))),
            options: options.join(" "),
            abilities: self.abilities,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_name_is_taken_once() {
        let subjects = || all().chain(&VARIANTS);
        let names: BTreeSet<&str> = subjects().map(|subject| subject.id).collect();
        assert_eq!(names.len(), subjects().count());
    }

    #[test]
    fn an_unknown_name_is_refused_with_the_known_ones() {
        let error = find("phase9").unwrap_err().to_string();
        assert!(error.contains("\"phase9\"") && error.contains("craft1-final, limit, hyper-serde"));
        assert_eq!(find("limit").unwrap().id, "limit");
    }

    #[test]
    fn a_record_says_how_to_build_and_start_it() {
        let record = find("phase0").unwrap().record();
        assert_eq!(
            record.build.as_deref(),
            Some("cargo build --release --locked --package phase0 --bin phase0")
        );
        assert_eq!(
            record.options,
            "--port 0 --data-file PATH --no-self-monitor --check-interval 1h"
        );
        assert_eq!(find("nginx").unwrap().record().build, None);
    }
}
