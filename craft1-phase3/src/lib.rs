//! Craft 1, phase 3: JSON by hand, both ways.
//!
//! Until now a body became a tree first: a `String` for each key and each text, a map for each
//! metric, all of it built only to be taken apart again. But we know what a body looks like. So the
//! grammar of the body becomes the code that reads it: one pass over the bytes, straight to the
//! values, with text lent from the body and not a byte left unchecked.
//!
//! | file | what it does |
//! |---|---|
//! | `word.rs` | eight bytes at a time, in a plain register |
//! | `json/cursor.rs` | the place in the body |
//! | `json/string.rs` | text: lent, or unescaped into a copy |
//! | `json/number.rs` | numbers, exact to the bit |
//! | `json/skip.rs` | what nobody asks for: checked, and skipped without recursion |
//! | `json/metric.rs` | the fields of a metric, and the keys that we know |
//! | `json/error.rs` | why a body is refused, and at which byte |
//! | [`json`] | a body to a batch of metrics: all of these put together |
//! | `line/text.rs`, `line/number.rs` | text with its escapes, numbers with all their bits |
//! | [`mod@line`] | a batch to lines of JSON |
//!
//! `json.rs` and `line.rs` stand in place of phase 1's files of the same names, with the same public
//! functions, so `main.rs` is phase 2's but for the line that names them.
//!
//! What always holds: everything that phase 1 takes is taken here, as the same metrics, and
//! everything that it refuses is refused; `tests/differential.rs` holds the one against the other.
//! Speed comes from knowing the schema and from looking at fewer things twice, never from checking
//! less, and there is no `unsafe` in it.

#![forbid(unsafe_code)]

pub mod json;
pub mod line;
pub mod word;
