//! Functions in Rust below the libraries that scripts see (prelude.lua): they get names and values, and
//! return rows.

use super::Shared;
use super::errors::{Failure, raise, raised_at};
use super::password::{Hash, PASSWORD_BYTES_MAX};
use super::values::{from_token, row_to_lua, write, write_first, write_rows};
use crate::conn::Params;
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::log::Source;
use crate::value::SqlValue;
use perilune::value::{Decoder, FormatError, Token};
use perilune::{Bytes, Raise, Results, Value, Vm};
use std::rc::{Rc, Weak};

/// Costs of bcrypt that are allowed: the time doubles with each, and 16 takes seconds.
const BCRYPT_COSTS: std::ops::RangeInclusive<u32> = 4..=16;

/// Ticks for one round of bcrypt, of which there are two to the power of the cost.
const TICKS_PER_ROUND: u64 = 2000;

/// Names and values of a row as a script gives them.
type OwnedRow = Vec<(String, SqlValue)>;

/// Registers all of them as `_capsule.NAME`, from where the prelude takes them.
pub(super) fn register(vm: &mut Vm, shared: &Rc<Shared>) -> perilune::Result<()> {
    let natives = Natives(Rc::downgrade(shared));
    natives.add(vm, "query", |shared, args, results| {
        let (sql, params) = (text(args)?, ScriptParams::read(args)?);
        let rows = params.give(|params| shared.db.query(&sql, params))?;
        Ok(write_rows(results, &rows)?)
    })?;
    natives.add(vm, "query_one", |shared, args, results| {
        let (sql, params) = (text(args)?, ScriptParams::read(args)?);
        let rows = params.give(|params| shared.db.query_one(&sql, params))?;
        Ok(write_first(results, &rows)?)
    })?;
    natives.add(vm, "query_scalar", |shared, args, results| {
        let (sql, params) = (text(args)?, ScriptParams::read(args)?);
        let value = params.give(|params| shared.db.query_scalar(&sql, params))?;
        Ok(write(results, &value.unwrap_or_default())?)
    })?;
    natives.add_writer(vm, "execute", |shared, args, results| {
        let (sql, params) = (text(args)?, ScriptParams::read(args)?);
        let changed = params.give(|params| shared.db.execute(&sql, params))?;
        Ok(results.integer(changed as i64)?)
    })?;
    register_rows(vm, &natives)?;
    register_boundaries(vm, &natives)?;
    register_surroundings(vm, &natives)
}

/// Rows by the name of their table.
fn register_rows(vm: &mut Vm, natives: &Natives) -> perilune::Result<()> {
    natives.add_writer(vm, "insert", |shared, args, results| {
        let table = text(args)?;
        let mut row = columns(shared, &table, args)?;
        let key = shared.db.insert(&table, &taken(&mut row))?;
        Ok(key.iter().try_for_each(|value| write(results, value))?)
    })?;
    natives.add_writer(vm, "update", |shared, args, results| {
        let table = text(args)?;
        let mut row = columns(shared, &table, args)?;
        let updated = shared.db.update(&table, &rest(args)?, &taken(&mut row))?;
        Ok(results.boolean(updated)?)
    })?;
    natives.add_writer(vm, "update_where", |shared, args, results| {
        let (table, condition) = (text(args)?, text(args)?);
        let mut row = columns(shared, &table, args)?;
        let row = taken(&mut row);
        let params = ScriptParams::read(args)?;
        let updated = params.give(|params| shared.db.update_where(&table, &condition, params, &row))?;
        Ok(results.integer(updated as i64)?)
    })?;
    natives.add_writer(vm, "delete", |shared, args, results| {
        let table = text(args)?;
        Ok(results.boolean(shared.db.delete(&table, &rest(args)?)?)?)
    })?;
    natives.add_writer(vm, "delete_where", |shared, args, results| {
        let (table, condition) = (text(args)?, text(args)?);
        let params = ScriptParams::read(args)?;
        let deleted = params.give(|params| shared.db.delete_where(&table, &condition, params))?;
        Ok(results.integer(deleted as i64)?)
    })?;
    natives.add(vm, "get", |shared, args, results| {
        let table = text(args)?;
        let rows = shared.db.get(&table, &rest(args)?)?;
        Ok(write_first(results, &rows)?)
    })?;
    natives.add(vm, "select", |shared, args, results| {
        let (table, condition) = (text(args)?, text(args)?);
        let params = ScriptParams::read(args)?;
        let rows = params.give(|params| shared.db.select_where(&table, &condition, params))?;
        Ok(write_rows(results, &rows)?)
    })
}

