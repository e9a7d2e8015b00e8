import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { SampleTable } from '../../lib/features/sample-table.ts';
import { sampleHash } from '../../lib/fold/exclusions.ts';
import { allOf } from '../../lib/journal/entry.ts';
import { entriesAfter, readEntry } from '../../lib/journal/reading.ts';
import { prepareRetraction } from '../../lib/operations/prepare-retraction.ts';
import { retryQuarantine } from '../../lib/operations/retry.ts';
import { createProducer } from '../../lib/ports/producer.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  modelOf,
  published,
  ticket,
  ticketsSpec,
  type World,
} from '../support/world.ts';

const { model } = ticketsSpec;

type Ticket = ReturnType<typeof ticket>;

/** The columns of samples, each of which has all fields. */
function columnsOf(samples: readonly Ticket[]) {
  return {
    features: {
      urgency: samples.map(({ features }) => features.urgency),
      team: samples.map(({ features }) => features.team),
    },
    label: samples.map(({ label }) => label),
  };
}

const tickets = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => ticket(from + i));

const odd = fc.constantFrom<unknown>(null, 'green', 'three', 3.5e38, {}, [1], '', -0, true);

/** A message of tickets, some of whose cells are something else. */
const someTickets = fc
  .tuple(
    fc.nat({ max: 90 }),
    fc.integer({ min: 1, max: 24 }),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom('urgency', 'team', 'label'), odd), {
      maxLength: 3,
    }),
    fc.boolean(),
  )
  .map(([from, count, changes, isNumbered]) => {
    const samples = structuredClone(tickets(from, count));
    for (const [place, name, value] of changes) {
      const own = samples[place % count];
      if (own) Object.assign(name === 'label' ? own : own.features, { [name]: value });
    }
    return { samples, isNumbered };
  });

async function quarantinedOf(world: World): Promise<readonly unknown[]> {
  const listed = await world.store.list(keys.quarantines(model));
  return Promise.all(
    listed.map(async ({ key }) => {
      const { body } = (await world.store.get(key)) ?? { body: new Uint8Array() };
      return JSON.parse(Buffer.from(body).toString('utf8'));
    }),
  );
}

async function learntOf(world: World): Promise<readonly (readonly unknown[])[]> {
  const learnt: (readonly unknown[])[] = [];
  for await (const { samples } of entriesAfter(world.store, model, 0))
    for (const own of samples) learnt.push([...own]);
  return learnt;
}

