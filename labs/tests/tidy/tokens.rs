//! Every token of a tree, inside macros too.

use labs::rust;
use labs::tree::Tree;
use proc_macro2::TokenTree;

/// Visits every level of nesting of every Rust file: the path, and the tokens of that level.
///
/// # Panics
/// Where a file is not Rust.
#[track_caller]
pub(crate) fn each_level(tree: &Tree, mut visit: impl FnMut(&str, &[TokenTree])) {
    for (path, text) in tree.rust() {
        let tokens = rust::tokens(text).unwrap_or_else(|error| panic!("{path}, {error}"));
        level(&tokens, &mut |tokens| visit(path, tokens));
    }
}

fn level(tokens: &[TokenTree], visit: &mut impl FnMut(&[TokenTree])) {
    visit(tokens);
    for token in tokens {
        if let TokenTree::Group(group) = token {
            level(&group.stream().into_iter().collect::<Vec<_>>(), visit);
        }
    }
}