/// Boundaries of transactions, and what waits for their end.
fn register_boundaries(vm: &mut Vm, natives: &Natives) -> perilune::Result<()> {
    natives.add(vm, "begin", |shared, _, _| Ok(shared.db.begin_part()?))?;
    natives.add(vm, "commit", |shared, _, _| Ok(shared.db.commit_part()?))?;
    natives.add(vm, "depth", |shared, _, results| Ok(results.integer(shared.db.depth() as i64)?))?;
    natives.add(vm, "cut", |shared, args, results| {
        let depth = match args.token()? {
            Token::Integer(depth) => usize::try_from(depth).unwrap_or_default(),
            _ => 0,
        };
        Ok(results.boolean(shared.db.cut(depth)?)?)
    })?;
    natives.add(vm, "rollback", |shared, _, _| Ok(shared.db.take_back_part()?))?;
    let shared = Weak::clone(&natives.0);
    vm.register("_capsule.dispatch", move |vm: &mut Vm, (name, payload, handled): (String, Value, bool)| {
        let Some(shared) = shared.upgrade() else { return Ok(()) };
        shared.post(name, payload, handled).map_err(|error| raise(shared.make_error(), &error))?;
        shared.pump(vm);
        Ok::<_, Raise>(())
    })?;
    natives.add(vm, "watch", |shared, args, results| {
        let target = text(args)?;
        let filter = match args.token()? {
            Token::Nil => None,
            Token::String(bytes) => Some(
                String::from_utf8(bytes.to_vec())
                    .map_err(|_| Failure::from(CapsuleError::usage("a filter is UTF-8, and this is not")))?,
            ),
            _ => return Err(CapsuleError::usage("a filter is a condition of SQL, as text").into()),
        };
        let owner = text(args)?;
        let id = shared.watch(None, &target, filter.as_deref(), Some(&owner))?;
        Ok(results.string(id.as_bytes())?)
    })?;
    natives.add(vm, "unwatch", |shared, args, results| Ok(results.boolean(shared.unwatch(&text(args)?))?))
}

/// Clock, randomness, and where errors go.
fn register_surroundings(vm: &mut Vm, natives: &Natives) -> perilune::Result<()> {
    natives.add(vm, "now", |shared, _, results| Ok(results.integer(shared.db.clock())?))?;
    natives.add(vm, "uuid", |shared, _, results| Ok(results.string(shared.uuid().as_bytes())?))?;
    natives.add(vm, "report", |shared, args, _| {
        let error = CapsuleError::new(ErrorKind::Lua, text(args)?);
        if args.remaining() == 0 {
            shared.report(&error);
            return Ok(());
        }
        let (message, mut chunk) = (text(args)?, None);
        if let Token::String(bytes) = args.token()? {
            chunk = Some(String::from_utf8_lossy(bytes).into_owned());
        }
        let line = if let Token::Integer(line) = args.token()? { u32::try_from(line).ok() } else { None };
        shared.report(&error.caused_by(raised_at(message, chunk, line)));
        Ok(())
    })?;
    let shared = Weak::clone(&natives.0);
    vm.register("_capsule.bcrypt", move |vm: &mut Vm, (password, cost): (Bytes, Option<i64>)| {
        let Some(shared) = shared.upgrade() else { return Err(gone()) };
        let cost = cost.unwrap_or(10);
        let hashed = u32::try_from(cost).ok().filter(|cost| BCRYPT_COSTS.contains(cost));
        let hashed = hashed
            .ok_or_else(|| CapsuleError::usage(format!("the cost of bcrypt is from 4 to 16, not {cost}")))
            .and_then(|cost| hash(vm, &shared, &password.0, cost));
        hashed.map_err(|error| raise(shared.make_error(), &error))
    })?;
    let shared = Weak::clone(&natives.0);
    vm.register("_capsule.verify", move |vm: &mut Vm, (password, hash): (Bytes, String)| {
        let Some(shared) = shared.upgrade() else { return Err(gone()) };
        verify(vm, &password.0, &hash).map_err(|error| raise(shared.make_error(), &error))
    })
}

