//! A database with a year of pulls behind it: the next pull costs what one did before, and the operator answers at once.

use std::time::{Duration, Instant};

use tokio::process::Command;

use super::table::{History, compare, costs, history};
use crate::{
    flow::{Flow, Shape, variables},
    outcome::{Outcome, say},
    process::{Process, WORKERS},
    services::must_exist,
    setting::Setting,
};

/// What the operator is asked, and how long an answer may take.
const QUESTIONS: [&[&str]; 3] = [&["status"], &["pulls"], &["show", "latest"]];
const AT_ONCE: Duration = Duration::from_millis(300);

pub(crate) async fn run(setting: &Setting, past: History) -> Outcome<()> {
    must_exist(&setting.programs.join("operator"), "cargo build --release")?;
    let mut flow = Flow::new(setting, setting.streams, Shape::default()).await?;
    flow.db.batch_execute("create extension if not exists pg_stat_statements").await?;
    flow.start_all(1).await?;
    costs(&flow).await?;
    let before = costs(&flow).await?;
    let answered = answers(setting, &flow).await?;
    for worker in std::mem::take(&mut flow.workers) {
        Process::stop(worker).await?;
    }
    history(&flow.db, before.0.pull, past).await?;
    flow.start(&WORKERS).await?;
    // The pull before was not the first of its workers either: the first asks for what a process remembers.
    let first = costs(&flow).await?;
    let next = costs(&flow).await?;
    compare(&before, &[("the first pull of new workers", &first), ("the next pull", &next)])?;
    let mut late = Vec::new();
    for ((question, now), then) in QUESTIONS.iter().zip(answers(setting, &flow).await?).zip(answered) {
        let words = question.join(" ");
        say(&format!("   operator {words}: {:.3} s, {:.3} s before", now.as_secs_f64(), then.as_secs_f64()))?;
        if now > AT_ONCE {
            late.push(words);
        }
    }
    flow.end().await?;
    if late.is_empty() { Ok(()) } else { Err(format!("too slow: operator {}", late.join(", ")).into()) }
}

/// How long each answer takes.
async fn answers(setting: &Setting, flow: &Flow) -> Outcome<Vec<Duration>> {
    let mut took = Vec::new();
    for question in QUESTIONS {
        took.push(answer(setting, flow, question).await?);
    }
    Ok(took)
}

/// The shortest of three answers of the operator.
async fn answer(setting: &Setting, flow: &Flow, question: &[&str]) -> Outcome<Duration> {
    let mut shortest = Duration::MAX;
    for _ in 0..3 {
        let begun = Instant::now();
        let output = Command::new(setting.programs.join("operator"))
            .args(question)
            .arg("--json")
            .env_clear()
            .envs(variables(&flow.place, &flow.twitch))
            .output()
            .await?;
        shortest = shortest.min(begun.elapsed());
        if !output.status.success() {
            return Err(format!(
                "operator {} ended with {}: {}{}",
                question.join(" "),
                output.status,
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            )
            .into());
        }
    }
    Ok(shortest)
}
