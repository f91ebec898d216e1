//! What people have ordered of this stage, as far as this process has heard.
//!
//! A worker takes nothing before it has heard: a pause survives restarts. What it heard last counts while the database is
//! unavailable, which pauses it anyway.

use std::time::Duration;

use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tokio_util::sync::CancellationToken;

use super::{retry::Delays, status::Status};
use crate::steering::{Orders, Steering};

/// The shortest and the longest wait between two tries to listen.
const SOONEST: Duration = Duration::from_millis(250);
const LATEST: Duration = Duration::from_secs(5);
/// Who listened for so long is heard again at once.
const STEADY: Duration = Duration::from_secs(30);

/// The orders that were heard; none before the first.
pub(super) type Heard = watch::Receiver<Option<Orders>>;

/// Waits for orders that were not looked at yet; for ever where nobody gives any.
pub(super) async fn news(orders: &mut Heard) {
    if orders.changed().await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Hears what is ordered until told to stop.
pub(super) async fn hear(
    steering: &dyn Steering,
    stage: &'static str,
    status: &Status,
    heard: &watch::Sender<Option<Orders>>,
    stop: &CancellationToken,
) {
    let tell = |orders: Orders| {
        status.ordered(orders.pause.as_ref());
        heard.send_if_modified(|before| {
            let news = before.as_ref() != Some(&orders);
            *before = Some(orders);
            news
        });
    };
    let mut waits = Delays::between(SOONEST, LATEST);
    loop {
        let began = Instant::now();
        tokio::select! {
            () = stop.cancelled() => return,
            failure = steering.follow(stage, status.clock(), &tell) => {
                tracing::debug!(stage, code = failure.code, "orders are not heard: {failure}");
            }
        }
        if began.elapsed() > STEADY {
            waits.reset();
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(waits.next()) => {}
        }
    }
}
