import type { buildApp } from 'fauxqs';

type Fastify = Awaited<ReturnType<typeof buildApp>>;
type S3Store = NonNullable<NonNullable<Parameters<typeof buildApp>[0]>['stores']>['s3Store'];

/**
 * Answers conditional writes as S3 does, and fauxqs 2.4.1 does not: 412 PreconditionFailed, and 404
 * NoSuchKey where If-Match meets no object. Check and write happen in one turn of the event loop,
 * so nothing comes between them.
 */
export function refuseByCondition(app: Fastify, store: S3Store): void {
  app.addHook('preHandler', (request, reply, done) => {
    const ifMatch = request.headers['if-match'];
    const ifNoneMatch = request.headers['if-none-match'];
    const { partNumber } = request.query as Record<string, unknown>;
    const isWrite =
      (request.method === 'PUT' && partNumber === undefined) || request.method === 'POST';
    if (!isWrite || (ifMatch === undefined && ifNoneMatch === undefined)) return done();
    const { bucket = '', '*': key = '' } = request.params as Record<string, string>;
    const etag = etagOf(store, bucket, key);
    if (ifMatch !== undefined && etag === undefined) {
      return refuse(reply, 404, 'NoSuchKey', 'The specified key does not exist.');
    }
    if (
      (ifMatch !== undefined && ifMatch !== etag) ||
      (ifNoneMatch === '*' && etag !== undefined)
    ) {
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
