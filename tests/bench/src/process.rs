//! The programs as processes: started, watched, killed.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    process::{Child, Command},
    time::sleep,
};

use crate::outcome::Outcome;

/// The four workers, in the order of the flow.
pub(crate) const WORKERS: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];
/// How long a program may take to be ready.
const READY: Duration = Duration::from_secs(30);
/// How long a program may take to end when told to.
const STOP: Duration = Duration::from_secs(40);
/// Clock ticks a second in /proc: a constant of the kernel's interface.
const TICKS: f64 = 100.0;

/// What is needed to start a program.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) program: PathBuf,
    pub(crate) name: &'static str,
    pub(crate) log: PathBuf,
    pub(crate) variables: Vec<(&'static str, String)>,
}

/// A running program. Ends with SIGKILL when dropped.
#[derive(Debug)]
pub(crate) struct Process {
    recipe: Recipe,
    child: Child,
    started: Instant,
    /// From the start to its word that it is ready.
    pub(crate) ready_after: Duration,
}

/// What a process took.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taken {
    /// Most memory it ever had, in KiB.
    pub(crate) peak_rss: u64,
    /// Seconds of processor time.
    pub(crate) cpu: f64,
}

impl Process {
    /// Starts the program; does not wait for it.
    pub(crate) fn start(recipe: Recipe) -> Outcome<Self> {
        let log = File::create(&recipe.log)?;
        let child = Command::new(&recipe.program)
            .env_clear()
            .envs(recipe.variables.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { recipe, child, started: Instant::now(), ready_after: Duration::ZERO })
    }

    /// Waits until it says it is ready.
    pub(crate) async fn ready(mut self) -> Outcome<Self> {
        while !self.log()?.contains(" is ready: ") {
            if let Some(status) = self.child.try_wait()? {
                return Err(format!("{} ended with {status}: {}", self.recipe.name, self.log()?).into());
            }
            if self.started.elapsed() > READY {
                return Err(format!("{} is not ready: {}", self.recipe.name, self.log()?).into());
            }
            sleep(Duration::from_millis(5)).await;
        }
        self.ready_after = self.started.elapsed();
        Ok(self)
    }

    pub(crate) fn name(&self) -> &'static str {
        self.recipe.name
    }

    fn log(&self) -> Outcome<String> {
        Ok(fs::read_to_string(&self.recipe.log)?)
    }

    /// What it took until now.
    pub(crate) fn taken(&self) -> Outcome<Taken> {
        taken(self.child.id().ok_or("the process has ended")?)
    }

    /// Memory that is resident now, in KiB.
    pub(crate) fn resident(&self) -> Outcome<u64> {
        let pid = self.child.id().ok_or("the process has ended")?;
        let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
        let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        Ok(resident.trim().trim_end_matches("kB").trim().parse()?)
    }

    /// Lines it has logged so far.
    pub(crate) fn log_lines(&self) -> Outcome<usize> {
        Ok(self.log()?.lines().count())
    }

    /// SIGKILL, and another one in its place, not ready yet.
    pub(crate) async fn replace(mut self) -> Outcome<Self> {
        self.child.kill().await?;
        Self::start(self.recipe.clone())
    }

    /// SIGTERM, and when it has ended well another one in its place, not ready yet.
    pub(crate) async fn restart(self) -> Outcome<Self> {
        let recipe = self.recipe.clone();
        self.stop().await?;
        Self::start(recipe)
    }

    /// Stops it as an operator does; it must end well.
    pub(crate) async fn stop(mut self) -> Outcome<()> {
        let pid = self.child.id().ok_or("the process has ended")?;
        Command::new("kill").arg(pid.to_string()).status().await?;
        let status = tokio::time::timeout(STOP, self.child.wait()).await??;
        if status.success() {
            Ok(())
        } else {
            Err(format!("{} ended with {status}", self.recipe.name).into())
        }
    }
}

/// What a process took until now, by /proc.
pub(crate) fn taken(pid: u32) -> Outcome<Taken> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).ok_or("no VmHWM")?;
    let peak_rss = peak.trim().trim_end_matches("kB").trim().parse()?;
    Ok(Taken { peak_rss, cpu: cpu(pid, false)? })
}

/// Seconds of processor time of a process, with those of its ended children when asked.
fn cpu(pid: u32, children: bool) -> Outcome<f64> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    // After the name: utime, stime, cutime, cstime are the 12th to 15th.
    let ticks = fields.get(11..if children { 15 } else { 13 }).unwrap_or_default();
    let ticks: Vec<f64> = ticks.iter().map(|ticks| ticks.parse()).collect::<Result<_, _>>()?;
    Ok(ticks.iter().sum::<f64>() / TICKS)
}

/// Seconds of processor time of a process and all its children, those that ended included.
pub(crate) fn family_cpu(parent: u32) -> Outcome<f64> {
    let mut seconds = cpu(parent, true)?;
    for entry in fs::read_dir("/proc")?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else {
            continue;
        };
        let Ok(stat) = fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let of = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1)?.parse::<u32>().ok());
        if of == Some(parent) {
            // One that ends between the two looks is counted by its parent the next time.
            seconds += cpu(pid, true).unwrap_or_default();
        }
    }
    Ok(seconds)
}
