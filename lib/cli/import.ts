import { importModel } from '../import/import-model.ts';
import { readWeightsFile } from '../import/weights-file.ts';
import type { Io } from './io.ts';
import { readSpecFile } from './spec-file.ts';

/** Creates the model that a file declares, with the weights of another file. */
export async function importInto(
  { ports, print, result }: Io,
  specPath: string,
  weightsPath: string,
): Promise<number> {
  const input = await readSpecFile(specPath);
  const file = await readWeightsFile(weightsPath);
  const { spec, leftOut } = await importModel(ports, input, file);
  if (leftOut.length > 0) print(`  without ${leftOut.join(', ')}: the network has no such weights`);
  if (file.statistics === undefined)
    print('  numbers are taken as they are, unless the spec says standardize: true');
  print(`${spec.model}: created, with the weights of ${weightsPath}`);
  result({ model: spec.model, initialWeights: spec.initialWeights, leftOut });
  return 0;
}
