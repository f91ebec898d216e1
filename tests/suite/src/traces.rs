//! Traces: one leads from the page to the end of the pull, through retries, a dead letter and its replay.

use std::{collections::BTreeSet, time::Duration};

use fake_twitch::{Effect, Endpoint, Fault, When, World, WorldConfig};
use lapin::{
    BasicProperties,
    types::{AMQPValue, FieldTable},
};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use shared::{
    schema::encode,
    topology::{EXTRACTOR, GAME_ENRICHER},
};
use tokio::net::TcpListener;

use crate::{
    collector::{Collector, Span},
    dead_letter_rig::{DEAD, FailingWorker, await_queued, message, operator_json},
    eventually::eventually,
    process::{Options, Process},
    rig::Rig,
    wire::Wire,
};

const WORKERS: [&str; 4] = ["extractor", "game-enricher", "channel-enricher", "finalizer"];

async fn rig(streams: usize) -> Rig {
    Rig::new(World::generate(WorldConfig::plain(streams))).await
}

/// Trace and parent in a message's header.
fn place(properties: &BasicProperties) -> (String, String) {
    let headers = properties.headers().clone().unwrap_or_default();
    let Some(AMQPValue::LongString(header)) = headers.inner().get("traceparent") else {
        panic!("a message should carry its trace: {properties:?}")
    };
    let header = String::from_utf8(header.as_bytes().to_vec()).expect("text");
    let fields: Vec<&str> = header.split('-').collect();
    assert_eq!((fields.len(), fields[0], fields[1].len(), fields[2].len()), (4, "00", 32, 16), "{header}");
    (fields[1].to_owned(), fields[2].to_owned())
}

