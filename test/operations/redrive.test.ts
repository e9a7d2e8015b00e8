import { describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { MillraceError } from '../../lib/errors.ts';
import { readQuarantine } from '../../lib/journal/quarantine.ts';
import { limits } from '../../lib/limits.ts';
import type { Message } from '../../lib/online/messages.ts';
import { createRedrive } from '../../lib/operations/redrive.ts';
import { retryQuarantine } from '../../lib/operations/retry.ts';
import {
  createWorld,
  deliver,
  foldJournal,
  message,
  ticket,
  ticketsSpec,
} from '../support/world.ts';

const letters = [
  message(1, { samples: [ticket(1)] }),
  message(2, { producer: 'till', seq: 1, samples: [ticket(2)] }),
  message(3, { samples: [ticket(3)] }),
];

describe('a redrive of dead letters', () => {
  it('that breaks off anywhere and is done again sends each message under the same number', async () => {
    for (let sends = 0; sends <= letters.length; sends++) {
      const world = createWorld();
      const breaking = {
        ...world,
        async sendSamples(each: Parameters<typeof world.sendSamples>[0]) {
          if (world.sentSamples.length === sends)
            throw new MillraceError('unavailable', 'SQS is away');
          await world.sendSamples(each);
        },
      };
      await createRedrive(breaking)(letters).catch(() => undefined);
      // Those that were sent are learnt; nobody removed their letters.
      await deliver(
        world,
        world.sentSamples.map(({ body }, i) => message(100 + i, body)),
      );
      world.sentSamples.length = 0;
      expect((await createRedrive(world)(letters)).sent).toHaveLength(letters.length);
      await deliver(
        world,
        world.sentSamples.map(({ body }, i) => message(200 + i, body)),
      );
      expect((await foldJournal(world)).learnt).toBe(letters.length);
    }
  });

  it('learns a letter once whose last delivery is still running, whichever of the two is faster', async () => {
    const [letter] = letters;
    if (letter === undefined) throw new Error('there is a letter');
    for (const order of [
      ['redriven', 'letter'],
      ['letter', 'redriven'],
      ['both'],
      ['both the other way'],
    ]) {
      const world = createWorld();
      await createRedrive(world)([letter]);
      const redriven = message(100, world.sentSamples[0]?.body ?? '');
      const deliveries: Readonly<Record<string, readonly Message[]>> = {
        redriven: [redriven],
        letter: [letter],
        both: [redriven, letter],
        'both the other way': [letter, redriven],
      };
      for (const each of order) {
        expect(await deliver(world, deliveries[each] ?? [])).toMatchObject({
          settled: deliveries[each]?.length,
        });
      }
      // The promises hold in each fold: what the ledger knows comes from the journal.
      expect((await foldJournal(world)).learnt, order.join()).toBe(1);
      await deliver(world, [redriven, letter]);
      expect((await foldJournal(world)).learnt, order.join()).toBe(1);
      expect(await readQuarantine(world.store, ticketsSpec.model)).toEqual([]);
    }
  });

  it('that waited for too many entries is refused, and sent again by a retry if it was not learnt', async () => {
    for (const isFaster of [true, false]) {
      const world = createWorld(ticketsSpec, { deadLetterEntries: 2 });
      const [letter] = letters;
      if (letter === undefined) throw new Error('there is a letter');
      await createRedrive(world)([letter]);
      const redriven = message(100, world.sentSamples[0]?.body ?? '');
      if (isFaster) await deliver(world, [letter]);
      for (let seq = 1; seq <= 3; seq++)
        await deliver(world, [
          message(200 + seq, { producer: 'till', seq, samples: [ticket(seq)] }),
        ]);
      await deliver(world, [redriven]);
      expect(await readQuarantine(world.store, ticketsSpec.model)).toMatchObject([
        {
          refused: [
            { reason: expect.stringContaining('more than 2 entries came since it was redriven') },
          ],
        },
      ]);
      world.sentSamples.length = 0;
      expect((await retryQuarantine(world, ticketsSpec.model)).sent).toBe(isFaster ? 0 : 1);
      await deliver(
        world,
        world.sentSamples.map(({ body }, i) => message(300 + i, body)),
      );
      await deliver(world, [letter]);
      expect((await foldJournal(world)).learnt).toBe(4);
    }
  });

  it('leaves a command whose sender is not known, and sends that of an operator as a command', async () => {
    const world = createWorld();
    const commands: string[] = [];
    const sendCommand: typeof world.sendCommand = async ({ body }) => void commands.push(body);
    const letter = message(1, { rollback: { to: 0 } });
    const redrive = createRedrive({ ...world, sendCommand });
    const unknown = { ...letter, isOfProducer: true };
    expect(await redrive([unknown])).toMatchObject({
      sent: [],
      left: [{ letter: unknown, reason: expect.stringContaining('it is a command') }],
    });
    expect((await redrive([{ ...letter, isOfProducer: false }])).sent).toHaveLength(1);
    expect(commands.map((body) => JSON.parse(body))).toMatchObject([{ rollback: { to: 0 } }]);
    expect(world.sentSamples).toEqual([]);
  });

  it('sends letters under numbers that nobody else can have used', async () => {
    const world = createWorld();
    await deliver(world, [message(90, { producer: 'resend-1', seq: 1, samples: [ticket(9)] })]);
    await createRedrive(world)([message(1, { samples: [ticket(1)] })]);
    const [sent] = world.sentSamples;
    await deliver(world, [message(100, sent?.body ?? '')]);
    expect((await foldJournal(world)).learnt).toBe(2);
  });

  it('leaves out what was settled before it died, also when it is settled between two batches', async () => {
    const world = createWorld();
    const [first, numbered, last] = letters;
    if (first === undefined || numbered === undefined || last === undefined)
      throw new Error('three letters');
    const redrive = createRedrive(world);
    await deliver(world, [first]);
    expect(await redrive([first, numbered])).toEqual({
      sent: [numbered],
      settled: [first],
      left: [],
    });
    await deliver(world, [last]);
    expect(await redrive([last])).toEqual({ sent: [], settled: [last], left: [] });
  });

  it('sends what can never be learnt as it was, and leaves what has no room for a number', async () => {
    const world = createWorld();
    const broken = message(1, '{"samples":');
    const padding = limits.messageBytes - JSON.stringify({ samples: [{ padding: '' }] }).length;
    const full = message(2, { samples: [{ padding: 'x'.repeat(padding) }] });
    expect((await createRedrive(world)([broken, full])).left).toEqual([
      { letter: full, reason: expect.stringContaining('it would have more than 1048576 bytes') },
    ]);
    expect(world.sentSamples.map(({ body, deduplication }) => ({ body, deduplication }))).toEqual([
      { body: broken.body, deduplication: broken.id },
    ]);
  });

  it('that breaks off sends what cannot be read under one number, too: a retry learns it once', async () => {
    const world = createWorld();
    const columns = { features: { urgency: [2], team: ['red'] }, label: [true] };
    const letter = message(1, { producer: 'till', seq: 1, samples: [ticket(1)], columns });
    for (const time of [1, 2]) {
      await createRedrive(world)([letter]);
      const [sent] = world.sentSamples.splice(0);
      await deliver(world, [message(100 + time, sent?.body ?? '')]);
    }
    expect(await readQuarantine(world.store, ticketsSpec.model)).toHaveLength(1);
    await retryQuarantine(world, ticketsSpec.model);
    await deliver(
      world,
      world.sentSamples.map(({ body }, i) => message(200 + i, body)),
    );
    // The producer's own number is still free for what he mends.
    await deliver(world, [message(300, { producer: 'till', seq: 1, samples: [ticket(3)] })]);
    expect((await foldJournal(world)).learnt).toBe(3);
  });

  it('finds room for a number in columns, and learns a message that was full once', async () => {
    const [one = ''] = [JSON.stringify(ticket(1))];
    const most = Math.floor((limits.messageBytes - 20) / (one.length + 1));
    const samples = Array.from({ length: most }, () => ticket(1));
    const letter = message(1, { samples });
    expect(limits.messageBytes - letter.body.length).toBeLessThan(100);
    const world = createWorld();
    for (const time of [1, 2]) {
      expect((await createRedrive(world)([letter])).sent).toEqual([letter]);
      const [sent] = world.sentSamples.splice(0);
      expect(JSON.parse(sent?.body ?? '')).toMatchObject({ columns: {}, seq: 1 });
      await deliver(world, [message(100 + time, sent?.body ?? '')]);
    }
    await deliver(world, [letter]);
    const { sequence, learnt } = await foldJournal(world);
    expect({ sequence, learnt }).toEqual({ sequence: 1, learnt: most });
  });

  it('does a command of the commands queue once, and sends nothing else of it', async () => {
    const world = createWorld();
    await deliver(world, [message(50, { samples: [ticket(1)] })]);
    const commands: string[] = [];
    const sendCommand: typeof world.sendCommand = async ({ body }) => void commands.push(body);
    const letter = message(1, { rollback: { to: 0 } });
    const stray = message(2, { samples: [ticket(2)] });
    for (const time of [1, 2]) {
      const redrive = createRedrive({ ...world, sendCommand }, 'commands');
      expect(await redrive([letter, stray])).toMatchObject({
        sent: [letter],
        left: [{ letter: stray, reason: expect.stringContaining('it is no command, and others') }],
      });
      // The relay hands it on.
      await deliver(world, [message(100 + time, commands.at(-1) ?? '')]);
      await deliver(world, [message(200 + time, { samples: [ticket(2 + time)] })]);
    }
    expect(commands).toHaveLength(2);
    expect(world.sentSamples).toEqual([]);
    // The first sample is out of the weights, the second is not.
    expect(await foldJournal(world)).toMatchObject({ sequence: 4, learnt: 3 });
  });

  it('leaves letters of models that do not exist, or are stopped, and sends those of others', async () => {
    const world = createWorld();
    const strays = ['nobody', '../tickets', ''].map((group) => ({ ...message(1, {}), group }));
    await world.store.put(keys.spec('stopped'), Buffer.from(JSON.stringify(ticketsSpec)));
    await world.store.put(keys.entry('stopped', 1), Buffer.from('no entry'));
    const stopped = { ...message(9, { samples: [ticket(9)] }), group: 'stopped' };
    const { sent, left } = await createRedrive(world)([...strays, stopped, ...letters]);
    expect(sent).toEqual(letters);
    expect(left.map(({ letter }) => letter)).toEqual([...strays, stopped]);
    expect(left.map(({ reason }) => reason)).toEqual([
      expect.stringContaining('there is no model nobody; create it'),
      'no model can be called "../tickets"; drop it',
      'no model can be called ""; drop it',
      expect.stringContaining('models/stopped/journal/000000000001 is no journal entry'),
    ]);
    expect(world.sentSamples).toHaveLength(letters.length);
  });
});
