//! The head of a request: its first line and its fields (RFC 9112, sections 3 and 5).
//!
//! What always holds: a [`Head`] has one method, one target in one of the four forms, a Host where
//! HTTP/1.1 wants one, and one answer to the question where the body ends. Each line is judged as
//! it comes, so a bad one is refused without waiting for the rest.

use std::mem;

use super::cursor::{Cursor, Stop, is_blank, is_token_byte, is_value_byte};
use super::framing::{Framing, FramingFields};
use super::limits::{Limits, METHOD_BYTES_MAX};
use super::refusal::Refusal;
use super::target::{self, is_host};

/// RFC 9110, section 9.3.2: GET, but the answer has no body.
const HEAD: &str = "HEAD";

/// What a request says before its body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// A token, at most 16 bytes. Its case counts (RFC 9110, section 9.1).
    pub method: String,
    /// The path without the query; `*` where an OPTIONS request means the server as a whole; empty
    /// for CONNECT.
    pub path: String,
    /// The version that the answer may count on.
    pub version: Version,
    /// Every field, in order.
    pub fields: Fields,
    /// Where the body ends.
    pub framing: Framing,
    /// Whether the client waits for a word before it sends its body.
    pub expects_continue: bool,
}

impl Head {
    /// Whether it asks for an answer without a body (RFC 9110, section 9.3.2).
    pub fn is_head(&self) -> bool {
        self.method == HEAD
    }
}

/// The two versions of HTTP that have this form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0: no Host needed, no chunks, no expectations.
    Http10,
    /// HTTP/1.1, and what a higher minor version is read as (RFC 9110, section 2.5).
    Http11,
}

/// The fields of a head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Fields(Vec<Field>);

/// One field line, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    /// A token, as it was sent. Its case does not count (RFC 9110, section 5.1).
    pub name: String,
    /// Its bytes without the white space around them. Nothing says that they are UTF-8.
    pub value: Vec<u8>,
}

