//! The head of a request as places in the buffer: nothing is copied, and it can be laid aside until
//! more of it has come.
//!
//! What always holds: the rules are those of `craft1_phase1::http`, line for line. Here is only what
//! becomes of the values: the few fields that decide something are remembered, the others are
//! checked and forgotten.

use craft1_phase1::http::cursor::{Cursor, Stop};
use craft1_phase1::http::head::{
    FieldLine, FieldRules, Repeated, Section, Version, read_method, read_target,
};
use craft1_phase1::http::{Framing, Limits};
use craft1_phase1::service::Call;

use super::persistence::ConnectionOptions;
use super::{Persistence, Request};

/// A place in the buffer.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) end: usize,
}

impl Span {
    /// Where `part` lies in `whole`.
    pub(super) fn of(part: &[u8], whole: &[u8]) -> Self {
        let start = part.as_ptr().addr() - whole.as_ptr().addr();
        Self { start, end: start + part.len() }
    }

    pub(super) fn len(self) -> usize {
        self.end - self.start
    }

    pub(super) fn in_(self, whole: &[u8]) -> &[u8] {
        &whole[self.start..self.end]
    }
}

/// Words that many requests have. They are the same wherever they lie, and known to be text. An
/// absolute target without a path is read as one of the last two, which do not lie in the buffer.
const KNOWN: [&str; 8] = ["POST", "GET", "HEAD", "/metrics", "/health", "/ready", "/", "*"];

/// A method or a path.
#[derive(Debug, Clone, Copy)]
enum Word {
    Known(&'static str),
    Sent(Span),
}

impl Default for Word {
    fn default() -> Self {
        Self::Known("")
    }
}

impl Word {
    fn of(part: &[u8], whole: &[u8]) -> Self {
        let known = KNOWN.into_iter().find(|known| known.as_bytes() == part);
        known.map_or_else(|| Self::Sent(Span::of(part, whole)), Self::Known)
    }

    /// The grammar has ASCII only, so it is text.
    fn text(self, whole: &[u8]) -> &str {
        match self {
            Self::Known(known) => known,
            Self::Sent(span) => str::from_utf8(span.in_(whole)).expect("ASCII"),
        }
    }
}

/// The fields that are lent, in the order in which a repetition is blamed. Each of them can have one
/// value.
const LENT: [&str; 4] = ["Content-Type", "Content-Encoding", "X-Client-Id", "Authorization"];

/// A field that is lent.
#[derive(Debug, Clone, Copy, Default)]
enum Lent {
    #[default]
    Absent,
    Given(Span),
    Repeated,
}

/// A head on its way.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    method: Word,
    path: Word,
    section: Section,
    rules: FieldRules,
    lent: [Lent; LENT.len()],
    options: ConnectionOptions,
    persistence: Persistence,
    pub(super) is_bodiless: bool,
    has_body: bool,
}

impl Head {
    /// The method and the blank behind it.
    pub(super) fn method(&mut self, cursor: &mut Cursor<'_>, unread: &[u8]) -> Result<(), Stop> {
        let method = read_method(cursor)?;
        self.is_bodiless = method == b"HEAD";
        self.method = Word::of(method, unread);
        Ok(())
    }

    /// The rest of the request line.
    pub(super) fn target(
        &mut self,
        cursor: &mut Cursor<'_>,
        unread: &[u8],
        limits: &Limits,
    ) -> Result<Version, Stop> {
        let (path, version) = read_target(cursor, self.method.text(unread).as_bytes(), limits)?;
        self.path = Word::of(path, unread);
        Ok(version)
    }

    /// One more field line, or the empty line, and then where the body ends.
    pub(super) fn field(
        &mut self,
        cursor: &mut Cursor<'_>,
        unread: &[u8],
        version: Version,
        limits: &Limits,
    ) -> Result<Option<Framing>, Stop> {
        let Some(line) = self.section.field_line(cursor, limits)? else {
            let framing = self.rules.finish(version)?;
            self.persistence = self.options.persistence(version);
            self.has_body = framing != Framing::None;
            return Ok(Some(framing));
        };
        self.rules.take(line, version, limits)?;
        self.remember(line, unread);
        Ok(None)
    }

    fn remember(&mut self, line: FieldLine<'_>, unread: &[u8]) {
        if line.is("Connection") {
            self.options.take(line.value);
        } else if let Some(index) = LENT.iter().position(|name| line.is(name)) {
            let value = Span::of(line.value, unread);
            self.lent[index] = match self.lent[index] {
                Lent::Absent => Lent::Given(value),
                Lent::Given(_) | Lent::Repeated => Lent::Repeated,
            };
        }
    }

    /// Whether the client waits for a word before it sends its body.
    pub(super) fn expects_continue(&self) -> bool {
        self.rules.expects_continue()
    }

    /// The request that this is the head of.
    pub(super) fn request<'a>(&self, unread: &'a [u8], body: Span) -> Request<'a> {
        let lent = self.lent.map(|lent| match lent {
            Lent::Given(value) => Some(value.in_(unread)),
            Lent::Absent | Lent::Repeated => None,
        });
        let [content_type, content_encoding, client_id, authorization] = lent;
        let repeated = self.lent.iter().position(|lent| matches!(lent, Lent::Repeated));
        let call = match repeated {
            Some(index) => Err(Repeated(LENT[index])),
            None => Ok(Call {
                method: self.method.text(unread),
                path: self.path.text(unread),
                content_type,
                content_encoding,
                client_id,
                body: self.has_body.then(|| body.in_(unread)),
            }),
        };
        let (is_head, persistence) = (self.is_bodiless, self.persistence);
        Request { call, authorization, is_head, persistence }
    }
}
