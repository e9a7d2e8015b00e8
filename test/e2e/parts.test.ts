import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { keys } from '../../lib/bucket/keys.ts';
import { digestOf } from '../../lib/bucket/safetensors.ts';
import { prepareDataset } from '../../lib/datasets/prepare.ts';
import { readProgress } from '../../lib/jobs/progress.ts';
import { readJob } from '../../lib/jobs/record.ts';
import { sourceOf } from '../../lib/jobs/source.ts';
import { createModel } from '../../lib/model/create-model.ts';
import { environmentNames } from '../../lib/ports/address.ts';
import { startTestCloud, type TestCloud, until } from '../support/test-cloud.ts';
import { createWorld, modelOf, ticket, ticketsSpec } from '../support/world.ts';

const { model } = ticketsSpec;
const partBytes = 65_536;

const rowsOf = (from: number, count: number) =>
  Array.from({ length: count }, (_, i) => {
    const { features, label } = ticket(from + i);
    return `${features.urgency},${features.team},${label},"a note\nof two lines"`;
  });
const header = 'urgency,team,label,note';

describe('a large dataset, through the state machine', () => {
  let test: TestCloud;
  beforeAll(async () => {
    test = await startTestCloud(undefined, { [environmentNames.partBytes]: String(partBytes) });
    await createModel(test.ports, ticketsSpec);
    const files = { 'a.csv': rowsOf(0, 30_000), 'b.csv': rowsOf(30_000, 500) };
    for (const [name, rows] of Object.entries(files))
      await test.ports.store.put(
        `${keys.dataset('large')}${name}`,
        Buffer.from([header, ...rows, ''].join('\n')),
      );
  });
  afterAll(() => test.remove());

  it('is prepared side by side, with the same bytes, while functions die and the power is cut', async () => {
    await test.ports.sendJob({
      group: model,
      body: JSON.stringify({ model, job: 'large-1', dataset: 'large' }),
      deduplication: 'x',
    });
    const marks = async () =>
      (await test.ports.store.list('prepared/')).filter(({ key }) => /\/parts\/\d+$/.test(key));
    await until(async () => ((await marks()).length > 2 ? true : undefined));
    test.cloud.functions.get('prepare-part')?.kill();
    await until(async () => ((await marks()).length > 6 ? true : undefined));
    const crashed = test.cloud;
    test = await test.restart('crash');
    // Whoever stops it once more, as a test that failed does, waits for nothing.
    await crashed.stop();
    const ended = await until(async () => {
      const progress = await readProgress(test.ports.store, model, 'large-1');
      return progress?.status === 'promoted' || progress?.status === 'kept-champion'
        ? progress
        : undefined;
    });
    expect(ended.parts).toBeUndefined();
    expect(ended.refusedRows).toBe(0);
    // In memory, undisturbed, one part after another.
    const world = createWorld(ticketsSpec, { partBytes });
    for (const { key } of await test.ports.store.list('datasets/')) {
      const { body = new Uint8Array() } = (await test.ports.store.get(key)) ?? {};
      await world.store.put(key, body);
    }
    const record = await readJob(test.ports.store, model, 'large-1');
    if (record === undefined) throw new Error('the job has no record');
    const listed = await world.store.list('datasets/');
    expect(listed.map(({ etag }) => etag)).toEqual(record.objects.map(({ etag }) => etag));
    const own = await modelOf(world);
    const done = await prepareDataset(world, own, await sourceOf(world, own, record));
    expect(done).toMatchObject({
      isDone: true,
      prepared: { parts: { length: expect.any(Number) } },
    });
    const digests = async ({ store }: Pick<TestCloud['ports'], 'store'>) =>
      Promise.all(
        (await store.list('prepared/'))
          .filter(({ key }) => !key.endsWith('unfinished.safetensors'))
          .map(
            async ({ key }) =>
              `${key} ${digestOf((await store.get(key))?.body ?? Buffer.alloc(0))}`,
          ),
      );
    const expected = await digests(world);
    expect(expected.length).toBeGreaterThan(40);
    expect(await digests(test.ports)).toEqual(expected);
  });
});
