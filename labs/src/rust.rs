//! Rust, as far as it is read here: tokens, the items at the top of a file, and what paths name.
//!
//! A file is not parsed as a whole. It is cut into tokens, as the compiler does first, and of those
//! only imports and modules are understood. So comments and texts are never taken for code, macros
//! are looked into, and syntax that is newer than this file is no obstacle.

use std::ops::Range;

use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// An item at the top of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Its lines with those of its attributes, counted from 0.
    pub lines: Range<usize>,
    /// Whether it has neither attributes nor a visibility.
    pub is_plain: bool,
    /// What it is.
    pub kind: Kind,
}

/// What an item is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// A `use`, name by name.
    Import(Vec<Path>),
    /// A module in a file of its own.
    Module {
        /// Its name.
        name: String,
        /// Where its file is, if it says so: `#[path = "pool_tests.rs"]`.
        path: Option<String>,
    },
    /// Anything else.
    Other,
}

/// A name with the modules that lead to it: `crate::http::Limits`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Path {
    /// Its parts. The last one may be `*` or `self` in an import.
    pub parts: Vec<String>,
    /// What it is called here, where a `use` says so.
    pub alias: Option<String>,
}

/// A file that cannot be cut into tokens.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct NotRust {
    /// Where, from 1.
    pub line: usize,
    /// Why.
    pub reason: String,
}

/// Cuts a text into tokens. What is in brackets is one of them.
pub fn tokens(text: &str) -> Result<Vec<TokenTree>, NotRust> {
    let tokens: Result<TokenStream, _> = text.parse();
    let not_rust = |error: proc_macro2::LexError| NotRust {
        line: error.span().start().line,
        reason: error.to_string(),
    };
    Ok(tokens.map_err(not_rust)?.into_iter().collect())
}

/// The items at the top of a file, in order.
pub fn items(text: &str) -> Result<Vec<Item>, NotRust> {
    let tokens = tokens(text)?;
    let mut rest = &tokens[..];
    let mut items = Vec::new();
    while let Some(first) = rest.first() {
        // What is inside a file's own attributes is about the file.
        if is_punct(Some(first), '#') && is_punct(rest.get(1), '!') {
            rest = rest.get(3..).unwrap_or_default();
            continue;
        }
        let (item, len) = item(rest);
        rest = &rest[len..];
        // A `const` that ends in braces is followed by the end of its statement.
        if !is_punct(Some(first), ';') {
            items.push(item);
        }
    }
    Ok(items)
}

/// The item that begins here, and how many tokens it has.
fn item(tokens: &[TokenTree]) -> (Item, usize) {
    let mut start = 0;
    let mut path = None;
    while is_punct(tokens.get(start), '#') {
        let attribute = as_group(tokens.get(start + 1), Delimiter::Bracket);
        path = path.or(attribute.and_then(path_attribute));
        start += 2;
    }
    let attributes = start;
    start += usize::from(is_word(tokens.get(start), "pub"));
    start += usize::from(as_group(tokens.get(start), Delimiter::Parenthesis).is_some());
    let is_import = is_word(tokens.get(start), "use");
    let is_end = |token: &TokenTree| {
        is_punct(Some(token), ';')
            || !is_import && as_group(Some(token), Delimiter::Brace).is_some()
    };
    let end = (start..tokens.len()).find(|index| is_end(&tokens[*index]));
    let end = end.unwrap_or(tokens.len() - 1);
    let kind = match &tokens[start.min(end)..=end] {
        [_, behind @ .., _] if is_import => Kind::Import(paths(without_root(behind))),
        [keyword, TokenTree::Ident(name), semicolon]
            if is_word(Some(keyword), "mod") && is_punct(Some(semicolon), ';') =>
        {
            Kind::Module { name: name.to_string(), path }
        }
        _ => Kind::Other,
    };
    let lines = line(&tokens[0]) - 1..tokens[end].span().end().line;
    (Item { lines, is_plain: attributes == 0 && start == 0, kind }, end + 1)
}

/// `pool_tests.rs` of `[path = "pool_tests.rs"]`.
fn path_attribute(attribute: &Group) -> Option<String> {
    let tokens: Vec<TokenTree> = attribute.stream().into_iter().collect();
    match &tokens[..] {
        [name, _, TokenTree::Literal(path)] if is_word(Some(name), "path") => {
            Some(path.to_string().trim_matches('"').to_owned())
        }
        _ => None,
    }
}

/// `std::io` of `::std::io`.
fn without_root(tokens: &[TokenTree]) -> &[TokenTree] {
    behind_colons(tokens).unwrap_or(tokens)
}

/// What the path that begins here names: one thing, or several with a list in braces.
pub fn paths(tokens: &[TokenTree]) -> Vec<Path> {
    match tokens {
        [TokenTree::Ident(name), rest @ ..] => paths_from(&name.to_string(), rest),
        [TokenTree::Punct(star), ..] if star.as_char() == '*' => vec![Path::of("*", None)],
        [TokenTree::Group(list), ..] if list.delimiter() == Delimiter::Brace => {
            let list: Vec<TokenTree> = list.stream().into_iter().collect();
            list.split(|token| is_punct(Some(token), ',')).flat_map(paths).collect()
        }
        _ => Vec::new(),
    }
}

