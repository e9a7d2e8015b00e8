import type { Refused, S3 } from './s3.ts';

/** One promise of S3: what is done, and what must be seen. */
export type Case = {
  readonly name: string;
  /** @param key of the case's own; others begin with it */
  readonly run: (s3: S3, key: string) => Promise<unknown>;
  readonly expected: unknown;
};

const none = { ifNoneMatch: '*' } as const;
const part = (letter: string) => Buffer.alloc(5 * 1_048_576, letter);
/** An answer without what differs from run to run. */
const outcome = (answer: object | undefined) =>
  answer === undefined ? 'ok' : 'error' in answer ? (answer as Refused).error : 'ok';
const bodyOf = async (s3: S3, key: string) => {
  const answer = await s3.get(key);
  return 'error' in answer ? answer.error : answer.body;
};
const etagOf = (answer: { etag: string } | Refused) => ('error' in answer ? answer.error : answer.etag);
/** Uploads parts and completes them. */
async function upload(
  s3: S3,
  key: string,
  bodies: readonly Uint8Array[],
  conditions?: Parameters<S3['put']>[2],
) {
  const id = await s3.createUpload(key);
  const parts: { part: number; etag: string }[] = [];
  for (const [i, body] of bodies.entries()) {
    parts.push({ part: i + 1, etag: etagOf(await s3.uploadPart(key, id, i + 1, body)) });
  }
  return { id, parts, complete: () => s3.completeUpload(key, id, parts, conditions) };
}

const puts: readonly Case[] = [
  {
    name: 'a put is read at once',
    run: async (s3, key) => [outcome(await s3.put(key, 'one')), await bodyOf(s3, key)],
    expected: ['ok', 'one'],
  },
  {
    name: 'a second put replaces the first',
    run: async (s3, key) => [
      outcome(await s3.put(key, 'one')),
      outcome(await s3.put(key, 'two')),
      await bodyOf(s3, key),
    ],
    expected: ['ok', 'ok', 'two'],
  },
  {
    name: 'an empty body is a body',
    run: async (s3, key) => [outcome(await s3.put(key, '')), await bodyOf(s3, key)],
    expected: ['ok', ''],
  },
  {
    name: 'the ETag of a put is the MD5 of its body, in quotes',
    run: async (s3, key) => etagOf(await s3.put(key, 'hello')),
    expected: '"5d41402abc4b2a76b9719d911017c592"',
  },
  {
    name: 'a get has the ETag of the put',
    run: async (s3, key) => etagOf(await s3.put(key, 'x')) === etagOf(await s3.get(key)),
    expected: true,
  },
  {
    name: 'the same body has the same ETag',
    run: async (s3, key) => etagOf(await s3.put(key, 'x')) === etagOf(await s3.put(`${key}-2`, 'x')),
    expected: true,
  },
  {
    name: 'another body has another ETag',
    run: async (s3, key) => etagOf(await s3.put(key, 'x')) === etagOf(await s3.put(key, 'y')),
    expected: false,
  },
  { name: 'a missing object is NoSuchKey', run: (s3, key) => bodyOf(s3, key), expected: 'NoSuchKey' },
  {
    name: 'keys with odd characters are keys',
    run: async (s3, key) => [
      outcome(await s3.put(`${key}/ü &+=%.json`, 'odd')),
      await bodyOf(s3, `${key}/ü &+=%.json`),
    ],
    expected: ['ok', 'odd'],
  },
  {
    name: 'a key is no prefix of another',
    run: async (s3, key) => [outcome(await s3.put(`${key}/a`, 'x')), await bodyOf(s3, key)],
    expected: ['ok', 'NoSuchKey'],
  },
];

