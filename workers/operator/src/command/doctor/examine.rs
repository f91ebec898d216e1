//! Gathers what a diagnosis is made of. What cannot be asked is a finding, or is left out.

use shared::{
    config::Management,
    runtime::{Difference, unbound},
    store::Store,
};

use crate::{command::facts, context::Context, error::Error, pull_ref::PullRef, view::Examination};

/// Asks the database and the broker, at the same time.
pub(super) async fn examine(
    context: &Context,
    management: &Management,
    pull: Option<PullRef>,
) -> Result<Examination, Error> {
    let store = context.store()?;
    context.broker.url()?;
    let mut examined = Examination::default();
    let depths = async {
        // A broker with an alarm reads nothing more from whoever publishes: the rest is asked on a connection of its own.
        let probe = context.inspect().await?;
        examined.blocked = probe.blocked().await?;
        probe.close().await;
        let inspection = context.inspect().await?;
        examined.differences = inspection.compare().await?;
        let depths = inspection.depths().await;
        inspection.close().await;
        Ok(depths?)
    };
    let facts = facts::gather(context, &store, depths).await;
    examined.facts = facts;
    if examined.facts.database_trouble.is_none() {
        let untaken = store.try_write().await.err().map(|error| Error::from(error).to_string());
        examined.facts.database_trouble = untaken;
    }
    if examined.facts.broker_trouble.is_none() {
        match missing_bindings(context, management).await {
            Ok(missing) => examined.differences.extend(missing),
            Err(unseen) => examined.bindings_unseen = Some(unseen),
        }
    }
    if examined.facts.database_trouble.is_none() {
        examined.pull = match pull {
            Some(pull) => Some(store.pull_report(context.resolve(&store, pull).await?).await?),
            None => None,
        };
        examined.clock_ahead = clock_ahead(context, &store).await.unwrap_or_default();
    }
    Ok(examined)
}

/// What is not bound, or why that cannot be told.
///
/// Only the management API tells it. AMQP 0-9-1 has no question for bindings; a mandatory message tells whether it was
/// routed, and when it was, somebody has it: one within a transaction is returned when that is committed, and not when it
/// is rolled back (seen with RabbitMQ 3.10.8).
pub(super) async fn missing_bindings(
    context: &Context,
    management: &Management,
) -> Result<Vec<Difference>, String> {
    let told = async {
        let Some(url) = management.url()? else { return Ok(None) };
        Ok::<_, Error>(Some(unbound(&url, &context.broker.url()?, &context.broker.retry_delays).await?))
    };
    match told.await {
        Ok(Some(missing)) => Ok(missing),
        Ok(None) => Err(WITH_MANAGEMENT.to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// How bindings can be looked at.
const WITH_MANAGEMENT: &str = "only RabbitMQ's management API tells them; set MANAGEMENT_URL, with a user who has the tag \
                               `management`, and run `operator topology diff`";

/// How far this machine's clock is ahead of the database's. The way there and back is not told from it.
async fn clock_ahead(context: &Context, store: &Store) -> Result<chrono::TimeDelta, Error> {
    let theirs = store.server_time().await?;
    Ok(context.clock.now() - theirs)
}