/// The paths that begin with `name`, from what is behind it.
fn paths_from(name: &str, rest: &[TokenTree]) -> Vec<Path> {
    let mut inner = behind_colons(rest).map(paths).unwrap_or_default();
    if inner.is_empty() {
        let alias = match rest {
            [keyword, TokenTree::Ident(alias), ..] if is_word(Some(keyword), "as") => Some(alias),
            _ => None,
        };
        return vec![Path::of(name, alias.map(ToString::to_string))];
    }
    for path in &mut inner {
        path.parts.insert(0, name.to_owned());
    }
    inner
}

impl Path {
    fn of(name: &str, alias: Option<String>) -> Self {
        Self { parts: vec![name.to_owned()], alias }
    }
}

fn behind_colons(tokens: &[TokenTree]) -> Option<&[TokenTree]> {
    match tokens {
        [first, second, rest @ ..] if is_punct(Some(first), ':') && is_punct(Some(second), ':') => {
            Some(rest)
        }
        _ => None,
    }
}

/// The line of a token, from 1.
pub fn line(token: &TokenTree) -> usize {
    token.span().start().line
}

/// Whether there is a token, and it is this name or keyword.
pub fn is_word(token: Option<&TokenTree>, word: &str) -> bool {
    matches!(token, Some(TokenTree::Ident(ident)) if ident == word)
}

/// Whether there is a token, and it is this sign.
pub fn is_punct(token: Option<&TokenTree>, sign: char) -> bool {
    matches!(token, Some(TokenTree::Punct(it)) if it.as_char() == sign)
}

/// The group that a token is, where there is one and it has these brackets.
pub fn as_group(token: Option<&TokenTree>, brackets: Delimiter) -> Option<&Group> {
    match token {
        Some(TokenTree::Group(group)) if group.delimiter() == brackets => Some(group),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> Vec<Kind> {
        items(text).unwrap().into_iter().map(|item| item.kind).collect()
    }

    fn module(name: &str, path: Option<&str>) -> Kind {
        Kind::Module { name: name.into(), path: path.map(String::from) }
    }

    /// The names of the one import in a text.
    fn imported(text: &str) -> Vec<String> {
        let [Kind::Import(paths)] = &kinds(text)[..] else { panic!("{text} is no import") };
        let show = |path: &Path| match &path.alias {
            Some(alias) => format!("{} as {alias}", path.parts.join("::")),
            None => path.parts.join("::"),
        };
        paths.iter().map(show).collect()
    }

    #[test]
    fn modules_in_files_are_told_from_all_else() {
        let text = "//! A file.\n#![forbid(unsafe_code)]\n\npub mod a;\n\
                    #[cfg(test)]\n#[path = \"b_tests.rs\"]\nmod b;\nmod c { mod d; }\n\
                    const E: F = F { g: 1 };\nfn h() -> impl Sized + use<> {}\npub(crate) mod i;\n\
                    impl<const N: usize> J<{ N }> for K { fn l() {} }\nx! { mod m; }\nmod n;";
        let modules: Vec<Kind> = kinds(text).into_iter().filter(|it| *it != Kind::Other).collect();
        let expected = [
            module("a", None),
            module("b", Some("b_tests.rs")),
            module("i", None),
            module("n", None),
        ];
        assert_eq!(modules, expected);
    }

    #[test]
    fn an_import_is_taken_apart_name_by_name() {
        assert_eq!(imported("use std::io;"), ["std::io"]);
        assert_eq!(imported("use ::std::*;"), ["std::*"]);
        assert_eq!(
            imported("pub use crate::{a, b::{self, C as D, e::*,},};"),
            ["crate::a", "crate::b::self", "crate::b::C as D", "crate::b::e::*"]
        );
    }

    #[test]
    fn an_item_knows_its_lines_and_whether_it_is_plain() {
        let text = "//! A file.\n\nuse a::{\n    b,\n};\n/// Why.\n#[cfg(test)]\nuse c;\npub use d;\nstruct E;";
        let items: Vec<_> =
            items(text).unwrap().into_iter().map(|item| (item.lines, item.is_plain)).collect();
        assert_eq!(items, [(2..5, true), (5..8, false), (8..9, false), (9..10, true)]);
    }

    #[test]
    fn a_path_in_an_expression_ends_where_its_names_end() {
        let path = |text: &str| paths(&tokens(text).unwrap())[0].parts.join("::");
        assert_eq!(path("a::b::c(d::e)"), "a::b::c");
        assert_eq!(path("a::b::<T>::c"), "a::b");
        assert_eq!(path("a"), "a");
    }

    #[test]
    fn what_cannot_be_cut_is_named_with_its_line() {
        let error = items("//! A file.\n\nmod a {\n").unwrap_err();
        assert!(error.line >= 1 && !error.reason.is_empty(), "{error}");
        assert_eq!(items("//! A file.\nmod a;\n}\n").unwrap_err().line, 3);
    }
}