fn check_password(password: &[u8]) -> Result<()> {
    if password.len() > PASSWORD_BYTES_MAX {
        return Err(CapsuleError::usage(format!(
            "the password has {} bytes: bcrypt looks at {PASSWORD_BYTES_MAX} and would ignore the others",
            password.len()
        )));
    }
    Ok(())
}

/// Uses fuel for bcrypt; an error if there is not enough for it.
fn pay(vm: &mut Vm, cost: u32) -> Result<()> {
    if vm.charge(TICKS_PER_ROUND << cost) {
        return Ok(());
    }
    Err(CapsuleError::new(ErrorKind::Timeout, "there is no time left for bcrypt"))
}

fn hash(vm: &mut Vm, shared: &Shared, password: &[u8], cost: u32) -> Result<String> {
    check_password(password)?;
    pay(vm, cost)?;
    let mut salt = [0; 16];
    shared.db.random(&mut salt);
    Ok(Hash::new(password, cost, salt).text())
}

fn verify(vm: &mut Vm, password: &[u8], hash: &str) -> Result<bool> {
    check_password(password)?;
    let hash =
        Hash::parse(hash).ok_or_else(|| CapsuleError::usage("verify wants a hash that bcrypt has made"))?;
    if !BCRYPT_COSTS.contains(&hash.cost()) {
        return Err(CapsuleError::usage(format!("a hash of cost {} takes too long", hash.cost())));
    }
    pay(vm, hash.cost())?;
    Ok(hash.is_of(password))
}

fn gone() -> Raise {
    Raise::value("the capsule is closed")
}

type Native = fn(&Rc<Shared>, &mut Decoder<'_>, &mut Results<'_>) -> std::result::Result<(), Failure>;

