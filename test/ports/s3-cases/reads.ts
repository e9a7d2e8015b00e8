import type { Case } from './case.ts';

/** Parts of an object. */
export const ranges: readonly Case[] = (
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

/** Listings, and removals. */
export const listings: readonly Case[] = [
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
