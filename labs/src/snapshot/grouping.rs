//! Imports of the own crate in the order and the shape that rustfmt and we give them.
//!
//! A phase imports one half of its neighbours from earlier crates and the other half from its own.
//! In a snapshot both come from one crate. Put together they read as if one hand had written them,
//! and two snapshots differ where their code does.
//!
//! What always holds: imports of other crates, reexports, imports with an attribute, and comments
//! stay where and as they are. Rules: one `use` for each module, in the order of the paths, a list
//! behind single names (The Rust Style Guide, "Ordering of imports").

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use crate::rust::{self, Item, Kind, NotRust, Path};

/// As `max_width` in rustfmt.toml.
const WIDTH_MAX: usize = 100;

/// Where the imports go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    /// Where the first of them was: a program sees its library as one crate among others.
    First,
    /// Behind all others, in a group with what comes from `super`: a library sees itself.
    Last,
}

/// Puts the imports at the head of a file that begin with `root` together.
pub(super) fn regroup(text: &str, root: &str, place: Place) -> Result<String, NotRust> {
    let items = rust::items(text)?;
    let imports: Vec<Import<'_>> =
        items.iter().skip_while(|item| Import::of(item).is_none()).map_while(Import::of).collect();
    let ours: Vec<&Import<'_>> = imports.iter().filter(|import| import.is_from(root)).collect();
    let ([first, ..], [.., last], [ours_first, ..]) = (&imports[..], &imports[..], &ours[..])
    else {
        return Ok(text.to_owned());
    };
    let head = first.item.lines.start..last.item.lines.end;
    let split = match place {
        Place::First => ours_first.item.lines.start,
        Place::Last => head.end,
    };
    let is_local = |import: &&Import<'_>| import.is_from("super") || import.is_from("self");
    let last_other = imports.iter().rfind(|import| !import.is_from(root));
    let gap = match place {
        Place::Last if !last_other.is_some_and(|import| is_local(&import)) => vec![String::new()],
        Place::First | Place::Last => Vec::new(),
    };
    let lines: Vec<&str> = text.lines().collect();
    let is_ours = |line: &usize| ours.iter().any(|import| import.item.lines.contains(line));
    let others = |range: Range<usize>| {
        range.filter(|line| !is_ours(line)).map(|line| lines[line].to_owned()).collect::<Vec<_>>()
    };
    let together =
        [others(head.start..split), gap, statements(&ours), others(split..head.end)].concat();
    let all = [others(0..head.start), tidied(together), others(head.end..lines.len())].concat();
    Ok(all.join("\n") + "\n")
}

/// A `use` and what it names.
struct Import<'a> {
    item: &'a Item,
    paths: &'a [Path],
}

impl<'a> Import<'a> {
    fn of(item: &'a Item) -> Option<Self> {
        match &item.kind {
            Kind::Import(paths) => Some(Self { item, paths }),
            _ => None,
        }
    }

    /// Whether it may move, and all that it names is in `root`.
    fn is_from(&self, root: &str) -> bool {
        self.item.is_plain && self.paths.iter().all(|it| it.parts.len() > 1 && it.parts[0] == root)
    }
}

