import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { currentState } from '../../lib/fold/fold.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { backtest } from '../../lib/operations/backtest.ts';
import { crossValidate } from '../../lib/operations/cross-validate.ts';
import { describeModel } from '../../lib/operations/describe-model.ts';
import { evaluateFile } from '../../lib/operations/evaluate-file.ts';
import { evaluateWindow } from '../../lib/operations/evaluate-window.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { parametersOf } from '../../lib/state/state.ts';
import { change, worldWith } from '../support/changed.ts';
import { promote, runJob, start } from '../support/jobs.ts';
import { learntSamples } from '../support/late-labels.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  published,
  ticketsSpec,
} from '../support/world.ts';

const { model } = ticketsSpec;

const outputs = ['hours', 'cost in €'];
const label = (i: number) => ({ hours: (i % 11) - 5, 'cost in €': 900 + 70 * ((i * 3) % 7) });
const sample = (i: number) => ({
  features: { urgency: i % 11, team: i % 2 === 0 ? 'red' : 'blue' },
  label: label(i),
  weight: 1 + (i % 2),
});
const messages = Array.from({ length: 12 }, (_, i) =>
  message(i + 1, {
    producer: 'till-1',
    seq: i + 1,
    samples: Array.from({ length: 1 + (i % 4) }, (_element, j) => sample(i * 4 + j)),
  }),
);

const declared: SpecInput = {
  ...ticketsSpec,
  task: 'regression',
  label: { outputs },
  online: { minibatch: 2 },
};
const all = {
  'one network': declared,
  experts: {
    ...declared,
    online: {
      minibatch: 2,
      drift: {},
      experts: [
        { replay: true },
        { hidden: [], halfLife: 9 },
        { predicts: 'prior' },
        { predicts: 'lastLabel' },
      ],
    },
  },
} satisfies Record<string, SpecInput>;

