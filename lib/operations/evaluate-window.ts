import { afterMessage } from '../commands/samples.ts';
import { invalid, invariant } from '../errors.ts';
import type { RawSamples } from '../features/sample-table.ts';
import { currentModel } from '../fold/current-model.ts';
import { applyEntry, stateAt } from '../fold/fold.ts';
import { entriesAfter, headersBackFrom } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { rivalsBefore } from '../metrics/earnings.ts';
import { createFigures, type Figures } from '../metrics/figures.ts';
import { createRivalSums, type LabelRivals } from '../metrics/rival-sums.ts';
import { learn } from '../model/learn.ts';
import { type Model, modelOfState } from '../model/model.ts';
import type { Ports } from '../ports/ports.ts';
import type { State } from '../state/state.ts';

/** What a stream's latest samples came to, each predicted before it was learnt. */
export type WindowEvaluation = Figures &
  LabelRivals & {
    readonly samples: number;
    /** Its first entry, and its last. */
    readonly from: number;
    readonly to: number;
    /** Why it has fewer samples than were asked for, where there are more. */
    readonly reason?: string;
  };

/**
 * Learns the latest entries of a model again, from the weights that it had before them, and holds
 * what it predicts of each message against its labels. Whole messages count, back to where another
 * spec held (or classes lost their places): at least so many samples, where there are so many.
 *
 * @throws MillraceError kind `invalid` if there is no such model, or it has learnt nothing
 */
export async function evaluateWindow(
  ports: Ports,
  name: string,
  atLeast: number,
  onSamples: (samples: number) => void = () => undefined,
): Promise<WindowEvaluation> {
  const { model, state: now } = await currentModel(ports, name);
  const grows = model.encoder.layout.growingClasses !== undefined;
  const { from, reason } = await windowStart(ports, now, { atLeast, grows });
  const figures = createFigures(model.spec, now.statistics.classNames);
  const rivals = createRivalSums(model.spec);
  let state = await stateAt(ports, model, from - 1);
  const reading = { to: now.sequence, ahead: limits.readsAtOnce };
  for await (const entry of entriesAfter(ports.store, name, from - 1, reading)) {
    const own = await modelOfState(ports, model, state);
    if (entry.header.kind === 'samples') {
      let reached = state;
      for (const samples of entry.samples) {
        if (samples.length === 0) continue;
        const learned = await learnMessage(own, reached, samples);
        figures.add(learned.predictions, learned.samples);
        rivals.add(learned.samples, rivalsBefore(own.spec, reached));
        reached = afterMessage(own.spec, reached, learned);
      }
      onSamples(figures.samples());
    }
    state = await applyEntry(ports, { model: own }, state, entry);
  }
  return {
    samples: figures.samples(),
    from,
    to: now.sequence,
    ...(reason !== undefined && { reason }),
    ...figures.finish(),
    // (Models of earlier releases do not know what the labels alone say.)
    ...(state.prior && state.lately && rivals.finish()),
  };
}

/** The entry with which a window of some samples begins: none before another spec came. */
async function windowStart(
  ports: Ports,
  now: State,
  { atLeast, grows }: { readonly atLeast: number; readonly grows: boolean },
): Promise<Pick<WindowEvaluation, 'from' | 'reason'>> {
  if (now.learnt === 0 || now.sequence === 0)
    throw invalid(`${now.model} has learnt nothing yet; send it samples first`);
  let samples = 0;
  let from = now.sequence;
  let changed: string | undefined;
  for await (const header of headersBackFrom(ports.store, now.model, now.sequence)) {
    // Another spec, or other classes in its places, would have its figures read wrongly.
    if (header.kind === 'spec' || header.spec !== now.specHash) {
      const how = header.kind === 'spec' ? 'with' : 'behind';
      changed = `its spec was changed ${how} entry ${header.sequence}`;
      break;
    }
    if (grows && movesClasses.has(header.kind)) {
      changed = `entry ${header.sequence}, a ${header.kind}, may have given classes other places`;
      break;
    }
    from = header.sequence;
    for (const message of header.messages) samples += message.samples;
    if (samples > 0 && samples >= atLeast) break;
  }
  const since = changed ?? 'it was created';
  if (samples > 0)
    return { from, ...(changed && { reason: `no more have been learnt since ${since}` }) };
  throw invalid(`${now.model} has learnt no sample since ${since}; send it samples first`);
}

/** Entries behind which classes that came as they came may have other places. */
const movesClasses: ReadonlySet<string> = new Set(['rollback', 'retract', 'promote']);

async function learnMessage(model: Model, parameters: State, samples: RawSamples) {
  const learned = await learn(model, parameters, model.encoder.encode(samples).samples);
  invariant(learned.ok, 'the journal holds a message that cannot be learnt');
  return learned;
}
