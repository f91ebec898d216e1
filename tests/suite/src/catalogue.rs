//! What Twitch is asked for games and channels: only what is not known, a hundred at a time, nothing twice.

use std::{collections::BTreeSet, time::Duration};

use chrono::{DateTime, TimeDelta, Utc};
use fake_twitch::{Asked, Endpoint, Scenario, World, WorldConfig};
use serde_json::Value;
use shared::{
    clock::Clock,
    schema::{Channel, ChunkRef, Game, PullId},
    store::PullReport,
};

use crate::{
    eventually::eventually,
    rig::{Rig, Setup},
    truth::assert_matches_world,
};

/// A tenth of it is long enough for all messages that wait in a queue to come to one hand, on the slowest machine.
const PATIENT: Duration = Duration::from_secs(30);

fn worker() -> Setup {
    Setup { collect_for: PATIENT, ..Setup::default() }
}

/// Setup with a clock that the test moves.
fn by_hand() -> Setup {
    let noon = "2026-11-23T12:00:00Z".parse::<DateTime<Utc>>().expect("a time");
    Setup { clock: Clock::manual(noon), ..Setup::default() }
}

/// A pull of earlier, for what was learned earlier.
async fn earlier(rig: &Rig) -> ChunkRef {
    let pulled_at = rig.setup.clock.now();
    let pull_id = rig.store.request_pull("earlier", pulled_at).await.expect("a pull");
    ChunkRef { pull_id, pulled_at, chunk: 1 }
}

/// Knows the games of the world but the first `unknown`.
async fn know_games(rig: &Rig, unknown: usize) {
    let game = |game: &fake_twitch::Game| Game {
        id: game.id.parse().expect("an id"),
        name: game.name.clone(),
        box_art_url: game.box_art_url.clone(),
        igdb_id: game.igdb_id.clone(),
    };
    let games: Vec<Game> = rig.twitch.world().games().iter().skip(unknown).map(game).collect();
    let kept = rig.store.keep_games(&games, &[], earlier(rig).await, rig.setup.clock.now()).await;
    kept.expect("the games should be kept");
}

/// Knows every channel of the world.
async fn know_channels(rig: &Rig) {
    let world = rig.twitch.world();
    let channel = |stream: &fake_twitch::Stream| {
        let user = world.user(&stream.user_id).expect("a channel");
        Channel {
            id: user.id.parse().expect("an id"),
            login: user.login,
            display_name: user.display_name,
            profile_image_url: user.profile_image_url,
            offline_image_url: user.offline_image_url,
            view_count: 0,
            broadcaster_type: user.broadcaster_type.into(),
            description: user.description,
            created_at: Some(user.created_at.parse().expect("a time")),
        }
    };
    let channels: Vec<Channel> = world.streams().iter().map(channel).collect();
    let kept = rig.store.keep_channels(&channels, &[], earlier(rig).await, rig.setup.clock.now()).await;
    kept.expect("the channels should be kept");
}

/// Waits until so many chunks wait for a stage.
async fn waiting(rig: &Rig, queue: &str, chunks: u32) {
    eventually(&format!("{chunks} chunks should wait in {queue}"), || async {
        let ready = rig.ready(queue).await;
        if ready == chunks { Ok(()) } else { Err(ready) }
    })
    .await;
}

/// Waits until the pull has its games.
async fn games_filled(rig: &Rig, pull: PullId) -> PullReport {
    eventually(&format!("pull {pull} should have its games"), || async {
        let report = rig.store.pull_report(pull).await.expect("a report");
        if report.status == "filling-channels" { Ok(report) } else { Err(report) }
    })
    .await
}

