//! A program that handles no messages and serves people: settings, construction, the run, an honest exit code.

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, CommandFactory, Parser};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use super::{
    super::Troubles,
    events::recording_events,
    logs, probes,
    program::{Command, block_on, prepared, refuse},
    prometheus,
    traces::Traces,
};
use crate::{
    clock::Clock,
    config::{self, LogFormat, SetupError, Unparsed},
    failure::Failure,
    version::VERSION,
    worker_state::StatusReporter,
};

/// How long what is under way may take once the program is told to stop.
const SHUTDOWN_DEADLINE: Duration = Duration::from_secs(5);

/// A program that serves people until it is told to stop.
pub trait Service: Send + Sync + 'static {
    /// Its name, as PostgreSQL, RabbitMQ and the log show it.
    const NAME: &'static str;

    /// Serves until told to stop. `probes` is where `/livez`, `/readyz` and `/metrics` are answered.
    fn serve(
        self: Arc<Self>,
        probes: SocketAddr,
        stop: CancellationToken,
    ) -> impl Future<Output = Result<(), Failure>> + Send;
}

#[derive(Debug, Parser)]
#[command(version = VERSION)]
struct ServiceCli<S: Args> {
    #[command(flatten)]
    service: S,
    #[command(flatten)]
    process: ServiceProcess,
    #[command(subcommand)]
    command: Option<Command>,
}

/// How the program runs.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Process")]
struct ServiceProcess {
    /// Where `/livez`, `/readyz` and `/metrics` are served; port 0 is a free one, named in the ready line
    #[arg(long, env, default_value = "127.0.0.1:0", value_name = "ADDRESS")]
    http_listen: SocketAddr,
    /// How log lines look; without it, pretty on a terminal and JSON elsewhere
    #[arg(long, env, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
}

/// The whole of a service's `main`: parses the command line, makes the service with `build`, runs it until SIGTERM. `build` gets
/// its settings, and all settings as a person may see them; `reporter` is where its warnings and errors are written down.
///
/// Exits 0 when told to stop, 78 for settings that cannot be used, 2 for a command line that cannot be understood, 1 else.
pub fn serve_main<S: Args, P: Service>(
    about: &'static str,
    build: impl FnOnce(&S, String, Clock) -> Result<P, SetupError>,
    reporter: fn(&P) -> &dyn StatusReporter,
) -> ExitCode {
    let name = P::NAME;
    let parsed = match config::parse::<ServiceCli<S>>(ServiceCli::<S>::command().name(name).about(about)) {
        Ok(parsed) => parsed,
        Err(Unparsed::Told(code)) => return code,
        Err(Unparsed::Setting(error)) => return refuse(name, &error.into()),
    };
    let cli = &parsed.program;
    let prepare = || {
        let levels = logs::log_levels(LevelFilter::INFO)?;
        let shown = parsed.settings().unwrap_or_else(|settings| settings);
        Ok((levels, build(&cli.service, shown, Clock::System)?))
    };
    let (levels, service) = match prepared(name, cli.command, cli.process.http_listen, &parsed, prepare) {
        Ok(prepared) => prepared,
        Err(told) => return told,
    };
    let _last_lines = logs::init(name, cli.process.log_format, levels, &Traces::default());
    match run(service, reporter, cli.process.http_listen) {
        Ok(code) => code,
        Err(failure) => {
            tracing::error!(code = failure.code, "{name} cannot start: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// Runs to the end: how it ended, or why it could not begin.
fn run<P: Service>(
    service: P,
    reporter: fn(&P) -> &dyn StatusReporter,
    http_listen: SocketAddr,
) -> Result<ExitCode, Failure> {
    prometheus::start(P::NAME);
    block_on(async |stop| {
        let service = Arc::new(service);
        let serving = async {
            let ended = serve(Arc::clone(&service), http_listen, stop).await;
            if let Err(failure) = &ended {
                tracing::error!(code = failure.code, "{} stops: {failure}", P::NAME);
            }
            if ended.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        };
        Ok(recording_events(Some(reporter(&service)), P::NAME, &Clock::System, serving).await)
    })
}

async fn serve<P: Service>(
    service: Arc<P>,
    http_listen: SocketAddr,
    stop: CancellationToken,
) -> Result<(), Failure> {
    // It is ready as soon as it listens: what it depends on may be away, and its pages say so.
    let probes = probes::serve_ready(http_listen, Troubles::default(), || async { Ok(()) }).await.map_err(
        |error| Failure::permanent("http.listen", format!("cannot listen on {http_listen}: {error}")),
    )?;
    let overdue = async {
        stop.cancelled().await;
        tokio::time::sleep(SHUTDOWN_DEADLINE).await;
    };
    tokio::select! {
        ended = service.serve(probes.address, stop.clone()) => ended,
        () = overdue => Ok(()),
    }
}
