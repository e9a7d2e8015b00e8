import { keys } from '../../lib/bucket/keys.ts';
import { type JobMessage, parseJobMessage } from '../../lib/jobs/job-message.ts';
import { runSlice } from '../../lib/jobs/slice.ts';
import type { SpecInput } from '../../lib/spec/spec.ts';
import { createWorld, deliver, message, ticket, ticketsSpec, type World } from './world.ts';

const { model } = ticketsSpec;

/** A world with a dataset `past` of tickets. */
export async function worldWithDataset(spec: SpecInput = ticketsSpec, rows = 40): Promise<World> {
  const world = createWorld(spec);
  const lines = Array.from({ length: rows }, (_, i) => ({
    ...ticket(i).features,
    label: ticket(i).label,
  }));
  const text = lines.map((line) => JSON.stringify(line)).join('\n');
  await world.store.put(`${keys.dataset('past')}rows.jsonl`, Buffer.from(text));
  return world;
}

/** The message that starts a job over it. */
export const start: JobMessage = {
  model,
  job: 'first',
  dataset: 'past',
  start: 'champion',
  slice: 0,
};

/** Runs a job's slices as the queue would; `meanwhile` happens after the first of them. */
export async function runJob(
  world: World,
  first = start,
  secondsLeft = () => 100,
  meanwhile: () => Promise<void> = async () => undefined,
) {
  let next: JobMessage | undefined = first;
  let slices = 0;
  let result: Awaited<ReturnType<typeof runSlice>> | undefined;
  while (next !== undefined && slices < 1_000) {
    world.sentJobs.length = 0;
    result = await runSlice(world, next, secondsLeft);
    slices += 1;
    if (slices === 1) await meanwhile();
    const [sent] = world.sentJobs;
    next = sent === undefined ? undefined : parseJobMessage(sent.body, 'unused');
  }
  return { place: result?.place, slices };
}

/** Delivers the promotion that a job sent. */
export async function promote(world: World, sequenceNumber = 1_000) {
  const [promotion] = world.sentSamples;
  if (promotion === undefined) throw new Error('the job sent no promotion');
  return deliver(world, [message(sequenceNumber, promotion.body)]);
}
