import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import type { Progress } from '../../lib/cli/progress.ts';
import { watchJob } from '../../lib/cli/watch-job.ts';
import { MillraceError } from '../../lib/errors.ts';
import { readProgress, reportPromotion } from '../../lib/jobs/progress.ts';
import { runSlice } from '../../lib/jobs/slice.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import type { State } from '../../lib/state/state.ts';
import { promote, runJob, start, worldWithDataset } from '../support/jobs.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  sampleMessages,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;
const silent: Progress = {
  step: () => undefined,
  bar: () => ({ update: () => undefined, finish: () => undefined }),
};

async function parametersAfter(
  world: World,
): Promise<Pick<State, 'tensors' | 'statistics' | 'step'>> {
  const { tensors, statistics, step } = await foldJournal(world);
  return { tensors, statistics, step };
}

describe('a batch job', () => {
  it('trains to its last epoch, beats the champion and is promoted through the queue of the model', async () => {
    const world = await worldWithDataset();
    const { place } = await runJob(world);
    expect(place).toMatchObject({ status: 'promotion-sent', epoch: 4, reason: '4 epochs done' });
    expect(world.sentSamples).toMatchObject([
      { group: model, deduplication: `${model}:first:promote` },
    ]);
    const { settled, entries } = await promote(world);
    expect(settled).toBe(1);
    expect(entries).toMatchObject([{ kind: 'promote', job: 'first', sequence: 1, caughtUp: 0 }]);
    expect((await foldJournal(world)).promoted).toEqual({ job: 'first', sequence: 1 });
    expect(world.store.objects.has(keys.checkpoint(model, 1))).toBe(true);
  });

  it('loses no online update: the promotion learns what arrived since the job began', async () => {
    const world = await worldWithDataset({
      ...ticketsSpec,
      batch: { ...ticketsSpec.batch, slice: { epochs: 1 } },
    });
    const messages = sampleMessages(6);
    await runSlice(world, start, () => 100);
    await deliver(world, messages.slice(0, 4));
    await runJob(world, { ...start, slice: 1 });
    await deliver(world, messages.slice(4));
    const before = await foldJournal(world);
    await promote(world);
    const after = await foldJournal(world);
    expect(after.learnt).toBe(before.learnt);
    expect(after.scores).toEqual(before.scores);
    expect((await deliver(world, messages)).entries).toEqual([]);

    // The same weights, made by hand: the job's own, then every message of the stream, in order.
    const byHand = await worldWithDataset();
    await runJob(byHand);
    await promote(byHand);
    await deliver(
      byHand,
      messages.map((m) => ({ ...m, sequenceNumber: `1${m.sequenceNumber}` })),
    );
    expect((await parametersAfter(world)).tensors).toEqual((await parametersAfter(byHand)).tensors);
  });

  it('is watched until its promotion is in the journal', async () => {
    const world = await worldWithDataset();
    await runJob(world);
    const watched = { model, job: 'first', epochs: 4, title: 'first' };
    // Nothing has settled it yet: the watch goes on until it is told to stop.
    const abort = new AbortController();
    const waiting = watchJob(world.store, silent, watched, abort.signal);
    abort.abort();
    await expect(waiting).rejects.toThrow(/abort/i);
    await promote(world);
    const seen = await watchJob(world.store, silent, watched, abort.signal);
    expect(seen).toMatchObject({ status: 'promoted', epoch: 4, promotion: 1 });
  });

  it.each(['message', 'slice'])(
    'reports its promotion when the %s comes back, if it could not',
    async (what) => {
      const world = await worldWithDataset();
      await runJob(world);
      const statusNow = async () => (await readProgress(world.store, model, 'first'))?.status;
      world.store.hook = ({ key }) => {
        if (key === keys.progress(model, 'first')) throw new MillraceError('unavailable', 'away');
      };
      await expect(promote(world)).rejects.toThrow('away');
      world.store.hook = () => undefined;
      expect(await statusNow()).toBe('promotion-sent');
      if (what === 'message')
        expect(await promote(world)).toMatchObject({ settled: 1, entries: [] });
      else await runJob(world);
      expect(await statusNow()).toBe('promoted');
    },
  );

  it('says that it was promoted, though another delivery of its promotion had been refused', async () => {
    const world = await worldWithDataset();
    await runJob(world);
    const reported = () => readProgress(world.store, model, 'first');
    const job = { model, job: 'first' };
    await reportPromotion(world, job, async () => ({ refusal: 'no room' }));
    expect(await reported()).toMatchObject({ status: 'kept-champion', reason: 'no room' });
    await promote(world);
    const { reason, ...promoted } = (await reported()) ?? {};
    expect(promoted).toMatchObject({ status: 'promoted', promotion: 1 });
    expect(reason).toBeUndefined();
    // A refusal that is told late changes nothing.
    await reportPromotion(world, job, async () => ({ refusal: 'no room' }));
    expect((await reported())?.status).toBe('promoted');
  });

  it('is promoted once, however often its promotion is sent', async () => {
    const world = await worldWithDataset();
    await runJob(world);
    await promote(world, 1_000);
    await deliver(world, [message(1_001, { samples: [ticket(1)] })]);
    const { entries } = await promote(world, 1_002);
    expect(entries[0]?.messages[0]?.outcome).toBe('rejected');
    const fold = await foldJournal(world);
    expect([fold.promoted?.sequence, fold.learnt]).toEqual([1, 1]);
  });

  it('is not promoted over a rollback that came after the comparison', async () => {
    const world = await worldWithDataset();
    await deliver(world, sampleMessages(4));
    await runJob(world);
    await deliver(world, [message(900, { rollback: { to: 0 } })]);
    const before = await parametersAfter(world);
    expect(await promote(world)).toMatchObject({ settled: 1 });
    expect(await parametersAfter(world)).toEqual(before);
    const [refused] = await readQuarantine(world.store, model);
    expect(refused?.refused[0]?.reason).toMatch(
      /entry 2 \(rollback\) put other weights in place than job first/,
    );
    const aborted = AbortSignal.abort();
    const watched = { model, job: 'first', epochs: 4, title: 'first' };
    expect(await watchJob(world.store, silent, watched, aborted)).toMatchObject({
      status: 'kept-champion',
      reason: refused?.refused[0]?.reason,
    });
  });

  it('keeps a champion that the challenger does not beat by the margin', async () => {
    const world = await worldWithDataset({
      ...ticketsSpec,
      batch: { ...ticketsSpec.batch, margin: 10 },
    });
    const { place } = await runJob(world);
    expect(place).toMatchObject({ status: 'kept-champion' });
    expect(place?.comparison?.heldOut?.champion).toBeGreaterThan(0);
    expect(world.sentSamples).toEqual([]);
  });

  it('stops at its target loss', async () => {
    const world = await worldWithDataset({
      ...ticketsSpec,
      batch: { ...ticketsSpec.batch, targetLoss: 5 },
    });
    expect((await runJob(world)).place).toMatchObject({
      epoch: 1,
      reason: 'target loss 5 reached',
    });
  });

  it('stops early once the held-out loss gets no lower', async () => {
    const diverging = { ...ticketsSpec, optimizer: { type: 'sgd' as const, rate: 30 } };
    const world = await worldWithDataset({
      ...diverging,
      batch: { ...ticketsSpec.batch, epochs: 200, patience: 2 },
    });
    expect((await runJob(world)).place?.reason).toContain('no lower loss for 2 epochs');
  });

  it('retrains on the samples of the journal', async () => {
    const world = createWorld();
    await deliver(world, sampleMessages(12));
    const { place } = await runJob(world, { ...start, dataset: 'journal', start: 'fresh' });
    expect(place?.epoch).toBe(4);
    expect(['promotion-sent', 'kept-champion']).toContain(place?.status);
  });

  it.each(['is missing', 'damaged'])(
    'ends, and says so, where an entry of the journal %s',
    async (damage) => {
      const world = createWorld({ ...ticketsSpec, online: { minibatch: 4, publishEvery: 1 } });
      for (const each of sampleMessages(3)) await deliver(world, [each]);
      const key = keys.entry(model, 1);
      world.store.remove(key);
      if (damage === 'damaged') await world.store.put(key, Buffer.from('nothing that one wrote'));
      const { place } = await runSlice(world, { ...start, dataset: 'journal' }, () => 100);
      expect(place.status).toBe('failed');
      expect(place.reason).toMatch(/journal\/0+1.*; restore it, and start another job$/);
      const progress = await world.store.get(keys.progress(model, 'first'));
      expect(Buffer.from(progress?.body ?? []).toString()).toContain('restore it');
    },
  );

  it('does not end once its promotion is sent, whatever is damaged then', async () => {
    const world = await worldWithDataset();
    const { place } = await runJob(world);
    await world.store.put(keys.job(model, 'first'), Buffer.from('nothing that one wrote'));
    const again = await runSlice(world, { ...start, slice: (place?.slice ?? 1) - 1 }, () => 100);
    expect(again.place.status).toBe('failed');
    const progress = await world.store.get(keys.progress(model, 'first'));
    expect(JSON.parse(Buffer.from(progress?.body ?? []).toString()).status).toBe('promotion-sent');
  });

  it('ends where its record is gone: another one would pin another stretch of the stream', async () => {
    const world = await worldWithDataset();
    world.store.remove(keys.job(model, 'first'));
    const { place } = await runSlice(world, { ...start, slice: 2 }, () => 100);
    expect(place).toMatchObject({ status: 'failed', reason: expect.stringContaining('is gone') });
    expect(await world.store.get(keys.job(model, 'first'))).toBeUndefined();
  });

  it('counts rows that cannot be learnt, keeps examples with their reasons, and learns the others', async () => {
    const world = createWorld({ ...ticketsSpec, batch: { refusedShare: 0.5 } });
    const csv =
      'urgency,team,label\n1,red,true\nmany,blue,false\n3,blue,0\n4,red,1\n5,,1\n6,red,maybe\n';
    await world.store.put(`${keys.dataset('past')}rows.csv`, Buffer.from(csv));
    const { rows, refusedRows } = await runSlice(world, start, () => 100);
    expect([rows, refusedRows]).toEqual([3, 3]);
    const record = await world.store.get(keys.quarantine(model, 'first'));
    expect(JSON.parse(Buffer.from(record?.body ?? []).toString()).refused).toMatchObject([
      { index: 1, field: 'features.urgency', file: 'datasets/past/rows.csv', line: 3 },
      { index: 4, field: 'features.team' },
      { index: 5, field: 'label' },
    ]);
  });

  it.each([
    ['there is no object below s3://memory/datasets/past/', {}],
    [
      'the dataset has no row that can be learnt (0 rows; it has no rows)',
      { 'rows.csv': 'urgency,team,label\n' },
    ],
    ['its name must end with .jsonl', { 'rows.txt': 'x' }],
    ['datasets/past/rows.jsonl, line 1, row: the line: must be JSON', { 'rows.jsonl': '{' }],
  ])('ends as failed, and says why: %s', async (reason, files: Record<string, string>) => {
    const world = createWorld();
    for (const [name, text] of Object.entries(files)) {
      await world.store.put(`${keys.dataset('past')}${name}`, Buffer.from(text));
    }
    const { place } = await runSlice(world, start, () => 100);
    expect(place.status).toBe('failed');
    expect(place.reason).toContain(reason);
    const progress = await world.store.get(keys.progress(model, 'first'));
    expect(Buffer.from(progress?.body ?? []).toString()).toContain('failed');
  });

  it('refuses a job for a model that does not exist, and one that exists with other settings', async () => {
    const world = await worldWithDataset();
    await expect(runSlice(world, { ...start, model: 'nobody' }, () => 100)).rejects.toThrow(
      /there is no model nobody/,
    );
    await runSlice(world, start, () => 100);
    const { place } = await runSlice(world, { ...start, dataset: 'other' }, () => 100);
    expect(place.reason).toMatch(/job first exists with dataset past/);
  });
});
