/**
 * Participants of commits: whatever else is kept with the tables and committed with them, as the memory of a
 * VM that goes on after a reload. Each has records of its own, under keys that begin with its name
 * (records.js).
 *
 * Invariants:
 * - What storage has of a participant is of the same moment as the tables, and as the other participants,
 *   beside it. Of one that was detached while they go on, the next commit removes the records, or writes what
 *   `onDetach` gave.
 * - Records of a participant that was never attached are left as they are.
 */

import { encodeParticipantRecord, isParticipantKey, participantKey } from "./records.js";
import { storeError } from "./store_error.js";

/** @typedef {import("./records.js").RecordChange} RecordChange */

/**
 * Change of one record of a participant.
 * @typedef {[name: string, bytes: Uint8Array | null]} ParticipantChange null: the record is gone
 */

/**
 * Participant of the commits of a store. No method but `takeChanges` may throw.
 * @typedef {object} CommitParticipant
 * @property {string} name 1 to 24 of the characters a-z and 0-9, one participant each
 * @property {() => ParticipantChange[]} takeChanges gives what has changed since the last call that did not
 *   fail, as it is now. The name of a record is 1 to 24 of the characters a-z and 0-9, and comes once; the
 *   bytes are never changed later. Called only between two batches. Empty when nothing has changed. When it
 *   throws, the commit has failed, and is tried again
 * @property {() => void} succeeded notes that the last changes, also when there were none, are committed
 * @property {() => void} failed notes that they are not: they have to come again with the next ones
 * @property {() => void} markAllDirty notes that storage has lost everything: the next changes have to be of
 *   all
 * @property {() => ParticipantChange[]} [onDetach] gives what is still to be written once it is detached: the
 *   tables and the other participants may be newer than its records from then on. Without this method its
 *   records are removed
 * @property {() => number} pauseMs gives the milliseconds to wait before the next commit begins (0: it begins
 *   as soon as it can, but in a task of its own)
 */

/**
 * Records of a participant that storage had when it was opened. `records`: bytes by name. `damaged`: one of
 * them is damaged, so all bytes are missing, and only the names are right.
 * @typedef {{ records: Map<string, Uint8Array>, damaged: boolean }} FoundRecords
 */

/**
 * State of one participant.
 * @typedef {object} Member
 * @property {CommitParticipant | undefined} participant undefined: it is not attached
 * @property {FoundRecords} found
 * @property {Set<string>} stored names of the records that storage has
 * @property {ParticipantChange[] | null | undefined} last what is to be written of it since it was detached;
 *   null: its records are to be removed; undefined: it was never attached, or still is
 */

/**
 * Changes of one participant in a commit.
 * @typedef {object} Part
 * @property {string} name
 * @property {Member} member
 * @property {CommitParticipant | undefined} participant
 * @property {ParticipantChange[]} changes those that the backend has not taken yet
 * @property {[name: string, there: boolean][]} names records that are there, or not, once the commit has
 *   succeeded
 * @property {Member["last"]} last that of the member when this was taken
 */

/** List of the participants of one store. */
export class Participants {
  /** States by name, also of those that are not attached. @type {Map<string, Member>} */
  #members = new Map();
  /** Attached participants, in their order. @type {CommitParticipant[]} */
  #attached = [];

  /** True if none is attached. */
  get isEmpty() {
    return this.#attached.length === 0;
  }

