//! The contract of [`TableStore`], as a test suite that every implementation runs:
//! `check_table_store(|| Box::new(MyStore::new()))`. Each check gets a fresh, empty store.

use super::{Cursor, StoreError, TableId, TableStore, Transaction};
use crate::limits::NAME_BYTES_MAX;
use crate::value::{Value, decode_list, decode_value, encode_value};

/// Runs all checks on stores that `new` makes.
///
/// # Panics
/// Panics in the check that fails if a store breaks the contract.
pub fn check_table_store(new: impl Fn() -> Box<dyn TableStore>) {
    for check in [
        a_set_is_seen_by_the_next_get,
        keys_are_compared_as_bytes,
        removing_a_missing_key_is_no_error,
        iteration_is_in_order_of_insertion,
        iteration_goes_on_after_removals,
        iteration_gives_what_fits_and_at_least_one,
        a_name_is_one_table_until_it_is_dropped,
        clear_keeps_the_table,
        transactions_take_back_values_and_order,
        transactions_nest,
        transactions_cover_clear_drop_and_open,
        a_dropped_table_is_refused_by_all,
        a_drop_in_a_transaction_can_be_taken_back,
        ids_are_never_given_out_twice,
        names_are_in_order_of_creation,
        order_comes_back_with_a_clear,
        cursors_outlive_their_entries,
        places_are_never_given_out_twice,
        the_end_of_a_batch_rolls_back_what_is_open,
        a_commit_without_begin_is_refused,
        a_hundred_thousand_entries,
        large_and_binary_contents_come_back,
        random_operations_agree_with_a_plain_model,
        random_tables_agree_with_a_plain_model,
    ] {
        check(&mut *new());
    }
}

type Store<'a> = &'a mut dyn TableStore;
/// Keys and values, in order.
type Entries = Vec<(Vec<u8>, Vec<u8>)>;

fn bytes(value: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    encode_value(value, &mut out).expect("scalars can be encoded");
    out
}

fn key(text: &str) -> Vec<u8> {
    bytes(&Value::from(text))
}

fn number(n: i64) -> Vec<u8> {
    bytes(&Value::Integer(n))
}

fn get(store: Store<'_>, table: TableId, key: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![0xEE];
    let found = store.get(table, key, &mut out).expect("get");
    assert_eq!(out[0], 0xEE, "get appends");
    assert_eq!(store.contains(table, key), Ok(found), "contains agrees with get");
    found.then(|| out[1..].to_vec())
}

/// All entries of a table, read in small steps.
fn entries(store: Store<'_>, table: TableId) -> Entries {
    let mut all = Vec::new();
    let mut after = 0;
    while let Some((last, some)) = next(store, table, after, 64) {
        all.extend(some);
        after = last;
    }
    assert_eq!(store.count(table), Ok(all.len() as u64), "count agrees with iteration");
    all
}

fn next(store: Store<'_>, table: TableId, after: Cursor, room: usize) -> Option<(Cursor, Entries)> {
    let mut out = Vec::new();
    if !store.next(table, after, room, &mut out).expect("next") {
        assert!(out.is_empty(), "nothing is written at the end");
        return None;
    }
    let (mut at, mut last, mut found) = (0, after, Vec::new());
    while at < out.len() {
        let cursor = f64::from_le_bytes(out[at..at + 8].try_into().expect("8 bytes")) as Cursor;
        assert!(cursor > last, "cursors grow");
        last = cursor;
        at += 8;
        let key = take_value(&out, &mut at);
        let value = take_value(&out, &mut at);
        found.push((key, value));
    }
    Some((last, found))
}

/// The cursor of each entry, in order.
fn cursors(store: Store<'_>, table: TableId) -> Vec<Cursor> {
    let (mut all, mut after) = (Vec::new(), 0);
    while let Some((last, _)) = next(store, table, after, 0) {
        all.push(last);
        after = last;
    }
    all
}

/// Keys of all entries that come after a cursor.
fn keys_after(store: Store<'_>, table: TableId, after: Cursor) -> Vec<Vec<u8>> {
    next(store, table, after, 4096)
        .map_or(Vec::new(), |(_, found)| found.into_iter().map(|(k, _)| k).collect())
}

fn transaction(store: Store<'_>, what: Transaction) {
    store.transaction(what).unwrap_or_else(|error| panic!("{what:?}: {error}"));
}

