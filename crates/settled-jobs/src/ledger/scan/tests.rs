use std::sync::atomic::{AtomicBool, Ordering};
use std::time::SystemTime;

use super::*;
use crate::job::Input;
use crate::line::OutcomeLine;
use crate::plan::Plan;

/// Bytes in memory, given out at most so many at a time; reading over `trap` fails or panics.
struct Memory {
    bytes: Vec<u8>,
    step: usize,
    trap: Option<(u64, Trap)>,
    trapped: AtomicBool,
}

#[derive(Clone, Copy)]
enum Trap {
    Fail,
    Panic,
}

impl Memory {
    fn new(bytes: Vec<u8>, step: usize) -> Self {
        Self {
            bytes,
            step,
            trap: None,
            trapped: AtomicBool::new(false),
        }
    }
}

impl ReadAt for Memory {
    fn read_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = self.bytes.get(offset as usize..).unwrap_or_default();
        let n = rest.len().min(bytes.len()).min(self.step);
        match self.trap {
            Some((at, trap)) if (offset..offset + n as u64).contains(&at) => {
                self.trapped.store(true, Ordering::Relaxed);
                match trap {
                    Trap::Fail => Err(io::Error::other("no such sector")),
                    Trap::Panic => panic!("a trap of this test"),
                }
            }
            _ => {
                bytes[..n].copy_from_slice(&rest[..n]);
                Ok(n)
            }
        }
    }
}

/// What `scan` gives out, as text.
fn scanned(from: &Memory, threads: usize, segment: u64) -> (Vec<String>, io::Result<()>) {
    let cut = Cut {
        threads,
        segment,
        length: from.bytes.len() as u64,
    };
    let mut found = Vec::new();
    let result = scan(from, cut, |place, line| {
        found.push(format!("{place:?} {line:?}"));
        Ok(())
    });
    (found, result)
}

/// The same, in the simplest way there is.
fn read_in_one_go(bytes: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    let mut offset = 0;
    for (line, number) in bytes.split_inclusive(|&b| b == b'\n').zip(1..) {
        let whole = line.strip_suffix(b"\n");
        let length = whole.unwrap_or(line).len() as u64;
        let place = Place {
            number,
            offset,
            length,
        };
        let line_is = whole.map_or(Line::Torn, read_line);
        found.push(format!("{place:?} {line_is:?}"));
        offset += line.len() as u64;
    }
    found
}

fn outcome(rng: &mut fastrand::Rng, out: &mut Vec<u8>) {
    let seq = rng.u64(1..100_000);
    let id = match rng.u8(..3) {
        0 => "x".repeat(rng.usize(..20)),
        1 => format!("\"{}\" ü", rng.u64(..)),
        _ => seq.to_string(),
    };
    let most = [1, 40, 3_000][rng.usize(..3)];
    let input = Input::of_line("y".repeat(rng.usize(..most)).as_bytes());
    let line = OutcomeLine {
        seq,
        id: &id,
        key: Key::of(id.as_bytes()),
        outcome: OutcomeKind::ALL[rng.usize(..OutcomeKind::ALL.len())],
        is_final: rng.bool(),
        attempts: 1,
        took: std::time::Duration::ZERO,
        started: SystemTime::UNIX_EPOCH,
        input: &input,
        result: None,
        error: None,
        tries: &[],
        meta: None,
    };
    line.write(out, rng.u8(..5) > 0);
}

/// A ledger of some lines: plans, outcomes, long ones; some of its bytes are damaged, and its end may be torn off.
fn ledger(rng: &mut fastrand::Rng) -> Vec<u8> {
    let mut out = Vec::new();
    for _ in 0..rng.usize(..60) {
        match rng.u8(..20) {
            0 => PlanLine::new(&Plan::new("fetch"), "name").write(&mut out),
            1 => out.extend_from_slice(&b"\n\n\nnothing of ours\r\n"[..rng.usize(1..20)]),
            _ => outcome(rng, &mut out),
        }
    }
    for _ in 0..rng.usize(..4) {
        if !out.is_empty() {
            let at = rng.usize(..out.len());
            out[at] = if rng.bool() { b'\n' } else { rng.u8(..) };
        }
    }
    if rng.bool() {
        out.truncate(out.len() - rng.usize(..=out.len().min(300)));
    }
    out
}

