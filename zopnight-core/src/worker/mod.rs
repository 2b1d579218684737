//! The runtime that claims and runs jobs.
