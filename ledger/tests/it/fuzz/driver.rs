//! A fuzzer that needs no more than stable Rust: it changes inputs that are known, byte by byte or as canonical documents, and keeps each one that
//! leads to an outcome not seen before, to change it further. An outcome is what the target answers: a refusal's words, or what was accepted.
//!
//! A panic fails the test; so do an input that takes too long and one that takes much memory. What was found is kept in the corpus.

use keyvawlt_ledger::cbor::{self, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long to go on, in seconds; without it, a short run with the same inputs each time.
const SECONDS: &str = "KEYVAWLT_FUZZ_SECONDS";
/// Set to write inputs with new outcomes into the corpus.
const KEEP: &str = "KEYVAWLT_FUZZ_KEEP";
/// Inputs of each target in a short run.
const SHORT: u64 = 2_000;
/// No input of this size takes longer, on a busy machine and without optimization.
const MAX_TIME: Duration = Duration::from_secs(5);
/// What a process may grow by over one target: every document is bounded.
const MAX_GROWTH_KIB: u64 = 512 * 1024;
/// Larger inputs are not kept: the rules for size have tests of their own.
const MAX_INPUT: usize = 16 * 1024;
/// Outcomes of one target that go into the corpus, and how long their inputs may be: the corpus stays small.
const MAX_KEPT: usize = 40;
const MAX_KEPT_INPUT: usize = 600;

/// Something that reads bytes from somebody else.
pub struct Target {
    pub name: &'static str,
    /// Valid inputs, to begin with.
    pub seeds: Vec<Vec<u8>>,
    /// What became of an input, in words without its numbers.
    pub run: fn(&[u8]) -> String,
}

/// Runs all targets for their share of the time.
#[expect(
    clippy::disallowed_methods,
    clippy::print_stdout,
    reason = "whoever fuzzes for longer says so by a variable, and reads how far it came"
)]
pub fn fuzz(corpus: &Path, targets: Vec<Target>) {
    let seconds: Option<u64> = std::env::var(SECONDS).ok().map(|text| text.parse().expect("a number of seconds"));
    let share = seconds.map(|seconds| Duration::from_millis(seconds * 1000 / targets.len() as u64));
    let seed = if seconds.is_some() { RandomState::new().build_hasher().finish() } else { 1 };
    for target in targets {
        let kept = corpus.join(format!("{}.hex", target.name));
        let memory = resident_kib();
        let mut run = Run { draw: Draw(seed | 1), outcomes: BTreeMap::new(), slowest: Duration::ZERO, count: 0 };
        let known = read(&kept);
        let begun = Instant::now();
        let first: Vec<Vec<u8>> = target.seeds.iter().cloned().chain(known.iter().cloned()).chain([vec![]]).collect();
        for input in first {
            run.tries(&target, input);
        }
        let seeded: BTreeSet<String> = run.outcomes.keys().cloned().collect();
        while share.map_or(run.count < SHORT, |share| begun.elapsed() < share) {
            let input = run.next();
            run.tries(&target, input);
        }
        let grown = resident_kib().saturating_sub(memory);
        assert!(grown < MAX_GROWTH_KIB, "{} made the process grow by {grown} KiB", target.name);
        println!("{}: {} inputs, {} outcomes, slowest {:?}, seed {seed}", target.name, run.count, run.outcomes.len(), run.slowest);
        if std::env::var_os(KEEP).is_some() {
            let new = run.outcomes.iter().filter(|(outcome, input)| !seeded.contains(*outcome) && input.len() <= MAX_KEPT_INPUT);
            let mut inputs: BTreeSet<Vec<u8>> = known.into_iter().collect();
            let room = MAX_KEPT.saturating_sub(inputs.len());
            inputs.extend(new.map(|(_, input)| input.clone()).take(room));
            write(&kept, &inputs);
        }
    }
}

struct Run {
    draw: Draw,
    /// The shortest input that led to each.
    outcomes: BTreeMap<String, Vec<u8>>,
    slowest: Duration,
    count: u64,
}

