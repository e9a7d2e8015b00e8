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
  const { spec, isThere } = await importModel(ports, input, file);
  if (file.statistics === undefined)
    print('  numbers and times are taken as they are, unless the spec says standardize');
  print(
    isThere
      ? `${spec.model}: it exists already, with these weights`
      : `${spec.model}: created, with the weights of ${weightsPath}`,
  );
  result({ model: spec.model, initialWeights: spec.initialWeights, created: !isThere });
  return 0;
}
