import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { type ByteSource, bytesInMemory } from '../../lib/datasets/byte-source.ts';
import { cutsOf, dataNamed, readRows } from '../../lib/datasets/rows.ts';
import { parseJobMessage } from '../../lib/jobs/job-message.ts';
import { openJob } from '../../lib/jobs/record.ts';
import { checkDataset } from '../../lib/operations/check-dataset.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { createWorld } from '../support/world.ts';

const [ubyte, float] = [8, 13];

/** A file of IDX. */
function idxOf(type: number, shape: readonly number[], values: readonly number[]): Buffer {
  const head = Buffer.alloc(4 + 4 * shape.length);
  head.set([0, 0, type, shape.length]);
  for (const [i, size] of shape.entries()) head.writeUInt32BE(size, 4 + 4 * i);
  if (type === ubyte) return Buffer.concat([head, Buffer.from(values)]);
  const body = Buffer.alloc(4 * values.length);
  for (const [i, value] of values.entries()) body.writeFloatBE(value, 4 * i);
  return Buffer.concat([head, body]);
}

const pixels = Array.from({ length: 5 * 6 }, (_, i) => (i * 37) % 256);
const labels = [3, 1, 4, 1, 5];
const images = idxOf(ubyte, [5, 2, 3], pixels);
const digits = idxOf(ubyte, [5], labels);
const rows = labels.map((label, i) => ({ image: pixels.slice(6 * i, 6 * i + 6), label }));

const pairOf = (first: Buffer, second?: Buffer): ByteSource => ({
  ...bytesInMemory(first),
  beside: second && bytesInMemory(second),
});

async function rowsIn(bytes: ByteSource, from = 0, to?: number) {
  const read: unknown[] = [];
  const place = { at: from, line: from + 1 };
  const file = { name: 'train-images-idx3-ubyte.gz', bytes, columns: 'all' as const };
  for await (const chunk of readRows({ ...file, from: place, to })) read.push(...chunk.rows);
  return read;
}

