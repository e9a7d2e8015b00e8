import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { zstdCompressSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys, sequenceOfEntry } from '../../lib/bucket/keys.ts';
import {
  decodeSafetensors,
  encodeSafetensors,
  type StoredArray,
} from '../../lib/bucket/safetensors.ts';
import { SampleTable } from '../../lib/features/sample-table.ts';
import { decodeEntry, type Entry, encodeEntry } from '../../lib/journal/entry.ts';
import { decodeCheckpoint, encodeCheckpoint } from '../../lib/state/checkpoint-file.ts';
import { createWorld, deliver, foldJournal, sampleMessages } from '../support/world.ts';

const array: fc.Arbitrary<StoredArray> = fc.oneof(
  fc.float32Array({ maxLength: 9 }),
  fc.float64Array({ maxLength: 9 }),
  fc.int32Array({ maxLength: 9 }),
);
const file = fc.record({
  tensors: fc.dictionary(
    fc.string({ minLength: 1 }).filter((name) => !['__metadata__', '__proto__'].includes(name)),
    array.map((data) => ({ shape: [data.length], data })),
  ),
  metadata: fc.dictionary(
    fc.string().filter((name) => name !== '__proto__'),
    fc.string(),
  ),
});

async function someState() {
  const world = createWorld();
  await deliver(world, sampleMessages(3, 'till-1'));
  return foldJournal(world);
}

describe('a safetensors file', () => {
  it('reads back as it was written, bit for bit', () => {
    fc.assert(
      fc.property(file, ({ tensors, metadata }) => {
        const decoded = decodeSafetensors(encodeSafetensors({ tensors, metadata }));
        expect({ ...decoded.metadata }).toEqual({ ...metadata });
        expect({ ...decoded.tensors }).toEqual({ ...tensors });
      }),
    );
  });

  it('is refused wherever it is cut off', () => {
    const whole = encodeSafetensors({
      tensors: { a: { shape: [2, 2], data: Float32Array.of(1, 2, 3, 4) } },
      metadata: { b: 'c' },
    });
    for (let length = 0; length < whole.length; length++) {
      expect(() => decodeSafetensors(whole.subarray(0, length))).toThrow(
        /safetensors file cannot be read/,
      );
    }
  });

  it.each([
    ['a shape that does not fit', '{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}}'],
    ['an offset outside', '{"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}'],
    ['an unknown type', '{"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,8]}}'],
    ['a huge shape', '{"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,8]}}'],
    ['no JSON', '{{'],
  ])('is refused if its header lies: %s', (_, header) => {
    const bytes = Buffer.alloc(8 + header.length + 8);
    bytes.writeBigUInt64LE(BigInt(header.length));
    bytes.write(header, 8);
    expect(() => decodeSafetensors(bytes)).toThrow(/safetensors file cannot be read/);
  });
});

describe('a checkpoint', () => {
  it('reads back as the state that was written', async () => {
    const state = await someState();
    expect(decodeCheckpoint(encodeCheckpoint(state))).toEqual(state);
  });

  it('is refused if any byte of it was changed', async () => {
    const checkpoint = Buffer.from(encodeCheckpoint(await someState()));
    for (let position = 8; position < checkpoint.length; position += 997) {
      const changed = Buffer.from(checkpoint);
      changed[position] = (changed[position] ?? 0) ^ 1;
      expect(() => decodeCheckpoint(changed), `byte ${position}`).toThrow(/checkpoint|safetensors/);
    }
  });

  it('is opened by Python with nothing but the published format', async () => {
    const state = await someState();
    const path = join(mkdtempSync(join(tmpdir(), 'millrace-')), 'state.safetensors');
    writeFileSync(path, encodeCheckpoint(state));
    const program = [
      'import json, struct, sys',
      'file = open(sys.argv[1], "rb").read()',
      'length = struct.unpack("<Q", file[:8])[0]',
      'header = json.loads(file[8:8 + length])',
      'begin, end = header["weights/output/bias"]["data_offsets"]',
      'assert (8 + length) % 8 == 0',
      'print(header["__metadata__"]["sequence"], struct.unpack("<f", file[8 + length + begin:8 + length + end])[0])',
    ].join('\n');
    const [sequence, bias] = execFileSync('python3', ['-c', program, path], {
      encoding: 'utf8',
    }).split(' ');
    expect(Number(sequence)).toBe(state.sequence);
    expect(Number(bias)).toBe(state.tensors['weights/output/bias']?.data[0]);
  });
});

