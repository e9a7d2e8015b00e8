import type { DatabaseSync } from 'node:sqlite';
import type { buildApp } from 'fauxqs';

type Fastify = Awaited<ReturnType<typeof buildApp>>;

/**
 * Writes what the requests of one turn of the event loop change in one transaction, and answers
 * them once it is on the disk: fauxqs itself has the disk wait for each row.
 */
export function commitTogether(app: Fastify, persistence: object, database: DatabaseSync): void {
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
          resolve();
        } catch (error) {
          reject(error);
        }
      });
    });
    // Whoever waits for it hears of it.
    commit.catch(() => undefined);
  });
  app.addHook('onSend', async (_request, _reply, payload) => {
    await commit;
    return payload;
  });
}