fn asked(rig: &Rig, endpoint: Endpoint) -> (u64, Asked) {
    let stats = rig.twitch.stats();
    (stats.calls(endpoint), stats.asked(endpoint))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forty_new_games_among_thirty_thousand_streams_are_one_call() {
    let world = World::generate(WorldConfig { games: Some(2_000), ..WorldConfig::plain(30_000) });
    let mut rig = Rig::with(world, worker()).await;
    know_games(&rig, 40).await;
    let extractor = rig.run(rig.extractor());
    let pull = rig.pull().await;
    waiting(&rig, "game-enricher", 300).await;
    extractor.stop().await;
    rig.start(rig.game_enricher());
    games_filled(&rig, pull).await;
    let (calls, ids) = asked(&rig, Endpoint::Games);
    assert_eq!((calls, ids.total, ids.distinct), (1, 40, 40));
    let known = rig.db.query_one("select count(*) from twitch_game", &[]).await.expect("a count");
    assert_eq!(known.get::<_, i64>(0), 2_000);

    // The second pull shows it with a part of the streams.
    rig.twitch.reset_stats();
    rig.setup.limits.max_pages = 30;
    rig.start(rig.extractor());
    let pull = rig.pull().await;
    let report = games_filled(&rig, pull).await;
    assert_eq!((report.chunks, report.games_chunks), (30, 30));
    assert_eq!(asked(&rig, Endpoint::Games).0, 0, "what is known is not asked for again");
    rig.end(&[("channel-enricher", 330)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn stale_channels_are_asked_for_a_hundred_a_call() {
    let mut rig = Rig::with(World::generate(WorldConfig::plain(400)), worker()).await;
    know_games(&rig, 0).await;
    know_channels(&rig).await;
    rig.start(rig.extractor());
    rig.start(rig.game_enricher());
    rig.start(rig.finalizer());
    let mut stale = 0_i64;
    for (number, calls) in [(0, 0), (1, 1), (100, 1), (237, 3)] {
        // Others than the last time: what was asked for a moment ago is not asked for again, however old it is made.
        let sql = "update twitch_channel set fetched_at = fetched_at - interval '25 hours'
                   where channel_id in (select channel_id from twitch_channel order by channel_id offset $1 limit $2)";
        let aged = rig.db.execute(sql, &[&stale, &number]).await.expect("they should age");
        stale += number;
        rig.twitch.reset_stats();
        let pull = rig.pull().await;
        waiting(&rig, "channel-enricher", 4).await;
        let enricher = rig.run(rig.channel_enricher());
        let report = rig.succeeded(pull).await;
        enricher.stop().await;
        let (made, ids) = asked(&rig, Endpoint::Users);
        assert_eq!((made, ids.total, ids.distinct), (calls, aged, aged), "{number} stale channels");
        assert_eq!(report.channels_filled, Some(400));
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn channels_that_are_never_fresh_are_asked_for_in_every_pull() {
    let setup = Setup { channel_max_age: Duration::ZERO, ..by_hand() };
    let mut rig = Rig::with(World::generate(WorldConfig::plain(250)), setup).await;
    rig.start_all();
    for pull in 1..=2 {
        rig.twitch.reset_stats();
        let report = rig.whole_pull().await;
        let (_, ids) = asked(&rig, Endpoint::Users);
        assert_eq!((ids.total, ids.distinct), (250, 250), "pull {pull}");
        assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
        rig.setup.clock.advance(TimeDelta::minutes(1));
    }
    rig.end(&[]).await;
}

/// A row about something Twitch does not know: id, reason, first and last time, how often, pull, chunk.
type Missed = (String, String, DateTime<Utc>, DateTime<Utc>, i32, i64, i32);

async fn missed(rig: &Rig, kind: &str) -> BTreeSet<Missed> {
    let sql = format!(
        "select {kind}_id as id, reason, first_missed_at, last_asked_at, times, pull_id, chunk from missing_{kind}"
    );
    let rows = rig.db.query(&sql, &[]).await.expect("rows");
    let row = |row: &tokio_postgres::Row| {
        let (id, reason) = (row.get("id"), row.get("reason"));
        let (first, last) = (row.get("first_missed_at"), row.get("last_asked_at"));
        (id, reason, first, last, row.get("times"), row.get("pull_id"), row.get("chunk"))
    };
    rows.iter().map(row).collect()
}

/// The rows there must be after these ids were missed in the pull: each with the chunk its stream is in.
async fn expected(
    rig: &Rig,
    kind: &str,
    ids: &[&str],
    first: DateTime<Utc>,
    times: i32,
    pull: PullId,
) -> BTreeSet<Missed> {
    let sql =
        format!("select {kind}_id as id, chunk from pull_data where pull_id = $1 and {kind}_id = any($2)");
    let rows = rig.db.query(&sql, &[&pull.0, &ids]).await.expect("rows");
    assert_eq!(rows.len(), ids.len(), "each is in one stream");
    let now = rig.setup.clock.now();
    rows.iter()
        .map(|row| (row.get("id"), "absent".into(), first, now, times, pull.0, row.get("chunk")))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_twitch_does_not_know_is_noted_and_asked_for_again_later() {
    let world = World::generate(WorldConfig { unknown_games: 3, banned: 0.02, ..WorldConfig::plain(300) });
    let mut rig = Rig::with(world, by_hand()).await;
    rig.start_all();
    let games: Vec<String> = rig.twitch.world().unknown_games().into_iter().map(str::to_owned).collect();
    let games: Vec<&str> = games.iter().map(String::as_str).collect();
    let channels: Vec<String> = rig.twitch.world().banned().map(str::to_owned).collect();
    let channels: Vec<&str> = channels.iter().map(String::as_str).collect();
    assert_eq!((games.len(), channels.len()), (3, 6));

    let first = rig.setup.clock.now();
    let report = rig.whole_pull().await;
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    assert_eq!((report.games_missing, report.channels_missing), (Some(3), Some(6)));
    for (kind, ids) in [("game", &games), ("channel", &channels)] {
        assert_eq!(missed(&rig, kind).await, expected(&rig, kind, ids, first, 1, report.pull_id).await);
    }

    rig.setup.clock.advance(TimeDelta::minutes(59));
    rig.twitch.reset_stats();
    let report = rig.whole_pull().await;
    assert_eq!((report.games_missing, report.channels_missing), (Some(3), Some(6)));
    assert_eq!((asked(&rig, Endpoint::Games).0, asked(&rig, Endpoint::Users).0), (0, 0), "not so soon");

    rig.setup.clock.advance(TimeDelta::minutes(2));
    let report = rig.whole_pull().await;
    assert_eq!(asked(&rig, Endpoint::Games).1.total, 3);
    assert_eq!(asked(&rig, Endpoint::Users).1.total, 6);
    for (kind, ids) in [("game", &games), ("channel", &channels)] {
        assert_eq!(missed(&rig, kind).await, expected(&rig, kind, ids, first, 2, report.pull_id).await);
    }
    rig.end(&[]).await;
}

/// The channels whose streams are stored without one.
async fn without_channel(rig: &Rig, pull: PullId) -> Vec<String> {
    let sql = "select channel_id from pull_data where pull_id = $1 and data->'channel' = 'null'";
    let rows = rig.db.query(sql, &[&pull.0]).await.expect("rows");
    rows.iter().map(|row| row.get(0)).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_id_that_twitch_refuses_costs_nobody_else_their_channel() {
    let mut rig = Rig::with(World::generate(WorldConfig::plain(300)), by_hand()).await;
    let world = rig.twitch.world();
    world.play(&"bad-batch".parse::<Scenario>().expect("a scenario"));
    let faults = serde_json::to_value(world.faults.list()).expect("JSON");
    let Value::String(victim) = &faults[0]["effect"]["bad-id"]["id"] else { panic!("{faults}") };
    let victim = victim.clone();
    rig.start_all();

    let report = rig.whole_pull().await;
    assert_eq!((report.channels_filled, report.channels_missing), (Some(299), Some(1)));
    assert_eq!(without_channel(&rig, report.pull_id).await, [victim.as_str()]);
    let noted = missed(&rig, "channel").await;
    assert_eq!(
        noted.iter().map(|row| (row.0.as_str(), row.1.as_str())).collect::<Vec<_>>(),
        [(&*victim, "refused")]
    );
    // Three batches; the refused one is halved until the id stands alone, which takes 7 halvings of a hundred.
    let (calls, _) = asked(&rig, Endpoint::Users);
    assert!((3..=3 + 2 * 7).contains(&calls), "{calls} calls");

    rig.twitch.reset_stats();
    rig.setup.clock.advance(TimeDelta::minutes(1));
    rig.whole_pull().await;
    assert_eq!(asked(&rig, Endpoint::Users).0, 0, "it is not asked for again at once");

    // Once Twitch likes it again, it is as if nothing had been.
    rig.twitch.world().heal();
    rig.setup.clock.advance(TimeDelta::hours(1));
    let report = rig.whole_pull().await;
    assert_eq!(report.channels_missing, Some(0));
    assert_eq!(missed(&rig, "channel").await, BTreeSet::new());
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_replicas_of_each_enricher_never_ask_for_the_same_twice() {
    let world = WorldConfig { tail: 0, test_record: false, ..WorldConfig::sized(1_500) };
    let mut rig = Rig::new(World::generate(world)).await;
    rig.start_all();
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    let report = rig.whole_pull().await;
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    for endpoint in [Endpoint::Games, Endpoint::Users] {
        let (_, ids) = asked(&rig, endpoint);
        assert_eq!((ids.repeated, ids.total), (0, ids.distinct), "{endpoint:?}");
    }
    assert_eq!(asked(&rig, Endpoint::Users).1.total, 1_500);
    rig.end(&[]).await;
}