const table = (cells: readonly number[]) =>
  new SampleTable([{ name: 'features', columns: [{ name: 'a', cells }] }], cells.length);

describe('a journal entry', () => {
  const entry: Entry = {
    header: {
      kind: 'samples',
      sequence: 7,
      model: 'tickets',
      spec: 'abc',
      engine: 'tfjs',
      nonce: 'n',
      time: '2026-01-01T00:00:00.000Z',
      messages: [
        {
          id: 'm',
          queue: 'q',
          sequenceNumber: '1',
          outcome: 'learnt',
          samples: 2,
          refused: 0,
          loss: 0.5,
        },
      ],
    },
    samples: [
      [
        { features: { a: 0.1, b: 'ü\n' }, label: true },
        { features: { a: 1e-30, b: '' }, label: false },
      ],
    ],
  };

  it('reads back as it was written', () => {
    expect(decodeEntry(encodeEntry(entry), 'key')).toEqual(entry);
  });

  it('is refused if samples are missing or it is no entry', () => {
    expect(() => decodeEntry(encodeEntry({ ...entry, samples: [] }), 'key')).toThrow(
      /2 samples declared, 0 found/,
    );
    expect(() => decodeEntry(encodeEntry({ ...entry, samples: [[1, 2, 3]] }), 'key')).toThrow(
      /1 lines more than are declared/,
    );
    expect(() => decodeEntry(encodeEntry({ ...entry, samples: [table([1])] }), 'key')).toThrow(
      /2 samples declared, 1 found/,
    );
    expect(() => decodeEntry(Buffer.from('x'), 'key')).toThrow(/key is no journal entry/);
  });

  it('has tables among lists, message by message, and says what is wrong with one', () => {
    const [message] = entry.header.messages;
    if (message === undefined) throw new Error('there is no message');
    const messages = [message, { ...message, samples: 0 }, message, message];
    const [list = []] = entry.samples;
    const mixed = {
      header: { ...entry.header, messages },
      samples: [list, [], table([1, 2]), list],
    };
    const read = decodeEntry(encodeEntry(mixed), 'key');
    expect(read.samples.map((own) => own instanceof SampleTable)).toEqual([
      false,
      false,
      true,
      false,
    ]);
    expect(read.samples.map((own) => [...own])).toEqual(mixed.samples.map((own) => [...own]));
    const first = JSON.stringify(entry.header);
    const odd = `${first}\n{"columns":{"features":{"a":[1,2]},"label":[1]}}\n`;
    expect(() => decodeEntry(zstdCompressSync(odd), 'key')).toThrow(
      /columns\.label has 1 cells, where features\.a has 2/,
    );
  });

  it('is never read as another, whichever of its bits is turned or wherever it ends', () => {
    const file = encodeEntry({
      ...entry,
      samples: [
        [
          { features: { a: 123_456, b: 'abcdefgh' }, label: true },
          { features: { a: 654_321, b: 'hgfedcba' }, label: false },
        ],
      ],
    });
    const whole = decodeEntry(file, 'key');
    const read = (bytes: Uint8Array) => {
      try {
        return decodeEntry(bytes, 'key');
      } catch (error) {
        expect(error).toMatchObject({ kind: 'corrupt' });
        return undefined;
      }
    };
    const turned = Array.from({ length: file.length * 8 }, (_, bit) => {
      const copy = Uint8Array.from(file);
      copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
      return read(copy);
    });
    const cut = Array.from(file, (_, length) => read(file.subarray(0, length)));
    expect(cut.every((each) => each === undefined)).toBe(true);
    // (Some bits of a zstd frame mean nothing.)
    for (const each of turned) if (each !== undefined) expect(each).toEqual(whole);
  });
});

describe('keys', () => {
  it('sort as sequence numbers do, and read back', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 10 ** 9 }),
        fc.integer({ min: 1, max: 10 ** 9 }),
        (a, b) => {
          expect(sequenceOfEntry(keys.entry('m', a))).toBe(a);
          expect(keys.entry('m', a) < keys.entry('m', b)).toBe(a < b);
        },
      ),
    );
  });

  it.each(['', '../x', 'a/b', 'A', 'a.b', '-a', 'a-', 'ä', 'a'.repeat(65)])(
    'are never built from %j',
    (name) => {
      expect(() => keys.state(name)).toThrow(/cannot be part of a key/);
      expect(() => keys.challenger('model', name)).toThrow(/cannot be part of a key/);
    },
  );
});
