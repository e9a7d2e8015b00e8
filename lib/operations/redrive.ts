import { keys } from '../bucket/keys.ts';
import { reasonIf } from '../errors.ts';
import { ledgerNow } from '../fold/ledger-now.ts';
import { headersAfter } from '../journal/reading.ts';
import { limits } from '../limits.ts';
import { reportPromotions } from '../online/end-of-promotion.ts';
import { type Message, parseMessage } from '../online/messages.ts';
import { show } from '../parse.ts';
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
  const unsettled = letters.filter((letter) => !isSettled(letter));
  const toNumber = unsettled.filter((letter) => anonymous.has(letter));
  const resends = await numberLetters(ports, model, history, toNumber);
  const sent: Letter[] = [];
  const left: { letter: Letter; reason: string }[] = [];
  for (const letter of unsettled) {
    const { id, body } = letter;
    const kind = kindOf(letter);
    const isCommand = kind !== 'samples' && kind !== 'malformed';
    const numbered = resends.get(id);
    const reason = reasonToLeave(letter, { queue, isCommand, isUnsafe: numbered === 'too large' });
    const asItWas = { body, deduplication: id };
    const message = { group: model, ...(typeof numbered === 'object' ? numbered : asItWas) };
    const send = isCommand ? ports.sendCommand : ports.sendSamples;
    const refused = reason ?? (await send(message).catch(reasonIf('invalid')));
    if (typeof refused === 'string') left.push({ letter, reason: refused });
    else sent.push(letter);
  }
  const settled = letters.filter(isSettled);
  await reportPromotions(ports, model, settled.map(parseMessage), []);
  return { sent, settled, left };
}

/** Why a letter must not be sent; undefined if it may be. */
function reasonToLeave(
  { isOfProducer }: Message,
  how: { readonly queue: LetterQueue; readonly isCommand: boolean; readonly isUnsafe: boolean },
): string | undefined {
  if (how.isCommand && isOfProducer)
    return 'it is a command, and MILLRACE_COMMAND_SENDERS does not name its sender; give it again';
  if (how.queue === 'commands' && !how.isCommand) return 'it is no command; drop it';
  if (how.isUnsafe)
    return (
      `with the number by which it is learnt once it would have more than ${limits.messageBytes} ` +
      'bytes; send its samples in smaller messages, and drop it'
    );
  return undefined;
}

/** What a letter is, whoever sent it. */
function kindOf(letter: Message): ReturnType<typeof parseMessage>['command']['kind'] {
  return parseMessage({ ...letter, isOfProducer: false }).command.kind;
}

/** A letter's message under its number, unless there is no room for one. */
type Numbered = ReturnType<typeof numbered> | 'too large';

/**
 * Gives letters the numbers that they had before, or new ones. Letters that can never be learnt go
 * without.
 */
async function numberLetters(
  ports: Ports,
  model: string,
  { plans, sequence }: History,
  letters: readonly Message[],
): Promise<ReadonlyMap<string, Numbered>> {
  const all = letters
    .filter((letter) => parseMessage(letter).command.kind !== 'malformed')
    .map(({ id, body }) => [id, ofLetter(body, id, sequence)] as const);
  const bodies = new Map(all.filter(([, body]) => canBeNumbered(body)));
  const known = new Set(resendsOf(plans, 'dead letters').map(({ message }) => message));
  const unknown = [...bodies.keys()].filter((id) => !known.has(id));
  if (unknown.length > 0) {
    const ledger = await ledgerNow(ports, model);
    await writePlan(ports, model, plans, { source: 'dead letters', messages: unknown, ledger });
  }
  const found = new Map<string, Numbered>(all.map(([id]) => [id, 'too large']));
  for (const resend of resendsOf(plans, 'dead letters')) {
    const body = bodies.get(resend.message);
    if (body !== undefined) found.set(resend.message, numbered(model, body, resend));
  }
  return found;
}

/**
 * A letter's body that names the letter, as columns where there would be no room for that. The
 * online update looks for it in the entries since `searchedTo`.
 */
function ofLetter(body: string, id: string, searchedTo: number): object {
  const sent = JSON.parse(body) as { readonly samples?: unknown };
  const own = { ...sent, deadLetter: { id, searchedTo } };
  if (!Array.isArray(sent.samples) || canBeNumbered(own)) return own;
  const { samples, ...rest } = own;
  return { ...rest, ...bodyOf(samples) };
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
