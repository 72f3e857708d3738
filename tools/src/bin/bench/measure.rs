//! One process, from its start to its end: how long, and how much memory at its peak.
//!
//! The peak is what the kernel accounts to children, which counts what the parent had in memory when it
//! started them. So each child is started by a copy of this program that has done nothing else yet.

use std::error::Error;
use std::ffi::OsString;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// What one run took.
#[derive(Clone, Copy, Debug)]
pub struct Run {
    /// From its start to its end.
    pub wall: Duration,
    /// Its largest resident set, in bytes.
    pub peak: u64,
    /// What it computed, on all cores together, the kernel's work for it included.
    pub computed: Duration,
    /// Its exit code.
    pub code: i32,
}

/// The middle of several runs.
#[derive(Clone, Copy, Debug)]
pub struct Middle {
    /// Median of the times.
    pub wall: Duration,
    /// The shortest.
    pub best: Duration,
    /// The longest.
    pub worst: Duration,
    /// Median of the peaks, in bytes.
    pub peak: u64,
    /// Median of what was computed.
    pub computed: Duration,
}

/// The part of this program that starts `command` and tells what it took.
pub fn one(command: &[OsString]) -> Result<(), Box<dyn Error>> {
    let (program, arguments) = command.split_first().ok_or("nothing to run")?;
    let started = Instant::now();
    let status = Command::new(program)
        .args(arguments)
        .stdout(Stdio::null())
        .status()?;
    let wall = started.elapsed();
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let kilobytes = u64::try_from(usage.max_rss())?;
    let microseconds = (usage.user_time() + usage.system_time()).num_microseconds();
    println!(
        "{} {} {} {}",
        wall.as_nanos(),
        kilobytes * 1024,
        microseconds,
        status.code().unwrap_or(-1)
    );
    Ok(())
}

/// Runs `command`, its environment included, once.
pub fn run(command: &Command) -> Result<Run, Box<dyn Error>> {
    let mut outer = Command::new(std::env::current_exe()?);
    outer
        .arg("one")
        .arg(command.get_program())
        .args(command.get_args())
        .stderr(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => outer.env(name, value),
            None => outer.env_remove(name),
        };
    }
    let told = String::from_utf8(outer.output()?.stdout)?;
    let mut words = told.split_whitespace();
    let mut next = || words.next().ok_or("a measuring process said nothing");
    Ok(Run {
        wall: Duration::from_nanos(next()?.parse()?),
        peak: next()?.parse()?,
        computed: Duration::from_micros(next()?.parse()?),
        code: next()?.parse()?,
    })
}

/// Runs `command` the given number of times after one that does not count. `expected` is its exit code.
pub fn runs(times: usize, expected: i32, command: &Command) -> Result<Middle, Box<dyn Error>> {
    run(command)?;
    let mut all = Vec::with_capacity(times);
    for _ in 0..times {
        let run = run(command)?;
        if run.code != expected {
            return Err(format!("{command:?} ended with {}", run.code).into());
        }
        all.push(run);
    }
    middle(&mut all).ok_or_else(|| "no runs".into())
}

fn middle(runs: &mut [Run]) -> Option<Middle> {
    runs.sort_by_key(|run| run.peak);
    let peak = runs.get(runs.len() / 2)?.peak;
    runs.sort_by_key(|run| run.computed);
    let computed = runs.get(runs.len() / 2)?.computed;
    runs.sort_by_key(|run| run.wall);
    Some(Middle {
        wall: runs.get(runs.len() / 2)?.wall,
        best: runs.first()?.wall,
        worst: runs.last()?.wall,
        peak,
        computed,
    })
}
