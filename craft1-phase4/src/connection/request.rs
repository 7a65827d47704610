//! A request as hyper gives it, with its body whole.

use std::net::IpAddr;
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use craft1_phase1::http::head::Repeated;
use craft1_phase1::service::Call;
use http_body_util::BodyExt;
use hyper::HeaderMap;
use hyper::body::{Body, Incoming};
use hyper::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, TRANSFER_ENCODING,
};

const CLIENT_ID: HeaderName = HeaderName::from_static("x-client-id");

/// A request, complete and well formed.
#[derive(Debug)]
pub struct Request<'a> {
    /// Request line and fields.
    pub head: &'a hyper::Request<Incoming>,
    /// The body without its framing; empty where there is none.
    pub body: &'a [u8],
    /// Where it comes from.
    pub peer: IpAddr,
    /// When its last byte was there.
    pub complete: Instant,
}

impl<'a> Request<'a> {
    /// What a route needs to know of it.
    pub fn call(&self) -> Result<Call<'a>, Repeated> {
        let fields = self.head.headers();
        let has_length =
            || fields.contains_key(CONTENT_LENGTH) || fields.contains_key(TRANSFER_ENCODING);
        Ok(Call {
            method: self.head.method().as_str(),
            path: self.head.uri().path(),
            content_type: single(fields, &CONTENT_TYPE, "Content-Type")?,
            content_encoding: single(fields, &CONTENT_ENCODING, "Content-Encoding")?,
            client_id: single(fields, &CLIENT_ID, "X-Client-Id")?,
            body: (!self.body.is_empty() || has_length()).then_some(self.body),
        })
    }
}

/// The whole body: where it came in one piece, the bytes that it was read into.
pub(super) async fn receive(body: &mut Incoming) -> hyper::Result<Bytes> {
    let Some(first) = next(body).await? else { return Ok(Bytes::new()) };
    if body.is_end_stream() {
        return Ok(first);
    }
    let mut whole = BytesMut::from(first);
    while let Some(more) = next(body).await? {
        whole.extend_from_slice(&more);
    }
    Ok(whole.freeze())
}

/// The next piece. Trailers are none.
async fn next(body: &mut Incoming) -> hyper::Result<Option<Bytes>> {
    let frame = body.frame().await.transpose()?;
    Ok(frame.map(|frame| frame.into_data().unwrap_or_default()))
}

/// The value of a field that must not be repeated.
fn single<'a>(
    fields: &'a HeaderMap,
    name: &HeaderName,
    known_as: &'static str,
) -> Result<Option<&'a [u8]>, Repeated> {
    let mut values = fields.get_all(name).iter();
    match (values.next(), values.next()) {
        (first, None) => Ok(first.map(HeaderValue::as_bytes)),
        _ => Err(Repeated(known_as)),
    }
}
