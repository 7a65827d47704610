//! Well-formed requests of every shape, and how they are written.

use craft1_phase1::http::head::Field;
use craft1_phase1::http::{Framing, Version};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A request before it is written.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) query: Option<String>,
    pub(crate) version: Version,
    pub(crate) fields: Vec<Field>,
    pub(crate) body: SentBody,
}

#[derive(Debug, Clone)]
pub(crate) enum SentBody {
    None,
    Sized(Vec<u8>),
    Chunks(Vec<Vec<u8>>),
}

impl SentBody {
    pub(crate) fn framing(&self) -> Framing {
        match self {
            Self::None => Framing::None,
            Self::Sized(content) => Framing::Length(content.len()),
            Self::Chunks(_) => Framing::Chunked,
        }
    }

    fn field(&self) -> Option<Field> {
        match self {
            Self::None => None,
            Self::Sized(content) => Some(field("Content-Length", content.len().to_string())),
            Self::Chunks(_) => Some(field("Transfer-Encoding", "chunked")),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Sized(content) => content.clone(),
            Self::Chunks(chunks) => {
                let chunk = |chunk: &Vec<u8>| {
                    [format!("{:X};n=v\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat()
                };
                let mut bytes: Vec<u8> = chunks.iter().flat_map(chunk).collect();
                bytes.extend_from_slice(b"0\r\nX-Trailer: x\r\n\r\n");
                bytes
            }
        }
    }

    pub(crate) fn content(&self) -> Vec<u8> {
        match self {
            Self::None => Vec::new(),
            Self::Sized(content) => content.clone(),
            Self::Chunks(chunks) => chunks.concat(),
        }
    }
}

impl Sent {
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let query = self.query.iter().flat_map(|query| ["?", query]).collect::<String>();
        let version = match self.version {
            Version::Http10 => "HTTP/1.0",
            Version::Http11 => "HTTP/1.1",
        };
        let line = format!("{} {}{query} {version}\r\n", self.method, self.path);
        let mut bytes = line.into_bytes();
        for Field { name, value } in &self.fields {
            bytes.extend([name.as_bytes(), b": ", value, b"\t\r\n"].concat());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend(self.body.bytes());
        bytes
    }
}

fn field(name: &str, value: impl Into<Vec<u8>>) -> Field {
    Field { name: name.into(), value: value.into() }
}

fn method() -> impl Strategy<Value = String> {
    let known = select(&["GET", "HEAD", "POST", "OPTIONS"][..]).prop_map(String::from);
    let token = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,16}";
    // Its target is no path.
    prop_oneof![known, token].prop_filter("not CONNECT", |method| method != "CONNECT")
}

/// Any value that the grammar allows, without the white space that would be cut off.
fn value() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'\t'), b' '..=b'~', 0x80..=u8::MAX];
    vec(byte, 0..24).prop_map(|bytes| {
        let is_blank = |byte: &u8| matches!(byte, b' ' | b'\t');
        let start = bytes.iter().position(|byte| !is_blank(byte)).unwrap_or(bytes.len());
        let end = bytes.iter().rposition(|byte| !is_blank(byte)).map_or(start, |at| at + 1);
        bytes[start..end].to_vec()
    })
}

fn body() -> impl Strategy<Value = SentBody> {
    prop_oneof![
        Just(SentBody::None),
        vec(any::<u8>(), 0..64).prop_map(SentBody::Sized),
        vec(vec(any::<u8>(), 1..20), 0..4).prop_map(SentBody::Chunks),
    ]
}

pub(crate) fn sent() -> impl Strategy<Value = Sent> {
    // With its query no longer than the limit on a target that `verdict` has.
    let path = "(/([a-zA-Z0-9._~!$&'()*+,;=:@-]|%[0-9A-F]{2}){0,4}){1,3}";
    let query = proptest::option::of("[a-z0-9?/=&]{0,8}");
    let version = select(&[Version::Http10, Version::Http11][..]);
    // No name that means something.
    let unknown = ("X-[!#$%&'*+.^_`|~0-9A-Za-z-]{1,8}", value());
    let fields = vec(unknown.prop_map(|(name, value)| field(&name, value)), 0..5);
    (method(), path, query, version, fields, body()).prop_map(
        |(method, path, query, version, mut fields, body)| {
            // HTTP/1.0 has no chunks, and HTTP/1.1 always a Host.
            let is_chunked = matches!(body, SentBody::Chunks(_));
            let version = if is_chunked { Version::Http11 } else { version };
            fields.insert(fields.len() / 2, field("hOST", "[::1]:80"));
            fields.extend(body.field());
            Sent { method, path, query, version, fields, body }
        },
    )
}
