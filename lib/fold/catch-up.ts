import type { ObjectStore } from '../bucket/object-store.ts';
import type { CaughtUp } from '../commands/command.ts';
import {
  commands,
  type EntryHeader,
  isReplacing,
  type ReplacingHeader,
} from '../commands/commands.ts';
import { assertSpec, samplesByMessage } from '../journal/entry.ts';
import { entriesAfter } from '../journal/reading.ts';
import { relearn } from '../model/learn.ts';
import type { Model } from '../model/model.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Parameters } from '../state/state.ts';

/** Parameters, and the entry up to which they have learnt the journal. */
export type Trained = { readonly parameters: Parameters; readonly caughtUp: number };

/** Asked between steps that are long together: whether there is no time for another. */
export type ShouldStop = () => boolean;

/** How far a journal is read. */
export type ForwardBounds = {
  /** The last entry; as far as the journal goes unless given. */
  readonly to?: number;
  /** Asked before each entry. */
  readonly shouldStop?: ShouldStop | undefined;
  /** Told of each entry that was applied. */
  readonly onEntry?: ((header: EntryHeader) => void) | undefined;
};

/**
 * Lets parameters learn the samples of the entries that they have not seen. Weights that other
 * commands put in place meanwhile are passed over: these parameters have learnt the same stream and
 * are to replace them.
 *
 * @returns the parameters, and the entry that they have reached; refused if an entry retracted what
 *   they may have learnt
 */
export async function catchUp(
  { store }: { readonly store: ObjectStore },
  model: Model,
  { parameters: start, caughtUp: from }: Trained,
  { to = Number.POSITIVE_INFINITY, shouldStop = () => false }: ForwardBounds = {},
): Promise<CaughtUp | Refused> {
  let parameters = start;
  let caughtUp = from;
  const passedOver: ReplacingHeader[] = [];
  for await (const entry of entriesAfter(store, model.name, from, { to })) {
    if (shouldStop()) break;
    const { header } = entry;
    assertSpec(header, model.specHash);
    const { weights } = commands[header.kind];
    if (weights === 'retracted') return retractedMeanwhile(header.sequence);
    if (isReplacing(header)) passedOver.push(header);
    for (const samples of samplesByMessage(entry)) {
      if (samples.length > 0) parameters = await relearn(model, parameters, samples);
    }
    caughtUp = header.sequence;
  }
  return { ok: true, parameters, caughtUp, passedOver };
}

/** Why weights that were begun before an entry's retraction cannot be used any more. */
export function retractedMeanwhile(sequence: number): Refused {
  const reason = `entry ${sequence} retracted samples that these weights may have learnt; start again`;
  return refuse('retracted-since', reason);
}
