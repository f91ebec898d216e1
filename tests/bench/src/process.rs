//! The programs as processes: started, watched, killed.

use std::{
    fs::{self, File},
    path::PathBuf,
    process::Stdio,
    time::{Duration, Instant},
};

use tokio::{
    io::AsyncWriteExt,
    process::{Child, Command},
    time::sleep,
};

use crate::{outcome::Outcome, process_tree};

/// The four workers, in the order of the flow.
pub(crate) const WORKERS: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];
/// How long a program may take to be ready.
const READY: Duration = Duration::from_secs(30);
/// How long a program may take to end when told to.
const STOP: Duration = Duration::from_secs(40);

/// What is needed to start a program.
#[derive(Debug, Clone)]
pub(crate) struct Recipe {
    pub(crate) program: PathBuf,
    pub(crate) arguments: Vec<String>,
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
            .args(&recipe.arguments)
            .env_clear()
            .envs(recipe.variables.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::piped())
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

    /// Its number.
    pub(crate) fn pid(&self) -> Outcome<u32> {
        Ok(self.child.id().ok_or("the process has ended")?)
    }

    /// What it has logged so far.
    pub(crate) fn log(&self) -> Outcome<String> {
        Ok(fs::read_to_string(&self.recipe.log)?)
    }

    /// What it took until now.
    pub(crate) fn taken(&self) -> Outcome<Taken> {
        taken(self.pid()?)
    }

    /// Memory that is resident now, in KiB.
    pub(crate) fn resident(&self) -> Outcome<u64> {
        process_tree::field(self.pid()?, "status", "VmRSS:")
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
    pub(crate) async fn stop(self) -> Outcome<()> {
        Command::new("kill").arg(self.pid()?.to_string()).status().await?;
        self.ended().await
    }

    /// Writes a line to its standard input.
    pub(crate) async fn tell(&mut self, line: &str) -> Outcome<()> {
        let input = self.child.stdin.as_mut().ok_or("its standard input is closed")?;
        Ok(input.write_all(format!("{line}\n").as_bytes()).await?)
    }

    /// Closes its standard input, upon which it must end well.
    pub(crate) async fn finish(mut self) -> Outcome<()> {
        drop(self.child.stdin.take());
        self.ended().await
    }

    async fn ended(mut self) -> Outcome<()> {
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
    Ok(Taken { peak_rss: process_tree::field(pid, "status", "VmHWM:")?, cpu: process_tree::own_cpu(pid)? })
}
