//! A worker as a program: settings, construction, the run, an honest exit code.

use std::{process::ExitCode, sync::Arc};

use clap::{Args, CommandFactory, FromArgMatches, Parser, Subcommand};

use super::{Export, Settings, Stop, Worker, export::Traces, run, telemetry};
use crate::{
    clock::Clock,
    config::{Broker, ConfigError, EXIT_CONFIG, Process, empty_is_unset},
    failure::Failure,
};

/// The command line of a worker: its own settings, then what all workers have.
#[derive(Debug, Parser)]
#[command(version)]
pub struct Cli<S: Args> {
    /// The worker's own settings.
    #[command(flatten)]
    pub worker: S,
    /// Where RabbitMQ is.
    #[command(flatten)]
    pub broker: Broker,
    /// How it runs.
    #[command(flatten)]
    pub process: Process,
    /// Where its spans go.
    #[command(flatten)]
    pub export: Export,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, Clone, Copy, Subcommand)]
enum Command {
    /// Asks the worker that listens on `HTTP_LISTEN` whether it is ready: exits 0 if it is, 1 if not
    Healthcheck,
}

/// Why a worker could not be made.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// A setting cannot be used.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// Something else went wrong.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// The whole of a worker's `main`: parses the command line, makes the worker with `build`, runs it until SIGTERM.
///
/// Exits 0 when told to stop, 78 for settings that cannot be used, 2 for a command line that cannot be parsed, 1 else.
pub fn main<S: Args, W: Worker>(
    about: &'static str,
    build: impl FnOnce(&S, Clock) -> Result<W, SetupError>,
) -> ExitCode {
    let name = W::STAGE.info().name;
    let command = empty_is_unset(Cli::<S>::command().name(name).about(about));
    let cli = Cli::<S>::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit());
    if let Some(Command::Healthcheck) = cli.command {
        return healthcheck(cli.process.http_listen);
    }
    let traces = Traces::open(&cli.export, name);
    telemetry::init(cli.process.log_format, traces.as_ref().unwrap_or(&Traces::default()));
    match traces.map_err(SetupError::from).and_then(|traces| start(&cli, traces, build)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(SetupError::Config(error)) => {
            tracing::error!("{name} cannot start: {error}");
            ExitCode::from(EXIT_CONFIG)
        }
        Err(SetupError::Failure(failure)) => {
            tracing::error!(code = failure.code, "{name} stops: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn start<S: Args, W: Worker>(
    cli: &Cli<S>,
    traces: Traces,
    build: impl FnOnce(&S, Clock) -> Result<W, SetupError>,
) -> Result<(), SetupError> {
    let settings = Settings {
        amqp_url: cli.broker.url()?,
        delays: cli.broker.retry_delays.clone(),
        http_listen: cli.process.http_listen,
        shutdown_deadline: cli.process.shutdown_deadline,
        clock: Clock::System,
    };
    // Two threads: one may be busy with a page of JSON while the other keeps the heartbeats.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::permanent("process.runtime", error.to_string()))?;
    runtime.block_on(async {
        let signals =
            Stop::on_signals().map_err(|error| Failure::permanent("process.signals", error.to_string()))?;
        let worker = Arc::new(build(&cli.worker, Clock::System)?);
        let deadline = settings.shutdown_deadline;
        let running = async {
            let ended = run(worker, settings, signals.clone()).await;
            traces.close().await;
            ended
        };
        let overdue = async {
            signals.requested().await;
            tokio::time::sleep(deadline).await;
        };
        tokio::select! {
            ended = running => Ok(ended?),
            // What is not acknowledged by now is delivered again, to somebody else.
            () = overdue => {
                tracing::warn!("the deadline to finish has passed: leaving the rest to another delivery");
                Ok(())
            }
        }
    })
}

/// Asks the process that listens on `address`; for health checks in an image without a shell.
fn healthcheck(address: std::net::SocketAddr) -> ExitCode {
    match super::health::ask(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            telemetry::init(None, &Traces::default());
            tracing::error!("{why}");
            ExitCode::FAILURE
        }
    }
}
