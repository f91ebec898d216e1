//! Who may do what with the lake's catalogue.

use fake_twitch::{World, WorldConfig};

use crate::{rig::Rig, services::connect};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_exporter_writes_the_lake_and_people_read_it() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let read = "select count(*) from lake.ducklake_data_file";
    let write = "insert into lake.ducklake_metadata (key, value) values ('x', 'y')";
    let cases = [
        ("exporter", read, true),
        ("exporter", write, true),
        ("exporter", "select count(*) from pull_data where pulled_at = now()", true),
        ("exporter", "update pull set error = 'x'", false),
        ("exporter", "delete from pull_data where pulled_at = now()", false),
        ("exporter", "select count(*) from helix_token", false),
        ("exporter", "select count(*) from twitch_channel", false),
        ("exporter", "select count(*) from retention", true),
        ("reader", read, true),
        ("reader", "select count(*) from lake.request", false),
        ("reader", write, false),
        ("reader", "delete from lake.export", false),
        ("operator", read, true),
        ("operator", write, false),
        (
            "operator",
            "insert into lake.request (action, requested_by, requested_at) values ('verify', 'x', now())",
            true,
        ),
        ("finalizer", read, false),
        ("finalizer", "select count(*) from lake.export", true),
        ("extractor", read, false),
    ];
    for (program, sql, may) in cases {
        let client = connect(&rig.database.url_of(program)).await;
        let done = client.batch_execute(sql).await;
        assert_eq!(done.is_ok(), may, "{program}: {sql}: {done:?}");
    }
    rig.end(&[]).await;
}
