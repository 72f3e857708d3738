//! The `pockethog` program.

fn main() {}
