// undici.request or global fetch with p-limit, as most do it (whole list, one promise a URL):
//   FILE CONCURRENCY OUT undici|fetch
// The packages come from the folder $BENCH_NODE (`npm i undici p-limit` there).
import { createRequire } from "node:module";
import { createWriteStream, readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const need = createRequire(process.env.BENCH_NODE + "/x.js");
const [file, concurrency, out, kind] = process.argv.slice(2);
const { Agent, request, setGlobalDispatcher } = need("undici");
const pLimit = (await import(pathToFileURL(need.resolve("p-limit")))).default;

// Node's own fetch looks its dispatcher up under the same global symbol.
setGlobalDispatcher(new Agent({ connections: +concurrency }));

async function byFetch(url) {
  const response = await fetch(url);
  return [response.status, (await response.arrayBuffer()).byteLength];
}

async function byUndici(url) {
  const response = await request(url);
  return [response.statusCode, (await response.body.arrayBuffer()).byteLength];
}

const get = kind === "fetch" ? byFetch : byUndici;
const limit = pLimit(+concurrency);
const lines = createWriteStream(out);
const urls = readFileSync(file, "utf8").trimEnd().split("\n");
await Promise.all(urls.map((url, id) => limit(async () => {
  const start = performance.now();
  const [status, bytes] = await get(url);
  const us = Math.round((performance.now() - start) * 1e3);
  lines.write(JSON.stringify({ id, url, status, bytes, us }) + "\n");
})));
lines.end();
