//! The tags of a metric: a few pairs of text that say where a value comes from.
//!
//! What always holds: at most 32 pairs, every key a valid name, every value within its limit, and
//! no key twice. There is no way to build `Tags` past these checks, so nobody checks them again
//! (Alexis King, "Parse, don't validate", 2019).
//!
//! The pairs lie in a vector and are searched one by one. For so few of them that beats any map,
//! it keeps the order of arrival, and a parser adds a pair without allocating for it alone.

use std::borrow::Cow;

use crate::limits::{TAG_VALUE_BYTES_MAX, TAGS_PER_METRIC_MAX};
use crate::name::{InvalidName, check_name};

/// Most metrics have no more tags than this. The first pair makes room for them in one step, which is
/// cheaper than to let the vector grow into it.
const TAGS_USUAL: usize = 4;

/// Checked pairs of key and value, in order of arrival.
///
/// Two `Tags` are equal when they hold the same pairs, in whatever order: on the wire they are a
/// JSON object, whose order means nothing.
#[derive(Debug, Clone, Default)]
pub struct Tags<'a> {
    pairs: Vec<(Cow<'a, str>, Cow<'a, str>)>,
}

impl<'a> Tags<'a> {
    /// No tags. Allocates nothing.
    pub const fn new() -> Self {
        Self { pairs: Vec::new() }
    }

    /// Takes all pairs, or refuses with what is wrong about the first bad one.
    ///
    /// ```
    /// use metrics_model::Tags;
    ///
    /// let tags = Tags::from_pairs([("host", "web-1"), ("core", "0")])?;
    /// assert_eq!(tags.get("host"), Some("web-1"));
    ///
    /// let refused = Tags::from_pairs([("host", "web-1"), ("host", "web-2")]).unwrap_err();
    /// assert_eq!(refused.to_string(), "key \"host\" is repeated");
    /// # Ok::<(), metrics_model::InvalidTags>(())
    /// ```
    pub fn from_pairs<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, InvalidTags>
    where
        K: Into<Cow<'a, str>>,
        V: Into<Cow<'a, str>>,
    {
        let mut tags = Self::new();
        for (key, value) in pairs {
            tags.push(key, value)?;
        }
        Ok(tags)
    }

    /// Adds a pair at the end. A refused pair changes nothing.
    pub fn push(
        &mut self,
        key: impl Into<Cow<'a, str>>,
        value: impl Into<Cow<'a, str>>,
    ) -> Result<(), InvalidTags> {
        let (key, value) = (key.into(), value.into());
        if self.pairs.len() == TAGS_PER_METRIC_MAX {
            return Err(InvalidTags::TooMany);
        }
        check_name(&key).map_err(InvalidTags::Key)?;
        if value.len() > TAG_VALUE_BYTES_MAX {
            return Err(InvalidTags::ValueTooLong { key: key.into_owned() });
        }
        if self.get(&key).is_some() {
            return Err(InvalidTags::RepeatedKey { key: key.into_owned() });
        }
        if self.pairs.capacity() == 0 {
            self.pairs = Vec::with_capacity(TAGS_USUAL);
        }
        self.pairs.push((key, value));
        Ok(())
    }

    /// The value of a key.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.iter().find_map(|(candidate, value)| (candidate == key).then_some(value))
    }

    /// The pairs as key and value, in order of arrival.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&str, &str)> {
        self.pairs.iter().map(|(key, value)| (&**key, &**value))
    }

    /// How many pairs there are: 0 to 32.
    pub fn len(&self) -> usize {
        self.pairs.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.pairs.is_empty()
    }

    /// Copies what is borrowed, so that the tags can outlive the request.
    pub fn into_owned(self) -> Tags<'static> {
        let own = |text: Cow<'_, str>| Cow::Owned(text.into_owned());
        Tags { pairs: self.pairs.into_iter().map(|(key, value)| (own(key), own(value))).collect() }
    }
}

impl PartialEq for Tags<'_> {
    fn eq(&self, other: &Self) -> bool {
        // Keys are unique, so equal lengths and one direction are enough.
        self.len() == other.len() && self.iter().all(|(key, value)| other.get(key) == Some(value))
    }
}

