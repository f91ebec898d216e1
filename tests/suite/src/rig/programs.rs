//! The programs of a rig, in the process of the test.

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use channel_enricher::ChannelEnricher;
use chrono::TimeDelta;
use clap::{Args, Parser};
use exporter::{Exporter, Storage};
use extractor::{Extractor, Schedule};
use finalizer::Finalizer;
use game_enricher::GameEnricher;
use secrecy::{ExposeSecret, SecretString};
use shared::{
    config::Twitch,
    enrichment::EnricherSettings,
    helix,
    store::{AlarmLimits, Store},
};

use super::Rig;
use crate::services::as_user_of;

impl Rig {
    /// The settings by which a program finds this rig's Twitch.
    pub(crate) fn twitch_settings(&self) -> Twitch {
        #[derive(Parser)]
        struct Cli<S: Args> {
            #[command(flatten)]
            settings: S,
        }
        let id = secret_file(self.twitch.client_id());
        let secret = secret_file(self.twitch.client_secret());
        let flags = [
            "test".to_owned(),
            format!("--twitch-client-id-file={}", id.display()),
            format!("--twitch-client-secret-file={}", secret.display()),
            format!("--twitch-api-url={}", self.twitch.api_url()),
            format!("--twitch-token-url={}", self.twitch.token_url()),
        ];
        Cli::<Twitch>::try_parse_from(flags).expect("settings").settings
    }

    /// A Helix client of one's own, as every process has one.
    pub(crate) fn helix(&self) -> helix::Client {
        self.helix_of(&self.store)
    }

    pub(super) fn helix_of(&self, store: &Store) -> helix::Client {
        let token_store = Arc::new(store.clone());
        helix::Client::new(&self.twitch_settings(), token_store, self.setup.clock.clone())
            .expect("a Helix client")
    }

    /// A store of one's own, as every process has one, with the rights of that program.
    pub(crate) fn own_store(&self, program: &str) -> Store {
        Store::new(&self.database_url_of(program).into(), 4, program).expect("a store")
    }

    /// Where a program finds the database, and as whom.
    pub(crate) fn database_url_of(&self, program: &str) -> String {
        let url = self.database.url_of(program);
        let (user, place) = url.rsplit_once('@').expect("a user");
        let (_, path) = place.split_once('/').expect("a database");
        match &self.database_at {
            None => url,
            Some(all) if all.contains('@') => format!("postgresql://{all}/{path}"),
            // A program should not wait for long for a way that leads nowhere.
            Some(hosts) => format!("{user}@{hosts}/{path}?connect_timeout=2"),
        }
    }

    /// Where a program finds the broker, and as whom.
    pub(crate) fn amqp_url_of(&self, program: &str) -> SecretString {
        if self.setup.may_declare {
            return self.amqp_url.clone();
        }
        String::from(as_user_of(&self.amqp_url.expose_secret().parse().expect("a URL"), program)).into()
    }

    pub(crate) fn extractor(&self) -> Extractor {
        let (store, clock) = (self.own_store("extractor"), self.setup.clock.clone());
        Extractor::of(store.clone(), self.helix_of(&store), clock, Schedule::Never, self.setup.limits.clone())
    }

    pub(super) fn enricher_settings(&self) -> EnricherSettings {
        EnricherSettings {
            collect_for: self.setup.collect_for,
            missing_retry_after: self.setup.missing_retry_after,
        }
    }

    pub(crate) fn game_enricher(&self) -> GameEnricher {
        let (store, clock) = (self.own_store("game-enricher"), self.setup.clock.clone());
        GameEnricher::of(
            store.clone(),
            self.helix_of(&store),
            clock,
            self.enricher_settings(),
            self.setup.game_max_age,
        )
    }

    pub(crate) fn channel_enricher(&self) -> ChannelEnricher {
        let (store, clock) = (self.own_store("channel-enricher"), self.setup.clock.clone());
        ChannelEnricher::of(
            store.clone(),
            self.helix_of(&store),
            clock,
            self.enricher_settings(),
            self.setup.channel_max_age,
        )
    }

    pub(crate) fn finalizer(&self) -> Finalizer {
        let (store, clock) = (self.own_store("finalizer"), self.setup.clock.clone());
        let alarms = AlarmLimits { age: Duration::from_hours(1), growth: 100 };
        let owner = store.clone();
        Finalizer::of(store, owner, clock, self.setup.stalled_after, alarms, self.setup.max_rejected_share)
    }

    /// An exporter to a folder, which must be there.
    pub(crate) fn exporter(&self, folder: &Path) -> Exporter {
        let storage = Storage::folder(folder).expect("a folder");
        Exporter::of(self.own_store("exporter"), storage, self.setup.clock.clone(), TimeDelta::days(1))
    }
}

/// A file that holds a secret, the way the programs take theirs. The fake's secrets are none.
fn secret_file(secret: &str) -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let path = std::env::temp_dir().join(format!("suite-{}-{secret}", std::process::id()));
    // In one move: another test may be reading it.
    let fresh = path.with_extension(NEXT.fetch_add(1, Ordering::Relaxed).to_string());
    std::fs::write(&fresh, secret).expect("a file");
    std::fs::rename(&fresh, &path).expect("a file");
    path
}
