import type { CaughtUp } from '../commands/command.ts';
import {
  commands,
  type EntryHeader,
  isReplacing,
  type ReplacingHeader,
} from '../commands/commands.ts';
import { ifOutOfTime, specChanged } from '../errors.ts';
import type { RawSamples } from '../features/sample-table.ts';
import { entriesAfter } from '../journal/reading.ts';
import { untilStopped } from '../model/interruptible.ts';
import { relearn } from '../model/learn.ts';
import { relearnMost } from '../model/learn-most.ts';
import { type Model, type ModelPorts, modelOf } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import { type Refused, refuse } from '../refusal.ts';
import type { Parameters } from '../state/state.ts';

/** Parameters, and the entry up to which they have learnt the journal. */
export type Trained = { readonly parameters: Parameters; readonly caughtUp: number };

/**
 * Asked between steps that are long together: whether there is no time for another, which may take
 * so many seconds.
 */
export type ShouldStop = (next?: number) => boolean;

/** How far a journal is read. */
export type ForwardBounds = {
  /** The last entry; as far as the journal goes unless given. */
  readonly to?: number;
  /** Asked before each entry, and while one is worked on. */
  readonly shouldStop?: ShouldStop | undefined;
  /** Asked instead within the first: while nothing was reached, no time is needed to store it. */
  readonly mustStop?: ShouldStop | undefined;
  /** Told of each entry that was applied. */
  readonly onEntry?: ((header: EntryHeader) => void) | undefined;
};

/**
 * Lets parameters learn the samples of the entries that they have not seen. Weights that other
 * commands put in place meanwhile are passed over: these parameters have learnt the same stream and
 * are to replace them.
 *
 * @returns the parameters, and the entry that they have reached; refused if an entry retracted what
 *   they may have learnt, or changed the spec
 * @throws MillraceError kind `corrupt` if an entry was made with a spec that the model never had
 */
export async function catchUp(
  ports: ModelPorts & Pick<Ports, 'now'>,
  model: Model,
  { parameters: start, caughtUp: from }: Trained,
  { to = Number.POSITIVE_INFINITY, shouldStop }: ForwardBounds = {},
): Promise<CaughtUp | Refused> {
  const { now } = ports;
  const paced = shouldStop ? untilStopped(model, { now, shouldStop }, 'catching up') : model;
  let parameters = start;
  let caughtUp = from;
  const passedOver: ReplacingHeader[] = [];
  for await (const entry of entriesAfter(ports.store, model.name, from, { to })) {
    if (shouldStop?.()) break;
    const { header } = entry;
    const { weights } = commands[header.kind];
    if (weights === 'retracted') return retractedMeanwhile(header.sequence);
    if (header.kind === 'spec') return respecifiedMeanwhile(header.sequence);
    if (isReplacing(header)) passedOver.push(header);
    const { samples: messages } = entry;
    const toLearn = { header, messages };
    const learnt = await relearnEntry(ports, paced, parameters, toLearn).catch(ifOutOfTime);
    if (learnt === 'out-of-time') break;
    parameters = learnt;
    caughtUp = header.sequence;
  }
  return { ok: true, parameters, caughtUp, passedOver };
}

type EntryToLearn = {
  readonly header: EntryHeader;
  readonly messages: readonly RawSamples[];
};

/**
 * Parameters that have learnt an entry's samples. What was learnt by another spec is learnt as far
 * as the model's own can.
 *
 * @param messages the samples of its messages, as far as they are to be learnt
 * @throws MillraceError kind `corrupt` if it was made with a spec that the model never had
 */
export async function relearnEntry(
  ports: ModelPorts,
  model: Model,
  start: Parameters,
  { header, messages }: EntryToLearn,
): Promise<Parameters> {
  const { spec, sequence } = header;
  if ((await modelOf(ports, model, spec)) === undefined)
    throw specChanged(`entry ${sequence} was made with a different spec`);
  const again = spec === model.specHash ? relearn : relearnMost;
  let parameters = start;
  for (const samples of messages)
    if (samples.length > 0) parameters = await again(model, parameters, samples);
  return parameters;
}

/** Why weights of another spec than the one that an entry put in force cannot be used any more. */
function respecifiedMeanwhile(sequence: number): Refused {
  return refuse('spec-changed-since', `entry ${sequence} changed the spec; start again`);
}

/** Why weights that were begun before an entry's retraction cannot be used any more. */
export function retractedMeanwhile(sequence: number): Refused {
  const reason = `entry ${sequence} retracted samples that these weights may have learnt; start again`;
  return refuse('retracted-since', reason);
}
