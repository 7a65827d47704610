//! The head of a request as places in the buffer: nothing is copied, and it can be laid aside until
//! more of it has come.
//!
//! What always holds: the rules are those of `craft1_phase1::http`, line for line. Here is only what
//! becomes of the values: the few fields that decide something are remembered, the others are
//! checked and forgotten.

use craft1_phase1::http::cursor::{Cursor, Stop};
use craft1_phase1::http::head::{FieldRules, Repeated, Section, Version, read_method, read_target};
use craft1_phase1::http::target::is_host;
use craft1_phase1::http::{Framing, Limits, Refusal};
use craft1_phase1::service::Call;
use craft1_phase4::familiar::Span;

use super::name::{LENT, Name};
use super::persistence::ConnectionOptions;
use super::{Persistence, Request, regular};

/// Words that many requests have. They are the same wherever they lie, and known to be text. An
/// absolute target without a path is read as one of the last two, which do not lie in the buffer.
const KNOWN: [&str; 8] = ["POST", "/metrics", "GET", "HEAD", "/health", "/ready", "/", "*"];

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
    fn lend(self, whole: &[u8]) -> &str {
        match self {
            Self::Known(known) => known,
            Self::Sent(span) => str::from_utf8(span.lend(whole)).expect("ASCII"),
        }
    }
}

/// A field that is lent.
#[derive(Debug, Clone, Copy, Default)]
enum Lent {
    #[default]
    Absent,
    Given(Span),
    Repeated,
}

/// What a head says, as far as it has been read.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Head {
    method: Word,
    path: Word,
    lent: [Lent; LENT.len()],
    persistence: Persistence,
    /// Whether the client waits for a word before it sends its body.
    pub(super) expects_continue: bool,
    /// Whether the answer goes without its body.
    pub(super) is_bodiless: bool,
    has_body: bool,
}

impl Head {
    /// Reads the method and the blank behind it.
    pub(super) fn read_method(
        &mut self,
        cursor: &mut Cursor<'_>,
        unread: &[u8],
    ) -> Result<(), Stop> {
        let method = read_method(cursor)?;
        self.set_method(method, unread);
        Ok(())
    }

    /// Reads the rest of the request line.
    pub(super) fn read_target(
        &mut self,
        cursor: &mut Cursor<'_>,
        unread: &[u8],
        limits: &Limits,
    ) -> Result<Version, Stop> {
        let method = self.method.lend(unread).as_bytes();
        let (path, version) = read_target(cursor, method, limits)?;
        self.path = Word::of(path, unread);
        Ok(version)
    }

    /// Reads all of a regular request line, and returns its length.
    pub(super) fn read_regular_line(
        &mut self,
        position: usize,
        unread: &[u8],
        limits: &Limits,
    ) -> Option<usize> {
        let line = regular::request_line(&unread[position..])?;
        if line.path.len() > limits.target_bytes {
            return None;
        }
        self.set_method(line.method, unread);
        self.path = Word::of(line.path, unread);
        Some(line.len)
    }

    fn set_method(&mut self, method: &[u8], unread: &[u8]) {
        self.is_bodiless = method == b"HEAD";
        self.method = Word::of(method, unread);
    }

    fn lend(&mut self, index: usize, value: Span) {
        self.lent[index] = match self.lent[index] {
            Lent::Absent => Lent::Given(value),
            Lent::Given(_) | Lent::Repeated => Lent::Repeated,
        };
    }

    /// Makes it the same head with so many bytes in place of those of `resized`.
    pub(super) fn resize(&mut self, resized: Span, len: usize) {
        for lent in &mut self.lent {
            if let Lent::Given(value) = lent
                && value.start >= resized.end
            {
                value.start = value.start - resized.len() + len;
                value.end = value.end - resized.len() + len;
            }
        }
    }

    /// The request that this is the head of.
    pub(super) fn request<'a>(&self, unread: &'a [u8], body: Span) -> Request<'a> {
        let lent = self.lent.map(|lent| match lent {
            Lent::Given(value) => Some(value.lend(unread)),
            Lent::Absent | Lent::Repeated => None,
        });
        let [content_type, content_encoding, client_id, authorization] = lent;
        let repeated = self.lent.iter().position(|lent| matches!(lent, Lent::Repeated));
        let call = match repeated {
            Some(index) => Err(Repeated(LENT[index])),
            None => Ok(Call {
                method: self.method.lend(unread),
                path: self.path.lend(unread),
                content_type,
                content_encoding,
                client_id,
                body: self.has_body.then(|| body.lend(unread)),
            }),
        };
        let (is_head, persistence) = (self.is_bodiless, self.persistence);
        Request { call, authorization, is_head, persistence }
    }
}

/// The fields on their way: what has come so far, and what it decides.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fields {
    version: Version,
    section: Section,
    rules: FieldRules,
    options: ConnectionOptions,
    /// The digits of Content-Length.
    pub(super) digits: Option<Span>,
}

impl Fields {
    /// Behind a request line of this version.
    pub(super) fn new(version: Version) -> Self {
        let (section, rules, options) = Default::default();
        Self { version, section, rules, options, digits: None }
    }

    /// Reads regular lines as long as there are any, and returns how many bytes they have.
    pub(super) fn read_regular(
        &mut self,
        head: &mut Head,
        start: usize,
        unread: &[u8],
        limits: &Limits,
    ) -> Result<usize, Refusal> {
        let mut position = start;
        while let Some(line) = regular::field_line(&unread[position..])
            && self.section.count_line(line.len, limits)
        {
            self.take(head, line.name, line.value, unread, limits)?;
            position += line.len;
        }
        Ok(position - start)
    }

    /// Reads one line of any kind. The empty line says where the body ends.
    pub(super) fn read_line(
        &mut self,
        head: &mut Head,
        cursor: &mut Cursor<'_>,
        unread: &[u8],
        limits: &Limits,
    ) -> Result<Option<Framing>, Stop> {
        if let Some(line) = self.section.field_line(cursor, limits)? {
            self.take(head, Name::of(line.name), line.value, unread, limits)?;
            return Ok(None);
        }
        let framing = self.rules.finish(self.version)?;
        head.has_body = framing != Framing::None;
        head.expects_continue = self.rules.expects_continue();
        head.persistence = self.options.persistence(self.version);
        Ok(Some(framing))
    }

    fn take(
        &mut self,
        head: &mut Head,
        name: Name,
        value: &[u8],
        unread: &[u8],
        limits: &Limits,
    ) -> Result<(), Refusal> {
        match name {
            Name::Host => self.rules.host(regular::is_host(value) || is_host(value))?,
            Name::Expect => self.rules.expect(value, self.version)?,
            Name::Connection => self.options.take(value),
            Name::ContentLength => {
                self.rules.content_length(value, limits)?;
                self.digits = Some(Span::of(value, unread));
            }
            Name::TransferEncoding => self.rules.transfer_encoding(value, self.version)?,
            Name::Lent(index) => head.lend(index, Span::of(value, unread)),
            Name::Other => {}
        }
        Ok(())
    }
}
