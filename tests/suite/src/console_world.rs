//! A month of the flow, made by SQL: what the console shows where there is much of everything. Also of the bench.

use tokio_postgres::{Client, Error};

/// Tables that are asked about, as autovacuum leaves them.
const SETTLE: &str = "vacuum analyze pull, pull_chunk, pull_data, provenance, pull_history, dead_letter, dead_letter_event, event,
    operation, operation_step, replay, replay_letter, missed_slot, alarm, twitch_channel, twitch_game, stage_retry, worker_state";

/// How much there is of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scale {
    pub(crate) pulls: u32,
    /// Of each pull.
    pub(crate) chunks: u32,
    /// That the pulls, dead letters and events are spread over.
    pub(crate) days: u32,
    /// That are open; a quarter more have been handled or discarded.
    pub(crate) dead_letters: u32,
    /// Of the dead letters.
    pub(crate) causes: u32,
    pub(crate) events: u32,
}

/// Fills an empty database of our schema.
pub(crate) async fn fill(db: &Client, scale: Scale) -> Result<(), Error> {
    let Scale { pulls, chunks, days, dead_letters, causes, events } = scale;
    for (name, value) in [
        ("pulls", pulls),
        ("chunks", chunks),
        ("days", days),
        ("dead_letters", dead_letters),
        ("causes", causes),
        ("events", events),
    ] {
        let set = "select set_config('world.' || $1, $2, false)";
        db.execute(set, &[&name, &value.to_string()]).await?;
    }
    db.batch_execute(include_str!("console_world.sql")).await?;
    db.batch_execute(SETTLE).await
}

/// The addresses of the console's pages: each kind, its filters, its deep pages, and its JSON, for what is in the world.
pub(crate) async fn addresses(db: &Client) -> Result<Vec<String>, Error> {
    let sql = "/* world */ select
        (select max(id) from pull) as open, (select max(id) from pull where status = 'success') as pull,
        (select max(id) from pull where status <> 'success' and completed_at is not null) as failed,
        (select id from pull order by id limit 1 offset (select count(*) / 3 from pull)) as old,
        (select chunks from pull limit 1) as chunks, (select max(id) from operation) as operation,
        (select fingerprint from dead_letter where state = 'dead' limit 1) as cause,
        (select id from dead_letter where state = 'dead' order by id offset 10 limit 1) as dead_letter,
        (select id from dead_letter where state in ('dead', 'held') order by id desc limit 1) - 200 as deep";
    let row = db.query_one(sql, &[]).await?;
    let [open, pull, failed, old, operation, dead_letter, deep] =
        ["open", "pull", "failed", "old", "operation", "dead_letter", "deep"]
            .map(|name| row.get::<_, i64>(name));
    let (chunks, cause): (i32, String) = (row.get("chunks"), row.get("cause"));
    let day = "/* world */ select (now() - interval '3 days')::date::text as day";
    let day: String = db.query_one(day, &[]).await?.get("day");
    let prefix = &cause[..8];
    let written = format!(
        "/ /flow.json
        /pulls /pulls.json /pulls?status=failed /pulls?status=pending /pulls?by=request /pulls?status=success&by=schedule
        /pulls?before={old} /pulls?status=failed&before={old}
        /pulls/{pull} /pulls/{pull}.json /pulls/{open} /pulls/{failed} /pulls/{old} /pulls/{pull}?from={chunks}
        /pulls/{pull}?rule=title.empty
        /pulls/{pull}/chunks/{chunks} /pulls/{pull}/chunks/1.json /pulls/{open}/chunks/{chunks} /pulls/{old}/chunks/1
        /dead-letters /dead-letters.json /dead-letters?stage=finalizer /dead-letters?state=held /dead-letters?state=cured
        /dead-letters?pull={pull}
        /dead-letters/groups/{cause} /dead-letters/groups/{cause}.json /dead-letters/groups/{cause}?after={deep}
        /dead-letters/groups/{cause}?state=cured /dead-letters/groups/{prefix} /dead-letters/{dead_letter}
        /dead-letters/{dead_letter}.json
        /operations /operations.json /operations?before=100 /operations/{operation} /operations/{operation}.json
        /order/replay?all=yes /order/discard?stage=finalizer /order/hold?group={cause} /order/replay?id={dead_letter}
        /events /events.json /events?level=error /events?since=30days /events?level=error&since=30days /events?pull={old}&since=30days
        /trace /trace?stream=41000000101&pull={pull} /trace?stream=41000000101 /trace?stream=99000001 /trace?channel=100101
        /trace?channel=1 /trace?game=501 /trace?game=1 /trace?pull={pull} /trace?pull={pull}&chunk={chunks} /trace.json?pull={old}
        /data /data.json /data?day={day}
        /workers /workers.json"
    );
    Ok(written.split_whitespace().map(str::to_owned).collect())
}
