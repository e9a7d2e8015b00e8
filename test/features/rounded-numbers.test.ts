import { expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

const spec = defineSpec({
  model: 'm',
  task: 'multiclass',
  features: {
    user: { type: 'category', values: ['12345678901234567890', '12345678901234567891'] },
    n: { type: 'number' },
  },
  label: { classes: ['9007199254740993', 'b'] },
});
const rows = [
  '{"user":12345678901234567890,"n":12345678901234567890,"label":"b"}',
  '{"user":12345678901234567891,"n":1,"label":9007199254740993}',
];
const read = async (declaration: typeof spec) => {
  const bytes = bytesInMemory(Buffer.from(rows.join('\n')));
  const found: unknown[] = [];
  for await (const { samples } of readSamples(declaration, { name: 'a.jsonl', bytes }))
    found.push(...samples);
  return found;
};

it('whole numbers beyond 2^53 are told apart in files, and refused where JSON has rounded them', async () => {
  const { samples, refused } = createEncoder(spec).encode(await read(spec));
  expect(refused).toEqual([]);
  expect([...samples.categories]).toEqual([1, 2]);
  expect([...samples.labels]).toEqual([1, 0]);
  const sent = rows.map((row) => {
    const { label, ...features } = JSON.parse(row);
    return { features, label };
  });
  const { refused: unknown } = createEncoder(spec).encode(sent);
  expect(unknown.map(({ field, reason }) => [field, reason])).toEqual([
    ['features.user', expect.stringContaining('write it as a text (found 12345678901234567000)')],
    ['features.user', expect.stringContaining('write it as a text (found 12345678901234567000)')],
  ]);
});

it('of models of releases before, they stay the numbers that they were', async () => {
  const { revision: _, ...declared } = spec;
  const before = { ...declared, revision: 9 };
  expect(await read(before)).toMatchObject(
    rows.map((row) => {
      const { label, ...features } = JSON.parse(row);
      return { features, label };
    }),
  );
});
