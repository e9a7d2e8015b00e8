import { existingModel } from '../model/model.ts';
import { type Stretch, tolerance, verifyModel } from '../operations/verify.ts';
import { count, type Io } from './io.ts';
import { entriesBar } from './progress.ts';

/** Folds the journal again and compares; the answer is 1 if a stored state is not confirmed. */
export async function verify(
  { ports, print, result, progress }: Io,
  name: string,
  isAll: boolean,
): Promise<number> {
  const model = await existingModel(ports, name);
  const bar = entriesBar(progress, 'folding');
  const verification = await verifyModel(ports, model, isAll, bar.update).finally(bar.finish);
  const { from, to, samples, stretches, differences, isSame, isPublished } = verification;
  result({
    model: name,
    ...verification,
    stretches: stretches.map((each) => ({
      ...each,
      differences: Object.fromEntries(each.differences),
    })),
    differences: Object.fromEntries(differences),
  });
  for (const [tensor, difference] of differences) print(`  ${tensor}  ${difference}`);
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
