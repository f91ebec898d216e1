//! Asking for what the chunks in hand lack: claimed where replicas share it, a hundred ids per call, and kept.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use futures::{StreamExt, stream};

use super::{
    bisect,
    catalogue::Catalogue,
    enricher::Enricher,
    plan::{CALLS_AT_ONCE, FULL_CALL, Plan, Wanted, patience},
};
use crate::{
    failure::Failure,
    runtime::{Outcome, Step},
    schema::{ChunkRef, Missing, PullId},
    store::{self, Need},
};

/// Most answers kept by one statement, and statements under way at the same time: the next calls are made meanwhile.
const ANSWERS_TOGETHER: usize = 8;
const KEEPS_IN_PARALLEL: usize = 2;
/// How long to wait for an answer that another replica asked for.
const OTHERS_ANSWER: Duration = Duration::from_millis(250);
/// How soon to look again whether company can still come.
const LOOK_AGAIN: Duration = Duration::from_millis(100);
/// A batch this large that is refused to the last id was refused for another reason than its ids.
const SUSPICIOUS: usize = 10;

/// Ids that were asked for, and what came of it.
type Asked<T> = (Vec<Wanted>, Result<(Vec<T>, Vec<Missing>), Failure>);
/// Ids that were answered, what was found of them, and what was not.
type Answer<T> = (Vec<Wanted>, Vec<T>, Vec<Missing>);

/// What became of each id that was asked for.
type Answered = HashMap<String, Result<(), Failure>>;

impl<C: Catalogue> Enricher<C> {
    /// Asks for what it is time to ask for, crosses off what is answered, and tells what becomes of each chunk: none of
    /// one that has all it needs.
    pub(super) async fn ask_for(
        &self,
        chunks: &[ChunkRef],
        held: &[Duration],
        needs: &mut [Option<Need>],
    ) -> Result<Vec<Option<Outcome>>, Failure> {
        let mut plan = Plan::of(chunks, needs);
        let (more, mut waits) = (plan.more, HashMap::new());
        let mut overdue = None;
        if plan.is_short() {
            waits = self.waits(chunks, held, needs).await?;
            let waited = |(chunk, held): &(&ChunkRef, &Duration)| {
                waits.get(&chunk.pull_id).is_some_and(|wait| *held >= wait)
            };
            overdue = chunks.iter().zip(held).find(waited).map(|(chunk, _)| *chunk);
            match overdue {
                Some(chunk) => self.fill_up(&mut plan, chunk).await?,
                None => plan = plan.only_full_calls(),
            }
        }
        let (claimed, elsewhere) = self.claim(plan.wanted, overdue.is_some()).await?;
        let answered = self.ask_all(claimed).await;
        let outcome = |((need, chunk), held): ((&mut Option<Need>, &ChunkRef), &Duration)| {
            let Some(need) = need else { return Some(Err(store::Error::NoChunk(*chunk).into())) };
            if let Some(failure) = cross_off(need, &answered) {
                return Some(Err(failure));
            }
            if need.ids.is_empty() {
                return None;
            }
            if more {
                return Some(Ok(Step::Hold(Duration::ZERO)));
            }
            let wait = waits.get(&chunk.pull_id).copied().unwrap_or(OTHERS_ANSWER);
            let left = wait.saturating_sub(*held);
            Some(Ok(Step::Hold(if left.is_zero() { OTHERS_ANSWER } else { left.min(LOOK_AGAIN) })))
        };
        let outcomes = needs.iter_mut().zip(chunks).zip(held).map(outcome).collect();
        if elsewhere {
            // Whoever asks for them writes down what comes of it: it is looked up again.
            self.lacks().clear();
        }
        Ok(outcomes)
    }

    /// How long the chunks wait for company, by their pull; none for pulls of which nothing is lacking.
    async fn waits(
        &self,
        chunks: &[ChunkRef],
        held: &[Duration],
        needs: &[Option<Need>],
    ) -> Result<HashMap<PullId, Duration>, Failure> {
        let collect_for = self.settings.collect_for;
        let due = held.iter().any(|held| *held >= collect_for);
        let scarce = due && self.helix.points_are_scarce().await?;
        let in_hand: HashSet<ChunkRef> = chunks.iter().copied().collect();
        let mut waits = HashMap::new();
        for (chunk, need) in chunks.iter().zip(needs) {
            let lacking = need.as_ref().is_some_and(|need| !need.ids.is_empty());
            if lacking && !waits.contains_key(&chunk.pull_id) {
                let outlook = self.store.outlook(C::KIND, chunk.pull_id, chunk.pulled_at).await?;
                let here = in_hand.iter().filter(|other| other.pull_id == chunk.pull_id).count();
                waits.insert(chunk.pull_id, patience(outlook, here, collect_for, scarce));
            }
        }
        Ok(waits)
    }

    /// Adds to a short call what other chunks of the pull lack, where replicas may have them in hand: it costs the same, and
    /// spares them a short call of their own.
    async fn fill_up(&self, plan: &mut Plan, chunk: ChunkRef) -> Result<(), Failure> {
        if C::SHARED {
            let (age, retry) = (self.max_age, self.settings.missing_retry_after);
            let lacking = self.store.lacking_games(chunk, FULL_CALL, age, retry, self.now()).await?;
            plan.fill_up(lacking);
        }
        Ok(())
    }

