//! What the first start needs. Nothing is changed, and every answer is waited for a few seconds only.

use std::{sync::Arc, time::Duration};

use chrono::TimeDelta;
use shared::{
    config::{ConfigError, Management, Twitch},
    failure::Failure,
    helix,
    runtime::{Difference, check_url},
    store::{self, Environment, Store, most_sessions},
};
use tokio::time::timeout;

use super::{examine::missing_bindings, forgetful::Forgetful};
use crate::{
    context::Context,
    error::Error,
    view::{Check, Preflight, describe_difference, format::duration},
};

/// How long all that is asked of one service may take.
const PATIENCE: Duration = Duration::from_millis(4_500);
/// Clocks that differ by more than this are not as they should be.
const CLOCKS_DIFFER: TimeDelta = TimeDelta::seconds(5);

/// Checks everything, each service at the same time as the others.
pub(super) async fn check(context: &Context, management: &Management, twitch: &Twitch) -> Preflight {
    let (database, broker, twitch) = tokio::join!(
        within("database", database(context)),
        within("broker", broker(context, management)),
        within("twitch", self::twitch(context, twitch)),
    );
    Preflight { checks: [database, broker, twitch].concat() }
}

async fn within(name: &'static str, checks: impl Future<Output = Vec<Check>>) -> Vec<Check> {
    timeout(PATIENCE, checks).await.unwrap_or_else(|_| {
        vec![wrong(name, format!("no answer within {:.1} s", PATIENCE.as_secs_f32()), None)]
    })
}

fn well(name: &'static str, finding: impl Into<String>) -> Check {
    Check { name, well: true, finding: finding.into(), next: None }
}

fn wrong(name: &'static str, finding: impl Into<String>, next: Option<&str>) -> Check {
    Check { name, well: false, finding: finding.into(), next: next.map(str::to_owned) }
}

/// The database: reachable, ours alone, fit for our texts, with our schema, rights and enough sessions.
async fn database(context: &Context) -> Vec<Check> {
    let store = match context.store() {
        Ok(store) => store,
        Err(error) => return vec![wrong("settings", error.to_string(), None)],
    };
    let found = match store.environment().await {
        Ok(found) => found,
        Err(error) => return vec![wrong("database", Error::from(error).to_string(), None)],
    };
    let mut checks = vec![well("database", format!("PostgreSQL {} answers", found.server))];
    checks.push(if found.encoding == "UTF8" {
        well("encoding", "UTF8")
    } else {
        let finding =
            format!("the database is encoded in {}, and names from Twitch need UTF8", found.encoding);
        wrong(
            "encoding",
            finding,
            Some("create another database: create database … encoding 'UTF8' template template0"),
        )
    });
    checks.push(match store.try_write().await {
        Ok(()) => well("writes", "the database takes what is written"),
        Err(error) => wrong("writes", Error::from(error).to_string(), None),
    });
    checks.push(schema(&store).await);
    checks.push(rights(&found));
    let most: u16 = most_sessions(context.database.database_connections).map(|(_, most)| most).sum();
    checks.push(if found.sessions_left >= most.into() {
        well("sessions", format!("{} more may be opened", found.sessions_left))
    } else {
        let finding = format!(
            "{} more sessions may be opened, and one process of each program opens up to {most}",
            found.sessions_left.max(0)
        );
        wrong(
            "sessions",
            finding,
            Some(
                "raise max_connections, or the limit of the database or user, or lower DATABASE_CONNECTIONS",
            ),
        )
    });
    checks.push(clock(context.clock.now() - found.now));
    checks
}

fn clock(ahead: TimeDelta) -> Check {
    if ahead.abs() <= CLOCKS_DIFFER {
        return well("clock", "as the database's");
    }
    let way = if ahead > TimeDelta::zero() { "ahead of" } else { "behind" };
    let finding = format!("this machine is {} {way} the database", duration(ahead.abs()));
    wrong("clock", finding, Some("set the clocks by NTP"))
}

