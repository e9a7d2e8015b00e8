import type { buildApp } from 'fauxqs';

type Fastify = Awaited<ReturnType<typeof buildApp>>;

/** Fields that are numbers; the query protocol has texts alone. */
const numeric = /(Seconds|Timeout|MaxNumberOfMessages)$/;

/** Lists by their names in JSON, and how the query protocol calls an element of them. */
const lists: Readonly<Record<string, string>> = {
  AttributeNames: 'AttributeName',
  MessageSystemAttributeNames: 'MessageSystemAttributeName',
  MessageAttributeNames: 'MessageAttributeName',
  QueueUrls: 'QueueUrl',
  Messages: 'Message',
};

/** Elements of a batch, and of its answer, by the action. */
const entryOf = (action: string) => `${action}RequestEntry`;

type Fields = Record<string, unknown>;

/**
 * Answers SQS requests in the query protocol, which the AWS CLI before 2.15 and boto3 before 1.34
 * speak: they are translated into JSON, which fauxqs 2.4.1 alone takes.
 */
export function takeQueryProtocol(app: Fastify): void {
  app.addHook('preHandler', async (request, reply) => {
    const isQuery = String(request.headers['content-type']).includes('x-www-form-urlencoded');
    if (!isQuery) return;
    const { Action: action, Version: version, ...fields } = (request.body ?? {}) as Fields;
    if (version !== '2012-11-05' || typeof action !== 'string') return;
    const answer = await app.inject({
      method: 'POST',
      url: '/',
      headers: {
        ...(request.headers.authorization && { authorization: request.headers.authorization }),
        'content-type': 'application/x-amz-json-1.0',
        'x-amz-target': `AmazonSQS.${action}`,
      },
      payload: JSON.stringify(asJson(action, fields)),
    });
    const json = answer.body === '' ? {} : JSON.parse(answer.body);
    const isFine = answer.statusCode < 400;
    await reply
      .status(answer.statusCode)
      .header('content-type', 'text/xml')
      .send(isFine ? answerXml(action, json) : errorXml(json));
  });
}

/** `AttributeName.1=All` and the like as JSON. */
function asJson(action: string, fields: Fields): Fields {
  const json: Fields = {};
  for (const [path, text] of Object.entries(fields)) {
    const [name = '', place, ...rest] = path.split('.');
    const value = numeric.test(rest.at(-1) ?? name) ? Number(text) : text;
    if (place === undefined) json[name] = value;
    else {
      const list = name === entryOf(action) ? 'Entries' : nameOfList(name);
      const elements = (json[list] ?? []) as unknown[];
      json[list] = elements;
      const index = Number(place) - 1;
      if (rest.length === 0) elements[index] = value;
      else elements[index] = { ...(elements[index] as Fields), [rest.join('.')]: value };
    }
  }
  return json;
}

function nameOfList(element: string): string {
  return Object.entries(lists).find(([, each]) => each === element)?.[0] ?? `${element}s`;
}

function answerXml(action: string, json: Fields): string {
  const result = Object.entries(json)
    .map(([name, value]) => elementXml(action, name, value))
    .join('');
  const metadata = '<ResponseMetadata><RequestId>local</RequestId></ResponseMetadata>';
  const answer = tag(`${action}Response`, tag(`${action}Result`, result) + metadata);
  return `<?xml version="1.0"?>${answer}`;
}

function elementXml(action: string, name: string, value: unknown): string {
  if (name === 'Attributes') {
    return Object.entries(value as Fields)
      .map(([key, each]) => tag('Attribute', tag('Name', key, true) + tag('Value', each, true)))
      .join('');
  }
  if (!Array.isArray(value)) return tag(name, value, true);
  const element = { Successful: `${action}ResultEntry`, Failed: 'BatchResultErrorEntry' }[name];
  return value
    .map((each) => {
      if (typeof each !== 'object') return tag(lists[name] ?? name, each, true);
      const inner = Object.entries(each as Fields);
      const content = inner.map(([key, own]) => elementXml(action, key, own)).join('');
      return tag(element ?? lists[name] ?? name, content);
    })
    .join('');
}

function errorXml({ __type: type, message, Message }: Fields): string {
  const code = tag('Code', String(type).split('#').at(-1), true);
  const text = tag('Message', message ?? Message, true);
  const error = tag('Error', `<Type>Sender</Type>${code}${text}`);
  return `<?xml version="1.0"?>${tag('ErrorResponse', `${error}<RequestId>local</RequestId>`)}`;
}

/** An element; what is no XML already is escaped. */
function tag(name: string, content: unknown, isText = false): string {
  const text = String(content ?? '');
  return `<${name}>${isText ? escaped(text) : text}</${name}>`;
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
