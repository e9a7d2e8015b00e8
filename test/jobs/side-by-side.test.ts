import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { keys } from '../../lib/bucket/keys.ts';
import { readPart } from '../../lib/datasets/manifest.ts';
import { readOrPlanParts } from '../../lib/datasets/parts.ts';
import { type JobMessage, parseJobMessage } from '../../lib/jobs/job-message.ts';
import { readLane } from '../../lib/jobs/lane.ts';
import { runPart } from '../../lib/jobs/run-part.ts';
import { runSlice } from '../../lib/jobs/slice.ts';
import { start } from '../support/jobs.ts';
import { createWorld, modelOf, ticket, ticketsSpec, type World } from '../support/world.ts';

const { model } = ticketsSpec;
const { job } = start;

const inputSchema = z.object({
  plan: z.string(),
  next: z.object({ body: z.string(), group: z.string(), deduplication: z.string() }),
});

/** A stack: a world, its queue of jobs, and the executions of its state machine. */
async function createStack(batch = {}) {
  const spec = { ...ticketsSpec, batch: { ...ticketsSpec.batch, ...batch } };
  const world = createWorld(spec, { partBytes: 200 });
  const lines = Array.from({ length: 60 }, (_, i) =>
    JSON.stringify({ ...ticket(i).features, label: ticket(i).label }),
  );
  await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(lines.join('\n')));
  const queue: JobMessage[] = [start];
  const executions = new Map<string, string>();
  const own: World = {
    ...world,
    async sendJob({ body }) {
      queue.push(parseJobMessage(body, 'unused'));
    },
    async startParts({ name, input }) {
      if (!executions.has(name)) executions.set(name, input);
    },
  };
  return { world: own, queue, executions };
}

type Stack = Awaited<ReturnType<typeof createStack>>;

/** What goes wrong, drawn from a sequence that ends; then nothing does. */
type Chance = () => number;

/** Runs an execution: some parts fail for good, some come twice; then it sends the next slice. */
async function execute({ world, queue }: Stack, input: string, chance: Chance): Promise<void> {
  const { plan, next } = inputSchema.parse(JSON.parse(input));
  const parts = await readOrPlanParts(world, plan, [], await modelOf(world));
  for (const part of parts) {
    const luck = chance() % 4;
    if (luck === 1) continue;
    for (let times = luck === 2 ? 2 : 1; times > 0; times--) {
      const isShort = luck === 3;
      await runPart(world, { model, job, plan, part }, () => (isShort ? 0 : 100)).catch(
        () => undefined,
      );
    }
  }
  queue.push(parseJobMessage(next.body, 'unused'));
}

/** Runs a job to its end, and answers what it has learnt. */
async function runToEnd(stack: Stack, chances: readonly number[]) {
  const { world, queue, executions } = stack;
  let drawn = 0;
  const chance = () => chances[drawn++] ?? 0;
  let crashIn = Number.POSITIVE_INFINITY;
  world.store.hook = () => {
    if (crashIn-- === 0) throw new Error('the machine is gone');
  };
  const done = new Set<string>();
  for (let steps = 0; ; steps++) {
    expect(steps).toBeLessThan(400);
    const [name, input] = [...executions].find(([each]) => !done.has(each)) ?? [];
    if (name !== undefined && input !== undefined && (queue.length === 0 || chance() % 2 === 1)) {
      crashIn = Number.POSITIVE_INFINITY;
      await execute(stack, input, chance);
      done.add(name);
      continue;
    }
    const message = queue.shift();
    if (message === undefined) break;
    const luck = chance();
    crashIn = luck % 3 === 1 ? luck % 40 : Number.POSITIVE_INFINITY;
    const outcome = await runSlice(world, message, () => 100).catch(() => 'crashed' as const);
    // It comes back, or is delivered twice.
    if (outcome === 'crashed' || luck % 5 === 4) queue.unshift(message);
  }
  world.store.hook = () => undefined;
  const lane = await readLane(world, await modelOf(world), { job });
  return { parameters: lane?.lane.parameters, executions: executions.size };
}

