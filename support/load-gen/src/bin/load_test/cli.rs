//! The command line: options in the words of the help text, turned into a plan.

use std::{path::PathBuf, time::Duration};

use clap::{ArgGroup, Args, Parser, ValueEnum};
use humantime::parse_duration;
use load_gen::{Arrivals, Load, Method, Plan, Profile, Reuse, SlowPlan, Until};

const EXAMPLES: &str = "\
Examples:
  load_test 8080 50 10                       50 clients send 10 requests each to port 8080
  load_test 8080 --for 30s                   as many requests as 50 connections can do in 30 s
  load_test 8080 --rate 2000 --for 30s       2,000 requests a second, whatever the server does
  load_test 8080 --rate 2000 --ramp 10s --warm-up 10s
                                             the same, climbing for 10 s before it counts
  load_test 8080 --close --connections 200   a new connection for each request
  load_test 8080 --slow 100                  beside 100 clients that send a byte at a time
  load_test 8080 --path /health --method get
  load_test 8080 --batch 100 --payload fleet --json result.json

Which loop?
  A closed loop (no --rate) sends the next request when the last is answered. It finds the most
  that the server can do. It does not find bad latency: while the server stalls, it sends nothing.
  An open loop (--rate) sends by the clock and counts latency from the time at which the request
  was to be sent, so a stall shows as every request that it delayed.

Exit status:
  0  every request succeeded (or --allow-errors)
  1  some requests failed
  2  the command line is wrong
  3  the run was not possible: nobody listens there, too few open files, no such core";

/// Sends load to a metrics server on this machine and measures what comes back.
#[derive(Debug, Parser)]
#[command(name = "load_test", version, max_term_width = 100, after_help = EXAMPLES)]
#[command(group = ArgGroup::new("where").required(true).args(["port", "url"]))]
pub(crate) struct Arguments {
    /// Port of the server on 127.0.0.1
    port: Option<u16>,
    /// Clients, each with a connection and an X-Client-Id of its own
    #[arg(value_name = "CLIENTS", requires = "port")]
    each_client: Option<usize>,
    /// Requests that each client sends
    #[arg(value_name = "REQUESTS")]
    requests_each: Option<u64>,
    #[command(flatten)]
    target: TargetOptions,
    #[command(flatten)]
    load: LoadOptions,
    #[command(flatten)]
    connection: ConnectionOptions,
    #[command(flatten)]
    request: RequestOptions,
    #[command(flatten)]
    generator: GeneratorOptions,
    #[command(flatten)]
    pub(crate) output: OutputOptions,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Target")]
struct TargetOptions {
    /// Where to send to, in full: http://host:port/path
    #[arg(long, conflicts_with_all = ["port", "path"])]
    url: Option<String>,
    /// Path of the requests [default: /metrics]
    #[arg(long)]
    path: Option<String>,
    /// With a payload or without one
    #[arg(long, value_enum, default_value = "post")]
    method: MethodName,
    /// Allow a target that is not this machine
    #[arg(long)]
    allow_remote: bool,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Load")]
struct LoadOptions {
    /// Connections open at the same time [default: 50]
    #[arg(long, short, value_name = "N", conflicts_with = "each_client")]
    connections: Option<usize>,
    /// Open loop: requests a second, sent by the clock
    #[arg(long, short, value_name = "R")]
    rate: Option<f64>,
    /// Closed loop: the next request after the last answer (the default)
    #[arg(long, conflicts_with = "rate")]
    closed: bool,
    /// Open loop: evenly spaced, or as independent clients arrive
    #[arg(long, value_enum, default_value = "constant", requires_if("poisson", "rate"))]
    arrivals: ArrivalsName,
    /// Closed loop: pause of each client between answer and next request
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s", conflicts_with = "rate")]
    think: Duration,
    /// Length of the measurement, such as 500ms, 30s, 2m [default: 10s]
    #[arg(long = "for", value_name = "TIME", value_parser = parse_duration)]
    #[arg(conflicts_with_all = ["requests", "requests_each"])]
    duration: Option<Duration>,
    /// Requests in all, instead of a time
    #[arg(long, short = 'n', value_name = "N", conflicts_with = "requests_each")]
    requests: Option<u64>,
    /// Time over which the load climbs to its full height
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    ramp: Duration,
    /// Time under load before the measurement begins
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "0s")]
    warm_up: Duration,
    /// A request without its whole answer after this time has failed
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "10s")]
    timeout: Duration,
    /// Clients beside the load that send a byte at a time; reported apart
    #[arg(long, value_name = "N", default_value_t = 0)]
    slow: usize,
    /// Time between two bytes of a slow client
    #[arg(long, value_name = "TIME", value_parser = parse_duration, default_value = "100ms")]
    slow_every: Duration,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Connections")]
