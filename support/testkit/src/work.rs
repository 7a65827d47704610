//! Things to do, which criterion times and valgrind counts: what the benchmarks of layers are made of.
//!
//! What always holds: the list is the same for both, so what is counted is what is timed.

use std::env;

/// One thing to do.
pub struct Work {
    /// With what it is compared.
    pub group: String,
    /// Its name there.
    pub name: String,
    /// How many metrics, requests or the like it goes through.
    pub count: usize,
    /// Does it once.
    pub act: Box<dyn FnMut()>,
}

impl Work {
    /// Something to do, and what it is called.
    pub fn new(group: &str, name: &str, count: usize, act: impl FnMut() + 'static) -> Self {
        Self { group: group.into(), name: name.into(), count, act: Box::new(act) }
    }

    /// `GROUP/NAME`, as criterion calls it.
    pub fn id(&self) -> String {
        format!("{}/{}", self.group, self.name)
    }
}

/// The whole of an example that `count_` begins the name of, which `cargo compare layers` runs under valgrind: without
/// arguments it prints what there is to do, and with `GROUP/NAME TIMES` it does that so many times
/// and nothing else.
///
/// # Panics
/// If there is nothing of that name, or no number behind it.
pub fn count(works: impl IntoIterator<Item = Work>) {
    let mut works = works.into_iter();
    let mut arguments = env::args().skip(1);
    let Some(wanted) = arguments.next() else {
        works.for_each(|work| println!("{}", work.id()));
        return;
    };
    let times = arguments.next().and_then(|times| times.parse::<u64>().ok()).expect("how often?");
    let work = works.find(|work| work.id() == wanted);
    let mut work = work.unwrap_or_else(|| panic!("there is no {wanted}"));
    for _ in 0..times {
        (work.act)();
    }
}
