//! The chunks of a pull, a cell each.

use shared::store::{ChunkState, PullReport};

use crate::{
    cell::Cell,
    document::{Block, MapCell},
};

/// So many chunks on the map at a time.
pub(super) const MAP: i32 = 200;

pub(super) fn map(pull: &PullReport, chunks: &[ChunkState], from: i32) -> Vec<Block> {
    if pull.chunks == 0 {
        return vec![Block::Text(Cell::text("It has no chunks yet."))];
    }
    let cell = |chunk: &ChunkState| {
        let (class, sign) = match chunk {
            ChunkState { merged: true, .. } => ("merged", "✓"),
            ChunkState { failed: true, .. } => ("failed", "✗"),
            ChunkState { channels: true, .. } => ("channels", "3"),
            ChunkState { games: true, .. } => ("games", "2"),
            _ => ("stored", "1"),
        };
        let href = format!("/pulls/{}/chunks/{}", pull.pull_id, chunk.chunk);
        MapCell { href, text: format!("{}{sign}", chunk.chunk), class }
    };
    let mut blocks = vec![Block::Map(chunks.iter().map(cell).collect())];
    if pull.chunks > MAP {
        let ranges = (0..pull.chunks).step_by(200).map(|start| {
            let (first, last) = (start + 1, (start + MAP).min(pull.chunks));
            let cell = Cell::text(format!("{first}–{last}"));
            if first == from {
                cell
            } else {
                cell.link(format!("/pulls/{}?from={first}#chunks", pull.pull_id))
            }
        });
        blocks.push(Block::Filters("Chunks", ranges.collect()));
    }
    blocks
}
