//! One look at the flow for all who have a page open: judged as `operator status` judges it.

use std::{sync::Arc, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use secrecy::SecretString;
use shared::{
    clock::Clock,
    failure::Failure,
    runtime::{Announcer, QueueDepth},
    store::Store,
    topology::RetryDelays,
    version::VERSION,
    view::{Facts, Health, advice, by_stage, describe_failure},
};
use tokio::{sync::Mutex, time::timeout};

/// A look serves everybody for so long.
const FRESH: TimeDelta = TimeDelta::milliseconds(1_500);
/// How long the broker, and then all of a look, may take.
const BROKER_PATIENCE: Duration = Duration::from_secs(3);
const PATIENCE: Duration = Duration::from_secs(4);

/// How the flow stood when it was looked at.
#[derive(Debug, Clone)]
pub(crate) struct Sample {
    /// When.
    pub(crate) at: DateTime<Utc>,
    /// The judgement of what was found then.
    pub(crate) health: Health,
    /// What is known: where a service is unavailable, what it said last.
    pub(crate) known: Facts,
    /// Every queue, as deep as RabbitMQ said last.
    pub(crate) depths: Vec<QueueDepth>,
    /// When the database was read last, if ever.
    pub(crate) database_at: Option<DateTime<Utc>>,
    /// When the broker was asked last, if ever.
    pub(crate) broker_at: Option<DateTime<Utc>>,
}

/// Looks, at most once in a while.
pub(crate) struct Sampler {
    store: Store,
    clock: Clock,
    amqp_url: SecretString,
    pub(crate) delays: RetryDelays,
    latest: Mutex<Option<Arc<Sample>>>,
    broker: Mutex<Option<(Announcer, Box<dyn Send + Sync>)>>,
}

impl Sampler {
    /// Looks at these servers; calls neither yet.
    pub(crate) fn new(store: Store, clock: Clock, amqp_url: SecretString, delays: RetryDelays) -> Self {
        Self { store, clock, amqp_url, delays, latest: Mutex::default(), broker: Mutex::default() }
    }

    /// How the flow stands: looks, unless somebody just did. Who comes while another looks waits for what that one finds.
    pub(crate) async fn sample(&self) -> Arc<Sample> {
        let mut latest = self.latest.lock().await;
        let now = self.clock.now();
        if let Some(sample) = latest.as_ref().filter(|sample| now - sample.at < FRESH) {
            return Arc::clone(sample);
        }
        let sample = Arc::new(self.look(latest.as_deref(), now).await);
        *latest = Some(Arc::clone(&sample));
        sample
    }

    async fn look(&self, before: Option<&Sample>, now: DateTime<Utc>) -> Sample {
        let mut depths = None;
        let queues = async {
            let found = timeout(BROKER_PATIENCE, self.depths()).await.unwrap_or_else(|_| {
                let late = format!("RabbitMQ did not answer within {} s", BROKER_PATIENCE.as_secs());
                Err(Failure::transient("broker.slow", late))
            });
            let found =
                found.map_err(|failure| format!("{}{}", describe_failure(&failure), advice(&failure)))?;
            depths = Some(found.clone());
            Ok(found)
        };
        let facts = timeout(PATIENCE, Facts::read(&self.store, queues, now)).await;
        let facts = facts.unwrap_or_else(|_| {
            let late = format!("PostgreSQL did not answer within {} s", PATIENCE.as_secs());
            let broker_trouble = depths.is_none().then(|| "RabbitMQ did not answer".to_owned());
            let stages = depths.as_deref().map(by_stage).unwrap_or_default();
            Facts { database_trouble: Some(late), broker_trouble, stages, ..Facts::default() }
        });
        let (database, broker) = (facts.database_trouble.is_none(), facts.broker_trouble.is_none());
        let mut known = facts.clone();
        if let Some(before) = before {
            let last = before.known.clone();
            if !database {
                known = Facts {
                    under_way: last.under_way,
                    last_closed: last.last_closed,
                    missed_slots: last.missed_slots,
                    workers: last.workers,
                    silent: last.silent,
                    paused: last.paused,
                    retries: last.retries,
                    vanished: last.vanished,
                    alarms: last.alarms,
                    ..known
                };
            }
            if !broker {
                (known.stages, known.rejected) = (last.stages, last.rejected);
            }
        }
        Sample {
            at: now,
            health: Health::from_facts(facts, now),
            known,
            depths: depths.or_else(|| before.map(|before| before.depths.clone())).unwrap_or_default(),
            database_at: if database { Some(now) } else { before.and_then(|before| before.database_at) },
            broker_at: if broker { Some(now) } else { before.and_then(|before| before.broker_at) },
        }
    }

    /// Asks over the connection of the look before, or a new one.
    async fn depths(&self) -> Result<Vec<QueueDepth>, Failure> {
        let mut broker = self.broker.lock().await;
        // Taken out, and put back when it has answered: also a look that is given up in the middle leaves no broken connection.
        let connected = match broker.take() {
            Some((announcer, session)) => match announcer.depths().await {
                Ok(depths) => {
                    *broker = Some((announcer, session));
                    return Ok(depths);
                }
                Err(_) => self.connect().await?,
            },
            None => self.connect().await?,
        };
        let depths = connected.0.depths().await?;
        *broker = Some(connected);
        Ok(depths)
    }

    async fn connect(&self) -> Result<(Announcer, Box<dyn Send + Sync>), Failure> {
        let program = format!("console {VERSION}");
        let (announcer, session) = Announcer::connect(&self.amqp_url, &self.delays, &program).await?;
        Ok((announcer, Box::new(session)))
    }
}
