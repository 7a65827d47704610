//! What the operator chooses: on the command line, in a file, or not at all.
//!
//! What always holds: an option has one name, one meaning and one check, wherever it is given: the
//! file's keys are the long names of the options, and its values are read by the same code. The
//! command line wins. Nothing is half chosen: what is unknown or wrong is said with its place, and
//! the server does not start.
//!
//! Everything that a client can make the server hold has its bound here.

mod config;

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::{CommandFactory, FromArgMatches, Parser};
use craft1_phase1::http::{Limits, limits};
use craft1_phase1::program::{Bounds, positive_count, positive_duration};
use craft1_phase1::timeouts::Timeouts;
use craft1_phase2::limit::Limit;
use craft1_phase4::ack::Ack;
use craft1_phase4::logging;

use crate::rate_limit::{Algorithm, Limiter};
use crate::tokens::TokenFile;

pub use config::BadConfig;

/// Takes metrics over HTTP and appends them to files: an event loop for each core, requests read in
/// place, one writer behind lock-free rings.
#[derive(Debug, Parser)]
#[group(skip)]
#[command(name = "craft1-final", version, after_help = EXAMPLES, args_override_self = true)]
pub struct Options {
    /// File with these options, as KEY = VALUE (TOML); the command line wins
    #[arg(long, value_name = "PATH")]
    config: Option<PathBuf>,
    /// Say whether the options are good, and exit
    #[arg(long)]
    pub check_config: bool,
    #[command(flatten)]
    place: Place,
    /// Event loops, each in a thread [default: as many as there are processors]
    #[arg(long, value_name = "COUNT")]
    pub loops: Option<NonZeroUsize>,
    /// Connections that may be open; one more gets 503
    #[arg(long, value_name = "COUNT", default_value_t = 16_384, value_parser = positive_count)]
    pub max_connections: usize,
    /// Longest time for a connection to wait for its next request; a longer one is closed
    #[arg(long, value_name = "DURATION", default_value = "60s", value_parser = positive_duration)]
    pub idle_timeout: Duration,
    /// Memory of each loop for incomplete requests and untaken answers; beyond it 503, or a close
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = bytes)]
    buffer_bytes: u64,
    #[command(flatten)]
    bounds: Bounds,
    #[command(flatten)]
    heads: Heads,
    /// How the requests of a client are counted
    #[arg(long, value_enum, value_name = "ALGORITHM", default_value_t = Algorithm::Counter)]
    pub limiter: Algorithm,
    /// Most POST /metrics of one client, by its token, else X-Client-Id, else its address
    #[arg(long, value_name = "COUNT/WINDOW", default_value = "1000/1s")]
    pub limit: Limit,
    /// Clients that are remembered, 16 bytes each; beyond them who was silent longest is forgotten
    #[arg(long, value_name = "COUNT", default_value_t = Limiter::CLIENTS_MAX)]
    pub limit_clients: NonZeroUsize,
    /// What becomes of the metrics.
    #[command(flatten)]
    pub storage: Storage,
    /// How the server logs.
    #[command(flatten)]
    pub logging: logging::Options,
}

const EXAMPLES: &str = r#"Examples:
  craft1-final --port 8080 --data-file metrics.jsonl
  craft1-final --ack durable --segment-bytes 256MiB --retain 20GiB
  craft1-final --config craft1-final.toml --check-config
  craft1-final --bind 0.0.0.0 --token-file tokens
  curl --json '{"name":"cpu_usage","value":85.5}' http://127.0.0.1:8080/metrics
  curl http://127.0.0.1:8080/ready

SIGHUP reads the tokens again. Ctrl-C answers the requests that are on their way, and exits.
A second Ctrl-C exits at once."#;

/// Where the server listens, and who may use it.
#[derive(Debug, clap::Args)]
struct Place {
    /// Port to listen on; 0 picks a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Address to listen on; another than this machine's own needs --token-file or --insecure
    #[arg(long, value_name = "ADDRESS", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    bind: IpAddr,
    /// File of clients, NAME:TOKEN a line, that nobody else may read; SIGHUP reads it again
    #[arg(long, value_name = "PATH")]
    token_file: Option<PathBuf>,
    /// Let everybody who can reach the address send metrics, without a token
    #[arg(long)]
    insecure: bool,
    /// Connections that the kernel keeps until they are accepted; it may allow fewer
    #[arg(long, value_name = "COUNT", default_value_t = 4_096, value_parser = clap::value_parser!(i32).range(1..))]
    listen_backlog: i32,
}