fn take_value(all: &[u8], at: &mut usize) -> Vec<u8> {
    let start = *at;
    let len = match all[start] {
        0 => 1,
        1 => 2,
        2 | 3 => 9,
        4 => 5 + u32::from_le_bytes(all[start + 1..start + 5].try_into().expect("4 bytes")) as usize,
        tag => panic!("the suite stores no values of tag {tag}"),
    };
    *at += len;
    all[start..*at].to_vec()
}

fn names(store: Store<'_>) -> Vec<Value> {
    let mut out = Vec::new();
    store.names(&mut out).expect("names");
    decode_list(&out).expect("names are a list")
}

fn a_set_is_seen_by_the_next_get(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    assert_eq!(get(store, t, &key("a")), None);
    store.set(t, &key("a"), &number(1)).expect("set");
    assert_eq!(get(store, t, &key("a")), Some(number(1)));
    store.set(t, &key("a"), &number(2)).expect("set");
    assert_eq!(get(store, t, &key("a")), Some(number(2)));
    assert_eq!(store.count(t), Ok(1));
    let other = store.open(b"other").expect("open");
    assert_eq!(get(store, other, &key("a")), None);
}

fn keys_are_compared_as_bytes(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    let keys = [
        Value::Integer(1),
        Value::from("1"),
        Value::Boolean(true),
        Value::Boolean(false),
        Value::Float(1.5),
        Value::from(""),
        Value::from("\0"),
        Value::String(vec![0xFF, 0x00, 0x80]),
        Value::from("__proto__"),
        Value::from("constructor"),
        Value::Integer(i64::MIN),
        Value::Integer(i64::MAX),
        Value::Float(f64::NEG_INFINITY),
    ];
    for (i, k) in keys.iter().enumerate() {
        store.set(t, &bytes(k), &number(i as i64)).expect("set");
    }
    for (i, k) in keys.iter().enumerate() {
        assert_eq!(get(store, t, &bytes(k)), Some(number(i as i64)), "{k:?}");
    }
    assert_eq!(store.count(t), Ok(keys.len() as u64));
}

fn removing_a_missing_key_is_no_error(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    assert_eq!(store.remove(t, &key("a")), Ok(false));
    store.set(t, &key("a"), &number(1)).expect("set");
    assert_eq!(store.remove(t, &key("a")), Ok(true));
    assert_eq!(store.remove(t, &key("a")), Ok(false));
    assert_eq!(get(store, t, &key("a")), None);
}

fn iteration_is_in_order_of_insertion(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    for k in ["c", "a", "b", "d"] {
        store.set(t, &key(k), &number(1)).expect("set");
    }
    store.set(t, &key("a"), &number(2)).expect("overwriting keeps the place");
    store.remove(t, &key("c")).expect("remove");
    store.set(t, &key("c"), &number(3)).expect("set again goes to the end");
    let order: Vec<_> = entries(store, t).into_iter().map(|(k, _)| k).collect();
    assert_eq!(order, [key("a"), key("b"), key("d"), key("c")]);
}

fn iteration_goes_on_after_removals(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    for i in 0..1000 {
        store.set(t, &number(i), &number(i)).expect("set");
    }
    // Like a Lua loop that removes each entry that it visits, and one ahead of it.
    let (mut after, mut visited) = (0, Vec::new());
    while let Some((_, found)) = next(store, t, after, 0) {
        let (k, _) = &found[0];
        let Ok(Value::Integer(i)) = decode_value(k) else { panic!("an integer key came back as {k:?}") };
        visited.push(i);
        after = next(store, t, after, 0).expect("still there").0;
        store.remove(t, k).expect("remove");
        store.remove(t, &number(i + 1)).expect("remove");
    }
    assert_eq!(visited, (0..1000).step_by(2).collect::<Vec<_>>());
    assert_eq!(store.count(t), Ok(0));
}

fn iteration_gives_what_fits_and_at_least_one(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    for i in 0..10 {
        store.set(t, &number(i), &number(i)).expect("set");
    }
    let one = 8 + 9 + 9;
    assert_eq!(next(store, t, 0, 0).expect("one").1.len(), 1);
    assert_eq!(next(store, t, 0, one).expect("one").1.len(), 1);
    assert_eq!(next(store, t, 0, one * 3).expect("three").1.len(), 3);
    assert_eq!(next(store, t, 0, one * 100).expect("all").1.len(), 10);
}

