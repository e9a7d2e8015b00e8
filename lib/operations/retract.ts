import type { SettledMessage } from '../commands/header.ts';
import { openFile } from '../datasets/local-file.ts';
import { invalid, isOfKind, reasonOf } from '../errors.ts';
import { columnsOf } from '../features/columns.ts';
import { isLateLabel, readSampleId, withIds } from '../features/sample-id.ts';
import { currentModel } from '../fold/current-model.ts';
import { idHash, type Retraction, sampleHash } from '../fold/exclusions.ts';
import { stretchOfTime, type TimeStretch } from '../journal/by-time.ts';
import { headersAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import type { Model } from '../model/model.ts';
import { allSpecs } from '../model/stored-spec.ts';
import { inOneLine, listNames } from '../parse.ts';
import { deduplicationId } from '../ports/deduplication.ts';
import type { Ports } from '../ports/ports.ts';
import type { Spec } from '../spec/spec.ts';
import {
  type FoundRetracted,
  findRetracted,
  type PreparedRetraction,
  prepareRetraction,
} from './prepare-retraction.ts';
import { type PlacedReason, sampleWriter } from './send-file.ts';
import { readLabels, readSent } from './sent-rows.ts';

/** What is unlearnt. */
export type RetractChoice =
  /** SQS' id of a message, or `<producer>:<seq>`. */
  | { readonly by: 'message'; readonly message: string }
  /** A file of rows or samples, as they were sent: as labels, by what they were asked under. */
  | { readonly by: 'samples'; readonly file: string; readonly idColumn?: string | undefined }
  /** All that was learnt within some time, in milliseconds since 1970. */
  | { readonly by: 'time'; readonly first: number; readonly last: number };

/** What a retraction would unlearn. */
export type ChosenRetraction = {
  readonly model: Model;
  readonly retraction: Retraction;
  readonly found: FoundRetracted;
  /** Lines of a file that are no samples, so that none were learnt of them. */
  readonly bad: readonly PlacedReason[];
  /** How many samples a file names, each counted once. */
  readonly named?: number;
};

/**
 * What a retraction would unlearn.
 *
 * @throws MillraceError kind `invalid` if there is no such model, no entry holds it, or one command
 *   cannot hold it
 */
export async function chooseRetraction(
  ports: Ports,
  name: string,
  choice: RetractChoice,
): Promise<ChosenRetraction> {
  const { model, state } = await currentModel(ports, name);
  const named = await retractionOf(ports, model, choice, state.sequence);
  const { retraction, bad, whyNone, named: samples } = named;
  if (Buffer.byteLength(JSON.stringify(retraction)) > limits.retractionBytes) {
    throw invalid(
      'millrace retract: that names more than one command can hold; retract a part of it first',
    );
  }
  const found = await findRetracted(ports, model, retraction).catch((error: unknown) => {
    throw whyNone !== undefined && isOfKind(error, 'invalid') ? invalid(whyNone, error) : error;
  });
  return { model, retraction, bad, found, ...(samples !== undefined && { named: samples }) };
}

/** Folds the journal again without it, and sends the command that puts the result in place. */
export async function sendRetraction(
  ports: Ports,
  { model, retraction, found }: Omit<ChosenRetraction, 'bad'>,
  onEntry?: (sequence: number) => void,
): Promise<PreparedRetraction> {
  const prepared = await prepareRetraction(ports, model, retraction, { found, onEntry });
  const body = JSON.stringify({ retract: prepared.retract });
  const deduplication = deduplicationId(model.name, prepared.retract.job);
  await ports.sendCommand({ body, group: model.name, deduplication });
  return prepared;
}

/** Unlearns samples: {@link chooseRetraction}, and {@link sendRetraction} of what it found. */
export async function retract(
  ports: Ports,
  name: string,
  choice: RetractChoice,
): Promise<PreparedRetraction> {
  return sendRetraction(ports, await chooseRetraction(ports, name, choice));
}

/** What a choice names, and why there is likely nothing of it, where that can be seen. */
type Named = Pick<ChosenRetraction, 'retraction' | 'bad' | 'named'> & {
  readonly whyNone?: string;
};

async function retractionOf(
  ports: Ports,
  { name: model }: Model,
  choice: RetractChoice,
  end: number,
): Promise<Named> {
  if (choice.by === 'samples') {
    // Which columns of a row were sent, the spec of that time says; the one that holds comes last.
    const found = [];
    for (const { spec } of await allSpecs(ports.store, model))
      found.push(await hashesOf(spec, choice));
    const own = found.filter(({ isForeign }) => !isForeign);
    const [least] = own.map(({ bad }) => bad).sort((a, b) => a.length - b.length);
    const hashes = new Set(found.flatMap((each) => each.hashes));
    const retraction = { messages: [], samples: [...hashes] };
    const sizes = own.map((each) => new Set(each.hashes).size);
    if (own.length > 0) return { retraction, bad: least ?? [], named: Math.max(...sizes) };
    const columns = listNames([...(found.at(-1)?.columns ?? [])]);
    const whyNone =
      `--samples: ${choice.file} has none of the columns that ${model} learns from, such as ` +
      `${columns}; name a file that was sent to it`;
    return { retraction, bad: [], whyNone };
  }
  let last = '';
  const isMeant =
    choice.by === 'message'
      ? ({ id, producer, seq }: SettledMessage) => {
          const numbered = producer === undefined ? id : `${producer}:${seq}`;
          last = numbered;
          return id === choice.message || numbered === choice.message;
        }
      : (_: SettledMessage, time: number) => choice.first <= time && time <= choice.last;
  const stretch =
    choice.by === 'time'
      ? await stretchOfTime(ports.store, model, { ...choice, end })
      : { after: 0, to: end };
  const messages = await learntMessages(ports, model, isMeant, stretch);
  if (messages.length === 0)
    throw invalid(
      choice.by === 'message'
        ? `--message: ${model} has learnt no message ${inOneLine(choice.message)}; write ` +
            "<producer>:<seq>, or SQS' id of one without a number" +
            (last === '' ? '' : `, such as the latest, ${inOneLine(last)}`)
        : `--from, --to: ${model} has learnt nothing between ${dateOf(choice.first)} and ` +
            dateOf(choice.last),
    );
  return { retraction: { messages, samples: [] }, bad: [] };
}

function dateOf(time: number): string {
  return new Date(time).toISOString();
}

/** Ids of the learnt messages that are chosen. */
async function learntMessages(
  { store }: Ports,
  model: string,
  isMeant: (message: SettledMessage, time: number) => boolean,
  { after, to }: TimeStretch,
): Promise<string[]> {
  const ids: string[] = [];
  const reading = { to, ahead: limits.readsAtOnce };
  for await (const header of headersAfter(store, model, after, reading)) {
    const time = Date.parse(header.time);
    for (const message of header.messages)
      if (message.samples > 0 && isMeant(message, time)) ids.push(message.id);
  }
  return ids;
}

/** The samples of a file as `send` sends them: rows, or samples as they were sent. */
async function hashesOf(
  spec: Spec,
  { file: path, idColumn }: Extract<RetractChoice, { by: 'samples' }>,
) {
  const bytes = await openFile(path).catch((cause: unknown) => {
    throw invalid(`--samples: ${reasonOf(cause)}`, cause);
  });
  const write = sampleWriter(spec);
  const hashes: string[] = [];
  const bad: PlacedReason[] = [];
  const file = { name: path, bytes };
  const own = columnsOf(spec).filter(({ behaviour }) => behaviour.of === undefined);
  const columns = new Set(own.map(({ column }) => column));
  let isForeign = columns.size > 0;
  const chunks = idColumn === undefined ? readSent(spec, file) : readLabels(spec, file, idColumn);
  try {
    for await (const { samples, bad: refused, absent } of chunks) {
      isForeign &&= samples.length === 0 || absent('features').length === columns.size;
      for (const { line, reason } of refused) bad.push({ line, reason });
      for (const sample of samples) {
        const sent: unknown = JSON.parse(write(sample));
        hashes.push(...(isLateLabel(sent) ? hashesOfId(sent) : [sampleHash(sent)]));
      }
    }
    return { hashes, bad, isForeign, columns };
  } finally {
    await bytes.close();
  }
}

function hashesOfId(label: unknown): readonly string[] {
  const ids = withIds([label]).map(({ sample: { id } }) => readSampleId(id));
  return ids.flatMap((id) => (id === undefined ? [] : [idHash(id)]));
}
