//! Pictures, made as SVG: where each thing stands.

use chrono::{DateTime, Utc};
use shared::view::{
    StageQueues,
    format::{duration, number},
};

use crate::cell::Tone;

/// A name, and from when to when.
pub(crate) type Span = (String, Option<DateTime<Utc>>, Option<DateTime<Utc>>);
/// A number, or none for a gap, and how good or bad that is.
pub(crate) type Number = (Option<i64>, Tone);

/// What is drawn.
#[derive(Debug)]
pub(crate) enum Picture {
    /// The stages in a row, and once more beneath each other for a narrow window.
    Chain(Vec<Node>),
    /// One bar per row, on a scale of time.
    Spans(Vec<Bar>, Vec<Tick>),
    /// One column per moment, in rows.
    Columns(Vec<Row>),
}

/// A stage in the chain.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) name: &'static str,
    pub(crate) tone: Tone,
    pub(crate) lines: [String; 3],
    /// Where it stands in the wide picture, and in the narrow one.
    pub(crate) x: usize,
    pub(crate) y: usize,
    pub(crate) last: bool,
}

/// A bar: its row, from where to where, of 1,000.
#[derive(Debug)]
pub(crate) struct Bar {
    pub(crate) name: String,
    pub(crate) y: usize,
    pub(crate) x: i64,
    pub(crate) width: i64,
}

/// A mark on the scale.
#[derive(Debug)]
pub(crate) struct Tick {
    pub(crate) x: i64,
    pub(crate) label: String,
}

/// Columns on one line.
#[derive(Debug)]
pub(crate) struct Row {
    pub(crate) name: String,
    pub(crate) y: usize,
    pub(crate) columns: Vec<Column>,
}

/// A column: its place from the left and its height, or a gap with a sign.
#[derive(Debug)]
pub(crate) struct Column {
    pub(crate) x: i64,
    pub(crate) y: i64,
    pub(crate) width: i64,
    pub(crate) height: i64,
    pub(crate) tone: Tone,
}

/// The stages, with what is in their queues; `in_hand` and `rates` in the order of the flow.
pub(crate) fn chain(stages: &[StageQueues], in_hand: &[i64], paused: &[bool], rates: &[i64]) -> Picture {
    let nodes = stages.iter().enumerate().map(|(place, queues)| {
        let at = |numbers: &[i64]| numbers.get(place).copied().unwrap_or_default();
        let is_paused = paused.get(place).copied().unwrap_or_default();
        let (tone, state) = match queues.workers {
            _ if is_paused => (Tone::Bad, "paused".to_owned()),
            0 => (Tone::Bad, "no worker".to_owned()),
            1 => (Tone::Good, "1 worker".to_owned()),
            n => (Tone::Good, format!("{} workers", number(n))),
        };
        let tone = if queues.dead > 0 && tone == Tone::Good { Tone::Notice } else { tone };
        Node {
            name: queues.stage,
            tone,
            lines: [
                format!("{state}, {}/min", number(at(rates))),
                format!("{} ready, {} in hand", number(queues.ready), number(at(in_hand))),
                format!("{} retrying, {} dead", number(queues.retrying), number(queues.dead)),
            ],
            x: place * 258,
            y: place * 112,
            last: place + 1 == stages.len(),
        }
    });
    Picture::Chain(nodes.collect())
}

/// Spans of time, each with its name; spans without a beginning are left out.
pub(crate) fn spans(rows: &[Span], from: DateTime<Utc>, to: DateTime<Utc>) -> Picture {
    let whole = (to - from).num_milliseconds().max(1);
    let place = |at: DateTime<Utc>| ((at - from).num_milliseconds().clamp(0, whole) * 1_000) / whole;
    let bars = rows.iter().enumerate().map(|(row, (name, begin, end))| {
        let (x, end) = match (begin, end) {
            (Some(begin), Some(end)) => (place(*begin), place(*end)),
            _ => (0, 0),
        };
        let width = if begin.is_some() { (end - x).max(4) } else { 0 };
        Bar { name: name.clone(), y: row * 28, x, width }
    });
    let ticks = (0..=4).map(|quarter| Tick {
        x: quarter * 250,
        label: format!("+{}", duration((to - from) * i32::try_from(quarter).unwrap_or_default() / 4)),
    });
    Picture::Spans(bars.collect(), ticks.collect())
}

/// Rows of columns: each number with its tone; none is a gap.
pub(crate) fn columns(rows: Vec<(String, Vec<Number>)>) -> Picture {
    const HEIGHT: i64 = 40;
    let rows = rows.into_iter().enumerate().map(|(row, (name, numbers))| {
        let most = numbers.iter().filter_map(|(number, _)| *number).max().unwrap_or_default().max(1);
        let count = i64::try_from(numbers.len()).unwrap_or(1).max(1);
        let step = (1_000 / count).max(2);
        let columns = (0..).zip(&numbers).map(|(place, (number, tone))| {
            // What is there is seen, however small; a gap is a mark at the foot.
            let height = match number {
                Some(0) => 0,
                Some(number) => (number * HEIGHT / most).max(2),
                None => 6,
            };
            Column { x: place * step, y: HEIGHT - height, width: (step - 1).min(24), height, tone: *tone }
        });
        Row { name, y: row * 64, columns: columns.collect() }
    });
    Picture::Columns(rows.collect())
}

impl Picture {
    /// The height of the drawing.
    pub(crate) fn height(&self) -> usize {
        match self {
            Self::Chain(_) => 100,
            Self::Spans(bars, _) => bars.len() * 28 + 24,
            Self::Columns(rows) => rows.len() * 64,
        }
    }

    /// The height of the chain drawn from top to bottom.
    pub(crate) fn narrow_height(&self) -> usize {
        if let Self::Chain(nodes) = self { nodes.len() * 112 } else { 0 }
    }
}
