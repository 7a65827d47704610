//! The result of a run as text for people.

use std::{collections::BTreeMap, fmt, time::Duration};

use crate::{
    failure::Failure,
    plan::{Arrivals, Load, Plan, Reuse},
    summary::Summary,
};

impl fmt::Display for Summary {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "{} {}", self.plan.method.as_str(), self.plan.url)?;
        writeln!(out, "{}\n", describe(&self.plan))?;
        self.write_requests(out)?;
        self.write_latency(out)?;
        if !self.failures.is_empty() {
            writeln!(out, "\n  failures")?;
            write_failures(out, &self.failures)?;
        }
        if let Some(what) = &self.first_malformed {
            writeln!(out, "    the first malformed response: {what}")?;
        }
        self.write_slow(out)?;
        self.write_generator(out)
    }
}

impl Summary {
    fn write_requests(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (requests, rate) = (&self.requests, &self.rate);
        let (succeeded, failed) = (grouped(requests.succeeded), grouped(requests.failed));
        writeln!(
            out,
            "  requests    {succeeded} succeeded, {failed} failed in {:.2} s",
            self.window_s
        )?;
        if self.interrupted {
            let unfinished = grouped(requests.unfinished);
            writeln!(out, "              interrupted, {unfinished} without an outcome")?;
        }
        if self.connections.unsolicited > 0 {
            let count = grouped(self.connections.unsolicited);
            writeln!(out, "              {count} connections sent bytes that answer no request")?;
        }
        let (achieved, metrics) = (decimal(rate.achieved_rps), decimal(rate.metrics_per_s));
        writeln!(out, "  rate        {achieved} requests/s, {metrics} metrics/s")?;
        if let Some(offered) = rate.offered_rps {
            let share = if offered > 0.0 { rate.achieved_rps / offered * 100.0 } else { 0.0 };
            let offered = decimal(offered);
            writeln!(out, "              {offered} requests/s offered, {share:.1} % achieved")?;
        }
        let (sent, received) =
            (megabytes(rate.sent_bytes_per_s), megabytes(rate.received_bytes_per_s));
        writeln!(out, "  bytes       {sent} MB/s sent, {received} MB/s received")
    }

    fn write_latency(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let latency = &self.latency;
        if latency.count == 0 {
            return writeln!(out, "\n  latency     no request succeeded");
        }
        let from = match self.plan.load {
            Load::Open { .. } => "from the intended time",
            Load::Closed { .. } => "from sending",
        };
        writeln!(out, "\n  latency     of successful requests, {from} to the last byte")?;
        for (name, value_us) in [
            ("p50", latency.p50_us),
            ("p90", latency.p90_us),
            ("p99", latency.p99_us),
            ("p99.9", latency.p99_9_us),
            ("p99.99", latency.p99_99_us),
            ("max", latency.max_us),
            ("mean", latency.mean_us),
        ] {
            writeln!(out, "    {name:<8}{:>12}", time(value_us))?;
        }
        Ok(())
    }

    fn write_slow(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(slow) = &self.slow else { return Ok(()) };
        writeln!(
            out,
            "\n  slow        {} clients: {} answered, {} unfinished, longest held {:.1} s",
            grouped(slow.clients as u64),
            grouped(slow.answered),
            grouped(slow.unfinished),
            slow.longest_held_s
        )?;
        write_failures(out, &slow.failures)
    }

    fn write_generator(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let generator = &self.generator;
        let threads = match self.plan.threads {
            1 => "1 thread".to_owned(),
            more => format!("{more} threads"),
        };
        let cores = match self.plan.cores.as_slice() {
            [] => "not pinned".to_owned(),
            cores => format!("pinned to {cores:?}"),
        };
        writeln!(
            out,
            "\n  generator   {threads}, {cores}, {:.1} CPU-µs a request, {:.0} % of its cores",
            generator.cpu_us_per_request,
            generator.cpu_share * 100.0
        )?;
        if generator.send_lag.count > 0 {
            let (p99, max) = (time(generator.send_lag.p99_us), time(generator.send_lag.max_us));
            writeln!(out, "              sent late by {p99} at p99, {max} at most")?;
        }
        if self.connections.source_addresses > 1 {
            let count = self.connections.source_addresses;
            writeln!(out, "              {count} local addresses, as one has too few ports")?;
        }
        for limit in &generator.limits {
            writeln!(out, "  LIMIT       the generator may have been the limit: {limit}")?;
        }
        Ok(())
    }
}

fn write_failures(out: &mut fmt::Formatter<'_>, failures: &BTreeMap<Failure, u64>) -> fmt::Result {
    for (failure, count) in failures {
        writeln!(out, "    {failure:<24}{:>12}", grouped(*count))?;
    }
    Ok(())
}

/// The plan in one line.
fn describe(plan: &Plan) -> String {
    let load = match plan.load {
        Load::Closed { think: Duration::ZERO } => "closed loop".to_owned(),
        Load::Closed { think } => format!("closed loop, {think:?} to think"),
        Load::Open { rate, arrivals: Arrivals::Constant } => {
            format!("open loop, {} requests/s evenly spaced", decimal(rate))
        }
        Load::Open { rate, arrivals: Arrivals::Poisson } => {
            format!("open loop, {} requests/s as a Poisson process", decimal(rate))
        }
    };
    let reuse = match plan.reuse {
        Reuse::KeepAlive { pipeline: 1 } => "kept alive".to_owned(),
        Reuse::KeepAlive { pipeline } => format!("kept alive, {pipeline} requests in flight each"),
        Reuse::Close => "a new one for each request".to_owned(),
    };
    let metrics = match plan.batch {
        1 => "1 metric".to_owned(),
        more => format!("{more} metrics"),
    };
    let (connections, payload, seed) = (grouped(plan.connections as u64), plan.payload, plan.seed);
    format!("{load}; {connections} connections, {reuse}; {payload} payload, {metrics}, seed {seed}")
}

/// `1234567` as `1,234,567`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A rate: whole from a hundred on, with a decimal below.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "rates are not negative, and `as` saturates"
)]
pub fn decimal(value: f64) -> String {
    if value < 100.0 { format!("{value:.1}") } else { grouped(value.round() as u64) }
}

fn megabytes(bytes: f64) -> String {
    format!("{:.2}", bytes / 1e6)
}

/// Microseconds with a unit that leaves one to three digits before the point.
pub fn time(us: f64) -> String {
    match us {
        us if us < 999.5 => format!("{us:.0} µs"),
        us if us < 999_500.0 => format!("{:.2} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
