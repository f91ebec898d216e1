//! Drift of Twitch's records: each kind is told once, with a sample, and chance is none.

use fake_twitch::{Defect, World, WorldConfig};
use serde_json::{Value, json, value::RawValue};
use shared::schema::{PullId, Shapes};

use crate::{
    dead_letter_rig::operator,
    eventually::eventually,
    process::{Options, Process},
    rig::Rig,
};

/// A field appears, vanishes, becomes null, and changes its type in three ways.
const DRIFT: [(Defect, &str, &str); 6] = [
    (Defect::NewField, "mood", "string"),
    (Defect::MissingUserId, "user_id", "missing"),
    (Defect::NullLogin, "user_login", "null"),
    (Defect::NumericUserId, "user_id", "number"),
    (Defect::TextViewerCount, "viewer_count", "string"),
    (Defect::TitleNotText, "title", "object"),
];

/// What the workers have told of drift.
async fn told(rig: &Rig) -> Vec<Value> {
    let (code, out, err) = operator(rig, "events --json").await;
    assert_eq!(code, 0, "{err}");
    let events = out.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    events.filter(|event| event["code"] == "twitch.drift").collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_kind_of_drift_is_one_event_with_a_sample() {
    let world = World::generate(WorldConfig::plain(300));
    world.spread(&DRIFT.map(|(defect, ..)| defect), 4, 10);
    let mut rig = Rig::new(world).await;
    let process = Process::start(&rig, "extractor", &Options::default());
    rig.start(rig.game_enricher());
    rig.start(rig.channel_enricher());
    rig.start(rig.finalizer());
    rig.whole_pull().await;
    assert_eq!(told(&rig).await, [Value::Null; 0], "one pull is chance");
    for _ in 0..2 {
        rig.whole_pull().await;
    }
    let events = eventually("six kinds should be told", || async {
        let events = told(&rig).await;
        if events.len() == DRIFT.len() { Ok(events) } else { Err(events) }
    })
    .await;
    for (_, field, kind) in DRIFT {
        let shape = if kind == "missing" { "is missing".to_owned() } else { format!("is now {kind}") };
        let words = format!("field {field} of /streams {shape} in 4 of 300 records");
        let event =
            events.iter().find(|event| event["message"].as_str().is_some_and(|text| text.contains(&words)));
        assert_eq!(event.map(|event| &event["count"]), Some(&json!(1)), "{words}: {events:#?}");
    }
    process.terminate().await;
    rig.stop_all().await;
    let rejected = rig.ready("streams.rejected").await;
    rig.end(&[("streams.rejected", rejected)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_pulls_with_stray_defects_tell_nothing() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let pulls = "insert into pull (requested_by, started_at, extracted_at)
                 select 'test', now(), now() from generate_series(1, 1000)";
    rig.db.batch_execute(pulls).await.expect("pulls");
    let world = World::generate(WorldConfig { tail: 0, short_pages: 0.0, ..WorldConfig::sized(250) });
    let raw = |text: String| RawValue::from_string(text).expect("JSON");
    let sound: Vec<_> = world.streams().iter().map(|stream| raw(json!(stream).to_string())).collect();
    // A number that looks random, and is the same in every run.
    let mut random = 1_u64;
    let mut next = |below: usize| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        usize::try_from(random >> 33).expect("31 bits") % below
    };
    for pull in 1..=1_000 {
        let mut shapes = Shapes::default();
        for record in &sound {
            shapes.observe(record);
        }
        for _ in 0..next(3) {
            let stream = &world.streams()[next(sound.len())];
            shapes.observe(&raw(Defect::ALL[next(Defect::ALL.len())].tell(stream)));
        }
        let told = rig.store.note_shapes(PullId(pull), &shapes.drifted(), crate::builders::now()).await;
        assert_eq!(told.expect("noted"), [], "pull {pull}");
    }
    rig.end(&[]).await;
}