/// How much of a request may stand before its body.
#[derive(Debug, clap::Args)]
struct Heads {
    /// Longest target, in bytes; a longer one gets 414
    #[arg(long = "max-target", value_name = "BYTES", default_value_t = limits::TARGET_BYTES_MAX, value_parser = positive_count)]
    target: usize,
    /// Longest field line, in bytes; a longer one gets 431
    #[arg(long = "max-line", value_name = "BYTES", default_value_t = limits::LINE_BYTES_MAX, value_parser = positive_count)]
    line: usize,
    /// Longest section of fields, in bytes; a longer one gets 431
    #[arg(long = "max-head", value_name = "BYTES", default_value_t = limits::HEAD_BYTES_MAX, value_parser = positive_count)]
    head: usize,
    /// Most fields; one more gets 431
    #[arg(long = "max-fields", value_name = "COUNT", default_value_t = limits::FIELDS_MAX, value_parser = positive_count)]
    fields: usize,
}

/// What becomes of the metrics.
#[derive(Debug, Clone, clap::Args)]
pub struct Storage {
    /// File that metrics are appended to, one JSON object a line
    #[arg(long, value_name = "PATH", default_value = "metrics.jsonl")]
    pub data_file: PathBuf,
    /// What a 202 means
    #[arg(long, value_enum, value_name = "LEVEL", default_value_t = Ack::Stored)]
    pub ack: Ack,
    /// Memory for metrics that wait to be written; beyond it POST /metrics gets 503
    #[arg(long, value_name = "BYTES", default_value = "64MiB", value_parser = bytes)]
    pub queue_bytes: u64,
    /// How long metrics gather between two writes, with --ack accepted
    #[arg(long, value_name = "DURATION", default_value = "5ms", value_parser = positive_duration)]
    pub linger: Duration,
    /// Size at which a file is closed and the next one begun
    #[arg(long, value_name = "BYTES", default_value = "1GiB", value_parser = bytes)]
    pub segment_bytes: u64,
    /// Age at which a file is closed and the next one begun
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = positive_duration)]
    pub segment_age: Duration,
    /// Size of all files together; the oldest closed ones are deleted for it [default: keep all]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub retain: Option<u64>,
    /// Go on with a data file that is damaged, and leave its damaged lines where they are
    #[arg(long)]
    pub skip_damage: bool,
}

