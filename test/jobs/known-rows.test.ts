import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { readLane } from '../../lib/jobs/lane.ts';
import { figuresOf } from '../../lib/metrics/figures.ts';
import { predict } from '../../lib/model/predict.ts';
import { isOfNeighbours } from '../../lib/spec/experts-schema.ts';
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
async function lossesAround(seed: number, dataset: 'journal' | 'past', write = JSON.stringify) {
  const world = createWorld(spec);
  const known = rows(350, seed);
  for (let first = 0; first < known.length; first += 7)
    await deliver(world, [message(first + 1, { samples: known.slice(first, first + 7) })]);
  const lines = known.map(({ features, label }) => write({ ...features, label }));
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

describe('a job over rows that its weights have not learnt', () => {
  it('chooses experts by them, and restates what those of neighbours keep', async () => {
    const regression = defineSpec({
      model: name,
      task: 'regression',
      features: { a: { type: 'number' }, b: { type: 'number' } },
      network: { hidden: [] },
      online: { experts: 'default' },
      batch: { epochs: 6, minibatch: 16 },
    });
    const world = createWorld(regression);
    const rowsFrom = (count: number, first: number, beyond: number) =>
      Array.from({ length: count }, (_, i) => {
        const [a, b] = [draw(5, first + i, 0), draw(5, first + i, 1)];
        return { features: { a: a + beyond, b }, label: 3 * a - b + beyond };
      });
    const stream = rowsFrom(300, 0, 0);
    for (let first = 0; first < stream.length; first += 10)
      await deliver(world, [message(first + 1, { samples: stream.slice(first, first + 10) })]);
    const others = [...rowsFrom(400, 1_000, 0), ...rowsFrom(400, 2_000, 40)];
    const lines = others.map(({ features, label }) => JSON.stringify({ ...features, label }));
    await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(lines.join('\n')));
    const { place } = await runJob(world, start);
    const { heldOut } = place?.comparison ?? {};
    expect(place?.isHeldOutKnown).toBe(false);
    expect(heldOut?.challenger).toBeLessThan(0.02 * (heldOut?.baseline ?? 0));
    // (Labels about 1 lie below the mean of all, at most a deviation.)
    const lane = await readLane(world, await modelOf(world), start);
    const at = (regression.online.experts ?? []).findIndex(isOfNeighbours) + 1;
    const kept = `weights/expert_${at}/neighbours/labels`;
    const labels = lane?.lane.parameters.tensors[kept]?.data.subarray(0, 300) ?? [];
    expect(labels.length).toBe(300);
    expect(Math.max(...labels)).toBeLessThan(0);
    expect(Math.min(...labels)).toBeGreaterThan(-1.5);
  });

  it('knows them when a file has rounded their numbers', async () => {
    const rounded = (row: object) =>
      JSON.stringify(row, (_, value) =>
        typeof value === 'number' ? Math.fround(value / 3) * 3 : value,
      );
    const { before, after } = await lossesAround(1, 'past', rounded);
    expect(after).toBeLessThan(1.1 * before);
  });
});
