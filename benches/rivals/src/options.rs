//! The command line that all rivals share, so that one caller can start any of them.

use std::num::NonZeroUsize;
use std::path::PathBuf;

/// How a rival is started. Every program of this crate takes exactly these options.
#[derive(Debug, clap::Parser)]
#[command(about = "A server that the phases are compared with; see benches/rivals/README.md")]
pub struct Options {
    /// Port on 127.0.0.1; 0 picks a free one, which the first line of output names
    #[arg(long, default_value_t = 0)]
    pub port: u16,

    /// File that accepted metrics are appended to, one JSON object a line. There is no default:
    /// a run that measures no disk has to say `--data-file /dev/null`. `limit` stores nothing
    /// and never opens it
    #[arg(long)]
    pub data_file: PathBuf,

    /// Server threads, each with its own event loop. The writer is one more
    #[arg(long, default_value = "1")]
    pub threads: NonZeroUsize,
}
