import type { EntryHeader } from '../commands/commands.ts';
import { refusalIn } from '../journal/quarantine.ts';
import { headersAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Ports } from '../ports/ports.ts';
import { canonicalJson } from '../spec/identity.ts';

/** A command that was sent, as its message has it. */
export type SentCommand =
  | { readonly rollback: { readonly to: number } }
  | { readonly retract: { readonly job: string } }
  | { readonly spec: { readonly job: string } };

/** What became of a command: the entry that did it, or why it was refused. */
export type EndOfCommand = { readonly entry: number } | { readonly refusal: string };

/** A command that was sent to a model. */
export type AwaitedCommand = {
  readonly model: string;
  readonly command: SentCommand;
  /** The model's last entry when it was sent, or an earlier one. */
  readonly after: number;
};

/** How long to wait for a command. */
export type Patience = {
  readonly seconds: number;
  /** Waits some milliseconds. */
  readonly wait: (milliseconds: number) => Promise<unknown>;
};

/**
 * Waits until a command is done in its turn.
 *
 * @returns undefined if it was not done within the time; it waits in its queue then
 */
export async function awaitCommand(
  { store, now }: Pick<Ports, 'store' | 'now'>,
  { model, command, after }: AwaitedCommand,
  { seconds, wait }: Patience,
): Promise<EndOfCommand | undefined> {
  const until = now() + seconds * 1_000;
  let looked = after;
  for (;;) {
    for await (const header of headersAfter(store, model, looked, {
      ahead: limits.readsAtOnce,
    })) {
      if (hasDone(header, command)) return { entry: header.sequence };
      const refusal = await refusalIn(store, header, (body) => isSame(body, command));
      if (refusal !== undefined) return { refusal };
      looked = header.sequence;
    }
    if (now() >= until) return undefined;
    await wait(200);
  }
}

function hasDone(header: EntryHeader, command: SentCommand): boolean {
  if ('rollback' in command) return header.kind === 'rollback' && header.to === command.rollback.to;
  if ('spec' in command) return header.kind === 'spec' && header.job === command.spec.job;
  return header.kind === 'retract' && header.job === command.retract.job;
}

/** Whether a body is that of the command. */
function isSame(body: string, command: SentCommand): boolean {
  try {
    return canonicalJson(JSON.parse(body)) === canonicalJson(command);
  } catch {
    return false;
  }
}
