/**
 * Worker with one VM, which the page sends commands.
 *
 * The VM is not in the page, because a program that never ends must not stop the page: the page ends the
 * worker and starts another, which finds the tables as they were committed last.
 */
import type { Commands, Failure, FromWorker, Notice, Request } from "../protocol.ts";
import { toFailure } from "./failure.ts";
import { Output } from "./output.ts";
import { Session } from "./session.ts";

const post = (message: FromWorker) => postMessage(message);
const output = new Output(post);
let session: Session | undefined;
/** Queue of commands: one after the other, since opening takes time. */
let turn: Promise<void> = Promise.resolve();

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  turn = turn.then(() => answer(data));
});

async function answer(request: Request): Promise<void> {
  const { id } = request;
  try {
    post({ id, reply: await perform(request) });
  } catch (error) {
    const failure: Failure = toFailure(error, () => undefined);
    post({ id, failure });
  }
}

async function perform(request: Request): Promise<Commands[Request["command"]]["reply"]> {
  if (request.command === "open") {
    session = await Session.open(request.args.storage, output);
    listen(session);
    return session.opened();
  }
  if (session === undefined) throw new Error("no VM is open");
  switch (request.command) {
    case "run":
      return session.run(request.args.source);
    case "page": {
      const { table, offset, limit, find } = request.args;
      return session.page(table, offset, limit, find);
    }
    case "clear":
      return session.clear(request.args.table);
    case "drop":
      return session.drop(request.args.table);
    case "gc":
      return session.gc();
    case "flush":
      await session.lua.flush();
      return null;
  }
}

function listen({ lua }: Session): void {
  const pendingBytes = () => lua.stats().storage.pendingBytes;
  const notify = (notice: Notice) => post(notice);
  lua.on("change", ({ tables }) => notify({ event: "change", tables, pendingBytes: pendingBytes() }));
  lua.on("commit", ({ entries, bytes }) => notify({ event: "commit", entries, bytes, pendingBytes: pendingBytes() }));
  lua.on("storage-error", ({ message }) => notify({ event: "storage-error", message }));
}
