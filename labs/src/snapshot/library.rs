//! One `lib.rs` for a snapshot: the newest phase's page, and the modules of all phases.
//!
//! A phase's `lib.rs` documents and declares what is new in it. Its declarations are replaced by
//! those of all phases, in the order of the alphabet; where two phases declare a module, the later
//! one says how.

use std::collections::BTreeMap;

use super::{ComposeError, Layer};
use crate::rust::{self, Kind};

/// Puts the libraries of all phases together.
pub(super) fn merge(layers: &[Layer]) -> Result<String, ComposeError> {
    let mut page = String::new();
    let mut declarations = BTreeMap::new();
    for layer in layers {
        let library = Library::read(layer)?;
        page = library.page;
        declarations.extend(library.declarations);
    }
    let declarations: Vec<String> = declarations.into_values().collect();
    Ok(format!("{page}\n\n{}\n", declarations.join("\n")))
}

/// The `lib.rs` of one phase.
struct Library {
    /// All that stands before the first module.
    page: String,
    /// The declarations with their attributes, by the name of the module.
    declarations: BTreeMap<String, String>,
}

impl Library {
    fn read(layer: &Layer) -> Result<Self, ComposeError> {
        let text = layer.sources.get("lib.rs").ok_or_else(|| ComposeError::missing("lib.rs"))?;
        let items = rust::items(text).map_err(|error| ComposeError::syntax("lib.rs", error))?;
        let lines: Vec<&str> = text.lines().collect();
        let page_end = items.first().map_or(lines.len(), |item| item.lines.start);
        let mut declarations = BTreeMap::new();
        for item in items {
            let Kind::Module { name, .. } = item.kind else {
                let line = item.lines.start + 1;
                return Err(ComposeError::NotAModule { name: layer.name.clone(), line });
            };
            declarations.insert(name, lines[item.lines].join("\n"));
        }
        Ok(Self { page: lines[..page_end].join("\n").trim_end().to_owned(), declarations })
    }
}
