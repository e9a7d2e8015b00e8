import { keys } from '../bucket/keys.ts';
import { existingModel, type Model } from '../model/model.ts';
import { type Stretch, tolerance } from '../operations/compared-fold.ts';
import { joinOutcomes, type RunSoFar, runSoFar } from '../operations/stretch-outcomes.ts';
import { type Verification, verifyModel } from '../operations/verify.ts';
import { startVerification } from '../operations/verify-stretches.ts';
import { count, type Io } from './io.ts';
import { entriesBar } from './progress.ts';
import { untilOver } from './until-over.ts';

/** Folds the journal again and compares; the answer is 1 if a stored state is not confirmed. */
export async function verify(io: Io, name: string, isAll: boolean): Promise<number> {
  const model = await existingModel(io.ports, name);
  const bar = entriesBar(io.progress, 'folding');
  const found = await verifyModel(io.ports, model, isAll, bar.update).finally(bar.finish);
  return tell(io, model, found);
}

/** The same of the whole journal, by the stack's functions, while this program waits. */
export async function verifySideBySide(io: Io, name: string): Promise<number> {
  const { ports, print, progress } = io;
  const model = await existingModel(ports, name);
  const run = await startVerification(ports, model);
  print(`${name}: folding ${count(run.stretches.length, 'stretch', 'stretches')} side by side`);
  const bar = entriesBar(progress, 'folding');
  const total = run.stretches.at(-1)?.to ?? 0;
  const { outcomes } = await untilOver<RunSoFar>('the functions that fold', async (before) => {
    const soFar = await runSoFar(ports.store, run, before?.outcomes);
    bar.update(soFar.entries, total);
    return soFar;
  }).finally(bar.finish);
  const { failures, ...found } = joinOutcomes(run, outcomes);
  for (const { from, to, reason } of failures)
    print(`${name}: entries ${from + 1} to ${to}: ${reason}`);
  return tell(io, model, found, { failures });
}

/** Says what a verification came to. @param more what `--json` has besides */
function tell(
  { print, result }: Io,
  model: Model,
  verification: Verification,
  more: Readonly<Record<string, unknown>> = {},
): number {
  const { name } = model;
  const { from, to, samples, stretches, differences, isSame, isPublished } = verification;
  result({
    model: name,
    ...verification,
    stretches: stretches.map((each) => ({
      ...each,
      differences: Object.fromEntries(each.differences),
    })),
    differences: Object.fromEntries(differences),
    ...more,
  });
  for (const [tensor, difference] of differences)
    if (difference !== 0) print(`  ${tensor}  ${difference}`);
  if (to === 0) {
    print(`${name}: its journal has no entry yet, so there is nothing to verify`);
    return 0;
  }
  const largest = Math.max(0, ...differences.values());
  print(
    `${name}: entries ${from + 1} to ${to}, ${count(samples, 'sample')}, largest difference ${largest}`,
  );
  for (const stretch of stretches) {
    const text = textOf(stretch, model.compiled.engine);
    if (text !== undefined) print(`${name}: ${text}`);
  }
  for (const entry of verification.lostCheckpoints)
    print(`${name}: the checkpoint that entry ${entry} goes on from is missing or was changed`);
  for (const entry of verification.damagedStates)
    print(
      `${name}: ${keys.checkpoint(name, entry)} is not the state of entry ${entry}; nothing is lost: ` +
        'folds begin at an earlier one. Remove it',
    );
  if (!isPublished) print(`${name}: no published state can be used; the next update writes one`);
  return isSame && isPublished ? 0 : 1;
}

/** What is to be said of a stretch; nothing of one that is the same to the bit. */
function textOf(
  { from, to, otherArithmetics, largest, verdict }: Stretch,
  own: string,
): string | undefined {
  if (verdict === 'same') return undefined;
  if (verdict === 'different')
    return `the state stored for entry ${to} is not the fold of its journal`;
  const makers = otherArithmetics.join(', ') || 'another arithmetic';
  const share = `${largest.toExponential(1)} of the largest element`;
  const meaning =
    verdict === 'rounding'
      ? `within the ${tolerance} that rounding makes`
      : 'more than rounding makes of some steps; verify them where they were made';
  return (
    `entries ${from + 1} to ${to} were learnt by ${makers}, whose bits ${own} does not make: ` +
    `they differ by ${share}, ${meaning}`
  );
}
