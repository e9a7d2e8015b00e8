import * as z from 'zod';
import type { RawSamples } from '../features/sample-table.ts';
import { parse } from '../parse.ts';
import type { State } from '../state/state.ts';
import {
  type Command,
  type CommandKind,
  commandKinds,
  type Decision,
  type Own,
  type Reach,
} from './command.ts';
import { promote } from './promote.ts';
import { retract } from './retract.ts';
import { rollback } from './rollback.ts';
import { samples } from './samples.ts';
import { spec } from './spec.ts';

/** Every command by its kind. */
export const commands = { samples, promote, rollback, retract, spec } satisfies Record<
  CommandKind,
  unknown
>;

/** The kinds in the table. One that has no line yet is an error above, and only there. */
type Kinds = keyof typeof commands;
type Bodies = { readonly [Kind in Kinds]: z.output<(typeof commands)[Kind]['body']> };
type Headers = { readonly [Kind in Kinds]: z.output<(typeof commands)[Kind]['header']> };
type Table = { readonly [Kind in Kinds]: Command<Bodies[Kind], Headers[Kind]> };
const table: Table = commands;

/** A message's body with its kind. */
export type SentCommand<Kind extends Kinds = Kinds> = {
  [Each in Kind]: { readonly kind: Each; readonly body: Bodies[Each] };
}[Kind];

/** The header of an entry: what was committed, and by whom. */
export type EntryHeader<Kind extends Kinds = Kinds> = Headers[Kind];

/** The header of an entry that put other weights in place. */
export type ReplacingHeader = EntryHeader<Exclude<Kinds, 'samples'>>;

/** The field by which headers are told apart. */
const kindSchema = z.looseObject({ kind: z.enum(commandKinds) });

/** Whether an entry put other weights in place. */
export function isReplacing(header: EntryHeader): header is ReplacingHeader {
  return table[header.kind].weights !== 'learnt';
}

/**
 * Reads a body as a command. A field of the command's name says which it is; a body without one
 * holds samples.
 *
 * @throws MillraceError kind `invalid` that names each wrong field
 */
export function parseCommand(body: unknown): SentCommand {
  const hasField = (name: string) => typeof body === 'object' && body !== null && name in body;
  return parseAs(
    commandKinds.find((kind) => kind !== 'samples' && hasField(kind)) ?? 'samples',
    body,
  );
}

function parseAs<Kind extends Kinds>(kind: Kind, body: unknown) {
  const command: Table[Kind] = table[kind];
  return { kind, body: parse(command.body, body, 'body') } as SentCommand;
}

/** What a command makes of one message. */
export function decide<Kind extends Kinds>(
  reach: Reach,
  state: State,
  { kind, body }: { readonly kind: Kind; readonly body: Bodies[Kind] },
): Promise<Decision<Own<Headers[Kind]>>> {
  const command: Table[Kind] = table[kind];
  return command.decide(reach, state, body);
}

/** The state after an entry; see {@link Command.evolve}. */
export function evolve<Kind extends Kinds>(
  reach: Reach,
  settled: State,
  entry: {
    readonly header: Headers[Kind] & { readonly kind: Kind };
    readonly samples: readonly RawSamples[];
  },
): Promise<State> {
  const command: Table[Kind] = table[entry.header.kind];
  return command.evolve(reach, settled, entry);
}

/**
 * The header of an entry that was read. @throws MillraceError kind `invalid` that names each wrong
 * field
 */
export function parseHeader(header: unknown): EntryHeader {
  const kind = parse(kindSchema, header, 'header').kind;
  return parse(table[kind].header, header, 'header');
}
