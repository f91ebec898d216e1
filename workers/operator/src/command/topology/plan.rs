//! `operator topology diff` and `apply`: the broker beside this build's topology.

use clap::Args;
use shared::{config::Management, runtime::unbound};

use crate::{
    context::Context,
    error::Error,
    exit::Exit,
    json, output,
    view::{self, TopologyPlan, is_repairable},
};

/// What a program reads.
const JSON: &str = r#"JSON: {"differences": [{"kind": "missing" | "unbound" | "differs" | "unknown", "name", "detail", "step",
"repairable"}, …], "bindings_compared"}"#;

/// Show how the broker differs from this build's topology, and what `apply` would do: exits 0 if it does not, 1 if it does
///
/// Exchanges, queues, their properties and, with `MANAGEMENT_URL`, their bindings. Changes nothing.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Diff {
    #[command(flatten)]
    management: Management,
}

/// Declare and bind what is missing: exits 0 if the broker is then as this build wants it
///
/// Where something is there with other properties, which cannot be changed in place, nothing is done but to print the plan.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Apply {
    #[command(flatten)]
    management: Management,
}

impl Diff {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let plan = compare(context, &self.management).await?;
        let exit = if plan.is_empty() { Exit::Success } else { Exit::Failed };
        context.output.result(plan, json::TopologyPlan::from, view::topology_plan);
        Ok(exit)
    }
}

impl Apply {
    pub(super) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let plan = compare(context, &self.management).await?;
        if plan.differences.iter().any(|difference| !is_repairable(difference)) {
            context.output.result(plan, json::TopologyPlan::from, view::topology_plan);
            output::error(&"nothing was changed: not all of this can be repaired in place");
            return Ok(Exit::Failed);
        }
        let broker = context.connect().await?;
        broker.announcer.declare_optional().await?;
        drop(broker);
        let left = compare(context, &self.management).await?;
        let exit = if left.is_empty() { Exit::Success } else { Exit::Failed };
        context.output.result(left, json::TopologyPlan::from, view::topology_plan);
        Ok(exit)
    }
}

async fn compare(context: &Context, management: &Management) -> Result<TopologyPlan, Error> {
    let inspection = context.inspect().await?;
    let mut differences = inspection.compare().await?;
    inspection.close().await;
    let bindings = match management.url()? {
        Some(url) => Some(unbound(&url, &context.broker.url()?, &context.broker.retry_delays).await?),
        None => None,
    };
    let bindings_compared = bindings.is_some();
    differences.extend(bindings.unwrap_or_default());
    Ok(TopologyPlan { differences, bindings_compared })
}
