import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { stateAt } from '../../lib/fold/fold.ts';
import { runSlice } from '../../lib/jobs/slice.ts';
import { meanLoss } from '../../lib/metrics/scores.ts';
import { changeSpec } from '../../lib/operations/change-spec.ts';
import { evaluateWindow } from '../../lib/operations/evaluate-window.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { promote, runJob, start } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  message,
  modelOf,
  sampleMessages,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;

const kinds: readonly (readonly [string, SpecInput, (i: number) => unknown])[] = [
  ['binary', ticketsSpec, (i) => ticket(i).label],
  [
    'weighed by class',
    { ...ticketsSpec, label: { classWeights: 'balanced' } },
    (i) => ticket(i).label,
  ],
  [
    'with classes that come',
    { ...ticketsSpec, task: 'multiclass', label: { maxClasses: 4 } },
    (i) => `class ${Math.min(i % 5, Math.floor(i / 10))}`,
  ],
  ['a regression', { ...ticketsSpec, task: 'regression' }, (i) => ticket(i).features.urgency * 10],
  [
    'with experts',
    {
      ...ticketsSpec,
      online: { minibatch: 2, replay: { ratio: 1 }, experts: [{ replay: true }, { rate: 0.3 }] },
    },
    (i) => ticket(i).label,
  ],
];

/** A world that learnt forty messages in entries of three, and was rolled back in between. */
async function taughtWorld(spec: SpecInput, labelOf: (i: number) => unknown): Promise<World> {
  const world = createWorld(spec);
  const messages = Array.from({ length: 40 }, (_, i) => {
    const samples = Array.from({ length: 1 + (i % 3) }, (_, j) => {
      const number = i * 3 + j;
      return { ...ticket(number), label: labelOf(number), weight: 1 + (number % 2) };
    });
    return message(i + 1, i === 20 ? { rollback: { to: 3 } } : { samples });
  });
  for (let start = 0; start < messages.length; start += 3)
    await deliver(world, messages.slice(start, start + 3));
  return world;
}

describe('the window of a stream', () => {
  it.each(kinds)('has the losses with which it was learnt (%s)', async (_, spec, labelOf) => {
    const world = await taughtWorld(spec, labelOf);
    for (const last of [1, 25, 10_000]) {
      const { samples, from, to, ...figures } = await evaluateWindow(world, model, last);
      const own = await modelOf(world);
      const [before, after] = [await stateAt(world, own, from - 1), await stateAt(world, own, to)];
      const weight = after.scores.weight - before.scores.weight;
      const loss = (after.scores.loss - before.scores.loss) / weight;
      expect(samples).toBe(after.learnt - before.learnt);
      const isWhole = labelOf !== kinds[2]?.[2];
      if (isWhole) expect(samples).toBeGreaterThanOrEqual(Math.min(last, after.learnt));
      expect(figures.loss).toBeCloseTo(loss, 6);
      const alone = ((after.prior?.loss ?? 0) - (before.prior?.loss ?? 0)) / weight;
      expect(figures.lossOfLabelsAlone).toBeCloseTo(alone, 6);
      if (spec.task === 'regression') continue;
      const correct = (after.scores.correct - before.scores.correct) / weight;
      expect(figures.accuracy).toBeCloseTo(correct, 6);
      const [was, is] = [before, after].map(({ lately }) => lately?.lastLabelSoFar.correct ?? 0);
      const repeated = ((is ?? 0) - (was ?? 0)) / weight;
      expect(figures.accuracyOfLastLabel).toBeCloseTo(repeated, 6);
      // (A window of classes that come ends at the rollback.)
      if (last === 10_000 && isWhole) expect(figures.loss).toBeCloseTo(meanLoss(after.scores), 6);
    }
  });

  it('begins behind the last change of the spec', async () => {
    const world = createWorld();
    for (const each of sampleMessages(6)) await deliver(world, [each]);
    await changeSpec(world, model, { ...ticketsSpec, online: { minibatch: 4 } });
    await deliver(world, [message(50, world.sentSamples.splice(0)[0]?.body)]);
    await expect(evaluateWindow(world, model, 10)).rejects.toThrow(
      /since its spec was changed (with|behind) entry \d+; send/,
    );
    await deliver(world, [message(51, { samples: [ticket(1), ticket(2), ticket(3)] })]);
    const reason = 'no more have been learnt since its spec was changed with entry 7';
    const own = { samples: 3, from: 8, to: 8 };
    expect(await evaluateWindow(world, model, 10)).toMatchObject({ ...own, reason });
    expect((await evaluateWindow(world, model, 3)).reason).toBeUndefined();
  });

  it('begins behind a rollback that brought another spec back', async () => {
    const world = createWorld();
    for (const each of sampleMessages(4)) await deliver(world, [each]);
    await changeSpec(world, model, { ...ticketsSpec, label: { classWeights: { true: 20 } } });
    await deliver(world, [message(50, world.sentSamples.splice(0)[0]?.body)]);
    const more = (from: number) => Array.from({ length: 3 }, (_, i) => ticket(from + i));
    await deliver(world, [message(51, { samples: more(20) })]);
    await deliver(world, [message(52, { rollback: { to: 4 } })]);
    await expect(evaluateWindow(world, model, 1)).rejects.toThrow(
      /since its spec was changed (with|behind) entry \d+; send/,
    );
    await deliver(world, [message(53, { samples: more(30) })]);
    expect(await evaluateWindow(world, model, 1_000)).toMatchObject({ samples: 3, from: 8 });
  });

  it('counts no class under the name of another', async () => {
    const world = createWorld({ ...ticketsSpec, task: 'multiclass', label: { maxClasses: 3 } });
    const of = (label: string) => ({
      samples: [ticket(1), ticket(2)].map((each) => ({ ...each, label })),
    });
    for (const [i, body] of [of('a'), of('cat'), { rollback: { to: 1 } }, of('dog')].entries())
      await deliver(world, [message(i + 1, body)]);
    const { samples, confusion } = await evaluateWindow(world, model, 1_000);
    expect(samples).toBe(2);
    expect(confusion?.classes).toEqual(['a', 'dog']);
  });

  it('counts none so behind a job that learnt of classes in another order', async () => {
    const batch = { epochs: 8, minibatch: 4, validation: 0.2, slice: { epochs: 1 } };
    const label = { maxClasses: 4 };
    const world = createWorld({ ...ticketsSpec, task: 'multiclass', label, batch });
    const of = (label: string) => ({
      features: { urgency: 5 * 'axb'.indexOf(label), team: 'red' },
      label,
    });
    const rows = Array.from({ length: 60 }, (_, i) => of('axb'[i % 3] ?? 'a'));
    const lines = rows.map(({ features, label }) => JSON.stringify({ ...features, label }));
    await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(lines.join('\n')));
    await deliver(world, [message(1, { samples: [of('a'), of('a')] })]);
    await runSlice(world, start, () => 100);
    await deliver(world, [message(2, { samples: [of('b'), of('b')] })]);
    await runJob(world, { ...start, slice: 1 });
    await promote(world);
    await deliver(world, [message(2_000, { samples: [of('b')] })]);
    const { samples, confusion } = await evaluateWindow(world, model, 1_000);
    expect(confusion?.classes).toEqual(['a', 'x', 'b']);
    expect(samples).toBe(1);
    expect(confusion?.counts.map((counts) => counts.reduce((sum, n) => sum + n, 0))).toEqual([
      0, 0, 1,
    ]);
  });

  it('is none before anything was learnt', async () => {
    await expect(evaluateWindow(createWorld(), model, 10)).rejects.toThrow(/learnt nothing yet/);
  });
});
