//! Against phase 3: the same lines, the same count, the same refusal.

use load_gen::Profile;
use load_gen::payload::Bodies;
use proptest::prelude::*;
use proptest::sample::select;
use testkit::Mutator;

use super::*;

const NOW: Timestamp = Timestamp::MAX;

type Verdict = Result<(usize, String), BadBody>;

fn transcoded(body: &[u8], client: Option<&str>) -> Verdict {
    let mut lines = b"before\n".to_vec();
    let count = super::lines(body, &mut lines, &Arrival::from(NOW), client);
    let lines = String::from_utf8(lines).expect("text");
    if count.is_err() {
        assert_eq!(lines, "before\n", "a refused body leaves nothing behind");
    }
    Ok((count?, lines))
}

fn by_phase3(body: &[u8], client: Option<&str>) -> Verdict {
    let delivery = Delivery { batch: json::parse(body)?, client };
    let mut lines = b"before\n".to_vec();
    line::encode(&mut lines, &delivery, NOW);
    Ok((delivery.batch.len(), String::from_utf8(lines).expect("text")))
}

fn goes_the_short_way(body: &[u8]) -> bool {
    copy(body, &mut Vec::new(), &Arrival::from(NOW), None).is_some()
}

#[track_caller]
fn assert_is_phase3(body: &[u8], client: Option<&str>) {
    assert_eq!(transcoded(body, client), by_phase3(body, client), "{}", body.escape_ascii());
}

/// Spelled as agents spell it, with all that is cut.
const USUAL: [&str; 12] = [
    r#"{"name":"cpu_usage","value":85.5}"#,
    r#"{"name":"cpu_usage","value":85}"#,
    r#"{"name":"cpu_usage","value":-85.2500}"#,
    r#"{"name":"m","value":1,"type":"gauge"}"#,
    r#"{"name":"m","value":1,"type":"counter","tags":{"host":"a","region":"eu"}}"#,
    r#"{"name":"m","value":0.5,"type":"gauge","tags":{"host":"a"}}"#,
    r#"{"name":"m","value":0.5,"timestamp":1758116723123}"#,
    r#"{"timestamp":"2025-09-17T13:45:23Z","name":"m","value":0.5}"#,
    r#"{"name":"m","timestamp":1758116723123,"value":0.5,"tags":{"host":"a"}}"#,
    r#" { "name" : "m" , "value" : 1.0 , "type" : "gauge" , "tags" : { "a" : "b" , "c" : "" } } "#,
    r#"{"metrics":[{"name":"a","value":1.5},{"name":"b","value":2,"tags":{"k":"v"}}]}"#,
    " {\n\t\"metrics\" : [ { \"timestamp\" : 0001758116723123 } ] }",
];

#[test]
fn what_is_usual_goes_the_short_way_and_is_stored_as_by_phase_3() {
    let (usual, odd) = USUAL.split_at(USUAL.len() - 1);
    for body in usual {
        assert!(goes_the_short_way(body.as_bytes()), "{body}");
        for client in [None, Some("web-1"), Some("quote\"d"), Some("zürich")] {
            assert_is_phase3(body.as_bytes(), client);
        }
    }
    assert!(!goes_the_short_way(odd[0].as_bytes()));
}

#[test]
fn what_agents_send_goes_the_short_way() {
    for (profile, batch) in [
        (Profile::Constant, 1),
        (Profile::Constant, 100),
        (Profile::Fleet, 1),
        (Profile::Fleet, 100),
    ] {
        let mut bodies = Bodies::new(profile, batch, 7);
        for _ in 0..200 {
            let mut body = Vec::new();
            bodies.write(&mut body);
            assert!(goes_the_short_way(&body), "{}", body.escape_ascii());
            assert_is_phase3(&body, Some("web-1"));
        }
    }
}

#[test]
fn what_is_hard_is_stored_as_by_phase_3() {
    let mut bodies = Bodies::new(Profile::Adversarial, 7, 7);
    for _ in 0..200 {
        let mut body = Vec::new();
        bodies.write(&mut body);
        assert_is_phase3(&body, None);
    }
}

