//! The HTTP routes (feature `http`).
