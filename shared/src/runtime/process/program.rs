//! A worker as a program: settings, construction, the run, an honest exit code.

use std::{
    io::{Write, stderr, stdout},
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
};

use clap::{Args, CommandFactory, Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::{EnvFilter, filter::LevelFilter};

use super::{
    super::{Export, Settings, Worker, broker::amqp_url::check_url, run},
    events::recording_events,
    logs, shutdown,
    traces::Traces,
};
use crate::{
    clock::Clock,
    config::{self, Broker, ConfigCommand, EXIT_CONFIG, Parsed, Process, SetupError, Unparsed},
    failure::Failure,
    version::VERSION,
};

const EXIT_CODES: &str = "\
Exit codes:
    0  told to stop, and done with what was in hand
    1  it cannot work, or is not ready (healthcheck)
    2  the command line cannot be understood
   78  a setting cannot be used; one line says which, why, and what to do";

/// The command line of a worker: its own settings, then what all workers have.
#[derive(Debug, Parser)]
#[command(version = VERSION, after_help = EXIT_CODES)]
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
pub(super) enum Command {
    /// Asks the worker that listens on `HTTP_LISTEN` whether it is ready: exits 0 if it is, 1 if not
    Healthcheck,
    /// Looks at the settings
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
}

/// The whole of a worker's `main`: parses the command line, makes the worker with `build`, runs it until SIGTERM.
///
/// Exits 0 when told to stop, 78 for settings that cannot be used, 2 for a command line that cannot be understood, 1 else.
pub fn main<S: Args, W: Worker>(
    about: &'static str,
    build: impl FnOnce(&S, Clock) -> Result<W, SetupError>,
) -> ExitCode {
    let name = W::STAGE.info().name;
    let parsed = match config::parse::<Cli<S>>(Cli::<S>::command().name(name).about(about)) {
        Ok(parsed) => parsed,
        Err(Unparsed::Told(code)) => return code,
        Err(Unparsed::Setting(error)) => return refuse(name, &error.into()),
    };
    let cli = &parsed.program;
    match prepared(name, cli.command, cli.process.http_listen, &parsed, || prepare(cli, build)) {
        Ok(prepared) => start(cli, prepared),
        Err(told) => told,
    }
}

/// The program, ready to run; or the exit code, if something else was asked of it, or a setting cannot be used.
pub(super) fn prepared<P, T>(
    name: &'static str,
    command: Option<Command>,
    http_listen: SocketAddr,
    parsed: &Parsed<P>,
    prepare: impl FnOnce() -> Result<T, SetupError>,
) -> Result<T, ExitCode> {
    match command {
        Some(Command::Healthcheck) => Err(healthcheck(http_listen)),
        Some(Command::Config { command: ConfigCommand::Show }) => Err(show(parsed)),
        Some(Command::Config { command: ConfigCommand::Check }) => Err(match prepare() {
            Ok(_) => say_usable(name),
            Err(error) => refuse(name, &error),
        }),
        None => prepare().map_err(|error| refuse(name, &error)),
    }
}

/// All that settings decide, before anybody is called.
struct Prepared<W> {
    levels: EnvFilter,
    traces: Traces,
    settings: Settings,
    worker: W,
}

fn prepare<S: Args, W: Worker>(
    cli: &Cli<S>,
    build: impl FnOnce(&S, Clock) -> Result<W, SetupError>,
) -> Result<Prepared<W>, SetupError> {
    let levels = logs::log_levels(LevelFilter::INFO)?;
    let amqp_url = cli.broker.url()?;
    check_url(&amqp_url)?;
    let settings = Settings {
        amqp_url,
        delays: cli.broker.retry_delays.clone(),
        http_listen: cli.process.http_listen,
        shutdown_deadline: cli.process.shutdown_deadline,
        max_in_hand: cli.process.max_in_hand,
        pause_after: cli.process.pause_after_dead_letters,
        clock: Clock::System,
    };
    let worker = build(&cli.worker, Clock::System)?;
    Ok(Prepared { levels, traces: Traces::open(&cli.export, W::STAGE.info().name)?, settings, worker })
}

/// Runs until told to stop, and says why it ends where nobody told it to.
fn start<S: Args, W: Worker>(cli: &Cli<S>, prepared: Prepared<W>) -> ExitCode {
    let Prepared { levels, traces, settings, worker } = prepared;
    let name = W::STAGE.info().name;
    let _last_lines = logs::init(name, cli.process.log_format, levels, &traces);
    match serve(worker, settings, traces) {
        Ok(code) => code,
        Err(failure) => {
            tracing::error!(code = failure.code, "{name} cannot start: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs to the end: how it ended, or why it could not begin.
fn serve<W: Worker>(worker: W, settings: Settings, traces: Traces) -> Result<ExitCode, Failure> {
    block_on(async |stop| {
        let deadline = settings.shutdown_deadline;
        let (worker, clock) = (Arc::new(worker), settings.clock.clone());
        let name = W::STAGE.info().name;
        // On the heap, as what waits for it would be as large.
        let running = Box::pin(async {
            let ended = run(Arc::clone(&worker), settings, stop.clone()).await;
            if let Err(failure) = &ended {
                tracing::error!(code = failure.code, "{name} stops: {failure}");
            }
            traces.close().await;
            if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        });
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(deadline).await;
        };
        let in_time = async {
            tokio::select! {
                ended = running => ended,
                // What is not acknowledged by now is delivered again, to somebody else.
                () = overdue => {
                    tracing::warn!("the deadline to finish has passed: leaving the rest to another delivery");
                    ExitCode::SUCCESS
                }
            }
        };
        Ok(recording_events(worker.status_reporter(), name, &clock, in_time).await)
    })
}

/// Does `work`, which is given what a signal to stop cancels.
pub(super) fn block_on<T>(
    work: impl AsyncFnOnce(CancellationToken) -> Result<T, Failure>,
) -> Result<T, Failure> {
    // Two threads: one may be busy with a page of JSON while the other keeps the heartbeats.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::permanent("process.runtime", error.to_string()))?;
    runtime.block_on(async {
        let stop = shutdown::on_signals()
            .map_err(|error| Failure::permanent("process.signals", error.to_string()))?;
        work(stop).await
    })
}

/// Says that the settings can be used.
fn say_usable(name: &str) -> ExitCode {
    say(&mut stdout(), &format!("{name}: the settings can be used"));
    ExitCode::SUCCESS
}

/// Says in one line why there is nothing to run, and with what code.
pub(super) fn refuse(name: &'static str, error: &SetupError) -> ExitCode {
    let _last_lines = logs::init(name, None, EnvFilter::new("info"), &Traces::default());
    match error {
        SetupError::Config(error) => {
            tracing::error!("{name} cannot start: {error}");
            ExitCode::from(EXIT_CONFIG)
        }
        SetupError::Failure(failure) => {
            tracing::error!(code = failure.code, "{name} cannot start: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Shows every setting.
fn show<P>(parsed: &Parsed<P>) -> ExitCode {
    let settings = parsed.settings();
    let code = if settings.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(EXIT_CONFIG) };
    say(&mut stdout(), &settings.unwrap_or_else(|settings| settings));
    code
}

/// Asks the process that listens on `address`; for health checks in an image without a shell.
fn healthcheck(address: SocketAddr) -> ExitCode {
    match super::probes::ask(address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            say(&mut stderr(), &why);
            ExitCode::FAILURE
        }
    }
}

/// What a person asked for.
fn say(out: &mut impl Write, text: &str) {
    // Where nobody reads it there is nobody to tell.
    let _ = writeln!(out, "{text}");
}
