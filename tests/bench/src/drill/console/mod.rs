//! The console in front of a month of the flow: how soon pages answer, what a browser loads, what open pages ask of PostgreSQL, and
//! how much memory it takes. It says how each figure compares with its target, and fails only where something is broken.

mod open_pages;
mod site;
mod visit;

use std::time::Duration;

use tokio::time::sleep;

use self::{
    open_pages::{Watched, watch},
    site::{FORGOTTEN, Site, TOKEN, assets, is_live},
    visit::{Visits, visit},
};
use crate::{
    console_world::{Scale, addresses, fill},
    flow::{Flow, Shape},
    measure::mebibytes,
    outcome::{Outcome, say},
    process::Process,
    process_tree,
    services::must_exist,
    setting::Setting,
};

/// How many people have a page open.
const MANY: usize = 50;

// The targets: `/` and the other pages at the 95th percentile, bytes, requests, queries, memory.
const FLOW_MS: f64 = 50.0;
const PAGE_MS: f64 = 100.0;
const HTML_BYTES: usize = 100_000;
const SCRIPT_BYTES: usize = 15_000;
const STYLE_BYTES: usize = 25_000;
const REQUESTS: usize = 5;
const FAN_OUT: f64 = 1.5;
const MEMORY_MIB: f64 = 30.0;

/// Fills a world and looks at every page of it; `requests` of each, and open pages for `watched`.
pub(crate) async fn run(setting: &Setting, scale: Scale, requests: usize, watched: Duration) -> Outcome<()> {
    must_exist(&setting.programs.join("console"), "cargo build --release")?;
    let variables = [("CONSOLE_LISTEN", "127.0.0.1:0"), ("CONSOLE_TOKEN", TOKEN), ("ALLOW_ACTIONS", "true")];
    let variables = variables.map(|(name, value)| (name, value.to_owned())).to_vec();
    let mut flow = Flow::new(setting, 100, Shape { variables, ..Shape::default() }).await?;
    flow.db.batch_execute("create extension if not exists pg_stat_statements").await?;
    fill(&flow.db, scale).await?;
    say(&format!("   {scale:?}"))?;
    flow.start(&["console"]).await?;
    let console = flow.workers.last().ok_or("no console")?;
    let site = Site::of(console)?;
    sleep(FORGOTTEN).await;
    memory("idle", console)?;

    let mut pages = Vec::new();
    for address in addresses(&flow.db).await? {
        pages.push(visit(&site, &flow.db, address, requests, Duration::ZERO).await?);
    }
    pages.push(visit(&site, &flow.db, "/".to_owned(), requests, FORGOTTEN).await?);
    tell_pages(&pages)?;
    tell_assets(&site).await?;
    memory("after every page", console)?;
    tell_open_pages(&site, &flow, watched).await?;
    memory("after all", console)?;
    flow.end().await
}

fn tell_pages(pages: &[Visits]) -> Outcome<()> {
    say("       p50     p95     max ms   target       bytes  requests  statements, blocks each   page")?;
    for page in pages {
        let (path, forgotten) = (&page.path, page.pause > Duration::ZERO);
        let target = if path == "/" || path == "/flow.json" { FLOW_MS } else { PAGE_MS };
        let json = path.contains(".json");
        let over = page.at(95) > target || (!json && page.bytes > HTML_BYTES) || page.requests > REQUESTS;
        say(&format!(
            "   {:7.1} {:7.1} {:7.1}    {target:>6.0} {} {:>9} {:>9}  {:>6.1} {:>12.0}              {path}{}",
            page.at(50),
            page.at(95),
            page.at(100),
            if over { "OVER" } else { "    " },
            page.bytes,
            page.requests,
            page.statements,
            page.blocks,
            if forgotten { ", when nobody has looked for a while" } else { "" },
        ))?;
        if let Some((name, ms)) = page.dearest.as_ref().filter(|_| over) {
            say(&format!("           of it {ms:.1} ms: {name}"))?;
        }
    }
    Ok(())
}

async fn tell_assets(site: &Site) -> Outcome<()> {
    let html = site.get("/").send().await?.text().await?;
    for asset in assets(&html) {
        let bytes = site.get(&asset).send().await?.error_for_status()?.bytes().await?.len();
        let target = if asset.contains(".css") { STYLE_BYTES } else { SCRIPT_BYTES };
        let over = if bytes > target { "  OVER" } else { "" };
        say(&format!("   {asset}: {bytes} bytes (target: {target}){over}"))?;
    }
    Ok(())
}

async fn tell_open_pages(site: &Site, flow: &Flow, watched: Duration) -> Outcome<()> {
    let none = watch(site, &flow.db, &[], watched).await?;
    let one = watch(site, &flow.db, &["/".to_owned()], watched).await?;
    let same = watch(site, &flow.db, &vec!["/".to_owned(); MANY], watched).await?;
    let all = addresses(&flow.db).await?;
    let live: Vec<String> = all.into_iter().filter(|path| is_live(path)).collect();
    let spread: Vec<String> = live.iter().cycle().take(MANY).cloned().collect();
    let mixed = watch(site, &flow.db, &spread, watched).await?;
    let per_minute = |watched: &Watched| watched.statements_per_minute;
    say(&figure("statements per minute, no page open", per_minute(&none), 0.0, ""))?;
    say(&format!("   statements per minute, one page open: {:.0}", per_minute(&one)))?;
    let times = per_minute(&same) / per_minute(&one).max(1.0);
    say(&figure("the same, 50 times open, as a multiple of one", times, FAN_OUT, ""))?;
    say(&format!(
        "   {} different pages, {MANY} open: {:.0} statements per minute; news {:.1} per page and minute with one, {:.1} with 50 alike, \
         {:.1} with 50 mixed",
        live.len().min(MANY),
        per_minute(&mixed),
        one.news_per_minute,
        same.news_per_minute,
        mixed.news_per_minute
    ))
}

fn memory(when: &str, console: &Process) -> Outcome<()> {
    let resident = mebibytes(console.resident()?);
    let own = mebibytes(process_tree::memory(console.pid()?)?);
    say(&figure(&format!("resident memory {when}"), resident, MEMORY_MIB, "MiB"))?;
    say(&format!("   of it its own share (PSS): {own:.1} MiB"))
}

/// A figure beside its target.
fn figure(what: &str, value: f64, target: f64, unit: &str) -> String {
    let over = if value > target { "  OVER" } else { "" };
    format!("   {what}: {value:.1} {unit} (target: {target:.1}){over}")
}
