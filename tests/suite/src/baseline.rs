//! The usual volume: simulated pulls of ninety days, by SQL.

use chrono::{DateTime, TimeDelta, Utc};
use fake_twitch::{World, WorldConfig};

use crate::{dead_letter_rig::operator, rig::Rig};

/// Ninety days of a pull every ten minutes: 20,000 streams, half more in the evening than in the morning, a tenth more on
/// weekends, and a twelfth of noise. Ends at `until`.
async fn ninety_days(rig: &Rig, until: DateTime<Utc>) {
    let sql = "insert into pull (status, slot, requested_by, started_at, extracted_at, completed_at, stop_reason, fetched,
                   stored, games_added, games_missing, channels_filled, channels_missing)
        select 'success', at, 'schedule', at, at, at + interval '1 minute', 'end', n, n, 0, 0, n, 0
        from generate_series($1::timestamptz - interval '90 days', $1, interval '10 minutes') at
        cross join lateral (
            select (20000 * (1 + 0.25 * sin(extract(epoch from at) * 2 * pi() / 86400))
                          * case when extract(isodow from at) > 5 then 1.1 else 1 end
                          * (1 + (random() + random() + random() - 1.5) / 6))::int as n) volume
        order by at";
    // The same noise in every run.
    rig.db.batch_execute("select setseed(0.5)").await.expect("a seed");
    rig.db.execute(sql, &[&until]).await.expect("pulls");
    // As they would have been, over ninety days.
    rig.db.batch_execute("analyze pull").await.expect("known to the planner");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_pull_of_a_drop_is_an_alarm_and_ninety_usual_days_are_none() {
    let rig = Rig::new(World::generate(WorldConfig::plain(1))).await;
    let until = "2026-03-01T20:00:00Z".parse::<DateTime<Utc>>().expect("a time");
    ninety_days(&rig, until).await;
    let since = until - TimeDelta::days(91);
    let told = rig.store.raise_volume_alarms(since, until).await.expect("a look");
    assert_eq!(told, [], "no false alarm in ninety days");

    // Two pulls at 60 % of the hour's median: the first is told, once.
    let drop = "insert into pull (status, requested_by, started_at, extracted_at, completed_at, stop_reason, fetched, stored,
                   games_added, games_missing, channels_filled, channels_missing)
        select 'success', 'schedule', at, at, at, $2, n, n, 0, 0, n, 0
        from generate_series($1::timestamptz + interval '10 minutes', $1 + interval '20 minutes', interval '10 minutes') at
        cross join lateral (
            select floor(0.6 * percentile_cont(0.5) within group (order by stored))::int as n from pull p
            where exists (select from generate_series(1, 7) day
                          where p.started_at between at - day * interval '1 day' - interval '30 minutes'
                                                 and at - day * interval '1 day' + interval '30 minutes')) usual
        order by at returning id";
    // One that was cut short says nothing of what was live.
    rig.db.query(drop, &[&(until - TimeDelta::days(1)), &"page_cap"]).await.expect("capped pulls");
    let dropped = rig.db.query(drop, &[&until, &"end"]).await.expect("pulls");
    let later = until + TimeDelta::hours(1);
    let told = rig.store.raise_volume_alarms(until - TimeDelta::days(2), later).await.expect("a look");
    assert_eq!(told.iter().map(|(pull, _)| pull.0).collect::<Vec<_>>(), [dropped[0].get::<_, i64>(0)]);
    assert_eq!(rig.store.raise_volume_alarms(until, later).await.expect("a look"), [], "told once");

    // A person sees it, and says so.
    let (code, open, err) = operator(&rig, "alarms list --json").await;
    assert_eq!((code, open.lines().count()), (0, 1), "{err}");
    assert!(open.contains("\"kind\":\"volume\""), "{open}");
    let (code, _, err) = operator(&rig, "alarms acknowledge 1 --by ada --note holiday").await;
    assert_eq!(code, 0, "{err}");
    assert_eq!(operator(&rig, "alarms list --json").await.1, "");
    let (code, _, err) = operator(&rig, "alarms acknowledge 1").await;
    assert_eq!(code, 1, "it is acknowledged: {err}");
    let history = operator(&rig, "history --since 2026-03-01T19:00:00Z --json --limit 100000").await.1;
    assert!(history.contains("acknowledged by ada: holiday"), "{history}");
    rig.end(&[]).await;
}
