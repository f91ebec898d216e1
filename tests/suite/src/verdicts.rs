//! Which fault has which class, and what becomes of the message: the table in the operator's README, made to happen.

use fake_twitch::{Effect, Endpoint, Fault, When, World, WorldConfig};
use shared::{
    failure::{Class, Failure},
    runtime::{Verdict, verdict},
    schema::{ChunkRef, ChunkStored, GameId, PullId, decode},
    store::Store,
};

use crate::{builders::now, dead_letter_rig::empty_rig, rig::Rig};

/// What becomes of the message, at its first failure and at its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    /// Tried again after each rung, then dead.
    RetriedThenDead,
    /// Kept in hand; no attempt is spent.
    Kept,
    /// Given back, the stage pauses; no attempt is spent.
    Paused,
    /// Dead at once.
    Dead,
}

fn fate(rig: &Rig, failure: &Failure) -> Fate {
    let delays = &rig.setup.delays;
    let last = u32::try_from(delays.iter().count()).expect("a few") + 1;
    match (verdict(failure, 1, delays), verdict(failure, last, delays)) {
        (Verdict::Retry(_), Verdict::DeadLetter) => Fate::RetriedThenDead,
        (Verdict::Hold(one), Verdict::Hold(other)) if one == other => Fate::Kept,
        (Verdict::Pause(one), Verdict::Pause(other)) if one == other => Fate::Paused,
        (Verdict::DeadLetter, Verdict::DeadLetter) => Fate::Dead,
        odd => panic!("{failure}: {odd:?}"),
    }
}

fn status(code: u16) -> Effect {
    Effect::Status { code, message: "it says".to_owned() }
}

fn without(field: &str) -> Effect {
    Effect::Field { name: field.to_owned(), value: None, item: None }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_twitch_has_its_class_and_fate() {
    use Fate::{Dead, Kept, Paused, RetriedThenDead};
    let rig = Rig::new(World::generate(WorldConfig::plain(120))).await;
    let helix = Endpoint::Games;
    let token = Endpoint::Token;
    let cases = [
        (helix, status(500), Class::Transient, "helix.server_error", RetriedThenDead),
        (helix, status(502), Class::Transient, "helix.server_error", RetriedThenDead),
        (helix, Effect::Html { code: 503 }, Class::Transient, "helix.server_error", RetriedThenDead),
        (helix, status(404), Class::Transient, "helix.unexpected_status", RetriedThenDead),
        (helix, Effect::Html { code: 200 }, Class::Transient, "helix.malformed", RetriedThenDead),
        (helix, Effect::Malformed, Class::Transient, "helix.malformed", RetriedThenDead),
        (helix, Effect::CutJson, Class::Transient, "helix.malformed", RetriedThenDead),
        (helix, Effect::CutOff, Class::Transient, "helix.malformed", RetriedThenDead),
        (helix, Effect::NoReply, Class::Transient, "helix.unreachable", RetriedThenDead),
        (helix, status(429), Class::RateLimited, "helix.rate_limited", Kept),
        (helix, status(401), Class::Auth, "helix.unauthorized", Paused),
        (helix, status(400), Class::Permanent, "helix.bad_request", Dead),
        (helix, status(410), Class::Permanent, "helix.gone", Dead),
        (token, status(403), Class::Auth, "helix.token_refused", Paused),
        (token, status(400), Class::Auth, "helix.token_refused", Paused),
        (token, status(429), Class::RateLimited, "helix.token_rate_limited", Kept),
        (token, status(404), Class::Auth, "helix.token_refused", Paused),
        (token, Effect::Html { code: 503 }, Class::Outage, "helix.token_unavailable", Paused),
        (token, Effect::Html { code: 200 }, Class::Outage, "helix.token_unavailable", Paused),
        (token, without("access_token"), Class::Outage, "helix.token_unavailable", Paused),
        (token, Effect::Malformed, Class::Outage, "helix.token_unavailable", Paused),
        (token, Effect::NoReply, Class::Outage, "helix.token_unavailable", Paused),
        // Last, because the bucket stays empty for a while.
        (helix, Effect::DrainBucket, Class::RateLimited, "helix.rate_limited", Kept),
    ];
    let game: GameId = "509658".parse().expect("an id");
    for (endpoint, effect, class, code, expected) in cases {
        rig.db.batch_execute("delete from helix_token").await.expect("no token is left over");
        rig.twitch.world().heal();
        let seen = format!("{effect:?} at {endpoint:?}");
        rig.twitch.faults(|faults| faults.push(Fault::new(effect).on(endpoint).when(When::Always)));
        let failure = Failure::from(rig.helix().games(std::slice::from_ref(&game)).await.expect_err(&seen));
        assert_eq!((failure.class, failure.code), (class, code), "{seen}: {failure}");
        assert_eq!(fate(&rig, &failure), expected, "{seen}");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_fault_of_the_database_and_of_messages_has_its_class_and_fate() {
    use Fate::{Dead, Paused};
    let rig = empty_rig().await;
    let mut seen: Vec<(&str, Failure)> = Vec::new();
    for (fault, body) in [
        ("half a message", &b"{\"kind\":"[..]),
        ("another kind", br#"{"kind":"pull-requested","version":1,"pull_id":1}"#),
        ("a version of the future", br#"{"kind":"chunk-stored","version":99}"#),
    ] {
        seen.push((fault, decode::<ChunkStored>(body).expect_err(fault).into()));
    }
    let nowhere = ChunkRef { pull_id: PullId(404), pulled_at: now(), chunk: 1 };
    seen.push((
        "a chunk that is nowhere",
        rig.store.merge(&[nowhere], now()).await.expect_err("nowhere").into(),
    ));
    let away = Store::new(&"postgres://nobody@127.0.0.1:1/nowhere".into(), 2, "test").expect("a store");
    seen.push(("no database", away.check().await.expect_err("nobody there").into()));
    rig.db.batch_execute("drop schema public cascade; create schema public").await.expect("no schema");
    seen.push(("no schema", rig.store.check().await.expect_err("no schema").into()));

    let told: Vec<_> =
        seen.iter().map(|(fault, failure)| (*fault, failure.code, fate(&rig, failure))).collect();
    assert_eq!(
        told,
        [
            ("half a message", "message.malformed", Dead),
            ("another kind", "message.kind", Dead),
            ("a version of the future", "message.version", Dead),
            ("a chunk that is nowhere", "store.not_there", Dead),
            ("no database", "store.unreachable", Paused),
            ("no schema", "store.schema", Paused),
        ]
    );
    rig.end(&[]).await;
}
