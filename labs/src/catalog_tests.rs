//! A page that is not whole is no page.

use super::*;

const PAGE: &str = r#"
title = "A queue"
package = "phase0"
chapter = "phase0.md"
minutes = 30
task = "Write it."
hints = ["Why?", "There.", "Like this."]

[[check]]
name = "order"
claim = "it keeps the order"
test = "lab_queue"
names = ["keeps_the_order"]
cause = "it is a stack"

[[build.hole]]
file = "src/main.rs"
anchor = "queue"
text = 'todo!("p0-queue")'
"#;

fn page(text: &str) -> Result<Page, String> {
    toml::from_str(text).map_err(|error| error.message().to_owned())
}

#[test]
fn a_page_is_read() {
    let page = page(PAGE).unwrap();
    let check = page.check("order").unwrap();
    assert_eq!((check.at_first, check.machine), (AtFirst::Red, Machine::Real));
    assert_eq!(check.test, Target::Test("lab_queue".into()));
    assert_eq!(page.work.holes()[0].anchor, "queue");
    assert_eq!(page.work.kind(), Kind::Build);
}

#[test]
fn a_page_that_is_not_whole_is_refused() {
    let hole = PAGE.split("[[build").nth(1).map(|hole| format!("[[build{hole}")).unwrap();
    for (from, to, expected) in [
        ("minutes = 30", "minutes = 0", "nonzero"),
        ("minutes = 30", "minutes = 30\nlevel = 3", "unknown field `level`"),
        (", \"Like this.\"", "", "invalid length 2"),
        ("Write it.", " ", "is empty"),
        ("cause = ", "reason = ", "unknown field `reason`"),
        ("[[build.hole]]", "[extend]\n[[build.hole]]", "a lab has one of"),
        ("[[build.hole]]", "[[build.holes]]", "unknown field `holes`"),
        (&hole, "", "a lab has one of"),
        (
            "[[build.hole]]",
            "[[check]]\nname = \"order\"\nclaim = \"\"\ntest = \"lib\"\nnames = []\ncause = \"\"\n\
             [[build.hole]]",
            "two checks are called \"order\"",
        ),
        ("cause = \"it is a stack\"", "cause = \"\"\nmachine = \"loom\"", "say in [models]"),
        (
            &hole,
            "[[break.mutant]]\nname = \"m\"\nfile = \"a\"\nfind = \"b\"\nreplace = \"c\"\n\
             caught_by = \"other\"\ntold = \"\"\nnudge = \"\"\n",
            "mutant \"m\": there is no such check",
        ),
        (
            &hole,
            "[[break.mutant]]\nname = \"m\"\nfile = \"a\"\nfind = \"b\"\nreplace = \"b\"\n\
             caught_by = \"order\"\ntold = \"\"\nnudge = \"\"\n",
            "mutant \"m\" changes nothing",
        ),
    ] {
        assert!(PAGE.contains(from), "{from}");
        let error = page(&PAGE.replacen(from, to, 1)).unwrap_err();
        assert!(error.contains(expected), "{error}\n  is not about\n{expected}");
    }
}

#[test]
fn an_edit_is_made_where_its_text_stands_once() {
    let edit = Edit { file: "a.rs".into(), find: "b".into(), replace: "c".into() };
    assert_eq!(edit.apply("a b a"), Ok("a c a".into()));
    let error = edit.apply("a b b").unwrap_err().to_string();
    assert_eq!(error, "a.rs has this 2 times, not once: b");
    assert!(edit.apply("").is_err());
}

#[test]
fn every_lab_of_the_course_is_about_a_crate_of_it() {
    let course = crate::course::Course::of_workspace().unwrap();
    let catalog = Catalog::read(&course.root.join("labs/catalog")).unwrap();
    let packages: Vec<String> = course.packages().map(|it| it.name.to_string()).collect();
    for lab in catalog.in_order(&packages) {
        assert!(packages.contains(&lab.page.package), "{}: {}", lab.id, lab.page.package);
    }
    let error = catalog.find("c1f-spcs").unwrap_err().to_string();
    assert!(error.contains("is it c1f-spsc?"), "{error}");
}
