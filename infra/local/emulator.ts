import type { buildApp } from 'fauxqs';

/**
 * The program of the process that emulates S3 and SQS: fauxqs on a free port of 127.0.0.1, with its data in
 * `process.argv[2]`. It adds what fauxqs 2.4.1 lacks: conditional writes, and listening on loopback alone.
 * (`startFauxqs` always listens on all interfaces, so its parts are put together here.)
 *
 * Tells its parent `{ port }`; is told `{ hold }` and `{ release: true }` by tests.
 */
export type ToEmulator = { readonly hold: string } | { readonly release: true };
/** What the emulator tells its parent, once it listens. */
export type FromEmulator = { readonly port: number };

type Fastify = Awaited<ReturnType<typeof buildApp>>;

/** The parts of fauxqs that it does not export; the version is pinned exactly. */
type Queue = {
  persistence?: object;
  readonly inflightMessages: ReadonlyMap<string, object>;
  changeVisibility(receiptHandle: string, timeoutSeconds: number): void;
};
type SqsStore = { persistence?: object; allQueues(): Iterable<Queue> };
type S3Store = { persistence?: object; headObject(bucket: string, key: string): { readonly etag: string } };
type Persistence = { load(sqs: SqsStore, sns: object, s3: S3Store): void; close(): void };
type Constructor<Arguments extends unknown[], Instance> = new (...parameters: Arguments) => Instance;

async function part<Class>(path: string, name: string): Promise<Class> {
  const module: Record<string, Class> = await import(new URL(path, import.meta.resolve('fauxqs')).href);
  const found = module[name];
  if (found === undefined) throw new Error(`fauxqs has no ${name} in ${path}; is it version 2.4.1?`);
  return found;
}

async function listen(dataDirectory: string): Promise<{ app: Fastify; port: number }> {
  const { buildApp: build } = await import('fauxqs');
  const sqsStore = new (await part<Constructor<[], SqsStore>>('./sqs/sqsStore.js', 'SqsStore'))();
  const snsStore = new (
    await part<Constructor<[], { persistence?: object }>>('./sns/snsStore.js', 'SnsStore')
  )();
  const s3Store = new (await part<Constructor<[], S3Store>>('./s3/s3Store.js', 'S3Store'))();
  const persistence = new (
    await part<Constructor<[string], Persistence>>('./persistence.js', 'PersistenceManager')
  )(dataDirectory);
  persistence.load(sqsStore, snsStore, s3Store);
  for (const store of [sqsStore, snsStore, s3Store, ...sqsStore.allQueues()]) store.persistence = persistence;
  returnMessagesInFlight(sqsStore);

  const app = await build({
    logger: false,
    stores: { sqsStore, snsStore, s3Store } as unknown as NonNullable<Parameters<typeof build>[0]>['stores'],
  });
  app.addHook('preClose', () => persistence.close());
  refuseByCondition(app, s3Store);
  await app.listen({ port: 0, host: '127.0.0.1' });
  const address = app.server.address();
  if (address === null || typeof address === 'string') throw new Error('the emulator has no port');
  return { app, port: address.port };
}

/** No function runs when the machine starts: what was in flight when it stopped comes back at once. */
function returnMessagesInFlight(store: SqsStore): void {
  for (const queue of store.allQueues()) {
    for (const handle of [...queue.inflightMessages.keys()]) queue.changeVisibility(handle, 0);
  }
}

const held = { suffix: undefined as string | undefined, waiting: [] as (() => void)[] };

/**
 * Answers conditional writes as S3 does: 412 PreconditionFailed, and 404 NoSuchKey where If-Match meets no
 * object. Check and write happen in one turn of the event loop, so nothing comes between them.
 */
function refuseByCondition(app: Fastify, store: S3Store): void {
  app.addHook('preHandler', async (request) => {
    const path = request.url.split('?')[0] ?? '';
    if (request.method === 'PUT' && held.suffix !== undefined && path.endsWith(held.suffix)) {
      await new Promise<void>((resolve) => held.waiting.push(resolve));
    }
  });
  app.addHook('preHandler', (request, reply, done) => {
    const ifMatch = request.headers['if-match'];
    const ifNoneMatch = request.headers['if-none-match'];
    const { partNumber } = request.query as Record<string, unknown>;
    const isWrite = (request.method === 'PUT' && partNumber === undefined) || request.method === 'POST';
    if (!isWrite || (ifMatch === undefined && ifNoneMatch === undefined)) return done();
    const { bucket = '', '*': key = '' } = request.params as Record<string, string>;
    const etag = etagOf(store, bucket, key);
    if (ifMatch !== undefined && etag === undefined) {
      return refuse(reply, 404, 'NoSuchKey', 'The specified key does not exist.');
    }
    if ((ifMatch !== undefined && ifMatch !== etag) || (ifNoneMatch === '*' && etag !== undefined)) {
      return refuse(
        reply,
        412,
        'PreconditionFailed',
        'At least one of the pre-conditions you specified did not hold',
      );
    }
    return done();
  });
}

function etagOf(store: S3Store, bucket: string, key: string): string | undefined {
  try {
    return store.headObject(bucket, key).etag;
  } catch {
    return undefined;
  }
}

type Reply = {
  status(code: number): Reply;
  header(name: string, value: string): Reply;
  send(body: string): unknown;
};

function refuse(reply: Reply, status: number, code: string, message: string): void {
  reply
    .status(status)
    .header('content-type', 'application/xml')
    .send(
      `<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>${code}</Code><Message>${message}</Message></Error>`,
    );
}

const { app, port } = await listen(process.argv[2] ?? '.millrace/cloud');
process.on('message', (message: ToEmulator) => {
  if ('hold' in message) held.suffix = message.hold;
  else {
    held.suffix = undefined;
    for (const release of held.waiting.splice(0)) release();
  }
});
const stop = async () => {
  await app.close();
  process.exit(0);
};
process.on('disconnect', stop);
process.on('SIGTERM', stop);
// Ctrl-C reaches the whole process group; the parent stops this process when the functions are done.
process.on('SIGINT', () => undefined);
process.send?.({ port } satisfies FromEmulator);
