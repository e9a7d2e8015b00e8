import type { QuarantineRecord } from '../journal/quarantine.ts';
import { existingModel } from '../model/model.ts';
import { type RefusedMessage, refusedMessages, retryQuarantine } from '../operations/retry.ts';
import type { RefusalCode } from '../refusal.ts';
import { count, type Io } from './io.ts';
import { formatCount, wrapped } from './progress.ts';

/** Codes whose reasons name the field themselves. */
const namesItsField: ReadonlySet<string> = new Set<RefusalCode>(['malformed', 'unreadable-object']);

/** What is shown of many; `--json` has all. */
const shownMessages = 20;
const shownSamples = 5;

/** How often each field was refused with each code, the most frequent first. */
function byField(messages: readonly RefusedMessage[]): readonly (readonly [string, number])[] {
  const counts = new Map<string, number>();
  for (const { field, code = '' } of messages.flatMap(({ record }) => record.refused)) {
    const what = `${field} ${code}`;
    counts.set(what, (counts.get(what) ?? 0) + 1);
  }
  return [...counts].sort(([, a], [, b]) => b - a).slice(0, shownMessages);
}

/** Where a refused sample stood: in a file, or in its message. */
function placeOf({ index, file, line }: QuarantineRecord['refused'][number]): string {
  if (file !== undefined && line !== undefined) return `${file}, line ${line}`;
  return index < 0 ? 'the message' : `its sample ${index + 1}`;
}

/** How many samples of a message, or rows of a job, were refused. */
function refusalsOf({ refused, refusedRows = 0 }: QuarantineRecord): number {
  return Math.max(refused.length, refusedRows);
}

/** That a record has only the first refusals, where it has not all. */
function keptOf(record: QuarantineRecord): string {
  const { length } = record.refused;
  return refusalsOf(record) > length ? `; the first ${formatCount(length)} are kept` : '';
}

/** Lists refused samples, except those that a retry has settled; or sends them again. */
export async function showQuarantine(
  { ports, print, result, mayChange }: Io,
  name: string,
  isRetry: boolean,
): Promise<number> {
  await existingModel(ports, name);
  if (isRetry) {
    const all = await refusedMessages(ports, name);
    const refused = all.filter(({ isSettledAgain }) => !isSettledAgain);
    const again = refused.filter(({ way }) => way.ok);
    if (again.length === 0 && refused.some(({ way }) => !way.ok)) {
      const left = refused.flatMap(({ record: { message }, way }) =>
        way.ok ? [] : [{ message, reason: way.reason }],
      );
      result({ model: name, sent: 0, left });
      print(`${name}: no message of quarantine can be sent again as it is`);
      for (const { message, reason } of left) print(`  ${message}: ${reason}`);
      print(
        'next: send its samples mended, under numbers of their own, or change what the spec takes',
      );
      return 0;
    }
    const what = `${name}: send ${count(again.length, 'message')} of quarantine to the model again`;
    for (const line of wrapped(
      'they are learnt behind all others; where many are of one kind, a job over all that came ' +
        `evens it out: npx millrace train ${name} journal`,
    ))
      print(line);
    if (!(await mayChange(what))) return 0;
    const { sent, left } = await retryQuarantine(ports, name);
    result({ model: name, sent, left });
    print(`${name}: sent ${count(sent, 'message')} again, ${left.length} cannot be`);
    for (const { message, reason } of left) print(`  ${message}: ${reason}`);
    return 0;
  }
  const messages = await refusedMessages(ports, name);
  const standing = messages.filter(({ isSettledAgain }) => !isSettledAgain);
  result(standing);
  for (const { record, resend } of standing.slice(0, shownMessages)) {
    const { message, time, producer, seq, refused, dataset } = record;
    const from = producer === undefined ? '' : ` from ${producer} ${seq}`;
    const again =
      resend === undefined ? '' : `, on its way again as ${resend.producer} ${resend.seq}`;
    const ofJob = typeof dataset === 'string' ? `, a job over ${dataset}` : '';
    print(`${message}${ofJob}${from}${time === undefined ? '' : ` at ${time}`}${again}`);
    for (const each of refused.slice(0, shownSamples)) {
      const { field, code, reason } = each;
      const said = namesItsField.has(code ?? '') ? reason : `${field}: ${reason}`;
      print(`  ${placeOf(each)}: ${said}`);
    }
    const more = refusalsOf(record) - Math.min(refused.length, shownSamples);
    if (more > 0) print(`  … and ${formatCount(more)} more${keptOf(record)}`);
  }
  if (standing.length > shownMessages)
    print(
      `… and ${count(standing.length - shownMessages, 'message')} more; --json has all of them`,
    );
  for (const [what, times] of byField(standing)) print(`${formatCount(times)} × ${what}`);
  const samples = standing.reduce((sum, { record }) => sum + refusalsOf(record), 0);
  const settled = messages.length - standing.length;
  print(
    `${name}: ${count(standing.length, 'message')} with ${count(samples, 'refusal')} in quarantine` +
      (settled === 0 ? '' : `; ${count(settled, 'message')} settled since`),
  );
  return 0;
}
