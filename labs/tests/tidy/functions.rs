//! How long a function may be.
//!
//! Clippy counts as well, but only what it is run on, and it leaves comments out. Here a function is
//! as long as it is on the screen, in tests, benchmarks and macros too.

use labs::rust::{as_group, is_punct, is_word, line};
use labs::tree::Tree;
use proc_macro2::{Delimiter, TokenTree};

use crate::finding::Finding;
use crate::tokens::each_level;

/// Most lines from `fn` to the closing brace: what a screen shows. As in clippy.toml.
const LINES_MAX: usize = 70;

/// The rule.
pub(crate) fn lengths(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    each_level(tree, |path, tokens| {
        for index in 0..tokens.len() {
            let Some((name, len)) = function(&tokens[index..]) else { continue };
            if len > LINES_MAX {
                let what = format!("fn {name} has {len} lines, over {LINES_MAX}: take it apart");
                findings.push(Finding::at(path, line(&tokens[index]), what));
            }
        }
    });
    findings
}

/// The name and the length of the function that begins here, if one does and has a body.
fn function(tokens: &[TokenTree]) -> Option<(String, usize)> {
    let [keyword, TokenTree::Ident(name), rest @ ..] = tokens else { return None };
    if !is_word(Some(keyword), "fn") {
        return None;
    }
    let declaration = rest.iter().take_while(|token| !is_punct(Some(token), ';'));
    let body = { declaration }.find_map(|token| as_group(Some(token), Delimiter::Brace))?;
    Some((name.to_string(), body.span_close().end().line + 1 - line(keyword)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::finding::texts;

    fn tree(text: &str) -> Tree {
        [("a.rs", text)].into_iter().collect()
    }

    #[test]
    fn a_function_that_is_too_long_is_found_wherever_it_stands() {
        let long = format!("fn long()\nwhere T: Fn() {{{}}}", "\n".repeat(LINES_MAX - 1));
        for text in
            [long.clone(), format!("impl A {{ {long} }}"), format!("x! {{ mod b {{ {long} }} }}")]
        {
            let expected = "a.rs:1: fn long has 71 lines, over 70: take it apart";
            assert_eq!(texts(&lengths(&tree(&text))), [expected]);
        }
    }

    #[test]
    fn a_function_that_fills_the_screen_is_allowed_and_so_is_one_without_a_body() {
        let full = format!("fn full() {{{}}}", "\n".repeat(LINES_MAX - 1));
        assert_eq!(lengths(&tree(&full)), []);
        let bodiless = format!("trait A {{ fn a(); }}\nmod b {{{}}}", "\n".repeat(99));
        assert_eq!(lengths(&tree(&bodiless)), []);
        let pointer = format!("struct A(fn(u8)); mod b {{{}}}", "\n".repeat(99));
        assert_eq!(lengths(&tree(&pointer)), []);
    }
}