describe.each(Object.entries(all))('a model of several outputs: %s', (_, spec) => {
  it('is the fold of its journal, which may be verified and taken back', async () => {
    const world = await worldWith(spec, messages);
    const state = await foldJournal(world);
    expect(await published(world)).toEqual(state);
    expect(await currentState(world, await modelOf(world))).toEqual(state);
    const verified = await verifyModel(world, await modelOf(world), true);
    expect(verified).toMatchObject({ isSame: true, samples: state.learnt });
    const { retract } = await prepareRetraction(world, await modelOf(world), {
      messages: [messages[4]?.id ?? ''],
      samples: [],
    });
    await deliver(world, [message(100, { retract })]);
    const without = await worldWith(spec, [...messages.slice(0, 4), ...messages.slice(5)]);
    expect(parametersOf(await foldJournal(world))).toEqual(
      parametersOf(await foldJournal(without)),
    );
  });

  it('says what each output comes to, and answers by their names', async () => {
    const world = await worldWith(spec, messages);
    const { stream } = await describeModel(world, model);
    expect(Object.keys(stream?.outputs ?? {})).toEqual(outputs);
    const window = await evaluateWindow(world, model, 1_000);
    expect(window.outputs).toEqual({
      hours: expect.any(Object),
      'cost in €': expect.any(Object),
    });
    expect(window.loss).toBeCloseTo(stream?.loss ?? 0, 9);
    const opened = await openModel(world, model);
    const answer = await opened.predict([{ features: sample(3).features }]);
    const values = { hours: expect.any(Number), 'cost in €': expect.any(Number) };
    expect(answer).toMatchObject({ ok: true, predictions: [{ values }] });
    const rows = Array.from({ length: 30 }, (_element, i) => JSON.stringify(sample(i)));
    const file = { name: 'rows.jsonl', bytes: bytesInMemory(Buffer.from(rows.join('\n'))) };
    const held = await evaluateFile(await modelOf(world), await foldJournal(world), file);
    // (A label of −1 is no class that nobody knows.)
    expect(held.unknownClasses).toBeUndefined();
    expect(Object.keys(held.outputs ?? {})).toEqual(outputs);
    const [own] = await backtest(world, model, []);
    expect(own).toMatchObject({ samples: 30, refused: 0 });
  });

  it('is trained over a dataset with a column for each', async () => {
    const world = createWorld({ ...spec, batch: { epochs: 3, minibatch: 4, validation: 0.2 } });
    const cells = (i: number) => Object.values({ ...sample(i).features, ...label(i) }).join(',');
    const rows = Array.from({ length: 60 }, (_element, i) => cells(i));
    const csv = ['urgency,team,hours,cost in €', ...rows, '3,red,1,'].join('\n');
    await world.store.put(`${keys.dataset('past')}rows.csv`, Buffer.from(csv));
    const { place } = await runJob(world, { ...start, start: 'fresh' });
    const { figures } = place?.comparison?.heldOut ?? {};
    expect(Object.keys(figures?.challenger.outputs ?? {})).toEqual(outputs);
    await promote(world);
    expect((await published(world)).promoted).toMatchObject({ job: 'first' });
    const { folds } = await crossValidate(world, model, { dataset: 'past', folds: 3 });
    expect(folds.map(({ heldOut }) => Object.keys(heldOut.outputs ?? {}))).toEqual(
      folds.map(() => outputs),
    );
  });

  it('goes on under another spec of the same outputs, in whatever order, and of no others', async () => {
    const world = await worldWith(spec, messages);
    const turned = { ...spec, label: { outputs: outputs.toReversed() } };
    await change(world, turned);
    const then = await worldWith(turned, messages);
    expect(parametersOf(await foldJournal(world))).toEqual(parametersOf(await foldJournal(then)));
    for (const other of [{ outputs: [...outputs, 'more'] }, {}, { outputs: ['hours', 'cost'] }])
      await expect(change(world, { ...spec, label: other })).rejects.toThrow(
        'spec.label.outputs: must stay ["cost in €","hours"]',
      );
  });

  it('learns a label that comes behind a default where any of its numbers is another', async () => {
    const world = createWorld(spec);
    const opened = await openModel(world, model);
    const ids = ['same', 'swapped', 'other'];
    const features = { urgency: 3, team: 'red' };
    expect((await opened.predict(ids.map((id) => ({ id, features })))).ok).toBe(true);
    const of = (hours: number, cost: number) => ({ hours, 'cost in €': cost });
    const defaults = ids.map((id) => ({ id, label: of(1, 2), default: true }));
    await deliver(world, [message(1, { labels: defaults })]);
    const labels = [of(1, 2), of(2, 1), of(44, 44)].map((own, i) => ({ id: ids[i], label: own }));
    await deliver(world, [message(2, { labels })]);
    const learnt = await learntSamples(world);
    expect(learnt.slice(3)).toMatchObject(labels.slice(1));
    expect(learnt).toHaveLength(5);
  });

  it.each<[unknown, string]>([
    [3, 'label: must be an object of hours, cost in €'],
    [[1, 2], 'label: must be an object of hours, cost in €'],
    [null, 'label: missing'],
    [{ hours: 1 }, 'label.cost in €: missing'],
    [{ hours: 1, 'cost in €': 'NaN' }, 'label.cost in €: missing'],
    [{ hours: 'x', 'cost in €': 1 }, 'label.hours: must be a finite number'],
    [{ hours: 1e300, 'cost in €': 1 }, 'label.hours: must be a number of up to 3.4e38'],
    [{ ...label(1), more: 1 }, 'label.more: unknown output; allowed: hours, cost in €'],
    [{ ...label(1), 'cost in €': 1e12 }, 'label.cost in €: 1000000000000 is more than'],
  ])('refuses the label %j, and learns its neighbours', async (wrong, reason) => {
    const world = await worldWith(spec, messages);
    const before = await foldJournal(world);
    const samples = [...Array.from({ length: 12 }, (_element, i) => sample(i)), sample(12)];
    const body = {
      samples: samples.map((each, i) => (i === 5 ? { ...each, label: wrong } : each)),
    };
    await deliver(world, [message(100, body)]);
    const state = await foldJournal(world);
    expect(state.learnt).toBe(before.learnt + 12);
    const [record] = await readQuarantine(world.store, model);
    const refused = JSON.stringify(record);
    const [field = ''] = reason.split(': ');
    expect(refused).toContain(JSON.stringify(field));
    expect(refused).toContain(reason.slice(field.length + 2));
  });
});
