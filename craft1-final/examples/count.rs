//! Does one thing of the benchmarks so many times and nothing else, so that its instructions can be
//! counted: `valgrind --tool=callgrind count "http read/1 request/ours" 100`. Without arguments it
//! prints what it can do. `cargo compare layers` runs it.

#[path = "../benches/http/work.rs"]
#[expect(dead_code, reason = "only criterion asks for how many metrics it is")]
mod work;

use std::env;

use anyhow::{Context, Result};

fn main() -> Result<()> {
    let mut works =
        work::all().into_iter().map(|work| (format!("{}/{}", work.group, work.name), work));
    let mut arguments = env::args().skip(1);
    let Some(wanted) = arguments.next() else {
        works.for_each(|(id, _)| println!("{id}"));
        return Ok(());
    };
    let times: u64 = arguments.next().context("how often?")?.parse()?;
    let (_, mut work) =
        works.find(|(id, _)| *id == wanted).with_context(|| format!("no such thing: {wanted}"))?;
    for _ in 0..times {
        (work.act)();
    }
    Ok(())
}
