//! The life of a rival: options, writer, address line, signals, flush.

use std::io::{self, Write};
use std::net::SocketAddr;

use clap::Parser;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::{Intake, Options, Writer};

/// A rival that stores what it accepts. Each program starts one, starts its server on top, and
/// hands the server's address back.
#[derive(Debug)]
pub struct Rival {
    options: Options,
    writer: Writer,
    intake: Intake,
}

impl Rival {
    /// Reads the command line and starts the writer.
    pub fn start() -> io::Result<Self> {
        let options = Options::parse();
        let writer = Writer::start(&options.data_file).map_err(|error| {
            io::Error::new(error.kind(), format!("{}: {error}", options.data_file.display()))
        })?;
        let intake = Intake::new(writer.sender());
        Ok(Self { options, writer, intake })
    }

    /// The command line.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// What the server's handlers work with.
    pub fn intake(&self) -> Intake {
        self.intake
    }

    /// Prints the address line, waits for SIGTERM or Ctrl-C, and writes what was accepted.
    pub fn serve_until_stopped(self, address: SocketAddr) -> anyhow::Result<()> {
        announce_and_wait(address)?;
        self.writer.finish()?;
        Ok(())
    }
}

/// Prints the address as the first line of standard output and waits for SIGTERM or Ctrl-C.
pub fn announce_and_wait(address: SocketAddr) -> io::Result<()> {
    // Before the line: who has read it may send the signal at once.
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let mut output = io::stdout().lock();
    writeln!(output, "listening on http://{address}")?;
    output.flush()?;
    signals.forever().next();
    Ok(())
}
