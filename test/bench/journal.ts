import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import type { ObjectStore } from '../../lib/bucket/object-store.ts';
import { type ModelCache, settleDelivery } from '../../lib/online/settle-delivery.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { createWorld, message, modelOf, ticket, ticketsSpec } from '../support/world.ts';

/**
 * `node test/bench/journal.ts --entries 20000 --s3 20`: what `verify --all` of a journal takes, with
 * so many milliseconds for each request to S3, entry by entry and by segments. Each entry has one
 * message of ten samples.
 */
const { values } = parseArgs({
  options: {
    entries: { type: 'string', default: '20000' },
    s3: { type: 'string', default: '20' },
  },
});
const [entries, milliseconds] = [Number(values.entries), Number(values.s3)];

const world = createWorld(ticketsSpec);
const cache: ModelCache = new Map();
for (let i = 1; i <= entries; i++) {
  const samples = Array.from({ length: 10 }, (_, j) => ticket(i * 10 + j));
  await settleDelivery(world, cache, [message(i, { samples })], () => 100);
}

/** Verifies the whole journal over a store that takes its time. */
async function verified(list: ObjectStore['list']) {
  let requests = 0;
  const slow = async () => {
    requests += 1;
    await delay(milliseconds);
  };
  const { store } = world;
  const slowed: ObjectStore = {
    ...store,
    get: (...read) => slow().then(() => store.get(...read)),
    list: (prefix) => slow().then(() => list(prefix)),
  };
  const started = performance.now();
  const own = { ...world, store: slowed };
  const { isSame, to } = await verifyModel(own, await modelOf(world), true);
  if (!isSame || to !== entries) throw new Error(`it is not the same up to entry ${to}`);
  return { requests, seconds: (performance.now() - started) / 1_000 };
}

const bytesBelow = (folder: string) =>
  [...world.store.objects].reduce(
    (sum, [key, { body }]) => sum + (key.includes(folder) ? body.length : 0),
    0,
  );
const { list } = world.store;
const ways = {
  'entry by entry': async (prefix: string) => (prefix.includes('/segments/') ? [] : list(prefix)),
  'by segments': list,
};
for (const [way, by] of Object.entries(ways)) {
  const { requests, seconds } = await verified(by);
  process.stdout.write(
    `${way.padEnd(16)} ${requests.toLocaleString('en').padStart(8)} requests ${seconds.toFixed(1).padStart(7)} s\n`,
  );
}
process.stdout.write(
  `${entries.toLocaleString('en')} entries have ${bytesBelow('/journal/').toLocaleString('en')} bytes, ` +
    `their segments ${bytesBelow('/segments/').toLocaleString('en')}\n`,
);
