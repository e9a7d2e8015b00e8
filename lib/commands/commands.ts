import { z } from 'zod';
import { invalid } from '../errors.ts';
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

/** Every command by its kind. */
export const commands = { samples, promote, rollback, retract } satisfies Record<
  CommandKind,
  unknown
>;

/** The bodies and the headers of the commands, by kind. */
type Bodies = { readonly [Kind in CommandKind]: z.output<(typeof commands)[Kind]['body']> };
type Headers = { readonly [Kind in CommandKind]: z.output<(typeof commands)[Kind]['header']> };
type Table = { readonly [Kind in CommandKind]: Command<Bodies[Kind], Headers[Kind]> };
const table: Table = commands;

/** A message's body with its kind. */
export type SentCommand<Kind extends CommandKind = CommandKind> = {
  [Each in Kind]: { readonly kind: Each; readonly body: Bodies[Each] };
}[Kind];

/** The header of an entry: what was committed, and by whom. */
export type EntryHeader<Kind extends CommandKind = CommandKind> = Headers[Kind];

/** The header of an entry that put other weights in place. */
export type ReplacingHeader = EntryHeader<Exclude<CommandKind, 'samples'>>;

/** The field by which headers are told apart. */
const kindSchema = z.looseObject({ kind: z.enum(commandKinds) });

/** Commands that are reserved; they are refused until they are built, never misread. */
const reserved = ['spec'] as const;

/**
 * Reads a body as a command. A field of the command's name says which it is; a body without one
 * holds samples.
 *
 * @throws MillraceError kind `invalid` that names each wrong field
 */
export function parseCommand(body: unknown): SentCommand {
  const hasField = (name: string) => typeof body === 'object' && body !== null && name in body;
  const later = reserved.find(hasField);
  if (later !== undefined) throw invalid(`body.${later}: this command is not available yet`);
  return parseAs(
    commandKinds.find((kind) => kind !== 'samples' && hasField(kind)) ?? 'samples',
    body,
  );
}

function parseAs<Kind extends CommandKind>(kind: Kind, body: unknown) {
  const command: Table[Kind] = table[kind];
  return { kind, body: parse(command.body, body, 'body') } as SentCommand;
}

/** What a command makes of one message. */
export function decide<Kind extends CommandKind>(
  reach: Reach,
  state: State,
  { kind, body }: { readonly kind: Kind; readonly body: Bodies[Kind] },
): Promise<Decision<Own<Headers[Kind]>>> {
  const command: Table[Kind] = table[kind];
  return command.decide(reach, state, body);
}

/** The state after an entry; see {@link Command.evolve}. */
export function evolve<Kind extends CommandKind>(
  reach: Reach,
  settled: State,
  entry: {
    readonly header: Headers[Kind] & { readonly kind: Kind };
    readonly samples: readonly (readonly unknown[])[];
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
