import { expect, it } from 'vitest';
import { createEngine } from '../../lib/engine/create-engine.ts';
import { learnWithoutTest } from '../../lib/model/learn.ts';
import { compileModel, initialState } from '../../lib/model/model.ts';
import { categoryInput, tablesOfInput } from '../../lib/network/weight-names.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';

const engine = createEngine({ threads: 1, warn: () => undefined });

const plain: SpecInput = {
  model: 'shops',
  task: 'binary',
  features: {
    amount: { type: 'number' },
    city: { type: 'category', buckets: 8, dimensions: 3 },
    shop: { type: 'category', vocabulary: { size: 5, admitAfter: 1 }, dimensions: 2 },
  },
  network: { hidden: [3], layerNormalization: true },
  optimizer: { type: 'adam', rate: 0.05 },
};

const large = {
  type: 'category',
  vocabulary: { size: 40_000, admitAfter: 1 },
  dimensions: 2,
} as const;

it.each<[string, SpecInput]>([
  ['one network', plain],
  ['a wide one', { ...plain, network: { hidden: [3], wide: true } }],
  ['one of ONNX Runtime', { ...plain, engine: 'onnx' }],
  ['one of tfjs', { ...plain, engine: 'tfjs' }],
  ['one with a large table', { ...plain, features: { ...plain.features, shop: large } }],
  ['experts', { ...plain, optimizer: undefined, online: { experts: 'default' } }],
])('rows of a table begin anew in %s: weights and slots, and nothing else', async (_, declared) => {
  const model = { name: 'shops', ...(await compileModel(engine, defineSpec(declared))) };
  const { samples } = model.encoder.encode(
    Array.from({ length: 40 }, (_, i) => ({
      features: { amount: i % 7, city: `c${i % 8}`, shop: `s${i % 5}` },
      label: i % 3 === 0,
    })),
  );
  const first = initialState(model).tensors;
  const rows = new Set([2, 5]);
  const before = await learnWithoutTest(model, initialState(model), samples);
  const { tensors } = before;
  const { tensors: restarted } = model.compiled.restart(before, [
    { tables: tablesOfInput(categoryInput('shop')), rows },
  ]);
  // Elements of two rows, in each place where a network has the table or a slot over it.
  const changed = Object.entries(restarted).flatMap(([name, { data }]) => {
    const own = [...data.keys()].filter((i) => data[i] !== tensors[name]?.data[i]);
    for (const i of own) expect(data[i]).toBe(first[name]?.data[i]);
    return own.length === 0 ? [] : [[name, own.length] as const];
  });
  // (An expert of second order learns what is linear in a category, and no embedding.)
  const seconds = Object.keys(first).flatMap(
    (name) => /expert_\d+(?=\/covariance)/.exec(name) ?? [],
  );
  const isIdle = (name: string) =>
    seconds.some((expert) => name.startsWith(`weights/${expert}/embedding_`));
  const tables = Object.keys(first).filter(
    (name) => name.endsWith('embedding_shop/embeddings') && !isIdle(name),
  );
  expect(tables.length).toBeGreaterThan(0);
  for (const name of tables) {
    const width = first[name]?.shape[1] ?? 0;
    expect(changed).toContainEqual([name, rows.size * width]);
    const data = restarted[name]?.data ?? [];
    for (const row of rows)
      expect([...data.slice(row * width, (row + 1) * width)]).toEqual([
        ...(first[name]?.data.slice(row * width, (row + 1) * width) ?? []),
      ]);
  }
  const slots = Object.keys(first).filter(
    (name) => name.startsWith('optimizer/') && !/\/covariance$|\/trees\//.test(name),
  );
  expect(changed.map(([name]) => name).toSorted()).toEqual([...tables, ...slots].toSorted());
});
