/**
 * Runs the peers of the script engine at its work: gopher-lua (Debian's, and the one whose source is in
 * `GOPHER_LUA_SRC`) and OpenResty's module for nginx. Each gives processor times of an event in microseconds.
 *
 * Debian's packages: golang-go, golang-github-yuin-gopher-lua-dev, nginx-light, libnginx-mod-http-lua,
 * lua-cjson.
 */
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

const HERE = new URL(".", import.meta.url).pathname;
export const PAYLOAD = join(HERE, "payload.json");
const DEBIAN_GO = "/usr/share/gocode";
const BATCHES = 12;
const REQUESTS = 300;

/** Runs a program to its end; throws with what it said. */
function run(program, args, options = {}) {
  const { status, stdout, stderr, error } = spawnSync(program, args, { encoding: "utf8", ...options });
  if (error || status !== 0) throw new Error(`${program} ${args.join(" ")}: ${error?.message ?? stderr}`);
  return stdout;
}

/** A program that measures gopher-lua, built against the source in a GOPATH. */
export function gopher(folder, source) {
  let path = DEBIAN_GO;
  if (source) {
    path = join(folder, "gopath");
    mkdirSync(join(path, "src/github.com/yuin"), { recursive: true });
    symlinkSync(source, join(path, "src/github.com/yuin/gopher-lua"));
  }
  const binary = join(folder, source ? "gopher-current" : "gopher-debian");
  const env = { ...process.env, GO111MODULE: "off", GOPATH: path, GOCACHE: join(folder, "cache") };
  const tags = source ? [] : ["-tags", "old"];
  run("go", ["build", ...tags, "-o", binary, "."], { env, cwd: join(HERE, "gopher") });
  return () => JSON.parse(run(binary, [PAYLOAD]));
}

/** A port of 127.0.0.1 that nobody listens on. */
export function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/** Processor time of a process so far, in microseconds: fields 14 and 15 of its stat, in ticks of 10 ms. */
function cpuMicroseconds(pid) {
  const text = readFileSync(`/proc/${pid}/stat`, "utf8");
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  return (Number(fields[11]) + Number(fields[12])) * 10_000;
}

/** The worker of an nginx whose master has that id. */
function workerOf(master) {
  const children = readFileSync(`/proc/${master}/task/${master}/children`, "utf8").trim().split(" ");
  return Number(children[0]);
}

function post(agent, port, body) {
  return new Promise((resolve, reject) => {
    const outgoing = request({ agent, port, host: "127.0.0.1", method: "POST" }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => (answer.statusCode === 200 ? resolve(text) : reject(new Error(text))));
    });
    outgoing.on("error", reject);
    outgoing.end(body);
  });
}

/** An nginx that is running; `measure` sends it requests over one connection. */
export async function openresty(folder) {
  const prefix = mkdtempSync(join(folder, "nginx-"));
  mkdirSync(join(prefix, "temp"));
  const port = await freePort();
  const conf = readFileSync(join(HERE, "openresty/nginx.conf"), "utf8").replace("PORT", String(port));
  writeFileSync(join(prefix, "nginx.conf"), conf.replaceAll("modules/", "/usr/lib/nginx/modules/"));
  const server = spawn("nginx", ["-p", prefix, "-c", join(prefix, "nginx.conf")], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const body = readFileSync(PAYLOAD, "utf8");
  for (let tries = 0; ; tries++) {
    try {
      const answer = await post(agent, port, body);
      if (!answer.includes('"enriched":true')) throw new Error(answer);
      break;
    } catch (error) {
      if (tries === 100 || server.exitCode !== null) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
  return {
    async measure() {
      const worker = workerOf(server.pid);
      const times = [];
      // A tick of the kernel's clock is long beside a batch: the first half warms up, the whole is divided.
      for (let batch = 0; batch < BATCHES; batch++) {
        const before = cpuMicroseconds(worker);
        for (let i = 0; i < REQUESTS * 10; i++) await post(agent, port, body);
        times.push((cpuMicroseconds(worker) - before) / (REQUESTS * 10));
      }
      return times;
    },
    stop() {
      agent.destroy();
      server.kill("SIGTERM");
    },
  };
}

export function temporary() {
  const folder = mkdtempSync(join(tmpdir(), "howk-peers-"));
  return { folder, remove: () => rmSync(folder, { recursive: true, force: true }) };
}
