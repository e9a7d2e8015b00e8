import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { Tensors } from '../../lib/engine/engine.ts';
import { exportModel } from '../../lib/export/export-model.ts';
import { importModel } from '../../lib/import/import-model.ts';
import { readWeightsFile } from '../../lib/import/weights-file.ts';
import { loadModel } from '../../lib/model/model.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { createWorld, deliver, message, sampleMessages, ticketsSpec } from '../support/world.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-import-'));
afterAll(() => rmSync(folder, { recursive: true }));
const write = (files: Readonly<Record<string, Uint8Array | string>>) => {
  for (const [name, body] of Object.entries(files)) writeFileSync(join(folder, name), body);
};
const read = (name: string) => readWeightsFile(join(folder, name));

describe('an import of experts', () => {
  it('refuses experts that answer as one: it would take their shares for what comes before', async () => {
    const { optimizer: _, ...untuned } = ticketsSpec;
    const world = createWorld({ ...untuned, online: { minibatch: 2 } } as SpecInput);
    await deliver(world, sampleMessages(4));
    for (const format of ['tfjs', 'keras'] as const) {
      write((await exportModel(world, ticketsSpec.model, format)).files);
      const file = await read(format === 'tfjs' ? 'model.json' : 'model.h5');
      const { task, features } = ticketsSpec;
      const copy = { model: 'copy', task, features };
      await expect(importModel(world, copy, file)).rejects.toThrow('several experts');
    }
    // A network beside the mean of its labels is one, too.
    const number: SpecInput = {
      model: ticketsSpec.model,
      task: 'regression',
      features: { x: { type: 'number' } },
    };
    const other = createWorld(number);
    await deliver(other, [
      message(1, { samples: [1, 2].map((x) => ({ features: { x }, label: x })) }),
    ]);
    write((await exportModel(other, ticketsSpec.model, 'keras')).files);
    const again = importModel(
      other,
      { ...number, model: 'again', network: { hidden: [] } },
      await read('model.h5'),
    );
    await expect(again).rejects.toThrow(/several experts that are mixed.* --format safetensors/);
  });

  it('takes what an expert of neighbours keeps', async () => {
    const neighbours = { predicts: 'neighbours' as const, window: 5 };
    const experts = [{ hidden: [] }, neighbours, { predicts: 'stack' as const }];
    const spec = { ...ticketsSpec, online: { experts } } as SpecInput;
    const world = createWorld(spec);
    await deliver(world, sampleMessages(8));
    write((await exportModel(world, spec.model, 'safetensors')).files);
    const file = await read('model.safetensors');
    await importModel(world, { ...spec, model: 'copy' }, file);
    const kept = 'weights/expert_2/neighbours/numbers';
    const own = (await loadModel(world, 'copy'))?.initial.tensors[kept]?.data;
    expect(own).toEqual((file.weights as Tensors)[kept]?.data);
    expect(own?.some((number) => number !== 0)).toBe(true);
  });

  it('takes trees, which stay until as many samples as theirs could tell others', async () => {
    const trees = { predicts: 'trees', window: 64, trees: 6, leaves: 4, rate: 0.3 } as const;
    const spec = { ...ticketsSpec, online: { experts: [{ hidden: [] }, trees] } } as SpecInput;
    const world = createWorld(spec);
    await deliver(world, sampleMessages(20));
    const { files } = await exportModel(world, spec.model, 'safetensors');
    write(files);
    const file = await read('model.safetensors');
    await importModel(world, { ...spec, model: 'copy' }, file);
    const initial = (await loadModel(world, 'copy'))?.initial.tensors ?? {};
    for (const name of ['leaves', 'cuts', 'grown', 'kept_number_scale']) {
      const tensor = `weights/expert_2/trees/${name}`;
      expect(initial[tensor]?.data).toEqual((file.weights as Tensors)[tensor]?.data);
    }
    expect(initial['weights/expert_2/trees/grown']?.data[0]).toBeGreaterThan(32);
    // (No sample is in the file.)
    expect(Object.keys(file.weights).some((name) => /trees\/(numbers|labels)/.test(name))).toBe(
      false,
    );
    expect(initial['optimizer/expert_2/trees/numbers']?.data.every((each) => each === 0)).toBe(
      true,
    );
  });
});