/// One statement for each module, in order, a line each or several where one is too long.
fn statements(imports: &[&Import<'_>]) -> Vec<String> {
    let mut modules: BTreeMap<&[String], BTreeSet<String>> = BTreeMap::new();
    for Path { parts, alias } in imports.iter().flat_map(|import| import.paths) {
        let Some((name, module)) = parts.split_last() else { continue };
        let name = match alias {
            Some(alias) => format!("{name} as {alias}"),
            None => name.clone(),
        };
        modules.entry(module).or_default().insert(name);
    }
    let mut paths: Vec<String> =
        modules.iter().map(|(module, names)| path(module, names)).collect();
    // A list begins with a brace, which stands behind all letters.
    paths.sort_by(|a, b| a.split("::").cmp(b.split("::")));
    paths.iter().flat_map(|path| wrapped(path)).collect()
}

fn path(module: &[String], names: &BTreeSet<String>) -> String {
    let module = module.join("::");
    // The module itself comes first, whatever else there is.
    let (own, others): (Vec<&str>, Vec<&str>) =
        names.iter().map(String::as_str).partition(|name| *name == "self");
    match (&own[..], &others[..]) {
        ([], [name]) => format!("{module}::{name}"),
        _ => format!("{module}::{{{}}}", [own, others].concat().join(", ")),
    }
}

fn wrapped(path: &str) -> Vec<String> {
    let line = format!("use {path};");
    let Some((module, list)) = path.strip_suffix('}').and_then(|path| path.split_once('{')) else {
        return vec![line];
    };
    if line.chars().count() <= WIDTH_MAX {
        return vec![line];
    }
    let mut lines = vec![format!("use {module}{{")];
    let mut current = String::from("   ");
    for name in list.split(", ") {
        if current.chars().count() + 1 + name.chars().count() + 1 > WIDTH_MAX {
            lines.push(std::mem::replace(&mut current, String::from("   ")));
        }
        current.push(' ');
        current.push_str(name);
        current.push(',');
    }
    lines.extend([current, String::from("};")]);
    lines
}

/// Without blank lines at the ends, and without two of them in a row.
fn tidied(mut lines: Vec<String>) -> Vec<String> {
    lines.dedup_by(|next, line| next.is_empty() && line.is_empty());
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.into_iter().skip_while(String::is_empty).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imports_of_both_crates_become_one_group_behind_the_others() {
        let text = "//! Serves.\n\nuse std::io;\n\n\
                    use crate::http::{Request, Response};\nuse crate::json;\nuse clap::Parser;\n\n\
                    // Why it is here.\n\
                    use crate::http::limits::{self, MAX};\nuse crate::http::Limits;\nuse crate::pool as workers;\n\n\
                    fn run() {}\n";
        assert_eq!(
            regroup(text, "crate", Place::Last).unwrap(),
            "//! Serves.\n\nuse std::io;\n\nuse clap::Parser;\n\n// Why it is here.\n\n\
             use crate::http::limits::{self, MAX};\nuse crate::http::{Limits, Request, Response};\n\
             use crate::{json, pool as workers};\n\nfn run() {}\n"
        );
    }

    #[test]
    fn imports_stand_behind_those_of_the_parent() {
        let text = "use std::io;\n\nuse super::cursor::Cursor;\nuse crate::word::len;\n";
        assert_eq!(regroup(text, "crate", Place::Last).unwrap(), text);
    }

    #[test]
    fn a_program_has_its_library_among_the_other_crates() {
        let text = "use anyhow::Result;\nuse craft1::writer::Writer;\nuse craft1::json;\n\
                    use craft1::writer::Damage;\nuse metrics_model::Batch;\n";
        assert_eq!(
            regroup(text, "craft1", Place::First).unwrap(),
            "use anyhow::Result;\nuse craft1::json;\nuse craft1::writer::{Damage, Writer};\n\
             use metrics_model::Batch;\n"
        );
    }

    #[test]
    fn a_list_that_is_too_long_is_filled_line_by_line() {
        let names: Vec<String> = (10..30).map(|number| format!("Name{number}")).collect();
        let text = format!("use crate::names::{{{}}};\n", names.join(", "));
        let grouped = regroup(&text, "crate", Place::Last).unwrap();
        let lines: Vec<&str> = grouped.lines().collect();
        assert_eq!((lines[0], lines[3]), ("use crate::names::{", "};"));
        assert_eq!(lines[1].len(), 3 + 12 * 8);
        assert!(lines[2].starts_with("    Name22, ") && lines[2].ends_with("Name29,"));
    }

    #[test]
    fn what_is_no_plain_import_of_ours_stays() {
        let text = "pub use crate::a::A;\n#[cfg(test)]\nuse crate::b::B;\nuse std::io;\n";
        assert_eq!(regroup(text, "crate", Place::Last).unwrap(), text);
    }
}
