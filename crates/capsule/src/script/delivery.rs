//! Delivery of messages and of the changes of commits, to scripts and to those who listen in Rust.

use super::Shared;
use super::errors::from_script;
use super::values::{row_to_lua, to_lua};
use crate::bus::{Message, Reaction, ReactionRow};
use crate::error::{CapsuleError, ErrorKind, Result};
use crate::log::{Registry, json_text};
use crate::value::SqlValue;
use crate::watch::{ChangeEvent, Explanation, Image, Missed, Watcher};
use perilune::{Table, Value, Variadic, Vm};
use std::rc::{Rc, Weak};

/// Changes of the log that are read at once after a crash.
const RESUMED_AT_ONCE: i64 = 1000;

/// Watchers of a capsule, at most.
const WATCHERS_MAX: usize = 10_000;

/// Listener that is told of the events of watchers.
pub(crate) type Listener = Rc<dyn Fn(&[ChangeEvent])>;

/// Kind of a listener, as `_capsule_subscriptions` shows it. Those of scripts have no subscription here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum ListenerKind {
    React,
    #[default]
    Custom,
}

impl ListenerKind {
    fn name(self) -> &'static str {
        match self {
            Self::React => "react",
            Self::Custom => "custom",
        }
    }

    /// The kind with this name.
    pub(crate) fn by_name(name: &str) -> Result<Self> {
        match name {
            "react" => Ok(Self::React),
            "custom" => Ok(Self::Custom),
            _ => Err(CapsuleError::usage(format!("a listener is \"react\" or \"custom\", not {name:?}"))),
        }
    }
}

/// Facts of a subscription that are there to be shown.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listening {
    /// The name of the listener; that of the subscription if there is none.
    pub(crate) listener: Option<String>,
    pub(crate) kind: ListenerKind,
    /// The filter of the listener, as text.
    pub(crate) filter: Option<String>,
}

/// Listener that is told of the events of a watcher.
pub(super) struct Subscription {
    id: Rc<str>,
    watcher: Rc<str>,
    created: i64,
    listening: Listening,
    listener: Listener,
}

/// Has the database tell of its commits, and takes up what was not delivered before.
pub(super) fn attach(shared: &Rc<Shared>) -> Result<()> {
    let told = Rc::downgrade(shared);
    shared.db.on_commit(move |committed| {
        let Some(shared) = told.upgrade() else { return };
        for error in shared.live.committed(&shared.db, committed) {
            shared.report(&error);
        }
        let listener = shared.commits.borrow().clone();
        if let Some(listener) = listener {
            listener(committed);
        }
        let links = shared.batches.add(committed);
        if links > crate::bus::CHAIN_MAX {
            return;
        }
        for error in shared.watchers.committed(&shared.db, committed) {
            shared.report(&error);
        }
        if shared.watchers.has_told() {
            shared.batches.add_others(committed.at, None);
        }
    });
    let told = Rc::downgrade(shared);
    shared.db.on_own_change(move |committed| {
        let Some(shared) = told.upgrade() else { return };
        for error in shared.live.committed(&shared.db, committed) {
            shared.report(&error);
        }
        // Those who are told of one another's deliveries for ever.
        if shared.batches.links_of(committed.cause) > crate::bus::CHAIN_MAX {
            return;
        }
        for error in shared.watchers.committed(&shared.db, committed) {
            shared.report(&error);
        }
        if shared.watchers.has_told() {
            shared.batches.add_others(committed.at, committed.cause);
        }
    });
    shared.db.set_registry(Rc::new(Directory(Rc::downgrade(shared))));
    shared.batches.hold(shared.has_mods_to_activate()?);
    let mut seq = shared.db.delivered()?;
    loop {
        let changes = shared.db.changes_since(seq, RESUMED_AT_ONCE)?;
        let Some(last) = changes.last() else { return Ok(()) };
        seq = last.seq;
        // Mods that are active run before that; other scripts have the interval for it.
        shared.batches.resume(changes, shared.db.clock());
    }
}

/// The watchers as SQL shows them.
struct Directory(Weak<Shared>);

impl Registry for Directory {
    fn watcher_of(&self, table: &str) -> Option<String> {
        let shared = self.0.upgrade()?;
        Some(shared.watchers.of_table(table)?.id.to_string())
    }

