import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../lib/errors.ts';
import { limits } from '../../lib/limits.ts';
import { createRedrive } from '../../lib/training/redrive.ts';
import { createWorld, deliver, foldJournal, message, ticket } from '../simulation/world.ts';

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
          if (world.sentSamples.length === sends) throw new MillraceError('unavailable', 'SQS is away');
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

  it('leaves out what was settled before it died, also when it is settled between two batches', async () => {
    const world = createWorld();
    const [first, numbered, last] = letters;
    if (first === undefined || numbered === undefined || last === undefined) throw new Error('three letters');
    const redrive = createRedrive(world);
    await deliver(world, [first]);
    expect(await redrive([first, numbered])).toEqual({ sent: [numbered], settled: [first], left: [] });
    await deliver(world, [last]);
    expect(await redrive([last])).toEqual({ sent: [], settled: [last], left: [] });
  });

  it('sends what can never be learnt, or has no room for a number, as it was', async () => {
    const world = createWorld();
    const broken = message(1, '{"samples":');
    const padding = limits.messageBytes - JSON.stringify({ samples: [{ padding: '' }] }).length;
    const full = message(2, { samples: [{ padding: 'x'.repeat(padding) }] });
    await createRedrive(world)([broken, full]);
    expect(world.sentSamples.map(({ body, deduplication }) => ({ body, deduplication }))).toEqual(
      [broken, full].map(({ body, id }) => ({ body, deduplication: id })),
    );
  });

  it('leaves letters of models that do not exist, and sends nothing when it is dry', async () => {
    const world = createWorld();
    const strays = ['nobody', '../tickets', ''].map((group) => ({ ...message(1, {}), group }));
    const keys = [...world.store.objects.keys()];
    const redrive = createRedrive(world);
    expect(await redrive([...strays, ...letters], true)).toEqual({
      sent: letters,
      settled: [],
      left: strays,
    });
    expect(await redrive(strays)).toEqual({ sent: [], settled: [], left: strays });
    expect(world.sentSamples).toEqual([]);
    expect([...world.store.objects.keys()]).toEqual(keys);
  });
});
