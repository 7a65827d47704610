//! The rivals of the reader: libraries that read into types, borrowed.
//!
//! They are given an easier task: types that are made for one body shape, without what ours does
//! besides. That is the rules of names, tags and types, repeated tags, limits, timestamps as text, and
//! the byte of an error.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// What a body is. Our readers find out; the typed ones are told.
#[derive(Clone, Copy)]
pub(super) enum Shape {
    Alone,
    List,
}

/// What a typed library makes of a body.
pub(super) enum Typed<'a> {
    Alone(TypedMetric<'a>),
    List(TypedList<'a>),
}

impl<'a> Typed<'a> {
    pub(super) fn by_serde_json(body: &'a [u8], shape: Shape) -> serde_json::Result<Self> {
        match shape {
            Shape::Alone => serde_json::from_slice(body).map(Self::Alone),
            Shape::List => serde_json::from_slice(body).map(Self::List),
        }
    }

    pub(super) fn by_sonic_rs(body: &'a [u8], shape: Shape) -> sonic_rs::Result<Self> {
        match shape {
            Shape::Alone => sonic_rs::from_slice(body).map(Self::Alone),
            Shape::List => sonic_rs::from_slice(body).map(Self::List),
        }
    }

    pub(super) fn by_simd_json(
        body: &'a mut [u8],
        shape: Shape,
        buffers: &mut simd_json::Buffers,
    ) -> simd_json::Result<Self> {
        use simd_json::serde::from_slice_with_buffers;
        match shape {
            Shape::Alone => from_slice_with_buffers(body, buffers).map(Self::Alone),
            Shape::List => from_slice_with_buffers(body, buffers).map(Self::List),
        }
    }
}

/// A list, as typed libraries read it.
#[derive(serde::Deserialize)]
pub(super) struct TypedList<'a> {
    #[serde(borrow)]
    pub(super) metrics: Vec<TypedMetric<'a>>,
}

/// A metric, as typed libraries read it.
#[derive(serde::Deserialize)]
pub(super) struct TypedMetric<'a> {
    #[serde(borrow)]
    pub(super) name: Cow<'a, str>,
    pub(super) value: f64,
    pub(super) timestamp: Option<i64>,
    #[serde(borrow, rename = "type")]
    pub(super) kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub(super) tags: TypedTags<'a>,
}

/// Text, lent where it can be. serde copies a `Cow` inside of an `Option`, but not inside of this.
#[derive(serde::Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] pub(super) Cow<'a, str>);

/// Pairs in a vector, as our own tags have them: a map would be slower.
#[derive(Default)]
pub(super) struct TypedTags<'a>(pub(super) Vec<(Text<'a>, Text<'a>)>);

impl<'de: 'a, 'a> Deserialize<'de> for TypedTags<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(TypedTags::default())
    }
}

impl<'de: 'a, 'a> Visitor<'de> for TypedTags<'a> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object of texts")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut pairs: A) -> Result<Self, A::Error> {
        while let Some(pair) = pairs.next_entry()? {
            self.0.push(pair);
        }
        Ok(self)
    }
}