fn a_name_is_one_table_until_it_is_dropped(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    assert_eq!(store.open(b"t"), Ok(t));
    let odd = "\u{FFFD}\0name é";
    let other = store.open(odd.as_bytes()).expect("any text is a name");
    assert_ne!(other, t);
    assert_eq!(names(store), [Value::from("t"), Value::from(odd)]);
    let long = [b'x'; NAME_BYTES_MAX + 1];
    for bad in [b"".as_slice(), b"\xFF", &long] {
        assert_eq!(store.open(bad), Err(StoreError::Name), "{bad:?}");
    }
    store.open(&long[1..]).expect("the longest name");
    assert_eq!(store.drop_table(&long[1..]), Ok(true));
    store.set(t, &key("a"), &number(1)).expect("set");
    assert_eq!(store.drop_table(b"t"), Ok(true));
    assert_eq!(store.drop_table(b"t"), Ok(false));
    assert_eq!(store.get(t, &key("a"), &mut Vec::new()), Err(StoreError::Closed));
    assert_eq!(store.set(t, &key("a"), &number(1)), Err(StoreError::Closed));
    let again = store.open(b"t").expect("open");
    assert_ne!(again, t);
    assert_eq!(store.count(again), Ok(0));
    assert_eq!(names(store), [Value::from(odd), Value::from("t")]);
}

fn clear_keeps_the_table(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    for i in 0..10 {
        store.set(t, &number(i), &number(i)).expect("set");
    }
    let (middle, _) = next(store, t, 0, 0).expect("one");
    store.clear(t).expect("clear");
    assert_eq!(store.count(t), Ok(0));
    assert_eq!(entries(store, t), []);
    store.set(t, &key("a"), &number(1)).expect("set");
    assert_eq!(next(store, t, middle, 0).expect("new entries are after old cursors").1.len(), 1);
}

fn transactions_take_back_values_and_order(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    for k in ["a", "b", "c"] {
        store.set(t, &key(k), &key(k)).expect("set");
    }
    let before = entries(store, t);
    store.transaction(Transaction::Begin).expect("begin");
    store.remove(t, &key("a")).expect("remove");
    store.set(t, &key("b"), &number(2)).expect("set");
    store.set(t, &key("b"), &number(3)).expect("set");
    store.set(t, &key("a"), &number(1)).expect("set");
    store.set(t, &key("new"), &number(1)).expect("set");
    store.remove(t, &key("new")).expect("remove");
    store.set(t, &key("new"), &number(2)).expect("set");
    store.transaction(Transaction::RollBack).expect("roll back");
    assert_eq!(entries(store, t), before);
    store.transaction(Transaction::Begin).expect("begin");
    store.remove(t, &key("a")).expect("remove");
    store.transaction(Transaction::Commit).expect("commit");
    assert_eq!(entries(store, t), before[1..]);
}

fn transactions_nest(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    store.transaction(Transaction::Begin).expect("begin");
    store.set(t, &key("outer"), &number(1)).expect("set");
    store.transaction(Transaction::Begin).expect("begin");
    store.set(t, &key("inner"), &number(1)).expect("set");
    store.transaction(Transaction::RollBack).expect("roll back");
    assert_eq!(entries(store, t), [(key("outer"), number(1))]);
    store.transaction(Transaction::Begin).expect("begin");
    store.set(t, &key("kept"), &number(1)).expect("set");
    store.transaction(Transaction::Commit).expect("commit");
    store.transaction(Transaction::RollBack).expect("the outer one takes the inner along");
    assert_eq!(entries(store, t), []);
}

fn transactions_cover_clear_drop_and_open(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    store.set(t, &key("a"), &number(1)).expect("set");
    store.transaction(Transaction::Begin).expect("begin");
    store.clear(t).expect("clear");
    store.set(t, &key("b"), &number(1)).expect("set");
    store.drop_table(b"t").expect("drop");
    let again = store.open(b"t").expect("open");
    store.set(again, &key("c"), &number(1)).expect("set");
    store.open(b"new").expect("open");
    store.transaction(Transaction::RollBack).expect("roll back");
    assert_eq!(names(store), [Value::from("t")]);
    assert_eq!(store.open(b"t"), Ok(t));
    assert_eq!(entries(store, t), [(key("a"), number(1))]);
}

