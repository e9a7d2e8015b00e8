import type { z } from 'zod';
import { keys } from '../bucket/keys.ts';
import { lost } from '../errors.ts';
import type { Refusal } from '../features/encoder.ts';
import type { SampleId } from '../features/sample-id.ts';
import type { RawSamples } from '../features/sample-table.ts';
import { withMovedClasses } from '../metrics/earnings.ts';
import type { Model } from '../model/model.ts';
import type { Refused } from '../refusal.ts';
import { type Parameters, parametersOf, type State } from '../state/state.ts';
import type { CommonHeader } from './header.ts';

/** The commands that change a model. */
export const commandKinds = ['samples', 'promote', 'rollback', 'retract', 'spec'] as const;

/** One of {@link commandKinds}. */
export type CommandKind = (typeof commandKinds)[number];

/** A refused sample with the sample itself; index −1 stands for the whole message. */
export type RefusedSample = Refusal & { readonly sample?: unknown };

/**
 * What a command reaches beyond the state. The fold provides bucket and journal as functions, so
 * that commands depend on neither.
 */
export type Reach = {
  /** The model with the spec that holds. */
  readonly model: Model;
  /** The model with the spec of a hash; undefined if it never had that one. */
  readonly modelOf: (specHash: string) => Promise<Model | undefined>;
  /** The state after an entry; 0 for that before the first. */
  readonly stateAt: (sequence: number) => Promise<State>;
  /**
   * The weights of a file beside the journal, after they have learnt the stream up to an entry: by
   * the spec that holds, unless another is given.
   */
  readonly challenger: (
    file: ChallengerFile,
    to: number,
    by?: Model,
  ) => Promise<CaughtUp | Refused>;
  /** The features that were asked under an id, for the next entry to learn their label. */
  readonly claimAsked: (claim: Claim) => Promise<Claimed>;
  /** The samples of an `s3://` object. */
  readonly sampleObject: (uri: string) => Promise<SampleList | Refused>;
};

/** A file of weights beside the journal, and the digest that its bytes must have. */
export type ChallengerFile = { readonly job: string; readonly digest: string };

/** Whose features are claimed: for a label that came, or for the default of one that did not. */
export type Claim = { readonly id: SampleId; readonly isDefault: boolean };

/** The features that are kept under an id, for its label. */
export type Claimed =
  | {
      readonly ok: true;
      readonly features: Readonly<Record<string, unknown>>;
      readonly sizeBytes: number;
      /** The default label that was learnt of it before. */
      readonly overruled?: unknown;
    }
  | (Refused<'unknown-id' | 'labelled-before'> & {
      /** The label that was learnt before. */
      readonly learnt?: unknown;
    });

/** Raw samples that were read. */
export type SampleList = {
  readonly ok: true;
  /** A line that is no JSON is its own text here, in its place. */
  readonly samples: RawSamples;
  /** Why such lines are none, by their places in `samples`. */
  readonly unreadable?: ReadonlyMap<number, string>;
};

/** Weights of a file that have caught up with the stream. */
export type CaughtUp = {
  readonly ok: true;
  readonly parameters: Parameters;
  /** The entry up to which the file itself had learnt the journal. */
  readonly caughtUp: number;
  /** Entries since then that put other weights in place. These parameters are to replace those. */
  readonly passedOver: readonly {
    readonly kind: CommandKind;
    readonly sequence: number;
    readonly job?: string;
  }[];
};

/** What a command makes of one message. */
export type Decision<OwnHeader> = {
  /** The learnt samples as they came: lines of the entry. */
  readonly learnt: RawSamples;
  readonly refused: readonly RefusedSample[];
  /** The mean loss that the state before it earned on the message. */
  readonly loss?: number;
  /** By feature, how many of its samples have a value that the spec does not know. */
  readonly unknown?: Readonly<Record<string, number>>;
  /** The state that it leads to, apart from sequence number and ledger. Absent: the state stays. */
  readonly state?: State;
  /**
   * The fields of the command's own entry. Absent: the message is settled in an entry of samples.
   */
  readonly header?: OwnHeader;
};

/** The fields that only this kind of header has. */
export type Own<Header extends CommonHeader> = Header extends unknown
  ? Omit<Header, keyof CommonHeader>
  : never;

/** An entry as its command sees it: the header, and the learnt samples message by message. */
export type EntryOf<Header> = {
  readonly header: Header;
  readonly samples: readonly RawSamples[];
};

/**
 * A command: how it is sent, how it is decided for a message, and how its entry changes the state
 * (in the manner of a decider: decide, evolve).
 */
export type Command<Body, Header extends CommonHeader & { readonly kind: CommandKind }> = {
  /** A message's body. */
  readonly body: z.ZodType<Body>;
  /** The header of its entry. */
  readonly header: z.ZodType<Header>;
  /** Whether one entry settles several messages of this kind in a row. */
  readonly sharesEntry: boolean;
  /**
   * What its entry does to the weights. `learnt`: the samples of the stream change them.
   * `replaced`: other weights are put in their place. `retracted`: weights that never learnt some
   * samples are put in their place. Parameters that catch up with the stream learn the first kind,
   * pass over the second, and cannot go on after the third.
   */
  readonly weights: 'learnt' | 'replaced' | 'retracted';
  /**
   * Decides what becomes of a message. It changes nothing: what it decides happens when the entry
   * is committed.
   */
  readonly decide: (reach: Reach, state: State, body: Body) => Promise<Decision<Own<Header>>>;
  /**
   * The state after its entry.
   *
   * @param settled the state before it, in which sequence number and ledger have already advanced
   * @throws MillraceError kind `corrupt` if the entry does not follow that state
   */
  readonly evolve: (reach: Reach, settled: State, entry: EntryOf<Header>) => Promise<State>;
};

/** A command that is refused as a whole. */
export function rejected(field: string, { code, reason }: Refused): Decision<never> {
  return { learnt: [], refused: [{ index: -1, field, code, reason }] };
}

/** A message that is settled without an effect. */
export const withoutEffect: Decision<never> = { learnt: [], refused: [] };

/**
 * The weights that a committed entry put in place, after they have learnt the stream before it.
 *
 * @throws MillraceError kind `corrupt` if their file is missing or was changed
 */
export async function committedWeights(
  { challenger }: Reach,
  own: ChallengerFile & { readonly model: string; readonly sequence: number },
  by?: Model,
): Promise<Parameters> {
  const found = await challenger(own, own.sequence - 1, by);
  if (!found.ok) throw lost(keys.challenger(own.model, own.job));
  return found.parameters;
}

/**
 * The state with other parameters: ledger and scores stay. Of those that it had nothing is left,
 * also where the others have no such part.
 */
export function withParameters(
  { replay: _, drift: __, ...state }: State,
  parameters: Parameters,
): State {
  const [before, after] = [state.statistics.classNames, parameters.statistics.classNames];
  const moved = before && after ? withMovedClasses(state, before, after) : {};
  return { ...state, ...moved, ...parametersOf(parameters) };
}
