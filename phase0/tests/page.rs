//! The live page, looked at in a real browser: what is posted is seen, as text, in every light.
//!
//! These tests need chromium and chromedriver, so the default test run leaves them out:
//! `cargo test -p phase0 --test page -- --ignored`. Asked for and without a browser, they fail.

use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::browser::{Browser, ColorScheme, Device, mean_brightness};
use testkit::{DEADLINE, Server, post_json};

/// A name that would become an element if the page took names for HTML.
const NAME: &str = "<b>boiler_temperature</b>";

/// A phase 0 server, and a browser that has its page open.
struct Scene {
    browser: Browser,
    server: Server,
    _folder: TempDir,
}

impl Scene {
    fn start(options: &[&str]) -> Self {
        let browser = Browser::start().unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::tempdir().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_phase0"));
        command.args(["--port", "0", "--data-file"]).arg(folder.path().join("metrics.jsonl"));
        let server = Server::start(command.args(options));
        let scene = Self { browser, server, _folder: folder };
        scene.browser.set_viewport(1280, 900, Device::Desktop).unwrap();
        scene.browser.open(&scene.server.url("/")).unwrap();
        scene
    }

    fn post(&self, name: &str, value: f64) {
        let body = json!({ "name": name, "value": value }).to_string();
        let response = post_json(self.server.address(), "/metrics", &body);
        assert_eq!(response.status, 202, "{}", response.text());
    }

    /// Waits until a script expression is true; where it stays false, says what is seen instead.
    #[track_caller]
    fn wait_until(&self, condition: &str) {
        if let Err(error) = self.browser.wait_until(condition, DEADLINE) {
            panic!("{error}; the page says:\n{}", self.evaluate("document.body.innerText"));
        }
    }

    /// Waits until the card of a metric shows this as its newest value.
    #[track_caller]
    fn wait_for_value(&self, name: &str, value: &str) {
        let card = format!("document.querySelector('[data-metric={}]')", json!(name));
        self.wait_until(&format!("{card}?.querySelector('.value').innerText === {}", json!(value)));
    }

    fn evaluate(&self, expression: &str) -> Value {
        self.browser.execute(&format!("return {expression}")).unwrap()
    }

    #[track_caller]
    fn assert_no_console_errors(&self) {
        assert_eq!(self.browser.console_errors().unwrap(), Vec::<String>::new());
    }
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn a_posted_metric_appears_as_text_and_its_value_follows() {
    let scene = Scene::start(&["--no-self-monitor"]);
    scene.wait_until("document.getElementById('empty').checkVisibility()");
    scene.post(NAME, 21.5);
    scene.wait_for_value(NAME, "21.5");
    assert_eq!(scene.evaluate("document.querySelector('.card h3').textContent"), NAME);
    assert_eq!(scene.evaluate("document.querySelectorAll('.card h3 b').length"), 0);
    assert_eq!(scene.evaluate("document.getElementById('empty').checkVisibility()"), false);
    scene.post(NAME, 22.75);
    scene.wait_for_value(NAME, "22.75");
    scene.assert_no_console_errors();
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn this_machine_is_seen_without_posting_anything() {
    let scene = Scene::start(&["--sample-interval", "500ms"]);
    for name in ["cpu_usage", "cpu_core_usage", "memory_usage", "memory_used_bytes"] {
        let line = format!("document.querySelector('[data-metric={name}] path.line')");
        // Two points at least: a line, not only its first dot.
        scene.wait_until(&format!("{line}?.getAttribute('d').includes('L')"));
    }
    scene.wait_until("Number(document.querySelector('#pipeline li:nth-child(3) b').innerText) > 0");
    scene.assert_no_console_errors();
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn an_alert_is_seen_firing_and_then_resolved() {
    let rules = ["--rule", "boiler_temperature > 60", "--check-interval", "200ms"];
    let scene = Scene::start(&[&rules[..], &["--no-self-monitor"]].concat());
    let alert =
        |word: &str| format!("document.getElementById('alerts').innerText.includes('{word}')");
    scene.wait_until(&alert("OK"));
    scene.post("boiler_temperature", 75.0);
    scene.wait_until(&alert("Firing"));
    scene.wait_until("document.title.includes('1 firing')");
    scene
        .wait_until("document.querySelector('.card.firing h3').innerText === 'boiler_temperature'");
    scene.post("boiler_temperature", 50.0);
    scene.wait_until(&alert("Resolved"));
    scene.assert_no_console_errors();
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn light_and_dark_are_two_looks() {
    let scene = Scene::start(&["--no-self-monitor"]);
    scene.post(NAME, 21.5);
    scene.wait_for_value(NAME, "21.5");
    let brightness = |scheme| {
        scene.browser.set_color_scheme(scheme).unwrap();
        mean_brightness(&scene.browser.screenshot().unwrap())
    };
    let (light, dark) = (brightness(ColorScheme::Light), brightness(ColorScheme::Dark));
    assert!(light > 200.0 && dark < 60.0, "of 255: light {light:.0}, dark {dark:.0}");
    scene.assert_no_console_errors();
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn a_phone_never_scrolls_sideways() {
    let scene = Scene::start(&["--sample-interval", "500ms"]);
    scene.browser.set_viewport(390, 844, Device::Mobile).unwrap();
    // The longest name there can be, without a place to break it.
    let longest_name = "x".repeat(255);
    scene.post(&longest_name, 1e300);
    scene.wait_for_value(&longest_name, "1E300");
    scene.wait_until("document.querySelector('[data-metric=cpu_core_usage] path.line')");
    let widths = scene.evaluate("[document.documentElement.scrollWidth, innerWidth]");
    assert_eq!(widths, json!([390, 390]));
    scene.assert_no_console_errors();
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn a_stopped_server_is_said_to_be_unreachable() {
    let scene = Scene::start(&["--no-self-monitor"]);
    scene.post(NAME, 21.5);
    scene.wait_for_value(NAME, "21.5");
    scene.assert_no_console_errors();
    let Scene { browser, server, .. } = scene;
    server.stop().assert_success();
    let warning = "document.getElementById('lost')";
    let seen = format!("{warning}.checkVisibility() && {warning}.innerText.startsWith(");
    browser.wait_until(&format!("{seen}'Server not reachable, retrying')"), DEADLINE).unwrap();
    // What was read stays on the page, marked as old.
    assert_eq!(
        browser.execute("return document.querySelector('.value').innerText").unwrap(),
        "21.5"
    );
}
