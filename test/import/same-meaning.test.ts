import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { exportModel } from '../../lib/export/export-model.ts';
import { importModel } from '../../lib/import/import-model.ts';
import { assertSameInputs, assertSameNetwork } from '../../lib/import/same-meaning.ts';
import { readWeightsFile } from '../../lib/import/weights-file.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';
import { createWorld, deliver, message, ticketsSpec } from '../support/world.ts';

const outputs: SpecInput = {
  ...ticketsSpec,
  task: 'regression',
  label: { name: 'label', outputs: ['sold', 'back'] },
};
const relu = { hidden: [3], activation: 'relu' as const, rate: 0.1 };
const experts = (...all: NonNullable<SpecInput['online']>['experts'] & object) => ({
  ...ticketsSpec,
  online: { experts: all },
});
const learnt = experts(relu, { ...relu, halfLife: 4 }, { predicts: 'prior' });
const topology = (activation: string, rate: number) => ({
  ...ticketsSpec,
  network: {
    topology: {
      class_name: 'Sequential',
      config: {
        layers: [
          { class_name: 'Dense', config: { activation, rate, kernelInitializer: `of ${rate}` } },
        ],
      },
    },
  },
});

const assertSame = (own: Spec, theirs: unknown) => {
  assertSameInputs(own, theirs);
  assertSameNetwork(own, theirs);
};

describe('weights under another spec', () => {
  it.each<[string, object, object]>([
    ['label.outputs', outputs, { ...outputs, label: { name: 'label', outputs: ['back', 'sold'] } }],
    ['network.activation', ticketsSpec, { ...ticketsSpec, network: { activation: 'elu' } }],
    ['network.topology', topology('relu', 0.1), topology('tanh', 0.1)],
    ['online.experts[0].activation', learnt, experts({ ...relu, activation: 'elu' }, relu)],
    ['online.experts[1].halfLife', learnt, experts(relu, relu, { predicts: 'prior' })],
    ['online.experts[1].halfLife', learnt, experts(relu, { ...relu, halfLife: 40 })],
    ['online.experts[0].halfLife', learnt, experts({ ...relu, halfLife: 9 }, relu)],
    [
      'online.experts[2].predicts',
      learnt,
      experts(relu, { ...relu, halfLife: 4 }, { predicts: 'lastLabel' }),
    ],
  ])('that means something else by them are refused: %s', (field, source, other) => {
    const [theirs, own] = [source, other].map((each) =>
      'network' in each && 'topology' in (each.network as object)
        ? (each as never)
        : defineSpec(each as SpecInput),
    );
    if (own === undefined) throw new Error('no spec');
    expect(() => assertSame(own, theirs)).toThrow(`spec.${field}: must `);
    expect(() => assertSame(own, own)).not.toThrow();
  });

  it('whose layers compute otherwise are refused, however their fields are written', () => {
    const of = (config: object) =>
      ({
        ...ticketsSpec,
        network: { topology: { config: { layers: [{ class_name: 'Conv2D', config }] } } },
      }) as never;
    const own = of({ pool_size: [2, 2], padding: 'same', activation: 'linear', name: 'a' });
    const same = of({ poolSize: [2, 2], padding: 'same', activation: null, use_bias: true });
    expect(() => assertSame(own, same)).not.toThrow();
    for (const other of [
      { poolSize: [3, 3], padding: 'same' },
      { poolSize: [2, 2], alpha: 0.3 },
    ])
      expect(() => assertSame(own, of(other))).toThrow('spec.network.topology: must have');
  });

  it('that only trains otherwise are taken', () => {
    const own = topology('relu', 0.5) as never;
    expect(() => assertSame(own, topology('relu', 0.1))).not.toThrow();
    const slower = experts(
      { ...relu, rate: 0.01 },
      { ...relu, halfLife: 4 },
      { predicts: 'prior' },
    );
    expect(() => assertSame(defineSpec(slower), defineSpec(learnt))).not.toThrow();
  });
});

describe('what was exported, imported and exported again', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-again-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const rows = Array.from({ length: 24 }, (_, hour) => ({
    features: { at: `2024-02-03T${String(hour).padStart(2, '0')}:00:00Z`, n: hour % 5 },
    label: hour > 11,
  }));
  const spec: SpecInput = {
    model: 'tickets',
    task: 'binary',
    features: { at: { type: 'timestamp', parts: ['hour'] }, n: { type: 'number' } },
    network: { hidden: [4] },
    optimizer: { type: 'adam', rate: 0.05 },
  };
  const answers = async (world: Parameters<typeof openModel>[0], name: string) => {
    const asked = rows.map(({ features }) => ({ features }));
    const answer = await (await openModel(world, name)).predict(asked);
    if (!answer.ok) throw new Error(answer.reason);
    return answer.predictions.map((each) =>
      'probability' in each ? each.probability : Number.NaN,
    );
  };

  it.each(['tfjs', 'keras'] as const)('answers the same as %s, times included', async (format) => {
    const world = createWorld(spec);
    for (let i = 1; i <= 10; i++) await deliver(world, [message(i, { samples: rows })]);
    const own = await answers(world, 'tickets');
    expect(Math.max(...own) - Math.min(...own)).toBeGreaterThan(0.5);
    const { network: _, ...rest } = spec;
    for (const [from, to] of [['tickets', 'copy'] as const, ['copy', 'again'] as const]) {
      const { files } = await exportModel(world, from, format);
      for (const [name, body] of Object.entries(files)) writeFileSync(join(folder, name), body);
      const main = Object.keys(files).find((name) => /^model\.(json|h5)$/.test(name));
      const file = await readWeightsFile(join(folder, main ?? ''));
      await importModel(world, { ...rest, model: to }, file);
      expect(await world.store.get(keys.spec(to))).toBeDefined();
      const same = await answers(world, to);
      same.forEach((each, i) => {
        expect(each).toBeCloseTo(own[i] ?? Number.NaN, 5);
      });
    }
  });

  it('asks for features of any name as ONNX', async () => {
    const named = { before: 'before/1', network: 'network/0', after: 'after/0' };
    const features = Object.fromEntries(
      Object.values(named).map((name) => [name, { type: 'number' as const }]),
    );
    const world = createWorld({ ...spec, features });
    const cells = Object.fromEntries(Object.values(named).map((name, i) => [name, i]));
    const samples = [0, 1].map((i) => ({ features: { ...cells, 'before/1': i }, label: i > 0 }));
    await deliver(world, [message(1, { samples })]);
    const { files } = await exportModel(world, 'tickets', 'onnx');
    expect(Object.keys(files)).toContain('model.onnx');
  });
});