fn a_dropped_table_is_refused_by_all(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    store.set(t, &key("a"), &number(1)).expect("set");
    assert_eq!(store.drop_table(b"t"), Ok(true));
    // Before the end of the batch, after it, and beside a new table of the name.
    for round in 0..3 {
        let mut out = Vec::new();
        assert_eq!(store.get(t, &key("a"), &mut out), Err(StoreError::Closed), "round {round}");
        assert_eq!(store.contains(t, &key("a")), Err(StoreError::Closed), "round {round}");
        assert_eq!(store.set(t, &key("a"), &number(1)), Err(StoreError::Closed), "round {round}");
        assert_eq!(store.remove(t, &key("a")), Err(StoreError::Closed), "round {round}");
        assert_eq!(store.next(t, 0, 64, &mut out), Err(StoreError::Closed), "round {round}");
        assert_eq!(store.count(t), Err(StoreError::Closed), "round {round}");
        assert_eq!(store.clear(t), Err(StoreError::Closed), "round {round}");
        assert!(out.is_empty(), "a refusal writes nothing");
        if round == 0 {
            store.end_batch().expect("end");
        } else {
            store.open(b"t").expect("open");
        }
    }
}

fn a_drop_in_a_transaction_can_be_taken_back(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    for k in ["a", "b"] {
        store.set(t, &key(k), &number(1)).expect("set");
    }
    let before = entries(store, t);
    // Dropped and created again twice, the second time inside of another transaction.
    transaction(store, Transaction::Begin);
    store.set(t, &key("c"), &number(1)).expect("set");
    assert_eq!(store.drop_table(b"t"), Ok(true));
    assert_eq!(store.count(t), Err(StoreError::Closed));
    let second = store.open(b"t").expect("open");
    store.set(second, &key("second"), &number(2)).expect("set");
    transaction(store, Transaction::Begin);
    assert_eq!(store.drop_table(b"t"), Ok(true));
    let third = store.open(b"t").expect("open");
    assert_eq!(entries(store, third), []);
    transaction(store, Transaction::RollBack);
    assert_eq!(store.open(b"t"), Ok(second));
    assert_eq!(entries(store, second), [(key("second"), number(2))]);
    assert_eq!(store.count(third), Err(StoreError::Closed));
    transaction(store, Transaction::RollBack);
    assert_eq!(store.open(b"t"), Ok(t));
    assert_eq!(entries(store, t), before);
    for gone in [second, third] {
        assert_eq!(store.count(gone), Err(StoreError::Closed));
    }
    // The drop is permanent if the transaction commits.
    transaction(store, Transaction::Begin);
    assert_eq!(store.drop_table(b"t"), Ok(true));
    transaction(store, Transaction::Commit);
    assert_eq!(store.count(t), Err(StoreError::Closed));
    assert_eq!(names(store), []);
}

fn ids_are_never_given_out_twice(store: Store<'_>) {
    let mut given = Vec::new();
    for round in 0..20 {
        if round % 4 > 0 {
            transaction(store, Transaction::Begin);
        }
        let id = store.open(b"t").expect("open");
        assert!(!given.contains(&id), "round {round}: {id:?} again");
        given.push(id);
        match round % 4 {
            // Opened, and rolled back.
            1 => transaction(store, Transaction::RollBack),
            // Opened and dropped, and both rolled back.
            2 => {
                store.drop_table(b"t").expect("drop");
                transaction(store, Transaction::RollBack);
            }
            3 => {
                transaction(store, Transaction::Commit);
                store.drop_table(b"t").expect("drop");
            }
            _ => assert_eq!(store.drop_table(b"t"), Ok(true)),
        }
        if round % 5 == 0 {
            store.end_batch().expect("end");
        }
    }
    for id in given {
        assert_eq!(store.count(id), Err(StoreError::Closed), "{id:?}");
    }
}

