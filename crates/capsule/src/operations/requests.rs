//! Operations for requests that must have their effect once.

use super::{Done, Operation};

/// (client) -> number of its last request that was committed, and the answer; nil if there is none
pub(super) fn find_request(operation: &mut Operation<'_, '_, '_>) -> Done {
    let client = operation.args.text()?;
    match operation.call(|call| call.enter(|db| db.request(&client)))? {
        None => operation.reply.nil()?,
        Some(stored) => {
            operation.reply.integer(stored.number)?;
            operation.reply.bytes(stored.reply.as_deref().unwrap_or_default())?;
        }
    }
    Ok(())
}

/// (client, number, answer): keeps it, in the transaction that is open
pub(super) fn keep_request(operation: &mut Operation<'_, '_, '_>) -> Done {
    let (client, number, reply) =
        (operation.args.text()?, operation.args.integer()?, operation.args.bytes()?);
    Ok(operation.call(|call| call.enter(|db| db.keep_request(&client, number, reply)))?)
}

/// (number of clients, clients ...): forgets the requests of all others
pub(super) fn keep_clients(operation: &mut Operation<'_, '_, '_>) -> Done {
    let count = operation.args.count()?;
    let clients: Vec<String> = (0..count).map(|_| operation.args.text()).collect::<Result<_, _>>()?;
    Ok(operation.call(|call| call.enter(|db| db.keep_clients(&clients)))?)
}
