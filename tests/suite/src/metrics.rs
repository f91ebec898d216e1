//! Metrics: the table of deploy/observability says what the programs tell, and rules and dashboards use nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use fake_twitch::{Effect, Endpoint, Fault, When, World, WorldConfig};
use lapin::BasicProperties;
use serde_json::Value;

use crate::{
    eventually::eventually,
    process::{Options, Process, probe},
    rig::Rig,
    settings::project_file,
    wire::Wire,
};

/// A metric's type and labels.
type Table = BTreeMap<String, (String, BTreeSet<String>)>;

/// What belongs to the form of a histogram.
const OF_A_HISTOGRAM: [&str; 3] = ["_bucket", "_count", "_sum"];
/// What the language of Prometheus has itself, as far as we use it; and what every scrape has.
const LANGUAGE: [&str; 20] = [
    "sum",
    "max",
    "min",
    "count",
    "by",
    "rate",
    "delta",
    "increase",
    "time",
    "absent",
    "histogram_quantile",
    "le",
    "job",
    "instance",
    "up",
    "m",
    "s",
    "__rate_interval",
    "and",
    "on",
];

/// The table in the documentation.
fn documented() -> Table {
    let readme = project_file("deploy/observability/README.md");
    let rows = readme.split("| metric | type | labels | meaning |").nth(1).expect("the table of metrics");
    let rows = rows.lines().skip(2).take_while(|line| line.starts_with('|'));
    let table: Table = rows
        .map(|row| {
            let cells: Vec<&str> = row.split('|').map(str::trim).collect();
            let labels = cells[3].split(',').map(|label| label.trim().trim_matches('`').to_owned());
            let labels = labels.filter(|label| !label.is_empty()).collect();
            (cells[1].trim_matches('`').to_owned(), (cells[2].to_owned(), labels))
        })
        .collect();
    assert!(table.len() > 10, "{table:?}");
    table
}

