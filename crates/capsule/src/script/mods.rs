//! Mods: programs of several files that are kept in the database and take part in its transactions.
//!
//! An activation is all or nothing: the files, `on_install` if it is the first, and `on_activate` run in one
//! transaction with the row of the installation. Whatever fails, the database and the VM are as they were.

use super::Shared;
use super::errors::from_script;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::log::{self, StoredMod};
use perilune::{IntoLuaMulti, Table, Value, Variadic, Vm};

/// Bytes of the name of a mod, of its version, and of the name of a file, at most.
const NAME_BYTES_MAX: usize = 128;

/// Makes an environment, and a function that tells the prelude of it: a table has no other way out of an
/// environment.
const ENVIRONMENT: &str = "local env, load = _ENV, load return function() return env, load end";

/// A mod as it is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ModInfo {
    /// The name.
    pub name: String,
    /// The version that was installed last.
    pub version: String,
    /// True if its hooks take part at the moment.
    pub active: bool,
}

fn check_name(what: &str, name: &str) -> Result<()> {
    if name.is_empty() || name.len() > NAME_BYTES_MAX || name.chars().any(char::is_control) {
        return Err(CapsuleError::usage(format!(
            "the {what} is 1 to {NAME_BYTES_MAX} bytes without control characters; not {name:?}"
        )));
    }
    Ok(())
}

fn check_files(files: &[(&str, &str)]) -> Result<Vec<(String, String)>> {
    if files.is_empty() {
        return Err(CapsuleError::usage("a mod has at least one file"));
    }
    for (index, (name, _)) in files.iter().enumerate() {
        check_name("name of a file", name)?;
        if files[..index].iter().any(|(known, _)| known == name) {
            return Err(CapsuleError::usage(format!("a mod has two files of the name {name}")));
        }
    }
    Ok(files.iter().map(|(name, source)| ((*name).to_owned(), (*source).to_owned())).collect())
}

fn unknown(name: &str) -> CapsuleError {
    CapsuleError::usage(format!("no mod of the name {name} is installed"))
}

impl Shared {
    /// All mods, in the order in which they were installed.
    pub(crate) fn mods(&self) -> Result<Vec<ModInfo>> {
        let info = |stored: StoredMod| {
            let StoredMod { name, version, .. } = stored;
            ModInfo { active: self.is_running(&name), name, version }
        };
        Ok(log::mods(self.db.conn())?.into_iter().map(info).collect())
    }

    fn is_running(&self, name: &str) -> bool {
        self.running_mods.borrow().contains(name)
    }

    fn stored_mod(&self, name: &str) -> Result<Option<StoredMod>> {
        Ok(log::mods(self.db.conn())?.into_iter().find(|stored| stored.name == name))
    }

    /// Refuses to change mods in a transaction: what it takes back would be apart from what the VM has.
    fn check_no_transaction(&self) -> Result<()> {
        if self.db.is_in_transaction() {
            return Err(CapsuleError::usage("mods cannot be changed within a transaction"));
        }
        Ok(())
    }

    /// Installs a mod and activates it, or replaces the files of another version.
    pub(crate) fn install_mod(
        &self,
        vm: &mut Vm,
        name: &str,
        version: &str,
        files: &[(&str, &str)],
    ) -> Result<()> {
        check_name("name of a mod", name)?;
        check_name("version of a mod", version)?;
        let files = check_files(files)?;
        self.check_no_transaction()?;
        let Some(old) = self.stored_mod(name)? else {
            let new =
                StoredMod { name: name.into(), version: version.into(), files, installed: 0, active: true };
            return self.start(vm, &new, true, || {
                log::add_mod(self.db.conn(), name, version, &new.files, self.db.clock())
            });
        };
        if old.version == version {
            return Ok(());
        }
        let new = StoredMod { version: version.into(), files, ..old.clone() };
        // Refused before anything of the old version is gone.
        self.call_prelude::<()>(vm, |prelude| prelude.check_mod, Variadic(sources(&new)))
            .map_err(|error| error.within(format!("the mod {name}")))?;
        let replace = || log::replace_mod(self.db.conn(), name, version, &new.files);
        if !old.active {
            return self.db.transaction(|_| replace());
        }
        let was_running = self.is_running(name);
        self.stop(vm, name);
        let started = self.start(vm, &new, false, || replace().map(|()| new.installed));
        if started.is_err() && was_running {
            self.restart(vm, &old);
        }
        started
    }

    /// Activates a mod; nothing if it is active.
    pub(crate) fn activate_mod(&self, vm: &mut Vm, name: &str) -> Result<()> {
        self.check_no_transaction()?;
        let stored = self.stored_mod(name)?.ok_or_else(|| unknown(name))?;
        if self.is_running(name) {
            return Ok(());
        }
        self.start(vm, &stored, false, || {
            log::set_mod_active(self.db.conn(), name, true).map(|()| stored.installed)
        })
    }

