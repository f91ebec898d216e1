//! `operator topology`: the typed table as text, with the depth of the queues if the broker is available.

mod plan;

use clap::{Args, Subcommand};
use plan::{Apply, Diff};
use shared::{
    topology::{OPTIONAL_STAGES, asyncapi, queues, queues_of},
    version::VERSION,
};

use crate::{context::Context, error::Error, exit::Exit, json, output, view};

/// What a program reads.
const JSON: &str = r#"JSON: {"stages": [{"name", "reads", "announces", "prefetch"}, …], "exchanges": [{"name", "type"}, …],
"queues": [{"name", "arguments": {…}, "bindings": [{"exchange", "key"}, …], "ready", "consumers"}, …],
"broker_trouble"}; without a broker "ready" and "consumers" are null"#;

/// Show stages, exchanges and queues, with arguments, bindings and messages
///
/// Works without a broker, and says so. The retry queues follow --retry-delays, which must be the same as the workers'.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Topology {
    #[command(subcommand)]
    command: Option<Plan>,
    /// Declare what is missing, or fail: for workers whose users may not
    #[arg(long)]
    declare: bool,
    /// Print an `AsyncAPI` 3 document instead: channels, operations and messages, for other programs
    #[arg(long, conflicts_with = "declare")]
    asyncapi: bool,
}

/// The broker beside the table.
#[derive(Debug, Subcommand)]
enum Plan {
    Diff(Diff),
    Apply(Apply),
}

impl Topology {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        match self.command {
            Some(Plan::Diff(diff)) => return diff.run(context).await,
            Some(Plan::Apply(apply)) => return apply.run(context).await,
            None if self.asyncapi => {
                output::print(&output::to_json(&asyncapi(VERSION)));
                return Ok(Exit::Success);
            }
            None => {}
        }
        let (depths, trouble) = match context.depths().await {
            Ok(depths) => (depths, None),
            Err(error) if self.declare => return Err(error),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let delays = &context.broker.retry_delays;
        let mut queues = queues(delays);
        // Of a stage that may be left out, those that are there.
        let optional = OPTIONAL_STAGES.into_iter().flat_map(|stage| queues_of(stage, delays));
        queues.extend(optional.filter(|queue| depths.iter().any(|depth| depth.name == queue.name)));
        context.output.result(
            trouble,
            |trouble| json::Topology::new(&queues, &depths, trouble),
            |trouble| view::topology(&queues, &depths, trouble.as_deref()),
        );
        Ok(Exit::Success)
    }
}
