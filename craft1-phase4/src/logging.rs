//! What the server says of its own doings, line by line on standard error.
//!
//! What always holds: logging never ends the program, also where nobody reads it; colours go to
//! terminals only; a file or a pipe gets plain text, or JSON for whoever collects logs. `RUST_LOG`
//! says what is told (<https://docs.rs/tracing-subscriber>, `EnvFilter`), else everything from
//! `info` on.
//!
//! ```no_run
//! # use craft1_phase4::logging;
//! # use clap::Parser;
//! #[derive(Parser)]
//! struct Options {
//!     #[command(flatten)]
//!     logging: logging::Options,
//! }
//!
//! # fn main() -> anyhow::Result<()> {
//! Options::parse().logging.start()?;
//! tracing::info!(nodes = 30, "read the fleet");
//! # Ok(())
//! # }
//! ```

use std::env::{self, VarError};
use std::io::{self, IsTerminal};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::util::{SubscriberInitExt, TryInitError};

/// What is told where nobody says.
const DEFAULT_FILTER: &str = "info";

/// How the log is written.
#[derive(Debug, Clone, Copy, clap::Args)]
#[group(id = "logging")]
pub struct Options {
    /// Form of the log on standard error; `RUST_LOG=debug` tells more
    #[arg(long, value_enum, value_name = "FORMAT", default_value_t = Format::Text)]
    log_format: Format,
}

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    Text,
    /// For programs: one object a line
    Json,
}

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What the variable says is no filter.
    #[error("RUST_LOG: {0}; try RUST_LOG=info")]
    Filter(#[from] ParseError),
    /// It is no text.
    #[error("RUST_LOG is not UTF-8")]
    NotUtf8,
    /// It was started before.
    #[error(transparent)]
    Started(#[from] TryInitError),
}

impl Options {
    /// Logs from here on. To be called once, at the beginning.
    pub fn start(self) -> Result<(), StartError> {
        let filter = match env::var(EnvFilter::DEFAULT_ENV) {
            Ok(filter) => EnvFilter::builder().parse(filter)?,
            Err(VarError::NotPresent) => EnvFilter::new(DEFAULT_FILTER),
            Err(VarError::NotUnicode(_)) => return Err(StartError::NotUtf8),
        };
        // https://no-color.org: set and not empty.
        let is_plain = env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        let is_coloured = io::stderr().is_terminal() && !is_plain;
        let builder = tracing_subscriber::fmt()
            .with_env_filter(filter)
            .with_ansi(is_coloured)
            .with_writer(io::stderr)
            // Its complaint that a line could not be written goes to standard error as well, where
            // there is nobody, and would panic.
            .log_internal_errors(false);
        match self.log_format {
            Format::Text => builder.finish().try_init()?,
            Format::Json => builder.json().flatten_event(true).finish().try_init()?,
        }
        Ok(())
    }
}