    /// Claims the ids where that is needed; returns those that are ours to ask, and whether some are somebody else's. Where
    /// those make the last call short that was not meant to be, it waits.
    async fn claim(&self, wanted: Vec<Wanted>, short: bool) -> Result<(Vec<Wanted>, bool), Failure> {
        if !C::SHARED || wanted.is_empty() {
            return Ok((wanted, false));
        }
        let ids: Vec<&str> = wanted.iter().map(|(id, _)| id.as_str()).collect();
        let ours = self.store.claim(C::KIND, &ids, &self.name, self.now()).await?;
        let ours: HashSet<String> = ours.into_iter().collect();
        let elsewhere = ours.len() < wanted.len();
        let mut claimed: Vec<Wanted> = wanted.into_iter().filter(|(id, _)| ours.contains(id)).collect();
        if elsewhere && !short {
            let later = claimed.split_off(claimed.len() / FULL_CALL * FULL_CALL);
            self.release(later.iter().map(|(id, _)| id.as_str()).collect()).await;
        }
        Ok((claimed, elsewhere))
    }

    /// Asks for all these ids, a hundred at a time; tells for each whether it was answered. While answers are kept the
    /// next calls are made.
    async fn ask_all(&self, wanted: Vec<Wanted>) -> Answered {
        let calls: Vec<Vec<Wanted>> = wanted.chunks(FULL_CALL).map(<[Wanted]>::to_vec).collect();
        stream::iter(calls)
            .map(|wanted| async move {
                let asked = self.ask(&wanted).await;
                (wanted, asked)
            })
            .buffer_unordered(CALLS_AT_ONCE)
            .ready_chunks(ANSWERS_TOGETHER)
            .map(|asked| self.keep(asked))
            .buffer_unordered(KEEPS_IN_PARALLEL)
            .flat_map(stream::iter)
            .collect()
            .await
    }

    /// Asks for a hundred ids at most; tells what was found, and what was not.
    async fn ask(&self, wanted: &[Wanted]) -> Result<(Vec<C::Item>, Vec<Missing>), Failure> {
        // An id that is not made of digits would make Twitch refuse the whole call. The page's validation keeps such ids
        // out; one that is here all the same is recorded, not sent.
        let ids: Vec<C::Id> = wanted.iter().filter_map(|(id, _)| C::Id::try_from(id.clone()).ok()).collect();
        let answer = bisect::ask::<C>(&self.helix, &ids).await?;
        if answer.refused.len() >= SUSPICIOUS && answer.refused.len() == ids.len() {
            return Err(Failure::permanent(
                "helix.bad_request",
                "Twitch refuses every id of a batch, one by one",
            ));
        }
        let missing = bisect::missing::<C>(wanted, &ids, &answer);
        for Missing { id, reason, seen } in &missing {
            tracing::warn!(
                kind = C::KIND.as_str(),
                id,
                reason = reason.as_str(),
                pull = seen.pull_id.0,
                chunk = seen.chunk,
                "{}: kept for review",
                bisect::explain_missing::<C>(id, *reason, &answer)
            );
        }
        Ok((answer.found, missing))
    }

    /// Keeps answers, together where that goes, and one by one where it does not; tells what became of each id.
    async fn keep(&self, asked: Vec<Asked<C::Item>>) -> Vec<(String, Result<(), Failure>)> {
        let (mut told, mut answers) = (Vec::new(), Vec::new());
        for (wanted, result) in asked {
            match result {
                Ok((found, missing)) => answers.push((wanted, found, missing)),
                Err(failure) => told.push((wanted, Err(failure))),
            }
        }
        let kept = self.keep_together(&answers).await;
        if kept.is_err() && answers.len() > 1 {
            for answer in answers {
                let kept = self.keep_together(std::slice::from_ref(&answer)).await;
                told.push((answer.0, kept));
            }
        } else {
            told.extend(answers.into_iter().map(|(wanted, ..)| (wanted, kept.clone())));
        }
        let failed = told.iter().filter(|(_, result)| C::SHARED && result.is_err());
        self.release(failed.flat_map(|(wanted, _)| wanted).map(|(id, _)| id.as_str()).collect()).await;
        told.into_iter()
            .flat_map(|(wanted, result)| wanted.into_iter().map(move |(id, _)| (id, result.clone())))
            .collect()
    }

    async fn keep_together(&self, answers: &[Answer<C::Item>]) -> Result<(), Failure> {
        let Some((_, seen)) = answers.iter().find_map(|(wanted, ..)| wanted.first()) else { return Ok(()) };
        let found = answers.iter().flat_map(|(_, found, _)| found).collect();
        let missing: Vec<Missing> = answers.iter().flat_map(|(.., missing)| missing).cloned().collect();
        Ok(C::keep(&self.store, found, &missing, *seen, self.now()).await?)
    }

    /// Gives up the claims on ids that are not asked for now, or were not answered.
    async fn release(&self, ids: Vec<&str>) {
        if !ids.is_empty()
            && let Err(error) = self.store.release(C::KIND, &ids, &self.name).await
        {
            tracing::warn!(%error, "claims are not given up; they run out by themselves");
        }
    }
}

/// Takes the answered ids from what a chunk lacks; the failure, if asking for one of them failed.
fn cross_off(need: &mut Need, answered: &Answered) -> Option<Failure> {
    let failure = need.ids.iter().find_map(|id| answered.get(id)?.as_ref().err().cloned());
    need.ids.retain(|id| !answered.contains_key(id));
    failure
}
