// What one operation costs in node: TABLE HOW MILLIS. Prints "operations nanoseconds CPU-nanoseconds - -"
// of the median batch.
const [table, how, millis] = process.argv.slice(2);
const job = how === "ready" ? async (i) => i : async (i) => { await null; return i; };

// A thousand children, some times over.
async function all() {
  for (let times = 0; times < 20; times++) {
    await Promise.all(Array.from({ length: 1000 }, (_, i) => job(i)));
  }
  return 20_000;
}

// Items from one iterator, ten at a time.
async function map() {
  const items = Array(100_000).keys();
  await Promise.all(Array.from({ length: 10 }, async () => {
    for (const item of items) await job(item);
  }));
  return 100_000;
}

const batch = { all, map }[table];
for (const start = performance.now(); performance.now() - start < millis / 4;) await batch();
const samples = [];
for (const start = performance.now(); samples.length < 3 || performance.now() - start < millis;) {
  const [cpu, from] = [process.cpuUsage(), process.hrtime.bigint()];
  const ops = await batch();
  const nanos = process.hrtime.bigint() - from;
  const { user, system } = process.cpuUsage(cpu);
  samples.push([ops, Number(nanos), (user + system) * 1000]);
}
samples.sort((a, b) => a[1] - b[1]);
console.log(...samples[samples.length >> 1], "-", "-");