const conditionalPuts: readonly Case[] = [
  {
    name: 'If-None-Match creates where there is nothing',
    run: async (s3, key) => [outcome(await s3.put(key, 'one', none)), await bodyOf(s3, key)],
    expected: ['ok', 'one'],
  },
  {
    name: 'If-None-Match loses where there is something',
    run: async (s3, key) => [
      outcome(await s3.put(key, 'one', none)),
      outcome(await s3.put(key, 'two', none)),
      await bodyOf(s3, key),
    ],
    expected: ['ok', 'PreconditionFailed', 'one'],
  },
  {
    name: 'If-None-Match loses to the same body too',
    run: async (s3, key) => [
      outcome(await s3.put(key, 'one', none)),
      outcome(await s3.put(key, 'one', none)),
    ],
    expected: ['ok', 'PreconditionFailed'],
  },
  {
    name: 'If-None-Match loses to an empty body',
    run: async (s3, key) => [outcome(await s3.put(key, '')), outcome(await s3.put(key, 'two', none))],
    expected: ['ok', 'PreconditionFailed'],
  },
  {
    name: 'If-None-Match creates again after a removal',
    run: async (s3, key) => {
      await s3.put(key, 'one');
      await s3.remove(key);
      return [outcome(await s3.put(key, 'two', none)), await bodyOf(s3, key)];
    },
    expected: ['ok', 'two'],
  },
  {
    name: 'If-Match replaces what was read',
    run: async (s3, key) => {
      const ifMatch = etagOf(await s3.put(key, 'one'));
      return [outcome(await s3.put(key, 'two', { ifMatch })), await bodyOf(s3, key)];
    },
    expected: ['ok', 'two'],
  },
  {
    name: 'If-Match loses where another wrote',
    run: async (s3, key) => {
      const ifMatch = etagOf(await s3.put(key, 'one'));
      await s3.put(key, 'two');
      return [outcome(await s3.put(key, 'three', { ifMatch })), await bodyOf(s3, key)];
    },
    expected: ['PreconditionFailed', 'two'],
  },
  {
    name: 'If-Match of a missing object is NoSuchKey',
    run: async (s3, key) => [
      outcome(await s3.put(key, 'one', { ifMatch: '"5d41402abc4b2a76b9719d911017c592"' })),
      await bodyOf(s3, key),
    ],
    expected: ['NoSuchKey', 'NoSuchKey'],
  },
  {
    name: 'If-Match of a removed object is NoSuchKey',
    run: async (s3, key) => {
      const ifMatch = etagOf(await s3.put(key, 'one'));
      await s3.remove(key);
      return outcome(await s3.put(key, 'two', { ifMatch }));
    },
    expected: 'NoSuchKey',
  },
  {
    name: 'If-Match wins again where the old body came back: an ETag is no version',
    run: async (s3, key) => {
      const ifMatch = etagOf(await s3.put(key, 'one'));
      await s3.put(key, 'two');
      await s3.put(key, 'one');
      return outcome(await s3.put(key, 'three', { ifMatch }));
    },
    expected: 'ok',
  },
  {
    name: 'a refused put changes no ETag',
    run: async (s3, key) => {
      const etag = etagOf(await s3.put(key, 'one'));
      await s3.put(key, 'two', none);
      return etagOf(await s3.get(key)) === etag;
    },
    expected: true,
  },
  {
    name: 'a put that is sent again meets its own success',
    run: async (s3, key) => [
      outcome(await s3.put(key, 'mine', none)),
      outcome(await s3.put(key, 'mine', none)),
      await bodyOf(s3, key),
    ],
    expected: ['ok', 'PreconditionFailed', 'mine'],
  },
  {
    name: 'an If-Match that is sent again meets its own success',
    run: async (s3, key) => {
      const ifMatch = etagOf(await s3.put(key, 'one'));
      return [outcome(await s3.put(key, 'two', { ifMatch })), outcome(await s3.put(key, 'two', { ifMatch }))];
    },
    expected: ['ok', 'PreconditionFailed'],
  },
  ...[2, 8, 32].map(
    (writers): Case => ({
      name: `of ${writers} concurrent creators one wins`,
      async run(s3, key) {
        const answers = await Promise.all(
          Array.from({ length: writers }, (_, i) => s3.put(key, `writer ${i}`, none)),
        );
        const winners = answers.flatMap((answer, i) => (outcome(answer) === 'ok' ? [`writer ${i}`] : []));
        // Real S3 may also answer that another conditional request is under way.
        const losers = answers.map(outcome).filter((each) => each !== 'ok');
        const isKnown = losers.every((each) =>
          ['PreconditionFailed', 'ConditionalRequestConflict'].includes(each),
        );
        return [winners.length, isKnown, winners[0] === (await bodyOf(s3, key))];
      },
      expected: [1, true, true],
    }),
  ),
  {
    name: 'of 8 concurrent writers with one ETag one wins',
    async run(s3, key) {
      const ifMatch = etagOf(await s3.put(key, 'start'));
      const answers = await Promise.all(
        Array.from({ length: 8 }, (_, i) => s3.put(key, `writer ${i}`, { ifMatch })),
      );
      return answers.filter((answer) => outcome(answer) === 'ok').length;
    },
    expected: 1,
  },
  {
    name: 'eight writers that read and compare count to eight',
    async run(s3, key) {
      await s3.put(key, '0');
      const increment = async (): Promise<void> => {
        for (;;) {
          const current = await s3.get(key);
          if ('error' in current) throw new Error(current.error);
          const next = String(Number(current.body) + 1);
          if (outcome(await s3.put(key, next, { ifMatch: current.etag })) === 'ok') return;
        }
      };
      await Promise.all(Array.from({ length: 8 }, increment));
      return bodyOf(s3, key);
    },
    expected: '8',
  },
];

