//! Pulls made by hand, page by page, for tests that want to be in every place where a program could die.

use chrono::{DateTime, Utc};
use fake_twitch::World;
use serde_json::value::to_raw_value;
use shared::{
    clock::Clock,
    dead_letter::DeadLetter,
    schema::{ChunkRef, PullId, Record, StopReason, validate},
    store::{Draft, Extraction, Kind, NewPage, Store},
};
use tokio_postgres::Client;

/// The time, as all programs have it.
pub(crate) fn now() -> DateTime<Utc> {
    Clock::System.now()
}

/// The world's streams as they are stored, page by page.
pub(crate) fn pages(world: &World, size: usize) -> Vec<Vec<Record>> {
    let record = |stream| validate(&to_raw_value(stream).expect("JSON"), 0).expect("a sound stream").record;
    world.streams().chunks(size).map(|page| page.iter().map(record).collect()).collect()
}

/// Stores the next page of a pull, as the extractor does.
pub(crate) async fn store_page(store: &Store, pull: PullId, records: &[Record], last: bool) -> Draft {
    let so_far =
        store.extraction(pull, "test", now()).await.expect("a pull").expect("nobody else fetches it");
    let cursor = format!("cursor {}", so_far.pages + 1);
    let page = NewPage {
        fetched: i32::try_from(records.len()).expect("a short page"),
        records,
        rejects: &[],
        next_cursor: (!last).then_some(cursor.as_str()),
        nul_replaced: 0,
        helix_calls: 1,
    };
    store_as(store, &so_far, &page, last, now()).await
}

/// Stores a page as the one after those of `so_far`, for the extractor `test`.
pub(crate) async fn store_as(
    store: &Store,
    so_far: &Extraction,
    page: &NewPage<'_>,
    last: bool,
    now: DateTime<Utc>,
) -> Draft {
    let mut seen = store.seen(so_far).await.expect("what is there");
    let draft = Draft::new(so_far, &mut seen, page, |_| last.then_some(StopReason::End)).expect("JSON");
    let stored = store.store_pages(so_far, std::slice::from_ref(&draft), "test", now).await;
    stored.expect("the page should be stored");
    draft
}

/// A pull whose pages are all stored.
pub(crate) async fn extracted(store: &Store, pages: &[Vec<Record>]) -> Vec<ChunkRef> {
    let pull = store.request_pull("test", now()).await.expect("a pull");
    let mut chunks = Vec::with_capacity(pages.len());
    for (number, page) in (1..).zip(pages) {
        chunks.push(store_page(store, pull, page, number == pages.len()).await.chunk);
    }
    chunks
}

/// A pull that only lacks its merges.
pub(crate) async fn filled(store: &Store, pages: &[Vec<Record>]) -> Vec<ChunkRef> {
    let chunks = extracted(store, pages).await;
    store.filled(Kind::Game, &chunks, 0, now()).await.expect("games are filled");
    store.games_filled(chunks[0].pull_id).await.expect("games are filled");
    store.filled(Kind::Channel, &chunks, 0, now()).await.expect("channels are filled");
    chunks
}

/// Makes the database note every closing of a pull, with what was still to be done at that very moment.
pub(crate) async fn note_closings(db: &Client) {
    let sql = "
        create table closing (pull_id bigint not null, extracting boolean not null, unmerged bigint not null);
        create function note_closing() returns trigger language plpgsql security definer as $$
        begin
            insert into closing
            select new.id, new.extracted_at is null, count(*) filter (where merged_at is null)
            from pull_chunk where pull_id = new.id;
            return new;
        end $$;
        create trigger note_closing after update of status on pull
            for each row when (new.status = 'success') execute function note_closing()";
    db.batch_execute(sql).await.expect("the closings are noted");
}

/// Shows that all pulls are closed, each exactly once, none before all was done. Returns how many there are.
pub(crate) async fn assert_closed_once(db: &Client) -> i64 {
    let sql = "select p.id, p.status, count(c.pull_id) as closings, coalesce(bool_or(extracting), true) as extracting,
                      coalesce(max(unmerged), -1) as unmerged
               from pull p left join closing c on c.pull_id = p.id group by p.id";
    let rows = db.query(sql, &[]).await.expect("closings");
    for row in &rows {
        let (pull, status): (i64, &str) = (row.get("id"), row.get("status"));
        assert_eq!(status, "success", "pull {pull}");
        assert_eq!(row.get::<_, i64>("closings"), 1, "pull {pull} should be closed exactly once");
        assert!(!row.get::<_, bool>("extracting"), "pull {pull} was closed while it was being fetched");
        assert_eq!(
            row.get::<_, i64>("unmerged"),
            0,
            "pull {pull} was closed before the last chunk was merged"
        );
    }
    i64::try_from(rows.len()).expect("a number")
}

/// A dead letter of the message about a chunk.
pub(crate) fn dead_letter(stage: &str, chunk: ChunkRef) -> DeadLetter {
    DeadLetter {
        letter: format!("{stage}/{}/{}", chunk.pull_id, chunk.chunk),
        queue: format!("{stage}.dead"),
        stage: stage.to_owned(),
        class: "permanent".to_owned(),
        code: "test".to_owned(),
        message: "test".to_owned(),
        causes: String::new(),
        fingerprint: "test".to_owned(),
        attempts: 1,
        first_failed_at: now(),
        last_failed_at: now(),
        build: shared::version::VERSION.to_owned(),
        host: String::new(),
        generation: 0,
        replayed: None,
        message_id: String::new(),
        kind: String::new(),
        pull_id: Some(chunk.pull_id.0),
        chunk: Some(chunk.chunk),
        properties: serde_json::json!({}),
        body: vec![0, b'x'],
    }
}
