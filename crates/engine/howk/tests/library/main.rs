//! Scripts that people read: every example of examples/scripts gives what its cases say, and every block of
//! the documents runs.

mod documents;
mod examples;
mod runs;
