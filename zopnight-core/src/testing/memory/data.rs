//! All that a memory store holds, under one lock.

use super::catalog::Catalog;
use super::line::Line;
use super::options::MemoryOptions;
use crate::testing::peek::Peek;

#[derive(Debug, Default)]
pub(super) struct Data {
    pub(super) options: MemoryOptions,
    pub(super) line: Line,
    pub(super) catalog: Catalog,
    pub(super) writes: u64,
}

impl Data {
    pub(super) fn peek(&self) -> Peek {
        let mut peek = Peek { jobs: self.line.jobs.iter().map(super::jobs::JobRow::peek).collect(), ..Peek::default() };
        self.catalog.peek(&mut peek);
        peek
    }
}
