//! The build callback: keys, token, body and refusals.
