//! A fetched page, validated record by record.

use serde::Deserialize;
use serde_json::value::RawValue;
use shared::{
    helix::StreamsPage,
    schema::{Record, Rejected, Shapes, validate},
    store::NewPage,
};

use crate::View;

/// A validated page.
#[derive(Debug)]
pub struct Page {
    fetched: usize,
    /// The records that passed.
    pub records: Vec<Record>,
    /// Those that did not.
    pub rejects: Vec<Rejected>,
    next_cursor: Option<String>,
    nul_replaced: i32,
    /// Viewers of the last record that has a readable count, passed or not.
    last_viewers: Option<i32>,
}

impl Page {
    /// Validates every record of a page; streams with fewer than `min_viewers` viewers are rejected. What the records look
    /// like is counted in `shapes`.
    pub fn validate(page: StreamsPage, min_viewers: i32, shapes: &mut Shapes) -> Self {
        let fetched = page.records.len();
        let last_viewers = page.records.iter().rev().find_map(|raw| viewers(raw));
        let (mut records, mut rejects, mut nul_replaced) = (Vec::with_capacity(fetched), Vec::new(), 0);
        for (place, raw) in (1..).zip(page.records) {
            shapes.observe(&raw);
            match validate(&raw, min_viewers) {
                Ok(valid) => {
                    nul_replaced += valid.nul_replaced;
                    records.push(valid.record);
                }
                Err((rule, detail)) => {
                    rejects.push(Rejected { place, rule: rule.as_str().to_owned(), detail, raw });
                }
            }
        }
        Self { fetched, records, rejects, next_cursor: page.cursor, nul_replaced, last_viewers }
    }

    /// What decides whether it is the last.
    pub fn view(&self) -> View {
        View {
            has_next: self.next_cursor.is_some(),
            first_viewers: self.records.first().map(|record| record.viewer_count),
            last_viewers: self.last_viewers,
            rejected: !self.rejects.is_empty(),
        }
    }

    /// The page as the store takes it.
    pub fn as_new(&self, helix_calls: i32) -> NewPage<'_> {
        NewPage {
            fetched: i32::try_from(self.fetched).unwrap_or(i32::MAX),
            records: &self.records,
            rejects: &self.rejects,
            next_cursor: self.next_cursor.as_deref(),
            nul_replaced: self.nul_replaced,
            helix_calls,
        }
    }
}

fn viewers(raw: &RawValue) -> Option<i32> {
    #[derive(Deserialize)]
    struct Counted {
        viewer_count: i32,
    }
    serde_json::from_str::<Counted>(raw.get()).ok().map(|counted| counted.viewer_count)
}
