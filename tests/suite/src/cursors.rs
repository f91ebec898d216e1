//! Paging to the end, whatever the cursors do: every pull ends, says why, and stores each stream once.

use std::collections::{BTreeMap, BTreeSet};

use extractor::Limits;
use fake_twitch::{Effect, Endpoint, Fault, Happening, Scenario, Stream, When, World, WorldConfig};
use serde_json::{Value, json};
use shared::{schema::PullId, store::PullReport};
use tokio_postgres::Client;

use crate::{
    dead_letter_rig::operator,
    rig::{Rig, Setup},
    truth::{assert_matches_world, document},
};

/// Streams of the world: four full pages and a half.
const STREAMS: usize = 450;

/// What becomes of a pull when the cursors misbehave in a certain way.
struct Way {
    /// The fake's name for it.
    scenario: &'static str,
    stop_reason: &'static str,
    /// Pages stored.
    pages: i32,
    /// What may happen to a stream so that nobody who reads the list can have it.
    lost: &'static [Happening],
    /// How many streams from the top are reached, where the cursors lead nowhere further on.
    reached: usize,
    /// Whether some streams are told twice.
    repeats: bool,
}

impl Way {
    /// A way of paging on which everything is reached, and nothing comes twice.
    const fn to_the_end(scenario: &'static str, pages: i32) -> Self {
        Self { scenario, stop_reason: "end", pages, lost: &[], reached: STREAMS, repeats: false }
    }

    const fn losing(self, lost: &'static [Happening]) -> Self {
        Self { lost, ..self }
    }

    const fn repeating(self) -> Self {
        Self { repeats: true, ..self }
    }

    const fn in_a_loop(self, reached: usize) -> Self {
        Self { stop_reason: "cursor_loop", reached, repeats: true, ..self }
    }
}

/// Those that move streams come last: what they do to the world stays done.
const WAYS: [Way; 12] = [
    Way::to_the_end("wrapping-last-cursor", 6).in_a_loop(STREAMS),
    Way::to_the_end("wrapping-cursor", 5).in_a_loop(400),
    Way::to_the_end("repeated-cursor", 6).repeating(),
    Way::to_the_end("stuck-cursor", 2).in_a_loop(100),
    Way::to_the_end("invalid-cursor-once", 5),
    Way::to_the_end("half-length-cursor", 6),
    Way::to_the_end("incomplete-pages", 5),
    Way::to_the_end("lossy-pages", 5).losing(&[Happening::Lost]),
    Way::to_the_end("repeated-streams", 6).repeating(),
    Way::to_the_end("rough-sweep", 7).in_a_loop(STREAMS),
    Way::to_the_end("jumping-viewers", 5).losing(&[Happening::Rose]).repeating(),
    Way::to_the_end("vanishing-streams", 5).losing(&[Happening::Vanished]),
];

/// What a pull stored: the documents by stream.
async fn documents(db: &Client, pull: PullId) -> BTreeMap<String, Value> {
    let sql = "select stream_id, data from pull_data where pull_id = $1";
    let rows = db.query(sql, &[&pull.0]).await.expect("rows");
    let documents: BTreeMap<_, _> = rows.iter().map(|row| (row.get("stream_id"), row.get("data"))).collect();
    assert_eq!(documents.len(), rows.len(), "a stream is stored twice");
    documents
}

