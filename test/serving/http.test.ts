import { describe, expect, it } from 'vitest';
import { answerOverHttp } from '../../lib/serving/http.ts';

describe('a request over HTTP', () => {
  const request = (method: string, body?: string) =>
    answerOverHttp(
      { rawPath: '/m', requestContext: { http: { method } }, ...(body !== undefined && { body }) },
      async () => ({
        ok: true,
        model: 'm',
        sequence: 1,
        learnt: 1,
        spec: '0',
        unknown: {},
        predictions: [],
      }),
    );

  it('is told by which method it is asked', async () => {
    const { statusCode, headers, body } = await request('GET');
    expect([statusCode, headers.allow]).toEqual([405, 'POST']);
    expect(JSON.parse(body)).toMatchObject({
      ok: false,
      reason: 'method: must be POST (found GET)',
    });
  });

  it('is answered', async () => {
    const { statusCode, headers } = await request('POST', '{"samples": []}');
    expect([statusCode, headers.allow]).toEqual([200, undefined]);
    expect((await request('POST', '[]')).statusCode).toBe(400);
  });

  it('is told how large it may be', async () => {
    const { statusCode, body } = await request('POST', ' '.repeat(6 * 1_048_576));
    expect([statusCode, JSON.parse(body).code]).toEqual([413, 'too-large']);
  });

  it('is told how many samples fit where its answer, as a text within one, is too large', async () => {
    const samples = Array.from({ length: 100 }, () => ({ features: {} }));
    const name = '"'.repeat(30_000);
    const predictions = samples.map(() => ({ class: name, probabilities: {} }));
    const { statusCode, body } = await answerOverHttp(
      {
        rawPath: '/m',
        requestContext: { http: { method: 'POST' } },
        body: JSON.stringify({ samples }),
      },
      async () => ({
        ...{ ok: true, model: 'm', sequence: 1, learnt: 1, spec: '0', unknown: {} },
        predictions,
      }),
    );
    expect(statusCode).toBe(413);
    expect(JSON.parse(body).reason).toMatch(/would have 12\d+ bytes.* ask for about 21 samples/);
  });
});