#[test]
fn it_finds_what_reading_in_one_go_finds_however_it_is_cut() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for round in 0..150 {
        let bytes = ledger(&mut rng);
        let expected = read_in_one_go(&bytes);
        let step = [1, 7, 5_000, usize::MAX][rng.usize(..4)];
        let length = bytes.len();
        let memory = Memory::new(bytes, step);
        let segment = match length {
            0..3_000 => rng.u64(1..30),
            _ => [60, 700, 1 << 20][rng.usize(..3)],
        };
        for threads in [1, 2, 4] {
            let (found, result) = scanned(&memory, threads, segment);
            result.unwrap();
            assert_eq!(found, expected, "round {round}, segments of {segment}");
        }
    }
}

#[test]
fn a_ledger_that_grew_meanwhile_is_read_to_its_end() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut bytes = Vec::new();
    (0..50).for_each(|_| outcome(&mut rng, &mut bytes));
    let expected = read_in_one_go(&bytes);
    let cut = Cut {
        threads: 2,
        segment: 300,
        length: 1_000,
    };
    let mut found = Vec::new();
    let memory = Memory::new(bytes, usize::MAX);
    let result = scan(&memory, cut, |place, line| {
        found.push(format!("{place:?} {line:?}"));
        Ok(())
    });
    result.unwrap();
    assert_eq!(found, expected);
}

#[test]
fn a_line_much_longer_than_a_segment_is_read_once_for_all() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut bytes = Vec::new();
    outcome(&mut rng, &mut bytes);
    bytes.extend(std::iter::repeat_n(b'z', 3_000_000));
    bytes.push(b'\n');
    outcome(&mut rng, &mut bytes);
    let expected = read_in_one_go(&bytes);
    let memory = Memory::new(bytes, usize::MAX);
    for threads in [1, 4] {
        let (found, result) = scanned(&memory, threads, 4_096);
        result.unwrap();
        assert_eq!(found, expected);
    }
}

#[test]
fn an_error_or_a_panic_while_reading_is_an_error_and_what_is_before_it_was_given_out() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for trap in [Trap::Fail, Trap::Panic] {
        for threads in [2, 4] {
            let mut bytes = Vec::new();
            (0..200).for_each(|_| outcome(&mut rng, &mut bytes));
            let expected = read_in_one_go(&bytes);
            let mut memory = Memory::new(bytes, 100);
            memory.trap = Some((rng.u64(..memory.bytes.len() as u64), trap));
            let (found, result) = scanned(&memory, threads, 500);
            assert!(memory.trapped.load(Ordering::Relaxed));
            let error = result.unwrap_err().to_string();
            let said = match trap {
                Trap::Fail => "no such sector",
                Trap::Panic => "a reader of it panicked: a defect",
            };
            assert_eq!(error, said);
            assert_eq!(found, expected[..found.len()]);
        }
    }
}

#[test]
fn what_takes_the_lines_may_fail_and_that_ends_it() {
    let mut rng = fastrand::Rng::with_seed(1);
    let mut bytes = Vec::new();
    (0..200).for_each(|_| outcome(&mut rng, &mut bytes));
    let memory = Memory::new(bytes, usize::MAX);
    let cut = Cut {
        threads: 3,
        segment: 400,
        length: memory.bytes.len() as u64,
    };
    let mut taken = 0;
    let result = scan(&memory, cut, |_, _| {
        taken += 1;
        if taken == 20 {
            Err(io::Error::other("full"))
        } else {
            Ok(())
        }
    });
    assert_eq!(
        (taken, result.unwrap_err().to_string()),
        (20, "full".into())
    );
}
