//! The server side: extractors carry out what was ordered, one of them each order.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::{StreamExt, stream::FuturesUnordered};
use tokio::sync::Mutex;
use tokio_util::sync::CancellationToken;

use super::{carry::Carrier, perform::Tools};
use crate::{
    failure::Failure,
    runtime::{Duty, standing},
    store::{Claim, OperationNews},
};

/// Most operations that a replica carries out at the same time.
const AT_ONCE: usize = 2;
/// How long to wait where nothing is notified: a session that has silently gone is noticed, and replaced.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// The shortest wait for a carrier that is silent.
const SHORTEST: Duration = Duration::from_millis(200);

/// What the duty works with.
struct Desk {
    carrier: Carrier,
    /// The session that listens, kept from run to run.
    news: Mutex<Option<OperationNews>>,
}

/// The duty that carries operations out; `name` is the replica's.
pub fn duty(tools: Tools, name: String) -> Duty {
    let carrier = Carrier { tools, name, goes_on: true };
    let desk = Arc::new(Desk { carrier, news: Mutex::default() });
    standing("operations", move |stop| Arc::clone(&desk).serve(stop))
}

impl Desk {
    /// Carries out what is ordered until told to stop, or until nothing was ordered for a while.
    async fn serve(self: Arc<Self>, stop: CancellationToken) -> Result<(), Failure> {
        let store = &self.carrier.tools.store;
        let mut kept = self.news.lock().await;
        let mut news = match kept.take() {
            Some(news) => news,
            None => store.operation_news().await?,
        };
        let mut claims: HashMap<i64, (Claim, CancellationToken)> = HashMap::new();
        let served = self.work(&mut news, &mut claims, &stop).await;
        // What was not finished goes on elsewhere, at once.
        for (claim, _) in claims.into_values() {
            if let Err(error) = store.release_operation(claim).await {
                tracing::debug!(%error, "an operation is not given back, and waits for its claim to run out");
            }
        }
        if served.is_ok() {
            *kept = Some(news);
        }
        served
    }

    async fn work(
        &self,
        news: &mut OperationNews,
        claims: &mut HashMap<i64, (Claim, CancellationToken)>,
        stop: &CancellationToken,
    ) -> Result<(), Failure> {
        let Carrier { tools, name, .. } = &self.carrier;
        let mut running = FuturesUnordered::new();
        loop {
            while running.len() < AT_ONCE {
                let claimed = tools.store.claim_operation(None, name, tools.clock.now()).await?;
                let Some((claim, row)) = claimed else { break };
                let stopped = CancellationToken::new();
                claims.insert(row.id, (claim, stopped.clone()));
                running.push(async move {
                    // Its row and the log say how it ended.
                    let _ = self.carrier.carry_out(claim, &row, &stopped, |_| {}).await;
                    row.id
                });
            }
            let ids: Vec<i64> = claims.keys().copied().collect();
            if !ids.is_empty() {
                for id in tools.store.stopping_operations(&ids).await? {
                    claims[&id].1.cancel();
                }
            }
            let silent = tools.store.first_silent_carrier().await?;
            let silent = silent.map(|at| (at - tools.clock.now()).to_std().unwrap_or_default().max(SHORTEST));
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                Some(id) = running.next() => {
                    claims.remove(&id);
                }
                heard = news.wait(silent.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN)) => heard?,
            }
            if running.is_empty() && silent.is_none() {
                return Ok(());
            }
        }
    }
}
