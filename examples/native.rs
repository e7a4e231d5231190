//! Lua in a Rust program: functions of the program, its errors, values with types, modules, and a function
//! that waits.
//!
//! `cargo run --example native`

#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use perilune::{Error, Runtime, Vm};
use std::future::Future;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, Waker};

const RULES: &str = r#"
    local shop = require "shop"
    function total(items)
        local sum = 0
        for _, item in ipairs(items) do sum = sum + shop.price(item) end
        return sum, #items
    end
"#;

fn main() -> Result<(), Error> {
    let mut lua = Runtime::builder()
        .module("shop", "return { price = function(name) return prices.of(name) * (1 + prices.tax) end }")
        .build()?;

    // A function with Rust's types; an error of it is an error of Lua, and comes back as its cause.
    lua.register("prices.of", |_: &mut Vm, name: String| match name.as_str() {
        "lamp" => Ok(20.0),
        "chair" => Ok(45.5),
        _ => Err(format!("no price for {name}")),
    })?;
    lua.eval("prices.tax = 0.5")?;
    lua.eval_named(RULES, "rules")?;
    let (sum, count): (f64, usize) = lua.call("total", (vec!["lamp", "chair"],))?;
    println!("{count} items: {sum}");
    if let Err(error) = lua.call::<()>("total", (vec!["boat"],)) {
        println!("{error}");
    }

    // Lua waits for a future wherever it was called; any executor will do.
    lua.register_async("stock", |name: String| async move {
        Network(2).await;
        Ok::<_, Error>(name.len())
    })?;
    let reply = block_on(lua.eval_async(
        "return async.all(function() return stock('lamp') end, function() return stock('chair') end)",
    ))?;
    println!("in stock: {:?}", reply.values);
    Ok(())
}

/// Future that stands for a network: it is not ready for so many polls.
struct Network(u32);

impl Future for Network {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.0 == 0 {
            return Poll::Ready(());
        }
        self.0 -= 1;
        context.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Polls a future until it is ready: a minimal executor.
fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    let mut context = Context::from_waker(Waker::noop());
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
            return output;
        }
    }
}
