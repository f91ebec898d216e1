//! The command line: the world's measures, how it is served, what goes wrong.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use chrono::{DateTime, Utc};
use clap::{Parser, Subcommand};
use fake_twitch::{Defect, Endpoint, Fault, Latency, Scenario, Settings, World, WorldConfig};

/// A world that answers as Twitch does, with scripted faults.
///
/// Everything follows from the seed and the measures. The world is also told and changed at /world/… over HTTP.
#[derive(Debug, Parser)]
#[command(version = env!("TWITCH_PULL_VERSION"))]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Where to listen; port 0 takes a free one
    #[arg(long, env = "FAKE_TWITCH_LISTEN", default_value = "127.0.0.1:0", global = true)]
    pub(crate) listen: SocketAddr,

    /// Write the server's URL into this file once it listens
    #[arg(long, env = "FAKE_TWITCH_URL_FILE", value_name = "PATH")]
    pub(crate) url_file: Option<PathBuf>,

    /// Name the scenarios and leave
    #[arg(long)]
    pub(crate) list_scenarios: bool,

    /// Streams with at least 10 viewers
    #[arg(long, env = "FAKE_TWITCH_STREAMS", default_value_t = 12_000, help_heading = "World")]
    streams: usize,

    /// Streams with fewer than 10 viewers
    #[arg(long, env = "FAKE_TWITCH_TAIL", default_value_t = 300, help_heading = "World")]
    tail: usize,

    /// Games that are known; by default an eighth of the streams, between 20 and 4,000
    #[arg(long, env = "FAKE_TWITCH_GAMES", help_heading = "World")]
    games: Option<usize>,

    /// Games that are played but not known
    #[arg(long, default_value_t = 5, help_heading = "World")]
    unknown_games: usize,

    /// The share of live channels that /users leaves out
    #[arg(long, default_value_t = 0.005, help_heading = "World")]
    banned: f64,

    /// The share of pages that lack a few items, which come on the next page
    #[arg(long, default_value_t = 0.02, help_heading = "World")]
    short_pages: f64,

    /// Leave out the synthetic record that Twitch's own feed has
    #[arg(long, help_heading = "World")]
    no_test_record: bool,

    /// What all chance follows from
    #[arg(long, env = "FAKE_TWITCH_SEED", default_value_t = 1, help_heading = "World")]
    seed: u64,

    /// The moment the world is seen at; by default the moment it starts
    #[arg(long, value_name = "RFC3339", help_heading = "World")]
    now: Option<DateTime<Utc>>,

    /// The path of the API's base
    #[arg(long, env = "FAKE_TWITCH_PREFIX", default_value = "/helix/", help_heading = "Service")]
    prefix: String,

    /// How long answers take: `80ms`, or `users=200ms` for one endpoint; repeatable
    #[arg(long, env = "FAKE_TWITCH_LATENCY", value_delimiter = ',', value_parser = latency, help_heading = "Service")]
    latency: Vec<(Option<Endpoint>, Duration)>,

    /// Points in the bucket, as the headers tell
    #[arg(long, env = "FAKE_TWITCH_LIMIT", default_value_t = 800, help_heading = "Service")]
    limit: u32,

    /// Points that really come back each minute; by default the limit
    #[arg(long, env = "FAKE_TWITCH_REFILL", help_heading = "Service")]
    refill: Option<u32>,

    /// The client that may ask
    #[arg(long, env = "FAKE_TWITCH_CLIENT_ID", default_value = "fake-client-id", help_heading = "Service")]
    client_id: String,

    /// Its secret, which protects nothing
    #[arg(
        long,
        env = "FAKE_TWITCH_CLIENT_SECRET",
        default_value = "fake-client-secret",
        hide_env_values = true,
        help_heading = "Service"
    )]
    client_secret: String,

    /// What goes wrong, by name; repeatable
    #[arg(
        long,
        env = "FAKE_TWITCH_SCENARIO",
        value_delimiter = ',',
        value_name = "NAME",
        help_heading = "Faults"
    )]
    scenario: Vec<Scenario>,

    /// What goes wrong, as JSON: `{"effect": "no-reply", "endpoint": "users", "when": {"every": 7}}`; repeatable
    #[arg(long, value_name = "JSON", value_parser = json::<Fault>, help_heading = "Faults")]
    fault: Vec<Fault>,

    /// Tell this many records of every kind of defect wrongly
    #[arg(long, value_name = "EACH", default_value_t = 0, help_heading = "Faults")]
    defects: usize,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask the server on the configured address whether it lives
    Healthcheck,
}

impl Args {
    /// The world with everything that goes wrong in it.
    pub(crate) fn world(&self) -> World {
        let world = World::generate(WorldConfig {
            seed: self.seed,
            streams: self.streams,
            tail: self.tail,
            games: self.games,
            unknown_games: self.unknown_games,
            banned: self.banned,
            short_pages: self.short_pages,
            test_record: !self.no_test_record,
            now: self.now.unwrap_or_else(|| SystemTime::now().into()),
            ..WorldConfig::default()
        });
        for scenario in &self.scenario {
            world.play(scenario);
        }
        for fault in &self.fault {
            world.faults.push(fault.clone());
        }
        world.spread(&Defect::ALL, self.defects, 10);
        world
    }

    pub(crate) fn settings(&self) -> Settings {
        let everywhere = self.latency.iter().rev().find(|(endpoint, _)| endpoint.is_none());
        let latency = Latency::of(everywhere.map(|&(_, latency)| latency).unwrap_or_default());
        let single = self.latency.iter().filter_map(|&(endpoint, latency)| Some((endpoint?, latency)));
        Settings {
            listen: self.listen,
            prefix: self.prefix.clone(),
            client_id: self.client_id.clone(),
            client_secret: self.client_secret.clone(),
            limit: self.limit,
            refill: self.refill.unwrap_or(self.limit),
            latency: single.fold(latency, |all, (endpoint, latency)| all.on(endpoint, latency)),
            ..Settings::default()
        }
    }
}

fn latency(text: &str) -> Result<(Option<Endpoint>, Duration), String> {
    let (endpoint, time) = match text.split_once('=') {
        Some((name, time)) => (Some(json::<Endpoint>(&format!("{name:?}"))?), time),
        None => (None, text),
    };
    let time = humantime::parse_duration(time).map_err(|error| error.to_string())?;
    Ok((endpoint, time))
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        use clap::CommandFactory;
        Args::command().debug_assert();
    }

    #[test]
    fn latency_is_read_for_all_or_for_one() {
        assert_eq!(latency("80ms"), Ok((None, Duration::from_millis(80))));
        assert_eq!(latency("users=1s"), Ok((Some(Endpoint::Users), Duration::from_secs(1))));
        assert!(latency("nowhere=1s").is_err());
    }

    #[test]
    fn faults_come_by_name_and_as_json() {
        let fault =
            r#"{"effect":{"status":{"code":500,"message":""}},"endpoint":"users","when":{"every":7}}"#;
        let args = Args::parse_from([
            "fake-twitch",
            "--streams",
            "30",
            "--scenario",
            "reset,slow",
            "--fault",
            fault,
            "--defects",
            "1",
        ]);
        assert_eq!(args.world().faults.list().len(), 3);
        assert_eq!(args.world().injected().len(), Defect::ALL.len());
        assert!(Args::try_parse_from(["fake-twitch", "--scenario", "sunshine"]).is_err());
    }
}
