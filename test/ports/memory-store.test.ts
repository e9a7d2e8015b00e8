import { describe } from 'vitest';
import { memoryStore } from '../support/memory-store.ts';
import { itIsAnObjectStore } from './object-store.contract.ts';

describe('the store in memory', () => {
  const store = memoryStore();
  itIsAnObjectStore(() => store);
});
