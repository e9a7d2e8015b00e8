import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';

/**
 * `node test/bench/tables.ts`: milliseconds of a message of 256 samples, predicted, then learnt, by
 * the size of the table that its category is embedded in (8 dimensions, Adam). Medians of one run.
 */
const messages = 80;
const messageSamples = 256;
const values = 10_000_000;

const engine = createEngine({ threads: 1, warn: () => undefined });

async function medianOf(shop: SpecInput['features'][string], own: Partial<SpecInput> = {}) {
  const spec = defineSpec({
    model: 'tables',
    task: 'binary',
    features: { amount: { type: 'number' }, shop },
    network: { hidden: [16] },
    optimizer: { type: 'adam', rate: 0.001 },
    ...own,
    online: { minibatch: 64, ...own.online },
  });
  const model = { name: spec.model, ...(await compileModel(engine, spec)) };
  let parameters: Parameters = initialState(model);
  const milliseconds: number[] = [];
  for (let message = 0; message < messages; message++) {
    const drawn = (i: number, of: number) => hashIntegers(message, i, of);
    const { samples } = model.encoder.encode(
      Array.from({ length: messageSamples }, (_, i) => ({
        features: { amount: drawn(i, 1) / 2 ** 32, shop: drawn(i, 2) % values },
        label: drawn(i, 3) % 2,
      })),
    );
    const started = performance.now();
    const learned = await learn(model, parameters, samples);
    milliseconds.push(performance.now() - started);
    if (!learned.ok) throw new Error(learned.reason);
    parameters = learned.parameters;
  }
  return milliseconds.sort((a, b) => a - b)[messages / 2] ?? Number.NaN;
}

const write = (what: string, milliseconds: number) =>
  process.stdout.write(`${what.padEnd(44)} ${milliseconds.toFixed(2)} ms\n`);
for (const buckets of [1_000, 10_000, 100_000, 1_000_000])
  write(`${buckets.toLocaleString('en')} buckets`, await medianOf({ type: 'category', buckets }));
write(
  '1,000,000 buckets, beside the labels alone',
  await medianOf(
    { type: 'category', buckets: 1_000_000 },
    { online: { experts: [{}, { predicts: 'prior' }] } },
  ),
);
write(
  'a full vocabulary of 4,096, new values alone',
  await medianOf({
    type: 'category',
    vocabulary: { size: 4_096, admitAfter: 1, expireAfter: 1_000 },
  }),
);
