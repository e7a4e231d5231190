//! Operations around scripts: what comes after one, messages to them, mods.

use super::{Done, Operation};
use crate::error::Result;
use crate::script::Shared;
use perilune::value::decode_list;
use perilune::{Value, Vm};

/// (number of parts that stay open, or nil for all) -> number of parts that are open
///
/// Comes after a script that was run by an operation of the VM: delivers what it has set off. If it has
/// failed, what it has begun and not ended is taken back.
pub(super) fn settle(operation: &mut Operation<'_, '_, '_>) -> Done {
    let depth = operation.args.optional_integer()?;
    let open = operation.call(|call| {
        call.enter(|db| {
            if let Some(depth) = depth {
                db.cut(usize::try_from(depth).unwrap_or_default())?;
            }
            Ok(db.depth())
        })
    })?;
    Ok(operation.reply.count(open)?)
}

/// (name, payload): dispatches it, to handlers of scripts, too
pub(super) fn dispatch(operation: &mut Operation<'_, '_, '_>) -> Done {
    let name = operation.args.text()?;
    let payload = decode_list(operation.input)?.into_iter().nth(1).unwrap_or(Value::Nil);
    operation.call(|call| call.with(|shared, _| shared.post(name, payload, true)))?;
    Ok(())
}

fn with_mod(operation: &mut Operation<'_, '_, '_>, work: fn(&Shared, &mut Vm, &str) -> Result<()>) -> Done {
    let name = operation.args.text()?;
    Ok(operation.call(|call| call.with(|shared, vm| work(shared, vm, &name)))?)
}

/// Activates the mods that were active when the database was closed.
pub(super) fn activate_mods(operation: &mut Operation<'_, '_, '_>) -> Done {
    Ok(operation.call(|call| call.with(|shared, vm| shared.activate_mods(vm)))?)
}

/// (name, version, name of a file, its source, ...)
pub(super) fn install_mod(operation: &mut Operation<'_, '_, '_>) -> Done {
    let args = &mut operation.args;
    let (name, version, files) = (args.text()?, args.text()?, args.pairs()?);
    let files: Vec<(&str, &str)> =
        files.iter().map(|(name, source)| (name.as_str(), source.as_str())).collect();
    Ok(operation.call(|call| call.with(|shared, vm| shared.install_mod(vm, &name, &version, &files)))?)
}

/// (name)
pub(super) fn activate_mod(operation: &mut Operation<'_, '_, '_>) -> Done {
    with_mod(operation, Shared::activate_mod)
}

/// (name)
pub(super) fn deactivate_mod(operation: &mut Operation<'_, '_, '_>) -> Done {
    with_mod(operation, Shared::deactivate_mod)
}

/// (name)
pub(super) fn uninstall_mod(operation: &mut Operation<'_, '_, '_>) -> Done {
    with_mod(operation, Shared::uninstall_mod)
}

/// () -> number of mods, name, version, whether it is active ...
pub(super) fn mods(operation: &mut Operation<'_, '_, '_>) -> Done {
    let mods = operation.call(|call| call.shared.mods())?;
    operation.reply.count(mods.len())?;
    for known in &mods {
        operation.reply.text(&known.name)?;
        operation.reply.text(&known.version)?;
        operation.reply.boolean(known.active)?;
    }
    Ok(())
}

/// () -> handle of a function that takes the name of a mod, that of one of its functions, and arguments
///
/// It is the capsule's own, and is not released.
pub(super) fn mod_caller(operation: &mut Operation<'_, '_, '_>) -> Done {
    let handle = operation.call(|call| Ok(call.shared.mod_caller()))?;
    Ok(operation.reply.integer(handle.into())?)
}