describe('a job whose parts are prepared side by side', () => {
  it('leaves them to one execution, and learns what it would learn without', async () => {
    const { parameters, executions } = await runToEnd(await createStack(), []);
    expect(executions).toBe(1);
    const stack = await createStack();
    const { startParts: _, ...alone } = stack.world;
    const own = await runToEnd({ ...stack, world: alone }, []);
    expect(own.executions).toBe(0);
    expect(own.parameters).toEqual(parameters);
    // Rows of other parts are drawn otherwise.
    const hashes = [...alone.store.objects.keys()].flatMap((key) =>
      key.endsWith('/part.safetensors') ? [key.split('/')[1] ?? ''] : [],
    );
    const parts = await Promise.all(hashes.map((hash) => readPart(alone.store, hash)));
    const heldOut = parts.map((part) => {
      if (typeof part !== 'object') throw new Error('a part is damaged');
      return { rows: part.tally.rows, heldOut: part.heldOutRows };
    });
    expect(heldOut.length).toBeGreaterThan(9);
    const ofAllRows = Object.groupBy(heldOut, ({ rows }) => rows);
    const [most = []] = Object.values(ofAllRows).sort((x = [], y = []) => y.length - x.length);
    expect(new Set(most?.map((each) => each.heldOut)).size).toBeGreaterThan(1);
  });

  it('goes on where what was prepared is damaged meanwhile', async () => {
    const slice = { epochs: 1 };
    const { parameters } = await runToEnd(await createStack({ slice }), []);
    const stack = await createStack({ slice });
    const { world, queue, executions } = stack;
    // Until it has trained for an epoch.
    while (queue[0] !== undefined && queue[0].slice < 3) {
      const message = queue.shift();
      if (message !== undefined) await runSlice(world, message, () => 100);
      const [input] = executions.values();
      if (queue.length === 0 && input !== undefined) await execute(stack, input, () => 0);
    }
    expect(executions.size).toBe(1);
    for (const key of world.store.objects.keys())
      if (key.includes('/shard-')) await world.store.put(key, Buffer.from('damaged'));
    const [first = ''] = executions.keys();
    executions.delete(first);
    const own = await runToEnd(stack, []);
    expect(own.parameters).toEqual(parameters);
    expect(own.executions).toBe(1);
  });

  it('plans anew where the plan is damaged', async () => {
    const { parameters } = await runToEnd(await createStack(), []);
    const stack = await createStack();
    const { world, queue, executions } = stack;
    const { place } = await runSlice(world, start, () => 100);
    await world.store.put(place.parts?.plan ?? '', Buffer.from('['));
    // The state machine cannot read it, and sends the next slice.
    const [input = ''] = executions.values();
    executions.clear();
    queue.splice(0, 1, parseJobMessage(inputSchema.parse(JSON.parse(input)).next.body, 'unused'));
    expect((await runToEnd(stack, [])).parameters).toEqual(parameters);
  });

  it('heals what was prepared behind a cut within a row', async () => {
    // One of its lines looks like a row.
    const lines = [...Array.from({ length: 9 }, () => 'words'), '1,red,true,0', 'the end'];
    const cell = lines.join('\n');
    const row = (i: number) => `${ticket(i).features.urgency},red,${ticket(i).label},"${cell}"`;
    const rows = Array.from({ length: 40 }, (_, i) => row(i));
    const stackOf = async () => {
      const stack = await createStack({ slice: { epochs: 1 } });
      stack.world.store.remove(`${keys.dataset('past')}rows.jsonl`);
      const body = Buffer.from(['urgency,team,label,note', ...rows, ''].join('\n'));
      await stack.world.store.put(`${keys.dataset('past')}rows.csv`, body);
      return stack;
    };
    const { parameters } = await runToEnd(await stackOf(), []);
    const damaged = await stackOf();
    const { store } = damaged.world;
    await runToEnd(damaged, []);
    for (const key of store.objects.keys())
      if (/shard-|held-out/.test(key)) await store.put(key, Buffer.from('damaged'));
    store.remove(keys.lane(model, job));
    damaged.queue.push(start);
    damaged.executions.clear();
    const own = await runToEnd(damaged, []);
    expect(own.parameters).toEqual(parameters);
    expect(own.executions).toBe(1);
  });

  it('ends in the same bits whatever fails, dies, or comes twice', async () => {
    const { parameters } = await runToEnd(await createStack(), []);
    const chances = fc.array(fc.nat(59), { minLength: 10, maxLength: 120 });
    let executions = 0;
    await fc.assert(
      fc.asyncProperty(chances, async (drawn) => {
        const own = await runToEnd(await createStack(), drawn);
        expect(own.parameters).toEqual(parameters);
        executions += own.executions;
      }),
      { numRuns: 150 },
    );
    expect(executions).toBeGreaterThan(200);
  });

  it('ends with the reason of a part that cannot be read', async () => {
    const stack = await createStack();
    const { world, queue, executions } = stack;
    await runSlice(world, start, () => 100);
    queue.length = 0;
    await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from('{}\n'));
    const [input = ''] = executions.values();
    await execute(stack, input, () => 0);
    const next = queue.shift();
    if (next === undefined) throw new Error('the execution sent nothing');
    const { place } = await runSlice(world, next, () => 100);
    expect(place.status).toBe('failed');
    expect(place.reason).toContain('past/rows.jsonl was changed after the job began');
    expect(queue).toEqual([]);
  });
});