const ranges: readonly Case[] = (
  [
    ['the first bytes', [0, 3], '0123'],
    ['bytes in the middle', [4, 6], '456'],
    ['more than there is', [7, 99], '789'],
    ['all of it', [0, 9], '0123456789'],
    ['one byte', [5, 5], '5'],
    ['what lies behind the end', [10, 12], 'InvalidRange'],
  ] as const
).map(([what, range, expected]) => ({
  name: `a range reads ${what}`,
  async run(s3, key) {
    await s3.put(key, '0123456789');
    const answer = await s3.get(key, range);
    return 'error' in answer ? answer.error : answer.body;
  },
  expected,
}));

const listings: readonly Case[] = [
  { name: 'a listing of nothing is empty', run: (s3, key) => s3.list(`${key}/`), expected: [] },
  {
    name: 'a listing has what was just written, in order',
    async run(s3, key) {
      for (const each of ['b', 'a', 'c']) await s3.put(`${key}/${each}`, each);
      return (await s3.list(`${key}/`)).map((each) => each.slice(key.length));
    },
    expected: ['/a', '/b', '/c'],
  },
  {
    name: 'a listing keeps to its prefix',
    async run(s3, key) {
      for (const each of ['/x', '/xy', '-x']) await s3.put(`${key}${each}`, each);
      return (await s3.list(`${key}/x`)).map((each) => each.slice(key.length));
    },
    expected: ['/x', '/xy'],
  },
  {
    name: 'a listing has no object that was just removed',
    async run(s3, key) {
      await s3.put(`${key}/a`, 'a');
      await s3.remove(`${key}/a`);
      return s3.list(`${key}/`);
    },
    expected: [],
  },
  {
    name: 'a listing goes on after a key',
    async run(s3, key) {
      for (const each of ['a', 'b', 'c', 'd']) await s3.put(`${key}/${each}`, each);
      return (await s3.list(`${key}/`, `${key}/b`)).map((each) => each.slice(key.length));
    },
    expected: ['/c', '/d'],
  },
  {
    name: 'a listing holds at most what was asked for',
    async run(s3, key) {
      for (const each of ['a', 'b', 'c', 'd']) await s3.put(`${key}/${each}`, each);
      return (await s3.list(`${key}/`, undefined, 2)).map((each) => each.slice(key.length));
    },
    expected: ['/a', '/b'],
  },
  {
    name: 'numbers with leading zeros are listed as they count',
    async run(s3, key) {
      for (const each of ['10', '9', '100']) await s3.put(`${key}/${each.padStart(12, '0')}`, each);
      return (await s3.list(`${key}/`)).map((each) => Number(each.slice(key.length + 1)));
    },
    expected: [9, 10, 100],
  },
  {
    name: 'removing what is not there is no error',
    run: async (s3, key) => (await s3.remove(key)) ?? 'ok',
    expected: 'ok',
  },
];