#[test]
fn the_limits_are_those_of_the_contract() {
    for len in [255, 256] {
        assert_is_phase3(format!(r#"{{"name":"{}","value":1}}"#, "n".repeat(len)).as_bytes(), None);
        let tag = "k".repeat(len);
        let body = format!(r#"{{"name":"m","value":1,"tags":{{"{tag}":"v"}}}}"#);
        assert_is_phase3(body.as_bytes(), None);
    }
    for len in [1024, 1025] {
        let value = "v".repeat(len);
        let body = format!(r#"{{"name":"m","value":1,"tags":{{"k":"{value}"}}}}"#);
        assert_is_phase3(body.as_bytes(), None);
    }
    for count in [1, 8, 9, 32, 33] {
        let tags: Vec<_> = (0..count).map(|number| format!(r#""k{number}":"v""#)).collect();
        let body = format!(r#"{{"name":"m","value":1,"tags":{{{}}}}}"#, tags.join(","));
        assert_eq!(goes_the_short_way(body.as_bytes()), count <= TAGS_MAX);
        assert_is_phase3(body.as_bytes(), None);
    }
    for count in [1, 999, 1000, 1001] {
        let list = vec![r#"{"name":"m","value":1.5}"#; count].join(",");
        let body = format!(r#"{{"metrics":[{list}]}}"#);
        assert_eq!(goes_the_short_way(body.as_bytes()), count <= 1000);
        assert_is_phase3(body.as_bytes(), None);
    }
}

#[test]
fn mutants_get_the_verdict_of_phase_3() {
    let corpus = USUAL.map(|body| body.as_bytes().to_vec());
    let dictionary: &'static [&'static [u8]] = &[
        b"\"",
        b"{",
        b"}",
        b"[",
        b"]",
        b",",
        b":",
        b" ",
        b"\n",
        b"0",
        b"00",
        b".",
        b"e5",
        b"-",
        b"1",
        b"\\u0061",
        b"\"name\":",
        b"\"value\":",
        b"\"timestamp\":",
        b"\"type\":",
        b"\"tags\":",
        b"\"gauge\"",
        b"\"counter\"",
        b"\"host\":\"a\"",
        b"\x7f",
        b"\x00",
        b"\xc3\xa9",
        b"\x0b",
    ];
    let mut mutator = Mutator::new(5, dictionary);
    let mut taken = 0;
    for _ in 0..MUTANTS {
        let mutant = mutator.mutant(&corpus);
        taken += u32::from(goes_the_short_way(&mutant));
        assert_is_phase3(&mutant, None);
    }
    assert!(taken > MUTANTS / 100, "only {taken} of {MUTANTS} went the short way");
}

const MUTANTS: u32 = 20_000;

fn blank() -> impl Strategy<Value = &'static str> {
    select(&["", "", "", " ", "\n", " \t\r\n"][..])
}

fn number() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(|it| it.to_string()),
        (any::<bool>(), "0|[1-9][0-9]{0,15}", proptest::option::of("[0-9]{1,17}")).prop_map(
            |(is_negative, whole, decimals)| {
                let sign = if is_negative { "-" } else { "" };
                decimals.map_or(format!("{sign}{whole}"), |it| format!("{sign}{whole}.{it}"))
            }
        ),
        "-?0\\.0{1,7}[0-9]{1,9}",
    ]
}

fn member() -> impl Strategy<Value = (&'static str, String)> {
    prop_oneof![
        "[a-z_]{1,20}".prop_map(|name| ("name", format!("\"{name}\""))),
        number().prop_map(|number| ("value", number)),
        select(&["gauge", "counter", "histogram", "other"][..])
            .prop_map(|kind| ("type", format!("\"{kind}\""))),
        proptest::collection::vec(("[a-c]{0,2}", "[ -~]{0,9}"), 0..4).prop_map(|pairs| {
            let pairs: Vec<_> =
                pairs.iter().map(|(key, value)| format!("\"{key}\":{value:?}")).collect();
            ("tags", format!("{{{}}}", pairs.join(",")))
        }),
        (0_i64..300_000_000_000_000).prop_map(|unix_ms| ("timestamp", unix_ms.to_string())),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 2_000, failure_persistence: None, ..ProptestConfig::default()
    })]

    #[test]
    fn members_in_any_order_get_the_verdict_of_phase_3(
        members in proptest::collection::vec((member(), blank(), blank()), 0..6),
        is_sorted in proptest::bool::weighted(0.8),
    ) {
        let mut members = members;
        if is_sorted {
            let order = ["timestamp", "name", "value", "type", "tags"];
            members.sort_by_key(|((key, _), ..)| order.iter().position(|it| it == key));
            members.dedup_by_key(|((key, _), ..)| *key);
        }
        let members: Vec<_> = members
            .iter()
            .map(|((key, value), before, behind)| {
                format!("{before}\"{key}\"{behind}:{before}{value}{behind}")
            })
            .collect();
        let body = format!("{{{}}}", members.join(","));
        prop_assert_eq!(transcoded(body.as_bytes(), None), by_phase3(body.as_bytes(), None), "{}", body);
    }

    #[test]
    fn every_number_is_stored_as_by_phase_3(number in number()) {
        let body = format!(r#"{{"name":"m","value":{number}}}"#);
        prop_assert_eq!(transcoded(body.as_bytes(), None), by_phase3(body.as_bytes(), None), "{}", body);
    }
}