    fn watchers(&self) -> String {
        let Some(shared) = self.0.upgrade() else { return "[]".into() };
        let subscriptions = shared.subscriptions.borrow();
        let one = |watcher: &Rc<Watcher>| {
            let of_rust = subscriptions.iter().filter(|subscription| subscription.watcher == watcher.id);
            let count = of_rust.count() + usize::from(watcher.script.is_some());
            format!(
                r#"{{"id":{},"table_or_query":{},"filter_expression":{},"description":null,"created":{},"subscription_count":{count}}}"#,
                json_text(&watcher.id),
                json_text(watcher.table_or_query()),
                watcher.filter().map_or("null".into(), json_text),
                watcher.created,
            )
        };
        format!("[{}]", shared.watchers.all().iter().map(one).collect::<Vec<_>>().join(","))
    }

    fn subscriptions(&self) -> String {
        let Some(shared) = self.0.upgrade() else { return "[]".into() };
        let one = |subscription: &Subscription| {
            let Subscription { id, watcher, created, listening, .. } = subscription;
            let listener = json_text(listening.listener.as_deref().unwrap_or(id));
            let filter = listening.filter.as_deref().map_or("null".into(), json_text);
            let (id, watcher, kind) = (json_text(id), json_text(watcher), listening.kind.name());
            format!(
                r#"{{"id":{id},"watcher_id":{watcher},"listener_id":{listener},"listener_type":"{kind}","filter_json":{filter},"created":{created}}}"#
            )
        };
        let of_script = |watcher: &Rc<Watcher>| {
            let listener = match watcher.script.as_deref()? {
                "" => "globals",
                name => name,
            };
            let (id, listener, created) = (json_text(&watcher.id), json_text(listener), watcher.created);
            Some(format!(
                r#"{{"id":{id},"watcher_id":{id},"listener_id":{listener},"listener_type":"lua","filter_json":null,"created":{created}}}"#
            ))
        };
        let watchers = shared.watchers.all();
        let all = shared.subscriptions.borrow();
        let both: Vec<String> = watchers.iter().filter_map(of_script).chain(all.iter().map(one)).collect();
        format!("[{}]", both.join(","))
    }
}

