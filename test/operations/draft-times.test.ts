import { expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { defineSpec } from '../../lib/spec/spec.ts';

it.each<[what: string, name: string, cell: (i: number) => unknown, feature: object]>([
  ['seconds', 'ts', (i) => 1.7e9 + 3_600 * i, { type: 'timestamp' }],
  ['milliseconds', 'createdAt', (i) => 1.7e12 + 3_601_000 * i, { unit: 'ms' }],
  ['milliseconds', 'event_time', (i) => `${1.7e12 + 3_601_000 * i}`, { unit: 'ms' }],
  ['amounts', 'cost', (i) => 1.7e9 + 3_600 * i, { type: 'number' }],
  ['small numbers', 'time', (i) => 3 * i, { type: 'number' }],
])('takes for times what is called so and may be: %s of %s', async (_, name, cell, feature) => {
  const rows = Array.from({ length: 200 }, (__, i) => ({ [name]: cell(i), y: (i * 7) % 13 }));
  const text = rows.map((row) => JSON.stringify(row)).join('\n');
  const jsonl = { name: 'a.jsonl', bytes: bytesInMemory(Buffer.from(`${text}\n`)) };
  const { spec } = await draftSpec('timed', jsonl, { labels: ['y'] });
  expect(spec.features[name]).toMatchObject(feature);
  const declared = defineSpec(spec);
  for await (const { samples } of readSamples(declared, jsonl)) {
    expect(createEncoder(declared).encode(samples).refused).toEqual([]);
  }
});

it('are the same in seconds and in milliseconds', () => {
  const seconds = Array.from({ length: 50 }, (_, i) => 1.7e9 + 12_345 * i);
  const encoded = (unit: 's' | 'ms' | undefined, factor: number) => {
    const parts = ['hour', 'weekday', 'month', 'dayOfYear', 'elapsed'] as const;
    const spec = defineSpec({
      model: 'timed',
      task: 'regression',
      features: { at: { type: 'timestamp', parts: [...parts], ...(unit && { unit }) } },
    });
    const samples = seconds.map((each) => ({ features: { at: each * factor }, label: 1 }));
    const { samples: rows, refused } = createEncoder(spec).encode(samples);
    expect(refused).toEqual([]);
    return rows.raw;
  };
  expect(encoded('ms', 1_000)).toEqual(encoded('s', 1));
  expect(encoded(undefined, 1)).toEqual(encoded('s', 1));
  expect(encoded('ms', 1)).not.toEqual(encoded('s', 1));
});
