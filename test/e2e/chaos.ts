import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { startLocalCloud } from '../../infra/local/cloud.ts';
import { localPorts } from '../../infra/local/ports.ts';
import { synthesize } from '../../infra/local/synthesize.ts';
import { redrive } from '../../lib/cli/commands.ts';
import { createProgress } from '../../lib/cli/progress.ts';
import { onnxEngine } from '../../lib/engine/onnx/onnx.ts';
import { MillraceError } from '../../lib/errors.ts';
import { decodeCheckpoint } from '../../lib/journal/checkpoint.ts';
import { keys } from '../../lib/journal/keys.ts';
import type { Ports } from '../../lib/ports/ports.ts';
import { createModel, loadModel } from '../../lib/training/model.ts';
import { verifyModel } from '../../lib/training/verify.ts';
import { type Bucket, createBucket } from '../simulation/bucket.ts';
import { countDisorder, journalOf } from '../simulation/check.ts';
import { learnOneByOne } from '../simulation/check-states.ts';
import { createRandom } from '../simulation/random.ts';
import { ticket, ticketsSpec } from '../simulation/world.ts';

/**
 * `npm run chaos -- --minutes 2`: streams samples through the local cloud while its functions are killed and frozen
 * (and go on later, as zombies), messages are sent twice, and the cloud is restarted from its data. At the end what was
 * learnt is held against what was sent, and against the same messages learnt one by one with nothing in the way.
 */
const { values } = parseArgs({
  options: { minutes: { type: 'string', default: '2' }, seed: { type: 'string', default: '1' } },
});
const minutes = Number(values.minutes);
if (!(minutes > 0)) throw new Error(`--minutes: must be a number above 0 (found ${values.minutes})`);
const random = createRandom(Number(values.seed), 1);
const { model } = ticketsSpec;
const producers = ['till-1', 'till-2', 'till-3'] as const;
const secondsOfSending = minutes * 60;

const directory = mkdtempSync(join(tmpdir(), 'millrace-chaos-'));
const assembly = join(directory, 'assembly');
const progress = createProgress(process.stderr, Date.now);
await synthesize(assembly);
let cloud = await startLocalCloud(assembly, join(directory, 'data'));
let ports = localPorts(cloud);
let restarting: Promise<void> = Promise.resolve();
await createModel(ports, ticketsSpec);

const faults = { kills: 0, freezes: 0, restarts: 0, duplicates: 0 };
const sent = new Map<string, number>();
let samplesSent = 0;
const ends = Date.now() + secondsOfSending * 1_000;
const isOver = () => Date.now() >= ends;
const bar = progress.bar('chaos', secondsOfSending, 's');

await Promise.all([disturb(), ...producers.map(produce), show()]);
bar.finish();
await restarting;
const learnt = await learntWhenQuiet();
const result = await compare(learnt);
await cloud.stop();
rmSync(directory, { recursive: true, force: true });

const injected = Object.values(faults).reduce((sum, each) => sum + each, 0);
for (const problem of result.problems) console.log(problem);
console.log(
  `${[...sent.values()].reduce((sum, each) => sum + each, 0).toLocaleString('en')} messages of ${samplesSent.toLocaleString('en')} samples, ` +
    `${injected} faults injected (${faults.kills} kills, ${faults.freezes} freezes, ${faults.restarts} restarts, ${faults.duplicates} duplicates), ` +
    `${result.lost} lost, ${result.doubled} doubled, ${result.outOfOrder} out of order`,
);
process.exitCode =
  result.problems.length === 0 && result.lost + result.doubled + result.outOfOrder === 0 ? 0 : 1;

/** Kills, freezes and restarts at random, until the time is over. */
async function disturb(): Promise<void> {
  while (!isOver()) {
    await delay(random.integer(200, 1_500));
    const host = cloud.functions.get('online-update');
    if (host === undefined) continue;
    const choice = random.next();
    if (choice < 0.5) {
      host.kill();
      faults.kills += 1;
    } else if (choice < 0.9) {
      const thaw = host.freeze();
      faults.freezes += 1;
      void delay(random.integer(500, 8_000)).then(thaw);
    } else {
      faults.restarts += 1;
      restarting = restart();
      await restarting;
    }
  }
}

