/** Worker of the living program: has the VM. The page has its pictures, and its images. */
import type { FromWorker, RequestOf } from "../../protocol.ts";
import { toFailure } from "../../vm/failure.ts";
import type { LivingCommands, LivingNotice } from "../protocol.ts";
import { Pool } from "./pool.ts";

type Request = RequestOf<LivingCommands>;

const post = (message: FromWorker<LivingNotice>) => postMessage(message);
const pool = new Pool(post);
/** Queue of commands: one after the other. */
let turn: Promise<void> = Promise.resolve();

addEventListener("message", ({ data }: MessageEvent<Request>) => {
  turn = turn.then(() => answer(data));
});

async function answer(request: Request): Promise<void> {
  const { id } = request;
  const fail = (error: unknown) => post({ id, failure: toFailure(error, () => undefined) });
  try {
    if (request.command !== "eval") return post({ id, reply: await perform(request) });
    // It may wait for a long time; others do not wait for it.
    const { evaluated } = await pool.eval(request.args.source);
    void evaluated.then((reply) => post({ id, reply }), fail);
  } catch (error) {
    fail(error);
  }
}

async function perform(request: Exclude<Request, { command: "eval" }>): Promise<unknown> {
  switch (request.command) {
    case "open":
      return pool.open(request.args.kept, request.args.paused);
    case "travel":
      return pool.travel(request.args.image, request.args.look);
    case "anew":
      return pool.anew();
    case "pause":
      return void (await pool.pause());
    case "play":
      return void (await pool.play());
    case "capture":
      return pool.capture();
    case "feed":
      return void (await pool.feed(request.args));
    case "flush":
      return void (await pool.flush());
  }
}
