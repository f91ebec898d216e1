//! News for open pages, by server-sent events: <https://html.spec.whatwg.org/multipage/server-sent-events.html>.
//!
//! Pages with the same address share one look, which goes on as long as one of them is open.

use std::{
    collections::HashMap,
    convert::Infallible,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use axum::response::sse::Event;
use futures::{Stream, stream};
use tokio::{
    sync::watch,
    time::{MissedTickBehavior, interval},
};

/// The time between two looks.
const PERIOD: Duration = Duration::from_millis(1_800);
/// So many different pages are live at once.
const MOST: usize = 64;

/// What is sent: the part of a page that changes, numbered by its look.
type News = watch::Receiver<Arc<str>>;

/// The pages that somebody has open, by their address.
#[derive(Default)]
pub(crate) struct Live(Mutex<HashMap<String, watch::Sender<Arc<str>>>>);

impl Live {
    /// News of the page at this address, which `show` looks at; none when too many different pages are open.
    fn subscribe<S, R>(self: &Arc<Self>, address: &str, show: S) -> Option<News>
    where
        S: Fn(String) -> R + Send + Sync + 'static,
        R: Future<Output = String> + Send + 'static,
    {
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(page) = pages.get(address) {
            return Some(page.subscribe());
        }
        if pages.len() >= MOST {
            return None;
        }
        let (page, news) = watch::channel(Arc::from(""));
        pages.insert(address.to_owned(), page.clone());
        tokio::spawn(look(Arc::clone(self), address.to_owned(), page, show));
        Some(news)
    }

    /// Takes the page off the list if nobody has it open any longer.
    fn is_over(&self, address: &str, page: &watch::Sender<Arc<str>>) -> bool {
        // Under the lock under which one subscribes: nobody can come in between.
        let mut pages = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let over = page.receiver_count() == 0;
        if over {
            pages.remove(address);
        }
        over
    }
}

async fn look<S, R>(live: Arc<Live>, address: String, page: watch::Sender<Arc<str>>, show: S)
where
    S: Fn(String) -> R + Send + Sync + 'static,
    R: Future<Output = String> + Send + 'static,
{
    let mut ticks = interval(PERIOD);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if live.is_over(&address, &page) {
            return;
        }
        page.send_replace(show(address.clone()).await.into());
    }
}

/// The news of a page as events, for as long as its reader listens; `show` makes the part of the page that changes.
pub(crate) fn events<S, R>(
    live: &Arc<Live>,
    address: &str,
    show: S,
) -> Option<impl Stream<Item = Result<Event, Infallible>> + use<S, R>>
where
    S: Fn(String) -> R + Send + Sync + 'static,
    R: Future<Output = String> + Send + 'static,
{
    let news = live.subscribe(address, show)?;
    Some(stream::unfold(news, |mut news| async move {
        news.changed().await.ok()?;
        let html = Arc::clone(&news.borrow_and_update());
        Some((Ok(Event::default().data(&*html)), news))
    }))
}

#[cfg(test)]
mod tests {
    use std::{
        future::ready,
        sync::atomic::{AtomicUsize, Ordering},
    };

    use tokio::time::sleep;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn open_pages_share_their_looks_and_nobody_looks_while_none_is_open() {
        let (live, looks) = (Arc::<Live>::default(), Arc::<AtomicUsize>::default());
        let counted = Arc::clone(&looks);
        let show = move |_: String| ready(format!("look {}", counted.fetch_add(1, Ordering::SeqCst)));
        let mut pages: Vec<News> =
            (0..50).map(|_| live.subscribe("/", show.clone()).expect("room")).collect();
        for page in &mut pages {
            page.changed().await.expect("news");
        }
        assert_eq!(looks.load(Ordering::SeqCst), 1, "one look for all");
        sleep(PERIOD * 7 / 2).await;
        assert_eq!(looks.load(Ordering::SeqCst), 4);
        drop(pages);
        sleep(PERIOD * 10).await;
        assert_eq!(looks.load(Ordering::SeqCst), 4, "nobody has it open");
        assert!(live.0.lock().expect("the pages").is_empty());
    }
}
