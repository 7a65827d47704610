//! That there is a server at all.

use crate::grader::check::Check;
use crate::grader::phase::Phase;
use crate::grader::session::get;
use crate::grader::table::{FIRST, asks, starts};
use crate::grader::target;
use crate::grader::template::Setting;
use testkit::DataFolder;

pub(in crate::grader) fn checks() -> Vec<Check> {
    vec![
        asks(
            FIRST,
            "starts, listens, and answers GET /health with 200",
            Phase::Zero,
            Setting::Roomy,
            |session| session.expect(&get("/health"), 200).map(|_| None),
            "it listens on another port than {port}, prints its address too late or without a line \
             end (flush standard output), or needs a file that is not there",
        ),
        starts(
            "start/stops",
            "ends with exit code 0 on SIGTERM, also before its first request",
            Phase::Zero,
            |stage| {
                let folder = DataFolder::new();
                let server = stage.start(&folder, Setting::Roomy)?;
                stage.stop(server).map(|_| None)
            },
            "SIGTERM is not handled, or a thread that waits for ever keeps the process alive; where \
             a shell starts the server, begin its line with exec",
        )
        .unless(&[target::only_exec]),
    ]
}
