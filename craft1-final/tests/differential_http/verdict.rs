//! What must hold for all bytes, however they are cut: the reader in place says what phase 1's
//! reader says. The fuzz target `request_in_place` shares this file with `differential_http.rs`.

use craft1_final::request::{Missing, Parsed, Persistence, Reader};
use craft1_phase1::http::head::{Repeated, Version};
use craft1_phase1::http::{Limits, Refusal, Request, RequestReader, Status};
use craft1_phase1::service::Call;

/// Limits that a short input can reach.
pub(crate) const LIMITS: Limits =
    Limits { target_bytes: 48, line_bytes: 96, head_bytes: 320, fields: 12, body_bytes: 64 };

/// One thing that a reader says of the bytes of a connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Complete(Complete),
    /// The client is to be told to go on.
    Continue,
    /// The connection is over, and whether it is over for a HEAD request.
    Refused(Refusal, bool),
    /// The bytes end in a request, and whether they end in its body.
    NeedMore(bool),
}

/// A request that borrows nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Complete {
    pub(crate) call: Result<OwnedCall, Repeated>,
    pub(crate) is_head: bool,
    pub(crate) persistence: Persistence,
    /// How many bytes of the connection lie behind it.
    pub(crate) end: usize,
}

/// A call that borrows nothing, and the authorization.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OwnedCall {
    method: String,
    path: String,
    lent: [Option<Vec<u8>>; 4],
    pub(crate) body: Option<Vec<u8>>,
}

impl OwnedCall {
    fn new(call: Call<'_>, authorization: Option<&[u8]>) -> Self {
        let lent = [call.content_type, call.content_encoding, call.client_id, authorization];
        Self {
            method: call.method.into(),
            path: call.path.into(),
            lent: lent.map(|value| value.map(Into::into)),
            body: call.body.map(Into::into),
        }
    }
}

/// Reads the pieces as a connection does that stays open whatever the client wants, and says what
/// both readers say.
///
/// # Panics
/// If they do not say the same.
pub(crate) fn said<'a>(pieces: impl IntoIterator<Item = &'a [u8], IntoIter: Clone>) -> Vec<Said> {
    let pieces = pieces.into_iter();
    let (ours, theirs) = (said_by_us(pieces.clone()), said_by_phase1(pieces));
    assert_eq!(ours, theirs, "ours and phase 1's");
    ours
}

fn said_by_us<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Said> {
    let (mut reader, mut unread, mut read_len) = (Reader::default(), Vec::new(), 0);
    let (mut said, mut is_in_body) = (Vec::new(), false);
    for piece in pieces {
        unread.extend_from_slice(piece);
        loop {
            match reader.read(&mut unread, &LIMITS) {
                Err(refusal) => {
                    said.push(Said::Refused(refusal, reader.is_head()));
                    return said;
                }
                Ok(Parsed::NeedMore { kept, missing }) => {
                    read_len += unread.len() - kept;
                    unread.truncate(kept);
                    is_in_body = matches!(missing, Missing::Body { .. });
                    if let Missing::Body { is_awaited: true, .. } = missing {
                        said.push(Said::Continue);
                    }
                    break;
                }
                Ok(Parsed::Complete { request, consumed }) => {
                    read_len += consumed;
                    let call = request.call.map(|call| OwnedCall::new(call, request.authorization));
                    said.push(Said::Complete(Complete {
                        call,
                        is_head: request.is_head,
                        persistence: request.persistence,
                        end: read_len,
                    }));
                    unread.drain(..consumed);
                }
            }
        }
    }
    said.push(Said::NeedMore(is_in_body));
    said
}

fn said_by_phase1<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Vec<Said> {
    let (mut reader, mut unread, mut read_len) = (RequestReader::new(LIMITS), Vec::new(), 0);
    let (mut said, mut was_in_body) = (Vec::new(), false);
    for piece in pieces {
        unread.extend_from_slice(piece);
        loop {
            let progress = match reader.read(&unread) {
                Ok(progress) => progress,
                Err(refusal) => {
                    said.push(Said::Refused(refusal, reader.is_head()));
                    return said;
                }
            };
            read_len += progress.consumed;
            unread.drain(..progress.consumed);
            if let Status::Complete(request) = progress.status {
                said.push(Said::Complete(complete(&request, read_len)));
                (reader, was_in_body) = (RequestReader::new(LIMITS), false);
                continue;
            }
            if reader.is_in_body() && !was_in_body {
                was_in_body = true;
                if reader.is_awaited() && unread.is_empty() {
                    said.push(Said::Continue);
                }
            }
            break;
        }
    }
    said.push(Said::NeedMore(reader.is_in_body()));
    said
}

fn complete(request: &Request, end: usize) -> Complete {
    let authorization = request.head.fields.single("Authorization");
    let call = Call::try_from(request).and_then(|call| Ok(OwnedCall::new(call, authorization?)));
    Complete { call, is_head: request.head.is_head(), persistence: persistence(request), end }
}

/// RFC 9112, section 9.3, as it is written there.
fn persistence(request: &Request) -> Persistence {
    let fields = request.head.fields.iter();
    let options: Vec<String> = fields
        .filter(|field| field.name.eq_ignore_ascii_case("Connection"))
        .map(|field| String::from_utf8_lossy(&field.value).to_lowercase())
        .collect();
    let options = options.join(",");
    let has = |wanted: &str| options.split(',').any(|it| it.trim_matches([' ', '\t']) == wanted);
    if has("close") {
        Persistence::Close
    } else if request.head.version == Version::Http11 {
        Persistence::Stay
    } else if has("keep-alive") {
        Persistence::StayAloud
    } else {
        Persistence::Close
    }
}
