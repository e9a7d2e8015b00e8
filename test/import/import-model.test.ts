import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { exportModel } from '../../lib/export/export-model.ts';
import { importModel } from '../../lib/import/import-model.ts';
import { readWeightsFile } from '../../lib/import/weights-file.ts';
import { loadInitialWeights } from '../../lib/model/initial-weights.ts';
import { compileModel, loadModel } from '../../lib/model/model.ts';
import { parseMessage } from '../../lib/online/messages.ts';
import { updateModel } from '../../lib/online/update-model.ts';
import { openModel } from '../../lib/serving/open-model.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import { createWorld, deliver, message, sampleMessages, ticketsSpec } from '../support/world.ts';

const question = { features: { urgency: 7, team: 'red' } };
const copySpec = { ...ticketsSpec, model: 'copy' } as SpecInput;

describe('an import', () => {
  let folder = '';
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'millrace-import-'));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const write = (files: Readonly<Record<string, Uint8Array | string>>) => {
    for (const [name, body] of Object.entries(files)) writeFileSync(join(folder, name), body);
  };
  const read = (name: string) => readWeightsFile(join(folder, name));
  const taught = async () => {
    const world = createWorld();
    await deliver(world, sampleMessages(8));
    return world;
  };
  const ask = async (world: Parameters<typeof openModel>[0], name: string, team = 'red') => {
    const asked = { features: { ...question.features, team } };
    const answer = await (await openModel(world, name)).predict([asked]);
    if (!answer.ok) throw new Error(answer.reason);
    return answer.predictions[0];
  };

  it('goes on from what another model had learnt, statistics included', async () => {
    const world = await taught();
    write((await exportModel(world, ticketsSpec.model, 'safetensors')).files);
    const { spec } = await importModel(world, copySpec, await read('model.safetensors'));
    expect(await ask(world, 'copy')).toEqual(await ask(world, ticketsSpec.model));
    // It is a model as any other: it learns, and its journal gives the same weights again.
    const model = await loadModel(world, 'copy');
    expect(model?.initial.statistics.count).toBeGreaterThan(0);
    expect(keys.initialWeights(spec.initialWeights ?? '')).toMatch(
      /^initial-weights\/[0-9a-f]{64}/,
    );
    // Once more is no change; other weights under the same name are another model.
    await importModel(world, copySpec, await read('model.safetensors'));
    await deliver(world, [message(900, { samples: [{ ...question, label: true }] })]);
    write((await exportModel(world, ticketsSpec.model, 'safetensors')).files);
    await expect(importModel(world, copySpec, await read('model.safetensors'))).rejects.toThrow(
      'exists with a different spec',
    );
  });

  it('takes the average that answers from an export, and not from a state', async () => {
    const optimizer = { type: 'adam', rate: 0.05, averageDecay: 0.9 } as const;
    const spec = { ...ticketsSpec, optimizer } as SpecInput;
    const world = createWorld(spec);
    await deliver(world, sampleMessages(8));
    write((await exportModel(world, spec.model, 'safetensors')).files);
    await importModel(world, { ...spec, model: 'copy' }, await read('model.safetensors'));
    expect(await ask(world, 'copy')).toEqual(await ask(world, spec.model));
    const state = await world.store.get(keys.state(spec.model));
    write({ 'state.safetensors': state?.body ?? '' });
    await expect(read('state.safetensors')).rejects.toThrow('which are an average');
  });

  /** A model that has learnt, and a copy of it from its file, which answers the same. */
  async function copied(spec: SpecInput) {
    const world = createWorld(spec);
    await deliver(world, sampleMessages(8));
    write((await exportModel(world, spec.model, 'safetensors')).files);
    const file = await read('model.safetensors');
    await importModel(world, { ...spec, model: 'copy' }, file);
    expect(await ask(world, 'copy')).toEqual(await ask(world, spec.model));
    return { world, file };
  }

  it('takes random Fourier features as the spec has them, which must be those of the file', async () => {
    const fourier = { units: 8, bandwidth: 0.7 };
    for (const own of [
      { network: { hidden: [], fourier } },
      { online: { experts: [{ hidden: [4] }, { hidden: [], fourier }] } },
    ] satisfies Partial<SpecInput>[]) {
      const spec = { ...ticketsSpec, ...own } as SpecInput;
      const { world, file } = await copied(spec);
      const wider = JSON.parse(JSON.stringify(own).replace('0.7', '3'));
      for (const other of [{ seed: 7 }, wider])
        await expect(
          importModel(world, { ...spec, ...other, model: 'other' }, file),
        ).rejects.toThrow('the file has other random Fourier features');
      const initialWeights = (await loadModel(world, 'copy'))?.spec.initialWeights;
      // A change of the spec draws them anew.
      const changed = { ...spec, ...wider, initialWeights } as SpecInput;
      const stored = await loadInitialWeights(world.store, defineSpec(changed));
      const [drawn, given] = await Promise.all(
        [undefined, stored].map((from) =>
          compileModel(world.engine, defineSpec(changed), changed, from),
        ),
      );
      const frequencies = (tensors: object = {}) =>
        Object.entries(tensors).filter(([name]) => name.endsWith('fourier/frequencies'));
      expect(frequencies(given?.initial.tensors)).toEqual(frequencies(drawn?.initial.tensors));
      expect(frequencies(given?.initial.tensors)).not.toEqual(frequencies(file.weights));
    }
  });

  it('takes a piecewise linear encoding as the spec has it, which must be that of the file', async () => {
    const spec: SpecInput = {
      ...ticketsSpec,
      network: { hidden: [], piecewiseLinear: { bins: 4 } },
    };
    const { world, file } = await copied(spec);
    const network = { hidden: [], piecewiseLinear: { bins: 5 } };
    await expect(importModel(world, { ...spec, network, model: 'other' }, file)).rejects.toThrow(
      'the file has another piecewise linear encoding',
    );
  });

  it('takes products of numbers as the spec has them, which must be those of the file', async () => {
    const { features } = ticketsSpec;
    const spec: SpecInput = {
      ...ticketsSpec,
      features: { ...features, size: { type: 'number', missing: 1 } },
      network: { hidden: [], quadratic: { of: ['size'] } },
    };
    const { world, file } = await copied(spec);
    const network = { hidden: [], quadratic: { of: ['urgency'] } };
    await expect(importModel(world, { ...spec, network, model: 'other' }, file)).rejects.toThrow(
      'the file has products of other numbers',
    );
  });

  it.each(['tfjs', 'keras'] as const)('takes network and weights from %s', async (format) => {
    const world = await taught();
    write((await exportModel(world, ticketsSpec.model, format)).files);
    const { team } = ticketsSpec.features;
    const file = await read(format === 'tfjs' ? 'model.json' : 'model.h5');
    const input = {
      model: 'copy',
      task: 'binary',
      features: { urgency: { type: 'number' }, team },
    };
    expect((await importModel(world, input as SpecInput, file)).isThere).toBe(false);
    const [own, other] = [await ask(world, 'copy'), await ask(world, ticketsSpec.model)];
    const shares = [own, other].map((each) => (each as { probability: number }).probability);
    expect(shares[0]).toBeCloseTo(shares[1] ?? Number.NaN, 6);
  });

  it('takes a published state, whatever it keeps beside its weights', async () => {
    const online = { minibatch: 2, replay: { size: 4 }, drift: {} };
    const keeping = { ...ticketsSpec, online } as SpecInput;
    const world = createWorld(keeping);
    await deliver(world, sampleMessages(4));
    const state = await world.store.get(keys.state(ticketsSpec.model));
    write({ 'state.safetensors': state?.body ?? '' });
    await importModel(world, { ...keeping, model: 'copy' }, await read('state.safetensors'));
    expect(await ask(world, 'copy')).toEqual(await ask(world, ticketsSpec.model));
  });

  it('takes a vocabulary with the weights, and begins anew where a value loses its place', async () => {
    const spec = defineSpec({
      model: ticketsSpec.model,
      task: 'binary',
      features: {
        urgency: { type: 'number' },
        team: {
          type: 'category',
          vocabulary: { size: 2, admitAfter: 1, expireAfter: 3 },
          dimensions: 2,
        },
      },
      network: { hidden: [3] },
      optimizer: { type: 'sgd', rate: 0.5 },
    });
    const world = createWorld(spec);
    const sent = (teams: readonly string[], number: number, group: string) => ({
      ...message(number, {
        samples: teams.map((team, i) => ({ features: { urgency: i, team }, label: team === 'a' })),
      }),
      group,
    });
    const learn = async (teams: readonly string[], number: number, name = spec.model) => {
      const messages = [parseMessage(sent(teams, number, name))];
      return updateModel(world, name, messages, { secondsLeft: () => 100 });
    };
    await learn(['a', 'b', 'a', 'b', 'a', 'b'], 1);
    write((await exportModel(world, spec.model, 'safetensors')).files);
    // One that learns next to nothing, so that it shows what a row begins with.
    const still = { ...spec, model: 'copy', optimizer: { type: 'sgd', rate: 1e-30 } } as const;
    await importModel(world, still, await read('model.safetensors'));
    expect(await ask(world, 'copy', 'a')).toEqual(await ask(world, spec.model, 'a'));
    const table = 'weights/embedding_team/embeddings';
    const { cached: before } = await learn(['a', 'b'], 2, 'copy');
    const { cached } = await learn(['b', 'b', 'b', 'b', 'c'], 3, 'copy');
    const [first, was, is] = [cached?.model.compiled.initial(), before?.state, cached?.state].map(
      (state) => [...(state?.tensors[table]?.data ?? [])],
    );
    expect(was?.slice(2, 4)).not.toEqual(first?.slice(2, 4));
    expect(is?.slice(2, 4)).toEqual(first?.slice(2, 4));
    expect(is?.slice(4)).toEqual(was?.slice(4));
  });

  it('says what does not fit', async () => {
    const world = await taught();
    const { files } = await exportModel(world, ticketsSpec.model, 'safetensors');
    write({
      ...files,
      'model.keras': 'PK',
      'no.json': '{"format": "layers-model"}',
      'no.h5': 'no',
    });
    const file = await read('model.safetensors');
    const wider: SpecInput = { ...copySpec, network: { hidden: [4], activation: 'tanh' } };
    await expect(importModel(world, wider, file)).rejects.toThrow(
      'weights/hidden_1/kernel must have the shape [3,4] (found [3,3])',
    );
    const deeper = { ...copySpec, network: { hidden: [3, 3] } };
    await expect(importModel(world, deeper, file)).rejects.toThrow(
      'the file has no weights for weights/hidden_2/kernel, weights/hidden_2/bias; it has weights/',
    );
    const listed: SpecInput['online'] = { experts: [{}, { predicts: 'prior' }] };
    await expect(importModel(world, { ...copySpec, online: listed }, file)).rejects.toThrow(
      'spec.online.experts: these weights are of one network; leave experts out of the spec',
    );
    const more = { ...copySpec, features: { ...copySpec.features, hour: { type: 'number' } } };
    await expect(importModel(world, more as SpecInput, file)).rejects.toThrow(
      'spec.features: must be urgency, team, as the weights were learnt (found urgency, team, hour)',
    );
    const { urgency, team } = ticketsSpec.features;
    const wrong: [object, string][] = [
      [{ team, urgency }, 'spec.features: must be urgency, team'],
      [{ urgency: { ...urgency, standardize: false }, team }, 'spec.features.urgency: must be {'],
      [{ urgency, team: { ...team, values: ['blue', 'red'] } }, 'spec.features.team: must be {'],
    ];
    for (const [features, reason] of wrong)
      await expect(
        importModel(world, { ...copySpec, features } as SpecInput, file),
      ).rejects.toThrow(reason);
    await expect(read('model.keras')).rejects.toThrow('in Keras: model.save("model.h5")');
    await expect(read('no.json')).rejects.toThrow('no.json.modelTopology');
    await expect(read('no.h5')).rejects.toThrow('is no HDF5 file');
    await expect(read('gone.safetensors')).rejects.toThrow('cannot be read: there is no such file');
    expect(await world.store.get(keys.spec('copy'))).toBeUndefined();
  });

  it.each(['func', 'nested', 'lstm'])('answers as Keras 3 does: %s.h5', async (name) => {
    const place = (file: string) => fileURLToPath(new URL(`keras/${file}`, import.meta.url));
    const { x, y, spec } = JSON.parse(readFileSync(place(`${name}.json`), 'utf8'));
    const world = createWorld();
    const file = await readWeightsFile(place(`${name}.h5`));
    expect((await importModel(world, { ...spec, model: name }, file)).isThere).toBe(false);
    const features = Object.entries<{ type: string; values: string[] }>(spec.features);
    const samples = y.map((_: number, row: number) => ({
      features: Object.fromEntries(
        features.map(([feature, { type, values }], input) => {
          const value: unknown[] = [x[input][row]].flat(9);
          const known = values?.[Number(value[0]) - 1] ?? 'none of them';
          return [feature, type === 'category' ? known : value];
        }),
      ),
    }));
    const answer = await (await openModel(world, name)).predict(samples);
    if (!answer.ok) throw new Error(answer.reason);
    answer.predictions.forEach((each, row) => {
      expect((each as { value: number }).value).toBeCloseTo(y[row], 4);
    });
  });

  it('learns on from layers that standardise, one sample a message', async () => {
    const world = await taught();
    write((await exportModel(world, ticketsSpec.model, 'tfjs')).files);
    const { team } = ticketsSpec.features;
    const input = {
      model: 'copy',
      task: 'binary',
      features: { urgency: { type: 'number' }, team },
    };
    await importModel(world, input as SpecInput, await read('model.json'));
    const sent = { ...message(950, { samples: [{ ...question, label: true }] }), group: 'copy' };
    const { entries } = await updateModel(world, 'copy', [parseMessage(sent)], {
      secondsLeft: () => 100,
    });
    expect(entries).toMatchObject([{ messages: [{ samples: 1, refused: 0 }] }]);
  });
});