describe('a message of columns', () => {
  it('is learnt, refused and kept as the list that it stands for', async () => {
    let learnt = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(someTickets, { minLength: 1, maxLength: 4 }), async (messages) => {
        const worlds = [createWorld(), createWorld()];
        const bodies = messages.map(({ samples, isNumbered }, i) => {
          const number = isNumbered ? { producer: 'till', seq: i + 1 } : {};
          return [
            { ...number, samples },
            { ...number, columns: columnsOf(samples) },
          ];
        });
        for (const [place, world] of worlds.entries()) {
          const own = bodies.map((both, i) => message(i + 1, both[place]));
          await deliver(world, own.slice(0, 2));
          await deliver(world, own.slice(1));
        }
        const [lists, tables] = worlds as [World, World];
        expect(await published(tables)).toEqual(await published(lists));
        expect(await foldJournal(tables)).toEqual(await published(tables));
        expect(await quarantinedOf(tables)).toEqual(await quarantinedOf(lists));
        expect(await learntOf(tables)).toEqual(await learntOf(lists));
        learnt += (await published(tables)).learnt;
      }),
      { numRuns: 60 },
    );
    expect(learnt).toBeGreaterThan(500);
  });

  it('has the number of the list that was sent before it, or after', async () => {
    for (const place of [0, 1]) {
      const world = createWorld();
      const samples = tickets(0, 20);
      const bodies = [
        { producer: 'till', seq: 1, samples },
        { producer: 'till', seq: 1, columns: columnsOf(samples) },
      ];
      await deliver(world, [message(1, bodies[place])]);
      await deliver(world, [message(2, bodies[1 - place])]);
      expect((await published(world)).learnt).toBe(20);
      expect(await quarantinedOf(world)).toEqual([]);
    }
  });

  it('is a table in its entry, without the samples that were refused', async () => {
    const world = createWorld();
    const samples = tickets(0, 20);
    const columns = columnsOf(samples);
    Object.assign(columns.label, { 3: 'maybe' });
    await deliver(world, [message(1, { columns }), message(2, { samples })]);
    const entry = await readEntry(world.store, model, 1);
    expect(entry?.samples.map((own) => own instanceof SampleTable)).toEqual([true, false]);
    const [first = []] = entry?.samples ?? [];
    expect([...first]).toEqual(samples.filter((_, i) => i !== 3));
    expect(await quarantinedOf(world)).toMatchObject([
      { refused: [{ index: 3, field: 'label', sample: { ...samples[3], label: 'maybe' } }] },
    ]);
  });

  it('is what a producer sends of samples that are alike', async () => {
    const world = createWorld();
    const till = createProducer(world.sendSamples, model, 'till');
    const samples = tickets(0, 30);
    await till.send(samples);
    await till.send(samples.slice(0, 3));
    await till.send([...samples, { ...ticket(1), weight: 2 }]);
    const sent = world.sentSamples.map(({ body }) => JSON.parse(body));
    expect(sent.map((body) => Object.keys(body)[2])).toEqual(['columns', 'samples', 'samples']);
    expect(sent[0].columns).toEqual(columnsOf(samples));
    await deliver(
      world,
      world.sentSamples.map(({ body }, i) => message(i + 1, body)),
    );
    expect((await published(world)).learnt).toBe(30 + 3 + 31);
  });

  it('joins labels with the features that were asked under their ids', async () => {
    const world = createWorld();
    await deliver(world, [message(1, { columns: { id: ['a', 'b'], label: [true, false] } })]);
    expect(await quarantinedOf(world)).toMatchObject([
      {
        refused: [
          { index: 0, code: 'unknown-id', sample: { id: 'a', label: true } },
          { index: 1, code: 'unknown-id', sample: { id: 'b', label: false } },
        ],
      },
    ]);
  });

  it('is unlearnt sample by sample', async () => {
    const [world, without] = [createWorld(), createWorld()];
    const samples = tickets(0, 20);
    const left = samples.filter((each) => sampleHash(each) !== sampleHash(samples[4]));
    await deliver(world, [message(1, { columns: columnsOf(samples) })]);
    await deliver(without, [message(1, { columns: columnsOf(left) })]);
    const { retract } = await prepareRetraction(world, await modelOf(world), {
      messages: [],
      samples: [sampleHash(samples[4])],
    });
    await deliver(world, [message(2, { retract })]);
    expect((await published(world)).tensors).toEqual((await published(without)).tensors);
    const entry = await readEntry(world.store, model, 1);
    expect(allOf(entry?.samples ?? [])).toHaveLength(20);
  });

  it('is sent again as columns where it was refused as a whole', async () => {
    const world = createWorld(ticketsSpec, { gapsPerProducer: 1 });
    const body = { columns: columnsOf(tickets(0, 20)) };
    const at = (place: number, seq: number) => message(place, { producer: 'till', seq, ...body });
    await deliver(world, [at(1, 2), at(2, 4), at(3, 6)]);
    await deliver(world, [at(4, 1), at(5, 3), at(6, 5)]);
    world.sentSamples.length = 0;
    await retryQuarantine(world, model);
    const sent = world.sentSamples.map((each) => JSON.parse(each.body));
    expect(sent.length).toBeGreaterThan(0);
    for (const each of sent) expect(each.columns).toEqual(body.columns);
  });

  it('is sent again as columns of what was refused of it, whatever that has', async () => {
    const world = createWorld();
    const ids = Array.from({ length: 20 }, (_, i) => `id ${i}`);
    await deliver(world, [
      message(1, { columns: { id: ids, label: ids.map(() => true) } }),
      message(2, { columns: { features: { urgency: ids.map(() => [1, 2]) }, label: ids } }),
    ]);
    world.sentSamples.length = 0;
    const { left } = await retryQuarantine(world, model);
    expect(left).toMatchObject([{ reason: expect.stringContaining('refused again') }]);
    const [labels] = world.sentSamples.map((each) => JSON.parse(each.body));
    expect(labels.columns).toEqual({ id: ids, label: ids.map(() => true) });
  });

  it('is none of more samples than a message may have', async () => {
    const world = createWorld();
    const till = createProducer(world.sendSamples, model, 'till');
    await till.send(Array.from({ length: 100_001 }, () => ticket(1)));
    // (SQS refuses it, as it does any that is too large.)
    expect(world.sentSamples[0]?.body.slice(0, 40)).toContain('"samples"');
  });

  it.each([
    [{ columns: [] }, /body\.columns: must be an object of columns \(found \[\]\)/],
    [{ columns: { label: [] } }, /body\.columns: must hold at least one sample/],
    [{ columns: { label: [1] }, samples: [1] }, /columns: is another name for samples/],
    [{ columns: { label: [1] }, labels: [1] }, /labels: is another name for columns/],
    [
      { columns: { features: { 'a.b': [1, 2] }, label: [true] } },
      /body\.columns\.label: has 1 cells, where features\.a\.b has 2/,
    ],
    [{ columns: { label: Array(100_001).fill(1) } }, /body\.columns: at most 100000 samples/],
    [
      { columns: { features: { [`x${'y'.repeat(9_999)}`]: Array(9_000).fill(1) } } },
      /with 10015 bytes of names for each of its 9000 samples it would be a list of 90135000/,
    ],
  ])('is refused as a whole where it is none: %#', async (body, reason) => {
    const world = createWorld();
    await deliver(world, [message(1, body)]);
    const [record] = (await quarantinedOf(world)) as { refused: { reason: string }[] }[];
    expect(record).toMatchObject({ body: JSON.stringify(body), refused: [{ index: -1 }] });
    expect(record?.refused[0]?.reason).toMatch(reason);
  });
});
