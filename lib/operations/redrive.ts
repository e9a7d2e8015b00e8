import { keys } from '../bucket/keys.ts';
import { reasonIf } from '../errors.ts';
import { ledgerNow } from '../fold/ledger-now.ts';
import { headersAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { reportPromotions } from '../online/end-of-promotion.ts';
import { type Message, parseMessage } from '../online/messages.ts';
import { isRecord, parseJson, show } from '../parse.ts';
import type { Ports } from '../ports/ports.ts';
import { isModelName } from '../spec/names.ts';
import { bodyOf } from './refused-samples.ts';
import {
  canBeNumbered,
  numbered,
  type ResendPlan,
  readPlans,
  resendsOf,
  writePlan,
} from './resend-plan.ts';

/** What became of dead letters. */
export type Redriven<Letter extends Message> = {
  /** Sent again. */
  readonly sent: readonly Letter[];
  /** Not sent, because the journal had settled them before they died. */
  readonly settled: readonly Letter[];
  /** Not sent, because their model does not exist or is stopped: they would die again. */
  readonly left: readonly { readonly letter: Letter; readonly reason: string }[];
};

/** The queue that letters are of. */
export type LetterQueue = 'samples' | 'commands';

/** What is known of a model, read forward with each batch of letters. */
type History = { sequence: number; readonly settled: Set<string>; readonly plans: ResendPlan[] };

/**
 * Sends dead letters of a queue again, batch by batch. Those of `sent` and `settled` may then be
 * removed. A letter without a producer's number would be a new message for SQS and for the
 * ledger. So it is looked up in the journal first, and sent under a number that is written down: a
 * redrive that breaks off and is started again sends it under the same number.
 *
 * @returns a function of letters; it throws MillraceError kind `unavailable` if S3 or SQS do not
 *   answer, or a second redrive runs at the same time: the letters are still to be sent then
 */
export function createRedrive(ports: Ports, queue: LetterQueue = 'samples') {
  const histories = new Map<string, History>();
  return async <Letter extends Message>(letters: readonly Letter[]): Promise<Redriven<Letter>> => {
    const redriven = {
      sent: [] as Letter[],
      settled: [] as Letter[],
      left: [] as { letter: Letter; reason: string }[],
    };
    for (const [model, ofModel] of Map.groupBy(letters, ({ group }) => group)) {
      const history = histories.get(model) ?? { sequence: 0, settled: new Set(), plans: [] };
      histories.set(model, history);
      // What is wrong with one model is no reason to leave the letters of the others.
      const done = await redriveModel(ports, { model, queue, history }, ofModel).catch(
        reasonIf('corrupt'),
      );
      if (typeof done === 'string') {
        redriven.left.push(...ofModel.map((letter) => ({ letter, reason: done })));
      } else {
        redriven.sent.push(...done.sent);
        redriven.settled.push(...done.settled);
        redriven.left.push(...done.left);
      }
    }
    return redriven;
  };
}

/** The letters of one model in a queue. */
type Group = { readonly model: string; readonly queue: LetterQueue; readonly history: History };

/** Sends the letters of one model; a text says why none of them can be sent. */
async function redriveModel<Letter extends Message>(
  ports: Ports,
  { model, queue, history }: Group,
  letters: readonly Letter[],
): Promise<Redriven<Letter> | string> {
  if (!isModelName(model)) return `no model can be called ${show(model)}; drop it`;
  if ((await ports.store.get(keys.spec(model))) === undefined)
    return `there is no model ${model}; create it, or drop it`;
  const anonymous = new Set(
    letters.filter((letter) => parseMessage(letter).identity.by === 'queue'),
  );
  if (anonymous.size > 0) await readOn(ports, model, history);
  const isSettled = (letter: Letter) => anonymous.has(letter) && history.settled.has(letter.id);
  const settled = letters.filter(isSettled);
  const sent: Letter[] = [];
  const left: { letter: Letter; reason: string }[] = [];
  const toSend = letters.filter((letter) => {
    const reason = isSettled(letter) ? undefined : reasonToLeave(letter, queue);
    if (reason !== undefined) left.push({ letter, reason });
    return !isSettled(letter) && reason === undefined;
  });
  const toNumber = toSend.filter((letter) => anonymous.has(letter));
  const resends = await numberLetters(ports, model, history, toNumber);
  for (const letter of toSend) {
    const { id, body } = letter;
    const resend = resends.get(id) ?? { body, deduplication: id };
    const send = isCommand(letter) ? ports.sendCommand : ports.sendSamples;
    const refused =
      typeof resend === 'string'
        ? resend
        : await send({ group: model, ...resend }).catch(reasonIf('invalid'));
    if (typeof refused === 'string') left.push({ letter, reason: refused });
    else sent.push(letter);
  }
  await reportPromotions(ports, model, settled.map(parseMessage), []);
  return { sent, settled, left };
}

/** Why a letter must not be sent; undefined if it may be. */
function reasonToLeave(letter: Message, queue: LetterQueue): string | undefined {
  if (isCommand(letter))
    return letter.isOfProducer
      ? 'it is a command, and MILLRACE_COMMAND_SENDERS does not name its sender; give it again'
      : undefined;
  return queue === 'commands'
    ? 'it is no command, and others do not go through that queue; mend it, send it again, drop it'
    : undefined;
}

/** Whether a letter is something other than samples, whoever sent it. */
function isCommand(letter: Message): boolean {
  const { kind } = parseMessage({ ...letter, isOfProducer: false }).command;
  return kind !== 'samples' && kind !== 'malformed';
}

const noRoom =
  `with the number by which it is done once it would have more than ${limits.messageBytes} bytes; ` +
  'send it again in smaller messages, and drop it';

/**
 * Gives letters the numbers that they had before, or new ones. What is no object of JSON goes
 * without: it can never be learnt.
 *
 * @returns messages by the letters' ids, or why there is none
 */
async function numberLetters(
  ports: Ports,
  model: string,
  { plans, sequence }: History,
  letters: readonly Message[],
): Promise<ReadonlyMap<string, ReturnType<typeof numbered> | string>> {
  const all = letters.flatMap((letter) => {
    const body = ofLetter(letter, sequence);
    return body === undefined ? [] : [[letter.id, body] as const];
  });
  const bodies = new Map(all.filter(([, body]) => canBeNumbered(body)));
  const known = new Set(resendsOf(plans, 'dead letters').map(({ message }) => message));
  const unknown = [...bodies.keys()].filter((id) => !known.has(id));
  if (unknown.length > 0) {
    const ledger = await ledgerNow(ports, model);
    await writePlan(ports, model, plans, { source: 'dead letters', messages: unknown, ledger });
  }
  const found = new Map<string, ReturnType<typeof numbered> | string>();
  for (const [id] of all) found.set(id, noRoom);
  for (const resend of resendsOf(plans, 'dead letters')) {
    const body = bodies.get(resend.message);
    if (body !== undefined) found.set(resend.message, numbered(model, body, resend));
  }
  return found;
}

/**
 * A letter's body that names the letter, as columns where there would be no room for that;
 * undefined if it is no object. The online update looks for it in the entries since `searchedTo`.
 */
function ofLetter(letter: Message, searchedTo: number): object | undefined {
  const sent = readObject(letter.body);
  if (sent === undefined) return undefined;
  const deadLetter = { id: letter.id, searchedTo };
  const { samples, ...others } = sent;
  const isList = Array.isArray(samples) && parseMessage(letter).command.kind === 'samples';
  if (!isList || canBeNumbered({ ...sent, deadLetter })) return { ...sent, deadLetter };
  return { ...others, ...bodyOf(samples), deadLetter };
}

function readObject(body: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const sent = parseJson(body, 'body', limits.messageBytes, limits.messageDepth);
    return isRecord(sent) ? sent : undefined;
  } catch {
    return undefined;
  }
}

/** Reads the journal and the plans from where the last batch stopped. */
async function readOn(ports: Ports, model: string, history: History): Promise<void> {
  await readPlans(ports, model, history.plans);
  const journal = headersAfter(ports.store, model, history.sequence, { ahead: limits.readsAtOnce });
  for await (const header of journal) {
    history.sequence = header.sequence;
    for (const { id } of header.messages) history.settled.add(id);
  }
}