struct ConnectionOptions {
    /// Use connections again (the default)
    #[arg(long, conflicts_with = "close")]
    keep_alive: bool,
    /// A new connection for each request
    #[arg(long, conflicts_with = "pipeline")]
    close: bool,
    /// Requests in flight on each connection
    #[arg(long, value_name = "N", default_value_t = 1)]
    pipeline: usize,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Requests")]
struct RequestOptions {
    /// The same metric again, 200 hosts with tags, or valid JSON that is hard to read
    #[arg(long, value_enum, default_value = "constant")]
    payload: PayloadName,
    /// Metrics in each request
    #[arg(long, value_name = "N", default_value_t = 1)]
    batch: usize,
    /// Distinct X-Client-Id values, taken in turn; 0 sends none
    #[arg(long, value_name = "N")]
    clients: Option<usize>,
    /// The same seed makes the same requests at the same times
    #[arg(long, value_name = "N", default_value_t = 1)]
    seed: u64,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Generator")]
struct GeneratorOptions {
    /// Threads that send; one is usually faster than the server
    #[arg(long, value_name = "N", default_value_t = 1)]
    threads: usize,
    /// Keep the threads on these cores, such as 1 or 2,3 (Linux)
    #[arg(long, value_name = "CORES", value_delimiter = ',')]
    pin: Vec<usize>,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputOptions {
    /// Write the result as JSON to a file, or to standard output with -
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// No progress while the run goes on
    #[arg(long, short)]
    pub(crate) quiet: bool,
    /// Exit with 0 even if requests failed
    #[arg(long)]
    pub(crate) allow_errors: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum MethodName {
    Post,
    Get,
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum ArrivalsName {
    Constant,
    Poisson,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PayloadName {
    Constant,
    Fleet,
    Adversarial,
}

impl Arguments {
    pub(crate) fn plan(&self) -> Plan {
        let Self { target, load, connection, request, generator, .. } = self;
        let defaults = Plan::default();
        Plan {
            url: self.url(),
            allow_remote: target.allow_remote,
            method: match target.method {
                MethodName::Post => Method::Post,
                MethodName::Get => Method::Get,
            },
            connections: self.each_client.or(load.connections).unwrap_or(defaults.connections),
            reuse: connection.reuse(),
            load: load.load(),
            until: self.until(defaults.until),
            warm_up: load.warm_up,
            ramp: load.ramp,
            timeout: load.timeout,
            payload: match request.payload {
                PayloadName::Constant => Profile::Constant,
                PayloadName::Fleet => Profile::Fleet,
                PayloadName::Adversarial => Profile::Adversarial,
            },
            batch: request.batch,
            clients: request.clients.or(self.each_client).unwrap_or(0),
            seed: request.seed,
            slow: SlowPlan { clients: load.slow, interval: load.slow_every },
            threads: generator.threads,
            cores: generator.pin.clone(),
        }
    }

    fn url(&self) -> String {
        let path = self.target.path.as_deref().unwrap_or("/metrics");
        match (&self.target.url, self.port) {
            (Some(url), _) => url.clone(),
            (None, port) => format!("http://127.0.0.1:{}{path}", port.unwrap_or_default()),
        }
    }

    fn until(&self, default: Until) -> Until {
        match (self.requests_each, self.load.requests, self.load.duration) {
            (Some(each), _, _) => Until::RequestsEach(each),
            (None, Some(total), _) => Until::Requests(total),
            (None, None, Some(duration)) => Until::Elapsed(duration),
            (None, None, None) => default,
        }
    }
}

impl LoadOptions {
    fn load(&self) -> Load {
        let arrivals = match self.arrivals {
            ArrivalsName::Constant => Arrivals::Constant,
            ArrivalsName::Poisson => Arrivals::Poisson,
        };
        match self.rate {
            Some(rate) => Load::Open { rate, arrivals },
            None => Load::Closed { think: self.think },
        }
    }
}

impl ConnectionOptions {
    fn reuse(&self) -> Reuse {
        if self.close { Reuse::Close } else { Reuse::KeepAlive { pipeline: self.pipeline } }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn plan(line: &str) -> Plan {
        parse(line).unwrap().plan()
    }

    fn parse(line: &str) -> Result<Arguments, clap::Error> {
        Arguments::try_parse_from(line.split_whitespace())
    }

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn the_shortest_form_is_port_clients_and_requests_each() {
        let expected = Plan {
            url: "http://127.0.0.1:8080/metrics".to_owned(),
            connections: 50,
            clients: 50,
            until: Until::RequestsEach(10),
            ..Plan::default()
        };
        assert_eq!(plan("load_test 8080 50 10"), expected);
    }

    #[test]
    fn a_port_alone_is_the_default_plan() {
        assert_eq!(plan("load_test 8080"), Plan::default());
        assert_eq!(plan("load_test 8080 --closed --keep-alive"), Plan::default());
    }

    #[test]
    fn a_rate_makes_an_open_loop() {
        let plan = plan("load_test --url http://[::1]:1/x --rate 2.5 --arrivals poisson --for 2m");
        assert_eq!(plan.load, Load::Open { rate: 2.5, arrivals: Arrivals::Poisson });
        assert_eq!(plan.until, Until::Elapsed(Duration::from_mins(2)));
        assert_eq!(plan.url, "http://[::1]:1/x");
    }

    #[test]
    fn every_option_reaches_the_plan() {
        let found = plan(
            "load_test 1 --path /health --method get --connections 7 --think 5ms --requests 9 \
             --ramp 1s --warm-up 2s --timeout 3s --slow 4 --slow-every 6ms --pipeline 8 \
             --payload adversarial --batch 10 --clients 11 --seed 12 --threads 2 --pin 0,1 \
             --allow-remote",
        );
        let expected = Plan {
            url: "http://127.0.0.1:1/health".to_owned(),
            allow_remote: true,
            method: Method::Get,
            connections: 7,
            reuse: Reuse::KeepAlive { pipeline: 8 },
            load: Load::Closed { think: Duration::from_millis(5) },
            until: Until::Requests(9),
            warm_up: Duration::from_secs(2),
            ramp: Duration::from_secs(1),
            timeout: Duration::from_secs(3),
            payload: Profile::Adversarial,
            batch: 10,
            clients: 11,
            seed: 12,
            slow: SlowPlan { clients: 4, interval: Duration::from_millis(6) },
            threads: 2,
            cores: vec![0, 1],
        };
        assert_eq!(found, expected);
        assert_eq!(plan("load_test 1 --close").reuse, Reuse::Close);
    }

    #[test]
    fn contradictions_are_refused() {
        for line in [
            "load_test",
            "load_test 1 --url http://127.0.0.1/",
            "load_test --url http://127.0.0.1/ --path /x",
            "load_test 1 --rate 5 --closed",
            "load_test 1 --rate 5 --think 1s",
            "load_test 1 --arrivals poisson",
            "load_test 1 --for 1s --requests 5",
            "load_test 1 2 3 --for 1s",
            "load_test 1 2 --connections 3",
            "load_test 1 --close --keep-alive",
            "load_test 1 --close --pipeline 2",
            "load_test 99999",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }
}