impl Run {
    fn tries(&mut self, target: &Target, input: Vec<u8>) {
        let timed = || {
            let begun = Instant::now();
            ((target.run)(&input), begun.elapsed())
        };
        let (outcome, took) = timed();
        // A busy machine may have stopped it once; an input that is slow is slow each time.
        let slow = took >= MAX_TIME && (0..3).all(|_| timed().1 >= MAX_TIME);
        assert!(!slow, "{} takes {took:?} for {}", target.name, hex::encode(&input));
        (self.slowest, self.count) = (self.slowest.max(took), self.count + 1);
        let known = self.outcomes.get(&outcome);
        if input.len() <= MAX_INPUT && known.is_none_or(|known| input.len() < known.len()) {
            self.outcomes.insert(outcome, input);
        }
    }

    fn next(&mut self) -> Vec<u8> {
        let chosen = self.draw.below(self.outcomes.len());
        let mut input = self.outcomes.values().nth(chosen).cloned().unwrap_or_default();
        let other = self.draw.below(self.outcomes.len());
        for _ in 0..=self.draw.below(4) {
            if self.draw.below(2) == 0
                && let Ok(mut value) = cbor::decode(&input)
            {
                change_document(&mut self.draw, &mut value);
                input = cbor::encode(&value);
            } else {
                let other = self.outcomes.values().nth(other).map_or(&[][..], Vec::as_slice);
                change_bytes(&mut self.draw, &mut input, other);
            }
        }
        input
    }
}

/// Numbers that follow one another as they should not.
struct Draw(u64);

impl Draw {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).expect("below a usize")
    }

    /// A number at an edge, or any.
    fn number(&mut self) -> u64 {
        const EDGES: [u64; 12] = [0, 1, 2, 23, 24, 255, 256, 65_535, 65_536, u32::MAX as u64, 1 << 63, u64::MAX];
        if self.below(2) == 0 { EDGES[self.below(EDGES.len())] } else { self.next() >> self.below(64) }
    }
}

fn change_bytes(draw: &mut Draw, input: &mut Vec<u8>, other: &[u8]) {
    let at = draw.below(input.len());
    match draw.below(7) {
        0 => input.truncate(at),
        1 => input.insert(at, draw.next().to_be_bytes()[0]),
        2 if !input.is_empty() => drop(input.remove(at)),
        3 => {
            let number = draw.number().to_be_bytes();
            let part = &number[draw.below(8)..];
            let end = (at + part.len()).min(input.len());
            input.splice(at..end, part.iter().copied());
        }
        4 => {
            let from = draw.below(other.len());
            input.splice(at.., other[from..].iter().copied());
        }
        5 => {
            let part = input[at..(at + draw.below(64)).min(input.len())].to_vec();
            input.splice(at..at, part);
        }
        _ => {
            if let Some(byte) = input.get_mut(at) {
                *byte ^= 1 << draw.below(8);
            }
        }
    }
}

/// Changes one node of a document.
fn change_document(draw: &mut Draw, value: &mut Value) {
    match value {
        Value::Array(items) if !items.is_empty() && draw.below(5) > 0 => {
            let at = draw.below(items.len());
            change_document(draw, &mut items[at]);
        }
        Value::Map(pairs) if !pairs.is_empty() && draw.below(5) > 0 => {
            let at = draw.below(pairs.len());
            change_document(draw, &mut pairs[at].1);
        }
        Value::Array(items) => {
            let at = draw.below(items.len());
            match (draw.below(4), items.is_empty()) {
                (0, _) | (_, true) => items.insert(at, Value::Uint(draw.number())),
                (1, _) => drop(items.remove(at)),
                (2, _) => items.insert(at, items[at].clone()),
                _ => {
                    let other = draw.below(items.len());
                    items.swap(at, other);
                }
            }
        }
        Value::Map(pairs) => {
            pairs.pop();
        }
        Value::Uint(number) => *number = if draw.below(2) == 0 { draw.number() } else { number.wrapping_add(1) },
        Value::Bytes(bytes) => change_bytes(draw, bytes, &[]),
        Value::Text(text) => *text = text.chars().rev().chain(['é', '/']).skip(draw.below(3)).collect(),
        Value::Bool(flag) => *flag = !*flag,
    }
}

fn read(path: &Path) -> Vec<Vec<u8>> {
    let text = fs::read_to_string(path).unwrap_or_default();
    text.lines().map(|line| hex::decode(line).expect("hexadecimal lines")).collect()
}

fn write(path: &Path, inputs: &BTreeSet<Vec<u8>>) {
    let mut text = String::new();
    for input in inputs {
        writeln!(text, "{}", hex::encode(input)).expect("a string takes text");
    }
    fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    fs::write(path, text).expect("a corpus");
}

fn resident_kib() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}