/// A field that can have one value was given two.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} is given twice")]
pub struct Repeated(pub &'static str);

impl Fields {
    /// The value of a field that must not be repeated.
    pub fn single(&self, name: &'static str) -> Result<Option<&[u8]>, Repeated> {
        let mut found = self.0.iter().filter(|field| field.is(name));
        match (found.next(), found.next()) {
            (first, None) => Ok(first.map(|field| &*field.value)),
            _ => Err(Repeated(name)),
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Field> {
        self.0.iter()
    }
}

impl<'a> IntoIterator for &'a Fields {
    type Item = &'a Field;
    type IntoIter = std::slice::Iter<'a, Field>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl Field {
    fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }
}

/// A head on its way: what has come so far.
#[derive(Debug, Default)]
pub(super) struct HeadReader {
    empty_line_passed: bool,
    method: Option<String>,
    target: Option<Target>,
    section: Section,
    fields: Fields,
    rules: FieldRules,
}

/// What stands behind the method in the request line.
#[derive(Debug)]
struct Target {
    path: String,
    version: Version,
}

impl HeadReader {
    /// Reads the method, the rest of its line, or one more field. The empty line at the end makes
    /// the head.
    pub(super) fn step(
        &mut self,
        cursor: &mut Cursor<'_>,
        limits: &Limits,
    ) -> Result<Option<Head>, Stop> {
        let Some(method) = &self.method else {
            // RFC 9112, section 2.2: some clients send an empty line behind a body, so one before
            // a request is forgiven.
            if cursor.peek()? == b'\r' && !self.empty_line_passed {
                cursor.line_end(Refusal::LineEnd)?;
                self.empty_line_passed = true;
            } else {
                self.method = Some(ascii(read_method(cursor)?));
            }
            return Ok(None);
        };
        let Some(Target { version, .. }) = self.target else {
            let (path, version) = read_target(cursor, method.as_bytes(), limits)?;
            self.target = Some(Target { path: ascii(path), version });
            return Ok(None);
        };
        match self.section.field_line(cursor, limits)? {
            Some(line) => self.take(line, version, limits).map(|()| None),
            None => self.finish(version).map(Some),
        }
        .map_err(Stop::Refused)
    }

    /// As [`Head::is_head`], as soon as it is known.
    pub(super) fn is_head(&self) -> bool {
        self.method.as_deref() == Some(HEAD)
    }

    fn take(
        &mut self,
        line: FieldLine<'_>,
        version: Version,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        self.rules.take(line, version, limits)?;
        self.fields.0.push(Field { name: ascii(line.name), value: line.value.to_vec() });
        Ok(())
    }

    fn finish(&mut self, version: Version) -> Result<Head, Refusal> {
        let framing = self.rules.finish(version)?;
        let (Some(method), Some(Target { path, .. })) = (self.method.take(), self.target.take())
        else {
            unreachable!("fields come behind a request line")
        };
        let fields = mem::take(&mut self.fields);
        let expects_continue = self.rules.expects_continue();
        Ok(Head { method, path, version, fields, framing, expects_continue })
    }
}

/// The fields that decide how a request is read, and what they have said so far.
#[derive(Debug, Clone, Copy, Default)]
pub struct FieldRules {
    host_given: bool,
    framing: FramingFields,
    expects_continue: bool,
}

impl FieldRules {
    /// Takes the next field line, whatever its name.
    ///
    /// # Errors
    /// Where it breaks a rule, by itself or together with those before it.
    pub fn take(
        &mut self,
        line: FieldLine<'_>,
        version: Version,
        limits: &Limits,
    ) -> Result<(), Refusal> {
        if line.is("Host") {
            self.host(is_host(line.value))
        } else if line.is("Content-Length") {
            self.content_length(line.value, limits)
        } else if line.is("Transfer-Encoding") {
            self.transfer_encoding(line.value, version)
        } else if line.is("Expect") {
            self.expect(line.value, version)
        } else {
            Ok(())
        }
    }

    /// RFC 9112, section 3.2: 400 to a second Host and to a value that is not a host.
    pub fn host(&mut self, is_host: bool) -> Result<(), Refusal> {
        if mem::replace(&mut self.host_given, true) {
            return Err(Refusal::HostRepeated);
        }
        if is_host { Ok(()) } else { Err(Refusal::Host) }
    }

    /// RFC 9112, sections 6.2 and 6.3: a row of digits, once.
    pub fn content_length(&mut self, value: &[u8], limits: &Limits) -> Result<(), Refusal> {
        self.framing.content_length(value, limits)
    }

    /// RFC 9112, sections 6.1 and 6.3: chunked, once and last.
    pub fn transfer_encoding(&mut self, value: &[u8], version: Version) -> Result<(), Refusal> {
        self.framing.transfer_encoding(value, version)
    }

    /// RFC 9110, section 10.1.1: HTTP/1.0 knows no expectations, and there we know none.
    pub fn expect(&mut self, value: &[u8], version: Version) -> Result<(), Refusal> {
        if version == Version::Http10 {
            return Ok(());
        }
        if !value.eq_ignore_ascii_case(b"100-continue") {
            return Err(Refusal::Expectation);
        }
        self.expects_continue = true;
        Ok(())
    }

    /// Says where the body ends, once every field has been taken.
    ///
    /// # Errors
    /// Where a field is missing.
    pub fn finish(self, version: Version) -> Result<Framing, Refusal> {
        if !self.host_given && version == Version::Http11 {
            return Err(Refusal::HostMissing);
        }
        Ok(self.framing.framing())
    }

    /// Whether the client waits for a word before it sends its body.
    pub fn expects_continue(self) -> bool {
        self.expects_continue
    }
}

// ANCHOR: request_line
/// RFC 9112, section 3: method, blank, target, blank, version, and every blank is exactly one. The
/// RFC lets a server forgive more white space, and names the attacks that this opens.
pub fn read_method<'a>(cursor: &mut Cursor<'a>) -> Result<&'a [u8], Stop> {
    // ANCHOR: method
    let method = cursor.take_while(is_token_byte, METHOD_BYTES_MAX, Refusal::MethodTooLong)?;
    if method.is_empty() {
        return Err(Refusal::Method.into());
    }
    cursor.pass(|byte| byte == b' ', Refusal::Method)?;
    Ok(method)
    // ANCHOR_END: method
}

/// The path and the version, up to the end of the line.
pub fn read_target<'a>(
    cursor: &mut Cursor<'a>,
    method: &[u8],
    limits: &Limits,
) -> Result<(&'a [u8], Version), Stop> {
    // ANCHOR: target
    let is_target_byte = |byte: u8| byte.is_ascii_graphic();
    let target = cursor.take_while(is_target_byte, limits.target_bytes, Refusal::TargetTooLong)?;
    cursor.pass(|byte| byte == b' ', Refusal::Target)?;
    let path = target::path(method, target)?;
    let version = version(cursor)?;
    cursor.line_end(Refusal::LineEnd)?;
    Ok((path, version))
    // ANCHOR_END: target
}

