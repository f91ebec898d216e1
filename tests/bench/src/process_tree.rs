//! A process with all its descendants, as /proc shows them: what processor time they took and what memory they have.

use std::{collections::BTreeMap, fs};

use crate::Outcome;

/// Clock ticks a second in /proc: a constant of the kernel's interface.
const TICKS: f64 = 100.0;

/// A process and all its descendants.
pub(crate) fn tree(root: u32) -> Outcome<Vec<u32>> {
    let mut children: BTreeMap<u32, Vec<u32>> = BTreeMap::new();
    for entry in fs::read_dir("/proc")?.flatten() {
        let pid = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok());
        // One that ends between the two looks is nobody's child any more.
        if let Some((pid, stat)) = pid.and_then(|pid| Some((pid, stat(pid).ok()?))) {
            children.entry(stat[PARENT].parse()?).or_default().push(pid);
        }
    }
    let mut found = vec![root];
    let mut next = 0;
    while let Some(pid) = found.get(next) {
        found.extend(children.remove(pid).unwrap_or_default());
        next += 1;
    }
    Ok(found)
}

/// Seconds of processor time of a process and all its descendants, those that ended included.
pub(crate) fn tree_cpu(root: u32) -> Outcome<f64> {
    let mut seconds = 0.0;
    for pid in tree(root)? {
        // One that has ended meanwhile is counted by its parent the next time.
        let Ok(stat) = stat(pid) else { continue };
        seconds += own_cpu(pid)? + ticks(&stat[CHILDREN_TIME])?;
    }
    Ok(seconds)
}

/// Seconds of processor time of a process alone.
pub(crate) fn own_cpu(pid: u32) -> Outcome<f64> {
    // `stat` counts in hundredths of a second, `schedstat` in nanoseconds but without threads that have ended.
    let mut nanoseconds = 0.0;
    for thread in fs::read_dir(format!("/proc/{pid}/task"))?.flatten() {
        let times = fs::read_to_string(thread.path().join("schedstat")).unwrap_or_default();
        nanoseconds += times.split(' ').next().and_then(|time| time.parse::<f64>().ok()).unwrap_or_default();
    }
    Ok(ticks(&stat(pid)?[OWN_TIME])?.max(nanoseconds / 1e9))
}

/// Lets the peak of every process of the tree begin anew.
pub(crate) fn reset_peak(root: u32) -> Outcome<()> {
    for pid in tree(root)? {
        // proc(5): 5 resets the peak resident set size.
        fs::write(format!("/proc/{pid}/clear_refs"), "5")?;
    }
    Ok(())
}

/// KiB the tree has now; what processes share is divided among them.
pub(crate) fn memory(root: u32) -> Outcome<u64> {
    tree(root)?.into_iter().map(|pid| field(pid, "smaps_rollup", "Pss:")).sum()
}

/// KiB the tree had at most: what it has now, and by how much each process had more at its own peak. What grows and
/// shrinks is a process's own memory, so nothing needs to be looked at while it runs.
pub(crate) fn peak_memory(root: u32) -> Outcome<u64> {
    let mut peak = 0;
    for pid in tree(root)? {
        let above = field(pid, "status", "VmHWM:")?.saturating_sub(field(pid, "status", "VmRSS:")?);
        peak += field(pid, "smaps_rollup", "Pss:")? + above;
    }
    Ok(peak)
}

/// A line of a file of a process, in KiB.
pub(crate) fn field(pid: u32, file: &str, name: &str) -> Outcome<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/{file}"))?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    Ok(value.trim().trim_end_matches("kB").trim().parse()?)
}

// Places in /proc/PID/stat behind the name, which may hold anything: see proc(5).
const PARENT: usize = 1;
const OWN_TIME: std::ops::Range<usize> = 11..13;
const CHILDREN_TIME: std::ops::Range<usize> = 13..15;

fn stat(pid: u32) -> Outcome<Vec<String>> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = text.rsplit(')').next().unwrap_or_default().split_whitespace();
    let fields: Vec<String> = fields.map(str::to_owned).collect();
    if fields.len() < CHILDREN_TIME.end {
        Err(format!("/proc/{pid}/stat is short").into())
    } else {
        Ok(fields)
    }
}

fn ticks(fields: &[String]) -> Outcome<f64> {
    let ticks: Vec<f64> = fields.iter().map(|ticks| ticks.parse()).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS)
}