async fn schema(store: &Store) -> Check {
    match store.check().await {
        Ok(()) => well("schema", "as this build needs it"),
        Err(error @ (store::Error::NoSchema | store::Error::OldSchema { .. })) => {
            wrong("schema", Failure::from(error).to_string(), Some("`operator migrate`"))
        }
        Err(error) => wrong("schema", Error::from(error).to_string(), None),
    }
}

fn rights(found: &Environment) -> Check {
    if found.denied.is_empty() {
        return well("rights", "as the operator needs them");
    }
    let finding = format!("this user lacks {}", found.denied.join(", "));
    wrong(
        "rights",
        finding,
        Some("grant the role twitch_operator to it; `operator migrate` makes the roles and their rights"),
    )
}

/// The broker: reachable, taking messages, with the topology of this build.
async fn broker(context: &Context, management: &Management) -> Vec<Check> {
    let url = context.broker.url().and_then(|url| check_url(&url));
    if let Err(error) = url {
        return vec![wrong("settings", Error::from(error).to_string(), None)];
    }
    let inspection = match context.inspect().await {
        Ok(inspection) => inspection,
        Err(error) => return vec![wrong("broker", error.to_string(), None)],
    };
    let mut checks = vec![well("broker", "RabbitMQ answers")];
    match inspection.blocked().await {
        Ok(None) => checks.push(well("disk", "RabbitMQ takes messages: it has memory and disk")),
        Ok(Some(why)) => {
            let next = Some("free memory or disk on its machine");
            checks.push(wrong("disk", format!("RabbitMQ takes no messages: {why}"), next));
            return checks;
        }
        Err(failure) => checks.push(wrong("disk", Error::from(failure).to_string(), None)),
    }
    match inspection.compare().await {
        Ok(mut differences) => {
            let bindings = missing_bindings(context, management).await;
            let unseen = bindings.map(|missing| differences.extend(missing)).err();
            checks.push(topology(&differences));
            checks.extend(unseen.map(|unseen| well("bindings", format!("not looked at: {unseen}"))));
        }
        Err(failure) => checks.push(wrong("topology", Error::from(failure).to_string(), None)),
    }
    inspection.close().await;
    checks
}

fn topology(differences: &[Difference]) -> Check {
    let differ: Vec<&Difference> =
        differences.iter().filter(|found| !matches!(found, Difference::Unknown(_))).collect();
    match differ.as_slice() {
        [] => well("topology", "as this build needs it"),
        [only] => wrong("topology", describe_difference(only), Some("`operator topology apply`")),
        [first, others @ ..] => {
            let finding = format!("{}, and {} more differences", describe_difference(first), others.len());
            wrong("topology", finding, Some("`operator topology apply`"))
        }
    }
}

/// Twitch: there, and it takes our credentials.
async fn twitch(context: &Context, twitch: &Twitch) -> Vec<Check> {
    match twitch.client_id() {
        Err(ConfigError::Missing { .. }) => {
            return vec![well("twitch", "not checked: TWITCH_CLIENT_ID is not set here")];
        }
        Err(error) => return vec![wrong("settings", Error::from(error).to_string(), None)],
        Ok(_) => {}
    }
    let client = helix::Client::new(twitch, Arc::new(Forgetful), context.clock.clone());
    match client {
        Err(error) => vec![wrong("settings", Error::from(error).to_string(), None)],
        Ok(client) => vec![match client.probe().await {
            Ok(()) => well("twitch", "it answers, and takes the credentials"),
            Err(failure) => wrong("twitch", failure.to_string(), None),
        }],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_wrong_is_told_with_the_way() {
        assert!(clock(TimeDelta::seconds(-4)).well);
        let behind = clock(TimeDelta::minutes(-3));
        assert_eq!(behind.finding, "this machine is 3m 00s behind the database");
        assert!(!behind.well && clock(TimeDelta::seconds(6)).finding.contains("6.0s ahead of"));
    }
}
