import { existingModel } from '../model/model.ts';
import { verifyModel } from '../operations/verify.ts';
import { count, type Io } from './io.ts';
import type { Bar } from './progress.ts';

/** Folds the journal again and compares; the answer is 1 if the published state differs. */
export async function verify(
  { ports, print, result, progress }: Io,
  name: string,
  isAll: boolean,
): Promise<number> {
  const model = await existingModel(ports, name);
  let bar: Bar | undefined;
  const verification = await verifyModel(ports, model, isAll, (done, total) => {
    bar ??= progress?.bar('folding', total, 'entries');
    bar?.update(done);
  }).finally(() => bar?.finish());
  const { from, to, samples, differences, isSame, isPublished, otherEngines } = verification;
  result({
    model: name,
    ...verification,
    differences: Object.fromEntries(differences),
  });
  for (const [tensor, difference] of differences) print(`  ${tensor}  ${difference}`);
  const largest = Math.max(0, ...differences.values());
  print(
    `${name}: entries ${from + 1} to ${to}, ${count(samples, 'sample')}, largest difference ${largest}`,
  );
  if (!isPublished) print(`${name}: no published state can be used; the next update writes one`);
  if (!isSame) print(`${name}: the published state is not the fold of its journal`);
  if (!isSame && otherEngines.length > 0) {
    const versions = otherEngines.join(', ');
    print(
      `  some of it was learnt by ${versions}, and folded by ${model.compiled.engine}: last bits may differ`,
    );
  }
  return isSame && isPublished ? 0 : 1;
}
