//! What the console asks of PostgreSQL: no page reads a table from end to end, however much there is, and open pages share what is
//! asked. How long it takes is measured by the bench's drill `console`.

use std::collections::BTreeMap;

use fake_twitch::{World, WorldConfig};
use futures::future::join_all;
use reqwest::{Method, Response};

use crate::{
    console_rig::Console,
    console_world::{Scale, addresses, fill},
    eventually::DEADLINE,
    rig::Rig,
    statements::Listener,
};

/// More of everything than a page may read, as far as it is read row by row.
const SCALE: Scale =
    Scale { pulls: 400, chunks: 12, days: 5, dead_letters: 12_500, causes: 1, events: 6_000 };
/// The most rows that a statement may read of a table and its partitions. Dead letters of a cause are counted up to 10,000, all
/// chunks of the pulls that are shown are looked at, and a pull's streams are read for its sums.
const MOST_ROWS: [(&str, u64); 8] = [
    ("pull", 300),
    ("pull_chunk", 1_500),
    ("pull_data", 1_500),
    ("provenance", 1_500),
    ("dead_letter", 10_500),
    ("dead_letter_event", 500),
    ("event", 500),
    ("replay_letter", 5_000),
];
/// Statements that read more, and why.
const WHOLE: [&str; 3] = [
    // What is confirmed is counted whole.
    "list::count",
    "replay::count",
    // Looks into each pull there is, by its key.
    "trace::newest_pull_with",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_page_reads_a_table_from_end_to_end() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    fill(&rig.db, SCALE).await.expect("a world");
    let line = Listener::to(&rig.database.url_of("console"), &rig.db, rig.database.name()).await;
    let variables = [("DATABASE_URL", line.url.as_str()), ("CONSOLE_TOKEN", "t"), ("ALLOW_ACTIONS", "true")];
    let variables = variables.map(|(name, value)| (name, value.to_owned())).to_vec();
    let console = Console::start(&rig, variables).await;
    let (mut too_many, mut counted) = (Vec::new(), 0);
    for address in addresses(&rig.db).await.expect("addresses") {
        let page = console.client.get(format!("http://{}{address}", console.address));
        let answer = page.basic_auth("me", Some("t")).send().await.expect("an answer");
        assert!(answer.status().is_success(), "{address}: {}", answer.text().await.expect("text"));
        answer.bytes().await.expect("a page");
        for statement in line.take() {
            let mut rows: BTreeMap<&str, u64> = BTreeMap::new();
            let read = statement.rows_read();
            for (table, read) in &read {
                // A partition is named after its table and a day.
                let parent = table.trim_end_matches(|character: char| character.is_ascii_digit());
                *rows.entry(parent.trim_end_matches('_')).or_default() += read;
            }
            if WHOLE.contains(&statement.name.as_str()) {
                continue;
            }
            counted = counted.max(rows.get("dead_letter").copied().unwrap_or_default());
            let over =
                MOST_ROWS.iter().filter(|(table, most)| rows.get(table).is_some_and(|rows| rows > most));
            too_many.extend(
                over.map(|(table, _)| {
                    format!("{address}: {} reads {} of {table}", statement.name, rows[table])
                }),
            );
        }
    }
    assert!(
        counted > 10_000,
        "PostgreSQL tells what it reads: {counted} dead letters of a cause were counted"
    );
    assert!(too_many.is_empty(), "{too_many:#?}");
    console.process.terminate().await;
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fifty_open_pages_ask_postgresql_as_much_as_one() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let line = Listener::to(&rig.database.url_of("console"), &rig.db, rig.database.name()).await;
    let console = Console::start(&rig, vec![("DATABASE_URL", line.url.clone())]).await;
    assert_eq!(line.take().len(), 0, "nobody has a page open");
    let mut one = open(&console).await;
    line.take();
    news(&mut one).await;
    let of_one = line.take().len();
    let mut others = join_all((0..49).map(|_| open(&console))).await;
    news(&mut one).await;
    line.take();
    news(&mut one).await;
    let of_fifty = line.take().len();
    assert!(of_one > 5, "{of_one} statements");
    assert!(2 * of_fifty <= 3 * of_one, "{of_fifty} statements for fifty, {of_one} for one");
    let heard = join_all(others.iter_mut().map(news)).await;
    assert_eq!(heard.len(), 49, "each has its news");
    drop((one, others));
    console.process.terminate().await;
    rig.end(&[]).await;
}

/// Opens the page Flow, and waits for its first news.
async fn open(console: &Console) -> Response {
    let mut page = console.ask(Method::GET, "/live?page=%2F", &[]).await;
    news(&mut page).await;
    page
}

/// Waits for a piece of news, whole: it ends with an empty line.
async fn news(page: &mut Response) {
    loop {
        let part = tokio::time::timeout(DEADLINE, page.chunk()).await.expect("news in time");
        let part = part.expect("an event").expect("news");
        if part.ends_with(b"\n\n") {
            return;
        }
    }
}
