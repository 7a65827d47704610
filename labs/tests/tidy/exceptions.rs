//! Exceptions have their reasons: unsafe code says why it is sound, an exception from a lint why it
//! is made, and no crate leaves out the lints of the workspace.

use labs::rust::{as_group, is_punct, is_word, line};
use labs::tree::Tree;
use proc_macro2::{Delimiter, Group, TokenTree};

use crate::finding::Finding;
use crate::tokens::each_level;

/// Each `unsafe` block and each `unsafe impl` has `// SAFETY:` right above it.
pub(crate) fn unsafe_code(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    each_level(tree, |path, tokens| {
        for (index, token) in tokens.iter().enumerate() {
            let next = tokens.get(index + 1);
            let is_claim = as_group(next, Delimiter::Brace).is_some() || is_word(next, "impl");
            let text = tree.get(path).unwrap_or_default();
            if is_word(Some(token), "unsafe") && is_claim && !has_safety_comment(text, line(token))
            {
                let what = "unsafe without `// SAFETY:` above it: say why it is sound";
                findings.push(Finding::at(path, line(token), what));
            }
        }
    });
    findings
}

/// Whether the comment that ends right above a line, counted from 1, speaks of safety.
fn has_safety_comment(text: &str, line: usize) -> bool {
    let above: Vec<&str> = text.lines().take(line - 1).map(str::trim_start).collect();
    let comment = above.iter().rev().take_while(|line| line.starts_with("//"));
    { comment }.any(|line| line.starts_with("// SAFETY: "))
}

/// Each `expect` and each `allow` of a lint has a reason.
pub(crate) fn lints(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    each_level(tree, |path, tokens| {
        for (index, token) in tokens.iter().enumerate().filter(|(_, it)| is_punct(Some(it), '#')) {
            let is_inner = is_punct(tokens.get(index + 1), '!');
            let attribute = tokens.get(index + 1 + usize::from(is_inner));
            let attribute = as_group(attribute, Delimiter::Bracket);
            if attribute.is_some_and(lacks_reason) {
                let what = "an exception from a lint without `reason = \"…\"`: say why it is made";
                findings.push(Finding::at(path, line(token), what));
            }
        }
    });
    findings
}

/// Looks into `cfg_attr(…)` as well.
fn lacks_reason(attribute: &Group) -> bool {
    let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
    tokens.iter().enumerate().any(|(index, token)| {
        let Some(list) = as_group(tokens.get(index + 1), Delimiter::Parenthesis) else {
            return false;
        };
        let is_exception = is_word(Some(token), "expect") || is_word(Some(token), "allow");
        if is_exception { !has_reason(list) } else { lacks_reason(list) }
    })
}

fn has_reason(list: &Group) -> bool {
    let tokens: Vec<TokenTree> = list.stream().into_iter().collect();
    tokens.windows(3).any(|three| {
        let is_named = is_word(Some(&three[0]), "reason") && is_punct(Some(&three[1]), '=');
        is_named && three[2].to_string().trim_matches('"').chars().any(char::is_alphabetic)
    })
}

/// Each crate of the workspace takes its lints. A workspace of its own cannot.
pub(crate) fn manifests(tree: &Tree) -> Vec<Finding> {
    let is_member = |text: &str| text.contains("[package]") && !text.contains("[workspace]");
    let members =
        tree.iter().filter(|(path, text)| path.ends_with("Cargo.toml") && is_member(text));
    let without = members.filter(|(_, text)| !text.contains("[lints]\nworkspace = true\n"));
    without
        .map(|(path, _)| {
            Finding::on(path, "has other lints: add `[lints]` with `workspace = true`")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The lines that a rule complains about in a file with this text.
    fn lines(rule: fn(&Tree) -> Vec<Finding>, text: &str) -> Vec<usize> {
        let findings = rule(&[("a.rs", text)].into_iter().collect());
        findings.iter().map(|finding| finding.line).collect()
    }

    #[test]
    fn unsafe_code_without_its_argument_is_found() {
        for text in [
            "fn f() {\n    unsafe { g() }\n}",
            "fn f() {\n    unsafe { g() }\n    // SAFETY: too late.\n}",
            "// SAFETY: too far away.\n\nfn f() { unsafe { g() } }",
            "// A comment about something else.\nunsafe impl Send for A {}",
            "\nvec![unsafe { g() }];",
        ] {
            assert_eq!(lines(unsafe_code, text).len(), 1, "{text}");
        }
    }

    #[test]
    fn unsafe_code_with_its_argument_is_allowed() {
        for text in [
            "// SAFETY: the index is in bounds,\n// as it was checked.\nlet a = unsafe { g() };",
            "// SAFETY: it has no pointers.\nunsafe impl Send for A {}",
            "/// # Safety\n/// Give it a pointer that is valid.\nunsafe fn f() {}",
            "// unsafe { in a comment }\nlet a = \"unsafe { in a text }\";",
        ] {
            assert_eq!(lines(unsafe_code, text), [0; 0], "{text}");
        }
    }

    #[test]
    fn an_exception_without_its_reason_is_found() {
        for text in [
            "#[expect(dead_code)]\nfn f() {}",
            "#![allow(clippy::all)]",
            "#[cfg_attr(test, allow(dead_code))]\nfn f() {}",
            "#[expect(dead_code, reason = \"\")]\nfn f() {}",
            "mod a { m! { #[allow(reason)] fn f() {} } }",
        ] {
            assert_eq!(lines(lints, text), [1], "{text}");
        }
    }

    #[test]
    fn an_exception_with_its_reason_is_allowed_and_so_is_what_only_looks_like_one() {
        for text in [
            "#[expect(\n    dead_code,\n    reason = \"only its size matters\"\n)]\nfn f() {}",
            "#[cfg_attr(test, expect(dead_code, reason = \"a model\"))]\nfn f() {}",
            "#[test]\n#[should_panic(expected = \"allow\")]\nfn f() { g().expect(\"g\") }",
        ] {
            assert_eq!(lines(lints, text), [0; 0], "{text}");
        }
    }

    #[test]
    fn a_crate_with_lints_of_its_own_is_found() {
        let tree = [
            ("Cargo.toml", "[workspace]\n"),
            ("fuzz/Cargo.toml", "[package]\n[workspace]\n"),
            ("a/Cargo.toml", "[package]\n[lints]\nworkspace = true\n"),
            ("b/Cargo.toml", "[package]\n"),
            ("c/Cargo.toml", "[package]\n[lints.rust]\nunsafe_code = \"allow\"\n"),
        ];
        let findings = manifests(&tree.into_iter().collect());
        let places: Vec<_> = findings.iter().map(|finding| &*finding.place).collect();
        assert_eq!(places, ["b/Cargo.toml", "c/Cargo.toml"]);
    }
}
