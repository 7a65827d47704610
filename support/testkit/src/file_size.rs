//! A full disk for a real process: a limit on the size of files cuts a write short and fails the
//! next one, as a full disk does, and it can be changed while the server runs.

use std::process::Command;

use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};

use crate::{DataFolder, Server};

/// Starts `program` on a free port, storing into the folder, so that it outlives a limit: the signal
/// that comes beyond it, and would end it, is ignored.
///
/// # Panics
/// As [`Server::start`].
#[track_caller]
pub fn start(folder: &DataFolder, program: &str, options: &[&str]) -> Server {
    let mut command = Command::new("sh");
    command.args(["-c", r#"trap "" XFSZ; exec "$@""#, "sh", program, "--port", "0"]);
    Server::start(command.args(options).arg("--data-file").arg(folder.data_file()))
}

/// From now on no file grows beyond `bytes`; `None` lifts the limit.
///
/// # Panics
/// If the server is gone.
#[track_caller]
pub fn limit(server: &Server, bytes: Option<usize>) {
    let maximum = getrlimit(Resource::Fsize).maximum;
    let current = bytes.map(|bytes| bytes as u64).or(maximum);
    let pid = i32::try_from(server.pid()).ok().and_then(Pid::from_raw);
    prlimit(pid, Resource::Fsize, Rlimit { current, maximum })
        .unwrap_or_else(|error| panic!("cannot limit the files of the server: {error}: {server}"));
}
