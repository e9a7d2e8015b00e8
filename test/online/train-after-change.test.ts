import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../lib/errors.ts';
import { parseJobMessage } from '../../lib/jobs/job-message.ts';
import { type ModelCache, settleDelivery } from '../../lib/online/settle-delivery.ts';
import { defineSpec } from '../../lib/spec/spec.ts';
import { runJob } from '../support/jobs.ts';
import {
  createWorld,
  foldJournal,
  sampleMessages,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const specWith = (drift: object) =>
  defineSpec({ ...ticketsSpec, online: { minibatch: 2, drift: { confidence: 0.5, ...drift } } });

/** What was late is not any more. */
const changing = sampleMessages(60, 'till-1').map((each, i) => {
  const body: { samples: { label: boolean }[] } = JSON.parse(each.body);
  if (i >= 40) for (const sample of body.samples) sample.label = !sample.label;
  return { ...each, body: JSON.stringify(body) };
});

async function streamed(world: World): Promise<number> {
  const cache: ModelCache = new Map();
  let unsettled = 0;
  for (const each of changing) {
    const [outcome] = await settleDelivery(world, cache, [each], () => 100);
    unsettled += outcome?.unsettled.length ?? 0;
  }
  return unsettled;
}

describe('a stream that changes', () => {
  it('starts the batch job of its spec, once a day', async () => {
    const world = createWorld(specWith({ job: { dataset: 'journal', start: 'fresh' } }));
    expect(await streamed(world)).toBe(0);
    expect((await foldJournal(world)).drift?.found).toBeGreaterThan(0);
    const jobs = world.sentJobs.map(({ body }) => parseJobMessage(body, 'unused'));
    expect(new Set(jobs.map(({ job }) => job))).toEqual(new Set(['drift-2026-01-01']));
    expect(new Set(world.sentJobs.map(({ deduplication }) => deduplication)).size).toBe(1);
    const [first] = jobs;
    expect(first).toMatchObject({ dataset: 'journal', start: 'fresh', model: ticketsSpec.model });
    if (first === undefined) return;
    const { place } = await runJob(world, first);
    expect(['promotion-sent', 'kept-champion']).toContain(place?.status);
    // Sent again on the same day, it is the job that was done.
    expect((await runJob(world, first)).place?.epoch).toBe(place?.epoch);
  });

  it('starts none unless its spec wants it, and waits for none that cannot be sent', async () => {
    const plain = createWorld(specWith({}));
    expect(await streamed(plain)).toBe(0);
    expect(plain.sentJobs).toEqual([]);
    const world = createWorld(specWith({ job: {} }));
    const away: World = {
      ...world,
      sendJob: async () => {
        throw new MillraceError('unavailable', 'away');
      },
    };
    expect(await streamed(away)).toBe(0);
    expect((await foldJournal(away)).learnt).toBe((await foldJournal(plain)).learnt);
  });
});