fn names_are_in_order_of_creation(store: Store<'_>) {
    let expect = |store: Store<'_>, expected: &str| {
        let expected: Vec<Value> = expected.split_whitespace().map(Value::from).collect();
        assert_eq!(names(store), expected);
    };
    expect(store, "");
    for name in ["c", "a", "b"] {
        let t = store.open(name.as_bytes()).expect("open");
        store.set(t, &key("x"), &number(1)).expect("set");
    }
    store.open(b"c").expect("known");
    expect(store, "c a b");
    store.drop_table(b"c").expect("drop");
    store.open(b"c").expect("open");
    expect(store, "a b c");
    transaction(store, Transaction::Begin);
    store.open(b"d").expect("open");
    store.drop_table(b"a").expect("drop");
    store.open(b"a").expect("open");
    store.drop_table(b"b").expect("drop");
    expect(store, "c d a");
    transaction(store, Transaction::RollBack);
    expect(store, "a b c");
    store.end_batch().expect("end");
    store.open(b"d").expect("open");
    expect(store, "a b c d");
}

fn order_comes_back_with_a_clear(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    for k in ["a", "b", "c"] {
        store.set(t, &key(k), &key(k)).expect("set");
    }
    let before = entries(store, t);
    transaction(store, Transaction::Begin);
    store.remove(t, &key("b")).expect("remove");
    store.clear(t).expect("clear");
    // The same keys in reverse order, and cleared once more.
    for k in ["c", "b", "a", "d"] {
        store.set(t, &key(k), &number(1)).expect("set");
    }
    store.clear(t).expect("clear");
    store.set(t, &key("b"), &number(2)).expect("set");
    assert_eq!(entries(store, t), [(key("b"), number(2))]);
    transaction(store, Transaction::RollBack);
    assert_eq!(entries(store, t), before);
    assert_eq!(get(store, t, &key("d")), None);
    // Later changes go on from the state before the transaction.
    store.set(t, &key("b"), &number(3)).expect("overwriting keeps the place");
    store.set(t, &key("d"), &number(4)).expect("set");
    let order: Vec<_> = entries(store, t).into_iter().map(|(k, _)| k).collect();
    assert_eq!(order, ["a", "b", "c", "d"].map(key));
}

/// Checks that a cursor stays valid whatever happens to its entry: the entries after it are those inserted
/// later.
fn cursors_outlive_their_entries(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    for k in ["a", "b", "c", "d"] {
        store.set(t, &key(k), &number(1)).expect("set");
    }
    let places = cursors(store, t);
    assert_eq!(keys_after(store, t, places[0]), ["b", "c", "d"].map(key));
    // The entry is removed, then the one after it.
    store.remove(t, &key("a")).expect("remove");
    store.remove(t, &key("b")).expect("remove");
    assert_eq!(keys_after(store, t, places[0]), ["c", "d"].map(key));
    assert_eq!(keys_after(store, t, places[1]), ["c", "d"].map(key));
    // The entry is set again, which puts it at the end.
    store.set(t, &key("a"), &number(2)).expect("set");
    assert_eq!(keys_after(store, t, places[2]), ["d", "a"].map(key));
    // A roll back puts an entry where it was.
    transaction(store, Transaction::Begin);
    store.remove(t, &key("c")).expect("remove");
    assert_eq!(keys_after(store, t, places[0]), ["d", "a"].map(key));
    store.set(t, &key("c"), &number(2)).expect("set");
    assert_eq!(keys_after(store, t, places[0]), ["d", "a", "c"].map(key));
    transaction(store, Transaction::RollBack);
    assert_eq!(keys_after(store, t, places[0]), ["c", "d", "a"].map(key));
    assert_eq!(keys_after(store, t, places[2]), ["d", "a"].map(key));
    // Past the end, and far past it.
    let last = *cursors(store, t).last().expect("some");
    assert_eq!(next(store, t, last, 64), None);
    assert_eq!(next(store, t, last + 1_000_000, 64), None);
    // Another table's entries do not matter.
    let other = store.open(b"other").expect("open");
    assert_eq!(next(store, other, last, 64), None);
}

