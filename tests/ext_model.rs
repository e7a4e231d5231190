//! Tests of random programs with external tables and nested transactions, compared with the model in
//! `support/ext_model.lua`.
#![cfg(not(target_arch = "wasm32"))]

use perilune::{Limits, Runtime};

#[path = "support/store.rs"]
#[allow(dead_code, reason = "nothing fails here")]
mod store;

const SEEDS: u32 = 3000;

/// First seed of the random programs. Another one tests other programs:
/// `EXT_SEED=1000000 cargo test --test ext_model`.
fn first_seed() -> u32 {
    std::env::var("EXT_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or(0)
}

#[test]
fn random_programs_agree_with_the_model() {
    for seed in first_seed()..first_seed() + SEEDS {
        let store = store::Watched::default();
        let mut limits = Limits::default();
        limits.memory_bytes = 16 * 1024 * 1024;
        let mut lua = Runtime::builder()
            .store(store.clone())
            .limits(limits)
            .module("model", include_str!("support/ext_model.lua"))
            .build()
            .expect("a VM");
        let source = format!("M = require 'model' M.run({seed}, 80) M.check() return M.checked, M.refused");
        let found = lua.eval(source).unwrap_or_else(|error| panic!("seed {seed}: {error}")).values;
        assert_eq!(found[1], 0.into(), "seed {seed}");
        assert!(store.is_settled(), "seed {seed}");
        // Another VM sees the same contents.
        let found = lua.eval("M.check()");
        assert!(found.is_ok(), "seed {seed}, in the next eval: {found:?}");
    }
}
