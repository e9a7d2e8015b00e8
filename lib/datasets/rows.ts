import { invalid, reasonOf } from '../errors.ts';
import { limits } from '../limits.ts';
import type { ByteSource, PinnedObject } from './byte-source.ts';
import { fileNamed, idxEndings, labelsOf } from './file-names.ts';
import { csv } from './formats/csv.ts';
import type { BinaryReader, FilePlace, Format, RowChunk, Stretch } from './formats/format.ts';
import { jsonLines } from './formats/json-lines.ts';
import { isReadAnywhere, lineFrom, textOf } from './text.ts';

const arrowEndings = ['.arrow', '.feather', '.arrows'] as const;

/** The file formats that a dataset may have. */
const formats: readonly Format[] = [
  jsonLines,
  csv,
  loadedLate(['.parquet'], async () => (await import('./formats/parquet.ts')).parquet),
  loadedLate(arrowEndings, async () => (await import('./formats/arrow.ts')).arrow),
  loadedLate(['.npy'], async () => (await import('./formats/numpy.ts')).npy),
  loadedLate(['.npz'], async () => (await import('./formats/numpy.ts')).npz),
  loadedLate(idxEndings, async () => (await import('./formats/idx.ts')).idx),
];

/** A format that is no text, whose reader is loaded with the first file of it. */
function loadedLate(endings: Format['endings'], load: () => Promise<BinaryReader>): Format {
  return {
    endings,
    isText: false,
    async *read(...file) {
      yield* (await load()).read(...file);
    },
    cuts: async (...file) => (await load()).cuts(...file),
  };
}

const endings = formats.flatMap((format) => [
  ...format.endings,
  ...(format.isText ? format.endings.flatMap((one) => [`${one}.gz`, `${one}.zst`]) : []),
]);

/** Whether an object lies beside the data and is none: markers, checksums, notes, hidden files. */
function isNoData(key: string): boolean {
  // The folders below the dataset's own count too: `_temporary/`, `.ipynb_checkpoints/`.
  const names = key.split('/').slice(2);
  return names.some((name) => /^[_.]|\.(crc|md5|sha256|md)$|^$/i.test(name));
}

/**
 * The objects of a dataset that hold rows, as far as names and sizes tell; each with the one that
 * belongs to it.
 */
function dataAmong(listed: readonly PinnedObject[]): readonly PinnedObject[] {
  const objects = listed.flatMap(({ key, etag, sizeBytes }) =>
    sizeBytes > 0 && !isNoData(key) ? [{ key, etag, sizeBytes }] : [],
  );
  const byKey = new Map(objects.map((object) => [object.key, object]));
  const pairs = objects.map((object) => {
    const [beside] = labelsOf(object.key).flatMap((name) => byKey.get(name) ?? []);
    return beside === undefined ? object : { ...object, beside };
  });
  const besides = new Set(pairs.map((pair) => ('beside' in pair ? pair.beside.key : undefined)));
  return pairs.filter(({ key }) => !besides.has(key));
}

/**
 * {@link dataAmong} of which the files have a name. What belongs to such a file need not be named
 * itself.
 */
export function dataNamed(listed: readonly PinnedObject[], files = '*'): readonly PinnedObject[] {
  const isNamed = fileNamed(files);
  return dataAmong(listed).filter(({ key }) => isNamed(key));
}

/** @throws MillraceError kind `invalid` if a file of this name would fail a job, or be passed over */
export function assertIsData(name: string): void {
  if (isNoData(`datasets/name/${name}`))
    throw invalid(`${name}: a job would pass over such a name`);
  formatOf(name);
}

/** The format that a name tells. @throws MillraceError kind `invalid` if it tells none */
function formatOf(name: string): Format {
  const lowerCase = name.toLowerCase();
  const bare = lowerCase.replace(/\.(gz|zst)$/, '');
  const format = formats.find(({ isText, endings: own }) =>
    own.some((one) => (isText ? bare : lowerCase).endsWith(one)),
  );
  if (format !== undefined) return format;
  const remedy = /\.(xlsx?|ods|numbers)$/.test(lowerCase)
    ? 'save the table as CSV (UTF-8)'
    : /\.(txt|dat|data)$/.test(bare)
      ? 'rename it to .csv, or to .tsv where tabs are between its cells'
      : /\.json$/.test(bare)
        ? 'a row on each line is JSON Lines, to be called .jsonl; `jq -c ".[]"` writes a list so'
        : 'convert or rename it';
  throw invalid(`${name}: its name must end with ${endings.join(', ')}; ${remedy}`);
}

