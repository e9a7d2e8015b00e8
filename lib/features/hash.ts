/**
 * A 32-bit hash of a text's UTF-16 units: FNV-1a with a final avalanche (the fmix32 step of
 * MurmurHash3), so that `hash % buckets` is even for short texts. Part of the model: changing it
 * would move embeddings. Sources: Fowler, Noll, Vo 1991; Appleby, MurmurHash3 (public domain).
 */
export function hashText(text: string): number {
  return mixBits(hashUnits(0x811c9dc5, text));
}

/** The hash of texts with a separator between them. */
export function hashTexts(texts: readonly string[], separator: string): number {
  let hash = hashUnits(0x811c9dc5, texts[0] ?? '');
  for (let i = 1; i < texts.length; i++)
    hash = hashUnits(hashUnits(hash, separator), texts[i] ?? '');
  return mixBits(hash);
}

function hashUnits(from: number, text: string): number {
  let hash = from;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return hash;
}

/**
 * A 32-bit hash of a sequence of 32-bit integers; the root of every seeded choice (shuffles,
 * dropout).
 */
export function hashIntegers(...values: readonly number[]): number {
  let hash = 0x811c9dc5;
  for (const value of values) hash = hashOnward(hash, value);
  return hash;
}

/** {@link hashIntegers} of a sequence with one more integer than the one that a hash is of. */
export function hashOnward(hash: number, value: number): number {
  return mixBits(Math.imul(hash ^ value, 0x01000193));
}

/**
 * The fmix32 step of MurmurHash3: each bit of the value changes each bit of the result with even
 * chance.
 */
export function mixBits(value: number): number {
  let hash = value;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}

/**
 * The 32 bits at a place of the sequence that a key begins: steps of the golden ratio, mixed
 * (SplitMix: Steele, Lea and Flood 2014). None of those before it need be drawn.
 */
export function bitsAt(key: number, place: number): number {
  return mixBits(key + Math.imul(place, 0x9e3779b9));
}

/**
 * MurmurHash3 (x86, 32 bits, seed 0) of a text's UTF-8 bytes: the hash of scikit-learn and Vowpal
 * Wabbit. Source: Appleby, MurmurHash3 (public domain).
 */
export function murmurHash3(text: string): number {
  const bytes = Buffer.from(text);
  const tail = bytes.length & ~3;
  let hash = 0;
  for (let i = 0; i < tail; i += 4) {
    hash ^= mixWord(bytes.readInt32LE(i));
    hash = Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64;
  }
  let rest = 0;
  for (let i = bytes.length - 1; i >= tail; i--) rest = (rest << 8) | (bytes[i] ?? 0);
  if (bytes.length > tail) hash ^= mixWord(rest);
  return mixBits(hash ^ bytes.length);
}

function mixWord(word: number): number {
  const mixed = Math.imul(word, 0xcc9e2d51);
  return Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
}

/** Labels from here on are hashes of names; below they are places. */
const leastHash = 2 ** 52;

/** Whether a label says which class it is by a hash, not by its place. */
export function isHashOfClass(label: number): boolean {
  return label >= leastHash;
}

/**
 * What stands for a class whose place is not known yet: a whole number from 2⁵² to below 2⁵³, of
 * two hashes of its name.
 */
export function hashOfClass(name: string): number {
  return leastHash + (hashText(name) & 0xfffff) * 2 ** 32 + murmurHash3(name);
}
