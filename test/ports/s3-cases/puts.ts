import { bodyOf, type Case, etagOf, none, outcome } from './case.ts';

/** Puts without conditions. */
export const puts: readonly Case[] = [
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
    run: async (s3, key) =>
      etagOf(await s3.put(key, 'x')) === etagOf(await s3.put(`${key}-2`, 'x')),
    expected: true,
  },
  {
    name: 'another body has another ETag',
    run: async (s3, key) => etagOf(await s3.put(key, 'x')) === etagOf(await s3.put(key, 'y')),
    expected: false,
  },
  {
    name: 'a missing object is NoSuchKey',
    run: (s3, key) => bodyOf(s3, key),
    expected: 'NoSuchKey',
  },
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

/** Puts with If-None-Match and If-Match, one after the other and at once. */
export const conditionalPuts: readonly Case[] = [
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
    run: async (s3, key) => [
      outcome(await s3.put(key, '')),
      outcome(await s3.put(key, 'two', none)),
    ],
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
      return [
        outcome(await s3.put(key, 'two', { ifMatch })),
        outcome(await s3.put(key, 'two', { ifMatch })),
      ];
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
        const winners = answers.flatMap((answer, i) =>
          outcome(answer) === 'ok' ? [`writer ${i}`] : [],
        );
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
