//! A pull being fetched: a task reads page after page, ahead of what is stored.
//!
//! While pages are stored and announced the next ones are fetched, as many as there is room for. Whatever has been read
//! by then is stored together: batches form where Twitch is fast, single pages where it is slow. What is read and not
//! stored is in memory only: a crash costs the calls, and storing may fail again and again without another call.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use futures::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use shared::{
    failure::{Class, Failure},
    helix::{self, Client, StreamsPage},
    schema::Shapes,
    store::{Draft, Extraction, PAGES_TOGETHER, Seen},
};
use tokio::{
    sync::{Mutex, mpsc},
    task::AbortHandle,
};
use tracing::Instrument;

use crate::{Limits, Page, chains::Chains, conclude};

/// Pages that wait to be stored before the next is fetched.
const PAGES_AHEAD: usize = 4;

/// A page that was read, or why none can be.
type Read = Result<Draft, Failure>;
/// Pages on their way, each with the number of its list.
type Asked = FuturesUnordered<BoxFuture<'static, (usize, Result<StreamsPage, helix::Error>)>>;

/// A pull being fetched.
#[derive(Debug)]
pub(crate) struct Sweep {
    /// Where the pull stands in the database.
    pub(crate) stored: Extraction,
    /// Pages that were read and are not stored.
    drafts: Vec<Draft>,
    /// Why nothing was read after them.
    failure: Option<Failure>,
    reader: Arc<Mutex<Reader>>,
    /// What the records read so far look like.
    pub(crate) shapes: Arc<std::sync::Mutex<Shapes>>,
    pages: mpsc::Receiver<Read>,
    task: AbortHandle,
}

impl Sweep {
    /// Begins to read.
    pub(crate) fn new(reader: Reader) -> Self {
        let (stored, shapes) = (reader.so_far.clone(), Arc::clone(&reader.shapes));
        let reader = Arc::new(Mutex::new(reader));
        let (pages, task) = read_ahead(&reader);
        Self { stored, drafts: Vec::new(), failure: None, reader, shapes, pages, task }
    }

    /// Waits for a page that is not stored, if there is none. Fails as reading failed; the next call reads on.
    pub(crate) async fn read(&mut self) -> Result<(), Failure> {
        if self.drafts.is_empty() && self.failure.is_none() {
            let mut read = Vec::new();
            if self.pages.recv_many(&mut read, PAGES_TOGETHER).await == 0 {
                // It stopped where it failed.
                (self.pages, self.task) = read_ahead(&self.reader);
                self.pages.recv_many(&mut read, PAGES_TOGETHER).await;
            }
            for page in read {
                match page {
                    Ok(draft) => self.drafts.push(draft),
                    Err(failure) => self.failure = Some(failure),
                }
            }
        }
        if self.drafts.is_empty() {
            let silent = || Failure::transient("extractor.reader", "the reader of pages has ended");
            return Err(self.failure.take().unwrap_or_else(silent));
        }
        Ok(())
    }

    /// The pages to be stored next.
    pub(crate) fn drafts(&self) -> &[Draft] {
        &self.drafts
    }

    /// Notes that these pages are stored; returns them.
    pub(crate) fn settle(&mut self) -> Vec<Draft> {
        if let Some(last) = self.drafts.last() {
            self.stored = last.after.clone();
        }
        std::mem::take(&mut self.drafts)
    }
}

impl Drop for Sweep {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn read_ahead(reader: &Arc<Mutex<Reader>>) -> (mpsc::Receiver<Read>, AbortHandle) {
    let (to, pages) = mpsc::channel(PAGES_AHEAD);
    let reader = Arc::clone(reader);
    let reading = async move { reader.lock().await.read(&to).await };
    (pages, tokio::spawn(reading.in_current_span()).abort_handle())
}

/// Reads page after page of a pull.
#[derive(Debug)]
pub(crate) struct Reader {
    helix: Client,
    limits: Limits,
    /// Where the pull stands after the last page that was read.
    so_far: Extraction,
    /// The lists, and where each stands.
    chains: Chains,
    /// Pages that were asked for, and the lists whose next one is among them.
    asked: Asked,
    waiting: BTreeSet<usize>,
    /// What was read so far.
    seen: Seen,
    /// Calls that were already put on a page's account.
    booked: Arc<AtomicU64>,
    /// What the records read so far look like.
    shapes: Arc<std::sync::Mutex<Shapes>>,
}

impl Reader {
    /// Goes on where the pull stands.
    ///
    /// # Errors
    /// Where its cursors cannot be read.
    pub(crate) fn new(
        helix: Client,
        limits: Limits,
        so_far: Extraction,
        seen: Seen,
        booked: Arc<AtomicU64>,
    ) -> Result<Self, Failure> {
        let chains = Chains::of(&so_far, &limits.side_by_side)?;
        let (asked, waiting, shapes) = (Asked::new(), BTreeSet::new(), Arc::default());
        Ok(Self { helix, limits, so_far, chains, asked, waiting, seen, booked, shapes })
    }

    /// Reads until the last page, until a page cannot be had, or until nobody wants them.
    async fn read(&mut self, to: &mpsc::Sender<Read>) {
        while !self.so_far.ended {
            // Room first: a page that is fetched has a place to go.
            let Ok(place) = to.reserve().await else { return };
            let read = self.next_page().await;
            let failed = read.is_err();
            place.send(read);
            if failed {
                return;
            }
        }
    }

    async fn next_page(&mut self) -> Read {
        let (number, page) = self.fetch().await?;
        let made = self.helix.calls();
        let calls = made.saturating_sub(self.booked.swap(made, Ordering::Relaxed));
        let new = page.as_new(i32::try_from(calls).unwrap_or(i32::MAX));
        let (so_far, view, limits) = (self.chains.seen_by(number, &self.so_far), page.view(), &self.limits);
        let chains = &mut self.chains;
        let conclude =
            |facts| conclude(&so_far, &view, facts, limits).and_then(|why| chains.end(number, why));
        let mut draft = Draft::new(&so_far, &mut self.seen, &new, conclude)
            .map_err(|error| Failure::of(Class::Permanent, "extractor.page", &error))?;
        draft.after.cursor = self.chains.go_on(number, &draft.after);
        self.so_far = draft.after.clone();
        Ok(draft)
    }

    /// The first page to arrive of those that come next in their lists, with the number of its list.
    async fn fetch(&mut self) -> Result<(usize, Page), Failure> {
        for (number, chain) in self.chains.open() {
            if !self.waiting.insert(number) {
                continue;
            }
            let (helix, chain) = (self.helix.clone(), chain.clone());
            let ask = async move { (number, helix.streams_in(&chain.languages, chain.cursor()).await) };
            self.asked.push(ask.boxed());
        }
        let Some((number, page)) = self.asked.next().await else {
            return Err(Failure::transient("extractor.reader", "no list goes on"));
        };
        self.waiting.remove(&number);
        match page {
            Ok(page) => {
                let mut shapes = self.shapes.lock().unwrap_or_else(PoisonError::into_inner);
                Ok((number, Page::validate(page, self.limits.min_viewers, &mut shapes)))
            }
            // Twitch sometimes refuses a cursor it gave a moment ago, and takes it when asked again
            // (github.com/twitchdev/issues/issues/91).
            Err(error @ helix::Error::BadRequest { .. })
                if self.chains.seen_by(number, &self.so_far).cursor.is_some() =>
            {
                Err(Failure { class: Class::Transient, ..Failure::from(error) })
            }
            Err(error) => Err(error.into()),
        }
    }
}
