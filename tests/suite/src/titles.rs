//! Titles are anything anybody can type: none changes an id, and each is stored as it came.

use std::fmt::Write;

use fake_twitch::{World, WorldConfig};
use serde_json::value::RawValue;
use shared::{
    schema::{ChunkRef, Record, Validated, validate},
    store::{Kind, NewPage},
};

use crate::{builders::store_as, rig::Rig};

/// How many titles are made.
const TITLES: usize = 10_000;

/// What has broken parsers, pages and databases before.
const PIECES: [&str; 32] = [
    ", user_id=666",
    "\",\"user_id\":\"666\",\"x\":\"",
    "\"}],\"pagination\":{}}",
    "id=1&user_id=2",
    "\"",
    "''",
    "\\",
    "\\\\\"",
    "\\u0041",
    "\\u0000",
    "\0",
    "\0\0",
    "\r\n",
    "\t",
    "\u{1b}[31m",
    "\u{7f}",
    "'; drop table pull; --",
    "$1 $$ {0} %s ${x}",
    "{\"a\":[1,null]}",
    "</script><b>",
    "\u{202e}dlrow\u{202c}",
    "שלום عليكم",
    "👩‍👩‍👧‍👦🏳️‍🌈",
    "e\u{301}\u{327}",
    "\u{feff}",
    "\u{2028}\u{2029}",
    "\u{fffd}\u{ffff}\u{10ffff}",
    "ﷺ𝕏ザゾルチ",
    "null",
    "   ",
    "NaN,1e999",
    "a,b;c|d",
];

/// Choices that come again with the same seed (xorshift64).
struct Dice(u64);

impl Dice {
    fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % n as u64).expect("a small number")
    }

    /// Up to a dozen pieces, with any characters between.
    fn title(&mut self) -> String {
        let mut title = String::new();
        for _ in 0..self.below(12) {
            if self.below(3) == 0 {
                let any = u32::try_from(self.below(0x11_0000)).expect("a code point");
                title.extend(char::from_u32(any));
            } else {
                title.push_str(PIECES[self.below(PIECES.len())]);
            }
        }
        title
    }

    /// The text as a JSON string, in one of the many ways there are to write it.
    fn written(&mut self, text: &str) -> String {
        let escape_all = self.below(4) == 0;
        let mut json = String::from("\"");
        for character in text.chars() {
            let must = character < ' ' || matches!(character, '"' | '\\');
            if escape_all || must || self.below(8) == 0 {
                for unit in character.encode_utf16(&mut [0; 2]) {
                    write!(json, "\\u{unit:04x}").expect("a string takes everything");
                }
            } else {
                json.push(character);
            }
        }
        json + "\""
    }
}

/// Ids, and what the title must be once it is stored.
struct Stream {
    id: String,
    user_id: String,
    title: String,
    nuls: usize,
}

/// A stream with such a title, and its record as Twitch would send it. The title comes before, among or after the ids.
fn stream(number: usize, dice: &mut Dice) -> (Stream, Box<RawValue>) {
    let (id, user_id) = (format!("3{number:011}"), format!("4{number:06}"));
    let title = dice.title();
    let mut fields = vec![
        format!(r#""id":"{id}""#),
        format!(r#""user_id":"{user_id}""#),
        r#""user_login":"ada","user_name":"Ada","game_id":"509658","game_name":"Just Chatting""#.to_owned(),
        r#""type":"live","viewer_count":12,"started_at":"2026-11-23T00:00:00Z","language":"en""#.to_owned(),
        r#""thumbnail_url":"","tag_ids":[],"tags":["a"],"is_mature":false"#.to_owned(),
    ];
    fields.insert(dice.below(fields.len() + 1), format!(r#""title":{}"#, dice.written(&title)));
    let raw = RawValue::from_string(format!("{{{}}}", fields.join(","))).expect("JSON");
    let nuls = title.matches('\0').count();
    (Stream { id, user_id, title: title.replace('\0', "\u{FFFD}"), nuls }, raw)
}

fn assert_kept(stream: &Stream, valid: &Validated) {
    let Validated { record, nul_replaced } = valid;
    assert_eq!((record.id.as_str(), record.user_id.as_str()), (stream.id.as_str(), stream.user_id.as_str()));
    assert_eq!(record.title, stream.title);
    assert_eq!(usize::try_from(*nul_replaced).ok(), Some(stream.nuls), "{:?}", stream.title);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_titles_change_no_id_and_come_back_as_they_were() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let dice = &mut Dice(0x5eed);
    let (streams, sent): (Vec<_>, Vec<_>) = (0..TITLES).map(|number| stream(number, dice)).unzip();
    let nuls: usize = streams.iter().map(|stream| stream.nuls).sum();
    assert!(nuls > 1_000, "there should be enough to replace: {nuls}");
    let valid: Vec<Validated> = sent.iter().map(|raw| validate(raw, 10).expect("a sound record")).collect();
    for (stream, valid) in streams.iter().zip(&valid) {
        assert_kept(stream, valid);
    }

    let chunks = store(&rig, &valid).await;
    let now = rig.setup.clock.now();
    rig.store.filled(Kind::Game, &chunks, 0, now).await.expect("games are filled");
    rig.store.filled(Kind::Channel, &chunks, 0, now).await.expect("channels are filled");
    for chunk in &chunks[..chunks.len() / 2] {
        rig.store.merge(&[*chunk], now).await.expect("merged");
    }
    // From the column, and from the document: the page's own before the merge, the merged one after it.
    let sql = "select stream_id, channel_id, title, data->>'id' as id, data->>'user_id' as user_id,
                      data->>'title' as title_in_data
               from pull_stream order by stream_id";
    let rows = rig.db.query(sql, &[]).await.expect("rows");
    assert_eq!(rows.len(), TITLES);
    for (stream, row) in streams.iter().zip(&rows) {
        for columns in [["stream_id", "channel_id", "title"], ["id", "user_id", "title_in_data"]] {
            let found = columns.map(|column| row.get::<_, &str>(column));
            assert_eq!(found, [&stream.id, &stream.user_id, &stream.title].map(String::as_str));
        }
    }
    let counted =
        rig.db.query_one("select nul_replaced, fetched, stored from pull", &[]).await.expect("a pull");
    let counted = ["nul_replaced", "fetched", "stored"].map(|column| counted.get::<_, i32>(column));
    assert_eq!(counted.map(|n| usize::try_from(n).expect("a count")), [nuls, TITLES, TITLES]);
    rig.end(&[]).await;
}

/// Stores the records as one pull, page by page.
async fn store(rig: &Rig, valid: &[Validated]) -> Vec<ChunkRef> {
    let now = rig.setup.clock.now();
    let pull = rig.store.request_pull("test", now).await.expect("a pull");
    let mut chunks = Vec::new();
    for page in valid.chunks(250) {
        let records: Vec<Record> = page.iter().map(|valid| valid.record.clone()).collect();
        let so_far = rig.store.extraction(pull, "test", now).await.expect("a pull").expect("ours alone");
        let page = NewPage {
            fetched: 250,
            records: &records,
            rejects: &[],
            next_cursor: None,
            nul_replaced: page.iter().map(|valid| valid.nul_replaced).sum(),
            helix_calls: 1,
        };
        let last = so_far.pages == 39;
        let stored = store_as(&rig.store, &so_far, &page, last, now).await;
        chunks.push(stored.chunk);
    }
    chunks
}
