//! Keeps a worker running: opens a session, works until it breaks, waits a little, opens another.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use secrecy::SecretString;
use tokio::time::{Instant, sleep, timeout};

use super::{
    Outbox, Stop, Troubles, Worker,
    broker::{BrokerError, Session},
    consume::{Consumption, Ended},
    duties::{EndOnDrop, perform},
    health::{self, Health},
    metrics,
    retry::Delays,
};
use crate::{
    clock::Clock,
    failure::{Class, Failure},
    topology::RetryDelays,
};

/// After so long without a session the process ends, so that whoever restarts it gives it a clean start.
const GIVE_UP_AFTER: Duration = Duration::from_mins(10);
/// The shortest and the longest wait between two tries to connect.
const SHORTEST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// What the runtime needs to know.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where RabbitMQ is.
    pub amqp_url: SecretString,
    /// The retry rungs.
    pub delays: RetryDelays,
    /// Where probes are answered.
    pub http_listen: SocketAddr,
    /// How long to finish what is in hand.
    pub shutdown_deadline: Duration,
    /// The time.
    pub clock: Clock,
}

/// Runs a worker until told to stop. Fails when the broker stays away, or refuses the topology.
pub async fn run<W: Worker>(worker: Arc<W>, settings: Settings, stop: Stop) -> Result<(), Failure> {
    let name = W::STAGE.info().name;
    metrics::start(name);
    let (health, troubles) = (Health::new(stop.clone()), Troubles::default());
    let (slot, outbox) = Outbox::new(settings.delays.clone());
    let served =
        health::serve(settings.http_listen, Arc::clone(&worker), health.clone(), troubles.clone()).await;
    let address = served.map_err(|error| {
        Failure::permanent("http.listen", format!("cannot listen on {}: {error}", settings.http_listen))
    })?;
    let duties = Arc::clone(&worker).duties(outbox);
    let background = tokio::spawn(perform(duties, troubles, settings.clock.clone(), stop.clone()));
    // Whatever ends this function, the duties end with it.
    let _background_ends = EndOnDrop::of([&background]);

    let mut waits = Delays::between(SHORTEST_WAIT, LONGEST_WAIT);
    let mut without_session = Instant::now();
    let mut announced = false;
    let result = loop {
        match open(&settings, name, &stop).await {
            None => break Ok(()),
            Some(Ok(session)) => {
                waits.reset();
                slot.send_replace(Some(session.publisher.clone()));
                health.connected(true);
                if !announced {
                    announced = wait_ready(&*worker, &health, &stop).await;
                    tracing::info!(%address, "{name} is ready: http://{address}/readyz");
                }
                let consumption = Consumption::new(&*worker, &session, &settings, &health, &stop);
                let ended = session.unless_severed(consumption.run()).await;
                health.connected(false);
                slot.send_replace(None);
                session.close().await;
                without_session = Instant::now();
                match ended {
                    Ok(Ended::Stopped) => break Ok(()),
                    Err(failure) => tracing::warn!(code = failure.code, "{name} lost its session: {failure}"),
                }
            }
            Some(Err(error)) => {
                let failure = Failure::from(error);
                if failure.class == Class::Permanent || without_session.elapsed() > GIVE_UP_AFTER {
                    break Err(failure);
                }
                tracing::warn!(code = failure.code, "{name} cannot work: {failure}");
            }
        }
        tokio::select! {
            () = stop.requested() => break Ok(()),
            () = sleep(waits.next()) => {}
        }
    };
    if result.is_err() {
        // Nobody told them to stop.
        background.abort();
    }
    if timeout(settings.shutdown_deadline, background).await.is_err() {
        tracing::warn!("{name} left a background duty unfinished");
    }
    result
}

/// Opens a session, unless it is time to stop.
async fn open(settings: &Settings, name: &str, stop: &Stop) -> Option<Result<Session, BrokerError>> {
    let program = format!("{name} {}", env!("CARGO_PKG_VERSION"));
    tokio::select! {
        () = stop.requested() => None,
        session = Session::open(&settings.amqp_url, &settings.delays, &program, settings.clock.clone()) => Some(session),
    }
}

/// Waits until what the worker depends on answers, so that it does not take work it cannot do.
async fn wait_ready<W: Worker>(worker: &W, health: &Health, stop: &Stop) -> bool {
    let mut waits = Delays::between(SHORTEST_WAIT, LONGEST_WAIT);
    while let Err(why) = health::readiness(worker, health).await {
        tracing::warn!("not ready: {why}");
        tokio::select! {
            () = stop.requested() => return false,
            () = sleep(waits.next()) => {}
        }
    }
    true
}
