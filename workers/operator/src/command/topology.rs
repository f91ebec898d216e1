//! `operator topology`: the typed table as text, with what lies in the queues where the broker can be asked.

use clap::Args;
use serde::Serialize;
use serde_json::{Map, Value};
use shared::{
    runtime::QueueDepth,
    topology::{Argument, EXCHANGES, Queue, STAGES, queues},
};

use crate::{context::Context, error::Error, exit::Exit, view};

/// What a program reads.
const JSON: &str = r#"JSON: {"stages": [{"name", "reads", "announces", "prefetch"}, …], "exchanges": [{"name", "type"}, …],
"queues": [{"name", "arguments": {…}, "bindings": [{"exchange", "key"}, …], "ready", "consumers"}, …],
"broker_trouble"}; without a broker "ready" and "consumers" are null"#;

/// Show the broker's side: stages, exchanges, queues, their arguments and bindings, and how deep they are
///
/// Works without a broker, and says so. The retry queues follow --retry-delays, which must be as the workers have it.
#[derive(Debug, Args)]
#[command(after_long_help = JSON)]
pub(crate) struct Topology {
    /// Declare what is missing, or fail: for workers whose users may not
    #[arg(long)]
    declare: bool,
}

#[derive(Serialize)]
struct Document {
    stages: Vec<Stage>,
    exchanges: Vec<Exchange>,
    queues: Vec<QueueNow>,
    broker_trouble: Option<String>,
}

#[derive(Serialize)]
struct Stage {
    name: &'static str,
    reads: &'static str,
    announces: &'static str,
    prefetch: u16,
}

#[derive(Serialize)]
struct Exchange {
    name: &'static str,
    r#type: &'static str,
}

#[derive(Serialize)]
struct QueueNow {
    name: String,
    arguments: Map<String, Value>,
    bindings: Vec<Binding>,
    ready: Option<u32>,
    consumers: Option<u32>,
}

#[derive(Serialize)]
struct Binding {
    exchange: &'static str,
    key: &'static str,
}

impl Topology {
    pub(crate) async fn run(self, context: &Context) -> Result<Exit, Error> {
        let (depths, broker_trouble) = match context.depths().await {
            Ok(depths) => (depths, None),
            Err(error) if self.declare => return Err(error),
            Err(error) => (Vec::new(), Some(error.to_string())),
        };
        let table = queues(&context.broker.retry_delays);
        let stages = STAGES.into_iter().map(|stage| Stage {
            name: stage.name,
            reads: stage.reads,
            announces: stage.announces,
            prefetch: stage.prefetch,
        });
        let exchanges = EXCHANGES
            .into_iter()
            .map(|(name, topic)| Exchange { name, r#type: if topic { "topic" } else { "direct" } });
        let document = Document {
            stages: stages.collect(),
            exchanges: exchanges.collect(),
            queues: table.iter().map(|queue| now(queue, &depths)).collect(),
            broker_trouble,
        };
        context.output.result(&document, |document| {
            view::topology(&table, &depths, document.broker_trouble.as_deref())
        });
        Ok(Exit::Success)
    }
}

fn now(queue: &Queue, depths: &[QueueDepth]) -> QueueNow {
    let depth = depths.iter().find(|depth| depth.name == queue.name);
    let arguments = queue.arguments.iter().map(|(name, argument)| {
        let value = match argument {
            Argument::Text(text) => Value::from(text.as_str()),
            Argument::Number(number) => Value::from(*number),
        };
        ((*name).to_owned(), value)
    });
    QueueNow {
        name: queue.name.clone(),
        arguments: arguments.collect(),
        bindings: queue.bindings.iter().map(|&(exchange, key)| Binding { exchange, key }).collect(),
        ready: depth.and_then(|depth| depth.ready),
        consumers: depth.and_then(|depth| depth.consumers),
    }
}