    /// Deactivates a mod; nothing if it is not active. An error of its `on_deactivate` is told, and it is
    /// gone.
    pub(crate) fn deactivate_mod(&self, vm: &mut Vm, name: &str) -> Result<()> {
        self.check_no_transaction()?;
        self.stored_mod(name)?.ok_or_else(|| unknown(name))?;
        self.stop(vm, name);
        self.db.transaction(|db| log::set_mod_active(db.conn(), name, false))
    }

    /// Deactivates a mod and takes it out of the database.
    pub(crate) fn uninstall_mod(&self, vm: &mut Vm, name: &str) -> Result<()> {
        self.check_no_transaction()?;
        self.stored_mod(name)?.ok_or_else(|| unknown(name))?;
        self.stop(vm, name);
        self.db.transaction(|db| log::remove_mod(db.conn(), name))
    }

    /// True if some mod was active when the database was closed.
    pub(super) fn has_mods_to_activate(&self) -> Result<bool> {
        Ok(log::mods(self.db.conn())?.iter().any(|stored| stored.active))
    }

    /// Activates all mods that were active when the database was closed. What fails is told, and the others
    /// go on. Until then nothing is delivered.
    pub(crate) fn activate_mods(&self, vm: &mut Vm) -> Result<()> {
        let mods = log::mods(self.db.conn());
        for stored in mods.iter().flatten().filter(|stored| stored.active) {
            self.restart(vm, stored);
        }
        self.batches.hold(false);
        mods.map(drop)
    }

    /// Calls a function of an active mod.
    pub(crate) fn call_mod(
        &self,
        vm: &mut Vm,
        name: &str,
        function: &str,
        args: impl IntoLuaMulti,
    ) -> perilune::Result<Vec<Value>> {
        let Some(prelude) = self.prelude() else { return Ok(Vec::new()) };
        vm.call_handle(prelude.call_mod, (name, function, args))
    }

    fn restart(&self, vm: &mut Vm, stored: &StoredMod) {
        if let Err(error) = self.start(vm, stored, false, || Ok(stored.installed)) {
            self.report(&error);
        }
    }

    /// Runs a mod in one transaction with its row, which `row` writes; it returns the place among the other
    /// mods.
    fn start(
        &self,
        vm: &mut Vm,
        stored: &StoredMod,
        first: bool,
        row: impl FnOnce() -> Result<i64>,
    ) -> Result<()> {
        let name = stored.name.as_str();
        let started = self.part_of_script(vm, |vm| {
            let installed = row()?;
            let made = vm.eval_env(ENVIRONMENT, "capsule", &Table::new()).map_err(from_script)?;
            let Some(Value::Function(environment)) = made.values.first() else {
                return Err(CapsuleError::new(ErrorKind::Bug, "there is no environment for a mod"));
            };
            let mut arguments = vec![first.into(), installed.into(), Value::Function(*environment)];
            arguments.append(&mut sources(stored));
            let run = self.call_prelude::<()>(vm, |prelude| prelude.start_mod, Variadic(arguments));
            vm.release(*environment);
            run
        });
        match started {
            Ok(()) => {
                self.running_mods.borrow_mut().insert(name.into());
                Ok(())
            }
            Err(error) => {
                self.forget(vm, name);
                Err(error.within(format!("the mod {name}")))
            }
        }
    }

    /// Has a mod take its leave, and takes away all that it has in the VM.
    fn stop(&self, vm: &mut Vm, name: &str) {
        if !self.is_running(name) {
            return;
        }
        let left =
            self.part_of_script(vm, |vm| self.call_prelude::<()>(vm, |prelude| prelude.leave_mod, name));
        self.forget(vm, name);
        if let Err(error) = left {
            self.report(&error.within(format!("the mod {name}")));
        }
    }

    fn forget(&self, vm: &mut Vm, name: &str) {
        self.running_mods.borrow_mut().remove(name);
        // It has to come to its end, however much the mod has left.
        vm.limit_next(None, None);
        if let Err(error) = self.call_prelude::<()>(vm, |prelude| prelude.forget_mod, name) {
            self.report(&error.within(format!("the mod {name}")));
        }
    }
}

/// The name of a mod, and the names and sources of its files, as the prelude takes them.
fn sources(stored: &StoredMod) -> Vec<Value> {
    let files = stored.files.iter().flat_map(|(name, source)| [name.as_str().into(), source.as_str().into()]);
    std::iter::once(stored.name.as_str().into()).chain(files).collect()
}
