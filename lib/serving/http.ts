import * as z from 'zod';
import { isOfKind } from '../errors.ts';
import { limits } from '../limits.ts';
import { isRecord, parseJson, show } from '../parse.ts';
import { type Refused, refuse } from '../refusal.ts';
import { type PredictAnswer, tooLarge } from './serve.ts';

/** What a function URL hands over (payload format 2.0), as far as it is read. */
const httpSchema = z.object({
  rawPath: z.string(),
  body: z.string().optional(),
  isBase64Encoded: z.boolean().optional(),
  requestContext: z.object({ http: z.object({ method: z.string() }) }),
});

/** A request of a function URL. */
export type HttpRequest = z.output<typeof httpSchema>;

/** What a function URL answers. */
export type HttpAnswer = {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
};

/** Whether an event came through a function URL rather than from an invocation. */
export function isHttpRequest(event: unknown): event is HttpRequest {
  return httpSchema.safeParse(event).success;
}

/** The status that says what a client may do: mend the request, ask again, or call somebody. */
const statusOf: Readonly<Record<Extract<PredictAnswer, { ok: false }>['code'], number>> = {
  malformed: 400,
  'no-such-model': 404,
  'too-large': 413,
  'not-reached': 409,
  stopped: 500,
  unavailable: 503,
};

/**
 * Answers `POST /<model>` with `{ samples, … }` or `{ columns, … }`, or `POST /` with a
 * `model` beside them.
 *
 * @param answerTo a request as an invocation would bring it
 */
export async function answerOverHttp(
  request: HttpRequest,
  answerTo: (request: unknown) => Promise<PredictAnswer>,
): Promise<HttpAnswer> {
  const { method } = request.requestContext.http;
  if (method !== 'POST')
    return answered(405, refuse('malformed', `method: must be POST (found ${method})`), {
      allow: 'POST',
    });
  const read = requestOf(request);
  if ('reason' in read) return answered(statusOf[read.code], read);
  const answer = await answerTo(read.body);
  const found = answered(answer.ok ? 200 : statusOf[answer.code], answer);
  // As a text within a text, each quotation mark of it is two characters. (Most are far too small.)
  if (4 * found.body.length <= limits.requestBytes || !answer.ok) return found;
  const sizeBytes = Buffer.byteLength(JSON.stringify(found));
  if (sizeBytes <= limits.requestBytes) return found;
  return answered(statusOf['too-large'], tooLarge(sizeBytes, answer.predictions.length));
}

function answered(
  statusCode: number,
  answer: PredictAnswer,
  headers: HttpAnswer['headers'] = {},
): HttpAnswer {
  return {
    statusCode,
    headers: { 'content-type': 'application/json', ...headers },
    body: JSON.stringify(answer),
  };
}

/** The request in a body, or why there is none. */
function requestOf({
  rawPath,
  body = '',
  isBase64Encoded = false,
}: HttpRequest):
  | { readonly body: Readonly<Record<string, unknown>> }
  | Refused<'malformed' | 'too-large'> {
  const model = rawPath.replace(/^\/|\/$/g, '');
  const text = isBase64Encoded ? Buffer.from(body, 'base64').toString('utf8') : body;
  const sizeBytes = Buffer.byteLength(text);
  if (sizeBytes > limits.requestBytes) {
    const most = `at most ${limits.requestBytes} bytes (found ${sizeBytes})`;
    return refuse('too-large', `body: must have ${most}; ask for fewer samples at once`);
  }
  const malformed = (reason: string) => refuse('malformed', reason);
  try {
    const parsed = parseJson(text, 'body', limits.requestBytes, limits.messageDepth);
    if (!isRecord(parsed))
      return malformed('body: must be an object, such as {"samples": [{"features": {}}]}');
    const { model: named = model } = parsed;
    if (model !== '' && named !== model)
      return malformed(
        `body.model: must be ${model}, as the URL says, or left out (found ${show(named)})`,
      );
    return { body: model === '' ? parsed : { ...parsed, model } };
  } catch (error) {
    if (isOfKind(error, 'invalid')) return malformed(error.message);
    throw error;
  }
}
