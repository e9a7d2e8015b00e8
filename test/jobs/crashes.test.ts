import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import type { JobMessage } from '../../lib/jobs/job-message.ts';
import { readProgress } from '../../lib/jobs/progress.ts';
import { runSlice } from '../../lib/jobs/slice.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import type { State } from '../../lib/state/state.ts';
import { promote, runJob, start, worldWithDataset } from '../support/jobs.ts';
import {
  deliver,
  foldJournal,
  message,
  modelOf,
  sampleMessages,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;

async function parametersAfter(
  world: World,
): Promise<Pick<State, 'tensors' | 'statistics' | 'step'>> {
  const { tensors, statistics, step } = await foldJournal(world);
  return { tensors, statistics, step };
}

/** What a job says of itself, but for when it said so. */
async function reportOf(world: World) {
  const { time: _, ...report } = (await readProgress(world.store, model, 'first')) ?? {};
  return report;
}

/** A row with a team that the spec does not know. */
const strange = { ...ticket(1).features, team: 'mauve', label: true };

describe('a batch job whose slices crash or run twice', () => {
  it('ends in the same bits however it is cut into slices', async () => {
    const whole = await worldWithDataset();
    await runJob(whole);
    await promote(whole);
    const expected = await parametersAfter(whole);
    for (const [name, slice, expectedSlices] of [
      ['one epoch a slice', { epochs: 1 }, 4],
      // The first one prepares the rows.
      ['one call of the engine a slice', { seconds: 1e-9 }, 5],
    ] as const) {
      const cut = await worldWithDataset({
        ...ticketsSpec,
        batch: { ...ticketsSpec.batch, slice },
      });
      const { slices } = await runJob(cut);
      expect(slices, name).toBe(expectedSlices);
      await promote(cut);
      expect(await parametersAfter(cut), name).toEqual(expected);
    }
  });

  it('ends in the same bits and with the same report wherever a slice crashes', async () => {
    const worldWithBadRows = async () => {
      const world = await worldWithDataset();
      const rows = ['{"urgency":"many","team":"red","label":true}', JSON.stringify(strange)];
      await world.store.put(`${keys.dataset('past')}worse.jsonl`, Buffer.from(rows.join('\n')));
      return world;
    };
    const undisturbed = await worldWithBadRows();
    let calls = 0;
    undisturbed.store.hook = () => void calls++;
    await runJob(undisturbed);
    await promote(undisturbed);
    const expected = await parametersAfter(undisturbed);
    const report = await reportOf(undisturbed);
    expect(report).toMatchObject({ rows: 34, refusedRows: 1, unknown: { team: 1 } });
    for (let crashAt = 0; crashAt < calls; crashAt += 1) {
      const world = await worldWithBadRows();
      let call = 0;
      world.store.hook = () => {
        if (call++ === crashAt) throw new Error('the machine is gone');
      };
      for (let attempt = 0; attempt < 3; attempt++) await runJob(world).catch(() => undefined);
      await promote(world).catch(() => undefined);
      await promote(world);
      world.store.hook = () => undefined;
      expect(await parametersAfter(world), `crash at call ${crashAt}`).toEqual(expected);
      expect(await reportOf(world), `crash at call ${crashAt}`).toEqual(report);
    }
  });

  it('reports the same once it failed for its rows, and was delivered again', async () => {
    const world = await worldWithDataset(ticketsSpec, 10);
    const worse = `${keys.dataset('past')}worse.jsonl`;
    const bad = Array.from({ length: 9 }, () => '{"urgency":"many","team":"red","label":true}');
    await world.store.put(worse, Buffer.from(bad.join('\n')));
    await runJob(world);
    const report = await reportOf(world);
    expect(report).toMatchObject({ status: 'failed', rows: 10, refusedRows: 9 });
    await runSlice(world, start, () => 100);
    expect(await reportOf(world)).toEqual(report);
  });

  it('reports the same once its last slice was delivered again', async () => {
    const world = await worldWithDataset();
    await runJob(world);
    const report = await reportOf(world);
    await runSlice(world, start, () => 100);
    expect(await reportOf(world)).toEqual(report);
  });

  it('goes on where a faster run of a slice died after writing its lane', async () => {
    const world = await worldWithDataset({
      ...ticketsSpec,
      batch: { ...ticketsSpec.batch, slice: { epochs: 1 } },
    });
    const dying: World = { ...world, sendJob: () => Promise.reject(new Error('it died')) };
    let hasRaced = false;
    const slower: World = {
      ...world,
      store: {
        ...world.store,
        async get(key, part) {
          const object = await world.store.get(key, part);
          if (key === keys.lane(model, 'first') && !hasRaced) {
            hasRaced = true;
            await expect(runSlice(dying, start, () => 100)).rejects.toThrow('it died');
            // The slower run starts from a later champion, so its lane is another.
            await deliver(world, sampleMessages(2));
          }
          return object;
        },
      },
    };
    await runSlice(slower, start, () => 100);
    expect(world.sentJobs.map(({ deduplication }) => deduplication)).toEqual([`${model}:first:1`]);
  });

  it('that failed in one run is not gone on with by a slower one', async () => {
    const world = await worldWithDataset();
    await deliver(world, sampleMessages(6));
    const nightly: JobMessage = { ...start, job: 'nightly', dataset: 'journal' };
    let hasRaced = false;
    const slower: World = {
      ...world,
      store: {
        ...world.store,
        async get(key, part) {
          if (key.endsWith('held-out.safetensors') && !hasRaced) {
            hasRaced = true;
            const without = { messages: [sampleMessages(1)[0]?.id ?? ''], samples: [] };
            const { retract } = await prepareRetraction(world, await modelOf(world), without);
            await deliver(world, [message(900, { retract })]);
            expect((await runSlice(world, nightly, () => 100)).place.status).toBe('failed');
          }
          return world.store.get(key, part);
        },
      },
    };
    const { place } = await runSlice(slower, nightly, () => 100);
    expect(place).toMatchObject({
      status: 'failed',
      reason: expect.stringContaining('entry 2 retracted samples'),
    });
    expect(world.sentSamples).toEqual([]);
    expect((await runSlice(world, nightly, () => 100)).place).toEqual(place);
    const progress = await world.store.get(keys.progress(model, 'nightly'));
    expect(Buffer.from(progress?.body ?? []).toString()).toContain('"failed"');
  });
});
