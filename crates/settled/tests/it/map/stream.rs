//! Outcomes as they come.
