//! The `AsyncAPI` document: the public parser takes it, and what is published is as it says.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use fake_twitch::{Effect, Endpoint, Fault, World, WorldConfig};
use jsonschema::Validator;
use lapin::types::FieldTable;
use serde_json::Value;
use shared::topology::{DEAD_LETTERS, EVENTS, REJECTED, STAGES, WORK};

use crate::{dead_letter_rig::report_figure, process::binary, rig::Rig, wire::Wire};

/// The parser of those who make the specification: <https://www.npmjs.com/package/@asyncapi/parser>.
const PARSER: &str = "@asyncapi/parser@3.6.6";
/// Reads a document, and fails with what the parser says is wrong with it.
const PARSE: &str = "
    const { Parser } = require('@asyncapi/parser');
    let text = '';
    process.stdin.on('data', part => text += part).on('end', async () => {
        const { document, diagnostics } = await new Parser().parse(text);
        const errors = diagnostics.filter(found => found.severity === 0);
        if (!document || errors.length) { console.error(JSON.stringify(errors)); process.exit(1); }
        console.log(document.allOperations().all().length);
    });";

/// What `operator topology --asyncapi` prints; it needs neither database nor broker.
fn document() -> Vec<u8> {
    let printed = Command::new(binary("operator")).args(["topology", "--asyncapi"]).env_clear().output();
    printed.expect("tests/run builds the programs first").stdout
}

#[test]
fn the_public_parser_takes_the_document() {
    let folder = binary("asyncapi-parser");
    let is_there = || folder.join("node_modules/@asyncapi/parser").exists();
    if !is_there() {
        std::fs::create_dir_all(&folder).expect("a folder");
        let install = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", "."];
        let npm = Command::new("npm").args(install).arg(PARSER).current_dir(&folder).output();
        if !npm.is_ok_and(|npm| npm.status.success()) || !is_there() {
            report_figure(&format!("SKIPPED: {PARSER} cannot be had (no npm, or no network)"));
            return;
        }
    }
    assert!(parse(&folder, &document()).is_ok_and(|operations| operations == "10"));
    let wrong = String::from_utf8(document()).expect("text").replace("\"receive\"", "\"listen\"");
    let refused = parse(&folder, wrong.as_bytes()).expect_err("it is no AsyncAPI");
    assert!(refused.contains("action"), "{refused}");
}

/// What the parser says of a document: how many operations it has, or what is wrong.
fn parse(folder: &Path, document: &[u8]) -> Result<String, String> {
    let mut node = Command::new("node")
        .args(["-e", PARSE])
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("npm comes with node");
    node.stdin.take().expect("its input").write_all(document).expect("written");
    let said = node.wait_with_output().expect("its end");
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if said.status.success() { Ok(text(&said.stdout)) } else { Err(text(&said.stderr)) }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_published_is_as_the_document_says() {
    let document: Value = serde_json::from_slice(&document()).expect("JSON");
    let world = WorldConfig { unknown_games: 2, banned: 0.02, tail: 50, ..WorldConfig::plain(250) };
    let mut rig = Rig::new(World::generate(world)).await;
    let wire = Wire::connect(&rig.vhost).await;
    for stage in STAGES {
        wire.tap("tap", WORK, stage.reads, FieldTable::default()).await;
    }
    wire.tap("tap", DEAD_LETTERS, REJECTED, FieldTable::default()).await;
    wire.tap("tap", EVENTS, "#", FieldTable::default()).await;
    rig.start_all();
    rig.whole_pull().await;
    let gone = Effect::Status { code: 410, message: "gone".into() };
    rig.twitch.faults(|faults| faults.push(Fault::new(gone).on(Endpoint::Streams)));
    let failed = rig.pull().await;
    rig.ended(failed).await;

    let mut kinds = std::collections::BTreeMap::<String, usize>::new();
    while let Some(message) = wire.take("tap").await {
        let body: Value = serde_json::from_slice(&message.delivery.data).expect("JSON");
        let kind = body["kind"].as_str().expect("a kind");
        let schema = &document["components"]["messages"][kind]["payload"];
        let validator: Validator = jsonschema::draft7::new(schema).expect("a schema");
        let errors: Vec<String> = validator.iter_errors(&body).map(|error| error.to_string()).collect();
        assert!(errors.is_empty(), "{body}: {errors:?}");
        *kinds.entry(kind.to_owned()).or_default() += 1;
    }
    assert_eq!(kinds.len(), 6, "every kind was published: {kinds:?}");
    assert_eq!(kinds["pull-closed"], 2, "one that succeeded and one that failed");
    rig.end(&[("streams.rejected", 1), ("extractor.dead", 1)]).await;
}