impl Shared {
    /// A new identifier: a UUID of version 4.
    pub(super) fn uuid(&self) -> String {
        let mut bytes = [0; 16];
        self.db.random(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid().hyphenated().to_string()
    }

    /// Adds a watcher, and returns its id.
    pub(crate) fn watch(
        self: &Rc<Self>,
        id: Option<&str>,
        target: &str,
        filter: Option<&str>,
        script: Option<&str>,
    ) -> Result<Rc<str>> {
        self.db.check_events("a watcher")?;
        if self.watchers.len() >= WATCHERS_MAX {
            return Err(CapsuleError::new(
                ErrorKind::Limit,
                format!("there are {WATCHERS_MAX} watchers, and there can be no more"),
            ));
        }
        let id = id.map_or_else(|| self.uuid(), str::to_owned);
        let watcher = self.watchers.add(&self.db, &id, target, filter, script)?;
        let id = Rc::clone(&watcher.id);
        self.db.own_changed();
        // The rows that a query has before its first event are those of a transaction that has ended.
        if watcher.is_query() && self.db.is_in_transaction() {
            let shared = Rc::downgrade(self);
            self.db.after_end(move || {
                let Some(shared) = shared.upgrade() else { return };
                if let Err(error) = watcher.look_again(&shared.db) {
                    shared.report(&error);
                }
            });
        }
        Ok(id)
    }

    /// Explains how a watcher follows its data.
    pub(crate) fn explain(&self, watcher: &str) -> Result<Explanation> {
        Ok(self.known(watcher)?.explain())
    }

    /// The events of a watcher since a number.
    pub(crate) fn missed(&self, watcher: &str, since: i64) -> Result<Missed> {
        self.known(watcher)?.missed(&self.db, since)
    }

    fn known(&self, watcher: &str) -> Result<Rc<Watcher>> {
        let known = self.watchers.find(watcher);
        known.ok_or_else(|| CapsuleError::usage(format!("there is no watcher {watcher}")))
    }

    /// Takes a watcher away with its subscriptions; false if there is none with this id.
    pub(crate) fn unwatch(&self, id: &str) -> bool {
        self.subscriptions.borrow_mut().retain(|subscription| *subscription.watcher != *id);
        let was_there = self.watchers.remove(id);
        if was_there {
            self.db.own_changed();
        }
        was_there
    }

    /// Takes a watcher away, also one of a script.
    pub(crate) fn unwatch_from_outside(&self, vm: &mut Vm, id: &str) -> bool {
        let known = self.unwatch(id);
        if known && let Err(error) = self.call_prelude::<()>(vm, |prelude| prelude.unwatched, id) {
            self.report(&error);
        }
        known
    }

    /// Has a listener told of the events of a watcher. Returns the id of the subscription. A listener with
    /// several subscriptions to a watcher hears each batch once.
    pub(crate) fn subscribe(
        &self,
        watcher: &str,
        listening: Listening,
        listener: Listener,
    ) -> Result<Rc<str>> {
        let known = self.known(watcher)?;
        let id: Rc<str> = self.uuid().into();
        let (watcher, created) = (Rc::clone(&known.id), self.db.clock());
        let subscription = Subscription { id: Rc::clone(&id), watcher, created, listening, listener };
        self.subscriptions.borrow_mut().push(subscription);
        self.db.own_changed();
        Ok(id)
    }

    /// Takes a subscription away; false if there is none with this id.
    pub(crate) fn unsubscribe(&self, id: &str) -> bool {
        let mut all = self.subscriptions.borrow_mut();
        let before = all.len();
        all.retain(|subscription| *subscription.id != *id);
        let was_there = all.len() < before;
        drop(all);
        if was_there {
            self.db.own_changed();
        }
        was_there
    }

    /// Has a message delivered after the commit of the transaction under way, or at the next opportunity.
    /// `handled`: handlers of scripts are called for it, too.
    pub(crate) fn post(self: &Rc<Self>, name: String, payload: Value, handled: bool) -> Result<()> {
        let Some(links) = self.messages.links() else {
            let error =
                format!("{name} was dispatched at the end of a long chain of handlers: it goes no further");
            self.report(&CapsuleError::new(ErrorKind::Limit, error));
            return Ok(());
        };
        let message = self.messages.message(name, payload, handled, self.db.cause())?;
        let shared = Rc::downgrade(self);
        self.db.after_commit(move || {
            if let Some(shared) = shared.upgrade() {
                shared.messages.push(message, links);
            }
        });
        Ok(())
    }

    /// Delivers the messages that wait, and batches that are full, unless somebody is at it or a transaction
    /// is open.
    pub(crate) fn pump(&self, vm: &mut Vm) {
        self.deliver_if(vm, |shared| shared.batches.is_full());
    }

    /// Delivers everything that waits.
    pub(crate) fn flush(&self, vm: &mut Vm) {
        self.deliver_if(vm, |shared| shared.batches.due().is_some());
    }

    /// Delivers everything that is due.
    pub(crate) fn deliver_due(&self, vm: &mut Vm) {
        let now = self.db.clock();
        self.deliver_if(vm, |shared| shared.batches.due().is_some_and(|due| due <= now));
    }

    fn deliver_if(&self, vm: &mut Vm, batch_is_due: impl Fn(&Self) -> bool) {
        if self.delivering.get() || self.db.is_in_transaction() {
            return;
        }
        self.delivering.set(true);
        loop {
            while let Some(message) = self.messages.next() {
                self.deliver_message(vm, &message);
            }
            if !batch_is_due(self) {
                break;
            }
            self.deliver_batch(vm);
        }
        self.delivering.set(false);
    }

    fn deliver_message(&self, vm: &mut Vm, message: &Message) {
        self.messages.tell(&message.name, &message.payload);
        let Some(prelude) = self.prelude().filter(|_| message.handled) else { return };
        let arguments = Variadic(vec![message.name.as_str().into(), message.payload.clone()]);
        self.tell_script(vm, message.cause, prelude.handle, arguments);
    }

    /// Delivers the commits that wait: to the watchers, then to the reactions.
    fn deliver_batch(&self, vm: &mut Vm) {
        let (batch, of_others) = self.batches.take();
        let last = batch.back().map_or(of_others, |reaction| Some(reaction.transaction));
        self.db.with_cause(last, || {
            for watcher in self.watchers.take_told() {
                let events = watcher.take_pending();
                // One that was told before it may have taken it away.
                if !events.is_empty() && !watcher.is_gone() {
                    self.tell_watcher(vm, &watcher, &events);
                }
            }
        });
        for reaction in batch {
            self.deliver_reaction(vm, &reaction);
        }
    }

    fn tell_watcher(&self, vm: &mut Vm, watcher: &Watcher, events: &[ChangeEvent]) {
        let id = &watcher.id;
        let channel = format!("watcher:{id}");
        let list = || -> Value { Table::from(events.iter().map(event).collect::<Vec<_>>()).into() };
        if self.messages.is_heard(&channel) {
            self.messages.tell(&channel, &list());
        }
        let subscriptions = self.subscriptions.borrow();
        let of_watcher = subscriptions.iter().filter(|subscription| subscription.watcher == *id);
        let mut called: Vec<Listener> = Vec::new();
        for Subscription { listener, .. } in of_watcher {
            if !called.iter().any(|known| Rc::ptr_eq(known, listener)) {
                called.push(Rc::clone(listener));
            }
        }
        drop(subscriptions);
        for listener in called {
            listener(events);
        }
        let Some(prelude) = self.prelude().filter(|_| watcher.script.is_some()) else { return };
        let cause = self.db.cause();
        self.tell_script(vm, cause, prelude.deliver, Variadic(vec![(&**id).into(), list()]));
    }

    /// Calls a function of the prelude that nobody waits for. What it has begun and not ended is taken back.
    fn tell_script(&self, vm: &mut Vm, cause: Option<i64>, function: u32, arguments: Variadic<Value>) {
        let call = || vm.call_handle::<()>(function, arguments).map_err(from_script);
        if let Err(error) = self.db.with_cause(cause, || self.db.whole(call)) {
            self.report(&error);
        }
    }

    /// Runs the reactions to a transaction, in one of their own which also notes that they have run.
    fn deliver_reaction(&self, vm: &mut Vm, reaction: &Reaction) {
        let reacts = self.call_prelude(vm, |prelude| prelude.reacts, ()).unwrap_or(false);
        if reaction.ends_chain() {
            let tables: Vec<&str> = reaction.rows.iter().map(|row| &*row.table).collect();
            let error = format!(
                "reactions to reactions have changed {} again and again: they go no further after {} links",
                tables.join(", "),
                reaction.links - 1
            );
            self.report(&CapsuleError::new(ErrorKind::Limit, error));
        } else if reacts {
            let done = self.db.with_cause(Some(reaction.transaction), || {
                self.part_of_script(vm, |vm| {
                    let rows: Value =
                        Table::from(reaction.rows.iter().map(reaction_row).collect::<Vec<_>>()).into();
                    self.call_prelude::<()>(vm, |prelude| prelude.react, rows)?;
                    self.db.mark_delivered(reaction.last)
                })
            });
            match done {
                Ok(()) => return,
                Err(error) => self.report(&error),
            }
        }
        let mark = || self.db.mark_delivered(reaction.last);
        if let Err(error) = self.db.with_cause(Some(reaction.transaction), mark) {
            self.report(&error);
        }
    }
}

fn reaction_row(row: &ReactionRow) -> Value {
    let columns = row.row.iter().map(|(name, value)| (&**name, value.clone()));
    Table::from(vec![(&*row.table).into(), row.operation.into(), row_to_lua(columns)]).into()
}

/// An event as scripts see it.
fn event(event: &ChangeEvent) -> Value {
    let image = |image: Option<&Image>| {
        image.map_or(Value::Nil, |image| {
            row_to_lua(image.iter().map(|(name, value)| (&**name, value.clone())))
        })
    };
    let table = Table::new();
    table.with_mut(|data| {
        let mut set = |name: &str, value: Value| {
            if value != Value::Nil {
                data.pairs.push((name.into(), value));
            }
        };
        set("watcher_id", event.watcher_id().into());
        set("operation", event.operation().name().into());
        set("table_name", event.table_name().into());
        set("row_id", to_lua(&event.row_id()));
        let key = |value: &SqlValue| if *value == SqlValue::Null { Value::Null } else { to_lua(value) };
        set("key", Table::from(event.key().iter().map(key).collect::<Vec<_>>()).into());
        set("old_data", image(event.row.old.as_ref()));
        set("new_data", image(event.row.new.as_ref()));
        set("timestamp", event.timestamp().into());
        set("transaction_id", event.transaction_id().into());
        set("source", event.source().name().into());
        set("change", event.change().name().into());
        set("cause", event.cause().map_or(Value::Nil, Value::Integer));
    });
    table.into()
}
