import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { settleJob } from '../../lib/jobs/settle-job.ts';
import { runJob, start, worldWithDataset } from '../support/jobs.ts';
import { ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;
const id = '00000000-0000-4000-8000-000000000001';

describe('a message of the jobs queue that can never be right', () => {
  it.each([
    ['an unknown field', { model, job: 'nightly', dataset: 'past', strat: 'fresh' }, 'strat'],
    ['a name in capitals', { model, job: 'nightly', dataset: 'Sales_2026' }, 'body.dataset'],
    ['no dataset', { model, job: 'nightly' }, 'body.dataset'],
    ['a missing dataset', { model, job: 'nightly', dataset: 'none' }, 'there is no object below'],
  ])(
    'is settled with %s, and its reason is in the progress of the job',
    async (_, body, reason) => {
      const world = await worldWithDataset();
      const errors: unknown[] = [];
      const log = { ...world.log, error: (...said: unknown[]) => void errors.push(said) };
      await settleJob({ ...world, log }, { id, body: JSON.stringify(body) }, () => 100);
      const progress = world.store.objects.get(keys.progress(model, 'nightly'))?.body;
      expect(JSON.parse(Buffer.from(progress ?? '').toString())).toMatchObject({
        status: 'failed',
        reason: expect.stringContaining(reason),
      });
      expect(JSON.stringify(errors)).toContain(reason);
    },
  );

  it.each([
    ['no JSON', '{"model":'],
    ['an unknown model', JSON.stringify({ model: 'nobody', dataset: 'past' })],
    ['a job that is no name', JSON.stringify({ model, job: 'Nightly_1', dataset: 'past' })],
    ['a model that is no name', JSON.stringify({ model: '../x', dataset: 'past' })],
    ['a list', '[[[[[[[[[[]]]]]]]]]]'],
  ])('is settled with %s, which is said', async (_, body) => {
    const world = await worldWithDataset();
    const before = [...world.store.objects.keys()];
    const settled = await settleJob(world, { id, body }, () => 100);
    expect(settled).toMatchObject({ ok: false, reason: expect.stringMatching(/body|model/) });
    expect([...world.store.objects.keys()]).toEqual(before);
  });

  it.each(['spec', 'specs', 'segments'])('begins no job named %s, and ends one', async (job) => {
    const world = await worldWithDataset();
    const body = { model, job, dataset: 'past' };
    const begun = await settleJob(world, { id, body: JSON.stringify(body) }, () => 100);
    expect(begun).toMatchObject({ ok: false, reason: expect.stringContaining('cannot be named') });
    // As 0.31 began it.
    await runJob(world, { ...start, job });
    expect(world.sentSamples.at(-1)?.body).toContain('promote');
    const later = { id, body: JSON.stringify({ ...body, slice: 1 }) };
    expect((await settleJob(world, later, () => 100)).ok).toBe(true);
  });

  it('leaves the progress of a job of that name as it is', async () => {
    const world = await worldWithDataset();
    await runJob(world);
    const key = keys.progress(model, 'first');
    const before = world.store.objects.get(key)?.body;
    const body = JSON.stringify({ model, job: 'first', dataset: 'past', extra: 1 });
    expect(await settleJob(world, { id, body }, () => 100)).toMatchObject({ ok: false });
    expect(world.store.objects.get(key)?.body).toEqual(before);
  });
});
