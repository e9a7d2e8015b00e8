import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { hashIntegers } from '../../lib/features/hash.ts';
import { allOf } from '../../lib/journal/entry.ts';
import { readEntry } from '../../lib/journal/reading.ts';
import { learn } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { predictSamples } from '../../lib/serving/predict-samples.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import type { State } from '../../lib/state/state.ts';
import { promote, runJob, start } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  ticketsSpec,
} from '../support/world.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });
const draw = (...place: number[]) => hashIntegers(31, ...place) / 2 ** 32;

/** Points around five corners, of which one more appears after each five hundred. */
const corners = [
  [0, 0],
  [3, 3],
  [3, -3],
  [-3, 3],
  [-3, -3],
] as const;
const names = ['middle', 'north east', 'south east', 'north west', 'south west'];
const points = Array.from({ length: 5_000 }, (_, i) => {
  const corner = Math.floor(draw(i, 0) * Math.min(corners.length, 1 + i / 500));
  const [x = 0, y = 0] = corners[corner] ?? [];
  return {
    features: { x: x + draw(i, 1) * 3 - 1.5, y: y + draw(i, 2) * 3 - 1.5 },
    label: names[corner] ?? '',
  };
});

const of = (label: SpecInput['label'], more: Partial<SpecInput> = {}): SpecInput => ({
  model: ticketsSpec.model,
  task: 'multiclass',
  features: { x: { type: 'number' }, y: { type: 'number' } },
  label,
  ...more,
});

/** How often points are named rightly, each before it is learnt. */
async function accuracyOf(label: SpecInput['label']): Promise<number> {
  const spec = defineSpec(of(label));
  const model = { name: spec.model, ...(await compileModel(engine, spec)) };
  let state: State = initialState(model);
  let correct = 0;
  for (let start = 0; start < points.length; start += 10) {
    const own = points.slice(start, start + 10);
    const { predictions } = await predictSamples(model, state, own);
    correct += predictions.filter(
      (each, i) => 'class' in each && each.class === own[i]?.label,
    ).length;
    const learned = await learn(model, state, model.encoder.encode(own).samples);
    if (!learned.ok) throw new Error(learned.reason);
    state = { ...state, ...learned.parameters };
  }
  return correct / points.length;
}

const pointOf = (name: string, i: number) => ({
  features: { x: name.charCodeAt(0) % 7, y: i % 5 },
  label: name,
});
const letters = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'a');
const rows = fc.array(fc.constantFrom('c', 'd', 'a', 'g'), { minLength: 60, maxLength: 90 });
const upTo = (max: number) => fc.integer({ min: 1, max });
const someMessages = fc.array(fc.array(letters, { minLength: 1, maxLength: 5 }), {
  minLength: 1,
  maxLength: 8,
});