describe('IDX', () => {
  it('is read, images and their labels, packed or not, from anywhere', async () => {
    const packed = [gzipSync(images), gzipSync(digits)] as const;
    for (const pair of [pairOf(images, digits), pairOf(...packed), pairOf(packed[0], digits)]) {
      expect(await rowsIn(pair)).toEqual(rows);
      expect(await rowsIn(pair, 2, 4)).toEqual(rows.slice(2, 4));
    }
    expect(await rowsIn(pairOf(images))).toEqual(rows.map(({ image }) => ({ image })));
    const floats = idxOf(float, [2, 1, 2], [0.5, -1, 2, 3e9]);
    expect(await rowsIn(pairOf(floats))).toEqual([{ image: [0.5, -1] }, { image: [2, 3e9] }]);
  });

  it('ends no process where nothing is left to be read', async () => {
    const damaged = pairOf(gzipSync(images).subarray(0, -4), digits);
    expect(await rowsIn(damaged, 5)).toEqual([]);
    const empty = idxOf(ubyte, [0, 2, 3], []);
    const none = pairOf(gzipSync(empty).subarray(0, -4), idxOf(ubyte, [0], []));
    expect(await rowsIn(none)).toEqual([]);
    // What fails behind the last row would be an event that nobody waits for.
    await new Promise((resolve) => setTimeout(resolve, 50));
  });

  it('is cut at rows, where it is not packed', async () => {
    const cuts = (bytes: ByteSource) => cutsOf({ name: 'train-images-idx3-ubyte', bytes }, 14);
    expect(await cuts(pairOf(images, digits))).toEqual([2, 4]);
    expect(await cuts(pairOf(gzipSync(images), digits))).toEqual([]);
  });

  it.each([
    [
      pairOf(digits),
      'it has labels alone; the file of their images, which is not empty, belongs beside it',
    ],
    [pairOf(images, idxOf(ubyte, [4], labels)), 'it has 5 images for 4 labels'],
    [pairOf(images.subarray(0, -1), digits), 'the file is damaged: image ends too early'],
    [pairOf(images, digits.subarray(0, -1)), 'the file is damaged: label ends too early'],
    [pairOf(images.subarray(0, 9), digits), 'the file is damaged'],
    [pairOf(gzipSync(images.subarray(0, 20)), digits), 'the file is damaged'],
    [pairOf(gzipSync(images).subarray(0, 30), digits), 'its gzip is cut short'],
    [pairOf(gzipSync(images).subarray(0, -4), digits), 'its gzip is cut short'],
    [pairOf(images, gzipSync(digits).subarray(0, -8)), 'its gzip is cut short'],
    [pairOf(Buffer.from('label,x\n1,2\n3,4\n'), digits), 'it is no IDX file'],
    [pairOf(idxOf(ubyte, [5, 0], []), digits), 'its header is damaged'],
  ])('that cannot be read says why: %#', async (bytes, reason) => {
    await expect(rowsIn(bytes)).rejects.toThrow(
      `train-images-idx3-ubyte.gz cannot be read: ${reason}`,
    );
  });

  it('is one file of a dataset, by the names of both', async () => {
    const spec = defineSpec({
      model: 'digits',
      task: 'multiclass',
      features: { image: { type: 'image', shape: [2, 3] } },
      label: { name: 'label', classes: ['1', '3', '4', '5'] },
    });
    const world = createWorld(spec);
    const { store } = world;
    const folder = 'datasets/digits/';
    for (const name of ['train-X-idx3-ubyte.gz', 't10k-X.idx3-ubyte', 'emnist/a-X-idx3-ubyte']) {
      await store.put(`${folder}${name.replace('X', 'images')}`, images);
      const other = name.replace('X', 'labels').replace('idx3', 'idx1');
      await store.put(`${folder}${other}`, digits);
    }
    await store.put(`${folder}alone-labels-idx1-ubyte`, digits);
    // One of them is packed, and the other is not; names may be in capital letters.
    await store.put(`${folder}mixed-images-idx3-ubyte.gz`, gzipSync(images));
    await store.put(`${folder}mixed-labels-idx1-ubyte`, digits);
    await store.put(`${folder}TRAIN-IMAGES-IDX3-UBYTE`, images);
    await store.put(`${folder}TRAIN-LABELS-IDX1-UBYTE`, digits);
    const objects = dataNamed(await store.list(folder));
    expect(
      objects.map(({ key, beside }) => [key, beside?.key].map((each) => each?.slice(16))),
    ).toEqual([
      ['TRAIN-IMAGES-IDX3-UBYTE', 'TRAIN-LABELS-IDX1-UBYTE'],
      ['alone-labels-idx1-ubyte', undefined],
      ['emnist/a-images-idx3-ubyte', 'emnist/a-labels-idx1-ubyte'],
      ['mixed-images-idx3-ubyte.gz', 'mixed-labels-idx1-ubyte'],
      ['t10k-images.idx3-ubyte', 't10k-labels.idx1-ubyte'],
      ['train-images-idx3-ubyte.gz', 'train-labels-idx1-ubyte.gz'],
    ]);
    const check = () => checkDataset({ store }, spec, { dataset: 'digits' });
    expect((await check()).failure).toContain(
      'alone-labels-idx1-ubyte cannot be read: it has labels alone',
    );
    await store.put(`${folder}alone-images-idx3-ubyte`, images);
    const { rows: read, refusedRows, files, failure } = await check();
    expect({ read, refusedRows, files, failure }).toEqual({
      read: 30,
      refusedRows: 0,
      files: 6,
      failure: undefined,
    });
    // Labels come with the images that are named.
    const named = { dataset: 'digits', files: 'train-images*' };
    expect(await checkDataset({ store }, spec, named)).toMatchObject({
      rows: 5,
      files: 1,
      refusedRows: 0,
    });
    const start = { model: 'digits', ...named };
    const job = parseJobMessage(JSON.stringify(start), 'some');
    const opened = await openJob(world, job, async () => ({ sequence: 0, specHash: 's', spec }));
    expect(opened.ok && opened.record.objects.map(({ beside }) => beside?.key)).toEqual([
      `${folder}train-labels-idx1-ubyte.gz`,
    ]);
  });
});