/// What a program tells: names, types, labels, and how many series.
fn told(text: &str) -> (Table, usize) {
    let mut table = Table::new();
    let mut series = 0;
    for line in text.lines() {
        if let Some(typed) = line.strip_prefix("# TYPE ") {
            let (name, kind) = typed.split_once(' ').expect("a type");
            kind.clone_into(&mut table.entry(name.to_owned()).or_default().0);
        } else if !line.is_empty() && !line.starts_with('#') {
            series += 1;
            let (name, labels) =
                line.split_once('{').unwrap_or((line.split(' ').next().unwrap_or_default(), ""));
            let base = OF_A_HISTOGRAM.iter().find_map(|end| name.strip_suffix(end));
            let name = base.filter(|base| table.contains_key(*base)).unwrap_or(name);
            let labels = labels.split('}').next().unwrap_or_default().split("\",");
            let labels = labels.filter_map(|label| label.split_once('=')).map(|(label, _)| label.to_owned());
            let known = &mut table.entry(name.to_owned()).or_default().1;
            known.extend(labels.filter(|label| label != "le"));
        }
    }
    (table, series)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn programs_tell_what_is_documented_and_all_of_it() {
    let documented = documented();
    let mut rig = Rig::new(World::generate(WorldConfig::plain(250))).await;
    // A call that is answered badly, and one that is not answered.
    rig.twitch.faults(|faults| {
        faults.push(
            Fault::new(Effect::Status { code: 500, message: "broken".into() })
                .on(Endpoint::Users)
                .when(When::Call(1)),
        );
        faults.push(Fault::new(Effect::NoReply).on(Endpoint::Games).when(When::Call(1)));
        // Decoration that is missing.
        let without = Effect::Field { name: "description".into(), value: None, item: Some(0) };
        faults.push(Fault::new(without).on(Endpoint::Users).when(When::Always));
    });
    let variables = vec![("PULL_INTERVAL", "1s".to_owned())];
    let mut processes = Vec::new();
    for program in ["extractor", "game-enricher", "channel-enricher", "finalizer"] {
        let process =
            Process::start(&rig, program, &Options { variables: variables.clone(), ..Options::default() });
        let address = process.ready().await;
        processes.push((program, process, address));
    }
    // A dead letter, which is counted, is old, and raises an alarm.
    let wire = Wire::connect(&rig.vhost).await;
    wire.publish("game-enricher", &BasicProperties::default(), b"no message").await;

    let whole = eventually("everything documented should be told", || async {
        let mut whole = Table::new();
        for (program, _, address) in &processes {
            let (_, text) = probe(*address, "metrics").await;
            let (table, series) = told(&text);
            assert!(series < 2_000, "{program} tells {series} series");
            for (name, (kind, labels)) in table {
                let known = whole.entry(name).or_default();
                known.0 = kind;
                known.1.extend(labels);
            }
        }
        let missing: Vec<_> = documented
            .iter()
            .filter(|(name, (_, labels))| whole.get(*name).is_none_or(|(_, told)| !labels.is_subset(told)))
            .map(|(name, _)| (name.clone(), whole.get(name).cloned()))
            .collect();
        if missing.is_empty() { Ok(whole) } else { Err(missing) }
    })
    .await;
    assert_eq!(whole, documented, "nothing is told that is not documented");
    // The schedule ends with its extractor; another without one finishes what is under way.
    let (_, scheduler, _) = processes.remove(0);
    scheduler.terminate().await;
    rig.start(rig.extractor());
    eventually("each pull should succeed", || async {
        let open = "select count(*) from pull where status <> 'success'";
        let open: i64 = rig.db.query_one(open, &[]).await.expect("a count").get(0);
        if open == 0 { Ok(()) } else { Err(open) }
    })
    .await;
    for (_, process, _) in processes {
        process.terminate().await;
    }
    rig.end(&[("game-enricher.dead", 1)]).await;
}

/// A pull of an hour ago that is in the lake, one of 20 minutes ago that is not, and a message that has failed for ten.
const WAITING: &str = "
    insert into pull (status, requested_by, started_at, extracted_at, completed_at, stop_reason, games_added, games_missing,
                      channels_filled, channels_missing)
    select 'success', 'test', at, at, at, 'end', 0, 0, 0, 0
    from unnest(array[now() - interval '1 hour', now() - interval '20 minutes']) at order by at;
    insert into lake.export (pull_id, table_name, day, completed_at, path, record_count, exported_at)
    select id, 'stream', started_at::date, completed_at, 'p', 0, now() from pull order by id limit 1;
    insert into stage_retry (stage, message_id, attempts, code, message, first_failed_at, last_failed_at, retry_at)
    values ('exporter', 'm', 3, 'test', 'test', now() - interval '10 minutes', now(), now() + interval '1 hour')";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_for_the_exporter_and_what_is_retried_have_an_age_without_an_exporter() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let finalizer = Process::start(&rig, "finalizer", &Options::default());
    let address = finalizer.ready().await;
    // Minutes, of the exporter's work, of its retries, and of another stage's.
    let ages = async || {
        let (_, text) = probe(address, "metrics").await;
        let age = |name: &str, stage: &str| {
            let series = format!("{name}{{stage=\"{stage}\"}} ");
            let value = text.lines().find_map(|line| line.strip_prefix(&series))?;
            Some((value.parse::<f64>().expect("a number") / 60.0).floor())
        };
        [
            age("pull_chunk_oldest_age_seconds", "exporter"),
            age("retry_oldest_age_seconds", "exporter"),
            age("retry_oldest_age_seconds", "extractor"),
        ]
    };
    let they_become = async |expected: [Option<f64>; 3]| {
        eventually(&format!("the ages should be {expected:?}"), || async {
            let ages = ages().await;
            if ages == expected { Ok(()) } else { Err(ages) }
        })
        .await;
    };
    they_become([Some(0.0); 3]).await;
    rig.db.batch_execute(WAITING).await.expect("what waits");
    they_become([Some(20.0), Some(10.0), Some(0.0)]).await;
    // Without a lake nothing waits for it.
    rig.db.batch_execute("delete from lake.export").await.expect("no lake");
    they_become([Some(0.0), Some(10.0), Some(0.0)]).await;
    finalizer.terminate().await;
    rig.end(&[]).await;
}

