import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import type { buildApp } from 'fauxqs';
import * as z from 'zod';
import { commitTogether } from './commit-together.ts';
import { refuseByCondition } from './conditional-writes.ts';
import { loadPart } from './fauxqs-parts.ts';
import { deduplicationId, mendFifoQueues, senderOf } from './fifo-queues.ts';
import { listenLikeBefore } from './kept-ports.ts';
import { holdLargeBody, refuseTooLarge } from './large-bodies.ts';
import { takeQueryProtocol } from './query-protocol.ts';

/**
 * The program of the process that emulates S3 and SQS: fauxqs on 127.0.0.1, with its data in
 * `process.argv[2]`, visibility timeouts that are shorter by the factor in `process.argv[3]`, and
 * the port `process.argv[4]` if that is free. It adds what fauxqs 2.4.1 lacks: conditional
 * writes, FIFO queues as SQS has them, and listening on loopback alone. (`startFauxqs` always
 * listens on all interfaces, so its parts are put together here.)
 *
 * Tells its parent `{ port }` once it listens; tests tell it to `hold` puts whose keys have this part,
 * hear which key is `held`, and `release` them; or that each request to S3 takes so much longer.
 */
export type ToEmulator =
  | { readonly hold: string }
  | { readonly release: true }
  | { readonly delayMilliseconds: number };
/** What the emulator tells its parent. */
export type FromEmulator =
  | { readonly port: number }
  | { readonly held: string }
  /** Another process uses the data, so this one ends. */
  | { readonly isInUse: true };

type Fastify = Awaited<ReturnType<typeof buildApp>>;

type Stores = NonNullable<NonNullable<Parameters<typeof buildApp>[0]>['stores']>;
type SqsStore = Stores['sqsStore'];
type SnsStore = Stores['snsStore'];
type S3Store = Stores['s3Store'];
type Persistence = NonNullable<SqsStore['persistence']>;

/** A class of fauxqs that it does not export. */
type Constructor<Arguments extends unknown[], Instance> = new (
  ...parameters: Arguments
) => Instance;

async function part<Class>(path: string, name: string): Promise<Class> {
  const found = (await loadPart(path))[name];
  if (found === undefined)
    throw new Error(`fauxqs has no ${name} in ${path}; is it version 2.4.1?`);
  return found as Class;
}

async function listen(
  dataDirectory: string,
  visibilityFactor: number,
  wanted: number,
): Promise<{ app: Fastify; port: number }> {
  const { buildApp: build } = await import('fauxqs');
  const SqsStore = await part<Constructor<[], SqsStore>>('./sqs/sqsStore.js', 'SqsStore');
  const SnsStore = await part<Constructor<[], SnsStore>>('./sns/snsStore.js', 'SnsStore');
  const S3Store = await part<Constructor<[], S3Store>>('./s3/s3Store.js', 'S3Store');
  const Persistence = await part<Constructor<[string], Persistence>>(
    './persistence.js',
    'PersistenceManager',
  );
  const stores: Stores = {
    sqsStore: new SqsStore(),
    snsStore: new SnsStore(),
    s3Store: new S3Store(),
  };
  const { sqsStore, snsStore, s3Store } = stores;
  const persistence = new Persistence(dataDirectory);
  const database: DatabaseSync = Reflect.get(persistence, 'db');
  const queueClass = await part<Parameters<typeof mendFifoQueues>[0] & { prototype: never }>(
    './sqs/sqsStore.js',
    'SqsQueue',
  );
  mendFifoQueues(queueClass.prototype, visibilityFactor);
  takeEveryCharacter(await part<RegExp>('./sqs/sqsTypes.js', 'INVALID_MESSAGE_BODY_CHAR'));
  lockForThisProcess(database);
  keepReceiveCounts(persistence, database);
  persistence.load(sqsStore, snsStore, s3Store);
  for (const store of [sqsStore, snsStore, s3Store, ...sqsStore.allQueues()])
    store.persistence = persistence;
  returnMessagesInFlight(sqsStore);

  const app = await build({ logger: false, stores });
  app.addHook('preClose', () => persistence.close());
  await commitTogether(app, persistence, database);
  takeQueryProtocol(app);
  holdPuts(app);
  refuseByCondition(app, s3Store);
  holdLargeBody(app, s3Store, database);
  await refuseTooLarge(s3Store);
  delayS3(app);
  deduplicateInGroups(app);
  nameSenders(app);
  await listenLikeBefore((port) => app.listen({ port, host: '127.0.0.1' }), wanted);
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('the emulator has no port');
  return { app, port: address.port };
}

/**
 * Two emulators over one folder would each overwrite what the other wrote. @throws SQLITE_BUSY if
 * it is in use
 */
function lockForThisProcess(database: DatabaseSync): void {
  database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT');
}

/**
 * fauxqs 2.4.1 writes NULL into the receive count of a message whose visibility becomes 0, which
 * its own schema forbids: the request fails with status 500, and the message is gone until the next
 * start.
 */
function keepReceiveCounts(persistence: Persistence, database: DatabaseSync): void {
  const ready =
    'UPDATE sqs_messages SET receipt_handle = NULL, visibility_deadline = NULL WHERE message_id = ?';
  persistence.updateMessageReady = (messageId) => void database.prepare(ready).run(messageId);
}

