//! RabbitMQ's management API, for what AMQP does not tell: bindings.
//!
//! Source: <https://www.rabbitmq.com/docs/http-api-reference>.

use std::time::Duration;

use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use super::{amqp_url::Address, inspection::Difference};
use crate::{
    dial::chain,
    failure::{Class, Failure},
    tls,
    topology::{EXCHANGES, OPTIONAL_STAGES, RetryDelays, queues, queues_of},
};

/// How long the API may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(4);

/// A binding, as the API tells it.
#[derive(Deserialize)]
struct Binding {
    destination: String,
    routing_key: String,
}

/// The queues that are not bound as they should be, by the management API at `management` (with user and password) of the
/// broker and virtual host at `amqp`. Of a stage that may be left out, where it is there.
pub async fn unbound(
    management: &SecretString,
    amqp: &SecretString,
    delays: &RetryDelays,
) -> Result<Vec<Difference>, Failure> {
    let base = Url::parse(management.expose_secret())
        .map_err(|error| Failure::permanent("broker.setup", format!("MANAGEMENT_URL is no URL: {error}")))?;
    let vhost = Address::parse(amqp)?.vhost();
    let tls = tls::client(None).map_err(|why| Failure::permanent("broker.setup", why))?;
    let http = Client::builder().tls_backend_preconfigured(tls).timeout(ANSWER_TIMEOUT).build();
    let http = http.map_err(|error| trouble(&error))?;
    let ask = async |path: &[&str]| {
        let mut url = base.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty().push("api").extend(path);
        }
        let answer = http.get(url).send().await.and_then(reqwest::Response::error_for_status);
        match answer {
            Ok(answer) => Ok(Some(answer)),
            Err(error) if error.status().is_some_and(|status| status.as_u16() == 404) => Ok(None),
            Err(error) => Err(trouble(&error)),
        }
    };
    let mut bound = Vec::new();
    for (exchange, _) in EXCHANGES {
        // An exchange that is not there is a difference of its own.
        let Some(answer) = ask(&["exchanges", &vhost, exchange, "bindings", "source"]).await? else {
            continue;
        };
        let bindings: Vec<Binding> = answer.json().await.map_err(|error| trouble(&error))?;
        bound
            .extend(bindings.into_iter().map(|binding| (exchange, binding.routing_key, binding.destination)));
    }
    let mut wanted = queues(delays);
    for stage in OPTIONAL_STAGES {
        if ask(&["queues", &vhost, stage.queue()]).await?.is_some() {
            wanted.extend(queues_of(stage, delays));
        }
    }
    let wanted = wanted.into_iter().flat_map(|queue| {
        let name = queue.name;
        queue.bindings.into_iter().map(move |(exchange, key)| (name.clone(), exchange, key))
    });
    let is_bound = |queue: &str, exchange: &str, key: &str| {
        bound.iter().any(|(from, with, to)| (*from, with.as_str(), to.as_str()) == (exchange, key, queue))
    };
    Ok(wanted
        .filter(|(queue, exchange, key)| !is_bound(queue, exchange, key))
        .map(|(queue, exchange, key)| Difference::Unbound { queue, exchange, key })
        .collect())
}

/// Told without the URL, which holds a password.
fn trouble(error: &reqwest::Error) -> Failure {
    let status = error.status().map(|status| format!("it answered {status}"));
    let why = status.unwrap_or_else(|| std::error::Error::source(error).map(chain).unwrap_or_default());
    Failure::new(
        Class::Outage,
        "broker.management",
        format!("RabbitMQ's management API cannot be asked: {why}"),
    )
}
