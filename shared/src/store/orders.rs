//! How workers hear of what people order: at the very moment where a session can be spared to listen, else a little later.

use std::{convert::Infallible, time::Duration};

use chrono::{DateTime, Utc};
use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_postgres::{Client, GenericClient};

use super::{
    Error, Store,
    column::Columns,
    environment::sessions_left,
    steering::{CHANNEL, RUN_ONCE_WITHIN, paused},
};
use crate::{clock::Clock, steering::Orders};

/// How often orders are read where nothing is notified, and it is looked whether sessions are to be had.
const READ_AGAIN: Duration = Duration::from_secs(10);
/// How often they are read by whoever does not listen.
const READ_OFTEN: Duration = Duration::from_secs(2);
/// With fewer sessions left than this nobody keeps one to listen, or one without work: other programs need them.
const SPARE_SESSIONS: i64 = 4;
/// Without work for so long, where sessions are few.
const WITHOUT_WORK: Duration = Duration::from_secs(5);
/// How long reading them may take.
const READ_TIMEOUT: Duration = Duration::from_secs(10);
/// Most cancelled pulls whose messages are looked for: the latest.
const MOST_CANCELLED: i64 = 10_000;

impl Store {
    /// Tells a stage's orders at once, and again at each change: at the very moment while there are sessions enough for one
    /// that listens, else a little later.
    pub(super) async fn tell_orders(
        &self,
        stage: &str,
        clock: &Clock,
        tell: &(dyn Fn(Orders) + Send + Sync),
    ) -> Result<Infallible, Error> {
        loop {
            if self.sessions_left(&**self.client().await?).await? > SPARE_SESSIONS {
                match self.pool.manager().listener(CHANNEL).await {
                    Ok((client, notified)) => self.listen(&client, notified, stage, clock, tell).await?,
                    // Somebody was faster.
                    Err(Error::Refused(why)) if why.full() => {}
                    Err(error) => return Err(error),
                }
            }
            let began = Instant::now();
            while began.elapsed() < READ_AGAIN {
                tell(orders(&**self.client().await?, stage, clock.now()).await?);
                sleep(READ_OFTEN).await;
            }
        }
    }

    /// Tells a stage's orders at once, at each change, and when a pause is over, until others need the session more.
    async fn listen(
        &self,
        client: &Client,
        mut notified: watch::Receiver<()>,
        stage: &str,
        clock: &Clock,
        tell: &(dyn Fn(Orders) + Send + Sync),
    ) -> Result<(), Error> {
        loop {
            let now = clock.now();
            let read = async {
                Ok::<_, Error>((orders(client, stage, now).await?, self.sessions_left(client).await?))
            };
            let (orders, left) = timeout(READ_TIMEOUT, read).await.map_err(|_| Error::Silent)??;
            let until = orders.pause.as_ref().and_then(|pause| pause.until);
            tell(orders);
            if left < SPARE_SESSIONS {
                return Ok(());
            }
            let wait = until.and_then(|until| (until - now).to_std().ok()).unwrap_or(READ_AGAIN);
            if let Ok(Err(_)) = timeout(wait.min(READ_AGAIN), notified.changed()).await {
                return Err(Error::SessionEnded);
            }
        }
    }

    /// How many sessions are left to all programs. Where they are few, those of ours that have no work are closed.
    async fn sessions_left(&self, client: &impl GenericClient) -> Result<i64, Error> {
        let left = sessions_left(client).await?;
        if left < SPARE_SESSIONS {
            self.pool.retain(|_, metrics| metrics.last_used() < WITHOUT_WORK);
        }
        Ok(left)
    }
}

/// A stage's orders now.
async fn orders(client: &impl GenericClient, stage: &str, now: DateTime<Utc>) -> Result<Orders, Error> {
    let sql = "/* steering::orders */
        select (select max(id) from run_once where stage = $1 and taken_at is null and requested_at > $2) as run_once,
               array(select id from pull where cancelled_at is not null order by cancelled_at desc limit $3) as cancelled";
    let row = client.query_one(sql, &[&stage, &(now - RUN_ONCE_WITHIN), &MOST_CANCELLED]).await?;
    let cancelled: Vec<i64> = row.column("cancelled")?;
    Ok(Orders {
        pause: paused(client, stage, now).await?,
        run_once: row.column("run_once")?,
        cancelled: cancelled.into_iter().collect(),
    })
}
