import { pathToFileURL } from 'node:url';

/**
 * The program of a function's own process: loads the bundled handler at `process.argv[2]` and runs
 * one invocation at a time, as the Lambda runtime does.
 */
export type Invocation = {
  readonly id: number;
  readonly event: unknown;
  readonly deadline: number;
};
/** What a function's process answers: ready, or the outcome of one invocation. */
export type FromFunction =
  | { readonly ready: true }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly error: string };

type Handler = (event: unknown, context: object) => Promise<unknown>;

// Ctrl-C reaches the whole process group, at any time; an invocation under way is finished first.
process.on('SIGINT', () => undefined);

const module: { handler?: Handler } = await import(pathToFileURL(process.argv[2] ?? '').href);
const { handler } = module;
if (handler === undefined) throw new Error(`${process.argv[2]} exports no handler`);

const answer = (message: FromFunction) => process.send?.(message);

process.on('message', async ({ id, event, deadline }: Invocation) => {
  const context = {
    functionName: process.env.AWS_LAMBDA_FUNCTION_NAME,
    awsRequestId: String(id),
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
  try {
    const result = await handler(event, context);
    // As Lambda has it: what JSON has not is not answered.
    answer({ id, result: JSON.parse(JSON.stringify(result ?? null)) });
  } catch (error) {
    // As the Lambda runtime logs it.
    const { name, message, stack } = error instanceof Error ? error : new Error(String(error));
    console.error(
      JSON.stringify({ level: 'ERROR', message: 'it threw', error: { name, message, stack } }),
    );
    answer({ id, error: error instanceof Error ? (error.stack ?? error.message) : String(error) });
  }
});
process.on('disconnect', () => process.exit(0));
answer({ ready: true });