describe('classes that come as they like', () => {
  it('are learnt as well as those that are declared', async () => {
    const declared = await accuracyOf({ classes: names });
    const growing = await accuracyOf({ maxClasses: 20 });
    expect(declared).toBeGreaterThan(0.95);
    expect(growing).toBeGreaterThan(declared - 0.01);
  });

  it('are answered by name, and only those that have come', async () => {
    const spec = defineSpec(of({ maxClasses: 4 }));
    const model = { name: spec.model, ...(await compileModel(engine, spec)) };
    const state = initialState(model);
    const [none] = (await predictSamples(model, state, [pointOf('a', 1)])).predictions;
    expect(none).toEqual({ class: null, probabilities: {} });
    const samples = ['b', 'a', 'b'].map(pointOf);
    const learned = await learn(model, state, model.encoder.encode(samples).samples);
    if (!learned.ok) throw new Error(learned.reason);
    const [one] = (await predictSamples(model, learned.parameters, samples)).predictions;
    if (one === undefined || !('class' in one)) throw new Error('no answer');
    expect(Object.keys(one.probabilities)).toEqual(['b', 'a']);
    expect(['a', 'b']).toContain(one.class);
    const sum = Object.values(one.probabilities).reduce((a, b) => a + b, 0);
    expect(sum).toBeGreaterThan(0);
    expect(sum).toBeLessThan(1);
  });

  it('are refused where there is no place for one more, and the others are learnt', async () => {
    const world = createWorld(of({ classes: ['z'], maxClasses: 3 }));
    await deliver(world, [message(1, { samples: ['a', 'b', 'c', 'a', 'z', 'd'].map(pointOf) })]);
    const state = await foldJournal(world);
    expect(state.statistics.classNames).toEqual(['z', 'a', 'b']);
    expect(state.learnt).toBe(4);
    const { header } = (await readEntry(world.store, ticketsSpec.model, 1)) ?? {};
    expect(header?.messages).toMatchObject([{ samples: 4, refused: 2 }]);
    const [key = ''] = [...world.store.objects.keys()].filter((each) =>
      each.includes('quarantine'),
    );
    const record = JSON.parse(Buffer.from(world.store.objects.get(key)?.body ?? '').toString());
    expect(record.refused).toMatchObject([
      {
        index: 2,
        field: 'label',
        reason:
          'unknown class "c": there are 3 already, as many as label.maxClasses allows (z, a, b); ' +
          'raise it, or send one of them',
      },
      { index: 5 },
    ]);
  });

  it('keep their places and counts through deliveries, jobs and promotions', async () => {
    const outcomes: unknown[] = [];
    const drawn = fc.record({ before: someMessages, after: someMessages, rows, each: upTo(3) });
    await fc.assert(
      fc.asyncProperty(drawn, fc.integer({ min: 4, max: 6 }), async (stream, most) => {
        const spec = of({ maxClasses: most }, { batch: { epochs: 8, validation: 0.3 } });
        const { world, outcome } = await worldAfter(spec, stream);
        outcomes.push(outcome);
        const state = await foldJournal(world);
        const { classNames = [] } = state.statistics;
        expect(new Set(classNames).size).toBe(classNames.length);
        expect(classNames.length).toBeLessThanOrEqual(most);
        const learnt: string[] = [];
        for (let i = 1; i <= state.sequence; i++) {
          const entry = await readEntry(world.store, ticketsSpec.model, i);
          for (const sample of allOf(entry?.samples ?? []))
            learnt.push((sample as { label: string }).label);
        }
        expect(learnt.length).toBe(state.learnt);
        for (const [place, name] of classNames.entries()) {
          const times = learnt.filter((own) => own === name).length;
          expect(state.prior?.sums[place]).toBe(times);
          expect(state.outcomes?.soFar.classes[place]).toBe(times);
        }
        const verified = await verifyModel(world, await modelOf(world), true);
        expect(verified).toMatchObject({ isSame: true });
      }),
      { numRuns: 60 },
    );
    expect(new Set(outcomes)).toEqual(new Set(['promotion-sent', 'kept-champion', 'failed']));
  });
});

type Stream = {
  readonly before: readonly (readonly string[])[];
  readonly after: readonly (readonly string[])[];
  readonly rows: readonly string[];
  readonly each: number;
};

/** A stream with a job in its midst, some of which arrives while the job works. */
async function worldAfter(spec: SpecInput, { before, after, rows: names, each }: Stream) {
  const world = createWorld(spec);
  const lines = names.map((name, i) => ({ ...pointOf(name, i).features, label: name }));
  await world.store.put(
    `${keys.dataset('past')}rows.jsonl`,
    Buffer.from(lines.map((line) => JSON.stringify(line)).join('\n')),
  );
  let number = 0;
  const send = async (some: Stream['before']) => {
    for (let i = 0; i < some.length; i += each)
      await deliver(
        world,
        some.slice(i, i + each).map((own) => {
          number += 1;
          return message(number, { samples: own.map(pointOf) });
        }),
      );
  };
  await send(before.slice(1));
  const ran = await runJob(world, start, undefined, () => send(before.slice(0, 1)));
  if (world.sentSamples.length > 0) await promote(world, 500);
  number = 1_000;
  await send(after);
  return { world, outcome: ran.place?.status };
}
