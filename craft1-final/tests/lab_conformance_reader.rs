//! Lab test: the reader in place takes and refuses the requests of llhttp's own tests as RFC 9112
//! demands, without a server around it: in one piece, byte by byte, and cut in two at every place.

use craft1_final::request::{Parsed, Persistence, Reader};
use craft1_phase1::http::Limits;
use testkit::llhttp;

#[test]
fn llhttp_requests_are_taken_or_refused_however_they_are_cut() {
    llhttp::check_reader(statuses);
}

/// What a server would answer that has nothing but this reader.
fn statuses(pieces: &[&[u8]]) -> Vec<u16> {
    let (limits, mut reader) = (Limits::default(), Reader::default());
    let (mut unread, mut statuses) = (Vec::new(), Vec::new());
    for piece in pieces {
        unread.extend_from_slice(piece);
        loop {
            match reader.read(&mut unread, &limits) {
                Ok(Parsed::Complete { request, consumed }) => {
                    statuses.push(if request.call.is_ok() { 200 } else { 400 });
                    if request.persistence == Persistence::Close {
                        return statuses;
                    }
                    unread.drain(..consumed);
                }
                Ok(Parsed::NeedMore { kept, .. }) => {
                    unread.truncate(kept);
                    break;
                }
                Err(refusal) => {
                    statuses.push(refusal.status());
                    return statuses;
                }
            }
        }
    }
    statuses
}