/// Checks that cursors are not reused after a roll back either: an iterator that holds one still sees what is
/// added later.
fn places_are_never_given_out_twice(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    store.set(t, &key("a"), &number(1)).expect("set");
    let mut last = cursors(store, t)[0];
    for round in 0..6 {
        transaction(store, Transaction::Begin);
        if round % 2 == 1 {
            store.clear(t).expect("clear");
        }
        for i in 0..5 {
            store.set(t, &number(i), &number(1)).expect("set");
        }
        let inside = *cursors(store, t).last().expect("some");
        assert!(inside > last, "round {round}");
        if round == 3 {
            store.drop_table(b"t").expect("drop");
        }
        transaction(store, Transaction::RollBack);
        if round == 2 {
            store.end_batch().expect("end");
        }
        store.set(t, &number(100 + round), &number(1)).expect("set");
        assert_eq!(keys_after(store, t, inside), [number(100 + round)], "round {round}");
        last = *cursors(store, t).last().expect("some");
        assert!(last > inside, "round {round}");
    }
    store.clear(t).expect("clear");
    store.set(t, &key("b"), &number(1)).expect("set");
    assert!(cursors(store, t)[0] > last, "after a clear");
}

fn the_end_of_a_batch_rolls_back_what_is_open(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    store.set(t, &key("a"), &number(1)).expect("set");
    transaction(store, Transaction::Begin);
    store.set(t, &key("outer"), &number(1)).expect("set");
    transaction(store, Transaction::Begin);
    store.clear(t).expect("clear");
    store.open(b"new").expect("open");
    transaction(store, Transaction::Begin);
    store.drop_table(b"t").expect("drop");
    store.end_batch().expect("end");
    assert_eq!(names(store), [Value::from("t")]);
    assert_eq!(store.open(b"t"), Ok(t));
    assert_eq!(entries(store, t), [(key("a"), number(1))]);
    assert!(store.transaction(Transaction::Commit).is_err(), "none is open");
    // The next batch is not affected.
    store.set(t, &key("b"), &number(1)).expect("set");
    store.end_batch().expect("end");
    assert_eq!(store.count(t), Ok(2));
}

fn a_hundred_thousand_entries(store: Store<'_>) {
    const MANY: i64 = 100_000;
    let t = store.open(b"t").expect("open");
    for i in 0..MANY {
        store.set(t, &number(i), &number(i)).expect("set");
    }
    assert_eq!(store.count(t), Ok(MANY as u64));
    let read = |store: Store<'_>| {
        let (mut after, mut at, mut found) = (0, 0, 0);
        while let Some((last, some)) = next(store, t, after, 4096) {
            after = last;
            found += some.len();
            at = some.last().map_or(at, |(k, _)| i64::from_le_bytes(k[1..].try_into().expect("an integer")));
        }
        (found as i64, at)
    };
    assert_eq!(read(store), (MANY, MANY - 1));
    transaction(store, Transaction::Begin);
    for i in (0..MANY).step_by(2) {
        assert_eq!(store.remove(t, &number(i)), Ok(true));
    }
    assert_eq!(read(store), (MANY / 2, MANY - 1));
    for i in 0..10 {
        store.set(t, &number(i), &number(-i)).expect("set");
    }
    store.clear(t).expect("clear");
    transaction(store, Transaction::RollBack);
    assert_eq!(read(store), (MANY, MANY - 1));
    assert_eq!(get(store, t, &number(4)), Some(number(4)));
    for i in 0..MANY - 1 {
        assert_eq!(store.remove(t, &number(i)), Ok(true));
    }
    store.end_batch().expect("end");
    assert_eq!(entries(store, t), [(number(MANY - 1), number(MANY - 1))]);
}

fn a_commit_without_begin_is_refused(store: Store<'_>) {
    assert!(store.transaction(Transaction::Commit).is_err());
    assert!(store.transaction(Transaction::RollBack).is_err());
    store.end_batch().expect("an empty batch is fine");
}

fn large_and_binary_contents_come_back(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    let large: Vec<u8> = (0..300_000u32).map(|i| (i * 7 % 256) as u8).collect();
    let value = bytes(&Value::String(large.clone()));
    store.set(t, &bytes(&Value::String(large.clone())), &value).expect("set");
    assert_eq!(get(store, t, &bytes(&Value::String(large))), Some(value.clone()));
    assert_eq!(entries(store, t)[0].1, value);
}