/// Every word of a query that is neither text nor a number.
fn words(query: &str) -> BTreeSet<String> {
    let without_text: String = query.split('"').step_by(2).collect::<Vec<_>>().join(" ");
    let words = without_text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    let is_name = |word: &&str| word.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    words.filter(is_name).map(str::to_owned).collect()
}

fn assert_known(query: &str, place: &str, documented: &Table) {
    let labels: BTreeSet<&String> = documented.values().flat_map(|(_, labels)| labels).collect();
    let mut uses_one = false;
    for word in words(query) {
        let base = OF_A_HISTOGRAM.iter().find_map(|end| word.strip_suffix(end));
        let of_a_histogram =
            base.is_some_and(|base| documented.get(base).is_some_and(|(kind, _)| kind == "histogram"));
        let metric = of_a_histogram || documented.get(&word).is_some_and(|(kind, _)| kind != "histogram");
        uses_one |= metric;
        assert!(
            metric || labels.contains(&word) || LANGUAGE.contains(&word.as_str()),
            "{place} uses {word}, which nobody tells: {query}"
        );
    }
    assert!(uses_one, "{place} uses no metric: {query}");
}

#[test]
fn rules_use_only_what_is_documented_and_lead_to_the_runbook() {
    let documented = documented();
    let rules: Value =
        serde_saphyr::from_str(&project_file("deploy/observability/alerts.yml")).expect("rules");
    let tests = project_file("deploy/observability/alerts-test.yml");
    let runbook = project_file("deploy/observability/RUNBOOK.md");
    let rules: Vec<&Value> = rules["groups"]
        .as_array()
        .expect("groups")
        .iter()
        .flat_map(|group| group["rules"].as_array().expect("rules"))
        .collect();
    for rule in &rules {
        let name = rule["alert"].as_str().expect("a name");
        assert_known(rule["expr"].as_str().expect("a query"), name, &documented);
        assert!(runbook.contains(&format!("\n## {name}\n")), "the runbook should know {name}");
        let place = format!("deploy/observability/RUNBOOK.md#{}", name.to_lowercase());
        assert_eq!(rule["annotations"]["runbook"], place.as_str());
        assert!(tests.contains(&format!("- name: {name}\n")), "alerts-test.yml should let {name} fire");
    }
    assert_eq!(runbook.matches("\n## ").count(), rules.len(), "the runbook knows no other");
}

#[test]
fn dashboards_use_only_what_is_documented() {
    let documented = documented();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/observability/grafana/dashboards");
    let mut used = String::new();
    for entry in fs::read_dir(folder).expect("dashboards") {
        let path = entry.expect("a dashboard").path();
        let dashboard: Value =
            serde_json::from_str(&fs::read_to_string(&path).expect("a text")).expect("JSON");
        assert!(dashboard["uid"].is_string() && dashboard["schemaVersion"].is_u64());
        let mut ids = BTreeSet::new();
        for panel in dashboard["panels"].as_array().expect("panels") {
            let title = panel["title"].as_str().expect("a title");
            assert!(ids.insert(panel["id"].as_u64().expect("an id")), "{title}: its id is taken");
            assert_eq!(panel["datasource"]["uid"], "prometheus", "{title}");
            for target in panel["targets"].as_array().expect("queries") {
                let query = target["expr"].as_str().expect("a query");
                assert_known(query, title, &documented);
                used.push_str(query);
            }
        }
    }
    for name in documented.keys().filter(|name| *name != "dead_letter_alarms_total") {
        assert!(used.contains(name.as_str()), "no dashboard shows {name}");
    }
}