fn of<'a>(spans: &'a [Span], trace: &str, name: &str) -> Vec<&'a Span> {
    spans.iter().filter(|span| span.trace == trace && span.name == name).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_message_carries_its_trace_though_nobody_collects() {
    let mut rig = rig(80).await;
    let wire = Wire::connect(&rig.vhost).await;
    rig.pull().await;
    let asked = wire.take("extractor").await.expect("a message").delivery;
    let (trace, _) = place(&asked.properties);
    wire.publish("extractor", &asked.properties, &asked.data).await;
    rig.start(rig.extractor());
    rig.waits(GAME_ENRICHER.info().queue(), 1).await;
    rig.stop_all().await;
    let stored = wire.take("game-enricher").await.expect("a message").delivery;
    assert_eq!(place(&stored.properties).0, trace, "what is announced continues the trace of its cause");

    // No cause, or none that can be read, is no error.
    let mut traces = BTreeSet::from([trace]);
    for header in [None, Some("00-0-0-01"), Some("ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01")] {
        let mut headers = FieldTable::default();
        if let Some(header) = header {
            headers.insert("traceparent".into(), AMQPValue::LongString(header.into()));
        }
        let properties = BasicProperties::default().with_headers(headers);
        wire.publish("game-enricher", &properties, &encode(&message(traces.len().try_into().unwrap()))).await;
        rig.start(FailingWorker::of(&rig, 1));
        rig.waits(DEAD, 1).await;
        rig.stop_all().await;
        let dead_letter = wire.take(DEAD).await.expect("a dead letter").delivery;
        assert!(traces.insert(place(&dead_letter.properties).0), "each begins a trace of its own");
    }
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_leads_from_the_page_to_the_end_and_batches_are_linked() {
    let rig = rig(250).await;
    let collector = Collector::serve().await;
    let told = Options { variables: collector.variables(), ..Options::default() };
    let extractor = Process::start(&rig, "extractor", &told);
    extractor.ready().await;
    let pull = rig.pull().await;
    // Three chunks wait: whoever comes takes them together.
    rig.waits(GAME_ENRICHER.info().queue(), 3).await;
    let others = WORKERS[1..].iter().map(|name| Process::start(&rig, name, &told)).collect::<Vec<_>>();
    rig.succeeded(pull).await;
    extractor.terminate().await;
    for other in others {
        other.terminate().await;
    }

    // What was under way is sent before a program ends, so all is here.
    let spans = collector.spans();
    let whole = spans.iter().find(|span| span.name == "extractor process").expect("the pull");
    assert_eq!((whole.kind, whole.service.as_str()), (SpanKind::Consumer, "twitch-pull-extractor"));
    assert!(whole.is("messaging.system", "rabbitmq") && whole.is("messaging.destination.name", "extractor"));
    assert!(whole.is("messaging.operation.type", "process"), "{whole:#?}");
    assert!(whole.is("pull", &pull.to_string()) && whole.is("attempt", "1"), "{whole:#?}");
    let pages = of(&spans, &whole.trace, "GET /streams");
    assert_eq!(pages.len(), 3);
    for page in &pages {
        assert_eq!((page.kind, &page.parent), (SpanKind::Client, &whole.id), "{page:#?}");
        assert!(page.is("http.request.method", "GET") && page.is("http.response.status_code", "200"));
        assert!(page.is("url.template", "/streams"), "{page:#?}");
    }
    for stage in &WORKERS[1..] {
        let handled = of(&spans, &whole.trace, &format!("{stage} process"));
        let chunks: BTreeSet<_> = handled.iter().map(|span| span.attributes["chunk"].as_str()).collect();
        assert_eq!(chunks, BTreeSet::from(["1", "2", "3"]), "{stage}: {handled:#?}");
        let service = format!("twitch-pull-{stage}");
        assert!(handled.iter().all(|span| span.kind == SpanKind::Consumer && span.service == service));
    }

    let count = "messaging.batch.message_count";
    let batches: Vec<_> = spans.iter().filter(|span| span.attributes.contains_key(count)).collect();
    assert!(batches.iter().any(|batch| batch.name == "game-enricher process"), "{batches:#?}");
    for batch in batches {
        assert_eq!(batch.attributes[count], batch.links.len().to_string(), "{batch:#?}");
        assert!(batch.parent.is_empty() && batch.trace != whole.trace, "linked, and no child: {batch:#?}");
        for (trace, id) in &batch.links {
            let linked = of(&spans, trace, &batch.name).into_iter().find(|span| span.id == *id);
            let linked = linked.unwrap_or_else(|| panic!("{id} should be a delivery: {batch:#?}"));
            assert_eq!(linked.trace, whole.trace);
            assert!(linked.links.contains(&(batch.trace.clone(), batch.id.clone())), "and back: {linked:#?}");
        }
    }
    assert_nothing_private(&rig, &spans);
    rig.end(&[]).await;
}

/// Neither a secret nor an id that was asked for leaves with a span.
fn assert_nothing_private(rig: &Rig, spans: &[Span]) {
    for span in spans {
        for (name, value) in &span.attributes {
            let private = [rig.twitch.client_id(), rig.twitch.client_secret(), "id=", "after=", "?"];
            assert!(!private.iter().any(|word| value.contains(word)), "{name}: {value}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_trace_survives_retries_a_dead_letter_and_its_replay() {
    let rig = rig(80).await;
    let collector = Collector::serve().await;
    let told = Options { variables: collector.variables(), delays: "50ms,100ms,200ms", ..Options::default() };
    let processes = WORKERS.map(|name| Process::start(&rig, name, &told));
    for process in &processes {
        process.ready().await;
    }
    let broken = Effect::Status { code: 500, message: "broken".into() };
    rig.twitch.faults(|faults| faults.push(Fault::new(broken).on(Endpoint::Users).when(When::Always)));
    let pull = rig.pull().await;
    assert_eq!(rig.ended(pull).await.status, "failed");
    rig.waits("channel-enricher.dead", 1).await;
    await_queued(&rig, "channel-enricher.dead", 1).await;
    rig.twitch.world().heal();
    operator_json(&rig, "dead-letters replay --all --yes").await;
    eventually("the replay should bring the pull back", || async {
        let report = rig.store.pull_report(pull).await.expect("a report");
        if report.status == "success" { Ok(()) } else { Err(report) }
    })
    .await;
    for process in processes {
        process.terminate().await;
    }

    let spans = collector.spans();
    let trace = &spans.iter().find(|span| span.name == "extractor process").expect("the pull").trace;
    let attempts = of(&spans, trace, "channel-enricher process");
    let numbers: Vec<_> = attempts.iter().map(|span| span.attributes["attempt"].as_str()).collect();
    assert_eq!(numbers, ["1", "2", "3", "4"], "each in the trace of the pull");
    assert!(attempts.iter().all(|span| span.is("error.type", "helix.server_error")), "{attempts:#?}");
    let replayed = of(&spans, trace, "channel-enricher.replay process");
    assert_eq!(replayed.len(), 1, "the replay is in the same trace");
    let died = attempts[3];
    assert_eq!(replayed[0].links, [(died.trace.clone(), died.id.clone())], "and linked to where it died");
    assert!(!replayed[0].attributes.contains_key("error.type"), "{replayed:#?}");
    let merged = of(&spans, trace, "finalizer process");
    assert!(merged.iter().any(|span| span.parent == replayed[0].id), "what it led to follows: {merged:#?}");
    rig.end(&[]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_collector_that_does_not_answer_changes_nothing() {
    let rig = rig(250).await;
    // One takes connections and says nothing; the other takes none.
    let silent = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let closed = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let [silence, nobody] =
        [&silent, &closed].map(|port| format!("http://{}", port.local_addr().expect("an address")));
    drop(closed);
    let start = |name: &'static str, endpoint: &str| {
        let variables = vec![
            ("OTEL_EXPORTER_OTLP_ENDPOINT", endpoint.to_owned()),
            ("OTEL_BSP_SCHEDULE_DELAY", "50".into()),
        ];
        Process::start(&rig, name, &Options { variables, ..Options::default() })
    };
    let processes = [
        start("extractor", &nobody),
        start("game-enricher", &silence),
        start("channel-enricher", &silence),
        start("finalizer", &nobody),
    ];
    for process in &processes {
        process.ready().await;
    }
    rig.whole_pull().await;
    rig.whole_pull().await;
    for process in processes {
        let began = std::time::Instant::now();
        let log = process.whole_log().await;
        let took = began.elapsed();
        assert!(took < Duration::from_secs(15), "the deadline is 25 s, and it took {took:?}: {log:#?}");
        let told: Vec<_> = log.iter().filter(|line| line.contains("collector of traces")).collect();
        assert!(told.len() <= 1, "one warning, and no more: {told:#?}");
        assert!(log.iter().all(|line| !line.contains("\"level\":\"ERROR\"")), "{log:#?}");
    }
    assert!(rig.ready(EXTRACTOR.info().queue()).await == 0);
    rig.end(&[]).await;
}
