//! Does one thing of the benchmarks so many times and nothing else, so that its instructions can be
//! counted: `valgrind --tool=callgrind count_phase3 "parse/100 metrics/ours" 100`. Without arguments it
//! prints what it can do. `cargo compare layers` runs it.

#[path = "../benches/json/work.rs"]
mod work;

fn main() {
    testkit::work::count(work::all());
}
