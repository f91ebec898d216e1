//! Where rows come from: every stored stream, and every one that is not there, is explained.

use std::collections::BTreeMap;

use fake_twitch::{Defect, Scenario, World, WorldConfig};
use futures::{StreamExt, stream};
use serde_json::Value;
use shared::store::{Absence, Rejection, StoredStream, StreamTrace, Whereabouts};

use crate::{
    dead_letter_rig::operator,
    eventually::eventually,
    rig::{Rig, Setup},
};

/// Traces of these streams in pull 1.
async fn traces(rig: &Rig, streams: impl Iterator<Item = String>) -> Vec<StreamTrace> {
    let pull = rig.store.latest_pull().await.expect("a pull").expect("a pull");
    let traced = stream::iter(streams).map(|stream| async move {
        rig.store.trace_stream(pull, &stream).await.unwrap_or_else(|error| panic!("{stream}: {error}"))
    });
    traced.buffered(4).collect().await
}

fn stored(trace: &StreamTrace) -> &StoredStream {
    match &trace.whereabouts {
        Whereabouts::Stored(stored) => stored,
        other => panic!("{} should be stored: {other:?}", trace.stream_id),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_row_leads_back_to_its_page_and_every_absence_has_its_reason() {
    let world = World::generate(WorldConfig { tail: 150, ..WorldConfig::sized(1_100) });
    let broken = [Defect::TitleNotText, Defect::BadStartedAt, Defect::LoneSurrogate];
    world.spread(&broken, 10, 10);
    let mut rig = Rig::new(world).await;
    rig.start_all();
    let report = rig.whole_pull().await;
    let world = rig.twitch.world();

    // A thousand rows: each is found on its page, at the place where Twitch listed it, and is what the page says.
    let sql = "select stream_id, chunk from pull_data where pull_id = $1 order by md5(stream_id) limit 1000";
    let rows = rig.db.query(sql, &[&report.pull_id.0]).await.expect("rows");
    assert_eq!(rows.len(), 1_000);
    let sound: BTreeMap<&str, _> =
        world.sound_streams(10).map(|stream| (stream.id.as_str(), stream)).collect();
    let mut places: BTreeMap<i32, Vec<(i32, u64)>> = BTreeMap::new();
    for trace in traces(&rig, rows.iter().map(|row| row.get::<_, String>(0))).await {
        let found = stored(&trace);
        let told = sound[trace.stream_id.as_str()];
        let fetched = found.fetched.as_ref().expect("the kept record");
        assert_eq!(
            (&fetched["id"], &fetched["title"]),
            (&told.id.as_str().into(), &told.title.as_str().into())
        );
        assert_eq!(found.differences, [], "{}", trace.stream_id);
        places.entry(found.chunk).or_default().push((found.place.expect("a place"), told.viewer_count));
        let steps: Vec<_> =
            trace.steps.iter().map(|step| (step.stage.as_str(), step.action.as_str())).collect();
        for stage in ["extractor", "game-enricher", "channel-enricher", "finalizer"] {
            let done = trace.steps.iter().find(|step| step.stage == stage && step.action != "DROP");
            assert!(done.is_some_and(|step| step.attempt == 1 && step.build.is_some()), "{stage}: {steps:?}");
        }
        assert_eq!(trace.pull.settings.as_ref().map(|settings| settings.min_viewers), Some(10));
    }
    for (chunk, mut page) in places {
        page.sort_unstable();
        assert!(page.windows(2).all(|two| two[0].0 != two[1].0), "one stream per place of page {chunk}");
        assert!(
            page.windows(2).all(|two| two[0].1 >= two[1].1),
            "in the list's order on page {chunk}: {page:?}"
        );
    }

    // Two hundred that are not there.
    let below =
        world.streams().iter().filter(|stream| stream.viewer_count < 10).map(|stream| stream.id.clone());
    let defective = world.injected().into_iter().map(|injected| injected.stream_id);
    let unknown = (1..=60).map(|n| format!("99{n:06}"));
    let absent: Vec<String> = defective.chain(below).chain(unknown).take(200).collect();
    assert_eq!(absent.len(), 200);
    let mut reasons: BTreeMap<String, usize> = BTreeMap::new();
    for trace in traces(&rig, absent.into_iter()).await {
        let reason = match &trace.whereabouts {
            Whereabouts::Rejected(Rejection { rule, raw, .. }) => {
                assert!(raw.contains(&trace.stream_id));
                rule.clone()
            }
            Whereabouts::Absent(absence) => absence.as_str().to_owned(),
            Whereabouts::Stored(stored) => panic!("{} is stored: {stored:?}", trace.stream_id),
        };
        *reasons.entry(reason).or_default() += 1;
    }
    for reason in ["text-not-a-string", "started-at-not-a-time", "malformed-json"] {
        assert_eq!(reasons.get(reason), Some(&10), "{reasons:?}");
    }
    assert!(reasons["below-min-viewers"] >= 100, "{reasons:?}");
    let rejected = u32::try_from(report.rejected).expect("a number");
    rig.stop_all().await;
    let announced = rig.ready("streams.rejected").await;
    assert!(rejected > 30 && announced > 0);
    rig.end(&[("streams.rejected", announced)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_capped_pull_says_that_nobody_looked_further() {
    let mut setup = Setup::default();
    setup.limits.max_pages = 2;
    let mut rig = Rig::with(World::generate(WorldConfig::plain(500)), setup).await;
    rig.start_all();
    rig.whole_pull().await;
    let last = rig.twitch.world().streams().last().expect("a stream").id.clone();
    let trace = traces(&rig, std::iter::once(last)).await.remove(0);
    assert_eq!(trace.whereabouts, Whereabouts::Absent(Absence::PageCap));
    assert_eq!(trace.pull.settings.map(|settings| settings.max_pages), Some(2));
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_was_changed_by_hand_is_told_field_by_field() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(100))).await;
    rig.start_all();
    let report = rig.whole_pull().await;
    let sql =
        "update pull_data set title = 'another', viewer_count = 7 where pull_id = $1 returning stream_id";
    let changed = rig.db.query(sql, &[&report.pull_id.0]).await.expect("an update");
    let trace = traces(&rig, std::iter::once(changed[0].get(0))).await.remove(0);
    let fields: Vec<_> =
        stored(&trace).differences.iter().map(|difference| difference.field.as_str()).collect();
    assert_eq!(fields, ["title", "viewer_count"]);
    assert_eq!(stored(&trace).differences[1].stored, Value::from(7));

    // The merge once more, from the kept pages: what was is not overwritten in the pull's history.
    let (code, _, err) = operator(&rig, &format!("rerun {} --from merge --yes", report.pull_id)).await;
    assert_eq!(code, 0, "{err}");
    rig.succeeded(report.pull_id).await;
    let traced = rig.store.trace_pull(report.pull_id, Some(1)).await.expect("a trace");
    let outcomes: Vec<_> = traced.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
    assert_eq!(outcomes, ["success", "success"], "{traced:#?}");
    assert_eq!(traced.attempts[1].from_stage, "finalizer");
    let merges = traced.steps.iter().filter(|step| step.action == "CONTENT_MODIFIED").count();
    assert_eq!(merges, 2, "{:#?}", traced.steps);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_letter_and_its_replay_are_part_of_the_trace() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(100))).await;
    rig.twitch.world().play(&"users-gone".parse::<Scenario>().expect("the fake knows it"));
    rig.start_all();
    let pull = rig.pull().await;
    assert_eq!(rig.ended(pull).await.status, "failed");
    rig.twitch.world().heal();
    let (code, _, err) = operator(&rig, "dead-letters replay --all --yes").await;
    assert_eq!(code, 0, "{err}");
    rig.waits("channel-enricher.dead", 0).await;
    eventually("the replay should bring the pull back", || async {
        let report = rig.store.pull_report(pull).await.expect("a report");
        if report.status == "success" { Ok(()) } else { Err(report) }
    })
    .await;
    let traced = eventually("what came of the replay should be noted", || async {
        let traced = rig.store.trace_pull(pull, Some(1)).await.expect("a trace");
        let replayed =
            traced.steps.iter().any(|step| step.action == "REPLAY" && step.stage == "channel-enricher");
        if replayed { Ok(traced) } else { Err(traced) }
    })
    .await;
    let dropped = traced.steps.iter().find(|step| step.action == "DROP" && step.stage == "channel-enricher");
    assert!(dropped.is_some_and(|step| step.detail.contains("dead letter 1")), "{:#?}", traced.steps);
    let outcomes: Vec<_> = traced.attempts.iter().map(|attempt| attempt.outcome.as_str()).collect();
    assert_eq!(outcomes, ["failed", "success"], "{:#?}", traced.attempts);
    assert!(traced.attempts[0].error.is_some(), "what failed first is not overwritten");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_that_is_listed_again_is_told_with_both_places() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(300))).await;
    rig.twitch.world().play(&"repeated-streams".parse::<Scenario>().expect("the fake knows it"));
    rig.start_all();
    let report = rig.whole_pull().await;
    let repeated = "select record->>'id' from pull_chunk, json_array_elements(duplicate_records) record where pull_id = $1";
    let repeated = rig.db.query(repeated, &[&report.pull_id.0]).await.expect("duplicates");
    assert_eq!(i32::try_from(repeated.len()).ok(), Some(report.duplicates), "each has its place");
    assert!(report.duplicates > 0);
    for trace in traces(&rig, repeated.iter().map(|row| row.get(0))).await {
        let found = stored(&trace);
        let again = &trace.duplicates[0];
        let (first, second) = ((found.chunk, found.place.expect("a place")), (again.0, again.1.place));
        assert!(first < second, "stored from {first:?}, dropped at {second:?}");
    }
    rig.end(&[]).await;
}