fn assert_accounts(report: &PullReport, what: &str) {
    let sum = report.stored + report.rejected + report.duplicates;
    assert_eq!(report.fetched, sum, "{what}: {report:#?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_of_paging_ends_and_loses_only_what_nobody_could_have_read() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(STREAMS))).await;
    rig.start_all();
    for way in WAYS {
        let Way { scenario, .. } = way;
        let world = rig.twitch.world();
        let live: Vec<Stream> = world.live();
        world.journal.clear();
        world.play(&scenario.parse::<Scenario>().expect("the fake knows it"));
        let report = rig.whole_pull().await;
        world.heal();

        assert_eq!(report.stop_reason.as_deref(), Some(way.stop_reason), "{scenario}: {report:#?}");
        assert_eq!(report.pages, way.pages, "{scenario}: {report:#?}");
        assert_eq!(report.whole, Some(way.stop_reason == "end"), "{scenario}: {report:#?}");
        assert_eq!(report.duplicates > 0, way.repeats, "{scenario}: {report:#?}");
        assert_accounts(&report, scenario);
        let lost: BTreeSet<String> = way.lost.iter().flat_map(|what| world.journal.ids(*what)).collect();
        assert_eq!(lost.is_empty(), way.lost.is_empty(), "{scenario} should have struck");

        let stored = documents(&rig.db, report.pull_id).await;
        assert_eq!(i32::try_from(stored.len()).ok(), Some(report.stored), "{scenario}");
        let reachable = live.iter().take(way.reached);
        for stream in reachable.clone().filter(|stream| !lost.contains(&stream.id)) {
            assert_eq!(stored.get(&stream.id), Some(&document(world, stream)), "{scenario}: {}", stream.id);
        }
        let reachable: BTreeSet<&str> = reachable.map(|stream| stream.id.as_str()).collect();
        assert!(stored.keys().all(|id| reachable.contains(id.as_str())), "{scenario}: more than there is");
    }
    rig.end(&[]).await;
}

fn limits(limits: Limits) -> Setup {
    Setup { limits, ..Setup::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_page_cap_ends_a_pull() {
    let setup = limits(Limits { max_pages: 3, ..Setup::default().limits });
    let mut rig = Rig::with(World::generate(WorldConfig::plain(STREAMS)), setup).await;
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_eq!(report.stop_reason.as_deref(), Some("page_cap"));
    assert_eq!((report.pages, report.stored, report.whole), (3, 300, Some(false)));
    let (code, out, _) = operator(&rig, "status").await;
    assert!(
        code == 0 && out.contains("the list of streams is incomplete: the page cap was reached"),
        "{out}"
    );
    let stored = documents(&rig.db, report.pull_id).await;
    for stream in &rig.twitch.world().streams()[..300] {
        assert_eq!(stored[&stream.id], document(rig.twitch.world(), stream));
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_out_of_order_does_not_end_a_pull() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(320))).await;
    let raid = Effect::Field { name: "viewer_count".into(), value: Some(json!(1_000_000)), item: Some(0) };
    rig.twitch.faults(|faults| faults.push(Fault::new(raid).on(Endpoint::Streams).when(When::Call(3))));
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_eq!((report.stop_reason.as_deref(), report.whole), (Some("end"), Some(true)));
    assert_eq!((report.pages, report.stored, report.duplicates), (4, 320, 0));
    let risen = "select count(*) from pull_data where viewer_count = 1000000 and chunk = 3";
    assert_eq!(rig.db.query_one(risen, &[]).await.expect("a count").get::<_, i64>(0), 1);
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_in_a_circle_is_told_by_status() {
    let mut rig = Rig::new(World::generate(WorldConfig::plain(STREAMS))).await;
    rig.twitch.world().play(&"stuck-cursor".parse::<Scenario>().expect("the fake knows it"));
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_eq!(report.whole, Some(false));
    let (code, out, _) = operator(&rig, "status").await;
    let told = "Not well: pull 1 succeeded, but the list of streams is incomplete: Twitch's cursors led in a circle.";
    assert!(code == 1 && out.starts_with(told), "{out}");
    rig.end(&[]).await;
}

/// A world with more than two pages of streams that hardly anybody watches.
fn with_a_tail() -> World {
    World::generate(WorldConfig { tail: 250, ..WorldConfig::plain(150) })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tail_is_not_read_when_the_list_is_believed_to_be_sorted() {
    let mut rig = Rig::new(with_a_tail()).await;
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_eq!(report.stop_reason.as_deref(), Some("min_viewers"));
    assert_eq!((report.pages, report.stored, report.rejected), (2, 150, 50));
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    rig.end(&[("streams.rejected", 1)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tail_is_read_and_rejected_when_nothing_is_believed() {
    let setup = limits(Limits { stop_below_min_viewers: false, ..Setup::default().limits });
    let mut rig = Rig::with(with_a_tail(), setup).await;
    rig.start_all();
    let report = rig.whole_pull().await;
    assert_eq!(report.stop_reason.as_deref(), Some("end"));
    assert_eq!((report.pages, report.stored, report.rejected), (4, 150, 250));
    assert_eq!(report.rejected_by_rule, BTreeMap::from([("below-min-viewers".to_owned(), 250)]));
    assert_accounts(&report, "the tail");
    assert_matches_world(&rig.db, report.pull_id, rig.twitch.world(), 10).await;
    rig.end(&[("streams.rejected", 3)]).await;
}