  /** Longest pause that any of them wants before the next commit, in milliseconds; null: none is attached. */
  get pauseMs() {
    return this.isEmpty ? null : Math.max(...this.#attached.map((participant) => participant.pauseMs()));
  }

  /**
   * State of a participant, made if missing.
   * @param {string} name
   */
  member(name) {
    let member = this.#members.get(name);
    if (member === undefined) {
      member = { participant: undefined, found: nothing(), stored: new Set(), last: undefined };
      this.#members.set(name, member);
    }
    return member;
  }

  /**
   * Notes what storage has, by name of the participant.
   * @param {Map<string, FoundRecords>} found
   */
  load(found) {
    for (const [name, records] of found) {
      Object.assign(this.member(name), { found: records, stored: new Set(records.records.keys()) });
    }
  }

  /**
   * Gives away what storage had of a participant when it was opened; the next call gives nothing.
   * @param {string} name
   */
  takeFound(name) {
    const member = this.member(name);
    const { found } = member;
    member.found = nothing();
    return found;
  }

  /**
   * Adds a participant. Throws `name` when its name cannot be one, or is taken.
   * @param {CommitParticipant} participant
   */
  attach(participant) {
    const { name } = participant;
    const member = this.member(name);
    if (member.participant !== undefined || !isParticipantKey(participantKey(name, "0"))) {
      throw storeError("name", `a participant of commits cannot be named "${name}", or there is one of that name`);
    }
    member.participant = participant;
    member.last = undefined;
    this.#attached.push(participant);
  }

  /**
   * Removes a participant, if it is attached; true if it has something left to be written.
   * @param {CommitParticipant} participant
   */
  detach(participant) {
    const member = this.member(participant.name);
    if (member.participant !== participant) return false;
    this.#attached = this.#attached.filter((other) => other !== participant);
    member.participant = undefined;
    member.last = participant.onDetach?.() ?? null;
    return member.last !== null;
  }

  /** Removes all participants; true if any has something left to be written. */
  detachAll() {
    return this.#attached.filter((participant) => this.detach(participant)).length > 0;
  }

  /**
   * Takes the changes of all, as they are now; null when there are none, and the tables have none either.
   * Throws what one of them throws; then the others still have theirs.
   * @param {boolean} tablesChanged
   * @returns {Part[] | null} one for each that is attached, also where it has no changes
   */
  takeChanges(tablesChanged) {
    /** @type {Part[]} */
    const parts = [];
    /** @param {string} name @param {ParticipantChange[]} changes */
    const add = (name, changes) => {
      const member = this.member(name);
      const names = changes.map(([record, bytes]) => /** @type {[string, boolean]} */ ([record, bytes !== null]));
      if (names.length > 0) changed = true;
      const { participant, last } = member;
      parts.push({ name, member, participant, last, changes: [...changes], names });
    };
    let changed = tablesChanged;
    try {
      for (const participant of this.#attached) add(participant.name, participant.takeChanges());
    } catch (error) {
      participantsFailed(parts);
      throw error;
    }
    const othersChanged = changed;
    for (const [name, { last, stored }] of this.#members) {
      if (last) add(name, last);
      // As long as nothing else changes, its records are of the same moment as all others.
      else if (last === null && othersChanged) {
        add(
          name,
          [...stored].map((record) => [record, null]),
        );
      }
    }
    return changed ? parts : null;
  }

  /** Notes that storage has lost everything. */
  markAllDirty() {
    for (const { stored } of this.#members.values()) stored.clear();
    for (const participant of this.#attached) participant.markAllDirty();
  }
}

/**
 * Yields all records to be written and removed, and holds none of them any longer.
 * @param {Part[]} parts
 * @returns {Generator<RecordChange>}
 */
export function* participantRecords(parts) {
  for (const { name, member, changes } of parts) {
    for (let change = changes.pop(); change !== undefined; change = changes.pop()) {
      const [record, bytes] = change;
      if (bytes !== null) yield encodeParticipantRecord(name, record, bytes);
      else if (member.stored.has(record)) yield [participantKey(name, record), null];
    }
  }
}

/**
 * Notes that these changes are committed.
 * @param {Part[]} parts
 */
export function participantsSucceeded(parts) {
  for (const { member, participant, names, last } of parts) {
    for (const [name, there] of names) {
      if (there) member.stored.add(name);
      else member.stored.delete(name);
    }
    // It is written once.
    if (last && member.last === last) member.last = [];
    participant?.succeeded();
  }
}

/**
 * Notes that these changes are not committed.
 * @param {Part[]} parts
 */
export function participantsFailed(parts) {
  for (const part of parts) {
    part.changes = [];
    part.participant?.failed();
  }
}

/** Records of a participant that storage does not have. @returns {FoundRecords} */
function nothing() {
  return { records: new Map(), damaged: false };
}
