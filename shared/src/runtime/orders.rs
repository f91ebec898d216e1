//! What people have ordered of this stage, as far as this process has heard.
//!
//! A worker takes nothing before it has heard: a pause survives restarts. What it heard last counts while the database is
//! unavailable, which pauses it anyway.

use std::sync::Arc;

use tokio::sync::watch;

use super::{
    Worker,
    process::duties::{Duty, Turn, lasting},
    status::Status,
};
use crate::{failure::Failure, steering::Orders};

/// The orders that were heard; none before the first.
pub(super) type Heard = watch::Receiver<Option<Orders>>;

/// Waits for orders that were not looked at yet; for ever where nobody gives any.
pub(super) async fn news(orders: &mut Heard) {
    if orders.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// The duty that hears what is ordered.
pub(super) fn duty<W: Worker>(
    worker: &Arc<W>,
    status: &Status,
    heard: &watch::Sender<Option<Orders>>,
) -> Duty {
    let (worker, status, heard) = (Arc::clone(worker), status.clone(), heard.clone());
    lasting("orders", move |turn| hear(Arc::clone(&worker), status.clone(), heard.clone(), turn))
}

/// Hears what is ordered until told to stop.
async fn hear<W: Worker>(
    worker: Arc<W>,
    status: Status,
    heard: watch::Sender<Option<Orders>>,
    turn: Turn,
) -> Result<(), Failure> {
    let Some(steering) = worker.steering() else {
        heard.send_modify(|orders| *orders = Some(Orders::default()));
        turn.stop.cancelled().await;
        return Ok(());
    };
    let tell = |orders: Orders| {
        turn.works();
        status.hears(None);
        status.ordered(orders.pause.as_ref());
        heard.send_if_modified(|before| {
            let news = before.as_ref() != Some(&orders);
            *before = Some(orders);
            news
        });
    };
    tokio::select! {
        () = turn.stop.cancelled() => Ok(()),
        failure = steering.follow(W::STAGE.info().name, status.clock(), &tell) => {
            status.hears(Some(failure.clone()));
            Err(failure)
        }
    }
}