/// Reader of what comes before the arguments of a function.
type Begin = fn(&Shared, &Vm, &mut Decoder<'_>) -> std::result::Result<(), FormatError>;

/// Maker of functions that work on one capsule.
struct Natives(Weak<Shared>);

impl Natives {
    fn add(&self, vm: &mut Vm, name: &str, native: Native) -> perilune::Result<()> {
        self.register(vm, name, native, |_, _, _| Ok(()))
    }

    /// Adds a function that writes. The prelude tells it, before its arguments, which hooks there are.
    fn add_writer(&self, vm: &mut Vm, name: &str, native: Native) -> perilune::Result<()> {
        self.register(vm, name, native, |shared, vm, args| {
            if let Token::Integer(bits) = args.token()? {
                shared.hooks.note(vm.runs(), bits);
            }
            Ok(())
        })
    }

    fn register(&self, vm: &mut Vm, name: &str, native: Native, begin: Begin) -> perilune::Result<()> {
        let shared = Weak::clone(&self.0);
        vm.register_raw(&format!("_capsule.{name}"), move |vm, args, results| {
            let Some(shared) = shared.upgrade() else { return Err(gone()) };
            begin(&shared, vm, args).map_err(|error| Raise::value(error.to_string()))?;
            let done = shared
                .slot
                .lend(vm, || shared.db.with_source(Source::Lua, || native(&shared, args, results)));
            let done = done.map_err(|failure| match failure {
                Failure::Capsule(error) => raise(shared.make_error(), &error),
                Failure::Format(error) => Raise::value(error.to_string()),
            });
            shared.pump(vm);
            done
        })
    }
}

/// A text: a name, or SQL.
fn text(args: &mut Decoder<'_>) -> std::result::Result<String, Failure> {
    match args.token()? {
        Token::String(bytes) => String::from_utf8(bytes.to_vec())
            .map_err(|_| CapsuleError::usage("names and SQL are UTF-8, and this is not").into()),
        _ => Err(CapsuleError::usage("a text is expected: the name of a table, or SQL").into()),
    }
}

/// The values up to the end of the arguments.
fn rest(args: &mut Decoder<'_>) -> std::result::Result<Vec<SqlValue>, Failure> {
    let mut values = Vec::new();
    while args.remaining() > 0 {
        values.push(from_token(&args.token()?)?);
    }
    Ok(values)
}

/// A table of names and values.
fn named(args: &mut Decoder<'_>, head: &Token<'_>) -> std::result::Result<OwnedRow, Failure> {
    let pairs = match *head {
        Token::Table { array: 0, pairs } => pairs,
        Token::EmptyList => 0,
        _ => return Err(CapsuleError::usage("a table of names and values is expected").into()),
    };
    (0..pairs).map(|_| Ok((text(args)?, from_token(&args.token()?)?))).collect()
}

/// The columns of a row. A string for a column that is declared as BLOB is one.
fn columns(shared: &Shared, table: &str, args: &mut Decoder<'_>) -> std::result::Result<OwnedRow, Failure> {
    let head = args.token()?;
    let mut row = named(args, &head)?;
    if let Some(table) = shared.db.table(table) {
        for (name, value) in &mut row {
            let is_blob = |index: usize| table.columns[index].declared_type().eq_ignore_ascii_case("BLOB");
            if let SqlValue::Text(bytes) = value
                && table.column(name).is_some_and(is_blob)
            {
                *value = SqlValue::Blob(std::mem::take(bytes));
            }
        }
    }
    Ok(row)
}

/// The row as the database takes it. Its values go with it.
fn taken(row: &mut OwnedRow) -> Vec<(&str, SqlValue)> {
    row.iter_mut().map(|(name, value)| (name.as_str(), std::mem::take(value))).collect()
}

/// Names and values as parameters.
fn borrowed(row: &OwnedRow) -> Vec<(&str, SqlValue)> {
    row.iter().map(|(name, value)| (name.as_str(), value.clone())).collect()
}

/// Parameters of a statement as the prelude gives them: names, or nil and a list.
enum ScriptParams {
    List(Vec<SqlValue>),
    Named(OwnedRow),
}

impl ScriptParams {
    fn read(args: &mut Decoder<'_>) -> std::result::Result<Self, Failure> {
        if args.remaining() == 0 {
            return Ok(Self::List(Vec::new()));
        }
        Ok(match args.token()? {
            Token::Nil => Self::List(rest(args)?),
            head => Self::Named(named(args, &head)?),
        })
    }

    fn give<T>(&self, to: impl FnOnce(Params<'_>) -> T) -> T {
        match self {
            Self::List(values) => to(Params::List(values)),
            Self::Named(row) => to(Params::Named(&borrowed(row))),
        }
    }
}

/// A change as hooks see it.
pub(super) fn event(change: &crate::capture::RowChange) -> Value {
    let table = perilune::Table::new();
    let image = |row: Option<&crate::capture::Row>| row.map_or(Value::Nil, |row| row_to_lua(row.iter()));
    table.with_mut(|data| {
        let mut set = |name: &str, value: Value| {
            if value != Value::Nil {
                data.pairs.push((name.into(), value));
            }
        };
        set("operation", change.operation().name().into());
        set("table_name", change.table().into());
        set("row_id", change.rowid().map_or(Value::Nil, Value::Integer));
        set("old_data", image(change.old_row()));
        set("new_data", image(change.new_row()));
    });
    table.into()
}
