//! Random schemas: made, made again, extended, and contradicted.

use crate::random::Random;
use crate::{open, rows, table, texts};
use perilune_capsule::{
    ColumnDeclaration, ColumnType, Database, DefaultValue, ErrorKind, IndexDeclaration, ReferenceAction,
    References, Schema, SqlValue, TableDeclaration,
};

/// Schemas that are tried.
const ROUNDS: u64 = 300;

const TABLES: &[&str] = &["users", "a b", "t\"q", "order", "T4", "\u{e9}5", "x;--", "[y]"];
const COLUMNS: &[&str] = &["id", "name", "select", "c d", "e\"f", "G", "\u{fc}", "check", "h,(", "'i'"];

/// A schema that can be changed; [`Schema`] itself owns functions.
#[derive(Debug, Clone, Default)]
struct Model {
    tables: Vec<TableDeclaration>,
    indexes: Vec<IndexDeclaration>,
    triggers: Vec<String>,
}

impl Model {
    fn schema(&self) -> Schema {
        Schema {
            tables: self.tables.clone(),
            indexes: self.indexes.clone(),
            triggers: self.triggers.clone(),
            migrations: Vec::new(),
        }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A value that SQL has to be told with care.
pub(crate) fn value(random: &mut Random) -> SqlValue {
    match random.below(8) {
        0 => SqlValue::Integer(*[i64::MIN, i64::MAX, 0, -1, 1 << 53].get(random.below(5)).expect("is one")),
        1 => SqlValue::Real(*[1e300, -0.0, 0.1, 5e-324, 1.0, -1.5e-7].get(random.below(6)).expect("is one")),
        2 => SqlValue::Blob((0..random.below(4)).map(|_| random.below(256) as u8).collect()),
        3 => SqlValue::from("it's \"quoted\" -- ) /* \n \u{1f600}"),
        4 => SqlValue::from("a\0b"),
        5 => SqlValue::from(random.pick(&["", "'", "NULL", "12", "1.50", "x'00'", "(1)"])),
        6 => SqlValue::Text(vec![0xff, b'a']),
        _ => SqlValue::from(random.below(100) as i64),
    }
}

fn default(random: &mut Random, kind: ColumnType) -> DefaultValue {
    match kind {
        ColumnType::Json => DefaultValue::Value(random.pick(&["[]", "{\"a\": \"it's\"}", "1.0"]).into()),
        _ => DefaultValue::Value(value(random)),
    }
}

fn kind(random: &mut Random) -> ColumnType {
    ColumnType::ALL[random.below(ColumnType::ALL.len())]
}

fn action(random: &mut Random) -> ReferenceAction {
    use ReferenceAction::{Cascade, NoAction, Restrict, SetDefault, SetNull};
    [NoAction, Restrict, SetNull, SetDefault, Cascade][random.below(5)]
}

/// A column that an ALTER TABLE can add.
fn addable(random: &mut Random, name: &str) -> ColumnDeclaration {
    let mut column = ColumnDeclaration::new(name, kind(random));
    if random.one_in(3) {
        column.default = Some(default(random, column.kind));
        column.not_null = random.one_in(2);
    } else {
        column.unique = random.one_in(4);
    }
    if random.one_in(5) {
        column.check = Some(format!("{} IS NOT 3 -- three", quoted(name)));
    }
    column
}

fn new_table(random: &mut Random, name: &str, model: &Model) -> TableDeclaration {
    let mut columns: Vec<ColumnDeclaration> = Vec::new();
    for _ in 0..=random.below(5) {
        let name = random.pick(COLUMNS);
        if columns.iter().any(|column| column.name == name) {
            continue;
        }
        let mut column = addable(random, name);
        column.primary = random.one_in(4);
        column.not_null |= random.one_in(4);
        if column.default.is_none() && random.one_in(6) {
            column.default =
                Some(DefaultValue::Sql(random.pick(&["lower('A')", "(1 + 1)", "CURRENT_TIMESTAMP"]).into()));
        }
        if random.one_in(4)
            && let Some(target) = model.tables.iter().find(|table| key(table).len() == 1)
        {
            let references =
                References::new(&target.name).on_delete(action(random)).on_update(action(random));
            column.references = Some(references);
        }
        columns.push(column);
    }
    // A JSON column with a default by SQL would refuse its own default; the rowid has none.
    let keys = columns.iter().filter(|column| column.primary).count();
    for column in &mut columns {
        let is_rowid = column.primary && keys == 1 && column.kind == ColumnType::Integer;
        if is_rowid || column.kind == ColumnType::Json && matches!(column.default, Some(DefaultValue::Sql(_)))
        {
            column.default = None;
        }
    }
    table(name, columns)
}

fn key(table: &TableDeclaration) -> Vec<&ColumnDeclaration> {
    table.columns.iter().filter(|column| column.primary).collect()
}

fn new_index(random: &mut Random, model: &Model, number: usize) -> IndexDeclaration {
    let table = &model.tables[random.below(model.tables.len())];
    let mut columns: Vec<&str> = Vec::new();
    for _ in 0..=random.below(2) {
        let name = table.columns[random.below(table.columns.len())].name.as_str();
        if !columns.contains(&name) {
            columns.push(name);
        }
    }
    let mut index = IndexDeclaration::new(&table.name, columns);
    if random.one_in(3) {
        index = index.only_where(format!("{} IS NOT NULL", quoted(&table.columns[0].name)));
    }
    let taken = model.indexes.iter().any(|other| other.effective_name() == index.effective_name());
    if taken || random.one_in(2) {
        index = index.named(format!("index {number}"));
    }
    index
}

fn new_trigger(random: &mut Random, model: &Model, number: usize) -> String {
    let table = &model.tables[random.below(model.tables.len())].name;
    let when = random.pick(&["AFTER INSERT", "BEFORE DELETE", "AFTER UPDATE"]);
    format!("CREATE TRIGGER \"trigger {number}\" {when} ON {} BEGIN SELECT {number}; END;", quoted(table))
}

fn model(random: &mut Random) -> Model {
    let mut model = Model::default();
    for _ in 0..=random.below(3) {
        let name = random.pick(TABLES);
        if !model.tables.iter().any(|table| table.name == name) {
            let table = new_table(random, name, &model);
            model.tables.push(table);
        }
    }
    for number in 0..random.below(4) {
        let mut index = new_index(random, &model, number);
        index.unique = random.one_in(3);
        if model.indexes.iter().any(|other| other.effective_name() == index.effective_name()) {
            continue;
        }
        model.indexes.push(index);
    }
    for number in 0..random.below(3) {
        model.triggers.push(new_trigger(random, &model, number));
    }
    model
}

/// Writes rows; those that the schema refuses are left out.
fn fill(random: &mut Random, db: &Database, model: &Model) {
    for table in &model.tables {
        let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
        let marks = vec!["?"; columns.len()].join(", ");
        let sql = format!("INSERT INTO {}({}) VALUES({marks})", quoted(&table.name), columns.join(", "));
        for _ in 0..4 {
            let values: Vec<SqlValue> = (table.columns.iter())
                .map(|column| match column.kind {
                    ColumnType::Json => "[1]".into(),
                    ColumnType::Integer if column.primary => (random.below(100) as i64).into(),
                    _ if random.one_in(4) => SqlValue::Null,
                    _ => value(random),
                })
                .collect();
            let _ = db.execute(&sql, &values);
        }
        let _ = db.execute(&format!("INSERT INTO {} DEFAULT VALUES", quoted(&table.name)), ());
    }
}

/// The rows of the columns that a model declares, with their storage classes.
fn contents(db: &Database, model: &Model) -> Vec<Vec<Vec<SqlValue>>> {
    let table = |table: &TableDeclaration| {
        let columns = table.columns.iter().map(|column| {
            let name = quoted(&column.name);
            format!("{name}, typeof({name})")
        });
        let columns: Vec<String> = columns.collect();
        let sql = format!("SELECT {} FROM {}", columns.join(", "), quoted(&table.name));
        let mut found = rows(db, &sql);
        // A new index may give them in another order.
        found.sort_by_key(|row| format!("{row:?}"));
        found
    };
    model.tables.iter().map(table).collect()
}

fn extended(random: &mut Random, model: &Model) -> Model {
    let mut more = model.clone();
    for table in &mut more.tables {
        for name in ["new", "n\"2", "N 3"] {
            if random.one_in(3) {
                let mut column = addable(random, name);
                // The rows that are there would have one value, all of them.
                column.unique &= column.default.is_none();
                let place = random.below(table.columns.len() + 1);
                table.columns.insert(place, column);
            }
        }
    }
    if random.one_in(2) {
        let table = new_table(random, "another", &more);
        more.tables.push(table);
    }
    for number in 10..10 + random.below(3) {
        let index = new_index(random, &more, number);
        if !more.indexes.iter().any(|other| other.effective_name() == index.effective_name()) {
            more.indexes.push(index);
        }
    }
    if random.one_in(2) {
        more.triggers.push(new_trigger(random, &more, 10));
    }
    // In another order it is the same schema.
    if random.one_in(2) {
        more.tables.reverse();
        more.indexes.reverse();
    }
    more
}

/// Changes one thing that no addition can bring about. Returns what it was; `None` if there is nothing of its
/// kind.
fn contradicted(random: &mut Random, model: &mut Model) -> Option<&'static str> {
    let at = random.below(model.tables.len());
    let referred = model.tables.iter().any(|other| {
        let name = &model.tables[at].name;
        other.columns.iter().any(|column| column.references.as_ref().is_some_and(|to| to.table == *name))
    });
    let target = model.tables.iter().find(|table| key(table).len() == 1).map(|table| table.name.clone());
    let table = &mut model.tables[at];
    let is_single = key(table).len() == 1;
    let at = random.below(table.columns.len());
    let column = &mut table.columns[at];
    let is_rowid = column.primary && is_single && column.kind == ColumnType::Integer;
    Some(match random.below(14) {
        0 => {
            let other = kind(random);
            if other == column.kind || column.default.is_some() {
                return None;
            }
            column.kind = other;
            "type"
        }
        1 if !column.primary && column.default != Some(DefaultValue::Value(SqlValue::Null)) => {
            column.not_null = !column.not_null;
            "not null"
        }
        2 if !is_rowid && column.kind != ColumnType::Json => {
            column.default = match column.default {
                None => Some(DefaultValue::Value("a new default".into())),
                Some(_) => None,
            };
            "default"
        }
        3 if !is_rowid => {
            column.default = Some(DefaultValue::Sql("'[' || ']'".into()));
            "default by SQL"
        }
        4 if !(model.indexes.iter().any(|index| index.unique) || column.primary && is_single) => {
            column.unique = !column.unique;
            "unique"
        }
        5 => {
            column.check = column.check.is_none().then(|| "1 < 2".to_owned());
            "check"
        }
        6 => {
            column.check = Some(format!("{} IS NOT 4", quoted(&column.name)));
            "another check"
        }
        7 => {
            column.references = match column.references.take() {
                Some(_) => None,
                None => Some(References::new(target?)),
            };
            "reference"
        }
        8 => {
            let mut all = model.tables.iter_mut().flat_map(|table| &mut table.columns);
            let references = all.find_map(|column| column.references.as_mut())?;
            references.on_delete = match references.on_delete {
                ReferenceAction::Cascade => ReferenceAction::SetNull,
                _ => ReferenceAction::Cascade,
            };
            "action"
        }
        9 if !referred && (column.primary || column.default.is_none()) => {
            column.primary = !column.primary;
            "key"
        }
        10 if column.not_null && column.default.is_none() && !column.primary && table.columns.len() > 1 => {
            let name = table.columns.remove(at).name;
            let table = table.name.clone();
            let of_it = |index: &IndexDeclaration| index.table == table && index.columns.contains(&name);
            model.indexes.retain(|index| !of_it(index));
            "missing not null column"
        }
        11 => {
            let index = model.indexes.iter_mut().find(|index| index.name.is_some())?;
            index.where_ = index.where_.is_none().then(|| "1 < 2".to_owned());
            "condition"
        }
        12 => {
            let index = model.indexes.iter_mut().find(|index| index.name.is_some())?;
            index.unique = !index.unique;
            "unique index"
        }
        13 => {
            let trigger = model.triggers.first_mut()?;
            *trigger = trigger.replace("SELECT", "SELECT 1 +");
            "trigger"
        }
        _ => return None,
    })
}

#[test]
fn every_schema_is_made_once_extended_with_rows_kept_and_not_contradicted() {
    let mut contradictions = std::collections::BTreeMap::new();
    for seed in 1..=ROUNDS {
        let random = &mut Random::new(seed);
        let db = open();
        let model = model(random);
        let about = |error: &dyn std::fmt::Display| format!("seed {seed}: {error}\n{model:#?}");
        let made = db.apply_schema(&model.schema()).unwrap_or_else(|error| panic!("{}", about(&error)));
        assert_eq!(made.len(), model.tables.len() + model.indexes.len() + model.triggers.len());
        fill(random, &db, &model);
        let (made, filled) = (texts(&db), contents(&db, &model));
        let again = db.apply_schema(&model.schema()).unwrap_or_else(|error| panic!("{}", about(&error)));
        assert_eq!(again, [], "{}", about(&"again"));

        for _ in 0..12 {
            let mut other = model.clone();
            let Some(what) = contradicted(random, &mut other) else { continue };
            let result = db.apply_schema(&other.schema());
            let error = result.expect_err(&about(&format!("{what}: {other:#?}")));
            assert_eq!(error.kind(), ErrorKind::Schema, "{}", about(&error));
            *contradictions.entry(what).or_insert(0) += 1;
            assert_eq!(
                (texts(&db), contents(&db, &model)),
                (made.clone(), filled.clone()),
                "{}",
                about(&error)
            );
        }

        let more = extended(random, &model);
        let result = db.apply_schema(&more.schema());
        result.unwrap_or_else(|error| panic!("{}\n{more:#?}", about(&error)));
        assert_eq!(contents(&db, &model), filled, "{}", about(&"rows are kept"));
        assert_eq!(
            db.apply_schema(&more.schema()).expect("applies"),
            [],
            "{}\n{more:#?}",
            about(&"extended")
        );
        // What is not declared any more stays, but for what would refuse rows.
        let mut less = model.clone();
        less.indexes.retain(|index| index.unique);
        less.triggers.clear();
        assert_eq!(db.apply_schema(&less.schema()).expect("applies"), [], "{}", about(&"less"));
    }
    let rare: Vec<_> = contradictions.iter().filter(|(_, count)| **count < 10).collect();
    assert!(contradictions.len() == 14 && rare.is_empty(), "{contradictions:?}");
}

/// Bits of a value: -0.0 is not 0.0 here. SQLite gives a real in a TEXT column the digits that it has in the
/// declaration, or as many as it writes itself.
fn exact(value: &SqlValue, real: bool) -> (SqlValue, Option<u64>) {
    let number = |value: &SqlValue| value.as_str().and_then(|text| text.parse::<f64>().ok());
    match value {
        SqlValue::Real(number) => (SqlValue::Null, Some(number.to_bits())),
        SqlValue::Text(_) if real => (SqlValue::Null, number(value).map(f64::to_bits)),
        _ => (value.clone(), None),
    }
}

/// Compares defaults with an INSERT of the same value, for new rows and for those that were there.
#[test]
fn defaults_are_the_values_that_were_declared() {
    let random = &mut Random::new(1);
    let mut values: Vec<SqlValue> = (0..200).map(|_| value(random)).collect();
    values.extend((0..3000).filter_map(|_| {
        let real = f64::from_bits((random.below(1 << 32) as u64) << 32 | random.below(1 << 32) as u64);
        real.is_finite().then(|| real.into())
    }));
    let db = open();
    for chunk in values.chunks(100) {
        let kind =
            [ColumnType::Integer, ColumnType::Text, ColumnType::Real, ColumnType::Blob][random.below(4)];
        let columns = chunk
            .iter()
            .enumerate()
            .map(|(at, value)| ColumnDeclaration::new(format!("c{at}"), kind).default(value.clone()));
        let declared = table("t", columns);
        let first = table("t", [declared.columns[0].clone()]);
        let marks = vec!["?"; chunk.len()].join(", ");
        db.create_table(&first).expect("is right");
        db.execute("INSERT INTO t DEFAULT VALUES", ()).expect("inserts");
        db.create_table(&declared).expect("is added to");
        db.execute("INSERT INTO t DEFAULT VALUES", ()).expect("inserts");
        db.execute(&format!("INSERT INTO t VALUES({marks})"), chunk).expect("inserts");
        assert_eq!(db.apply_schema(&Schema::new().table(declared)).expect("applies"), []);
        let found = rows(&db, "SELECT * FROM t ORDER BY rowid");
        for (at, expected) in found[2].iter().enumerate() {
            let real = matches!(chunk[at], SqlValue::Real(_));
            for row in &found[..2] {
                assert_eq!(exact(&row[at], real), exact(expected, real), "{kind:?} {:?}", chunk[at]);
            }
        }
        db.execute("DROP TABLE t", ()).expect("drops");
    }
}
