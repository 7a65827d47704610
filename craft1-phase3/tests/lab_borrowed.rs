//! Lab tests: text is lent from the body, and copied only where an escape makes it another text.

use std::borrow::Cow;

use craft1_phase3::json;
use metrics_model::Metric;

/// Whether a text is a piece of the body, and not a copy of one.
fn lies_in(text: &str, body: &str) -> bool {
    let (text, body) = (text.as_bytes().as_ptr_range(), body.as_bytes().as_ptr_range());
    body.start <= text.start && text.end <= body.end
}

/// The metrics of a body.
fn metrics(body: &str) -> Vec<Metric<'_>> {
    json::parse(body.as_bytes()).unwrap().into_metrics()
}

/// The name of the only metric, lent.
fn lent_name(body: &str) -> &str {
    match metrics(body).remove(0).name {
        Cow::Borrowed(name) => name,
        Cow::Owned(name) => panic!("{name} is a copy"),
    }
}

#[test]
fn a_name_outlives_all_but_the_body() {
    for body in [
        r#"{"name":"cpu_usage","value":1}"#,
        r#"{"metrics":[{"value":1, "name" : "cpu_usage"}]}"#,
        r#"{"n\u0061me":"cpu_usage","value":1}"#,
    ] {
        let name = lent_name(body);
        assert!(name == "cpu_usage" && lies_in(name, body), "{body}");
    }
}

#[test]
fn tags_lie_in_the_body() {
    let body = r#"{"name":"m","value":1,"tags":{"host":"web-1","city":"Zürich","k":""}}"#;
    let metrics = metrics(body);
    let pairs: Vec<_> = metrics[0].tags.iter().collect();
    assert_eq!(pairs, [("host", "web-1"), ("city", "Zürich"), ("k", "")]);
    for (key, value) in pairs {
        assert!(lies_in(key, body) && lies_in(value, body), "{key}: {value}");
    }
}

#[test]
fn only_a_text_with_an_escape_in_it_is_copied() {
    let body = r#"{"name":"disk\/used","value":1,"tags":{"host":"web\u002d1","k\u0065y":"v"}}"#;
    let metrics = metrics(body);
    let metric = &metrics[0];
    assert!(matches!(&metric.name, Cow::Owned(name) if name == "disk/used"));
    let pairs: Vec<_> = metric.tags.iter().collect();
    assert_eq!(pairs, [("host", "web-1"), ("key", "v")]);
    let lent = pairs.iter().map(|(key, value)| (lies_in(key, body), lies_in(value, body)));
    assert_eq!(lent.collect::<Vec<_>>(), [(true, false), (false, true)]);
}
