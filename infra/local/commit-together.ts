import { open } from 'node:fs/promises';
import type { DatabaseSync } from 'node:sqlite';
import type { buildApp } from 'fauxqs';

type Fastify = Awaited<ReturnType<typeof buildApp>>;

/**
 * Writes what the requests of one turn of the event loop change in one transaction, and answers
 * them once it is on the disk: fauxqs itself has the disk wait for each row. What is written while
 * the disk is busy waits for it together, and the event loop goes on.
 */
export async function commitTogether(
  app: Fastify,
  persistence: object,
  database: DatabaseSync,
): Promise<void> {
  const disk = await followLog(database);
  let commit: Promise<void> | undefined;
  // Transactions of its own are parts of these.
  const inTransaction = <Result>(change: () => Result): Result => {
    database.exec('SAVEPOINT part');
    try {
      const result = change();
      database.exec('RELEASE part');
      return result;
    } catch (error) {
      database.exec('ROLLBACK TO part; RELEASE part');
      throw error;
    }
  };
  Reflect.set(persistence, 'transaction', inTransaction);
  app.addHook('preHandler', async () => {
    if (commit !== undefined) return;
    database.exec('BEGIN');
    commit = new Promise((resolve, reject) => {
      setImmediate(() => {
        commit = undefined;
        try {
          database.exec('COMMIT');
          disk.onCommit();
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    // Whoever waits for it hears of it.
    commit.catch(() => undefined);
  });
  app.addHook('onSend', async (request, _reply, payload) => {
    await commit;
    if (!isReceivers.test(String(request.headers['x-amz-target']))) await disk.hasAll();
    return payload;
  });
  app.addHook('preClose', disk.close);
}

/** What consumers say of messages: if it is lost with the machine, they are delivered again. */
const isReceivers = /^AmazonSQS\.(Receive|Delete|ChangeMessageVisibility)Message/;

/**
 * Has SQLite leave the waiting for the disk to us. Its log is written from front to back, so what
 * is on the disk is all that was committed up to some commit.
 */
async function followLog(database: DatabaseSync) {
  // A checkpoint waits for the disk by itself.
  database.exec('PRAGMA synchronous = NORMAL');
  const changes = database.prepare('SELECT total_changes() AS count');
  const log = await open(`${database.location()}-wal`, 'r+');
  let count = changes.get()?.count;
  let all = Promise.resolve();
  let next: Promise<void> | undefined;
  return {
    onCommit() {
      const now = changes.get()?.count;
      if (now === count) return;
      count = now;
      // Begins once the one before has ended, for all that is committed until then.
      next ??= all.then(() => {
        next = undefined;
        return log.datasync();
      });
      all = next;
      all.catch(() => undefined);
    },
    /** Resolves once all that is committed is on the disk. */
    hasAll: () => all,
    close: () => log.close(),
  };
}
