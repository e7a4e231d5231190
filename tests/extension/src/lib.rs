//! A wasm module with a library in Rust beside the functions of JavaScript: every seam that such a module
//! uses.
#![cfg(all(target_arch = "wasm32", target_os = "unknown"))]

use perilune::value::{Decoder, Token};
use perilune::{Error, Json, Library, Raise, Result, Value, Vm};

/// Functions, errors and operations that the test asks for.
#[derive(Debug)]
struct Probe;

impl Library for Probe {
    fn name(&self) -> &'static str {
        "probe"
    }

    fn open(&self, vm: &mut Vm) -> Result<()> {
        vm.register("probe.add", |_: &mut Vm, (a, b): (i64, i64)| Ok::<_, Error>(a + b))?;
        vm.register("probe.panic", |_: &mut Vm, ()| -> Result<()> { panic!("on purpose") })?;
        // The arguments may be functions of either side: they are called through Lua.
        vm.register("probe.call", |vm: &mut Vm, (function, argument): (Value, Value)| match function {
            Value::Function(handle) => {
                let result = vm.call_handle::<Value>(handle, argument);
                vm.release(handle);
                result
            }
            Value::HostFunction { .. } => {
                Err(Error::from(perilune::ErrorKind::Usage("is of Rust".to_owned())))
            }
            _ => Err(Error::from(perilune::ErrorKind::Usage("no function".to_owned()))),
        })?;
        vm.register("probe.make", |vm: &mut Vm, base: i64| {
            vm.create_function("adder", move |_: &mut Vm, n: i64| Ok::<_, Error>(base + n))
        })?;
        let made = vm.eval(
            "local Error = { __tostring = function(e) return 'refused: ' .. e.code end }
             return function(code) return setmetatable({ code = code }, Error) end",
        )?;
        let Some(Value::Function(make)) = made.values.into_iter().next() else {
            return Err(perilune::ErrorKind::Bug("no function".to_owned()).into());
        };
        vm.register("probe.refuse", move |_: &mut Vm, code: String| {
            Err::<(), _>(Raise::result_of(make, code))
        })?;
        vm.register("probe.fail", |_: &mut Vm, ()| Err::<(), _>("a plain error of Rust"))?;
        vm.register_raw("probe.rows", |_, args: &mut Decoder<'_>, results| {
            let Token::Integer(count) = args.token()? else { return Ok(()) };
            results.table(u32::try_from(count).unwrap_or(0), 0)?;
            for n in 0..count {
                results.table(0, 1)?;
                results.string(b"id")?;
                results.integer(n)?;
            }
            Ok::<_, Error>(())
        })?;
        vm.register("probe.spin", |vm: &mut Vm, ()| {
            while vm.charge(1000) {}
            Ok::<_, Error>(())
        })?;
        vm.set_operations(|vm, number, input, results| match number {
            256 => Some(sum(input).and_then(|sum| Ok(results.integer(sum)?))),
            257 => Some(vm.eval("error({ code = 'of an operation' })").map(drop)),
            258 => {
                Some(vm.eval("return js_double(21)").and_then(|reply| Ok(results.value(&reply.values[0])?)))
            }
            259 => Some({
                while vm.charge(1000) {}
                Ok(())
            }),
            _ => None,
        })
    }
}

/// The sum of the integers in a list.
fn sum(input: &[u8]) -> Result<i64> {
    let mut decoder = Decoder::new(input);
    let mut sum = 0;
    for _ in 0..decoder.count()? {
        if let Token::Integer(n) = decoder.token()? {
            sum += n;
        }
    }
    Ok(sum)
}

perilune::exports!(libraries = [Json, Probe]);
