//! Conformance suites: functions over a port, stamped into one test a case by a macro line.

pub mod applier;
pub mod resolver;
pub mod source_tree;