impl Eq for Tags<'_> {}

/// Why a pair cannot join the tags.
///
/// A key is quoted only once it is known to be a valid name, so the message stays short and free
/// of control characters.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidTags {
    /// It would be one more than [`TAGS_PER_METRIC_MAX`].
    #[error("more than {TAGS_PER_METRIC_MAX} tags")]
    TooMany,
    /// The key breaks the rule of names.
    #[error("key {0}")]
    Key(InvalidName),
    /// The value is longer than [`TAG_VALUE_BYTES_MAX`].
    #[error("value of key {key:?} is longer than {TAG_VALUE_BYTES_MAX} bytes")]
    ValueTooLong {
        /// The key of the pair.
        key: String,
    },
    /// The key is there already.
    #[error("key {key:?} is repeated")]
    RepeatedKey {
        /// The key of both pairs.
        key: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbered(count: usize) -> Result<Tags<'static>, InvalidTags> {
        Tags::from_pairs((0..count).map(|number| (format!("key-{number}"), "value")))
    }

    #[test]
    fn takes_32_tags_and_refuses_the_33rd() {
        assert_eq!(numbered(31).unwrap().len(), 31);
        assert_eq!(numbered(32).unwrap().len(), 32);
        assert_eq!(numbered(33), Err(InvalidTags::TooMany));
    }

    #[test]
    fn a_key_follows_the_rule_of_names() {
        let refusal = |key: &str| Tags::new().push(key, "value").map_err(|error| error.to_string());
        assert_eq!(refusal(&"k".repeat(255)), Ok(()));
        assert_eq!(refusal(""), Err("key empty".into()));
        assert_eq!(refusal(&"k".repeat(256)), Err("key longer than 255 bytes".into()));
        assert_eq!(refusal("k\0"), Err("key contains control character U+0000".into()));
    }

    #[test]
    fn a_value_is_any_text_of_0_to_1024_bytes() {
        for value in ["", "\0\n\u{9f}", &"v".repeat(1023), &"v".repeat(1024)] {
            assert_eq!(Tags::new().push("key", value), Ok(()));
        }
        let refused = Tags::new().push("key", "v".repeat(1025)).unwrap_err();
        assert_eq!(refused.to_string(), "value of key \"key\" is longer than 1024 bytes");
    }

    #[test]
    fn a_refused_pair_changes_nothing() {
        let mut tags = Tags::from_pairs([("host", "a")]).unwrap();
        assert!(tags.push("host", "b").is_err());
        assert!(tags.push("", "b").is_err());
        assert_eq!(tags.iter().collect::<Vec<_>>(), [("host", "a")]);
    }

    #[test]
    fn order_is_kept_and_does_not_matter_for_equality() {
        let forward = Tags::from_pairs([("b", "1"), ("a", "2")]).unwrap();
        let backward = Tags::from_pairs([("a", "2"), ("b", "1")]).unwrap();
        assert_eq!(forward.iter().collect::<Vec<_>>(), [("b", "1"), ("a", "2")]);
        assert_eq!(forward, backward);
        assert_ne!(forward, Tags::from_pairs([("b", "1")]).unwrap());
        assert_ne!(Tags::from_pairs([("b", "1")]).unwrap(), forward);
        assert_ne!(forward, Tags::from_pairs([("b", "2"), ("a", "1")]).unwrap());
        assert_ne!(forward, Tags::from_pairs([("b", "1"), ("c", "2")]).unwrap());
    }

    #[test]
    fn borrowed_text_stays_borrowed_until_it_is_owned() {
        let body = String::from("host=web-1");
        let tags = Tags::from_pairs([(&body[..4], &body[5..])]).unwrap();
        assert!(matches!(tags.pairs[0], (Cow::Borrowed("host"), Cow::Borrowed("web-1"))));
        let owned = tags.into_owned();
        drop(body);
        assert_eq!(owned.get("host"), Some("web-1"));
    }
}
