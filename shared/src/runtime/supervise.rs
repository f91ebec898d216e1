//! Keeps a worker running: opens a session, works until it breaks, waits a little, opens another.

use std::{sync::Arc, time::Duration};

use tokio::{
    sync::watch,
    time::{Instant, sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::AbortOnDropHandle};

use super::{
    Announcer, Settings, Troubles, Worker,
    broker::{error::BrokerError, session::Session},
    consumer::Consumer,
    orders,
    process::{duties::perform, probes, prometheus, report},
    retry::Delays,
    status::Status,
};
use crate::{
    failure::{Class, Failure},
    topology::StageInfo,
    version::VERSION,
};

/// After so long without a session the process ends, so that whoever restarts it gives it a clean start.
const GIVE_UP_AFTER: Duration = Duration::from_mins(10);
/// The shortest and the longest wait between two tries to connect.
const SHORTEST_WAIT: Duration = Duration::from_millis(200);
const LONGEST_WAIT: Duration = Duration::from_secs(10);
/// How long duties wait for the start of the work beside them.
const DUTIES_WAIT: Duration = Duration::from_secs(2);
/// A session that breaks sooner than this was hardly one: the next is waited for longer. What is in hand of a session that
/// breaks spends one of its deliveries.
const STEADY: Duration = Duration::from_secs(30);

/// Runs a worker until told to stop. Fails when the broker stays unavailable, or refuses the topology.
pub async fn run<W: Worker>(
    worker: Arc<W>,
    settings: Settings,
    stop: CancellationToken,
) -> Result<(), Failure> {
    let name = W::STAGE.info().name;
    prometheus::start(name);
    let (status, troubles) = (Status::new(name, settings.clock.clone(), stop.clone()), Troubles::default());
    let (slot, announcer) = Announcer::new(settings.delays.clone());
    let served =
        probes::serve(settings.http_listen, Arc::clone(&worker), status.clone(), troubles.clone()).await;
    let probes = served.map_err(|error| {
        Failure::permanent("http.listen", format!("cannot listen on {}: {error}", settings.http_listen))
    })?;
    let duties = Arc::clone(&worker).duties(announcer);
    // Whichever way this ends, also when it is dropped: what it started ends with it.
    let (heard, orders) = watch::channel(None);
    let own = vec![orders::duty(&worker, &status, &heard), report::duty(&worker, &status, probes.address)];
    let own = tokio::spawn(perform(own, troubles.clone(), settings.clock.clone(), stop.clone()));
    let own = AbortOnDropHandle::new(own);
    let background = tokio::spawn({
        let (status, clock, stop) = (status.clone(), settings.clock.clone(), stop.clone());
        async move {
            begun(&status).await;
            perform(duties, troubles, clock, stop).await;
        }
    });
    let mut background = AbortOnDropHandle::new(background);

    let mut waits = Delays::between(SHORTEST_WAIT, LONGEST_WAIT);
    let mut without_session = Instant::now();
    let mut told: Option<&str> = None;
    let result = loop {
        let failure = match open(&settings, name, &stop).await {
            None => break Ok(()),
            Some(Ok(session)) => {
                if told.take().is_some() {
                    let lasted = without_session.elapsed().as_secs();
                    tracing::info!("{name} is connected to RabbitMQ again after {lasted} s");
                }
                let opened = Instant::now();
                slot.send_replace(Some(session.publisher.clone()));
                status.connected();
                let consumer = Consumer::new(&*worker, &session, &settings, &status, &stop, orders.clone());
                // On the heap: each of those who wait for it would hold it twice, and the main thread keep a megabyte of stack.
                let ended = session.unless_severed(Box::pin(consumer.run())).await;
                if ended.is_ok() && timeout(settings.shutdown_deadline, &mut background).await.is_err() {
                    // Told to stop: what else is under way needs the session to come to its end.
                    tracing::warn!("{name} left something unfinished beside its messages");
                }
                slot.send_replace(None);
                session.close().await;
                without_session = Instant::now();
                if opened.elapsed() > STEADY {
                    waits.reset();
                }
                match ended {
                    Ok(()) => break Ok(()),
                    Err(failure) => failure,
                }
            }
            Some(Err(error)) => {
                let failure = Failure::from(error);
                if failure.class == Class::Permanent || without_session.elapsed() > GIVE_UP_AFTER {
                    break Err(failure);
                }
                failure
            }
        };
        status.disconnected(&failure);
        // Said once for each reason, not at every try.
        if told != Some(failure.code) {
            tracing::warn!(code = failure.code, "{name} has no session with RabbitMQ: {failure}");
            told = Some(failure.code);
        }
        tokio::select! {
            () = stop.cancelled() => break Ok(()),
            () = sleep(waits.next()) => {}
        }
    };
    // Where there was no session to stop in.
    background.abort();
    let _ = timeout(Duration::from_secs(2), own).await;
    result
}

/// Waits until it is known whether the worker can work: at the start its duties would only delay that. The broker may be
/// unavailable, and much of what they do needs none: they do not wait for long.
async fn begun(status: &Status) {
    let mut changes = status.changes();
    let begun = async { while status.state().is_none() && changes.changed().await.is_ok() {} };
    let _ = timeout(DUTIES_WAIT, begun).await;
}

/// Opens a session, unless it is time to stop.
async fn open(
    settings: &Settings,
    name: &str,
    stop: &CancellationToken,
) -> Option<Result<Session, BrokerError>> {
    let program = format!("{name} {VERSION}");
    let (stage, clock) = (StageInfo::find(name), settings.clock.clone());
    let opening = Session::open(&settings.amqp_url, &settings.delays, &program, stage, clock);
    tokio::select! {
        () = stop.cancelled() => None,
        session = opening => Some(session),
    }
}