/**
 * SQS takes the characters of XML 1.0; fauxqs 2.4.1 refuses those above U+FFFF, emoji among them.
 */
function takeEveryCharacter(refused: RegExp): void {
  const isRefused = /[^\t\n\r\u{20}-\u{d7ff}\u{e000}-\u{fffd}\u{10000}-\u{10ffff}]/u;
  Object.defineProperty(refused, 'test', { value: (text: string) => isRefused.test(text) });
}

/**
 * No function runs when the machine starts: what was in flight when it stopped comes back at once.
 */
function returnMessagesInFlight(store: SqsStore): void {
  for (const queue of store.allQueues()) {
    for (const handle of [...queue.inflightMessages.keys()]) queue.changeVisibility(handle, 0);
  }
}

const tell = (message: FromEmulator) => process.send?.(message);
const held = { part: undefined as string | undefined, waiting: [] as (() => void)[] };

/** Puts wait that a test holds. */
function holdPuts(app: Fastify): void {
  app.addHook('preHandler', async (request) => {
    const path = request.url.split('?')[0] ?? '';
    if (request.method === 'PUT' && held.part !== undefined && path.includes(held.part)) {
      await new Promise<void>((resolve) => {
        held.waiting.push(resolve);
        tell({ held: path });
      });
    }
  });
}

const sendSchema = z.object({ MessageGroupId: z.string(), MessageDeduplicationId: z.string() });
const batchSchema = z.object({ Entries: z.array(z.unknown()) });

const askedSchema = z.object({ MessageSystemAttributeNames: z.array(z.string()) });
const receivedSchema = z.object({
  Messages: z.array(z.looseObject({ Attributes: z.record(z.string(), z.string()) })),
});

/**
 * Tells consumers who sent a message, as SQS does: here by the sender's access key, which its
 * deduplication id carries. fauxqs says the same of all.
 */
function nameSenders(app: Fastify): void {
  app.addHook('preHandler', (request, _reply, done) => {
    const asked = askedSchema.safeParse(request.body).data?.MessageSystemAttributeNames;
    if (asked?.includes('SenderId')) asked.push('MessageDeduplicationId');
    if (asked !== undefined)
      Object.assign(request.body as object, { MessageSystemAttributeNames: asked });
    done();
  });
  app.addHook('preSerialization', async (_request, _reply, payload: unknown) => {
    const received = receivedSchema.safeParse(payload);
    if (!received.success) return payload;
    return {
      ...(payload as object),
      Messages: received.data.Messages.map(({ Attributes, ...message }) => {
        const sender = senderOf(Attributes.MessageDeduplicationId ?? '');
        if (sender === '' || Attributes.SenderId === undefined) return { ...message, Attributes };
        return { ...message, Attributes: { ...Attributes, SenderId: `${sender}:session` } };
      }),
    };
  });
}

/** How much longer each request to S3 takes. */
let s3Delay = 0;

function delayS3(app: Fastify): void {
  app.addHook('onRequest', async ({ headers }) => {
    if (s3Delay > 0 && headers['x-amz-target'] === undefined) await delay(s3Delay);
  });
}

function deduplicateInGroups(app: Fastify): void {
  app.addHook('preHandler', (request, _reply, done) => {
    const { authorization = '', 'x-amz-target': action } = request.headers;
    const [, sender = ''] = /Credential=([^/]+)\//.exec(authorization) ?? [];
    const batch = batchSchema.safeParse(request.body).data?.Entries ?? [];
    const sent = action === 'AmazonSQS.SendMessage' ? [request.body] : batch;
    if (String(action).startsWith('AmazonSQS.SendMessage'))
      for (const message of sent) nameGroup(message, sender);
    done();
  });
}

function nameGroup(message: unknown, sender: string): void {
  const { MessageGroupId, MessageDeduplicationId } = sendSchema.safeParse(message).data ?? {};
  if (MessageGroupId === undefined || MessageDeduplicationId === undefined) return;
  Object.assign(message as object, {
    MessageDeduplicationId: deduplicationId(MessageGroupId, MessageDeduplicationId, sender),
  });
}

const sqliteBusy = 5;

async function listenOrEnd(...data: Parameters<typeof listen>): ReturnType<typeof listen> {
  try {
    return await listen(...data);
  } catch (error) {
    if (!(error instanceof Error && 'errcode' in error && error.errcode === sqliteBusy))
      throw error;
    tell({ isInUse: true });
    process.exit(0);
  }
}

const [, , dataDirectory = '.millrace/cloud', visibilityFactor = '1', wanted = '0'] = process.argv;
const { app, port } = await listenOrEnd(dataDirectory, Number(visibilityFactor), Number(wanted));
process.on('message', (message: ToEmulator) => {
  if ('hold' in message) held.part = message.hold;
  else if ('delayMilliseconds' in message) s3Delay = message.delayMilliseconds;
  else {
    held.part = undefined;
    for (const release of held.waiting.splice(0)) release();
  }
});
const stop = async () => {
  await app.close();
  process.exit(0);
};
process.on('disconnect', stop);
process.on('SIGTERM', stop);
// Ctrl-C reaches the whole process group; the parent stops this process when the functions are
// done.
process.on('SIGINT', () => undefined);
tell({ port });
