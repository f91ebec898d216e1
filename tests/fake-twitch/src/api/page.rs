//! A page of the list of streams: which streams, and where it goes on, with everything that may go wrong on the way.

use super::call::Call;
use super::cursor::{Position, cursor, half_cursor};
use crate::fault::Effect;
use crate::world::rng::{mix, part, unit};
use crate::world::{Happening, Live, Score, World};

/// The streams of a page and its cursor.
pub(crate) struct Page {
    pub(crate) scores: Vec<Score>,
    pub(crate) next: Option<String>,
}

/// Cuts one page.
pub(crate) struct Cutter<'a, F> {
    pub(crate) world: &'a World,
    pub(crate) call: &'a Call,
    /// How many items are asked for.
    pub(crate) first: usize,
    /// Which streams the list is of.
    pub(crate) of: F,
}

impl<F: Fn(Score) -> bool> Cutter<'_, F> {
    pub(crate) fn cut(&self, position: Position) -> Page {
        let live = &mut *self.world.live_now();
        match position {
            Position::Below(score) => self.below(live, score),
            Position::Above(score) => {
                let mut scores: Vec<Score> =
                    live.above(score).filter(|&s| (self.of)(s)).take(self.first).collect();
                scores.reverse();
                let next = scores.first().zip(scores.last()).map(|(&first, &last)| cursor(first, last));
                Page { scores, next }
            }
            Position::Half(score) => Page { scores: Vec::new(), next: Some(cursor(score, score)) },
        }
    }

    fn below(&self, live: &mut Live, start: Score) -> Page {
        self.vanish(live, start);
        let repeated = self.repeated(live, start);
        let mut scores: Vec<Score> = self.next(live, start, self.first - repeated.len());
        let more = scores.last().is_some_and(|&last| !self.next(live, last, 1).is_empty());
        if more {
            scores.truncate(scores.len().saturating_sub(self.missing(start)).max(1));
        }
        let next = self.onward(&scores, start, more);
        self.jump(live, &scores);
        self.lose(&mut scores, start);
        scores.splice(0..0, repeated);
        Page { scores, next }
    }

    fn next(&self, live: &Live, start: Score, many: usize) -> Vec<Score> {
        live.below(start).filter(|&score| (self.of)(score)).take(many).collect()
    }

    /// The cursor of the page.
    fn onward(&self, scores: &[Score], start: Score, more: bool) -> Option<String> {
        let (&first, &last) = scores.first().zip(scores.last())?;
        if !more {
            return self.call.has(&Effect::WrapLastCursor).then(|| cursor(first, Score::TOP));
        }
        Some(if self.call.has(&Effect::HalfCursor) {
            half_cursor(last)
        } else if self.call.has(&Effect::RepeatCursor) {
            cursor(first, start)
        } else if self.call.has(&Effect::WrapCursor) {
            cursor(first, Score::TOP)
        } else {
            cursor(first, last)
        })
    }

    /// How many items a page that is not the last one lacks.
    fn missing(&self, start: Score) -> usize {
        let config = self.world.config();
        let dice = mix(config.seed, start.number());
        let short = unit(dice) < config.short_pages || self.call.has(&Effect::ShortPage);
        if short { few(dice) } else { 0 }
    }

    fn lose(&self, scores: &mut Vec<Score>, start: Score) {
        if self.call.has(&Effect::LossyPage) {
            let many = few(start.number()).min(scores.len());
            // From the middle: an end missing would look like a short page.
            let from = (scores.len() - many) / 2;
            for lost in scores.drain(from..from + many) {
                self.note(Happening::Lost, lost);
            }
        }
    }

    /// Streams of the page before, with the viewers they would have had to fall to.
    fn repeated(&self, live: &Live, start: Score) -> Vec<Score> {
        let share = self.call.find(|effect| match effect {
            Effect::RepeatStreams { share } => Some(*share),
            _ => None,
        });
        let (Some(share), Some(head)) = (share, self.next(live, start, 1).first().copied()) else {
            return Vec::new();
        };
        let before = live.above(start).filter(|&score| (self.of)(score));
        // The stream the cursor stands on is the last of the page before.
        let at_start = live.has(start).then_some(start).into_iter();
        // That page began with repeats of its own, as many as this one does.
        let many = part(self.first, share).min(self.first - 1);
        let page: Vec<Score> = at_start.chain(before).take(self.first - many).collect();
        spread(&page, many)
            .inspect(|&score| self.note(Happening::Repeated, score))
            .map(|score| score.seen_at(head.viewers()))
            .collect()
    }

    fn vanish(&self, live: &mut Live, start: Score) {
        let share = self.call.find(|effect| match effect {
            Effect::Vanish { share } => Some(*share),
            _ => None,
        });
        if let Some(share) = share {
            let coming = self.next(live, start, self.first);
            for gone in spread(&coming, part(coming.len(), share)) {
                live.end(gone);
                self.note(Happening::Vanished, gone);
            }
        }
    }

    fn jump(&self, live: &mut Live, scores: &[Score]) {
        let share = self.call.find(|effect| match effect {
            Effect::Jump { share } => Some(*share),
            _ => None,
        });
        let (Some(share), Some(&last)) = (share, scores.last()) else { return };
        let coming = self.next(live, last, self.first);
        if coming.is_empty() {
            return;
        }
        for risen in spread(&coming, part(coming.len(), share)) {
            live.move_to(risen, last.viewers() + 1);
            self.note(Happening::Rose, risen);
        }
        for fallen in spread(scores, part(scores.len(), share)) {
            let viewers = last.viewers().saturating_sub(1);
            if live.move_to(fallen, viewers) < last {
                self.note(Happening::Fell, fallen);
            }
        }
    }

    fn note(&self, what: Happening, score: Score) {
        self.world.journal.note(what, &self.world.streams()[score.stream()].id, self.call.number);
    }
}

/// 1 to 5.
fn few(dice: u64) -> usize {
    1 + usize::try_from(dice % 5).unwrap_or_default()
}

/// So many of them, evenly spread.
fn spread(scores: &[Score], many: usize) -> impl Iterator<Item = Score> {
    let many = many.min(scores.len());
    (0..many).map(move |n| scores[(2 * n + 1) * scores.len() / (2 * many)])
}
