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

use tracing::Subscriber;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::filter::ParseError;
use tracing_subscriber::fmt::MakeWriter;
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
        subscriber(self.log_format, filter, is_coloured, io::stderr).try_init()?;
        Ok(())
    }
}

fn subscriber(
    format: Format,
    filter: EnvFilter,
    is_coloured: bool,
    writer: impl for<'w> MakeWriter<'w> + Send + Sync + 'static,
) -> Box<dyn Subscriber + Send + Sync> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(is_coloured)
        .with_writer(writer)
        // Its complaint that a line could not be written goes to standard error, where there is
        // nobody, and panics.
        .log_internal_errors(false);
    match format {
        Format::Text => Box::new(builder.finish()),
        Format::Json => Box::new(builder.json().flatten_event(true).finish()),
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::subscriber::DefaultGuard;
    use tracing::{debug, info};

    use super::*;

    /// What takes a log, and keeps it.
    #[derive(Clone, Default)]
    pub(crate) struct Pipe(Arc<Mutex<Vec<u8>>>);

    impl Pipe {
        /// Takes what this thread logs, until the guard is dropped.
        pub(crate) fn listen(&self, filter: &str) -> DefaultGuard {
            self.listen_to(Format::Text, filter, false)
        }

        fn listen_to(&self, format: Format, filter: &str, is_coloured: bool) -> DefaultGuard {
            let writer = self.clone();
            let filter = EnvFilter::new(filter);
            let subscriber = subscriber(format, filter, is_coloured, move || writer.clone());
            tracing::subscriber::set_default(subscriber)
        }

        /// The lines of a log in plain text, without their times and the places in the code.
        pub(crate) fn lines(&self) -> Vec<String> {
            let bare = |line: &str| {
                let (_time, rest) = line.split_once(' ').unwrap();
                let (level, rest) = rest.trim_start().split_once(' ').unwrap();
                let (_place, rest) = rest.split_once(": ").unwrap();
                format!("{level} {rest}")
            };
            self.text().lines().map(bare).collect()
        }

        fn text(&self) -> String {
            String::from_utf8(self.0.lock().unwrap().clone()).unwrap()
        }
    }

    impl Write for Pipe {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// What is written of two events, one at `info` and one at `debug`.
    fn logged(format: Format, filter: &str, is_coloured: bool) -> String {
        let pipe = Pipe::default();
        let _listening = pipe.listen_to(format, filter, is_coloured);
        info!(id = "web-1", "node is up");
        debug!("a detail");
        pipe.text()
    }

    #[test]
    fn text_is_a_line_an_event_with_its_fields() {
        let text = logged(Format::Text, DEFAULT_FILTER, false);
        let (_time, rest) = text.split_once(' ').unwrap();
        let expected = " INFO craft1_phase4::logging::tests: node is up id=\"web-1\"\n";
        assert_eq!(rest, expected);
    }

    #[test]
    fn json_is_an_object_a_line_with_its_fields() {
        let text = logged(Format::Json, DEFAULT_FILTER, false);
        let line: Value = serde_json::from_str(text.strip_suffix('\n').unwrap()).unwrap();
        assert!(line["timestamp"].is_string(), "{line}");
        assert_eq!((&line["level"], &line["message"]), (&"INFO".into(), &"node is up".into()));
        assert_eq!(line["id"], "web-1");
    }

    #[test]
    fn the_filter_says_what_is_told() {
        assert_eq!(logged(Format::Text, "debug", false).lines().count(), 2);
        assert_eq!(logged(Format::Text, "warn", false), "");
    }

    #[test]
    fn only_what_is_to_be_coloured_is() {
        assert!(logged(Format::Text, DEFAULT_FILTER, true).contains('\u{1b}'));
        assert!(!logged(Format::Text, DEFAULT_FILTER, false).contains('\u{1b}'));
        assert!(!logged(Format::Json, DEFAULT_FILTER, true).contains('\u{1b}'));
    }

    #[test]
    fn a_log_that_nobody_reads_ends_nothing() {
        struct Broken;

        impl Write for Broken {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }

            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }

        for format in [Format::Text, Format::Json] {
            let subscriber = subscriber(format, EnvFilter::new("info"), false, || Broken);
            tracing::subscriber::with_default(subscriber, || info!("nobody hears this"));
        }
    }
}
