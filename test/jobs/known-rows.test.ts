import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { figuresOf } from '../../lib/metrics/figures.ts';
import { predict } from '../../lib/model/predict.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import type { Parameters } from '../../lib/state/state.ts';
import { promote, runJob, start } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  message,
  modelOf,
  published,
  ticketsSpec,
} from '../support/world.ts';

const draw = (seed: number, ...place: number[]) => (hashIntegers(seed, ...place) + 0.5) / 2 ** 32;
const names = ['a', 'b', 'c', 'd', 'e', 'f', 'g', 'h', 'i', 'j'];
const { model: name } = ticketsSpec;
const spec = defineSpec({
  model: name,
  task: 'binary',
  features: Object.fromEntries(names.map((each) => [each, { type: 'number' as const }])),
  network: { hidden: [32] },
  online: { experts: 'default' },
  batch: { epochs: 12, minibatch: 8, patience: 4 },
});

/** Rows whose label nothing tells; one in five is true. */
function rows(count: number, seed: number) {
  return Array.from({ length: count }, (_, i) => ({
    features: Object.fromEntries(names.map((each, j) => [each, draw(seed, i, j) < 0.3 ? 1 : 0])),
    label: draw(seed, i, 99) < 0.2,
  }));
}

/** The loss on rows that nobody has learnt, before and after a job over what was learnt. */
async function lossesAround(seed: number, dataset: 'journal' | 'past') {
  const world = createWorld(spec);
  const known = rows(350, seed);
  for (let first = 0; first < known.length; first += 7)
    await deliver(world, [message(first + 1, { samples: known.slice(first, first + 7) })]);
  const lines = known.map(({ features, label }) => JSON.stringify({ ...features, label }));
  await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(lines.join('\n')));
  const model = await modelOf(world);
  const unseen = model.encoder.encode(rows(1_000, seed + 1)).samples;
  const lossOf = async (parameters: Parameters) =>
    figuresOf(spec, await predict(model, parameters, unseen), unseen).loss;
  const before = await lossOf(await published(world));
  const { place } = await runJob(world, { ...start, dataset });
  if (place?.status === 'promotion-sent') await promote(world);
  return { before, after: await lossOf(await published(world)) };
}

describe('a job over rows that its weights have learnt as a stream', () => {
  it.each(['journal', 'past'] as const)(
    'promotes none that know them by heart (%s)',
    async (dataset) => {
      for (const seed of [1, 2, 3]) {
        const { before, after } = await lossesAround(seed, dataset);
        expect(after).toBeLessThan(1.1 * before);
      }
    },
  );
});