const uploads: readonly Case[] = [
  {
    name: 'an upload in parts is one object, its ETag that of its parts',
    async run(s3, key) {
      const { complete } = await upload(s3, key, [part('a'), Buffer.from('end')]);
      const answer = await complete();
      const body = await bodyOf(s3, key);
      return [outcome(answer), body.length, body.slice(-4), /-2"$/.test(etagOf(answer))];
    },
    expected: ['ok', 5 * 1_048_576 + 3, 'aend', true],
  },
  {
    name: 'an upload that is not completed is not there',
    async run(s3, key) {
      const { id } = await upload(s3, key, [part('a')]);
      const seen = [await bodyOf(s3, key), await s3.list(key)];
      await s3.abortUpload(key, id);
      return seen;
    },
    expected: ['NoSuchKey', []],
  },
  {
    name: 'an upload that was given up cannot be completed',
    async run(s3, key) {
      const { id, complete } = await upload(s3, key, [part('a')]);
      return [outcome(await s3.abortUpload(key, id)), outcome(await complete())];
    },
    expected: ['ok', 'NoSuchUpload'],
  },
  {
    name: 'an upload whose part has another ETag is refused',
    async run(s3, key) {
      const { id, parts } = await upload(s3, key, [part('a')]);
      const wrong = parts.map(({ part: number }) => ({
        part: number,
        etag: '"5d41402abc4b2a76b9719d911017c592"',
      }));
      const answer = outcome(await s3.completeUpload(key, id, wrong));
      await s3.abortUpload(key, id);
      return answer;
    },
    expected: 'InvalidPart',
  },
  {
    name: 'an upload with If-None-Match creates',
    run: async (s3, key) => outcome(await (await upload(s3, key, [part('a')], none)).complete()),
    expected: 'ok',
  },
  {
    name: 'an upload with If-None-Match loses where somebody wrote meanwhile',
    async run(s3, key) {
      const { id, complete } = await upload(s3, key, [part('a')], none);
      await s3.put(key, 'faster');
      const answer = outcome(await complete());
      await s3.abortUpload(key, id);
      return [answer, await bodyOf(s3, key)];
    },
    expected: ['PreconditionFailed', 'faster'],
  },
  {
    name: 'an upload with If-Match replaces what was read',
    async run(s3, key) {
      const ifMatch = etagOf(await s3.put(key, 'one'));
      return outcome(await (await upload(s3, key, [part('a')], { ifMatch })).complete());
    },
    expected: 'ok',
  },
  {
    name: 'an upload with If-Match loses where another wrote',
    async run(s3, key) {
      const ifMatch = etagOf(await s3.put(key, 'one'));
      const { id, complete } = await upload(s3, key, [part('a')], { ifMatch });
      await s3.put(key, 'two');
      const answer = outcome(await complete());
      await s3.abortUpload(key, id);
      return [answer, await bodyOf(s3, key)];
    },
    expected: ['PreconditionFailed', 'two'],
  },
  {
    name: 'an upload whose first part is sent again has the second one',
    async run(s3, key) {
      const id = await s3.createUpload(key);
      await s3.uploadPart(key, id, 1, part('a'));
      const etag = etagOf(await s3.uploadPart(key, id, 1, part('b')));
      await s3.completeUpload(key, id, [{ part: 1, etag }]);
      return (await bodyOf(s3, key)).slice(0, 2);
    },
    expected: 'bb',
  },
];

/** What Millrace relies on, and what is around it: the same on the simulator's S3, the local cloud's, and a real one. */
export const cases: readonly Case[] = [...puts, ...conditionalPuts, ...ranges, ...listings, ...uploads];
