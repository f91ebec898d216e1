//! The programs themselves, as an operating system runs them: started, frozen, killed.

use std::{
    io::{BufRead, BufReader, PipeReader, Write, pipe},
    net::SocketAddr,
    path::PathBuf,
    process::{Child, Command},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use reqwest::StatusCode;
use secrecy::ExposeSecret;

use crate::{eventually::eventually, rig::Rig};

/// As much as a pipe holds, in bytes: <https://man7.org/linux/man-pages/man7/pipe.7.html>.
const PIPE: usize = 64 * 1024;

/// A program that runs. Killed when dropped.
pub(crate) struct Process {
    name: &'static str,
    child: Child,
    log: Arc<Mutex<Vec<String>>>,
    /// What it says, until somebody reads it.
    unread: Option<PipeReader>,
}

/// What a program is told beside where everything is.
#[derive(Default)]
pub(crate) struct Options {
    /// Added to the broker's URL, such as `heartbeat=1`.
    pub(crate) amqp: &'static str,
    pub(crate) delays: &'static str,
    /// More variables.
    pub(crate) variables: Vec<(&'static str, String)>,
    /// What starts it, instead of the test: a command that ends in running what it is given.
    pub(crate) through: &'static [&'static str],
    /// Nobody reads what it says, and there is no room for it, until [`Process::read`].
    pub(crate) unread: bool,
}

impl Process {
    /// Starts a program of the workspace on this rig, and does not wait for it.
    pub(crate) fn start(rig: &Rig, name: &'static str, told: &Options) -> Self {
        let amqp = format!("{}?{}", rig.amqp_url_of(name).expose_secret(), told.amqp);
        let delays = if told.delays.is_empty() { "50ms,100ms,200ms,400ms" } else { told.delays };
        let (log, out) = pipe().expect("a pipe");
        if told.unread {
            // Whatever a pipe holds here: full from now on, until somebody reads.
            let mut filled = out.try_clone().expect("a pipe");
            std::thread::spawn(move || filled.write_all(&vec![b'\n'; PIPE]));
        }
        let mut command = match told.through {
            [] => Command::new(binary(name)),
            [starter, words @ ..] => {
                let mut command = Command::new(starter);
                command.args(words).arg(binary(name));
                command
            }
        };
        let child = command
            .env_clear()
            .env("DATABASE_URL", rig.database.url_of(name))
            .env("AMQP_URL", amqp)
            .env("TWITCH_CLIENT_ID", rig.twitch.client_id())
            .env("TWITCH_CLIENT_SECRET", rig.twitch.client_secret())
            .env("TWITCH_API_URL", rig.twitch.api_url())
            .env("TWITCH_TOKEN_URL", rig.twitch.token_url())
            .env("PULL_INTERVAL", "0")
            .env("COLLECT_FOR", "200ms")
            .env("RETRY_DELAYS", delays)
            .env("HTTP_LISTEN", "127.0.0.1:0")
            .env("LOG_FORMAT", "json")
            .envs(told.variables.iter().map(|(name, value)| (name, value)))
            .stdout(out.try_clone().expect("a pipe"))
            .stderr(out)
            .spawn()
            .unwrap_or_else(|error| panic!("{name}: {error}: tests/run builds the programs first"));
        let mut process = Self { name, child, log: Arc::default(), unread: Some(log) };
        if !told.unread {
            process.read();
        }
        process
    }

    /// Begins to read what it says.
    pub(crate) fn read(&mut self) {
        let lines = BufReader::new(self.unread.take().expect("its log")).lines();
        let kept = Arc::clone(&self.log);
        // Ends with the program.
        std::thread::spawn(move || {
            lines.map_while(Result::ok).for_each(|line| {
                kept.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            });
        });
    }

    /// Its number, for the operating system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// SIGTERM: it must end well. All that it said, to the last line.
    pub(crate) async fn whole_log(self) -> Vec<String> {
        let log = Arc::clone(&self.log);
        self.terminate().await;
        // The reader lets go of the log at its end.
        eventually("the log should end", || {
            let readers = Arc::strong_count(&log) - 1;
            std::future::ready(if readers == 0 { Ok(()) } else { Err(readers) })
        })
        .await;
        let lines = log.lock().unwrap_or_else(PoisonError::into_inner);
        lines.clone()
    }

    /// Waits until it says that it is ready; where it answers probes.
    pub(crate) async fn ready(&self) -> SocketAddr {
        let said = format!("{} is ready", self.name);
        eventually(&said, || async {
            let log = self.log();
            let line = log.iter().find(|line| line.contains(&said)).ok_or_else(|| log.clone())?;
            let line: serde_json::Value = serde_json::from_str(line).expect("a log line is JSON");
            line["address"].as_str().and_then(|address| address.parse().ok()).ok_or(log)
        })
        .await
    }

    /// What everybody on the machine can see of it: its command line.
    pub(crate) fn command_line(&self) -> String {
        let line = std::fs::read(format!("/proc/{}/cmdline", self.child.id())).expect("a command line");
        String::from_utf8_lossy(&line).into_owned()
    }

    /// SIGKILL: it has no say in it.
    pub(crate) fn kill(&mut self) {
        self.child.kill().expect("killed");
        self.child.wait().expect("gone");
    }

    /// A signal by name, such as `TERM`.
    pub(crate) fn signal(&self, signal: &str) {
        let sent = Command::new("kill").arg(format!("-{signal}")).arg(self.child.id().to_string()).status();
        assert!(sent.expect("kill should run").success(), "{signal} to {}", self.name);
    }

    /// SIGTERM: it must end well. Returns how long it took.
    pub(crate) async fn terminate(mut self) -> Duration {
        let told = Instant::now();
        self.signal("TERM");
        let status = eventually(&format!("{} should end", self.name), || {
            let status = self.child.try_wait().expect("a status");
            std::future::ready(status.ok_or("it runs"))
        })
        .await;
        assert!(status.success(), "{}: {status}: {:#?}", self.name, self.log());
        told.elapsed()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // One that is gone already cannot be killed, which is fine.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a program answers to a probe.
pub(crate) async fn probe(address: SocketAddr, path: &str) -> (StatusCode, String) {
    let answer = reqwest::get(format!("http://{address}/{path}")).await.expect("an answer");
    (answer.status(), answer.text().await.expect("a text"))
}

/// Where cargo puts the programs: beside the folder of the tests.
pub(crate) fn binary(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("a path");
    test.parent().and_then(|deps| deps.parent()).expect("a target folder").join(name)
}
