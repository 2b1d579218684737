//! A source tree in memory.