async function restart(): Promise<void> {
  await cloud.stop();
  cloud = await startLocalCloud(assembly, join(directory, 'data'));
  ports = localPorts(cloud);
}

/** Sends numbered messages, one in ten a second time under another deduplication id. */
async function produce(name: string): Promise<void> {
  for (let seq = 1; !isOver(); seq++) {
    const samples = Array.from({ length: 1 + (seq % 4) }, (_, i) => ticket(seq * 4 + i));
    const body = JSON.stringify({ producer: name, seq, samples });
    const isTwice = random.chance(0.1);
    await sendSurely(body, `${name}:${seq}`);
    if (isTwice) await sendSurely(body, `${name}:${seq}:again`);
    if (isTwice) faults.duplicates += 1;
    sent.set(name, seq);
    samplesSent += samples.length;
    await delay(random.integer(5, 60));
  }
}

/** As a producer should: again, until it is answered. */
async function sendSurely(body: string, deduplication: string): Promise<void> {
  for (;;) {
    try {
      return await ports.sendSamples({ body, group: model, deduplication });
    } catch (error) {
      if (!(error instanceof MillraceError)) throw error;
      await delay(100);
    }
  }
}

async function show(): Promise<void> {
  while (!isOver()) {
    bar.update(secondsOfSending - (ends - Date.now()) / 1_000, {
      samples: samplesSent.toLocaleString('en'),
      faults: String(Object.values(faults).reduce((sum, each) => sum + each, 0)),
    });
    await delay(250);
  }
}

/** Samples learnt once nothing changes any more; dead letters are moved back meanwhile. */
async function learntWhenQuiet(): Promise<number> {
  let before = -1;
  for (let quiet = 0; quiet < 3; ) {
    const object = await ports.store.get(keys.state(model));
    const count = object === undefined ? 0 : decodeCheckpoint(object.body).learnt;
    quiet = count === before || count === samplesSent ? quiet + 1 : 0;
    before = count;
    await redrive({ ports, print: () => undefined }, cloud.sqs, cloud.address, false);
    await delay(count === samplesSent ? 100 : 3_000);
  }
  return before;
}

async function compare(count: number) {
  const bucket = await download(ports, `models/${model}/`);
  const entries = journalOf(bucket, model);
  const numbers = entries.flatMap(({ header }) =>
    header.messages
      .filter(({ outcome }) => outcome === 'learnt')
      .map(({ producer, seq }) => `${producer}:${seq}`),
  );
  const expected = [...sent].flatMap(([name, last]) =>
    Array.from({ length: last }, (_, i) => `${name}:${i + 1}`),
  );
  const known = new Set(numbers);
  const problems: string[] = [];
  if (count !== samplesSent) problems.push(`${samplesSent} samples were sent, ${count} are learnt`);
  const { isSame } = await verifyModel(ports, await existing(ports), true);
  if (!isSame) problems.push('the published state is not the fold of its journal');
  const alone = await learnOneByOne(bucket, await existing(ports), entries, onnxEngine({ threads: 1 }));
  const published = await ports.store.get(keys.state(model));
  const { tensors } = decodeCheckpoint(published?.body ?? new Uint8Array());
  const isEqual = Object.entries(alone.tensors).every(([name, { data }]) =>
    data.every((value, i) => Object.is(value, tensors[name]?.data[i])),
  );
  if (!isEqual) problems.push('the same messages, learnt one by one, give other weights');
  return {
    problems,
    lost: expected.filter((each) => !known.has(each)).length,
    doubled: numbers.length - known.size,
    outOfOrder: countDisorder(entries, { everDead: new Set() }),
  };
}

async function existing(from: Ports) {
  const found = await loadModel(from, model);
  if (found === undefined) throw new Error(`${model} is gone`);
  return found;
}

async function download({ store }: Ports, prefix: string): Promise<Bucket> {
  const bucket = createBucket();
  for (const { key } of await store.list(prefix)) {
    const object = await store.get(key);
    if (object !== undefined) bucket.put(key, object.body);
  }
  return bucket;
}
