import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { fileNamed } from '../../lib/datasets/file-names.ts';
import { readJob } from '../../lib/jobs/record.ts';
import { startJob } from '../../lib/operations/start-job.ts';
import { runJob, start } from '../support/jobs.ts';
import { createWorld, ticket, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;

async function worldOfMonths() {
  const batch = { ...ticketsSpec.batch, epochs: 3, slice: { epochs: 1 } };
  const world = createWorld({ ...ticketsSpec, batch });
  for (const [month, name] of ['2026-01.jsonl', '2026-02.jsonl', 'old/2025-12.jsonl'].entries()) {
    const rows = Array.from({ length: 20 }, (_, i) => {
      const { features, label } = ticket(month * 20 + i);
      return JSON.stringify({ ...features, label });
    });
    await world.store.put(keys.dataset('past') + name, Buffer.from(rows.join('\n')));
  }
  return world;
}

describe('a job over some files of a dataset', () => {
  it('reads those alone, in each of its slices', async () => {
    const world = await worldOfMonths();
    const { place, slices } = await runJob(world, { ...start, files: '2026-*' });
    expect(place?.status).toBe('promotion-sent');
    expect(slices).toBeGreaterThan(2);
    const record = await readJob(world.store, model, start.job);
    expect(record?.files).toBe('2026-*');
    expect(record?.objects.map(({ key }) => key)).toEqual([
      'datasets/past/2026-01.jsonl',
      'datasets/past/2026-02.jsonl',
    ]);
  });

  it('is started by name, and refused where no file has it', async () => {
    const world = await worldOfMonths();
    const files = 'old/*';
    await startJob(world, { model, dataset: 'past', files, job: 'old' });
    expect(JSON.parse(world.sentJobs[0]?.body ?? '')).toMatchObject({ dataset: 'past', files });
    await expect(startJob(world, { model, dataset: 'past', files: '2027*' })).rejects.toThrow(
      'files: none of the 3 files of past is named "2027*"; the first is 2026-01.jsonl',
    );
    await expect(startJob(world, { model, dataset: 'journal', files: 'a' })).rejects.toThrow(
      'files: the journal has none',
    );
    for (const [dataset, reason] of [
      ['past', 'none of its 3 files is named "2027*"'],
      ['journal', 'the journal has no files'],
    ] as const) {
      const job = `none-${dataset}`;
      const { place } = await runJob(world, { ...start, job, dataset, files: '2027*' });
      expect(place).toMatchObject({ status: 'failed', reason: expect.stringContaining(reason) });
    }
  });

  it('is another job than one over other files', async () => {
    const world = await worldOfMonths();
    await runJob(world, { ...start, files: '2026-*' });
    const again = await runJob(world, { ...start, files: '2026-01*' });
    expect(again.place?.reason ?? '').not.toBe('');
    expect((await readJob(world.store, model, start.job))?.files).toBe('2026-*');
  });

  it.each([
    ['2026-01.csv', '2026-01.csv', true],
    ['2026-01.csv', '2026-01xcsv', false],
    ['*', 'a/b.csv', true],
    ['a*c', 'abc', true],
    ['a*c', 'abcd', false],
    ['(a|b)+', 'a', false],
    ['[x]$', '[x]$', true],
    ['*a*b*', 'xxbxaxxbx', true],
    ['*a*b*', 'xxbxaxxx', false],
    ['aba*ba', 'aba', false],
    ['a*b*b', 'ab', false],
    ['**', '', true],
    [`${'*a'.repeat(100)}b`, 'a'.repeat(300), false],
  ])('%s names %s: %s', (name, file, isNamed) => {
    expect(fileNamed(name)(`datasets/past/${file}`)).toBe(isNamed);
  });
});
