//! What the lake costs: an exporter beside a pull; a day of pulls between two midnights, before, while and after it is compacted;
//! and a channel that is erased.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;
use shared::schema::PullId;
use tokio::{io::AsyncWriteExt, process::Command, time::sleep};

use super::table::{History, history};
use crate::{
    flow::{Flow, Shape, variables},
    measure,
    outcome::{Outcome, say},
    process::Process,
    services::must_exist,
    setting::Setting,
};

/// Pulls of a day, one every ten minutes.
const A_DAY: u32 = 144;
/// The questions, for DuckDB and, with the table's name there, for PostgreSQL.
const QUESTIONS: [(&str, &str); 3] = [
    ("every pull", "select pull_id, count(*), sum(viewer_count) from TABLE group by 1 order by 1"),
    ("ten games", "select game_name, sum(viewer_count) from TABLE group by 1 order by 2 desc, 1 limit 10"),
    (
        "a channel",
        "select pull_id, viewer_count from TABLE where channel_id = (select max(channel_id) from TABLE) order by 1",
    ),
];

/// Streams of each pull of the day, none to leave the day out, and a Python with DuckDB, without which its answers are left out.
pub(crate) async fn run(setting: &Setting, streams: usize, python: Option<&Path>) -> Outcome<()> {
    for program in ["operator", "exporter"] {
        must_exist(&setting.programs.join(program), "cargo build --release")?;
    }
    cost(setting).await?;
    if streams == 0 { Ok(()) } else { day(setting, streams, python).await }
}

/// A flow with a folder for its lake.
async fn flow(setting: &Setting, name: &str, streams: usize) -> Outcome<(Flow, PathBuf)> {
    let folder = setting.services.join(name);
    std::fs::create_dir_all(&folder)?;
    let variables = vec![("LAKE_URL", folder.display().to_string())];
    let flow = Flow::new(setting, streams, Shape { variables, ..Shape::default() }).await?;
    Ok((flow, folder))
}

/// The same warm pull without an exporter and with one.
async fn cost(setting: &Setting) -> Outcome<()> {
    let (mut flow, _) = flow(setting, "lake-cost", setting.streams).await?;
    flow.start_all(1).await?;
    measure::pull(&flow).await?;
    flow.drained().await?;
    let without = shortest(&flow, false).await?;
    flow.start(&["exporter"]).await?;
    let exporter = flow.workers.last().map(Process::pid).ok_or("no exporter")??;
    let before = crate::process::taken(exporter)?;
    let idle = crate::process_tree::field(exporter, "status", "VmRSS:")?;
    let with = shortest(&flow, true).await?;
    let after = crate::process::taken(exporter)?;
    say(&format!(
        "   a pull of {} streams: {:.2} s without an exporter, {:.2} s with one; the exporter took {:.2} s of processor time a pull, and \
         {:.1} MiB at most, {:.1} MiB above idle",
        setting.streams,
        without.as_secs_f64(),
        with.as_secs_f64(),
        (after.cpu - before.cpu) / f64::from(ROUNDS),
        measure::mebibytes(after.peak_rss),
        measure::mebibytes(after.peak_rss.saturating_sub(idle)),
    ))?;
    flow.end().await
}

const ROUNDS: u32 = 5;

/// The shortest of some pulls; each is in the lake before the next begins, if there is one.
async fn shortest(flow: &Flow, lake: bool) -> Outcome<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..ROUNDS {
        let measured = measure::pull(flow).await?;
        if lake {
            exported(flow, measured.pull).await?;
        }
        flow.drained().await?;
        shortest = shortest.min(measured.wall);
    }
    Ok(shortest)
}

