//! A headless chromium, driven over HTTP: tests open a page, run script in it and look at it.
//!
//! `chromedriver` turns the browser into a web service: a session is a resource, and each command
//! is one request with one JSON answer (W3C webdriver protocol,
//! <https://www.w3.org/TR/webdriver2/>). What that protocol has no command for, such as the
//! preferred colour scheme, goes through chromedriver's door to the protocol of the developer tools
//! (`goog/cdp/execute`).
//!
//! What always holds: every wait has a deadline; each [`Browser`] has its own empty profile, so no
//! test sees what another left behind; and when a `Browser` is dropped, its chromedriver and every
//! chromium under it are gone.

use std::io::{BufRead, BufReader, Cursor, ErrorKind};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rustix::process::{Pid, Signal, geteuid, kill_process_group};
use serde_json::{Value, json};
use tempfile::TempDir;

/// How long chromedriver may take to print its port. It takes a fraction of a second on an idle
/// machine; a busy one may be paging the binary in.
const DRIVER_START_DEADLINE: Duration = Duration::from_secs(20);

/// How long one command may take, including the slowest of them, starting chromium.
const COMMAND_DEADLINE: Duration = Duration::from_mins(1);

/// How long a page may load and a script may run. Shorter than [`COMMAND_DEADLINE`], so that
/// chromedriver's own error, which says more, arrives first.
const PAGE_DEADLINE_MS: u64 = 30_000;

/// How long chromium may take to close by itself before its process group is killed.
const CLOSE_DEADLINE: Duration = Duration::from_secs(5);

/// How often [`Browser::wait_until`] asks. A person cannot see a change faster than this either.
const POLL_INTERVAL: Duration = Duration::from_millis(50);

/// What chromium is told besides the profile folder: no window, no first-run dialogue, and no
/// traffic of its own, because a test must work without a network and mean the same everywhere.
const CHROMIUM_FLAGS: &[&str] = &[
    "--headless=new",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
];

/// One chromium with one tab. Dropping it closes both and kills what does not close.
#[derive(Debug)]
pub struct Browser {
    agent: ureq::Agent,
    driver: Driver,
    session_id: String,
}

/// What the page is told that its reader prefers (`prefers-color-scheme`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColorScheme {
    /// Dark text on a light ground.
    Light,
    /// Light text on a dark ground.
    Dark,
}

/// What kind of screen the page believes it is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Device {
    /// A window: the viewport meta tag has no effect.
    Desktop,
    /// A phone: the viewport meta tag counts, and scroll bars take no room.
    Mobile,
}

