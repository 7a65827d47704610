//! Slow lane: what Prometheus itself makes of `GET /metrics`. Needs Debian's package `prometheus`,
//! which brings `promtool` too.

use std::fs;
use std::io::Write;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use testkit::{DataFolder, Server, get, get_json, post_json, wait_until};

const PHASE4: &str = env!("CARGO_BIN_EXE_craft1-phase4");

/// A server that has something to show of everything: it is the one node of its fleet that is up.
fn server(folder: &DataFolder) -> Server {
    let nodes_file = folder.path().join("nodes.csv");
    let path = nodes_file.display().to_string();
    let server = folder.start(PHASE4, &["--nodes-file", &path, "--check-interval", "100ms"]);
    let gone = free_address();
    let fleet = format!(
        "id,address,role,region,cpu_cores,memory_gib,disk_gib\n\
         self,{},gateway,local,2,8,100\n\
         gone,{gone},\"d\"\"b\\,1\",eu-west,4,16,200\n\
         bad\n",
        server.address()
    );
    fs::write(nodes_file, fleet).unwrap();
    post_json(server.address(), "/metrics", r#"{"name":"cpu_usage","value":85.5}"#);
    wait_until("both nodes are checked", || {
        let page = get(server.address(), "/metrics").text();
        page.contains("node_up{id=\"self\"") && page.contains("node_up{id=\"gone\"")
    });
    server
}

/// One where nobody listens.
fn free_address() -> SocketAddr {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap()
}

/// A Prometheus server on loopback. Dropping it ends it.
struct Prometheus {
    child: Child,
    address: SocketAddr,
    _folder: TempDir,
}

impl Prometheus {
    fn start(target: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = json!({
            "global": { "scrape_interval": "500ms", "scrape_timeout": "500ms" },
            "scrape_configs": [
                { "job_name": "craft1", "static_configs": [{ "targets": [target.to_string()] }] },
            ],
        });
        // JSON is YAML.
        fs::write(folder.path().join("prometheus.yml"), config.to_string()).unwrap();
        let address = free_address();
        let child = Command::new("prometheus")
            .arg("--config.file=prometheus.yml")
            .arg("--storage.tsdb.path=data")
            .arg(format!("--web.listen-address={address}"))
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("Debian's package prometheus");
        let prometheus = Self { child, address, _folder: folder };
        wait_until("Prometheus listens", || std::net::TcpStream::connect(address).is_ok());
        wait_until("it is ready", || get(address, "/-/ready").status == 200);
        prometheus
    }

    /// The result of an instant query. Its characters must be those of a path.
    fn query(&self, expression: &str) -> Vec<Value> {
        let answer = get_json(self.address, &format!("/api/v1/query?query={expression}"));
        assert_eq!(answer["status"], "success", "{answer}");
        answer["data"]["result"].as_array().expect("a vector").clone()
    }
}

impl Drop for Prometheus {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
#[ignore = "needs promtool: apt-get install prometheus"]
fn promtool_finds_nothing_to_say() {
    let folder = DataFolder::new();
    let server = server(&folder);
    let page = get(server.address(), "/metrics");
    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("Debian's package prometheus");
    promtool.stdin.take().unwrap().write_all(&page.body).unwrap();
    let output = promtool.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success() && said.is_empty(), "{}", String::from_utf8_lossy(&said));
}

#[test]
#[ignore = "needs prometheus: apt-get install prometheus"]
fn a_prometheus_server_sees_the_fleet() {
    let folder = DataFolder::new();
    let server = server(&folder);
    let prometheus = Prometheus::start(server.address());
    wait_until("it has scraped", || {
        prometheus.query("up").first().is_some_and(|up| up["value"][1] == "1")
    });
    wait_until("it knows the fleet", || prometheus.query("node_up").len() == 2);
    let value = |expression: &str| {
        let result = prometheus.query(expression);
        assert_eq!(result.len(), 1, "{expression}: {result:?}");
        result[0]["value"][1].as_str().unwrap().to_string()
    };
    for (expression, expected) in [
        ("node_up{id=\"self\"}", "1"),
        ("node_up{id=\"gone\"}", "0"),
        ("node_memory_size_bytes{id=\"self\"}", "8589934592"),
        ("node_cpu_cores{region=\"eu-west\"}", "4"),
        ("ingest_nodes_file_bad_rows", "1"),
        ("ingest_accepted_metrics_total", "1"),
        ("ingest_request_duration_seconds_bucket{le=\"%2BInf\"}>bool(0)", "1"),
        ("(time()-node_last_check_timestamp_seconds{id=\"self\"})<bool(60)", "1"),
    ] {
        assert_eq!(value(expression), expected, "{expression}");
    }
    let gone = &prometheus.query("node_up{id=\"gone\"}")[0]["metric"];
    assert_eq!(gone["role"], "d\"b\\,1", "what was escaped is read as it was written");
    let about = get_json(prometheus.address, "/api/v1/metadata?metric=node_up");
    assert_eq!(about["data"]["node_up"][0]["type"], "gauge", "{about}");
}
