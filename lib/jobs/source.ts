import type { ObjectStore } from '../bucket/object-store.ts';
import { type SampleSource, samplesOfObjects } from '../datasets/source.ts';
import type { SampleChunk } from '../datasets/tally.ts';
import { exclusionsOf, samplesWithout } from '../fold/exclusions.ts';
import { currentState } from '../fold/fold.ts';
import { allOf } from '../journal/entry.ts';
import { entriesAfter, readHeader } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';
import type { JobRecord } from './record.ts';

/**
 * Where a job's samples come from: the objects that its record pins, or the journal up to the job's
 * start. A journal is known by its first entry: another model may have had the name before.
 */
export async function sourceOf(
  ports: Ports,
  model: Model,
  record: JobRecord,
): Promise<SampleSource> {
  const { objects, sequence } = record;
  if (objects.length > 0)
    return {
      identity: objects,
      objects,
      end: objects.length,
      samples: (from) => samplesOfObjects(ports.store, model.spec, objects, { from }),
    };
  return {
    identity: await identityOfJournal(ports.store, record),
    growing: async () => identityOfGrowing(ports.store, record, await currentState(ports, model)),
    end: sequence,
    samples: (from) => journalSamples(ports, model, sequence, from?.done),
  };
}

/** What the rows of a journal up to a job's start depend on. */
export async function identityOfJournal(
  store: ObjectStore,
  { model, sequence }: Pick<JobRecord, 'model' | 'sequence'>,
): Promise<unknown> {
  const first = await readHeader(store, model, 1);
  return { journal: model, nonce: first?.nonce, sequence };
}

/**
 * What the rows of a journal depend on, wherever it ends: what was retracted before the job's start
 * is none of them.
 */
export async function identityOfGrowing(
  store: ObjectStore,
  { model, sequence }: Pick<JobRecord, 'model' | 'sequence'>,
  { retractions }: Pick<State, 'retractions'>,
): Promise<unknown> {
  const first = await readHeader(store, model, 1);
  const without = retractions.map((each) => each.sequence).filter((each) => each <= sequence);
  return { growing: model, nonce: first?.nonce, without };
}

async function* journalSamples(
  ports: Ports,
  model: Model,
  to: number,
  done = 0,
): AsyncGenerator<SampleChunk> {
  const { store } = ports;
  const retracted = await exclusionsOf(store, await currentState(ports, model), to);
  const journal = entriesAfter(store, model.name, done, { to, ahead: limits.readsAtOnce });
  for await (const entry of journal) {
    const end = { done: entry.header.sequence };
    yield { samples: allOf(samplesWithout(entry, retracted)), end };
  }
}