/// Why the browser could not do what it was asked to.
#[derive(Debug, thiserror::Error)]
pub enum BrowserError {
    /// Chromedriver, or the chromium that it drives, is not on this machine.
    #[error("{0} is not installed; on Debian: apt-get install chromium chromium-driver")]
    NotInstalled(&'static str),
    /// A process or its profile folder could not be made.
    #[error("cannot start chromedriver")]
    Start(#[from] std::io::Error),
    /// Chromedriver ended, or said nothing about a port in time.
    #[error("chromedriver did not name its port within {DRIVER_START_DEADLINE:?}")]
    NoPort,
    /// The HTTP exchange with chromedriver failed.
    #[error("no answer from chromedriver")]
    Exchange(#[from] Box<ureq::Error>),
    /// Chromedriver answered with an error (webdriver protocol, section "Handling Errors").
    #[error("{error}: {message}")]
    Command {
        /// The error code, such as `javascript error`.
        error: String,
        /// What chromium said about it.
        message: String,
    },
    /// An answer did not have the shape that the protocol promises.
    #[error("chromedriver answered without {0}")]
    Shape(&'static str),
    /// A condition did not become true in time.
    #[error("not true within {deadline:?}: {condition}")]
    Deadline {
        /// The script expression that was waited for.
        condition: String,
        /// How long it was waited for.
        deadline: Duration,
    },
}

impl Browser {
    /// Starts chromedriver on a free port and one headless chromium with an empty profile.
    ///
    /// [`BrowserError::NotInstalled`] is the one error that a test may turn into a skip, aloud.
    pub fn start() -> Result<Self, BrowserError> {
        let driver = Driver::start()?;
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .timeout_global(Some(COMMAND_DEADLINE))
            .http_status_as_error(false)
            .proxy(None)
            .build()
            .into();
        let sessions = format!("{}/session", driver.address);
        let wanted = capabilities(driver.folder.path());
        let created = exchange(&agent, &sessions, &wanted).map_err(not_installed)?;
        let id = created["sessionId"].as_str().ok_or(BrowserError::Shape("a session id"))?;
        Ok(Self { agent, session_id: id.to_owned(), driver })
    }

    /// Opens an address and returns when its page has loaded.
    pub fn open(&self, url: &str) -> Result<(), BrowserError> {
        self.command("/url", &json!({ "url": url })).map(drop)
    }

    /// Runs script in the page as a function's body and returns what it returns.
    ///
    /// A promise is waited for; a thrown error is a [`BrowserError::Command`].
    pub fn execute(&self, script: &str) -> Result<Value, BrowserError> {
        self.command("/execute/sync", &json!({ "script": script, "args": [] }))
    }

    /// Asks a script expression again and again until it is true.
    pub fn wait_until(&self, condition: &str, deadline: Duration) -> Result<(), BrowserError> {
        let script = format!("return Boolean({condition});");
        let started = Instant::now();
        while self.execute(&script)? != Value::Bool(true) {
            if started.elapsed() >= deadline {
                return Err(BrowserError::Deadline { condition: condition.to_owned(), deadline });
            }
            thread::sleep(POLL_INTERVAL);
        }
        Ok(())
    }

    /// What is seen right now, as a PNG file of the viewport's size.
    pub fn screenshot(&self) -> Result<Vec<u8>, BrowserError> {
        let answer = self.agent.get(&self.address("/screenshot")).call().map_err(Box::new)?;
        let encoded = value_of(answer)?;
        let encoded = encoded.as_str().ok_or(BrowserError::Shape("a picture"))?;
        BASE64_STANDARD.decode(encoded).map_err(|_| BrowserError::Shape("a picture in base64"))
    }

    /// Tells the page, from now on, which colour scheme its reader prefers.
    pub fn set_color_scheme(&self, scheme: ColorScheme) -> Result<(), BrowserError> {
        let value = match scheme {
            ColorScheme::Light => "light",
            ColorScheme::Dark => "dark",
        };
        let features = json!([{ "name": "prefers-color-scheme", "value": value }]);
        self.devtools("Emulation.setEmulatedMedia", &json!({ "features": features })).map(drop)
    }

    /// Gives the page a screen of this size in CSS pixels, from now on.
    pub fn set_viewport(
        &self,
        width_px: u32,
        height_px: u32,
        device: Device,
    ) -> Result<(), BrowserError> {
        let screen = json!({
            "width": width_px,
            "height": height_px,
            "deviceScaleFactor": 1,
            "mobile": device == Device::Mobile,
        });
        self.devtools("Emulation.setDeviceMetricsOverride", &screen).map(drop)
    }

    /// The errors that the console has shown since the last call: uncaught exceptions, refused
    /// content (CSP) and failed requests among them.
    pub fn console_errors(&self) -> Result<Vec<String>, BrowserError> {
        let log = self.command("/se/log", &json!({ "type": "browser" }))?;
        let entries = log.as_array().ok_or(BrowserError::Shape("log entries"))?;
        let errors = entries.iter().filter(|entry| entry["level"] == "SEVERE");
        Ok(errors.map(|entry| entry["message"].as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Runs one command of the developer tools protocol
    /// (<https://chromedevtools.github.io/devtools-protocol/>) and returns its result.
    pub fn devtools(&self, method: &str, parameters: &Value) -> Result<Value, BrowserError> {
        self.command("/goog/cdp/execute", &json!({ "cmd": method, "params": parameters }))
    }

    fn command(&self, path: &str, body: &Value) -> Result<Value, BrowserError> {
        exchange(&self.agent, &self.address(path), body)
    }

    fn address(&self, path: &str) -> String {
        format!("{}/session/{}{path}", self.driver.address, self.session_id)
    }
}

impl Drop for Browser {
    /// Asks chromium to close. `Driver`'s own drop ends whatever did not listen.
    fn drop(&mut self) {
        let request = self.agent.delete(&self.address(""));
        // A browser that is already gone cannot be closed, and that is what was wanted.
        let _ = request.config().timeout_global(Some(CLOSE_DEADLINE)).build().call();
    }
}

/// A running chromedriver, the leader of a process group of its own.
#[derive(Debug)]
struct Driver {
    process: Child,
    /// `http://127.0.0.1:<port>`, with the port that it chose.
    address: String,
    /// Holds what it and chromium write: the profile, and what they leave lying about.
    folder: TempDir,
}

impl Driver {
    fn start() -> Result<Self, BrowserError> {
        let folder = tempfile::Builder::new().prefix("chromium-").tempdir()?;
        let mut process = Command::new("chromedriver")
            .arg("--port=0")
            .env("TMPDIR", folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|error| match error.kind() {
                ErrorKind::NotFound => BrowserError::NotInstalled("chromedriver"),
                _ => BrowserError::Start(error),
            })?;
        let stdout = process.stdout.take();
        // From here on an early return drops, and so ends, the process.
        let mut driver = Self { process, address: String::new(), folder };
        let port = stdout.and_then(port_from).ok_or(BrowserError::NoPort)?;
        driver.address = format!("http://127.0.0.1:{port}");
        Ok(driver)
    }
}

impl Drop for Driver {
    /// The processes go before the folder that they write to: fields are dropped after this.
    fn drop(&mut self) {
        // An error means that nobody is left in the group.
        let _ = kill_process_group(Pid::from_child(&self.process), Signal::KILL);
        let _ = self.process.wait();
    }
}

/// Reads the port from the line that names it, then keeps reading: a full pipe would stop the
/// process that writes to it.
fn port_from(stdout: ChildStdout) -> Option<u16> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let lines = BufReader::new(stdout).lines().map_while(Result::ok);
        for port in lines.filter_map(|line| port_in(&line)) {
            // Nobody listens any more once the port is known.
            let _ = sender.send(port);
        }
    });
    receiver.recv_timeout(DRIVER_START_DEADLINE).ok()
}

/// The port in `ChromeDriver was started successfully on port 35131.`
fn port_in(line: &str) -> Option<u16> {
    let (_, port) = line.split_once("started successfully on port ")?;
    port.trim_end_matches('.').parse().ok()
}

/// The `New Session` request: which flags chromium gets, what it logs, and its time limits.
fn capabilities(folder: &Path) -> Value {
    let mut flags: Vec<String> = CHROMIUM_FLAGS.iter().map(ToString::to_string).collect();
    flags.push(format!("--user-data-dir={}", folder.join("profile").display()));
    if geteuid().is_root() {
        // Chromium's sandbox refuses to run as root, which is what CI containers are.
        flags.push("--no-sandbox".to_owned());
    }
    json!({ "capabilities": { "alwaysMatch": {
        "goog:chromeOptions": { "args": flags },
        "goog:loggingPrefs": { "browser": "ALL" },
        "timeouts": { "pageLoad": PAGE_DEADLINE_MS, "script": PAGE_DEADLINE_MS },
    }}})
}

/// One command: a POST with a JSON body, answered by JSON.
fn exchange(agent: &ureq::Agent, address: &str, body: &Value) -> Result<Value, BrowserError> {
    value_of(agent.post(address).send_json(body).map_err(Box::new)?)
}

/// Takes the result out of `{"value": …}`, or the error out of `{"value": {"error": …}}`.
fn value_of(answer: ureq::http::Response<ureq::Body>) -> Result<Value, BrowserError> {
    let succeeded = answer.status().is_success();
    let mut body: Value = answer.into_body().read_json().map_err(Box::new)?;
    let value = body["value"].take();
    if succeeded {
        return Ok(value);
    }
    let text = |field: &str| value[field].as_str().unwrap_or_default().to_owned();
    Err(BrowserError::Command { error: text("error"), message: text("message") })
}

/// Chromedriver starts well without a chromium and notices only when a session is wanted.
fn not_installed(error: BrowserError) -> BrowserError {
    match error {
        BrowserError::Command { message, .. } if message.contains("cannot find Chrome binary") => {
            BrowserError::NotInstalled("chromium")
        }
        other => other,
    }
}

/// The mean over all pixels and colours of a screenshot, from 0 (black) to 255 (white).
///
/// # Panics
/// If it is not a PNG picture.
pub fn mean_brightness(picture: &[u8]) -> f64 {
    let mut reader = png::Decoder::new(Cursor::new(picture)).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    let frame = reader.next_frame(&mut pixels).unwrap();
    let pixel_len = frame.color_type.samples();
    let colours =
        pixels[..frame.buffer_size()].chunks_exact(pixel_len).flat_map(|pixel| &pixel[..3]);
    let (sum, count) =
        colours.fold((0.0, 0.0), |(sum, count), colour| (sum + f64::from(*colour), count + 1.0));
    sum / count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_read_from_the_line_that_names_it() {
        let line = "ChromeDriver was started successfully on port 35131.";
        assert_eq!(port_in(line), Some(35131));
    }

    #[test]
    fn other_lines_name_no_port() {
        assert_eq!(port_in("Starting ChromeDriver 156.0.8078.79 on port 0"), None);
        assert_eq!(port_in("Only local connections are allowed."), None);
    }

    #[test]
    fn a_missing_chromium_is_told_apart_from_other_failures() {
        let failed = |message: &str| BrowserError::Command {
            error: "session not created".to_owned(),
            message: message.to_owned(),
        };
        let missing = not_installed(failed("unknown error: cannot find Chrome binary"));
        assert!(matches!(missing, BrowserError::NotInstalled("chromium")));
        let other = not_installed(failed("probably user data directory is already in use"));
        assert!(matches!(other, BrowserError::Command { .. }));
    }

    /// A page that fails in every way the console reports, and says which scheme and width it sees.
    const PAGE: &str = "data:text/html,<meta name=viewport content='width=device-width'>\
        <title>page</title><script>throw new Error('on purpose')</script>";

    fn browser_with_page() -> Browser {
        let browser = Browser::start().unwrap();
        browser.open(PAGE).unwrap();
        browser
    }

    #[test]
    #[ignore = "needs chromium and chromedriver; .ci/run installs them"]
    fn script_runs_in_the_page_and_its_errors_are_reported_once() {
        let browser = browser_with_page();
        assert_eq!(browser.execute("return document.title").unwrap(), "page");
        let thrown = browser.execute("throw new Error('thrown')").unwrap_err();
        assert!(thrown.to_string().contains("thrown"), "{thrown}");
        let errors = browser.console_errors().unwrap();
        assert!(errors.iter().any(|error| error.contains("on purpose")), "{errors:?}");
        assert_eq!(browser.console_errors().unwrap(), Vec::<String>::new());
    }

    #[test]
    #[ignore = "needs chromium and chromedriver; .ci/run installs them"]
    fn the_page_sees_the_scheme_and_the_screen_that_were_set() {
        let browser = browser_with_page();
        let dark = "matchMedia('(prefers-color-scheme: dark)').matches";
        for (scheme, expected) in [(ColorScheme::Dark, true), (ColorScheme::Light, false)] {
            browser.set_color_scheme(scheme).unwrap();
            assert_eq!(browser.execute(&format!("return {dark}")).unwrap(), expected);
        }
        browser.set_viewport(390, 844, Device::Mobile).unwrap();
        assert_eq!(browser.execute("return [innerWidth, innerHeight]").unwrap(), json!([390, 844]));
        let picture = browser.screenshot().unwrap();
        assert_eq!(picture[16..24], [[0, 0, 1, 0x86], [0, 0, 3, 0x4c]].concat());
    }

    #[test]
    #[ignore = "needs chromium and chromedriver; .ci/run installs them"]
    fn waiting_ends_when_it_is_true_or_at_the_deadline() {
        let browser = browser_with_page();
        browser.execute("setTimeout(() => { document.title = 'later' }, 200)").unwrap();
        browser.wait_until("document.title === 'later'", Duration::from_secs(30)).unwrap();
        let never = browser.wait_until("document.title === 'never'", Duration::from_millis(200));
        assert!(matches!(never, Err(BrowserError::Deadline { .. })), "{never:?}");
    }

    #[test]
    #[ignore = "needs chromium and chromedriver; .ci/run installs them"]
    fn a_dropped_browser_takes_chromium_and_its_folder_along() {
        let browser = browser_with_page();
        let folder = browser.driver.folder.path().to_owned();
        // Chromium writes the port of its developer tools, and an address, into its profile.
        let port_file = std::fs::read_to_string(folder.join("profile/DevToolsActivePort")).unwrap();
        let port: u16 = port_file.lines().next().unwrap().parse().unwrap();
        let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
        assert!(listens());
        drop(browser);
        assert!(!listens() && !folder.exists());
    }
}
