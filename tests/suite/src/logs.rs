//! Log lines, as a program reads them: every one is JSON, and says what it is about.

use chrono::DateTime;
use fake_twitch::{World, WorldConfig};
use lapin::BasicProperties;
use serde_json::{Map, Value, json};
use shared::topology::GAME_ENRICHER;

use crate::{
    dead_letter_rig::{DEAD, message},
    eventually::eventually,
    process::{Options, Process},
    rig::Rig,
    token::free,
    wire::Wire,
};

const WORKERS: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];

/// A line, which must be a JSON object that says when, how grave and what.
fn read(line: &str) -> Map<String, Value> {
    let line: Map<String, Value> =
        serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line:?}"));
    let text =
        |name: &str| line.get(name).and_then(Value::as_str).unwrap_or_else(|| panic!("{name}: {line:?}"));
    assert!(DateTime::parse_from_rfc3339(text("timestamp")).is_ok(), "{line:?}");
    assert!(["ERROR", "WARN", "INFO"].contains(&text("level")), "{line:?}");
    assert!(!text("message").is_empty(), "{line:?}");
    line
}

/// The lines whose message holds `words`; there must be some.
fn about<'a>(lines: &'a [Map<String, Value>], words: &str) -> Vec<&'a Map<String, Value>> {
    let holds =
        |line: &&Map<String, Value>| line["message"].as_str().is_some_and(|text| text.contains(words));
    let found: Vec<_> = lines.iter().filter(holds).collect();
    assert!(!found.is_empty(), "nothing says {words:?}: {lines:#?}");
    found
}

/// The trace that a line is about.
fn trace(line: &Map<String, Value>) -> String {
    let trace = line.get("trace").and_then(Value::as_str).unwrap_or_else(|| panic!("a trace: {line:?}"));
    let digits = trace.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte));
    assert!(trace.len() == 32 && digits, "{line:?}");
    trace.to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_line_is_json_and_says_what_it_is_about() {
    let rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    let told = Options::default();
    let processes = WORKERS.map(|name| Process::start(&rig, name, &told));
    for process in &processes {
        process.ready().await;
    }
    // One about a chunk that is nowhere, and one that nobody can read.
    rig.announcer.announce(vec![GAME_ENRICHER.request(&message(99))]).await.expect("announced");
    Wire::connect(&rig.vhost)
        .await
        .publish("game-enricher", &BasicProperties::default(), b"no JSON \x1b[31m\n{")
        .await;
    rig.waits(DEAD, 2).await;
    let pull = rig.pull().await;
    rig.succeeded(pull).await;
    let mut lines = Vec::new();
    for process in processes {
        lines.extend(process.whole_log().await.iter().map(|line| read(line)));
    }

    // A message that failed, and became a dead letter.
    let failed = about(&lines, "chunk-stored/1/99 failed");
    let dead = about(&lines, "dead letter");
    let dead: Vec<_> = dead.into_iter().filter(|line| line.get("chunk").is_some()).collect();
    assert_eq!((failed.len(), dead.len()), (1, 1));
    for line in [failed[0], dead[0]] {
        let said = ["stage", "pull", "chunk", "attempt"].map(|name| line[name].clone());
        assert_eq!(Value::from(said.to_vec()), json!(["game-enricher", 1, 99, 1]), "{line:?}");
    }
    assert_eq!(failed[0]["message_id"], "chunk-stored/1/99");
    assert_eq!(trace(failed[0]), trace(dead[0]));
    let unreadable = about(&lines, "dead letter: the message is not a chunk-stored");
    assert_eq!(unreadable[0]["stage"], "game-enricher");
    assert_ne!(trace(unreadable[0]), trace(dead[0]), "it begins a trace of its own");

    // A pull, from page to end.
    let stored = about(&lines, "is stored");
    assert_eq!(stored.len(), 3);
    let whole = trace(stored[0]);
    for (line, chunk) in stored.into_iter().zip(1..) {
        let said = ["stage", "pull", "chunk"].map(|name| line[name].clone());
        assert_eq!(Value::from(said.to_vec()), json!(["extractor", pull.0, chunk]), "{line:?}");
        assert_eq!(trace(line), whole, "{line:?}");
    }
    let complete = about(&lines, "is complete");
    assert_eq!((&complete[0]["stage"], &complete[0]["pull"]), (&json!("finalizer"), &json!(pull.0)));
    assert_eq!(trace(complete[0]), whole, "one trace from the first page to the end");
    rig.end(&[(DEAD, 2)]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_nobody_reads_holds_up_nobody() {
    let rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    let unread = WORKERS.map(|name| {
        let address = free();
        let variables = vec![("HTTP_LISTEN", address.to_string())];
        (address, Process::start(&rig, name, &Options { variables, unread: true, ..Options::default() }))
    });
    let all_ready = async || {
        for (address, _) in &unread {
            eventually(&format!("the worker at {address} should be ready"), || async {
                let answer = reqwest::get(format!("http://{address}/readyz")).await;
                answer.and_then(reqwest::Response::error_for_status).map_err(|error| error.to_string())
            })
            .await;
        }
    };
    all_ready().await;
    rig.whole_pull().await;
    all_ready().await;
    for (_, mut process) in unread {
        process.read();
        let log = process.whole_log().await;
        let lines: Vec<_> = log.iter().filter(|line| !line.is_empty()).map(|line| read(line)).collect();
        about(&lines, "is ready");
        about(&lines, "SIGTERM");
    }
    rig.end(&[]).await;
}
