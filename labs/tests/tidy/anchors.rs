//! Anchors make regions: what the book shows and what labs cut out is there, whole.

use labs::anchors;
use labs::tree::Tree;

use crate::finding::Finding;

/// Every anchor of a Rust file belongs to a region.
pub(crate) fn whole(tree: &Tree) -> Vec<Finding> {
    let errors = tree.rust().filter_map(|(path, text)| Some((path, anchors::regions(text).err()?)));
    errors.map(|(path, error)| Finding::at(path, error.line, error.reason)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    #[test]
    fn an_anchor_without_its_end_is_found() {
        let lone = format!("//! A.\n// {}: a\n", "ANCHOR");
        let tree = [("a.rs", lone.as_str()), ("a.md", &lone)].into_iter().collect();
        assert_eq!(texts(&whole(&tree)), ["a.rs:2: a begins and never ends"]);
    }
}
