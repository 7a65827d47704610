//! Tests of composing: made-up phases laid over each other, and the real first one.

use super::*;

fn layer(name: &str, files: &[(&str, &str)]) -> Layer {
    Layer { name: name.into(), sources: files.iter().copied().collect() }
}

fn first() -> Layer {
    layer(
        "craft1-phase1",
        &[
            ("lib.rs", "//! Phase 1, with [`server`].\n\npub mod http;\npub mod server;\n"),
            ("main.rs", "//! Runs.\n\nuse craft1_phase1::server;\n\nfn main() {}\n"),
            ("http.rs", "//! HTTP.\n\nmod head;\n"),
            ("http/head.rs", "//! Head.\n"),
            ("server.rs", "//! A thread each.\n\nuse crate::http::Request;\n"),
            ("page.html", "<p>craft1_phase1</p>"),
        ],
    )
}

fn second() -> Layer {
    layer(
        "craft1-phase2",
        &[
            (
                "lib.rs",
                "//! Phase 2, with [`craft1_phase1::http`].\n\n/// Workers.\npub mod pool;\npub mod server;\n",
            ),
            (
                "main.rs",
                "//! Runs.\n\nuse craft1_phase1::http;\nuse craft1_phase2::{pool, server};\n\nfn main() {}\n",
            ),
            ("pool.rs", "//! Workers.\n"),
            (
                "server.rs",
                "//! A pool.\n\nuse craft1_phase1::http::Request;\n\nuse crate::pool::Pool;\n",
            ),
        ],
    )
}

fn composed(layers: &[Layer]) -> Tree {
    compose(layers).unwrap().files
}

#[test]
fn the_later_file_lies_on_top_and_imports_become_ones_own() {
    let files = composed(&[first(), second()]);
    let expected = [
        (
            "lib.rs",
            "//! Phase 2, with [`crate::http`].\n\n\
             pub mod http;\n/// Workers.\npub mod pool;\npub mod server;\n",
        ),
        ("main.rs", "//! Runs.\n\nuse craft1::{http, pool, server};\n\nfn main() {}\n"),
        ("http.rs", "//! HTTP.\n\nmod head;\n"),
        ("http/head.rs", "//! Head.\n"),
        ("page.html", "<p>craft1_phase1</p>"),
        ("pool.rs", "//! Workers.\n"),
        ("server.rs", "//! A pool.\n\nuse crate::http::Request;\nuse crate::pool::Pool;\n"),
    ];
    assert_eq!(files, expected.into_iter().collect());
}

#[test]
fn every_file_is_traced_to_the_phase_that_it_stands_in() {
    let birthplaces = compose(&[first(), second()]).unwrap().birthplaces;
    assert_eq!(birthplaces["http/head.rs"], "craft1-phase1");
    assert_eq!(birthplaces["server.rs"], "craft1-phase2");
    assert_eq!(birthplaces.get("lib.rs"), None, "it is made of all of them");
}

#[test]
fn a_module_may_change_from_a_file_to_a_folder_and_back() {
    let mut folder = second();
    folder.sources.remove("server.rs");
    folder.sources.insert("server/mod.rs", "//! A pool in a folder.\n");
    let files = composed(&[first(), folder.clone()]);
    assert_eq!((files.get("server.rs"), files.get("server/mod.rs").is_some()), (None, true));
    let mut file = second();
    file.name = "craft1-phase3".into();
    let files = composed(&[first(), folder, file]);
    assert_eq!((files.get("server.rs").is_some(), files.get("server/mod.rs")), (true, None));
}

#[test]
fn what_belonged_to_a_replaced_module_goes_with_it() {
    let mut layer = second();
    layer
        .sources
        .insert("lib.rs", "//! Phase 2.\n\npub mod http;\npub mod pool;\npub mod server;\n");
    layer.sources.insert("http.rs", "//! HTTP in one file.\n");
    let files = composed(&[first(), layer]);
    assert_eq!(files.get("http/head.rs"), None);
}

#[test]
fn a_file_that_no_module_declares_is_an_error_and_not_lost() {
    let mut layer = second();
    layer.sources.insert("forgotten.rs", "//! Forgotten.\n");
    let error = compose(&[first(), layer]).unwrap_err();
    assert_eq!(error.to_string(), "forgotten.rs: no module declares this file");
}

#[test]
fn a_library_with_more_than_modules_is_refused_with_its_line() {
    let mut layer = second();
    layer.sources.insert("lib.rs", "//! Phase 2.\n\npub mod pool;\n\npub const SIZE: usize = 4;\n");
    let error = compose(&[first(), layer]).unwrap_err().to_string();
    assert!(error.starts_with("craft1-phase2, lib.rs:5: only declarations"), "{error}");
}

#[test]
fn the_first_phase_composed_is_the_first_phase() {
    let course = Course::of_workspace().unwrap();
    let layer = Layer::read(&course.phases()[0]).unwrap();
    let files = composed(std::slice::from_ref(&layer));
    for (path, text) in layer.sources.iter() {
        // It names itself in its program and in its examples, which see it from outside.
        let expected = text.replace("craft1_phase1", "craft1");
        assert_eq!(files.get(path), Some(&*expected), "{path}");
    }
}

#[test]
fn imports_as_rustfmt_leaves_them_stay_as_they_are() {
    let course = Course::of_workspace().unwrap();
    let layer = Layer::read(&course.phases()[0]).unwrap();
    let with_imports = || layer.sources.rust().filter(|(_, text)| text.contains("\nuse crate::"));
    assert!(with_imports().count() > 5);
    for (path, text) in with_imports() {
        let grouped = grouping::regroup(text, "crate", grouping::Place::Last).unwrap();
        assert!(grouped == text, "{path}:\n{grouped}");
    }
}

#[test]
fn anchors_are_for_the_book_and_the_labs() {
    let course = Course::of_workspace().unwrap();
    let mut with_anchors = 0;
    for phase in course.phases() {
        let sources = Tree::read(&phase.folder().join("src")).unwrap();
        with_anchors += sources.iter().filter(|(_, text)| text.contains("// ANCHOR")).count();
        let layer = Layer::read(phase).unwrap();
        for (path, text) in layer.sources.iter() {
            assert!(!text.contains("// ANCHOR"), "{path}");
        }
    }
    assert!(with_anchors > 0);
}