/** A file of a dataset. */
export type DatasetFile = Stretch & {
  /** Its key or path: the ending tells the format. */
  readonly name: string;
  readonly bytes: ByteSource;
  /** The columns that are needed, where the format can read some alone. */
  readonly columns?: ReadonlySet<string> | 'all';
};

/**
 * The rows of one file of a dataset, in order, in chunks. No more of the file is in memory than a
 * chunk and what is read ahead.
 *
 * @throws MillraceError kind `invalid` that names the file if its format is unknown or it cannot
 *   be read; and what its `read` throws
 */
export async function* readRows({
  name,
  bytes,
  columns,
  ...stretch
}: DatasetFile): AsyncGenerator<RowChunk> {
  const format = formatOf(name);
  const source = watched(bytes);
  const chunks = format.isText
    ? format.read((first) => textOf(source, first), stretch)
    : format.read(source, columns === 'all' ? undefined : columns, stretch);
  let line: number | undefined;
  try {
    for await (const chunk of chunks) {
      line = chunk.lines[chunk.lines.length - 1] ?? line;
      yield chunk;
    }
  } catch (cause) {
    const place = line === undefined ? '' : ` behind ${format.isText ? 'line' : 'row'} ${line}`;
    throw unreadable(name, source, cause, place);
  }
}

/** A file of a dataset, of which only its form is looked at. */
type File = Pick<DatasetFile, 'name' | 'bytes'>;

/**
 * Where a file may be cut into stretches of about so many bytes: nowhere if it can only be read
 * from its beginning. Text may be cut anywhere; see {@link placeOfCut}.
 *
 * @throws as {@link readRows}
 */
export function cutsOf({ name, bytes }: File, stretchBytes: number): Promise<readonly number[]> {
  const format = formatOf(name);
  return withName(name, bytes, async (source) => {
    if (!format.isText) return format.cuts(source, stretchBytes);
    if (!(await isReadAnywhere(source))) return [];
    const stretches = Math.ceil(bytes.sizeBytes / stretchBytes);
    const cut = (i: number) => Math.floor((bytes.sizeBytes / stretches) * i);
    return Array.from({ length: stretches - 1 }, (_, i) => cut(i + 1));
  });
}

/**
 * The first place of a file at a cut or behind it, where a row begins unless the cut is within one.
 * Its line is counted from the cut in a text.
 *
 * @throws as {@link readRows}
 */
export function placeOfCut({ name, bytes }: File, cut: number): Promise<FilePlace> {
  const format = formatOf(name);
  if (!format.isText) return Promise.resolve({ at: cut, line: cut + 1 });
  return withName(name, bytes, async (source) => {
    const line = await lineFrom(source, cut);
    const at = await format.rowFrom?.((first) => textOf(source, first, limits.lookBytes), line);
    return { at: at ?? line, line: 1 };
  });
}

/** Why a file cannot be read; a failure of its source is thrown as it is. */
function unreadable(
  name: string,
  source: ReturnType<typeof watched>,
  cause: unknown,
  place = '',
): Error {
  source.rethrow();
  return invalid(`${name} cannot be read${place}: ${reasonOf(cause)}`, cause);
}

async function withName<Answer>(
  name: string,
  bytes: ByteSource,
  look: (source: ByteSource) => Promise<Answer>,
): Promise<Answer> {
  const source = watched(bytes);
  try {
    return await look(source);
  } catch (cause) {
    throw unreadable(name, source, cause);
  }
}

/**
 * The names of all columns of a file: a table has them in each row, lines of JSON where they like.
 *
 * @throws as {@link readRows}
 */
export async function columnsOf(file: DatasetFile): Promise<readonly string[]> {
  const isTable = formatOf(file.name) !== jsonLines;
  const columns = new Set<string>();
  for await (const { rows } of readRows({ ...file, columns: 'all' })) {
    for (const row of rows) for (const column of Object.keys(row)) columns.add(column);
    if (isTable && rows.length > 0) break;
  }
  return [...columns];
}

/** A source whose own failures, which say nothing of the file's content, are known from others. */
function watched(source: ByteSource): ByteSource & { readonly rethrow: () => void } {
  let failure: { readonly error: unknown } | undefined;
  const watchedOf = ({ sizeBytes, read, beside }: ByteSource): ByteSource => ({
    sizeBytes,
    ...(beside && { beside: watchedOf(beside) }),
    read: (start, end) =>
      read(start, end).catch((error: unknown) => {
        failure = { error };
        throw error;
      }),
  });
  return {
    ...watchedOf(source),
    rethrow() {
      if (failure !== undefined) throw failure.error;
    },
  };
}
