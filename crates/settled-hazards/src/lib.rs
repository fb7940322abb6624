//! What goes wrong with today's crates, beside the same with settled: all of it is in the tests.
//!
//! Each test shows a peer's hazard, and asserts it, so that it is noticed when the peer mends it; and then that settled does not
//! have it.
