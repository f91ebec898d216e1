//! A fake Twitch to run beside the project's programs: `fake-twitch --help` tells how.

mod args;
mod healthcheck;

use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use fake_twitch::{FakeTwitch, SCENARIOS};
use tokio::signal::unix::{SignalKind, signal};

use args::{Args, Command};

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(io::stderr).init();
    let args = Args::parse();
    let outcome = match args.command {
        Some(Command::Healthcheck) => healthcheck::check(args.listen).await,
        None if args.list_scenarios => list(),
        None => run(&args).await,
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Serves until told to stop; the runtime's end then closes whatever is still open.
async fn run(args: &Args) -> io::Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let twitch = FakeTwitch::serve(args.world(), args.settings()).await?;
    if let Some(path) = &args.url_file {
        publish(path, &twitch.base_url())?;
    }
    let live = twitch.world().streams().len();
    let (api, token, base) = (twitch.api_url(), twitch.token_url(), twitch.base_url());
    say(&format!("fake-twitch is ready: {live} streams, api {api} token {token} world {base}/world/stats"))?;
    tokio::select! {
        _ = terminate.recv() => Ok(()),
        interrupted = tokio::signal::ctrl_c() => interrupted,
    }
}

/// Whoever waits for the file sees it whole or not at all.
fn publish(path: &Path, url: &str) -> io::Result<()> {
    let draft = path.with_extension("draft");
    std::fs::write(&draft, url)?;
    std::fs::rename(draft, path)
}

fn list() -> io::Result<()> {
    SCENARIOS.iter().try_for_each(|scenario| say(&format!("{:22} {}", scenario.name, scenario.about)))
}

fn say(line: &str) -> io::Result<()> {
    writeln!(io::stdout(), "{line}")
}
