import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { currentModel } from '../../lib/fold/current-model.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { readEntry } from '../../lib/journal/reading.ts';
import { changeSpec, prepareSpec, sendSpec } from '../../lib/operations/change-spec.ts';
import { verifyModel } from '../../lib/operations/verify.ts';
import { defineSpec, type SpecInput } from '../../lib/spec/spec.ts';
import {
  change,
  command,
  deliverSent,
  early,
  faster,
  late,
  name,
  other,
  worldWith,
} from '../support/changed.ts';
import { promote, runJob, start, worldWithDataset } from '../support/jobs.ts';
import {
  deliver,
  foldJournal,
  message,
  modelOf,
  sampleMessages,
  ticketsSpec,
} from '../support/world.ts';

describe('a spec that is not changed', () => {
  it('is refused with what is wrong, before anything is written', async () => {
    const world = await worldWith(ticketsSpec, early);
    const before = [...world.store.objects.keys()].filter((key) => !key.startsWith('compiled/'));
    const refused: [SpecInput, RegExp][] = [
      [ticketsSpec, /it is the one that tickets has/],
      [{ ...ticketsSpec, model: 'others' }, /spec\.model: must stay tickets \(found others\)/],
      [{ ...other, task: 'regression' }, /spec\.task: must stay binary.*found regression/],
      [{ ...other, network: { hidden: [0] } }, /spec\.network/],
      [
        { ...other, features: { never: { type: 'number' } } },
        /can learn none of the 16 samples of tickets: features\.never: missing.*create another/,
      ],
    ];
    for (const [spec, reason] of refused)
      await expect(prepareSpec(world, name, spec)).rejects.toThrow(reason);
    await expect(prepareSpec(world, 'nobody', other)).rejects.toThrow('there is no model nobody');
    const after = [...world.store.objects.keys()].filter((key) => !key.startsWith('compiled/'));
    expect(after).toEqual(before);
  });

  it('leaves out what it cannot learn, and says so', async () => {
    const world = await worldWith(ticketsSpec, early);
    // Teams are no numbers, but for one.
    const team = { type: 'number' } as const;
    const odd = { samples: [{ features: { urgency: 2, team: '7' }, label: true }] };
    await deliver(world, [message(500, odd)]);
    const numbers = { ...ticketsSpec, features: { ...ticketsSpec.features, team } };
    const { compared } = await change(world, numbers);
    const [all, some] = compared ?? [];
    expect((some?.samples ?? 0) + (some?.refused ?? 0)).toBe(all?.samples);
    expect(some?.refused).toBeGreaterThan(0);
    await deliver(world, late);
    expect((await readQuarantine(world.store, name)).length).toBeGreaterThan(0);
    expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({ isSame: true });
  });

  it('says which jobs learnt what the journal does not hold', async () => {
    const world = await worldWithDataset();
    await deliver(world, early);
    await runJob(world);
    await promote(world);
    expect(await prepareSpec(world, name, other)).toMatchObject({
      from: 'journal',
      leftOut: ['first'],
    });
    expect(await prepareSpec(world, name, faster)).not.toHaveProperty('leftOut');
  });

  it('goes to quarantine where other weights came in between, and the queue goes on', async () => {
    const world = await worldWith(ticketsSpec, early);
    const first = await prepareSpec(world, name, other);
    await deliver(world, [message(800, { rollback: { to: 3 } })]);
    await sendSpec(world, first);
    await deliverSent(world);
    const second = await prepareSpec(world, name, other);
    await change(world, faster);
    await sendSpec(world, second);
    await deliverSent(world);
    const forged = {
      job: 'spec-none',
      digest: 'a'.repeat(64),
      to: 'b'.repeat(64),
      from: 'journal',
    };
    await deliver(world, [command({ spec: forged }), ...late]);
    const codes = (await readQuarantine(world.store, name)).map(({ refused }) => refused[0]?.code);
    expect(codes.sort()).toEqual(['no-such-spec', 'replaced-since', 'spec-changed-since']);
    expect((await foldJournal(world)).learnt).toBe(30);
  });

  it('is changed once, however often its command comes', async () => {
    const world = await worldWith(ticketsSpec, early);
    await changeSpec(world, name, other);
    const [{ body } = { body: '' }] = world.sentSamples;
    await deliver(world, [message(900, body)]);
    await deliver(world, [message(900, body)]);
    await deliver(world, [message(901, body)]);
    expect(await readEntry(world.store, name, 9)).toMatchObject({
      header: { kind: 'samples', messages: [{ outcome: 'rejected' }] },
    });
    const { model, state } = await currentModel(world, name);
    expect(state).toMatchObject({ sequence: 9, specSince: 8 });
    expect(model.spec).toEqual(JSON.parse(JSON.stringify(defineSpec(other))));
  });
});

describe('a batch job beside a change of spec', () => {
  it('ends with the reason if it began before, and works if it began after', async () => {
    const world = await worldWithDataset();
    for (const each of early) await deliver(world, [each]);
    const { place } = await runJob(world, start, undefined, async () => {
      world.sentJobs.splice(0);
    });
    expect(place?.status).toBe('promotion-sent');
    const promotion = world.sentSamples.splice(0);
    await change(world, other);
    world.sentSamples.push(...promotion);
    await promote(world, 5_000);
    expect((await readQuarantine(world.store, name))[0]?.refused[0]).toMatchObject({
      code: 'no-challenger',
      reason: expect.stringMatching(/does not fit the spec that holds/),
    });
    world.sentSamples.splice(0);
    for (const [i, dataset] of ['past', 'journal'].entries()) {
      const job = `after-${dataset}`;
      const own = await runJob(world, { ...start, job, dataset, start: 'fresh' });
      expect(own.place?.reason ?? '').not.toMatch(/spec/);
      expect(['promotion-sent', 'kept-champion']).toContain(own.place?.status);
      if (own.place?.status === 'promotion-sent') await promote(world, 5_001 + i);
      world.sentSamples.splice(0);
    }
    expect(await verifyModel(world, await modelOf(world), true)).toMatchObject({ isSame: true });
  });

  it('fails in mid-job where the spec changes, and is not sent for ever', async () => {
    const sliced = { ...ticketsSpec, batch: { ...ticketsSpec.batch, slice: { epochs: 1 } } };
    const world = await worldWithDataset(sliced);
    for (const each of early) await deliver(world, [each]);
    const { place } = await runJob(world, start, undefined, async () => {
      const jobs = world.sentJobs.splice(0);
      await change(world, { ...other, batch: sliced.batch });
      world.sentJobs.push(...jobs);
    });
    expect(place).toMatchObject({ status: 'failed', reason: expect.stringMatching(/spec/) });
  });

  it('stops, and comes back, where somebody wrote over spec.json', async () => {
    const world = await worldWithDataset();
    for (const each of early) await deliver(world, [each]);
    await change(world, other);
    const forged = { ...ticketsSpec, seed: 9 };
    await world.store.put(keys.spec(name), Buffer.from(JSON.stringify(forged)));
    await expect(deliver(world, late)).resolves.toMatchObject({ settled: late.length });
    await world.store.remove(keys.state(name));
    for (const { key } of await world.store.list(keys.checkpoints(name))) world.store.remove(key);
    await expect(deliver(world, sampleMessages(13, 'till-1').slice(12))).rejects.toMatchObject({
      code: 'spec-changed',
    });
  });
});
