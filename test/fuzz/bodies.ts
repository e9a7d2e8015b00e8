import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { ticket } from '../support/world.ts';

/** What lies in the bucket beside the model: objects that messages name, rightly or wrongly. */
export const objects: Readonly<Record<string, Uint8Array>> = {
  'datasets/fuzz/good.jsonl': Buffer.from(
    `${JSON.stringify(ticket(1))}\n${JSON.stringify(ticket(2))}\n`,
  ),
  'datasets/fuzz/good.jsonl.gz': gzipSync(JSON.stringify(ticket(3))),
  'datasets/fuzz/bomb.jsonl.gz': gzipSync(Buffer.alloc(80 * 1_048_576)),
  'datasets/fuzz/cut.jsonl.gz': gzipSync(JSON.stringify(ticket(4))).subarray(0, 20),
  'datasets/fuzz/binary.jsonl': Buffer.from([0xff, 0xfe, 0, 0x80, 10, 0xc3, 0x28]),
  'datasets/fuzz/empty.jsonl': new Uint8Array(),
  'models/other/state.safetensors': Buffer.from('not yours'),
  'prepared/secret': Buffer.from('not yours'),
};

const uri = fc.oneof(
  fc.constantFrom(...Object.keys(objects)).map((key) => `s3://memory/${key}`),
  fc.constantFrom(
    's3://elsewhere/datasets/x.jsonl',
    's3://memory/datasets/../models/other/state.safetensors',
    's3://memory/datasets/',
    's3://memory//datasets/fuzz/good.jsonl',
    's3://memory/datasets/fuzz/none.jsonl',
    's3://memory/datasets/fuzz/good.jsonl\u0000.gz',
    's3:///datasets/x',
    'https://memory/datasets/x',
    's3://memory/datasets/%2e%2e/models/other/state.safetensors',
  ),
  fc.string().map((text) => `s3://memory/datasets/${text}`),
);

/** Numbers as JSON can write them, the ones that float32 or JavaScript cannot hold among them. */
const numberText = fc.constantFrom(
  ...[
    '1e999',
    '-1e999',
    '3.5e38',
    '1e-400',
    '-0',
    '9007199254740993',
    '1E5',
    '0.1e-7',
    '1'.repeat(400),
  ],
);
const anyText = fc.oneof(
  fc.string(),
  fc.string({ unit: 'binary' }),
  fc.constantFrom(
    'NaN',
    'Infinity',
    '__proto__',
    'constructor',
    'red',
    '\u0000',
    '\ud800',
    'x'.repeat(10_000),
  ),
);
const anyValue: fc.Arbitrary<unknown> = fc.oneof(
  fc.jsonValue({ maxDepth: 3 }),
  anyText,
  fc.double({ noDefaultInfinity: true, noNaN: true }),
  fc.constantFrom(null, true, false, [], {}),
);
const good = fc.nat(500).map(ticket);
const field = fc.oneof(
  fc.constantFrom(
    'features',
    'label',
    'weight',
    '__proto__',
    'constructor',
    'toString',
    'urgency',
    'team',
  ),
  anyText,
);
/** A good sample with something else in one place, or anything. */
const sample: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 12, arbitrary: good },
  fc
    .tuple(good, field, anyValue)
    .map(([ticketOf, name, value]) => withField(ticketOf, name, value)),
  fc.tuple(good, field, anyValue).map(([ticketOf, name, value]) => ({
    ...ticketOf,
    features: withField(ticketOf.features, name, value),
  })),
  anyValue,
);
const samples: fc.Arbitrary<unknown> = fc.oneof(
  { weight: 6, arbitrary: fc.array(sample, { maxLength: 5 }) },
  uri,
  anyValue,
);
const producer = fc.oneof({ weight: 3, arbitrary: fc.constantFrom('a', 'b', 'c') }, anyText);
const seq = fc.oneof({ weight: 8, arbitrary: fc.integer({ min: -1, max: 200 }) }, anyValue);
const deadLetter = fc.oneof(
  anyValue,
  fc.record({
    id: fc.oneof(fc.constant('00000000-0000-4000-8000-000000000001'), anyText),
    searchedTo: fc.oneof(fc.integer({ min: -1, max: 300 }), anyValue),
  }),
);
/** Cells of tickets, field by field; some with others among them, or fewer. */
const column = (usual: unknown, length: number) =>
  fc.oneof(
    { weight: 12, arbitrary: fc.constant(Array(length).fill(usual)) },
    fc.array(fc.oneof(anyValue, fc.constant(usual)), { minLength: length, maxLength: length }),
    anyValue,
  );
const columns = fc.integer({ min: 0, max: 20 }).chain((length) =>
  fc
    .record({
      features: fc.oneof(
        {
          weight: 9,
          arbitrary: fc.record({ urgency: column(3, length), team: column('blue', length) }),
        },
        anyValue,
      ),
      label: column(true, length),
      other: fc.option(fc.tuple(field, column(1, length)), { freq: 3 }),
    })
    .map(({ features, label, other }) => {
      const own = { features, label };
      return { columns: other === null ? own : withField(own, ...other) };
    }),
);
const command = fc.oneof(
  { weight: 6, arbitrary: samples.map((value) => ({ samples: value })) },
  { weight: 2, arbitrary: columns },
  fc.record({ promote: fc.oneof(anyValue, fc.record({ job: anyText, digest: anyText })) }),
  fc.record({ rollback: fc.oneof(anyValue, fc.record({ to: fc.oneof(fc.integer(), anyValue) })) }),
  fc.constantFrom('retract', 'spec', 'delete').map((name) => ({ [name]: {} })),
);
const body = fc
  .tuple(
    command,
    fc.option(fc.tuple(producer, seq, fc.option(deadLetter, { freq: 8 })), { freq: 2 }),
    fc.option(fc.tuple(field, anyValue), { freq: 8 }),
  )
  .map(([ofCommand, numbering, extra]) => {
    const [name, number, letter] = numbering ?? [];
    const numbered =
      numbering === null ? {} : { producer: name, seq: number, deadLetter: letter ?? undefined };
    const all = { ...numbered, ...ofCommand };
    return JSON.stringify(extra === null ? all : withField(all, ...extra));
  });

/** A body of a message: nearly right, wrong, or nothing that anybody meant. */
export const anyBody: fc.Arbitrary<string> = fc.oneof(
  { weight: 12, arbitrary: body },
  // Cut off, or with a character in place of another.
  {
    weight: 2,
    arbitrary: fc.tuple(body, fc.nat(), anyText).map(([text, at, other]) => spoil(text, at, other)),
  },
  // With a number that JSON.stringify never writes.
  {
    weight: 2,
    arbitrary: fc.tuple(body, numberText).map(([text, number]) => text.replace(/\d+/, number)),
  },
  {
    weight: 1,
    arbitrary: fc
      .nat(3_000)
      .map((depth) => `{"samples": ${'['.repeat(depth)}${']'.repeat(depth)}}`),
  },
  {
    weight: 1,
    arbitrary: fc.nat(3_000).map((depth) => `${'{"samples":'.repeat(depth)}1${'}'.repeat(depth)}`),
  },
  { weight: 1, arbitrary: anyText },
);

function withField(object: object, name: string, value: unknown): object {
  const copy = { ...object };
  Object.defineProperty(copy, name, { value, enumerable: true });
  return copy;
}

function spoil(text: string, at: number, other: string): string {
  const place = at % Math.max(text.length, 1);
  return at % 2 === 0 ? text.slice(0, place) : text.slice(0, place) + other + text.slice(place + 1);
}
