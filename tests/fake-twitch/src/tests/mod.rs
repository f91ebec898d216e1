//! The views compared with the world, and every fault with what it says it does.

mod access;
mod control;
mod damaged;
mod defects;
mod lists;
mod paging;
mod sweeps;
mod visitor;
mod wire;
