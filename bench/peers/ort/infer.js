// infer.js FOLDER NET BATCH THREADS: inference of ONNX Runtime, timed in blocks on request (bench/serve.lua has the protocol).
// FOLDER holds node_modules and what export.py wrote. At batch 1 it tries one thread too and keeps the faster.
const path = require('path'), fs = require('fs');
const [folder, name, batch, threads] = [path.resolve(process.argv[2]), process.argv[3], +process.argv[4], +process.argv[5]];
const ort = require(path.join(folder, 'node_modules', 'onnxruntime-node'));
const about = JSON.parse(fs.readFileSync(path.join(folder, name + '.json')));
const now = () => Number(process.hrtime.bigint()) / 1e9;

async function block(session, feed, seconds) {
  const start = now();
  let calls = 0;
  do { await session.run(feed); calls++; } while (now() - start < seconds);
  return [calls, now() - start];
}

async function main() {
  const size = about.shape.reduce((a, b) => a * b);
  const feed = { x: new ort.Tensor('float32', Float32Array.from({ length: batch * size }, (_, i) => (i % 17) / 8 - 1), [batch, ...about.shape]) };
  let best, most = 0;
  for (const count of batch === 1 ? new Set([threads, 1]) : [threads]) {
    const session = await ort.InferenceSession.create(path.join(folder, name + '.onnx'), {
      intraOpNumThreads: count, interOpNumThreads: 1, executionMode: 'sequential', graphOptimizationLevel: 'all', executionProviders: ['cpu'] });
    await block(session, feed, 0.1);
    const [calls, seconds] = await block(session, feed, 0.3);
    if (calls / seconds > most) [best, most] = [session, calls / seconds];
  }
  console.log(about.ready);
  for await (const line of require('readline').createInterface({ input: process.stdin })) {
    const [what, seconds] = line.split(' ');
    if (what === 'quit') break;
    console.log(what === 'block' ? (await block(best, feed, +seconds)).join(' ') : process.memoryUsage().rss / 2 ** 20);
  }
  process.exit(0);
}
main();
