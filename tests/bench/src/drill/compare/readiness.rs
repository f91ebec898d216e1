//! How soon our workers are ready, and what they hold while nothing is to be done.

use std::time::Duration;

use serde::Serialize;
use tokio::time::sleep;

use super::figures::Figure;
use crate::{
    Outcome, Setting,
    flow::{Flow, Shape},
    measure::mebibytes,
    process::{Process, WORKERS},
    process_tree::memory,
};

/// How long they are left alone before their memory is read.
const REST: Duration = Duration::from_secs(2);

/// One of each worker, started at once.
#[derive(Debug, Serialize)]
pub(crate) struct Readiness {
    /// Seconds until the last of the four is ready, where not one queue exists.
    pub(crate) empty_broker_s: Figure,
    /// The same, where all queues exist.
    pub(crate) warm_s: Figure,
    /// Memory of the four together at rest, in MiB.
    pub(crate) idle_pss_mib: Figure,
}

pub(crate) async fn measure(setting: &Setting, runs: usize) -> Outcome<Readiness> {
    let (mut empty, mut warm, mut idle) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..runs {
        let mut flow = Flow::new(setting, 100, Shape::default()).await?;
        empty.push(start(&mut flow).await?);
        for worker in std::mem::take(&mut flow.workers) {
            worker.stop().await?;
        }
        warm.push(start(&mut flow).await?);
        sleep(REST).await;
        let mut kibibytes = 0;
        for worker in &flow.workers {
            kibibytes += memory(worker.pid()?)?;
        }
        idle.push(mebibytes(kibibytes));
        flow.end().await?;
    }
    Ok(Readiness {
        empty_broker_s: Figure::of(empty),
        warm_s: Figure::of(warm),
        idle_pss_mib: Figure::of(idle),
    })
}

/// Seconds until the last of the four is ready.
async fn start(flow: &mut Flow) -> Outcome<f64> {
    flow.start(&WORKERS).await?;
    let slowest = flow.workers.iter().map(|worker: &Process| worker.ready_after).max();
    Ok(slowest.unwrap_or_default().as_secs_f64())
}