fn random_operations_agree_with_a_plain_model(store: Store<'_>) {
    let t = store.open(b"t").expect("open");
    let mut model: Entries = Vec::new();
    let mut saved: Vec<Entries> = Vec::new();
    let mut seed = 0x9E37_79B9_7F4A_7C15_u64;
    for step in 0..4000_i64 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let k = number((seed >> 20) as i64 & 31);
        match seed & 15 {
            0..=7 => {
                store.set(t, &k, &number(step)).expect("set");
                match model.iter_mut().find(|(key, _)| *key == k) {
                    Some(entry) => entry.1 = number(step),
                    None => model.push((k, number(step))),
                }
            }
            8..=11 => {
                let had = model.iter().any(|(key, _)| *key == k);
                assert_eq!(store.remove(t, &k), Ok(had));
                model.retain(|(key, _)| *key != k);
            }
            12 if saved.len() < 4 => {
                store.transaction(Transaction::Begin).expect("begin");
                saved.push(model.clone());
            }
            13 if saved.pop().is_some() => store.transaction(Transaction::Commit).expect("commit"),
            14 => {
                if let Some(before) = saved.pop() {
                    store.transaction(Transaction::RollBack).expect("roll back");
                    model = before;
                }
            }
            15 if seed & 0xF00 == 0 => {
                store.clear(t).expect("clear");
                model.clear();
            }
            _ => {}
        }
        if step % 50 == 0 {
            assert_eq!(entries(store, t), model, "after step {step}");
        }
    }
}

/// A model of a store: tables in order of creation, each with id, name and entries in order.
type Tables = Vec<(TableId, &'static [u8], Entries)>;

/// Compares the store with a model while tables come and go, in nested transactions, and batches that end in
/// the middle.
fn random_tables_agree_with_a_plain_model(store: Store<'_>) {
    const NAMES: [&[u8]; 4] = [b"a", b"b", b"c", b"d"];
    let (mut model, mut saved): (Tables, Vec<Tables>) = (Vec::new(), Vec::new());
    let mut given: Vec<TableId> = Vec::new();
    let mut seed = 0x2545_F491_4F6C_DD1D_u64;
    for step in 0..6000_i64 {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        let name = NAMES[(seed >> 30) as usize & 3];
        let k = number((seed >> 20) as i64 & 7);
        let at = model.iter().position(|(_, of, _)| *of == name);
        match (seed & 15, at) {
            (0..=1, None) => {
                let id = store.open(name).expect("open");
                assert!(!given.contains(&id), "step {step}: {id:?} again");
                given.push(id);
                model.push((id, name, Vec::new()));
            }
            (0, Some(at)) => {
                assert_eq!(store.drop_table(name), Ok(true));
                model.remove(at);
            }
            (1..=5, Some(at)) => {
                let (id, _, entries) = &mut model[at];
                store.set(*id, &k, &number(step)).expect("set");
                match entries.iter_mut().find(|(key, _)| *key == k) {
                    Some(entry) => entry.1 = number(step),
                    None => entries.push((k, number(step))),
                }
            }
            (6..=8, Some(at)) => {
                let (id, _, entries) = &mut model[at];
                assert_eq!(store.remove(*id, &k), Ok(entries.iter().any(|(key, _)| *key == k)));
                entries.retain(|(key, _)| *key != k);
            }
            (9, Some(at)) if seed & 0x300 == 0 => {
                store.clear(model[at].0).expect("clear");
                model[at].2.clear();
            }
            (10..=11, _) if saved.len() < 5 => {
                transaction(store, Transaction::Begin);
                saved.push(model.clone());
            }
            (12, _) if saved.pop().is_some() => transaction(store, Transaction::Commit),
            (13, _) => {
                if let Some(before) = saved.pop() {
                    transaction(store, Transaction::RollBack);
                    model = before;
                }
            }
            (14, _) if seed & 0x300 == 0 => {
                store.end_batch().expect("end");
                if let Some(before) = saved.drain(..).next() {
                    model = before;
                }
            }
            _ => {}
        }
        if step % 20 == 0 {
            let expected: Vec<Value> =
                model.iter().map(|(_, name, _)| Value::String(name.to_vec())).collect();
            assert_eq!(names(store), expected, "step {step}");
            for (id, name, expected) in &model {
                assert_eq!(store.open(name), Ok(*id), "step {step}");
                assert_eq!(entries(store, *id), *expected, "step {step}");
            }
            for id in given.iter().filter(|id| !model.iter().any(|(live, _, _)| live == *id)) {
                assert_eq!(store.count(*id), Err(StoreError::Closed), "step {step}");
            }
        }
    }
}