/// Why there are no options.
#[derive(Debug, thiserror::Error)]
pub enum BadOptions {
    /// Of the command line; or it asked for help.
    #[error(transparent)]
    Line(#[from] clap::Error),
    /// Of the file.
    #[error(transparent)]
    File(#[from] BadConfig),
}

impl Options {
    /// From a command line, the name of the program first, and from the file that it may name.
    ///
    /// # Errors
    /// The first that is wrong, with its place.
    pub fn load(line: impl IntoIterator<Item = OsString>) -> Result<Self, BadOptions> {
        let line: Vec<OsString> = line.into_iter().collect();
        let given = Self::parse_line(&line)?;
        let Some(path) = &given.config else { return Ok(given) };
        let from_file = config::arguments(&Self::command(), path)?;
        let (program, rest) = line.split_at(line.len().min(1));
        Ok(Self::parse_line(&[program, &from_file, rest].concat())?)
    }

    fn parse_line(line: &[OsString]) -> Result<Self, clap::Error> {
        Self::from_arg_matches(&Self::command().try_get_matches_from(line)?)
    }

    /// What can be wrong with options that are good by themselves; and the tokens, if there are any.
    ///
    /// # Errors
    /// With what to do about it.
    pub fn check(&self) -> Result<Option<TokenFile>> {
        let Place { bind, token_file, insecure, .. } = &self.place;
        ensure!(
            bind.is_loopback() || token_file.is_some() || *insecure,
            "{bind} can be reached from outside: name the clients that may send (--token-file), or \
             add --insecure to let everybody"
        );
        let Storage { segment_bytes, retain, .. } = self.storage;
        ensure!(
            retain.is_none_or(|retain| retain >= segment_bytes),
            "--retain is less than --segment-bytes: there would be no room for one file"
        );
        let (Limits { head_bytes, body_bytes, .. }, _) = self.bounds();
        // A buffer grows by doubling.
        let longest_bytes = head_bytes.saturating_add(body_bytes).saturating_mul(2);
        ensure!(
            self.buffer_bytes_max() >= longest_bytes,
            "--buffer-bytes is too little for one request as long as --max-head and --max-body let \
             it be: say {longest_bytes} or more"
        );
        let open = |path: &PathBuf| {
            TokenFile::open(path).with_context(|| format!("token file {}", path.display()))
        };
        token_file.as_ref().map(open).transpose()
    }

    /// Where to listen.
    pub fn address(&self) -> SocketAddr {
        SocketAddr::new(self.place.bind, self.place.port)
    }

    /// Connections that the kernel keeps.
    pub fn listen_backlog(&self) -> i32 {
        self.place.listen_backlog
    }

    /// Memory of each loop for what clients leave unfinished, in bytes.
    pub fn buffer_bytes_max(&self) -> usize {
        usize::try_from(self.buffer_bytes).unwrap_or(usize::MAX)
    }

    /// The bounds on what is read, and on how long it takes.
    pub fn bounds(&self) -> (Limits, Timeouts) {
        let (limits, timeouts) = self.bounds.split();
        let Heads { target, line, head, fields } = self.heads;
        let limits =
            Limits { target_bytes: target, line_bytes: line, head_bytes: head, fields, ..limits };
        (limits, timeouts)
    }
}

/// For clap: bytes, with or without a unit.
fn bytes(text: &str) -> Result<u64> {
    const UNITS: [(&str, u32); 5] = [("KiB", 10), ("MiB", 20), ("GiB", 30), ("TiB", 40), ("", 0)];
    let parse = |(unit, shift): (&str, u32)| {
        let count: u64 = text.strip_suffix(unit)?.trim_ascii_end().parse().ok()?;
        count.checked_mul(1 << shift)
    };
    let bytes = UNITS.into_iter().find_map(parse);
    let bytes =
        bytes.context("expected bytes, with KiB, MiB, GiB or TiB or without, as in 64MiB")?;
    ensure!(bytes > 0, "must be at least 1");
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::BUFFER_BYTES_MAX;

    fn load(options: &[&str]) -> Result<Options, BadOptions> {
        Options::load(["craft1-final"].iter().chain(options).map(OsString::from))
    }

    fn problem(options: &[&str]) -> String {
        load(options).unwrap().check().unwrap_err().to_string()
    }

    #[test]
    fn the_options_are_in_order() {
        Options::command().debug_assert();
    }

    #[test]
    fn nothing_has_to_be_chosen() {
        let options = load(&[]).unwrap();
        assert!(options.check().unwrap().is_none());
        assert_eq!(options.address(), "127.0.0.1:8080".parse().unwrap());
        assert_eq!(options.bounds().0, Limits::default());
        assert_eq!(options.buffer_bytes_max(), BUFFER_BYTES_MAX);
        assert_eq!(options.storage.ack, Ack::Stored);
    }

    #[test]
    fn every_limit_of_the_contract_can_be_changed() {
        let line = "--max-target 1 --max-line 2 --max-head 3 --max-fields 4 --max-body 5";
        let options = load(&line.split(' ').collect::<Vec<_>>()).unwrap();
        let (target_bytes, line_bytes, head_bytes, fields, body_bytes) = (1, 2, 3, 4, 5);
        let expected = Limits { target_bytes, line_bytes, head_bytes, fields, body_bytes };
        assert_eq!(options.bounds().0, expected);
    }

    #[test]
    fn an_address_that_others_reach_needs_tokens_or_a_word() {
        for bind in ["0.0.0.0", "::", "192.0.2.1"] {
            assert!(problem(&["--bind", bind]).starts_with(bind), "{bind}");
            assert!(load(&["--bind", bind, "--insecure"]).unwrap().check().is_ok(), "{bind}");
        }
        for bind in ["127.0.0.1", "127.1.2.3", "::1"] {
            assert!(load(&["--bind", bind]).unwrap().check().is_ok(), "{bind}");
        }
    }

    #[test]
    fn tokens_that_cannot_be_read_are_none() {
        let problem = problem(&["--bind", "0.0.0.0", "--token-file", "/nowhere/tokens"]);
        assert_eq!(problem, "token file /nowhere/tokens");
    }

    #[test]
    fn there_is_room_for_one_file_at_least() {
        let problem = problem(&["--segment-bytes", "1MiB", "--retain", "1048575"]);
        assert!(problem.starts_with("--retain is less than --segment-bytes"), "{problem}");
        assert!(load(&["--segment-bytes", "1MiB", "--retain", "1MiB"]).unwrap().check().is_ok());
    }

    #[test]
    fn there_is_room_for_one_request_at_least() {
        let longest = ["--max-body", "1000", "--max-head", "24", "--buffer-bytes"];
        let problem = problem(&[&longest[..], &["2047"]].concat());
        assert!(problem.contains("say 2048 or more"), "{problem}");
        assert!(load(&[&longest[..], &["2048"]].concat()).unwrap().check().is_ok());
    }

    #[test]
    fn bytes_have_a_unit_or_none() {
        for (text, expected) in [
            ("1", 1),
            ("64KiB", 65_536),
            ("64 MiB", 67_108_864),
            ("2GiB", 1 << 31),
            ("1TiB", 1 << 40),
        ] {
            assert_eq!(bytes(text).unwrap(), expected, "{text}");
        }
        for text in ["", "MiB", "1MB", "-1", "1.5GiB", "0", "0KiB", "16777216TiB", "1KiBMiB"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_last_of_two_wins() {
        assert_eq!(load(&["--port", "1", "--port", "2"]).unwrap().address().port(), 2);
    }
}
