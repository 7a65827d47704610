//! What a reader makes of bytes that come in pieces. The fuzz target `http_request` shares this
//! file with `split.rs`.

use craft1_phase1::http::{Limits, Progress, Refusal, RequestReader, Status};

/// Limits that a short input can reach.
pub(crate) const LIMITS: Limits =
    Limits { target_bytes: 48, line_bytes: 96, head_bytes: 320, fields: 12, body_bytes: 64 };

/// Reads the pieces as a connection does, up to the first verdict. What is used up is counted from
/// the first piece on.
pub(crate) fn verdict<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Result<Progress, Refusal> {
    let mut reader = RequestReader::new(LIMITS);
    let (mut unread, mut consumed) = (Vec::new(), 0);
    for piece in pieces {
        unread.extend_from_slice(piece);
        let progress = reader.read(&unread)?;
        consumed += progress.consumed;
        if progress.status != Status::NeedMore {
            return Ok(Progress { consumed, ..progress });
        }
        unread.drain(..progress.consumed);
    }
    Ok(Progress { consumed, status: Status::NeedMore })
}
