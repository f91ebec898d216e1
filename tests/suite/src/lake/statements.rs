//! What an export asks of PostgreSQL.

use chrono::TimeDelta;
use exporter::{Exporter, Storage};
use fake_twitch::{World, WorldConfig};
use shared::store::{Exported, Store};

use crate::{rig::Rig, statements::Listener};

/// Most statements of an export, apart from those that open the session of its lock, and begin and end transactions.
const MOST: usize = 15;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_export_takes_at_most_fifteen_statements_however_large_the_pull() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut rig = Rig::new(World::generate(WorldConfig::plain(300))).await;
    rig.start_all();
    let pulls = [rig.whole_pull().await.pull_id, rig.whole_pull().await.pull_id];
    rig.stop_all().await;
    let line = Listener::to(&rig.database.url_of("exporter"), &rig.db, rig.database.name()).await;
    let store = Store::new(&line.url.clone().into(), 4, "exporter").expect("a store");
    let storage = Storage::folder(folder.path()).expect("a folder");
    let exporter = Exporter::of(store, storage, rig.setup.clock.clone(), TimeDelta::days(1));
    let mut asked: Vec<String> = Vec::new();
    for pull in pulls {
        let closed = rig.store.closed(pull).await.expect("an answer").expect("closed");
        let outcome = exporter.lake().export(&closed, rig.setup.clock.now()).await.expect("exported");
        assert_eq!(outcome, Some(Exported::Now));
        let heard = line.take().into_iter().map(|statement| statement.name);
        asked = heard.filter(|name| name != "session::settle").collect();
    }
    // The first has made the catalogue know the tables and the storage.
    assert!(
        asked.contains(&"lake::rows, stream_peek".to_owned()),
        "PostgreSQL tells what is asked: {asked:?}"
    );
    assert!(asked.len() <= MOST, "{} statements: {asked:#?}", asked.len());
    rig.end(&[]).await;
}
