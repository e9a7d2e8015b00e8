import { describe, expect, it } from 'vitest';
import { bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { columnsToRead, heldOutRule } from '../../lib/datasets/held-out.ts';
import { readSamples } from '../../lib/datasets/read-samples.ts';
import { readRows } from '../../lib/datasets/rows.ts';
import { createEncoder } from '../../lib/features/encoder.ts';
import { draftSpec } from '../../lib/operations/draft-spec.ts';
import { readLabels } from '../../lib/operations/sent-rows.ts';
import { defineSpec, type Spec, type SpecInput } from '../../lib/spec/spec.ts';

const declared: SpecInput = {
  model: 'commas',
  task: 'multiclass',
  features: {
    size: { type: 'number' },
    seconds: { type: 'timestamp' },
    version: { type: 'category', values: ['1,10', '1,1', 'A'] },
    hashed: { type: 'category', buckets: 64 },
    words: { type: 'text', buckets: 64 },
    both: { type: 'cross', of: ['version', 'size'], buckets: 64 },
  },
  label: { name: 'grade', classes: ['0,7', '1,0', '0,5 l'] },
};
const header = 'size;seconds;version;hashed;words;grade;weight\n';
const lines = [
  '1,5;2,25;1,10;7,5;3,5;0,7;0,5',
  '"2,5";3;"1,1";"8,5";"1,50";"1,0";2',
  '3;4;A;x;y;0,5 l;1',
];
const text = header + `${lines.join('\n')}\n`.repeat(8);
const textFile = (content: string) => ({
  name: 'a.csv',
  bytes: bytesInMemory(Buffer.from(content)),
});
const file = textFile(text);

async function samplesOf(spec: Spec) {
  const samples: unknown[] = [];
  const encoded = [];
  for await (const chunk of readSamples(spec, file)) {
    samples.push(...chunk.samples);
    encoded.push(createEncoder(spec).encode(chunk.samples));
  }
  return { samples, encoded };
}

describe('a decimal comma', () => {
  it('is one in numbers, times, weights and labels alone, behind semicolons', async () => {
    const { samples } = await samplesOf(defineSpec(declared));
    expect(samples.slice(0, 2)).toEqual([
      {
        features: { size: '1.5', seconds: '2.25', version: '1,10', hashed: '7,5', words: '3,5' },
        label: '0,7',
        weight: '0.5',
      },
      {
        features: { size: '2.5', seconds: '3', version: '1,1', hashed: '8,5', words: '1,50' },
        label: '1,0',
        weight: '2',
      },
    ]);
  });

  it('leaves a text the one that messages have', async () => {
    const spec = defineSpec(declared);
    const { samples, encoded } = await samplesOf(spec);
    const sent = createEncoder(spec).encode(
      samples.map((sample) => JSON.parse(JSON.stringify(sample))),
    );
    expect(encoded).toEqual([sent]);
    expect(sent.refused).toEqual([]);
    expect(sent.unknown).toEqual({});
  });

  it('was one in all cells for models that were declared before', async () => {
    const before = { ...defineSpec(declared), revision: 12 };
    const { samples, encoded } = await samplesOf(before);
    expect(samples[0]).toMatchObject({ features: { version: '1.10', words: '3.5' }, label: '0.7' });
    expect(encoded.flatMap(({ refused }) => refused.map(({ reason }) => reason))).toContain(
      'unknown class "0.7"; allowed: ["0,7","1,0","0,5 l"]',
    );
  });

  it('stays where rows are handed back, and in what is drafted of them', async () => {
    const rows = [];
    for await (const chunk of readRows(file)) rows.push(...chunk.rows);
    expect(Object.values(rows[0] ?? {})).toEqual(lines[0]?.split(';'));
    const { spec } = await draftSpec('commas', file, { labels: ['grade'] });
    expect(spec.label?.classes).toEqual(['0,5 l', '0,7', '1,0']);
    expect(spec.features).toMatchObject({
      size: { type: 'number' },
      version: { type: 'category', values: ['1,1', '1,10', 'A'] },
    });
  });

  it('is one where rows are held out by a column', async () => {
    const rows = Array.from({ length: 20 }, (_, i) => `${2_000 + i},5;${i},25;${i % 2},5`);
    const held = textFile(`year;x;sold\n${rows.join('\n')}\n`);
    const spec = defineSpec({
      model: 'held',
      task: 'regression',
      features: { x: { type: 'number' } },
      label: { name: 'sold' },
      ignore: 'others',
      batch: { validation: { column: 'year', from: 2_010 } },
    });
    const isOut = heldOutRule(spec);
    for await (const chunk of readSamples(spec, { ...held, columns: columnsToRead(spec) }))
      expect(rows.filter((_, index) => isOut(chunk, { row: index, index }))).toHaveLength(10);
  });

  it('makes values of their own, of which a draft lists all', async () => {
    const mixed = ['10', '10,0', '1.5', '1,5', 'A'];
    const rows = Array.from(
      { length: 200 },
      (_, i) => `${mixed[i % 5]};${i % 7};${mixed[i % 4]};B`,
    );
    const all = textFile(`kind;x;grade;other\n${rows.join('\n')}\nA;1;B;C\n`);
    const { spec: draft } = await draftSpec('mixed', all, {
      labels: ['grade'],
      task: 'multiclass',
    });
    const spec = defineSpec({ ...draft, model: 'mixed' });
    for await (const chunk of readSamples(spec, all)) {
      const { refused, unknown } = createEncoder(spec).encode(chunk.samples);
      expect([refused, unknown]).toEqual([[], {}]);
    }
  });

  it('stays in ids, but for models that were declared before', async () => {
    const labels = textFile('nr;grade\n1,5;A\n');
    const ids = async (spec: Spec) => {
      const found = [];
      for await (const { samples } of readLabels(spec, labels, 'nr')) found.push(...samples);
      return found;
    };
    const spec = defineSpec(declared);
    expect(await ids(spec)).toEqual([{ id: '1,5', label: 'A' }]);
    expect(await ids({ ...spec, revision: 12 })).toEqual([{ id: '1.5', label: 'A' }]);
  });
});
