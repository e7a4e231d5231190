/**
 * Latency and throughput of the binary `howk` with a data folder on disk:
 * `cargo xtask engine bench --pipeline`.
 *
 * The client and the endpoint are this process, so its own work is in every figure. With and without a script
 * take turns.
 */
import { spawn } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { Agent, createServer, request } from "node:http";
import { loadavg } from "node:os";
import { join } from "node:path";
import { PAYLOAD, freePort, temporary } from "./peers.mjs";

const SCRIPT = `local data = json.decode(payload)
data.enriched = true
request.body = json.encode(data)
request.headers["X-Config"] = metadata.config_id`;
const ROUNDS = 5;
const SINGLE = 100;
const MANY = 1000;
const CLIENTS = 32;

const payload = JSON.parse(readFileSync(PAYLOAD, "utf8"));
const [howk] = process.argv.slice(2);
const { folder, remove } = temporary();
const agent = new Agent({ keepAlive: true, maxSockets: CLIENTS });

const sorted = (values) => [...values].sort((a, b) => a - b);
const percentile = (values, part) => sorted(values)[Math.floor((values.length - 1) * part)];
const median = (values) => percentile(values, 0.5);

function call(port, method, path, body) {
  return new Promise((resolve, reject) => {
    const headers = { "content-type": "application/json" };
    const outgoing = request({ agent, port, host: "127.0.0.1", method, path, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => {
        if (answer.statusCode < 300) resolve(text);
        else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
      });
    });
    outgoing.on("error", reject);
    outgoing.end(body && JSON.stringify(body));
  });
}

/** An endpoint, which tells who waits for it that a webhook has arrived. */
async function endpoint() {
  const waiting = new Map();
  let arrived = 0;
  let all;
  const server = createServer((incoming, answer) => {
    incoming.resume();
    incoming.on("end", () => {
      answer.end();
      arrived += 1;
      waiting.get(incoming.url)?.();
      waiting.delete(incoming.url);
      if (all && arrived >= all.count) all.resolve();
    });
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  return {
    url: (path) => `http://127.0.0.1:${port}${path}`,
    next: (path) => new Promise((resolve) => waiting.set(path, resolve)),
    many(count) {
      arrived = 0;
      return new Promise((resolve) => (all = { count, resolve }));
    },
    close: () => server.close(),
  };
}

const port = await freePort();
const settings = {
  api: { listen: `127.0.0.1:${port}` },
  data: { dir: join(folder, "data") },
  lua: { enabled: true },
  delivery: { allow_cidrs: ["127.0.0.0/8"] },
};
// JSON is YAML.
writeFileSync(join(folder, "howk.yaml"), JSON.stringify(settings));
const before = loadavg()[0];
const began = performance.now();
const server = spawn(howk, ["serve", "--config", join(folder, "howk.yaml")], { stdio: ["ignore", "ignore", "pipe"] });
let said = "";
server.stderr.setEncoding("utf8").on("data", (text) => (said += text));
const sink = await endpoint();
try {
  for (;;) {
    if (server.exitCode !== null) throw new Error(`howk has ended:\n${said}`);
    if (await call(port, "GET", "/ready").catch(() => false)) break;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  const ready = performance.now() - began;
  await call(port, "PUT", "/config/with/script", { lua_code: SCRIPT });

  const tests = [];
  const single = { with: [], without: [] };
  const rate = { with: [], without: [] };
  let serial = 0;
  const enqueue = (config, path) =>
    call(port, "POST", `/webhooks/${config}/enqueue`, { endpoint: sink.url(path), payload });
  for (let round = 0; round < ROUNDS; round++) {
    for (let i = 0; i < SINGLE; i++) {
      const start = performance.now();
      await call(port, "POST", "/config/with/script/test", { payload });
      tests.push(performance.now() - start);
    }
    for (const config of ["with", "without"]) {
      for (let i = 0; i < SINGLE; i++) {
        const path = `/${serial++}`;
        const arrival = sink.next(path);
        const start = performance.now();
        await enqueue(config, path);
        await arrival;
        single[config].push(performance.now() - start);
      }
      const start = performance.now();
      const all = sink.many(MANY);
      let left = MANY;
      const client = async () => {
        while (left-- > 0) await enqueue(config, `/many/${serial++}`);
      };
      await Promise.all(Array.from({ length: CLIENTS }, client));
      await all;
      rate[config].push(MANY / ((performance.now() - start) / 1000));
    }
  }
  const row = (name, value, goal) => console.log(`| ${name} | ${value} | ${goal} |`);
  const ms = (value) => `${value.toFixed(2)} ms`;
  console.log(
    `load before ${before.toFixed(1)}, after ${loadavg()[0].toFixed(1)}\n\n| | measured | aim |\n|---|---|---|`,
  );
  row("ready after the start", `${(ready / 1000).toFixed(2)} s`, "4 s");
  row("test endpoint, p50", ms(median(tests)), "0.5 ms");
  row("enqueue to arrival, p50", ms(median(single.with)), "3 ms");
  row("the same, p99", ms(percentile(single.with, 0.99)), "");
  row("the script's part, p50", ms(median(single.with) - median(single.without)), "0.3 ms");
  row("webhooks a second, with a script", median(rate.with).toFixed(0), "");
  row("the same, without", median(rate.without).toFixed(0), "");
  row("with / without", (median(rate.with) / median(rate.without)).toFixed(2), "0.75");
} finally {
  server.kill("SIGKILL");
  sink.close();
  agent.destroy();
  remove();
}
