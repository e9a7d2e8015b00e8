import { bytesOfObject } from '../datasets/byte-source.ts';
import type { SampleSource } from '../datasets/prepare.ts';
import { readSamples } from '../datasets/read-samples.ts';
import { exclusionsOf, samplesWithout } from '../fold/exclusions.ts';
import { currentState } from '../fold/fold.ts';
import { entriesAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { JobRecord } from './record.ts';

/**
 * Where a job's samples come from: the objects that its record pins, or the journal up to the job's
 * start.
 */
export function sourceOf(ports: Ports, model: Model, record: JobRecord): SampleSource {
  const { objects, sequence } = record;
  return objects.length > 0
    ? { identity: objects, samples: () => pinnedSamples(ports, model, record) }
    : {
        identity: { journal: record.model, sequence },
        samples: () => journalSamples(ports, model, sequence),
      };
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
