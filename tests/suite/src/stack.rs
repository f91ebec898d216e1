//! What a worker holds on the stack of the thread that polls it. Whatever waits for a future holds it twice, and that stack is
//! never given back: a consumer of 10 KB once cost each program most of a megabyte.

use std::mem::size_of_val;

use fake_twitch::{World, WorldConfig};
use tokio_util::sync::CancellationToken;

use crate::rig::Rig;

/// The most that a worker may be, in bytes.
const MOST: usize = 16 * 1024;

#[tokio::test]
async fn a_worker_is_small_for_whoever_waits_for_it() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let folder = tempfile::tempdir().expect("a folder");
    let sizes = [
        ("extractor", size_of_val(&rig.work(rig.extractor(), CancellationToken::new()))),
        ("game-enricher", size_of_val(&rig.work(rig.game_enricher(), CancellationToken::new()))),
        ("channel-enricher", size_of_val(&rig.work(rig.channel_enricher(), CancellationToken::new()))),
        ("finalizer", size_of_val(&rig.work(rig.finalizer(), CancellationToken::new()))),
        ("exporter", size_of_val(&rig.work(rig.exporter(folder.path()), CancellationToken::new()))),
    ];
    assert!(sizes.iter().all(|(_, size)| *size <= MOST), "{sizes:?}");
    rig.end(&[]).await;
}
