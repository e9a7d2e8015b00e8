import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { reasonOf } from '../../lib/errors.ts';
import type { FunctionHost } from './function-host.ts';
import { listenLikeBefore } from './kept-ports.ts';
import { answerFilterLogEvents, type FunctionLogs, filterLogEvents } from './logs-endpoint.ts';
import { executionSchema, type StateMachines } from './state-machines.ts';

/** Where the functions answer, and what they logged is read. */
export type LambdaEndpoint = {
  readonly port: number;
  /**
   * Of Lambda's API: the SDK and the AWS CLI invoke functions here, by their names. CloudWatch Logs
   * answers there too.
   */
  readonly url: string;
  /** A function's own URL. Unlike on AWS, requests need no signature. */
  readonly urlOf: (name: string) => string;
  readonly stop: () => Promise<void>;
};

/** What an endpoint answers with, and on which port, if that is free. */
export type EndpointSettings = {
  readonly logFolder: string;
  readonly start: StateMachines['start'];
  readonly port: number;
};

type Answer = {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string;
};

/**
 * Serves Lambda's `Invoke`, function URLs, CloudWatch Logs' `FilterLogEvents`, and Step Functions'
 * `StartExecution` on loopback. One process hosts a function, so its invocations wait for each
 * other; on AWS each would get a process of its own.
 */
export async function serveFunctions(
  functions: ReadonlyMap<string, FunctionHost>,
  { logFolder, start, port: wanted }: EndpointSettings,
): Promise<LambdaEndpoint> {
  const services = {
    invoke: inTurn(functions),
    logs: { folder: logFolder, names: functions },
    start,
  };
  const server = createServer((request, response) => {
    answerTo(services, request)
      .catch((error: unknown) => ({ status: 400, body: String(error) }))
      .then((answer) => write(response, answer))
      // What a function answered is no answer.
      .catch(() => response.writeHead(502).end('Internal Server Error'));
  });
  await listenLikeBefore(async (port) => {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
  }, wanted);
  const port = portOf(server);
  const url = `http://127.0.0.1:${port}`;
  return {
    port,
    url,
    urlOf: (name) => `${url}/${name}/`,
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

type Invoke = (name: string, event: unknown) => Promise<unknown> | undefined;

/** Invokes functions by name, one invocation of each at a time; undefined if there is no such. */
function inTurn(functions: ReadonlyMap<string, FunctionHost>): Invoke {
  const last = new Map<string, Promise<unknown>>();
  return (name, event) => {
    const host = functions.get(name);
    if (host === undefined) return undefined;
    const invoked = (last.get(name) ?? Promise.resolve()).then(() => host.invoke(event));
    last.set(
      name,
      invoked.catch(() => undefined),
    );
    return invoked;
  };
}

type Services = {
  readonly invoke: Invoke;
  readonly logs: FunctionLogs;
  readonly start: StateMachines['start'];
};

async function answerTo(
  { invoke, logs, start }: Services,
  request: IncomingMessage,
): Promise<Answer> {
  const [pathname = '/', search = ''] = (request.url ?? '/').split('?', 2);
  const [, called] = /^\/2015-03-31\/functions\/([^/]+)\/invocations$/.exec(pathname) ?? [];
  const body = await text(request);
  if (request.headers['x-amz-target'] === filterLogEvents) return answerOfLogs(logs, body);
  if (request.headers['x-amz-target'] === startExecution) return answerOfStart(start, body);
  if (called !== undefined) return answerOfInvoke(invoke, decodeURIComponent(called), body);
  const [, name = '', rawPath = '/'] = /^\/([^/]+)(\/.*)?$/.exec(pathname) ?? [];
  return answerOfUrl(invoke, name, {
    version: '2.0',
    rawPath,
    rawQueryString: search,
    headers: request.headers,
    requestContext: { http: { method: request.method, path: rawPath } },
    body,
    isBase64Encoded: false,
  });
}

async function answerOfInvoke(invoke: Invoke, name: string, body: string): Promise<Answer> {
  const event: unknown = body === '' ? {} : JSON.parse(body);
  const invoked = invoke(name, event);
  if (invoked === undefined) {
    const headers = { 'x-amzn-errortype': 'ResourceNotFoundException' };
    return {
      status: 404,
      headers,
      body: JSON.stringify({ Message: `Function not found: ${name}` }),
    };
  }
  try {
    return { status: 200, body: JSON.stringify((await invoked) ?? null) };
  } catch (error) {
    const errorMessage = reasonOf(error);
    const headers = { 'x-amz-function-error': 'Unhandled' };
    return { status: 200, headers, body: JSON.stringify({ errorMessage, errorType: 'Error' }) };
  }
}

const startExecution = 'AWSStepFunctions.StartExecution';

function answerOfStart(start: StateMachines['start'], body: string): Answer {
  const execution = executionSchema.parse(JSON.parse(body));
  const executionArn = start(execution);
  const headers = { 'content-type': 'application/x-amz-json-1.0' };
  if (executionArn !== undefined) {
    const started = { executionArn, startDate: Date.now() / 1_000 };
    return { status: 200, headers, body: JSON.stringify(started) };
  }
  const exists = {
    __type: 'ExecutionAlreadyExists',
    message: `there was ${execution.name} before`,
  };
  return { status: 400, headers, body: JSON.stringify(exists) };
}

async function answerOfLogs(logs: FunctionLogs, body: string): Promise<Answer> {
  const events = await answerFilterLogEvents(logs, JSON.parse(body));
  const headers = { 'content-type': 'application/x-amz-json-1.1' };
  if (events !== undefined) return { status: 200, headers, body: JSON.stringify(events) };
  const missing = { __type: 'ResourceNotFoundException', message: 'there is no such log group' };
  return { status: 400, headers, body: JSON.stringify(missing) };
}

async function answerOfUrl(invoke: Invoke, name: string, event: object): Promise<Answer> {
  const invoked = invoke(name, event);
  if (invoked === undefined) return { status: 404, body: `there is no function ${name}\n` };
  try {
    const answer = (await invoked) as {
      statusCode?: number;
      headers?: Record<string, string>;
      body?: string;
    };
    const { statusCode: status = 200, headers = {}, body = '' } = answer;
    return { status, headers, body };
  } catch {
    return { status: 502, body: 'Internal Server Error' };
  }
}

function write(response: ServerResponse, { status, headers = {}, body }: Answer): void {
  response.writeHead(status, { 'content-type': 'application/json', ...headers }).end(body);
}

function portOf(server: Server): number {
  const address = server.address();
  if (address === null || typeof address === 'string')
    throw new Error('the functions have no port');
  return address.port;
}
