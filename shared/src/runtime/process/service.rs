//! A program that handles no messages and serves people: settings, construction, the run, an honest exit code.

use std::{net::SocketAddr, process::ExitCode, sync::Arc, time::Duration};

use clap::{Args, CommandFactory, Parser};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::filter::LevelFilter;

use super::{
    logs, probes,
    program::{Command, healthcheck, refuse, say_usable, show},
    prometheus, shutdown,
    traces::Traces,
};
use crate::{
    clock::Clock,
    config::{self, ConfigCommand, LogFormat, SetupError, Unparsed},
    failure::Failure,
    version::VERSION,
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
/// its settings, and all settings as a person may see them.
///
/// Exits 0 when told to stop, 78 for settings that cannot be used, 2 for a command line that cannot be understood, 1 else.
pub fn serve_main<S: Args, P: Service>(
    about: &'static str,
    build: impl FnOnce(&S, String, Clock) -> Result<P, SetupError>,
) -> ExitCode {
    let name = P::NAME;
    let parsed = match config::parse::<ServiceCli<S>>(ServiceCli::<S>::command().name(name).about(about)) {
        Ok(parsed) => parsed,
        Err(Unparsed::Told(code)) => return code,
        Err(Unparsed::Setting(error)) => return refuse(name, &error.into()),
    };
    let cli = &parsed.program;
    if let Some(Command::Healthcheck) = cli.command {
        return healthcheck(cli.process.http_listen);
    }
    if let Some(Command::Config { command: ConfigCommand::Show }) = cli.command {
        return show(&parsed);
    }
    let shown = parsed.settings().unwrap_or_else(|settings| settings);
    let prepared = logs::log_levels(LevelFilter::INFO).map_err(SetupError::from).and_then(|levels| {
        let service = build(&cli.service, shown, Clock::System)?;
        Ok((levels, service))
    });
    let (levels, service) = match prepared {
        Ok(prepared) => prepared,
        Err(error) => return refuse(name, &error),
    };
    if cli.command.is_some() {
        return say_usable(name);
    }
    let _last_lines = logs::init(name, cli.process.log_format, levels, &Traces::default());
    match run(service, cli.process.http_listen) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            tracing::error!(code = failure.code, "{name} stops: {failure}");
            ExitCode::FAILURE
        }
    }
}

fn run<P: Service>(service: P, http_listen: SocketAddr) -> Result<(), Failure> {
    prometheus::start(P::NAME);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|error| Failure::permanent("process.runtime", error.to_string()))?;
    runtime.block_on(async {
        let stop = shutdown::on_signals()
            .map_err(|error| Failure::permanent("process.signals", error.to_string()))?;
        // It is ready as soon as it listens: what it depends on may be away, and its pages say so.
        let probes = probes::serve_ready(http_listen, || async { Ok(()) }).await.map_err(|error| {
            Failure::permanent("http.listen", format!("cannot listen on {http_listen}: {error}"))
        })?;
        let overdue = async {
            stop.cancelled().await;
            tokio::time::sleep(SHUTDOWN_DEADLINE).await;
        };
        tokio::select! {
            ended = Arc::new(service).serve(probes, stop.clone()) => ended,
            () = overdue => Ok(()),
        }
    })
}
