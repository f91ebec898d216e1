//! One token for all programs: renewed by one of them when Twitch no longer honours it, and never begged for.

use std::{
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use chrono::TimeDelta;
use fake_twitch::{Effect, Endpoint, Fault, Scenario, When, World, WorldConfig};
use futures::future::join_all;
use shared::{
    clock::Clock,
    failure::{Class, Failure},
    helix,
    runtime::{Settings, Worker, run},
};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    eventually::eventually,
    rig::{Rig, Setup},
    truth::assert_matches_world,
};

/// What a test can be sure of only with a clock that does not run on by itself.
fn by_hand() -> Setup {
    Setup { clock: Clock::manual(Clock::System.now()), ..Setup::default() }
}

/// Every client makes `calls` calls at once.
async fn call(clients: &[helix::Client], calls: usize) -> Vec<Failure> {
    let calls = clients.iter().flat_map(|client| (0..calls).map(|_| client.streams(None)));
    join_all(calls).await.into_iter().filter_map(|outcome| outcome.err().map(Failure::from)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn eight_programs_share_three_tokens_though_two_die() {
    let rig = Rig::new(World::generate(WorldConfig::plain(100))).await;
    let clients: Vec<_> = (0..8).map(|_| rig.helix()).collect();
    for tokens in 1..=3 {
        for _ in 0..3 {
            assert_eq!(call(&clients, 5).await, []);
        }
        let stats = rig.twitch.stats();
        assert_eq!((stats.calls(Endpoint::Token), stats.tokens_issued), (tokens, tokens));
        rig.twitch.expire_tokens();
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_dies_twice_in_a_pull_costs_a_request_each_and_no_dead_letter() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(800))).await;
    for (endpoint, call) in [(Endpoint::Streams, 4), (Endpoint::Users, 3)] {
        rig.twitch.faults(|faults| {
            faults.push(Fault::new(Effect::ExpireTokens).on(endpoint).when(When::Call(call)));
        });
    }
    rig.start_all();
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    let stats = rig.twitch.stats();
    assert!(stats.replies(Endpoint::Streams, 401) >= 1 && stats.replies(Endpoint::Users, 401) >= 1);
    // Two, if the second death came before anybody had noticed the first.
    assert!((2..=3).contains(&stats.calls(Endpoint::Token)), "{stats:?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_refused_secret_is_believed_for_a_minute() {
    let rig = Rig::with(World::generate(WorldConfig::plain(100)), by_hand()).await;
    rig.twitch.world().play(&scenario("wrong-secret"));
    let client = [rig.helix()];
    for minute in 1..=3 {
        for _ in 0..3 {
            let failures = call(&client, 20).await;
            assert_eq!(failures.len(), 20);
            for failure in &failures {
                assert_eq!((failure.class, failure.code), (Class::Auth, "helix.token_refused"));
                assert!(failure.message.contains("TWITCH_CLIENT_SECRET"), "{failure}");
            }
        }
        assert_eq!(rig.twitch.stats().calls(Endpoint::Token), minute);
        rig.setup.clock.advance(TimeDelta::seconds(61));
    }
    assert_eq!(client[0].calls(), 0, "no call without a token");
    rig.end(&[]).await;
}

fn scenario(name: &str) -> Scenario {
    name.parse().expect("the fake knows it")
}

/// A port nobody listens on.
pub(crate) fn free() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    listener.local_addr().expect("an address")
}

/// A worker that answers probes where the test can ask it.
pub(crate) struct Probed {
    address: SocketAddr,
    stop: DropGuard,
    ended: tokio::task::JoinHandle<Result<(), Failure>>,
}

impl Probed {
    pub(crate) fn start<W: Worker>(rig: &Rig, worker: W) -> Self {
        let stop = CancellationToken::new();
        let address = free();
        let settings = Settings {
            amqp_url: rig.vhost.url(),
            delays: rig.setup.delays.clone(),
            http_listen: address,
            shutdown_deadline: Duration::from_secs(10),
            max_in_hand: rig.setup.max_in_hand,
            pause_after: rig.setup.pause_after,
            clock: rig.setup.clock.clone(),
        };
        let ended = tokio::spawn(run(Arc::new(worker), settings, stop.clone()));
        Self { address, stop: stop.drop_guard(), ended }
    }

    /// Waits until `/readyz` answers with this status, and returns what it says.
    pub(crate) async fn readyz(&self, status: u16) -> String {
        eventually(&format!("/readyz should answer {status}"), || async {
            let answer = reqwest::get(format!("http://{}/readyz", self.address)).await;
            let answer = answer.map_err(|error| error.to_string())?;
            let found = answer.status().as_u16();
            let text = answer.text().await.map_err(|error| error.to_string())?;
            if found == status { Ok(text) } else { Err(format!("{found}: {text}")) }
        })
        .await
    }

    pub(crate) async fn stop(self) {
        drop(self.stop);
        self.ended.await.expect("no panic").expect("it should end well");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_secret_pauses_the_stage_and_spends_no_message() {
    let mut rig = Rig::with(World::generate(WorldConfig::plain(150)), by_hand()).await;
    rig.twitch.world().play(&scenario("wrong-secret"));
    let extractor = Probed::start(&rig, rig.extractor());
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.start(rig.finalizer());
    extractor.readyz(200).await;
    let pull = rig.pull().await;
    let said = extractor.readyz(503).await;
    assert!(said.contains("paused") && said.contains("TWITCH_CLIENT_SECRET"), "{said}");
    assert!(!said.contains(rig.twitch.client_secret()), "{said}");

    // While it pauses the work lies in its queue, for whoever has a better secret.
    eventually("the message should be given back", || async {
        let ready = rig.ready("extractor").await;
        if ready == 1 { Ok(()) } else { Err(ready) }
    })
    .await;
    let report = rig.store.pull_report(pull).await.expect("a report");
    assert_eq!((report.status.as_str(), report.error), ("pending", None));
    // Each program asked once, whatever it was asked to do: the clock stands still, and a refusal holds for a minute.
    assert!(rig.twitch.stats().calls(Endpoint::Token) <= 3);
    assert_eq!(rig.twitch.stats().calls(Endpoint::Streams), 0);

    rig.twitch.world().heal();
    rig.setup.clock.advance(TimeDelta::seconds(61));
    rig.stored_world(pull).await;
    extractor.readyz(200).await;
    extractor.stop().await;
    rig.end(&[]).await;
}
