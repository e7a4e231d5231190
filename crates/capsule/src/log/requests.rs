//! Requests that must have their effect once: those of another thread or tab, which sends one again when it
//! got no answer. The answer is kept in the transaction that the request has made.

use crate::conn::Conn;
use crate::error::{CapsuleError, Result};
use rusqlite::{OptionalExtension, params};

/// The last request of a client that was committed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredRequest {
    /// The number of the request: later ones have higher numbers.
    pub(crate) number: i64,
    pub(crate) reply: Option<Vec<u8>>,
}

/// The last request of a client that was committed; `None` if there is none.
pub(crate) fn request(conn: &Conn, client: &str) -> Result<Option<StoredRequest>> {
    conn.own(|| {
        let mut read =
            conn.own_statement("SELECT last, reply FROM main._capsule_requests WHERE client = ?1")?;
        let stored = |row: &rusqlite::Row<'_>| Ok(StoredRequest { number: row.get(0)?, reply: row.get(1)? });
        Ok(read.query_row([client], stored).optional()?)
    })
}

/// Keeps the answer of a request, within the transaction that it has made.
pub(crate) fn keep_request(conn: &Conn, client: &str, number: i64, reply: &[u8]) -> Result<()> {
    if request(conn, client)?.is_some_and(|stored| stored.number >= number) {
        return Err(CapsuleError::usage(format!("request {number} of {client} has been answered before")));
    }
    conn.own(|| {
        let mut write =
            conn.own_statement("INSERT OR REPLACE INTO main._capsule_requests VALUES(?1, ?2, ?3)")?;
        write.execute(params![client, number, reply])?;
        Ok(())
    })
}

/// Forgets the requests of all clients but these.
pub(crate) fn keep_clients(conn: &Conn, clients: &[String]) -> Result<()> {
    let names: Vec<String> = clients.iter().map(|client| super::json_text(client)).collect();
    conn.own(|| {
        let mut delete = conn.own_statement(
            "DELETE FROM main._capsule_requests WHERE client NOT IN (SELECT value FROM json_each(?1))",
        )?;
        delete.execute([format!("[{}]", names.join(","))])?;
        Ok(())
    })
}
