import { writeFileSync } from 'node:fs';
import { specReference, specSchemaJson } from './reference.ts';

/** `npm run docs`: writes the reference of the spec, and its JSON Schema for editors. */
const docs = new URL('../../docs/', import.meta.url);
writeFileSync(new URL('spec.md', docs), specReference());
writeFileSync(new URL('spec.schema.json', docs), specSchemaJson());
