// Server of the benchmarks: the repository's files for the pages, and questions and answers between run.mjs
// and a page.
//
// A page asks for its next question and waits; it sends the answer and asks again. So its code runs like that
// of any page: after an `await fetch`, without a debugger.

import { createReadStream } from "node:fs";
import { stat } from "node:fs/promises";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { json } from "node:stream/consumers";

const ANSWER_TIMEOUT_MS = 300_000;

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".mjs": "text/javascript",
  ".wasm": "application/wasm",
};

// Cross-origin isolation is what makes performance.now() fine enough (5 µs instead of 100).
const HEADERS = {
  "Cross-Origin-Embedder-Policy": "require-corp",
  "Cross-Origin-Opener-Policy": "same-origin",
  "Cache-Control": "no-store",
};

export async function serve(root) {
  const pages = new Map();
  let lastPage = 0;

  const server = createServer(async (request, response) => {
    const url = new URL(request.url, "http://localhost");
    const page = pages.get(url.searchParams.get("page"));
    if (url.pathname === "/question" && page) page.take(response);
    else if (url.pathname === "/answer" && page) {
      page.answer(await json(request));
      response.writeHead(204, HEADERS).end();
    } else await sendFile(root, url, response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const origin = `http://127.0.0.1:${server.address().port}`;

  return {
    /**
     * Returns the address for a new page, and ask(question), which resolves to its answer. With `ownOrigin`
     * it shares no storage with other pages.
     */
    newPage({ ownOrigin = false, path = "/bench/page.html" } = {}) {
      const id = String(++lastPage);
      const page = conversation();
      pages.set(id, page);
      // Browsers ask this machine for whatever ends in .localhost, and trust it as they trust https.
      const of = ownOrigin ? origin.replace("127.0.0.1", `page${id}.localhost`) : origin;
      return { url: `${of}${path}?page=${id}`, ask: page.ask, forget: () => pages.delete(id) };
    },
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}

/** Exchange of one question at a time: it waits for the page, or the page for it. */
function conversation() {
  let question, waiting, settle;
  const deliver = () => {
    if (!question || !waiting) return;
    waiting.writeHead(200, { ...HEADERS, "Content-Type": "application/json" }).end(JSON.stringify(question));
    question = waiting = undefined;
  };
  return {
    ask(next) {
      question = next;
      deliver();
      return new Promise((resolve, reject) => {
        const timer = setTimeout(() => reject(new Error("no answer")), ANSWER_TIMEOUT_MS);
        settle = (answer) => {
          clearTimeout(timer);
          if (answer.error === undefined) resolve(answer);
          else reject(new Error(answer.error));
        };
      });
    },
    take(response) {
      waiting = response;
      deliver();
    },
    answer: (answer) => settle?.(answer),
  };
}

async function sendFile(root, url, response) {
  const file = join(root, normalize(decodeURIComponent(url.pathname)));
  const type = TYPES[extname(file)];
  const found = await stat(file).then(
    (entry) => entry.isFile(),
    () => false,
  );
  if (!found || !type) {
    response.writeHead(404, HEADERS).end();
    return;
  }
  response.writeHead(200, { ...HEADERS, "Content-Type": type });
  createReadStream(file).pipe(response);
}
