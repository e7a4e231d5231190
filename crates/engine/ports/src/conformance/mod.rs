//! What the traits promise, as tests.
