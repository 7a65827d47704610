//! What phase 1's reader says to the bytes of a connection, and what an answer says, in one form.

use craft1_phase1::http::head::Repeated;
use craft1_phase1::http::{Head, Limits, Progress, Refusal, RequestReader, Status, Version};
use craft1_phase1::service::Call;
use hyper::Uri;
use testkit::Response;
use testkit::client::Expect;

/// The status of an answer.
pub(crate) const ANSWERED: u16 = 404;

/// What becomes of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    /// It is answered: what was asked, where the answer has a body.
    Answered(Option<String>),
    /// It is refused: the status, and the rule, where the answer has a body.
    Refused(u16, Option<String>),
    /// There is none.
    End,
}

impl Said {
    /// Whether the answer has no body.
    pub(crate) fn is_head(&self) -> bool {
        matches!(self, Self::Answered(None) | Self::Refused(_, None))
    }

    /// What kind of thing was met.
    pub(crate) fn kind(self) -> String {
        match self {
            Self::Answered(_) => "a request".into(),
            Self::Refused(status, rule) => format!("{status} {rule:?}"),
            Self::End => "nothing".into(),
        }
    }

    /// From what came back.
    pub(crate) fn from_answer(answer: &Response, expect: Expect) -> Self {
        let has_body = expect == Expect::Body;
        if answer.status == ANSWERED {
            return Self::Answered(has_body.then(|| answer.text()));
        }
        assert_eq!(answer.field("connection"), Some("close"), "{answer:?}");
        let detail = || answer.json()["detail"].as_str().unwrap_or_default().to_string();
        Self::Refused(answer.status, has_body.then(detail))
    }
}

/// What a request asks, in a line.
pub(crate) fn asked(call: Result<Call<'_>, Repeated>) -> String {
    match call {
        Ok(Call { method, path, body, .. }) => {
            let body = body.map(|body| body.escape_ascii().to_string());
            format!("{method} {path} {body:?}")
        }
        Err(repeated) => repeated.to_string(),
    }
}

/// What phase 1 says to a connection that ends behind these bytes.
pub(crate) fn said(mut bytes: &[u8]) -> Vec<Said> {
    let mut said = Vec::new();
    // An empty line is no beginning.
    while !bytes.is_empty() && bytes != b"\r\n" {
        let mut reader = RequestReader::new(Limits::default());
        let progress = match read(&mut reader, bytes) {
            Ok(progress) => progress,
            Err(refusal) => {
                let rule = (!reader.is_head()).then(|| refusal.to_string());
                said.push(Said::Refused(refusal.status(), rule));
                break;
            }
        };
        let Status::Complete(request) = progress.status else {
            let why = "the connection ended inside the request".to_string();
            said.push(Said::Refused(400, (!reader.is_head()).then_some(why)));
            break;
        };
        let answer = || asked(Call::try_from(&request));
        said.push(Said::Answered((!request.head.is_head()).then(answer)));
        if is_last(&request.head) {
            break;
        }
        bytes = &bytes[progress.consumed..];
    }
    said
}

/// As phase 1 reads it, but for the rules that it has not: a host in a target is one that hyper
/// reads, and there are no empty elements in the list of transfer codings.
fn read(reader: &mut RequestReader, bytes: &[u8]) -> Result<Progress, Refusal> {
    let mut consumed = 0;
    let lines = bytes.split_inclusive(|byte| *byte == b'\n');
    for line in lines.take_while(|line| line.ends_with(b"\r\n")) {
        if reader.is_in_body() {
            break;
        }
        let progress = reader.read(&bytes[consumed..consumed + line.len()])?;
        consumed += progress.consumed;
        if progress.status != Status::NeedMore {
            return Ok(Progress { consumed, ..progress });
        }
        stricter(line).map_or(Ok(()), Err)?;
    }
    let progress = reader.read(&bytes[consumed..])?;
    Ok(Progress { consumed: consumed + progress.consumed, ..progress })
}

/// The rule that a line breaks.
fn stricter(line: &[u8]) -> Option<Refusal> {
    let line = String::from_utf8_lossy(line);
    let words: Vec<&str> = line.split(' ').collect();
    if let [method, target, version] = words[..]
        && !method.contains(':')
        && version.starts_with("HTTP/")
    {
        let is_readable = target.starts_with('/') || target.parse::<Uri>().is_ok();
        return (!is_readable).then_some(Refusal::Target);
    }
    let (name, value) = line.split_once(':')?;
    let is_list = !value.trim().eq_ignore_ascii_case("chunked");
    (name.eq_ignore_ascii_case("transfer-encoding") && is_list).then_some(Refusal::ChunkedNotLast)
}

/// RFC 9112, section 9.3: whether its client wants the connection to close behind it.
fn is_last(head: &Head) -> bool {
    let closes = |value: &[u8]| {
        let value = String::from_utf8_lossy(value).to_ascii_lowercase();
        value.split(',').any(|option| option.trim_matches([' ', '\t']) == "close")
    };
    let mut options = head.fields.iter().filter(|it| it.name.eq_ignore_ascii_case("connection"));
    head.version == Version::Http10 || options.any(|field| closes(&field.value))
}