async fn exported(flow: &Flow, pull: PullId) -> Outcome<()> {
    let sql = "select count(*) from lake.export where pull_id = $1";
    while flow.db.query_one(sql, &[&pull.0]).await?.get::<_, i64>(0) < 4 {
        sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Two days of pulls: one of them is whole, between two midnights.
async fn day(setting: &Setting, streams: usize, python: Option<&Path>) -> Outcome<()> {
    let (mut flow, folder) = flow(setting, "lake-day", streams).await?;
    flow.start_all(1).await?;
    let model = measure::pull(&flow).await?.pull;
    flow.drained().await?;
    let rows = u32::try_from(streams)?;
    history(&flow.db, model, History { pulls: 2 * A_DAY, rows, days: 2, half_today: false }).await?;
    flow.start(&["exporter"]).await?;
    let begun = Instant::now();
    operator(setting, &flow, &["lake", "export"]).await?;
    while operator(setting, &flow, &["lake", "status"]).await?["missing"] != 0 {
        sleep(Duration::from_millis(100)).await;
    }
    say(&format!("   {} pulls exported in {:.1} s", 2 * A_DAY + 1, begun.elapsed().as_secs_f64()))?;
    let lake = Lake { setting, flow: &flow, folder: &folder, python };
    lake.tell("before the compaction").await?;

    let begun = Instant::now();
    let mut compacting = Box::pin(operator(setting, &flow, &["lake", "compact"]));
    let mut asked = 0;
    let compacted = loop {
        tokio::select! {
            done = &mut compacting => break done?,
            answer = lake.ask("every pull"), if python.is_some() => {
                answer?;
                asked += 1;
            }
        }
    };
    drop(compacting);
    let took = begun.elapsed().as_secs_f64();
    say(&format!(
        "   compacted in {took:.1} s; DuckDB agreed {asked} times meanwhile: {}",
        compacted["compacted"]
    ))?;
    lake.tell("after it").await?;
    let verified = operator(setting, &flow, &["lake", "verify"]).await?;
    say(&format!("   verified: {verified}"))?;
    let channel: String = flow.db.query_one("select max(channel_id) from pull_data", &[]).await?.get(0);
    for how in ["--dry-run", "--yes"] {
        let begun = Instant::now();
        let erased = operator(setting, &flow, &["erase", "--channel", &channel, how]).await?;
        let took = begun.elapsed().as_secs_f64();
        say(&format!(
            "   erase {how}: {took:.1} s, {}, found after it: {}",
            erased["counts"], erased["found"]
        ))?;
    }
    lake.tell("after the erasure").await?;
    flow.end().await
}

/// The lake, and who is asked about it.
struct Lake<'a> {
    setting: &'a Setting,
    flow: &'a Flow,
    folder: &'a Path,
    python: Option<&'a Path>,
}

impl Lake<'_> {
    /// Files, bytes and rows of each table, and how long the answers take.
    async fn tell(&self, when: &str) -> Outcome<()> {
        let status = operator(self.setting, self.flow, &["lake", "status"]).await?;
        let tables = status["tables"].as_array().into_iter().flatten();
        let tables: Vec<String> = tables
            .map(|table| {
                format!(
                    "{} {} files {} bytes {} rows",
                    table["name"], table["files"], table["bytes"], table["rows"]
                )
            })
            .collect();
        say(&format!("   {when}: {}", tables.join(", ")))?;
        if self.python.is_some() {
            // What starting Python and attaching the catalogue takes is in each.
            let nothing = self.time("select 1").await?.0;
            for (name, _) in QUESTIONS {
                let (theirs, ours) = self.ask(name).await?;
                say(&format!(
                    "   {when}, {name}: DuckDB {:.3} s, PostgreSQL {:.3} s, the same answer",
                    theirs.saturating_sub(nothing).as_secs_f64(),
                    ours.as_secs_f64()
                ))?;
            }
        }
        Ok(())
    }

    /// Asks DuckDB and PostgreSQL: how long each took. Fails where they differ.
    async fn ask(&self, name: &str) -> Outcome<(Duration, Duration)> {
        let question = QUESTIONS.iter().find(|(known, _)| *known == name).ok_or("no such question")?.1;
        let (took, theirs) = self.time(&question.replace("TABLE", "lake.stream_peek")).await?;
        let begun = Instant::now();
        let sql = format!(
            "select coalesce(json_agg(to_json(q)), '[]') from ({}) q",
            question.replace("TABLE", "pull_data")
        );
        let ours: Value = self.flow.db.query_one(&sql, &[]).await?.get(0);
        let ours_took = begun.elapsed();
        let rows = ours.as_array().into_iter().flatten().map(|row| {
            let values =
                row.as_object().into_iter().flatten().map(|(_, value)| value.to_string().replace('"', ""));
            values.collect::<Vec<_>>().join(" ")
        });
        let theirs = theirs.as_array().into_iter().flatten().map(|row| {
            let values = row.as_array().into_iter().flatten().map(|value| value.to_string().replace('"', ""));
            values.collect::<Vec<_>>().join(" ")
        });
        let sorted = |values: Vec<String>| {
            let mut words: Vec<Vec<String>> =
                values.into_iter().map(|row| row.split(' ').map(str::to_owned).collect()).collect();
            for row in &mut words {
                row.sort();
            }
            words
        };
        if sorted(rows.collect()) != sorted(theirs.collect()) {
            return Err(format!("DuckDB and PostgreSQL differ: {question}").into());
        }
        Ok((took, ours_took))
    }

    /// DuckDB's answer, and how long it took with all that is around it.
    async fn time(&self, question: &str) -> Outcome<(Duration, Value)> {
        use secrecy::ExposeSecret;
        let python = self.python.ok_or("no Python with DuckDB was named")?;
        let begun = Instant::now();
        let mut process = Command::new(python)
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../suite/lake/duck.py"))
            .arg(self.flow.place.database_url().expose_secret())
            .arg(self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        process.stdin.take().ok_or("no pipe")?.write_all(question.as_bytes()).await?;
        let output = process.wait_with_output().await?;
        if !output.status.success() {
            return Err(format!("DuckDB ended with {}", output.status).into());
        }
        Ok((begun.elapsed(), serde_json::from_slice(&output.stdout)?))
    }
}

/// The operator's answer.
pub(super) async fn operator(setting: &Setting, flow: &Flow, words: &[&str]) -> Outcome<Value> {
    let output = Command::new(setting.programs.join("operator"))
        .args(words)
        .arg("--json")
        .env_clear()
        .envs(variables(&flow.place, &flow.twitch))
        .output()
        .await?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        return Err(format!("operator {} ended with {}: {said}", words.join(" "), output.status).into());
    }
    // Some answer line by line: the last tells enough.
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    Ok(serde_json::from_str(&text)
        .or_else(|_| serde_json::from_str(text.lines().last().unwrap_or("null")))?)
}
