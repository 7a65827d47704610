//! The report, looked at in a real browser: complete without a network, in every light and width.
//!
//! These tests need chromium and chromedriver, so the default test run leaves them out:
//! `cargo test -p benches --test report_page -- --ignored`. Asked for and without a browser, they
//! fail.

mod example;

use std::fs;

use benches::report;
use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::browser::{Browser, ColorScheme, Device, mean_brightness};

/// A browser that has the report of the made-up comparison open.
struct Scene {
    browser: Browser,
    _folder: TempDir,
}

impl Scene {
    fn open(width_px: u32, height_px: u32, device: Device) -> Self {
        let browser = Browser::start().unwrap_or_else(|error| panic!("{error}"));
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("report.html");
        fs::write(&file, report::page(&[example::record()])).unwrap();
        browser.set_viewport(width_px, height_px, device).unwrap();
        browser.open(&format!("file://{}", file.display())).unwrap();
        Self { browser, _folder: folder }
    }

    fn evaluate(&self, expression: &str) -> Value {
        self.browser.execute(&format!("return {expression}")).unwrap()
    }
}

impl Drop for Scene {
    /// Whatever a test looked at, the console stayed silent.
    fn drop(&mut self) {
        if !std::thread::panicking() {
            assert_eq!(self.browser.console_errors().unwrap(), Vec::<String>::new());
        }
    }
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn the_page_is_complete_without_a_network() {
    let scene = Scene::open(1280, 900, Device::Desktop);
    let loaded =
        scene.evaluate("performance.getEntriesByType('resource').map((entry) => entry.name)");
    assert_eq!(loaded, json!([]));
    let elsewhere = "[...document.querySelectorAll('[src], link, use')]\
        .map((node) => node.src ?? node.href).filter((address) => !address.startsWith('data:'))";
    assert_eq!(scene.evaluate(elsewhere), json!([]));
    assert_eq!(scene.evaluate("document.scripts.length"), 0);
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn every_chart_is_seen_and_has_a_name() {
    let scene = Scene::open(1280, 900, Device::Desktop);
    let charts = scene.evaluate(
        "[...document.querySelectorAll('svg.chart')].map((chart) => {\
            const box = chart.getBoundingClientRect();\
            return [chart.getAttribute('role'), chart.ariaLabel?.length > 20,\
                box.width > 200 && box.height > 60, chart.closest('figure') !== null];\
        })",
    );
    let charts = charts.as_array().unwrap();
    // Four measures and the curves for each of three workloads, outcomes for one, two waterfalls.
    assert_eq!(charts.len(), 3 * 5 + 1 + 2);
    for chart in charts {
        assert_eq!(chart, &json!(["img", true, true, true]));
    }
    let dots = "document.querySelectorAll('#example-single')[0].parentElement\
        .querySelector('figure').querySelectorAll('circle').length";
    assert_eq!(scene.evaluate(dots), 4 * 5 + 5, "every round of four servers, and the twin's");
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn nothing_drawn_leaves_its_card() {
    for (width_px, device) in [(1280, Device::Desktop), (390, Device::Mobile)] {
        let scene = Scene::open(width_px, 844, device);
        let outside = scene.evaluate(
            "[...document.querySelectorAll('svg.chart text')].filter((text) => {\
                const card = text.closest('.card').getBoundingClientRect();\
                const box = text.getBoundingClientRect();\
                return box.left < card.left || box.right > card.right\
                    || box.top < card.top || box.bottom > card.bottom;\
            }).map((text) => text.textContent)",
        );
        assert_eq!(outside, json!([]), "{width_px} px");
    }
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn texts_of_a_chart_do_not_cover_each_other() {
    for (width_px, device) in [(1280, Device::Desktop), (390, Device::Mobile)] {
        let scene = Scene::open(width_px, 844, device);
        let covered = scene.evaluate(
            "[...document.querySelectorAll('svg.chart')].flatMap((chart) => {\
                const texts = [...chart.querySelectorAll('text')]\
                    .map((text) => [text.textContent, text.getBoundingClientRect()]);\
                return texts.flatMap(([name, a], index) => texts.slice(index + 1)\
                    .filter(([, b]) => a.left < b.right && b.left < a.right\
                        && a.top + 3 < b.bottom && b.top + 3 < a.bottom)\
                    .map(([other]) => `${name} / ${other}`));\
            })",
        );
        assert_eq!(covered, json!([]), "{width_px} px");
    }
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn a_phone_never_scrolls_sideways_and_wide_tables_scroll_in_their_box() {
    let scene = Scene::open(390, 844, Device::Mobile);
    scene.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })");
    let widths = scene.evaluate("[document.documentElement.scrollWidth, innerWidth]");
    assert_eq!(widths, json!([390, 390]));
    let scrolls = "[...document.querySelectorAll('.scroll')].some((box) => box.scrollWidth > box.clientWidth)";
    assert_eq!(scene.evaluate(scrolls), true, "the example has tables that are wider than a phone");
}

#[test]
#[ignore = "needs chromium and chromedriver; .ci/run installs them"]
fn light_and_dark_are_two_looks_and_both_are_readable() {
    let scene = Scene::open(1280, 900, Device::Desktop);
    let look = |scheme| {
        scene.browser.set_color_scheme(scheme).unwrap();
        let worst = scene.evaluate(WORST_CONTRAST).as_f64().unwrap();
        (mean_brightness(&scene.browser.screenshot().unwrap()), worst)
    };
    let (light, dark) = (look(ColorScheme::Light), look(ColorScheme::Dark));
    assert!(light.0 > 200.0 && dark.0 < 60.0, "of 255: light {light:?}, dark {dark:?}");
    // WCAG 2.2, success criterion 1.4.3: at least 4.5 to 1 for text.
    assert!(light.1 >= 4.5 && dark.1 >= 4.5, "worst contrast: light {light:?}, dark {dark:?}");
}

/// The worst contrast of a text to what is behind it, by the formula of WCAG 2.2.
const WORST_CONTRAST: &str = "(() => {\
    const channels = (color) => color.match(/[\\d.]+/g).map(Number);\
    const luminance = (color) => channels(color).slice(0, 3).map((value) => value / 255)\
        .map((value) => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4)\
        .reduce((sum, value, index) => sum + value * [0.2126, 0.7152, 0.0722][index], 0);\
    const ground = (node) => {\
        for (let at = node; at; at = at.parentElement) {\
            const color = getComputedStyle(at).backgroundColor;\
            if (channels(color)[3] !== 0) return color;\
        }\
    };\
    const ratios = [...document.querySelectorAll('body *')].filter((node) =>\
        [...node.childNodes].some((child) => child.nodeType === 3 && child.data.trim()) && node.checkVisibility())\
        .map((node) => {\
            const style = getComputedStyle(node);\
            const text = node instanceof SVGElement ? style.fill : style.color;\
            const [high, low] = [luminance(text), luminance(ground(node))].sort((a, b) => b - a);\
            return (high + 0.05) / (low + 0.05);\
        });\
    return Math.min(...ratios);\
})()";
