import { parseCommand } from '../commands/commands.ts';
import { invalid } from '../errors.ts';
import { parseJson } from '../parse.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Sender } from '../ports/ports.ts';
import { isModelName } from '../spec/names.ts';

/** A message of the commands queue, as it arrived. */
export type CommandDelivery = {
  /** Its own deduplication id. */
  readonly deduplication: string;
  readonly body: string;
  /** The MessageGroupId: the model's name. */
  readonly group: string;
};

/**
 * Puts a command into its model's group of the samples queue. A second delivery within five minutes
 * is dropped there; a later one is another message, and does the same once more.
 *
 * @throws MillraceError kind `invalid` if it is no command, `unavailable` if SQS does not answer
 */
export async function relayCommand(
  sendSamples: Sender,
  { deduplication, body, group }: CommandDelivery,
): Promise<void> {
  const { kind } = parseCommand(parseJson(body));
  if (kind === 'samples') throw invalid('body: samples go to the samples queue');
  if (!isModelName(group)) throw invalid(`the message group ${group} is no model's name`);
  await sendSamples({
    body,
    group,
    deduplication: deduplicationId(group, 'command', deduplication),
  });
}
