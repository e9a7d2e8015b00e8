import type { ObjectStore } from '../bucket/object-store.ts';
import { bytesOfObject } from '../datasets/byte-source.ts';
import type { SampleSource } from '../datasets/prepare.ts';
import { readSamples } from '../datasets/read-samples.ts';
import { exclusionsOf, samplesWithout } from '../fold/exclusions.ts';
import { currentState } from '../fold/fold.ts';
import { entriesAfter, readHeader } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
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
    return { identity: objects, samples: () => pinnedSamples(ports, model, record) };
  return {
    identity: await identityOfJournal(ports.store, record),
    samples: () => journalSamples(ports, model, sequence),
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

async function* pinnedSamples({ store }: Ports, { spec }: Model, { objects }: JobRecord) {
  for (const object of objects)
    yield* readSamples(spec, { name: object.key, bytes: bytesOfObject(store, object) });
}

async function* journalSamples(ports: Ports, model: Model, to: number) {
  const { store } = ports;
  const retracted = await exclusionsOf(store, await currentState(ports, model), to);
  const journal = entriesAfter(store, model.name, 0, { to, ahead: limits.readsAtOnce });
  for await (const entry of journal) yield { samples: samplesWithout(entry, retracted).flat() };
}
