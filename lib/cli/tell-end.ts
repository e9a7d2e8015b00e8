import { awaitCommand, type Patience, type SentCommand } from '../operations/await-command.ts';
import type { Io } from './io.ts';
import { whenStopped } from './when-stopped.ts';

/** Waits for a command, and says what became of it; the answer is 1 if it was refused. */
export async function tellEnd(
  { ports, print, result }: Pick<Io, 'ports' | 'print' | 'result'>,
  model: string,
  command: SentCommand,
  { after, patience }: { readonly after: number; readonly patience: Patience },
): Promise<number> {
  const sent = `${model}: the command was sent, and is done in its turn; do not send it again`;
  const tell = () => void process.stderr.write(`\n${sent}\n`);
  const end = await whenStopped(tell, () =>
    awaitCommand(ports, { model, command, after }, patience).catch((cause: unknown) => {
      process.stderr.write(`${sent}\n`);
      throw cause;
    }),
  );
  result({ model, ...command, ...end });
  if (end === undefined)
    print(`${model}: not done within ${patience.seconds} s; it waits in its queue`);
  else if ('entry' in end) print(`${model}: done, as entry ${end.entry}`);
  else print(`${model}: refused, to quarantine: ${end.refusal}`);
  return end !== undefined && 'refusal' in end ? 1 : 0;
}
