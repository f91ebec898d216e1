//! Of `operator topology`.

use serde::Serialize;
use serde_json::{Map, Value};
use shared::{
    runtime::{self, QueueDepth},
    topology::{self, Argument, EXCHANGES, StageInfo, all_stages},
};

use crate::view;

/// What the broker holds for the flow. Without a broker `ready` and `consumers` are null.
#[derive(Debug, Serialize)]
pub(crate) struct Topology {
    stages: Vec<Stage>,
    exchanges: Vec<Exchange>,
    queues: Vec<Queue>,
    broker_trouble: Option<String>,
}

#[derive(Debug, Serialize)]
struct Stage {
    name: &'static str,
    reads: &'static str,
    announces: &'static str,
    prefetch: u16,
}

#[derive(Debug, Serialize)]
struct Exchange {
    name: &'static str,
    r#type: &'static str,
}

#[derive(Debug, Serialize)]
struct Queue {
    name: String,
    arguments: Map<String, Value>,
    bindings: Vec<Binding>,
    ready: Option<u32>,
    consumers: Option<u32>,
}

#[derive(Debug, Serialize)]
struct Binding {
    exchange: &'static str,
    key: &'static str,
}

impl Topology {
    /// The stages and exchanges of this build and these queues, as deep as `depths` says.
    pub(crate) fn new(
        queues: &[topology::Queue],
        depths: &[QueueDepth],
        broker_trouble: Option<String>,
    ) -> Self {
        Self {
            stages: all_stages().map(Stage::from).collect(),
            exchanges: EXCHANGES
                .map(|(name, topic)| Exchange { name, r#type: if topic { "topic" } else { "direct" } })
                .into(),
            queues: queues.iter().map(|queue| Queue::new(queue, depths)).collect(),
            broker_trouble,
        }
    }
}

impl From<StageInfo> for Stage {
    fn from(stage: StageInfo) -> Self {
        let StageInfo { name, reads, announces, prefetch, event: _ } = stage;
        Self { name, reads, announces, prefetch }
    }
}

impl Queue {
    fn new(queue: &topology::Queue, depths: &[QueueDepth]) -> Self {
        let depth = depths.iter().find(|depth| depth.name == queue.name);
        let arguments = queue.arguments.iter().map(|(name, argument)| {
            let value = match argument {
                Argument::Text(text) => Value::from(text.as_str()),
                Argument::Number(number) => Value::from(*number),
            };
            ((*name).to_owned(), value)
        });
        Self {
            name: queue.name.clone(),
            arguments: arguments.collect(),
            bindings: queue.bindings.iter().map(|&(exchange, key)| Binding { exchange, key }).collect(),
            ready: depth.and_then(|depth| depth.ready),
            consumers: depth.and_then(|depth| depth.consumers),
        }
    }
}

/// How the broker differs.
#[derive(Debug, Serialize)]
pub(crate) struct TopologyPlan {
    differences: Vec<Difference>,
    bindings_compared: bool,
}

#[derive(Debug, Serialize)]
struct Difference {
    kind: &'static str,
    name: String,
    detail: String,
    step: String,
    repairable: bool,
}

impl From<view::TopologyPlan> for TopologyPlan {
    fn from(plan: view::TopologyPlan) -> Self {
        let view::TopologyPlan { differences, bindings_compared } = plan;
        Self { differences: differences.iter().map(Difference::from).collect(), bindings_compared }
    }
}

impl From<&runtime::Difference> for Difference {
    fn from(difference: &runtime::Difference) -> Self {
        use runtime::Difference::{Differs, Missing, Unbound, Unknown};
        let (kind, name) = match difference {
            Missing(name) => ("missing", name),
            Unbound { queue, .. } => ("unbound", queue),
            Differs { name, .. } => ("differs", name),
            Unknown(name) => ("unknown", name),
        };
        Self {
            kind,
            name: name.clone(),
            detail: view::describe_difference(difference),
            step: view::describe_step(difference),
            repairable: view::is_repairable(difference),
        }
    }
}
