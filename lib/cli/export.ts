import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid } from '../errors.ts';
import { exportModel } from '../export/export-model.ts';
import type { ExportFormat } from '../export/formats/format.ts';
import { writeProblem } from '../file-problems.ts';
import { makeFolder } from '../ports/make-folder.ts';
import { count, type Io } from './io.ts';

/** Writes a model into a folder, as files that others read. */
export async function exportInto(
  { ports, print, result }: Io,
  model: string,
  { format, out }: { readonly format: ExportFormat; readonly out?: string | undefined },
): Promise<number> {
  const { sequence, files } = await exportModel(ports, model, format);
  const folder = out ?? `${model}-${format}`;
  await assertOwn(folder);
  await write(folder, files);
  for (const [name, body] of Object.entries(files))
    print(`  ${join(folder, name)}  ${count(body.length, 'byte')}`);
  print(
    `${model}: entry ${sequence}, as ${format}; ${join(folder, 'README.md')} says how to use it`,
  );
  result({ model, sequence, format, folder, files: Object.keys(files) });
  return 0;
}

/** A folder whose README.md is somebody else's is not one for an export. */
async function assertOwn(folder: string): Promise<void> {
  const card = join(folder, 'README.md');
  const text = await readFile(card, 'utf8').catch(() => undefined);
  if (text === undefined || text.includes('Exported by `millrace export`')) return;
  throw invalid(`--out ${folder}: ${card} is there, and is no model card; name another folder`);
}

async function write(
  folder: string,
  files: Readonly<Record<string, Uint8Array | string>>,
): Promise<void> {
  try {
    await makeFolder(folder);
    for (const [name, body] of Object.entries(files)) await writeFile(join(folder, name), body);
  } catch (cause) {
    throw invalid(`--out ${folder}: cannot be written: ${writeProblem(cause)}`, cause);
  }
}