/// RFC 9112, section 2.3: `HTTP/`, a digit, a point, a digit. Its case counts.
fn version(cursor: &mut Cursor<'_>) -> Result<Version, Stop> {
    // ANCHOR: version
    for expected in *b"HTTP/" {
        cursor.pass(|byte| byte == expected, Refusal::Version)?;
    }
    let major = cursor.pass(|byte| byte.is_ascii_digit(), Refusal::Version)?;
    cursor.pass(|byte| byte == b'.', Refusal::Version)?;
    let minor = cursor.pass(|byte| byte.is_ascii_digit(), Refusal::Version)?;
    match (major, minor) {
        (b'1', b'0') => Ok(Version::Http10),
        (b'1', _) => Ok(Version::Http11),
        _ => Err(Refusal::VersionUnsupported.into()),
    }
    // ANCHOR_END: version
}
// ANCHOR_END: request_line

/// Token and target bytes are ASCII.
fn ascii(bytes: &[u8]) -> String {
    bytes.iter().copied().map(char::from).collect()
}

/// A field line that is not kept: as [`Field`], and lent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FieldLine<'a> {
    /// A token, as it was sent.
    pub name: &'a [u8],
    /// Its bytes without the white space around them.
    pub value: &'a [u8],
}

impl FieldLine<'_> {
    /// Whether it has this name, whatever its case.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name.as_bytes())
    }
}

/// A row of field lines up to an empty one, and what it has used of its limits. A head has one, and
/// so has a body in chunks, where the fields are called trailers.
#[derive(Debug, Clone, Copy, Default)]
pub struct Section {
    lines: usize,
    bytes: usize,
}

impl Section {
    /// RFC 9112, section 5: a name, a colon at once, white space, the value, white space. `None` is
    /// the empty line.
    pub fn field_line<'a>(
        &mut self,
        cursor: &mut Cursor<'a>,
        limits: &Limits,
    ) -> Result<Option<FieldLine<'a>>, Stop> {
        let first = cursor.peek()?;
        if first == b'\r' {
            cursor.line_end(Refusal::LineEnd)?;
            return Ok(None);
        }
        // RFC 9112, section 5.2: a folded line. And section 2.2: white space before the first one.
        if is_blank(first) {
            return Err(Refusal::Folded.into());
        }
        if self.lines == limits.fields {
            return Err(Refusal::TooManyFields.into());
        }
        let start = cursor.position();
        let bytes_max = self.line_bytes_max(limits);
        let name = cursor.take_while(is_token_byte, bytes_max, Refusal::FieldsTooLong)?;
        // RFC 9112, section 5.1: no white space between name and colon. A reader that trims it and
        // one that does not would see two different fields.
        if name.is_empty() {
            return Err(Refusal::FieldName.into());
        }
        cursor.pass(|byte| byte == b':', Refusal::FieldName)?;
        let bytes_max = bytes_max.saturating_sub(name.len() + 1);
        let value = cursor.take_while(is_value_byte, bytes_max, Refusal::FieldsTooLong)?;
        let otherwise = match cursor.peek()? {
            b'\r' | b'\n' => Refusal::LineEnd,
            _ => Refusal::FieldValue,
        };
        cursor.line_end(otherwise)?;
        self.lines += 1;
        self.bytes += cursor.position() - start;
        Ok(Some(FieldLine { name, value: trim(value) }))
    }

    /// Counts a line of so many bytes with its end, which somebody else has read. `false`, and it is
    /// not counted, where there may be no room for it.
    pub fn count_line(&mut self, line_bytes: usize, limits: &Limits) -> bool {
        let has_room = self.lines < limits.fields && line_bytes <= self.line_bytes_max(limits);
        if has_room {
            self.lines += 1;
            self.bytes += line_bytes;
        }
        has_room
    }

    fn line_bytes_max(&self, limits: &Limits) -> usize {
        limits.line_bytes.min(limits.head_bytes.saturating_sub(self.bytes))
    }
}

/// RFC 9110, section 5.5: the white space around a value is not part of it.
pub fn trim(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|byte| !is_blank(*byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !is_blank(*byte)).map_or(start, |at| at + 1);
    &value[start..end]
}
